"""A reader that never reads, fifty scrapers and a plugin that floods, while something runs: it goes on, and memory stays
bounded. The bounds are of what the process grows by; if what was shown or said were kept, that would be several times as much."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from support.hostile import hostile
from support.memory import Growth
from support.prometheus import samples, value
from support.waiting import eventually

ROWS = 50_000
GET = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n"


def shown(server):
    """What it shows."""
    return server.get("/metrics").body


def flood(project, number, times=1):
    """A migration whose plugin measures under as many names and labels as it can, so many times."""
    steps = [{"uses": "hostile", "with": {"do": "nothing", "flood": f"r{number}_{time}"}} for time in range(times)]
    project.migration(f"{number:04}-flood", *steps)


@pytest.fixture
def server(serve, project, sqlite):
    """A server that shows as many business metrics as a plugin may make."""
    project.environment("dev", {"shop": sqlite.url})
    hostile(project, '{"id":"x","version":"1","needs":["metrics"]}')
    flood(project, 1, 6)
    started = serve()
    started.phase("current", within=120)
    assert len(shown(started)) > 50_000
    return started


@pytest.fixture
def filled(server, project, sqlite):
    """Begins a run that takes longer than any test; gives how far it is."""
    rows = f"WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < {ROWS}) SELECT i FROM c"
    project.migration("5001-people", "CREATE TABLE people (id bigint PRIMARY KEY, n bigint NOT NULL DEFAULT 0)",
                      f"INSERT INTO people (id) {rows}")
    project.migration("5002-fill", {"uses": "backfill", "with": {
        "table": "people", "key": "id", "set": "n = 1", "where": "n = 0", "batchSize": 100, "pause": "100ms"}})
    server.ring()

    def count():
        return "people" in sqlite.tables() and sqlite.rows("SELECT count(*) FROM people WHERE n = 1")[0][0]

    eventually(lambda: count() and count() > 200, "it works", within=60)
    return count


def test_readers_that_never_read(server, filled, measured):
    growth = Growth(server)

    def come_and_go():
        held = []
        for _ in range(50):
            connection = server.connection()
            connection.connect()
            connection.sock.sendall(GET * 200)
            held.append(connection)
        reached = filled()
        eventually(lambda: filled() >= reached + 700, "the run goes on")
        for connection in held:
            connection.close()
        # Those that come next have what these had, and no more. It is given back in the middle of the run.
        eventually(lambda: growth.now < 16, "what they held is given back")

    come_and_go()
    first = growth.most
    for _ in range(2):
        come_and_go()
    later = growth.most - first
    measured(f"fifty readers that never read: {first:.0f} MiB more at most, of a hundred others {later:.0f}, {growth.now:.0f} after them")
    # They asked for half a gigabyte at least, each time.
    assert first < 128 and later < 32
    assert value(shown(server), "whimbrel_migrations", state="applying") == 1


def test_fifty_scrapers_at_once(server, filled, measured):
    def scrape(times):
        connection = server.connection()
        seen = set()
        for _ in range(times):
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
            assert "whimbrel_build_info" in text
            seen.add(value(text, "whimbrel_rows_total", database="shop"))
        connection.close()
        return seen

    with ThreadPoolExecutor(50) as pool:
        list(pool.map(scrape, [10] * 50))
        growth, reached = Growth(server), filled()
        seen = set().union(*pool.map(scrape, [30] * 50))
    measured(f"1,500 scrapes, fifty at once, after 500: {growth.most:.0f} MiB more at most")
    assert growth.most < 32
    assert filled() > reached and len(seen) > 1, "the run goes on, and they see it"


def test_a_plugin_that_floods(server, project, measured):
    growth, size = Growth(server), len(shown(server))
    for number in range(2, 12):
        flood(project, number, 12)
    server.ring()
    eventually(lambda: value(shown(server), "whimbrel_migrations", state="applied") == 11, "all is done", within=120)
    measured(f"120 floods of a plugin: {growth.most:.0f} MiB more at most")
    assert growth.most < 10
    text = shown(server)
    assert len(text) < size + 10_000
    assert sum(len(found) for name, found in samples(text).items() if name.startswith("whimbrel_custom_")) <= 501
    assert value(text, "whimbrel_metrics_dropped_total", reason="plugin-budget") > 120_000
