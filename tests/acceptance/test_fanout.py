"""Several databases: each its own history, failures kept apart, one logical database fanned out over many."""

import pytest
from support.answers import states
from support.product import FAILED, PARTLY, Whimbrel, eventually
from support.target import PostgresTarget, SqliteTarget


@pytest.fixture
def pair(project, cluster):
    """Two databases, one of each dialect."""
    shop, analytics = SqliteTarget(project), PostgresTarget(cluster)
    project.environment("dev", {"shop": shop.url, "analytics": analytics.url})
    return shop, analytics


def test_each_database_gets_its_own(whimbrel, project, pair):
    shop, analytics = pair
    project.table("0001-people")
    project.migration("0002-facts", "CREATE TABLE facts (id bigint)", database="analytics")
    whimbrel.run("apply", "--environment", "dev")
    assert shop.tables() == {"people"}
    assert analytics.tables() == {"facts"}


def test_one_database_alone(whimbrel, project, pair):
    shop, analytics = pair
    project.table("0001-people")
    project.migration("0002-facts", "CREATE TABLE facts (id bigint)", database="analytics")
    whimbrel.run("apply", "--environment", "dev", "--database", "analytics")
    assert shop.tables() == set()
    assert analytics.tables() == {"facts"}


def test_a_failure_stays_in_its_database(whimbrel, project, pair):
    shop, analytics = pair
    project.migration("0001-broken", "INSERT INTO nowhere VALUES (1)")
    project.migration("0002-facts", "CREATE TABLE facts (id bigint)", database="analytics")
    ended = whimbrel.run("apply", "--environment", "dev", code=PARTLY)
    assert "0001-broken" in ended.err
    assert analytics.tables() == {"facts"}
    assert shop.tables() == set()


@pytest.fixture
def half(project):
    """A database that is well, after one by name that is none."""
    broken, shop = SqliteTarget(project, "broken"), SqliteTarget(project)
    broken.file.write_text("This was a database once.\n")
    project.environment("dev", {"broken": broken.url, "shop": shop.url})
    project.table("0001-people")
    return shop


def test_nothing_is_up_to_date_where_something_can_not_be_read(whimbrel, half):
    whimbrel.run("apply", "--environment", "dev", code=PARTLY)
    assert half.tables() == {"people"}
    ended = whimbrel.run("apply", "--environment", "dev", code=FAILED)
    assert "up to date" not in ended.out and "not every database could be read" in ended.out
    assert "error: broken: the history can't be read" in ended.err
    assert whimbrel.run("apply", "--environment", "dev", "--format", "json", code=FAILED).json()["result"] == "failed"


@pytest.mark.parametrize("command", ["unlock", "adopt", "baseline"])
def test_a_database_that_fails_is_named_and_keeps_nothing_from_the_others(whimbrel, half, command):
    ended = whimbrel.run(command, "--environment", "dev", code=PARTLY)
    assert ended.out.startswith("shop: "), ended
    assert "error: broken: file is not a database" in ended.err


def test_depends_on_waits_across_databases(whimbrel, project, pair):
    shop, analytics = pair
    project.migration("0002-people", "CREATE TABLE people (id bigint)")
    project.migration("0001-facts", "CREATE TABLE facts (id bigint)", database="analytics", dependsOn=["0002-people"])
    whimbrel.run("apply", "--environment", "dev")
    assert shop.tables() == {"people"}
    assert analytics.tables() == {"facts"}


def test_what_depends_on_a_failure_is_not_begun(whimbrel, project, pair):
    _, analytics = pair
    project.migration("0001-broken", "INSERT INTO nowhere VALUES (1)")
    project.migration("0002-facts", "CREATE TABLE facts (id bigint)", database="analytics", dependsOn=["0001-broken"])
    ended = whimbrel.run("apply", "--environment", "dev", code=None)
    assert ended.code in (1, 8), ended
    assert analytics.tables() == set()


@pytest.fixture
def tenants(project, binary):
    """A control database that lists three tenants, and the environment that fans out over them."""
    control = SqliteTarget(project, "control")
    control.execute("CREATE TABLE tenants (name text); INSERT INTO tenants VALUES ('red'), ('green'), ('blue and so on')")
    project.declare(defaults={})
    project.environment("dev", {
        "control": control.url,
        "tenants": {
            "url": "sqlite:var/${name}.db",
            "forEach": {"query": "SELECT name FROM tenants ORDER BY name", "of": "control"},
        },
    })
    names = ["red", "green", "blue and so on"]
    return {name: SqliteTarget(project, name) for name in names}


def test_for_each_brings_every_target_to_the_same_state(whimbrel, project, tenants):
    project.migration("0001-people", "CREATE TABLE people (id bigint)", database="tenants")
    whimbrel.run("apply", "--environment", "dev")
    written = {path.name for path in (project.folder / "var").glob("*.db")}
    assert len(written) == 4, written
    for name in ("red", "green"):
        assert tenants[name].tables() == {"people"}


def test_a_new_tenant_is_caught_up(whimbrel, project, tenants):
    project.migration("0001-people", "CREATE TABLE people (id bigint)", database="tenants")
    whimbrel.run("apply", "--environment", "dev")
    SqliteTarget(project, "control").execute("INSERT INTO tenants VALUES ('late')")
    whimbrel.run("apply", "--environment", "dev")
    assert SqliteTarget(project, "late").tables() == {"people"}


def test_a_broken_tenant_does_not_stop_the_others(whimbrel, project, tenants):
    tenants["green"].execute("CREATE TABLE people (already text)")
    project.migration("0001-people", "CREATE TABLE people (id bigint)", database="tenants")
    ended = whimbrel.run("apply", "--environment", "dev", code=PARTLY)
    assert "green" in ended.err
    assert tenants["red"].tables() == {"people"}
    status = whimbrel.json("status", "--environment", "dev", code=None)
    by_target = {target["target"]: states({"targets": [target]}) for target in status["targets"]}
    assert sorted(state.get("0001-people", "") for state in by_target.values() if state) == [
        "applied", "applied", "failed",
    ]


def test_many_databases_of_one_server(binary, project, cluster):
    whimbrel = Whimbrel(binary, project.folder)
    targets = [PostgresTarget(cluster) for _ in range(12)]
    project.declare(defaults={})
    project.environment("dev", {f"db{n}": target.url for n, target in enumerate(targets)},
                        policy={"concurrency": 12, "perServer": 3})
    for number in range(len(targets)):
        project.migration(f"{number:04}-people", "CREATE TABLE people (id bigint)", database=f"db{number}")
    whimbrel.run("apply", "--environment", "dev")
    assert all(target.tables() == {"people"} for target in targets)


def test_a_run_has_one_heartbeat_for_each_server(whimbrel, project, cluster):
    shop, analytics = PostgresTarget(cluster), PostgresTarget(cluster)
    project.environment("dev", {"shop": shop.url, "analytics": analytics.url}, policy={"lockWait": "1s"})
    project.migration("0001-long", "SELECT pg_sleep(8)")
    project.migration("0002-long", "SELECT pg_sleep(8)", database="analytics")
    run = whimbrel.start("apply", "--environment", "dev")
    beats = ("SELECT a.pid, a.application_name, count(k.*) FROM pg_stat_activity a LEFT JOIN pg_locks k ON k.pid = a.pid "
             "AND k.locktype = 'advisory' WHERE a.application_name LIKE 'whimbrel heartbeat%' GROUP BY 1, 2")
    seen = set()

    def both():
        now = shop.rows(beats)
        assert len(now) <= 1, now
        seen.update(now)
        return [beating for _, _, beating in now] == [2]

    eventually(both, "one connection beats for both databases")
    first = max(name for _, name, _ in seen)
    eventually(lambda: both() and first not in [name for _, name, _ in shop.rows(beats)], "it goes on")
    for command in ("unlock", "apply"):
        ended = whimbrel.run(command, "--environment", "dev", code=None)
        assert ended.code != 0 and "holds the lock" in ended.said, ended
    run.end()
    assert shop.rows(beats) == []
    assert {pid for pid, _, _ in seen} == {min(pid for pid, _, _ in seen)}
