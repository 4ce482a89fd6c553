"""What opens a repository that a server follows, as the source's document says it: read anew for every fetch."""

import shutil

import pytest
from support.canary import Canary
from support.git_server import HttpServer, SshServer, certificate, key
from support.waiting import eventually


@pytest.fixture
def sshd(hosted, tmp_path):
    """An OpenSSH server of the same machine."""
    server = SshServer(tmp_path / "sshd")
    yield server
    server.stop()


@pytest.fixture
def tls(hosted, tmp_path):
    """The repository behind a certificate of the shop's own authority, whose file is `authority`."""
    authority, files = certificate(tmp_path / "tls")
    server = HttpServer(tmp_path / "served", files)
    server.authority = authority
    yield server
    server.stop()


def keeps_up(hosted, sqlite, **source):
    """A server with this source, which applies what is there and what is pushed."""
    server = hosted.serve(webhook=None, **source)
    assert sqlite.tables() == {"people"}
    hosted.project.table("0002-orders")
    hosted.publish("Orders")
    server.ring("shop")
    hosted.wait_for(sqlite, "people", "orders")
    return server


def stands(server, status, said=""):
    """Looks at the source and waits until it stands so."""
    def does():
        [source] = server.get("/v1/sources").json()["sources"]
        return source["syncStatus"] == status and said in source.get("error", "")
    server.ring("shop")
    eventually(does, f"it is {status}")


def test_a_token(hosted, sqlite):
    hosted.http.user = "x-access-token"
    server = keeps_up(hosted, sqlite, auth={"token": hosted.at("git")})
    hosted.keep("git", "a-token-that-was-revoked\n")
    stands(server, "stale", "the credential is not accepted")
    hosted.keep("git", hosted.http.password.value)
    stands(server, "fresh")
    assert "a-token-that-was-revoked" not in hosted.end(server).said


def test_an_authority_of_ones_own(hosted, sqlite, tls, tmp_path):
    trusted = tmp_path / "trusted.pem"
    shutil.copy(tls.authority, trusted)
    hosted.keep("tls", tls.password.value)
    auth = {"username": tls.user, "password": hosted.at("tls"), "caFile": {"file": str(trusted)}}
    server = keeps_up(hosted, sqlite, url=f"{tls.address}/acme/shop.git", auth=auth)
    another, _ = certificate(tmp_path / "another")
    shutil.copy(another, trusted)
    stands(server, "stale", "can't be trusted")
    shutil.copy(tls.authority, trusted)
    stands(server, "fresh")
    hosted.end(server, tls.password)


def test_a_key_and_a_host_that_is_known(hosted, sqlite, sshd, tmp_path):
    passphrase = Canary.hatch("the passphrase of a source's key")
    secret = key(tmp_path / "deploy", passphrase=passphrase.value)
    shutil.copy(tmp_path / "deploy.pub", sshd.folder / "authorized")
    hosted.keep("key", secret.read_text())
    hosted.keep("passphrase", passphrase.value + "\n")
    auth = {"sshKey": hosted.at("key"), "sshKeyPassphrase": hosted.at("passphrase"),
            "knownHosts": {"file": str(sshd.known())}}
    server = keeps_up(hosted, sqlite, url=f"{sshd.address}{hosted.served.folder}", auth=auth)
    # Another key is there, which isn't let in; then a host is there that nobody knows.
    hosted.keep("key", sshd.client_key.read_text())
    stands(server, "stale", "the key is not accepted")
    hosted.keep("key", secret.read_text())
    sshd.known(public=f"{sshd.client_key}.pub")
    stands(server, "stale", "is another one than is known")
    sshd.known()
    stands(server, "fresh")
    hosted.end(server, passphrase)
