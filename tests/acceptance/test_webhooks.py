"""Deliveries of a Git host reach `whimbrel serve`: a genuine one is a doorbell, and any other is nothing."""

import http.client
import threading
import time

import pytest
from support.canary import Canary
from support.git_host import Delivery, ping, pull_request, push
from support.product import FAILED, USAGE
from support.server import Server
from support.waiting import eventually

EVERYTHING = 1 << 20


def test_a_push_is_applied(hosted, sqlite):
    server = hosted.serve()
    hosted.project.table("0002-pets")
    commit = hosted.publish()
    # Nothing rang.
    assert sqlite.tables() == {"people"}
    delivery = push(commit, hosted.secret)
    assert delivery.send(server, status=202).json() == {"source": "shop", "result": "accepted"}
    hosted.wait_for(sqlite, "people", "pets")
    assert server.environment()["revision"] == commit
    assert ping(hosted.secret).send(server, status=200).json()["result"] == "ignored"
    hosted.end(server)


def test_a_delivery_that_is_not_genuine_does_nothing(hosted, sqlite):
    server = hosted.serve()
    before = hosted.settled()
    hosted.project.table("0002-pets")
    commit = hosted.publish()
    for delivery in (push(commit, "another secret"), push(commit, None), push(commit, "")):
        assert delivery.send(server, status=403).json()["type"] == "unproved"
    genuine = push(commit, hosted.secret)
    genuine.body = genuine.body.replace(b"main", b"mein", 1)
    genuine.send(server, status=403)
    server.post("/hooks/shop", {}, status=400)
    genuine.send(server, "shop2", status=404)
    server.get("/hooks/shop", status=405)
    time.sleep(1)
    assert hosted.fetches() == before and sqlite.tables() == {"people"}
    hosted.end(server)


def test_a_delivery_of_another_repository_does_nothing(hosted):
    server = hosted.serve()
    before = hosted.settled()
    answer = push("1" * 40, hosted.secret, repository="evil/shop").send(server, status=403)
    assert answer.json()["type"] == "wrong-repository"
    time.sleep(1)
    assert hosted.fetches() == before
    hosted.end(server)


def test_both_secrets_count_while_one_is_replaced(hosted, sqlite):
    server = hosted.serve()
    for number, name in enumerate(("old", "new"), 2):
        hosted.project.table(f"{number:04}-more{number}")
        push(hosted.publish(), hosted.secrets[name].value).send(server, status=202)
        hosted.wait_for(sqlite, "people", *(f"more{n}" for n in range(2, number + 1)))
    # The old one is withdrawn: without a restart it counts no more, and that it is gone stops nobody else.
    (hosted.folder / "old").unlink()
    push("1" * 40, hosted.secrets["old"].value).send(server, status=403)
    push("1" * 40, hosted.secrets["new"].value).send(server, status=202)
    (hosted.folder / "new").unlink()
    answer = push("2" * 40, hosted.secrets["new"].value).send(server, status=503)
    assert int(answer.headers["retry-after"]) > 0 and "old" not in answer.body
    hosted.end(server)


def test_git_s_own_credentials_are_read_for_every_fetch(hosted, sqlite):
    server = hosted.serve()
    hosted.keep("git", "not the password")
    hosted.project.table("0002-pets")
    commit = hosted.publish()
    push(commit, hosted.secret).send(server, status=202)
    status = lambda: server.get("/v1/sources").json()["sources"][0]["syncStatus"]  # noqa: E731
    eventually(lambda: status() == "stale", "it isn't let in")
    assert sqlite.tables() == {"people"}
    hosted.keep("git", hosted.http.password.value)
    push(commit, hosted.secret).send(server, status=202)
    hosted.wait_for(sqlite, "people", "pets")
    hosted.end(server)


def test_the_same_delivery_counts_once(hosted):
    server = hosted.serve()
    before = hosted.settled()
    delivery = push("1" * 40, hosted.secret)
    assert delivery.send(server, status=202).json()["result"] == "accepted"
    eventually(lambda: hosted.fetches() > before, "it is fetched")
    before = hosted.settled()
    assert delivery.send(server, status=200).json()["result"] == "duplicate"
    time.sleep(1)
    assert hosted.fetches() == before
    hosted.end(server)


def test_a_body_has_an_end(hosted, sqlite):
    server = hosted.serve()
    payload = {"padding": "x" * (EVERYTHING // 2)}
    # What other requests may not have, a delivery may.
    Delivery("watch", payload, hosted.secret).send(server, status=200)
    payload["padding"] *= 3
    answer = Delivery("push", payload, hosted.secret).send(server, status=413)
    assert answer.json()["type"] == "too-big"
    # Whoever promises a body and doesn't send it gets nothing.
    connection = server.connection()
    connection.putrequest("POST", "/hooks/shop")
    connection.putheader("content-length", "1000")
    connection.endheaders()
    assert connection.getresponse().status == 400
    hosted.end(server)


def test_a_burst_costs_a_fetch_and_one_more(hosted, measured):
    server = hosted.serve()
    time.sleep(1)
    before = hosted.settled()
    server.ring("shop")
    eventually(lambda: hosted.fetches() > before, "it is fetched")
    time.sleep(1)
    one = hosted.settled() - before
    # Nothing new: what is applied would be recorded at the server, which asks for its refs as well.
    commit = server.environment()["revision"]
    deliveries = [push(commit, hosted.secret) for _ in range(1_000)]
    before, answers, lock = hosted.settled(), [], threading.Lock()

    def send():
        host, port = server.place.rsplit(":", 1)
        connection = http.client.HTTPConnection(host, int(port), timeout=60)
        while True:
            with lock:
                if not deliveries:
                    return
                delivery = deliveries.pop()
            begun = time.monotonic()
            connection.request("POST", "/hooks/shop", delivery.body, delivery.headers)
            response = connection.getresponse()
            response.read()
            with lock:
                answers.append((response.status, time.monotonic() - begun))

    threads = [threading.Thread(target=send) for _ in range(20)]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - begun
    assert {status for status, _ in answers} == {202} and len(answers) == 1_000
    eventually(lambda: hosted.fetches() >= before + one, "it is fetched")
    time.sleep(2)
    assert one <= hosted.fetches() - before <= 2 * one, f"the burst took {took:.1f} s"
    times = sorted(time for _, time in answers)
    measured(f"a burst of 1,000 deliveries from 20 clients: {took:.1f} s, p50 {times[500] * 1000:.0f} ms, "
             f"p99 {times[990] * 1000:.0f} ms, {(hosted.fetches() - before) / one:.0f} fetches")
    # A burst has an end, also of what was delivered before; then one after the other is taken again.
    repeated = push(commit, hosted.secret)
    refused = next((answer for answer in (repeated.send(server) for _ in range(600)) if answer.status == 503), None)
    assert refused and "too many deliveries came" in refused.json()["detail"]
    assert int(refused.headers["retry-after"]) == 1
    eventually(lambda: repeated.send(server).status == 200, "one more is taken")
    hosted.end(server)


def test_a_hook_needs_no_token_and_gives_nothing_else(hosted, sqlite):
    token = Canary.hatch("a token of a server", plain=True).value
    hosted.serve().end()
    hosted.servers.clear()
    file = hosted.folder / "sources.yaml"
    server = Server(hosted.outside, "--config", file, "--token", "secret://env/TOKEN", token=token, TOKEN=token)
    hosted.servers.append(server)
    server.phase("current")
    hosted.project.table("0002-pets")
    push(hosted.publish(), hosted.secret).send(server, status=202)
    hosted.wait_for(sqlite, "people", "pets")
    delivery = push("3" * 40, hosted.secret)
    delivery.headers["authorization"] = "Bearer nobody"
    delivery.send(server, status=202)
    server.get("/v1/environments", status=401, authorization="Bearer nobody")
    hosted.end(server)


def test_pull_requests_ring_for_nobody_who_asked_for_none(hosted):
    server = hosted.serve()
    answer = pull_request("opened", 7, "1" * 40, hosted.secret).send(server, status=200)
    assert answer.json()["result"] == "ignored"
    hosted.end(server)


DOCUMENT = """\
# Those of the shop.
apiVersion: whimbrel.dev/v1alpha1
kind: GitSource
metadata:
  name: shop
spec:
  path: .
---
apiVersion: whimbrel.dev/v1alpha1
kind: GitSource
metadata:
  name: other
spec:
  url: https://git.example.org/acme/shop.git
  {more}
"""


@pytest.mark.parametrize(("more", "line", "said"), [
    ("webhok: {}", 15, "did you mean `webhook`?"),
    ("auth: { token: ghp_plaintext }", 15, "`token` is written in plain text"),
    ("auth: { token: secret://vault/x }", 15, "a source has no secret backend `vault`"),
    ("auth: { password: secret://env/X }", 15, "`password` without `username`"),
    ("webhook: { secrets: [] }", 15, "a list of secrets with at least one"),
    ("webhook: { plugin: git-webhok, secrets: [secret://env/X] }", 15, "did you mean `git-webhook`?"),
    ("webhook: { with: { host: githup }, secrets: [secret://env/X] }", 15, "githup"),
    ("report: { with: { host: github } }", 15, "http"),
    ("verify: { mode: Head }", 15, "nobody's signature counts"),
    ("path: .", 15, "the source is in two places"),
    ("interval: soon", 15, "is no duration"),
])
def test_what_is_wrong_is_said_where_it_stands(outside, more, line, said):
    file = outside.folder / "sources.yaml"
    file.write_text(DOCUMENT.format(more=more))
    ended = outside.run("serve", "--config", file, code=FAILED)
    assert said in ended.err and f"sources.yaml:{line}:" in ended.err, ended
    assert "ghp_plaintext" not in ended.err


def test_sources_have_names_of_their_own(outside):
    file = outside.folder / "sources.yaml"
    file.write_text(DOCUMENT.format(more="").replace("name: other", "name: shop"))
    ended = outside.run("serve", "--config", file, code=FAILED)
    assert "two sources are called `shop`" in ended.err and "the first is in line 5" in ended.err
    outside.run("serve", "--config", outside.folder / "nowhere.yaml", code=USAGE)
    schema = outside.run("schema", "gitsource").json()
    assert schema["title"] == "GitSource"
