"""What other hosts than GitHub deliver, with payloads as they send them: the bell of `whimbrel serve`, and plans of what they
call pull requests and merge requests."""

import base64
import secrets

import pytest
from support.git_host import GitHub
from support.git_host import push as push_of_github
from support.git_hosts import BitbucketCloud, BitbucketDataCenter, Forgejo, GitLab, SigningGitLab
from support.prometheus import samples
from support.waiting import eventually

NUMBER = 7
COUNTED = {"forgejo": "gitea"}
HOSTS = [Forgejo(), BitbucketCloud(), BitbucketDataCenter(), GitLab(), SigningGitLab()]


@pytest.fixture(params=HOSTS, ids=lambda host: type(host).__name__)
def host(request):
    """Each of them in turn."""
    return request.param


@pytest.fixture
def secret(hosted, host):
    """What its deliveries are signed with."""
    if isinstance(host, SigningGitLab):
        key = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        hosted.keep("old", key)
        return key
    return hosted.secret


def webhook(hosted, host):
    """What its source says of deliveries."""
    return {"with": {"host": host.name}, "secrets": [hosted.at("old")]}


def counted(server):
    """How deliveries were answered: by provider and result."""
    found = samples(server.get("/metrics").body)["whimbrel_webhook_requests_total"]
    return {(labels["provider"], labels["result"]): count for labels, count in found if count}


def test_a_push_is_applied(hosted, host, secret, sqlite):
    server = hosted.serve(webhook=webhook(hosted, host))
    hosted.project.table("0002-pets")
    commit = hosted.publish()
    # Without its proof, with another one's, and with one of another body.
    host.push(commit, None).send(server, status=403)
    other = "whsec_" + base64.b64encode(b"x" * 32).decode() if isinstance(host, SigningGitLab) else "another secret"
    host.push(commit, other).send(server, status=403)
    forged = host.push(commit, secret)
    if host.name != "gitlab" or isinstance(host, SigningGitLab):
        forged.body = forged.body.replace(b"main", b"mein", 1)
        forged.send(server, status=403)
    assert push_of_github(commit, secret).send(server).status in (400, 403), "it isn't the host that was said"
    assert sqlite.tables() == {"people"}
    delivery = host.push(commit, secret)
    assert host.proof in delivery.headers
    assert delivery.send(server, status=202).json()["result"] == "accepted"
    hosted.wait_for(sqlite, "people", "pets")
    assert server.environment()["revision"] == commit
    assert delivery.send(server, status=200).json()["result"] == "duplicate"
    provider = COUNTED.get(host.name, host.name)
    seen = counted(server)
    assert (seen[provider, "accepted"], seen[provider, "duplicate"]) == (1, 1)
    hosted.end(server)


def test_forgejo_is_known_by_its_own_headers(hosted, sqlite):
    forgejo = Forgejo()
    server = hosted.serve(webhook=webhook(hosted, forgejo))
    hosted.project.table("0002-pets")
    delivery = forgejo.push(hosted.publish(), hosted.secret)
    # Its own signature counts, whatever the others say.
    genuine = delivery.headers["X-Forgejo-Signature"]
    delivery.headers["X-Forgejo-Signature"] = "0" * 64
    delivery.send(server, status=403)
    delivery.headers |= {"X-Forgejo-Signature": genuine, "X-Gitea-Signature": "0" * 64}
    own = ("X-Forgejo-", "Content-Type")
    delivery.headers = {name: value for name, value in delivery.headers.items() if name.startswith(own)}
    delivery.send(server, status=202)
    hosted.wait_for(sqlite, "people", "pets")
    # What is known again is the delivery by its own name.
    delivery.headers["X-Gitea-Delivery"] = "another"
    assert delivery.send(server, status=200).json()["result"] == "duplicate"
    hosted.end(server)


def test_a_pull_request_is_fetched_and_planned(hosted, host, secret, sqlite):
    """Shown is it at another host: what speaks with each has tests of its own, held to what they publish of their APIs."""
    github = GitHub()
    asked = {"environments": ["dev"]}
    server = hosted.serve(webhook=webhook(hosted, host), report=hosted.report(github, pullRequests=asked))
    project, branch = hosted.project, f"change-{NUMBER}"
    project.git("checkout", "--quiet", "-b", branch)
    project.table("0002-pets")
    commit = project.commit("Propose", author="Eve <eve@example.com>")
    # It is where the host has it, and nowhere else.
    project.git("push", "--quiet", str(hosted.served.folder), f"HEAD:{host.reference(NUMBER)}")
    delivery = host.pull_request(NUMBER, branch, commit, secret)
    assert delivery.send(server, status=202).json()["result"] == "accepted"

    def planned():
        return (github.state(commit, "whimbrel/plan/dev") or [None])[0] == "success"
    try:
        eventually(planned, "it is planned")
    except AssertionError as error:
        raise AssertionError(f"{error}; {github.said()}\n{server.running.said()}") from None
    [comment] = eventually(lambda: github.ours(NUMBER), "it comments")
    assert "CREATE TABLE pets" in comment and commit[:7] in comment
    assert sqlite.tables() == {"people"}
    hosted.end(server, github.token)
    github.stop()
