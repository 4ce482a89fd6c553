"""Queues of `whimbrel serve` have an end: whoever finds no room is told so at once, and is taken when there is some."""

import json
import select
import threading

from support.git_host import ping
from support.prometheus import value
from support.waiting import eventually


def test_so_many_orders_wait_and_no_more(serve, project, postgres):
    project.environment("dev", {"shop": postgres.url})
    project.table("0001-people")
    server = serve()
    server.phase("current")
    path, order = "/v1/environments/dev/apply", {"plan": server.environment()["plan"]["digest"]}
    answers = []
    with postgres.cluster.connect(postgres.name) as keeper:
        keeper.execute("BEGIN; LOCK TABLE whimbrel.event")
        server.ring()
        eventually(lambda: postgres.rows(
            "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"),
            "its loop has something to do")
        waiting = [threading.Thread(target=lambda: answers.append(server.post(path, order, status=200)))
                   for _ in range(16)]
        for one in waiting:
            one.start()
        eventually(lambda: value(server.get("/metrics").body, "whimbrel_queue_depth") >= 16, "all of them wait")
        refused = server.post(path, order, status=429).json()
        assert refused["type"] == "busy" and "`dev`" in refused["detail"]
        # Nothing else waits with them.
        assert server.get("/healthz").json() == {"status": "alive"} and not answers
        keeper.execute("ROLLBACK")
    for one in waiting:
        one.join()
    assert [answer.json() for answer in answers] == [order] * 16
    server.post(path, order, status=200)
    server.end()


def test_so_many_deliveries_are_taken_in_and_no_more(hosted):
    server = hosted.serve()

    def open_():
        """Promises a body."""
        connection = server.connection()
        connection.putrequest("POST", "/hooks/shop")
        connection.putheader("content-length", "1000")
        connection.endheaders()
        return connection

    held = [open_() for _ in range(129)]
    answered = eventually(lambda: select.select([connection.sock for connection in held], [], [], 0)[0], "there is no room")
    [refused] = [connection for connection in held if connection.sock in answered]
    answer = refused.getresponse()
    assert answer.status == 503 and answer.getheader("retry-after") == "1"
    assert "too many deliveries" in json.loads(answer.read())["detail"]
    assert ping(hosted.secret).send(server, status=503).headers["retry-after"] == "1"
    overloaded = value(
        server.get("/metrics").body, "whimbrel_webhook_requests_total", provider="unknown", result="overloaded")
    assert overloaded == 2
    held.remove(refused)
    held.pop().close()
    eventually(lambda: ping(hosted.secret).send(server).status == 200, "whoever goes makes room")
    for connection in held:
        connection.close()
    hosted.end(server)
