"""`--project ssh://…`: keys, an agent, and servers that are known, against a real OpenSSH server."""

import subprocess

import pytest
from support.canary import Canary
from support.git_server import SshServer, key
from support.product import FAILED

DEV = ("--environment", "dev")


@pytest.fixture
def sshd(served, tmp_path):
    """The server, over SSH."""
    server = SshServer(tmp_path / "sshd")
    yield server
    server.stop()


def test_ssh_with_a_key(outside, sshd, served, shop, project):
    url = f"{sshd.address}{served.folder}"
    access = {"WHIMBREL_GIT_SSH_KEY": sshd.client_key, "WHIMBREL_GIT_KNOWN_HOSTS": sshd.known()}
    outside.run("apply", "--project", f"{url}@main", *DEV, **access)
    assert shop.tables() == {"people"}
    project.table("0002-orders")
    project.commit("Orders")
    served.push()
    outside.run("apply", "--project", url, *DEV, **access)
    assert shop.tables() == {"people", "orders"}
    assert "there is no repository" in outside.run("plan", "--project", f"{url}x", *DEV, code=FAILED, **access).err


def test_ssh_with_an_encrypted_key(outside, sshd, served, tmp_path):
    url = f"{sshd.address}{served.folder}"
    passphrase = Canary.hatch("the passphrase of a key for SSH").value
    secret = key(tmp_path / "encrypted", "rsa", passphrase=passphrase)
    with (sshd.folder / "authorized").open("a") as file:
        file.write((tmp_path / "encrypted.pub").read_text())
    access = {"WHIMBREL_GIT_SSH_KEY": secret, "WHIMBREL_GIT_KNOWN_HOSTS": sshd.known(hashed=True)}
    outside.run("plan", "--project", url, *DEV, WHIMBREL_GIT_SSH_PASSPHRASE=passphrase, **access)
    ended = outside.run("plan", "--project", url, *DEV, WHIMBREL_GIT_SSH_PASSPHRASE="another", code=FAILED, **access)
    assert "SSH key" in ended.err and "another" not in ended.err.split("hint")[0].replace("another one", "")


def test_ssh_with_an_agent(outside, sshd, served):
    url = f"{sshd.address}{served.folder}"
    known = {"WHIMBREL_GIT_KNOWN_HOSTS": sshd.known()}
    ended = outside.run("plan", "--project", url, *DEV, code=FAILED, SSH_AUTH_SOCK=None, **known)
    assert "no SSH agent answers" in ended.err
    socket = sshd.folder / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL)
    try:
        while not socket.exists():
            assert agent.poll() is None
        other = key(sshd.folder / "other")
        for file in (other, sshd.client_key):
            subprocess.run(["ssh-add", "-q", file], check=True, env={"SSH_AUTH_SOCK": str(socket)})
        outside.run("plan", "--project", url, *DEV, SSH_AUTH_SOCK=socket, **known)
        subprocess.run(["ssh-add", "-q", "-d", sshd.client_key], check=True, env={"SSH_AUTH_SOCK": str(socket)})
        ended = outside.run("plan", "--project", url, *DEV, SSH_AUTH_SOCK=socket, code=FAILED, **known)
        assert "none of the SSH agent's 1 keys is accepted" in ended.err
    finally:
        agent.terminate()
        agent.wait()


def test_ssh_keys_that_are_not_let_in(outside, sshd, served, tmp_path):
    url = f"{sshd.address}{served.folder}"
    known = {"WHIMBREL_GIT_KNOWN_HOSTS": sshd.known()}
    stranger = key(tmp_path / "stranger")
    ended = outside.run("plan", "--project", url, *DEV, code=FAILED, WHIMBREL_GIT_SSH_KEY=stranger, **known)
    assert "the key is not accepted" in ended.err


@pytest.mark.parametrize(("known", "said"), [
    (lambda sshd: sshd.folder / "empty", "is not known (ED25519 SHA256:"),
    (lambda sshd: sshd.known(public=f"{sshd.client_key}.pub"), "is another one than is known"),
    (lambda sshd: sshd.known(marker="@revoked "), "marked as revoked"),
    (lambda sshd: sshd.folder / "missing", "can't be read"),
], ids=["unknown", "changed", "revoked", "unreadable"])
def test_a_host_that_proves_nothing(outside, sshd, served, known, said):
    (sshd.folder / "empty").write_text("# nobody\n")
    access = {"WHIMBREL_GIT_SSH_KEY": sshd.client_key, "WHIMBREL_GIT_KNOWN_HOSTS": known(sshd)}
    ended = outside.run("plan", "--project", f"{sshd.address}{served.folder}", *DEV, code=FAILED, **access)
    assert said in ended.err
    assert "hint" in ended.err
    # No key was shown to a server that is not known.
    assert "Accepted publickey" not in (sshd.folder / "log").read_text()
