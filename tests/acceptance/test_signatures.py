"""Signed commits: what is not signed by whom one trusts is not even planned."""

import pytest
from support.git_server import key
from support.product import OK, REFUSED, USAGE
from support.terraform import WHIMBREL, Terraform
from test_terraform import environment

DEV = ("--environment", "dev")


@pytest.fixture
def ada(tmp_path, project):
    """Ada's key, listed in a file outside of the repository."""
    file = key(tmp_path / "ada")
    signers = tmp_path / "allowed_signers"
    signers.write_text(f"ada@example.com namespaces=\"git\" {(tmp_path / 'ada.pub').read_text()}")
    project.git("config", "gpg.format", "ssh")
    project.git("config", "user.signingKey", str(file))
    project.environment("dev", {"shop": "sqlite:var/shop.db"})
    return ("--allowed-signers", signers)


def sign(project, message):
    """Commits everything with Ada's signature."""
    project.git("add", "--all")
    project.git("commit", "--quiet", "--gpg-sign", "--message", message)


def test_who_trusts_nobody_is_told_so(whimbrel, project, ada):
    ended = whimbrel.run("plan", *DEV, "--verify-commits", "Head", code=USAGE)
    assert "nobody's signature counts" in ended.err
    (project.folder / "wrong").write_text("ada@example.com nonsense\n")
    wrong = ("--allowed-signers", project.folder / "wrong")
    assert "line 1" in whimbrel.run("plan", *DEV, "--verify-commits", "Head", *wrong, code=USAGE).err


def test_the_head_and_every_migration(whimbrel, project, ada):
    at_head = (*DEV, *ada, "--project", f"{project.folder}@HEAD")
    project.table("0001-people")
    project.commit("Unsigned")
    ended = whimbrel.run("apply", *at_head, "--verify-commits", "Head", code=REFUSED)
    assert "isn't signed" in ended.err and "git commit -S" in ended.err
    project.table("0002-orders")
    sign(project, "Signed")
    whimbrel.run("plan", *at_head, "--verify-commits", "Head")
    every = (*at_head, "--verify-commits", "EveryMigrationCommit")
    assert "isn't signed" in whimbrel.run("apply", *every, code=REFUSED).err
    assert not (project.folder / "var/shop.db").exists()
    whimbrel.run("apply", *every, "--verify-since", "HEAD~1", code=OK)


def test_a_work_tree_is_no_commit(whimbrel, project, ada):
    project.table("0001-people")
    sign(project, "Signed")
    ended = whimbrel.run("plan", *DEV, *ada, "--verify-commits", "Head", code=REFUSED)
    assert "no commit" in ended.err and "@HEAD" in ended.err


def test_what_says_where_to_apply_is_signed_too(whimbrel, project, ada):
    project.table("0001-people")
    sign(project, "Signed")
    project.git("checkout", "--quiet", "-b", "feature")
    project.table("0002-orders")
    sign(project, "Orders")
    project.git("checkout", "--quiet", "main")
    project.write("README.md", "who am I?")
    project.commit("Unsigned")
    at_feature = (*DEV, *ada, "--project", f"{project.folder}@feature", "--verify-commits", "Head")
    assert "isn't signed" in whimbrel.run("plan", *at_feature, code=REFUSED).err
    whimbrel.run("plan", *at_feature, "--control-ref", "main~1")


def test_terraform_insists_on_signatures_as_a_command_does(binary, project, ada, tmp_path):
    project.table("0001-people")
    project.commit("Unsigned")
    terraform = Terraform(tmp_path / "terraform", binary, WHIMBREL)
    terraform.variables |= {"WHIMBREL_VERIFY_COMMITS": "Head", "WHIMBREL_ALLOWED_SIGNERS": str(ada[1])}
    terraform.write(environment(project), provider="")
    refused = terraform.run("plan", "-no-color", code=1)
    assert "isn't signed" in refused.err
    nobody = terraform.run("plan", "-no-color", code=1, WHIMBREL_ALLOWED_SIGNERS="")
    assert "nobody's signature counts" in nobody.err
    project.table("0002-orders")
    sign(project, "Signed")
    terraform.apply()
    assert (project.folder / "var/shop.db").exists()
