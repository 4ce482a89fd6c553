"""Events of a run as `whimbrel serve` streams them: while it goes on, from where somebody was, and to nobody who doesn't read."""

import select
import socket

import pytest
from support.memory import Growth
from support.waiting import eventually

# Every event says its step's name, so that some of them are more than a socket holds of what isn't read.
LONG = 3_000 * "x"


def fill(size, name="fill it"):
    """A step that tells of every batch of this size."""
    return {"name": name, "uses": "backfill", "with": {
        "table": "people", "key": "id", "set": "touched = 1", "batchSize": size}}


@pytest.fixture
def held(serve, project, postgres):
    """Starts a run that goes on until it is let go on; gives the server, the run and what holds it."""
    postgres.execute("CREATE TABLE gate (id int)")
    project.environment("dev", {"shop": postgres.url})
    project.migration("0001-people", "CREATE TABLE people (id int PRIMARY KEY, touched int)",
                      "INSERT INTO people SELECT n FROM generate_series(1, 1000) n")
    keepers = []

    def hold(step, sql="LOCK TABLE gate", **options):
        server = serve(**options)
        server.phase("current")
        keeper = postgres.cluster.connect(postgres.name)
        keepers.append(keeper)
        keeper.execute(f"BEGIN; {sql}")
        project.migration("0002-more", step)
        server.ring()
        eventually(lambda: postgres.rows(
            "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"),
            "the run waits")
        [run] = [run for run in server.get("/v1/environments/dev/runs").json()["runs"] if run["state"] == "running"]
        return server, run["id"], keeper

    yield hold
    for keeper in keepers:
        keeper.close()


def test_what_happens_is_told_while_it_happens(held):
    server, run, keeper = held(fill(100), sql="SELECT * FROM people WHERE id = 350 FOR UPDATE")
    stream = server.stream(run)
    # Three batches of a hundred were committed, and the fourth waits: all of it is told although the run goes on.
    before = [stream.next() for _ in range(8)]
    assert [event.data["event"] for event in before] == [
        "runStarted", "targetStarted", "lockTaken", "migrationStarted", "stepStarted", *3 * ["stepProgress"]]
    assert [event.data["progress"]["done"] for event in before[-3:]] == [100, 200, 300]
    assert server.get(f"/v1/runs/{run}").json()["state"] == "running"
    assert [event.number for event in before] == list(range(1, 9))

    # Somebody whose connection was cut goes on where it was, in the middle of a run…
    again = server.stream(run, after=6)
    assert [again.next(), again.next()] == before[6:]
    keeper.execute("ROLLBACK")
    rest = stream.until("runFinished")
    assert again.until("runFinished") == rest and stream.next() is None and again.next() is None
    assert [event.number for event in rest] == list(range(9, 9 + len(rest)))
    assert [event.data["progress"]["done"] for event in rest if event.data["event"] == "stepProgress"][-1] == 1_000
    # … and when it is over.
    server.phase("current")
    assert server.stream(run).until(None) == before + rest
    assert server.stream(run, after=rest[-3].number).until(None) == rest[-2:]
    assert server.stream(run, after=rest[-1].number).until(None) == []
    server.end()


def test_there_are_so_many_streams_and_no_more(held):
    server, run, keeper = held("INSERT INTO gate VALUES (1)")
    streams = [server.stream(run) for _ in range(64)]
    refused = server.get(f"/v1/runs/{run}/events", status=429).json()
    assert refused["type"] == "busy" and "streams" in refused["detail"]
    # Everything else is answered, and whoever goes makes room.
    assert server.get("/healthz").json() == {"status": "alive"}
    streams.pop().close()

    def room():
        connection = server.connection()
        connection.request("GET", f"/v1/runs/{run}/events")
        response = connection.getresponse()
        return response.status == 200 and (connection, response)

    connection, response = eventually(room, "there is room for another one")
    keeper.execute("ROLLBACK")
    for stream in streams:
        assert stream.until("runFinished") and stream.next() is None
        stream.close()
    assert response.read().endswith(b"\n\n")
    connection.close()
    server.end()


def test_a_reader_that_falls_behind_is_told(held, tmp_path):
    # A socket holds less than a port of what isn't read.
    place = f"unix:{tmp_path}/whimbrel.sock"
    # Enough to fall behind, and no more: a reader that is silent for ten seconds isn't told anything.
    step = fill(1, LONG)
    step["with"]["where"] = "id <= 650"
    server, run, keeper = held(step, sql="SELECT * FROM people WHERE id = 1 FOR UPDATE", listen=place)
    stream = server.stream(run)
    keeper.execute("ROLLBACK")
    server.phase("current")
    events = stream.until(None)
    *seen, last = events
    assert last.kind == "dropped" and last.number is None
    assert [event.number for event in seen] == list(range(1, len(seen) + 1))
    assert not [event for event in seen if event.data["event"] == "runFinished"]
    # Whoever asks again has what is remembered of the rest.
    rest = server.stream(run, after=seen[-1].number).until(None)
    assert rest[-1].data["event"] == "runFinished"
    assert [event.number for event in rest] == list(range(rest[0].number, rest[0].number + 512))
    assert rest[-1].number >= len(seen) + last.data["missed"]
    server.end()


def test_slow_readers_of_a_run_hold_nobody_up_and_give_back_what_they_held(held, postgres, tmp_path):
    # More than a socket holds, of each of as many as may be there beside the one who reads.
    server, run, keeper = held(fill(2, LONG), sql="SELECT * FROM people WHERE id = 1 FOR UPDATE",
                               listen=f"unix:{tmp_path}/whimbrel.sock")
    growth = Growth(server)
    slow = []
    for _ in range(63):
        connection = server.connection()
        connection.connect()
        connection.sock.sendall(f"GET /v1/runs/{run}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        # It has begun to be answered, and reads no more.
        assert connection.sock.recv(9) == b"HTTP/1.1 "
        slow.append(connection)
    assert server.get(f"/v1/runs/{run}").json()["state"] == "running"
    stream = server.stream(run)
    server.get(f"/v1/runs/{run}/events", status=429)
    keeper.execute("ROLLBACK")
    # Whoever reads hears it to its end, and the run ends while none of the others has read anything.
    last = stream.until(None)[-1]
    assert last.data.get("event") == "runFinished" or last.kind == "dropped"
    server.phase("current", within=60)
    assert postgres.rows("SELECT count(*) FROM people WHERE touched = 1") == [(1_000,)]
    for connection in slow:
        eventually(lambda: _is_closed(connection.sock), "who never reads is dropped", within=25)  # noqa: B023
    # Their places are free, while nobody has read or closed anything at the other ends; so is their memory.
    for stream in [server.stream(run) for _ in range(64)]:
        stream.close()
    assert growth.most < 64 and growth.now < 16, (growth.most, growth.now)
    for connection in slow:
        connection.close()
    server.end()


def test_who_reads_nothing_is_dropped(serve, project, sqlite, tmp_path):
    project.environment("dev", {"shop": sqlite.url})
    for number in range(100):
        project.migration(f"{number:04}-nothing", {"name": LONG, "sql": "SELECT 1"})
    server = serve("--listen", "127.0.0.1:0", listen=f"unix:{tmp_path}/whimbrel.sock")
    _, port = server.running.process.stdout.readline().strip().rsplit(":", 1)
    run = server.phase("current")["lastRun"]

    def ask(connection, text):
        connection.sendall(text.replace("\n", "\r\n").encode())
        return connection

    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    slow.connect(("127.0.0.1", int(port)))
    following = server.connection()
    following.connect()
    # More than the system keeps for whoever may come to read.
    held = {
        "answers": ask(slow, "GET /openapi.json HTTP/1.1\nHost: localhost\n\n" * 1_000),
        "a stream": ask(following.sock, f"GET /v1/runs/{run}/events HTTP/1.1\nHost: localhost\n\n"),
    }
    assert server.get("/healthz").json() == {"status": "alive"}
    for what, connection in held.items():
        # The server counts on nobody: this end reads and closes nothing.
        eventually(lambda: _is_closed(connection), f"who doesn't read {what} is dropped", within=25)  # noqa: B023
    text = b""
    while received := following.sock.recv(65_536):
        text += received
    assert b"runStarted" in text and b"runFinished" not in text
    for connection in held.values():
        connection.close()
    server.end()


def _is_closed(connection):
    """Whether the other end is gone, without reading."""
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP)
    return poll.poll(0)
