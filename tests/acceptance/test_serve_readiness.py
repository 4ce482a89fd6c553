"""What was ready for an application stays ready: whatever happens short of a revert takes no application down."""

import http.client
import time

import pytest
from support.waiting import eventually

PEOPLE = "/readyz/dev?migration=0001-people"


@pytest.fixture
def ready(serve, project, target):
    """A server whose environment has a migration that was asked for: as a name, and as a revision."""
    project.environment("dev", {"shop": target.url})
    project.table("0001-people")
    commit = project.commit()
    server = serve()
    server.phase("current")
    server.needed = [PEOPLE, f"/readyz/dev?revision={commit}", "/readyz/dev"]
    for path in server.needed:
        server.get(path)
    return server


def asked_anew():
    """An answer holds for half a second, however many ask: after that the database is looked at."""
    time.sleep(0.6)


def test_drift_takes_nothing_away(ready, serve, project, target):
    project.migration("0001-people", ("CREATE TABLE people (id bigint PRIMARY KEY, name text)", "DROP TABLE people"))
    project.commit("Edit what is applied")
    ready.ring()
    edited = ready.phase("blocked")
    assert "0001-people" in edited["error"]
    asked_anew()
    for path in ready.needed:
        ready.get(path)
    ready.end()
    # Nor does a restart: a process that knows nothing of before says the same.
    again = serve()
    again.phase("blocked")
    again.get(PEOPLE)
    # What somebody did by hand behind the history is no revert.
    target.execute("DROP TABLE people")
    asked_anew()
    again.get(PEOPLE)
    again.end()


@pytest.mark.parametrize("target", ["postgres"], indirect=True)
def test_a_database_that_is_away_takes_nothing_away(ready, project, target):
    with target.cluster.without(target.name):
        ready.ring()
        away = ready.phase("retrying")
        assert "retryAt" in away and away["error"]
        asked_anew()
        for path in ready.needed:
            ready.get(path)
        # What was never seen there is not ready, and nobody is told why the database is away.
        ready.get("/readyz/dev?migration=0002-pets", status=503)
    project.table("0002-pets")
    ready.ring()
    eventually(lambda: ready.get("/readyz/dev?migration=0002-pets", status=None).status == 200, "it goes on")
    ready.end()


@pytest.mark.parametrize("target", ["postgres"], indirect=True)
def test_a_database_that_says_nothing_keeps_no_probe_waiting(ready, target):
    with target.cluster.silent():
        asked_anew()
        for path in ready.needed:
            assert _probe(ready, path) == 200
        # Those that still look at it hold up nobody who asks again.
        assert [_probe(ready, PEOPLE) for _ in range(2)] == [200, 200]
    ready.get(PEOPLE)
    ready.end()


def _probe(server, path):
    """Asks with less patience than a connection to a database has; a kubelet's is still less."""
    host, port = server.place.rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port), timeout=4)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()
