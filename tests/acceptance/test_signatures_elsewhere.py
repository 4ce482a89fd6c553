"""Signed commits of repositories elsewhere, by SSH keys and OpenPGP certificates: once, and as a server follows them."""

import pytest
from support.product import OK, REFUSED
from support.signing import SIGNERS
from support.waiting import eventually

HEAD, EVERY = "Head", "EveryMigrationCommit"


@pytest.fixture(params=SIGNERS)
def ada(request, project, tmp_path):
    """Ada, who signs, and whose signatures count."""
    (tmp_path / "signer").mkdir()
    signer = SIGNERS[request.param](project, tmp_path / "signer")
    yield signer
    signer.close()


def test_what_is_pushed_must_be_signed(outside, http, served, project, shop, ada):
    outside.variables |= http.access
    at = ("--project", f"{http.address}/shop.git@main", "--environment", "dev", *ada.arguments)
    first = project.git("rev-parse", "HEAD")

    def apply(which, code, *more):
        return outside.run("apply", *at, "--verify-commits", which, *more, code=code)

    ended = apply(HEAD, REFUSED)
    assert f"{first[:12]} by ada@example.com isn't signed" in ended.err
    project.table("0002-orders")
    signed = ada.commit("Signed")
    served.push()
    # Its migration is of a commit that isn't signed, whatever is on top.
    assert f"{first[:12]} by ada@example.com isn't signed" in apply(EVERY, REFUSED).err
    assert not shop.file.exists()
    apply(EVERY, OK, "--verify-since", first)
    assert shop.tables() == {"people", "orders"}
    project.table("0003-items")
    unsigned = project.commit("Unsigned")
    project.write("README.md", "a shop")
    ada.commit("On top")
    served.push()
    assert f"{unsigned[:12]} by" in apply(EVERY, REFUSED, "--verify-since", signed).err
    assert shop.tables() == {"people", "orders"}
    apply(HEAD, OK)
    assert shop.tables() == {"people", "orders", "items"}


@pytest.mark.parametrize(("ada", "mode"), [("ssh", HEAD), ("openpgp", HEAD), ("openpgp", EVERY)], indirect=["ada"])
def test_a_server_applies_only_what_is_signed(hosted, ada, sqlite, mode):
    project = hosted.project
    signed = ada.commit("People", "--amend")
    hosted.served.push()
    server = hosted.serve(verify=ada.verify(mode))
    assert sqlite.tables() == {"people"}
    project.table("0002-orders")
    unsigned = project.commit("Unsigned")
    if mode == EVERY:
        project.write("README.md", "a shop")
        ada.commit("On top")
    hosted.served.push()
    server.ring("shop")
    said = f"{unsigned[:12]} by ada@example.com isn't signed"
    eventually(lambda: said in server.environment().get("syncError", ""), "it says why not")
    assert server.environment()["revision"] == signed and sqlite.tables() == {"people"}
    project.git("reset", "--quiet", "--soft", signed)
    ada.commit("Orders")
    hosted.served.push()
    server.ring("shop")
    hosted.wait_for(sqlite, "people", "orders")
    eventually(lambda: server.environment()["syncStatus"] == "fresh", "nothing is wrong any more")
    hosted.end(server)
