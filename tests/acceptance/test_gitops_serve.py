"""`whimbrel serve` in a team: many who push, a repository that goes away, and records that lead from one to the next."""

import statistics
import threading
import time

import pytest
from support.git_server import Served
from support.stages import Clone, Stage
from support.waiting import eventually

DEEDS = ("CREATE TABLE deeds (name text NOT NULL)", "DROP TABLE deeds")


@pytest.fixture
def stage(request, binary, tmp_path, http, project):
    """Makes environments with a process each."""
    def make(name, cluster=None):
        return Stage(name, binary, tmp_path / "stages", f"{http.address}/shop.git", http.access, project, cluster)
    return make


@pytest.fixture(params=["sqlite", "postgres"])
def dev(request, stage):
    """One environment, on each dialect in turn."""
    return stage("dev", request.getfixturevalue("cluster") if request.param == "postgres" else None)


@pytest.fixture
def shop(project, tmp_path):
    """Fills the server with environments and one migration."""
    def fill(*stages, **spec):
        before = {}
        for stage in stages:
            project.environment(stage.name, {"shop": stage.database}, branch="main", **(spec | before))
            before = {"after": stage.name}
        project.migration("0001-deeds", DEEDS)
        project.commit("Deeds")
        return Served(tmp_path / "served/shop.git", project)
    return fill


def deed(clone, number, name, sql="SELECT 1"):
    """A migration that leaves a countable trace."""
    trace = f"INSERT INTO deeds VALUES ('{name}')"
    clone.migration(f"{number:04}-{name}", (sql, ""), (trace, f"DELETE FROM deeds WHERE name = '{name}'"))
    return clone.commit(name)


def deeds(stage):
    """What was done, in order."""
    return [name for (name,) in stage.target.rows("SELECT name FROM deeds ORDER BY name")]


def test_two_who_push_at_once(serve, dev, shop, tmp_path):
    pushes = 6
    served = shop(dev, policy={"outOfOrder": "Allow"})
    with dev:
        server = serve(*dev.arguments(), by=dev.whimbrel)
        server.phase("current")
        clones = [Clone(tmp_path / name, served) for name in ("ada", "grace")]
        together = threading.Barrier(len(clones))
        failed = []

        def work(clone, first):
            try:
                together.wait()
                for number in range(pushes):
                    deed(clone, first + 2 * number, f"{clone.folder.name}-{number}")
                    clone.push()
                    server.ring()
            except Exception as error:  # noqa: BLE001 (told by the thread that started this one)
                failed.append(error)

        workers = [threading.Thread(target=work, args=(clone, 2 + at)) for at, clone in enumerate(clones)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert failed == []
        newest = served.git("rev-parse", "main")
        eventually(lambda: server.environment().get("revision") == newest, "it has the newest revision")
        server.phase("current")
        assert deeds(dev) == sorted(f"{clone.folder.name}-{number}" for clone in clones for number in range(pushes))
        applied = f"SELECT migration, count(*) FROM {dev.target.history}event WHERE kind = 'applied' GROUP BY migration"
        assert {count for _, count in dev.target.rows(applied)} == {1}
        assert len(dev.target.rows(applied)) == 1 + 2 * pushes
        server.end()


def test_a_repository_that_is_down_for_a_while(serve, dev, shop, http, tmp_path):
    served = shop(dev)
    grace = Clone(tmp_path / "grace", served)
    with dev:
        server = serve(*dev.arguments(), by=dev.whimbrel, interval="300ms")
        good = server.phase("current")["revision"]
        http.stop()
        stale = eventually(
            lambda: server.environment()["syncStatus"] == "stale" and server.environment(), "it is told that it is stale")
        assert stale["revision"] == good and "can't be reached" in stale["syncError"]
        deed(grace, 2, "while-it-was-down")
        grace.push()
        [source] = server.get("/v1/sources").json()["sources"]
        assert source["syncStatus"] == "stale"
        aged = source["ageSeconds"]
        eventually(
            lambda: server.get("/v1/sources").json()["sources"][0]["ageSeconds"] >= aged + 2, "it says how old it is")
        # What is there serves on, whatever happens elsewhere.
        server.get("/readyz")
        server.get("/readyz/dev?migration=0001-deeds")
        assert server.get("/v1/environments/dev/status").json()["revision"] == good
        assert deeds(dev) == []
        http.start()
        eventually(lambda: server.environment()["syncStatus"] == "fresh", "it is fresh again without a person")
        eventually(lambda: deeds(dev) == ["while-it-was-down"], "what came meanwhile is applied")
        server.phase("current")
        server.end()


def test_what_could_not_be_published_is_published_later(serve, stage, shop, http, tmp_path, cluster):
    """The repository goes away in the middle of a migration: that one ends as ever, and its record gets there later."""
    dev = stage("dev", cluster)
    dev.signs()
    served = shop(dev, stage("staging"))
    grace = Clone(tmp_path / "grace", served)
    with dev:
        server = serve(*dev.arguments(), by=dev.whimbrel, interval="300ms")
        server.phase("current")
        eventually(lambda: dev.reference() in served.references(), "the first record is published")
        deed(grace, 2, "slow", "SELECT pg_sleep(2)")
        grace.push()
        server.phase("applying")
        known = served.references()[dev.reference()]
        http.stop()
        eventually(lambda: deeds(dev) == ["slow"], "what runs ends as ever")
        eventually(lambda: server.environment()["syncStatus"] == "stale", "the repository is seen to be away")
        assert served.references()[dev.reference()] == known
        http.start()
        eventually(lambda: served.references()[dev.reference()] != known, "the record is published after all")
        assert "0002-slow.json" in served.git("ls-tree", "--name-only", dev.reference())
        server.end()


def test_signed_records_lead_a_push_from_one_server_to_the_next(serve, stage, shop, tmp_path):
    stages = [stage(name) for name in ("dev", "staging", "production")]
    for before, one in zip([None, *stages], stages, strict=False):
        one.signs()
        if before:
            one.trusts(before)
    served = shop(*stages)
    grace = Clone(tmp_path / "grace", served)
    with stages[0], stages[1], stages[2]:
        servers = [serve(*one.arguments(), by=one.whimbrel, interval="300ms") for one in stages]
        deed(grace, 2, "first")
        grace.push()
        for one in stages:
            eventually(lambda: one.target.tables() == {"deeds"} and deeds(one) == ["first"], f"it is in {one.name}")
        # Somebody takes the ref of one away: it is put there again without a person.
        gone = served.references()[stages[1].reference()]
        served.git("update-ref", "-d", stages[1].reference())
        eventually(lambda: stages[1].reference() in served.references(), "it is published again")
        assert served.git("rev-parse", f"{stages[1].reference()}^{{tree}}") == served.git("rev-parse", f"{gone}^{{tree}}")
        for server in servers:
            server.end()


@pytest.mark.performance
def test_a_push_becomes_a_row_within_a_second(serve, stage, shop, tmp_path, cluster, measured):
    dev = stage("dev", cluster)
    served = shop(dev)
    grace = Clone(tmp_path / "grace", served)
    took = []
    with dev, cluster.connect(dev.target.name) as connection:
        server = serve(*dev.arguments(), by=dev.whimbrel)
        server.phase("current")
        for number in range(2, 14):
            deed(grace, number, f"push-{number}")
            grace.push()
            begun = time.monotonic()
            server.ring()
            there = "SELECT count(*) FROM deeds WHERE name = %s"
            eventually(lambda: connection.execute(there, [f"push-{number}"]).fetchone()[0] == 1, "the row is there")
            took.append(time.monotonic() - begun)
            server.phase("current")
        server.end()
    measured(f"from a push to a row: median {statistics.median(took):.3f} s, longest {max(took):.3f} s of {len(took)}")
    assert statistics.median(took) < 1
