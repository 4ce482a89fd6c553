"""`whimbrel serve` compares what is applied with its definitions now and then, and says what differs."""

from support.prometheus import value
from support.waiting import eventually

FULL = {"after": [{"name": "somebody is there", "query": "SELECT count(*) FROM people", "equals": 1}]}


def drift(server):
    """What is shown of it: the metric, and what the environment says."""
    shown = server.environment().get("drift", {}).get("migrations")
    return value(server.get("/metrics").body, "whimbrel_drift_objects", environment="dev", database="shop"), shown


def test_what_somebody_changed_by_hand_is_told_without_anybody_asking(serve, project, dev):
    project.migration("0001-people", "CREATE TABLE people (id bigint)", "INSERT INTO people VALUES (1)", checks=FULL)
    server = serve("--drift-interval", "200ms")
    server.phase("current")
    eventually(lambda: drift(server) == (0, 0), "nothing differs")
    dev.execute("DELETE FROM people")
    eventually(lambda: drift(server) == (1, 1), "its check fails")
    # It is told and no more.
    assert server.environment()["phase"] == "current"
    dev.execute("INSERT INTO people VALUES (1)")
    eventually(lambda: drift(server) == (0, 0), "it is as it was")
    project.migration("0001-people", "CREATE TABLE people (id bigint, more text)")
    server.ring()
    server.phase("blocked")
    eventually(lambda: drift(server) == (1, 1), "it was edited")
    assert "0001-people" in server.end().err


def rounds(server, count=2):
    """Waits until everything was compared again: environments are, in the order of their names, and `other` is the last one."""
    for _ in range(count):
        def compared():
            return server.environment("other").get("drift", {}).get("comparedAt", "")
        before = compared()
        eventually(lambda before=before: compared() > before, "everything is compared again")


def test_a_run_that_goes_on_elsewhere_and_a_database_that_is_away_are_no_drift(serve, project, postgres, cluster, sqlite,
                                                                               whimbrel):
    project.environment("dev", {"shop": postgres.url})
    project.environment("other", {"shop": sqlite.url})
    project.table("0001-people")
    server = serve("--drift-interval", "200ms")
    server.phase("current")
    rounds(server)
    assert drift(server) == (0, 0)
    project.migration("0002-more", "ALTER TABLE people ADD COLUMN name text",
                      "CREATE INDEX CONCURRENTLY people_name ON people (name)")
    with cluster.connect(postgres.name) as reader, reader.transaction():
        # An index is made when whoever reads is done.
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT count(*) FROM pg_class")
        running = whimbrel.start("apply", "--environment", "dev")
        eventually(lambda: postgres.rows("SELECT name FROM whimbrel.migration WHERE state = 'applying'"), "it has begun")
        rounds(server)
        assert drift(server) == (0, 0)
    running.end()
    with cluster.without(postgres.name):
        rounds(server)
        assert drift(server)[0] in (0, 1), "what was known stays"
    server.ring()
    server.phase("current")
    rounds(server)
    assert drift(server) == (0, 0)
    server.end()


def test_what_somebody_else_applied_from_a_newer_commit_is_no_drift(serve, project, sqlite, postgres, whimbrel):
    project.environment("dev", {"shop": sqlite.url})
    project.environment("other", {"shop": postgres.url})
    project.table("0001-people")
    project.commit("People")
    server = serve("--source", f"default={project.folder}@main", "--drift-interval", "200ms")
    server.phase("current")
    server.phase("current", "other")
    project.table("0002-pets")
    project.commit("Pets")
    whimbrel.run("apply", "--environment", "dev")
    rounds(server)
    assert drift(server)[0] in (None, 0)
    server.ring()
    server.phase("current", "other")
    eventually(lambda: drift(server) == (0, 0), "it knows the commit")
    server.end()


def test_who_wants_no_comparisons_gets_none(serve, project, dev):
    project.table("0001-people")
    server = serve("--drift-interval", "0s")
    server.phase("current")
    assert drift(server) == (None, None)
    server.end()
