"""What was measured of an object goes with it."""

import pytest
from support.hostile import hostile
from support.prometheus import lint, samples, value
from support.target import SqliteTarget
from support.waiting import eventually

# What a database has when a migration of it has failed and a plugin has measured.
OF_A_DATABASE = {
    "whimbrel_migrations", "whimbrel_migration_failed", "whimbrel_rows_total", "whimbrel_custom_words",
    "whimbrel_custom_deeds_0_total", "whimbrel_custom_depth", "whimbrel_custom_size_bucket", "whimbrel_custom_size_count",
    "whimbrel_custom_size_sum",
}


def text(server):
    """What it shows."""
    return server.get("/metrics").body


def of(server, label, word):
    """The names of the metrics that have a series in which a label holds a word."""
    return {name for name, found in samples(text(server)).items() if any(word in labels.get(label, "") for labels, _ in found)}


def measured(project, database):
    """Migrations of a database that measure, and one that fails."""
    project.migration(f"0001-{database}", "CREATE TABLE words (id bigint)", database=database,
                      metrics=[{"name": "words", "query": "SELECT count(*) FROM words", "type": "gauge"}])
    project.migration(f"0002-{database}", {"uses": "hostile", "with": {"do": "nothing", "measure": 1}}, database=database)
    project.migration(f"0003-{database}", "INSERT INTO nowhere VALUES (1)", database=database)


@pytest.fixture
def declared(project):
    """The project's plugin measures."""
    hostile(project, '{"id":"x","version":"1","needs":["metrics"]}')


def test_of_a_database(serve, project, declared):
    shop, crm = ({"url": f"sqlite:var/{name}.db"} for name in ("shop", "crm"))
    project.environment("dev", {"shop": shop, "crm": crm})
    for database in ("shop", "crm"):
        measured(project, database)
    server = serve()
    run = server.phase("failed")["lastRun"]
    for database in ("shop", "crm"):
        assert of(server, "database", database) == OF_A_DATABASE
    project.environment("dev", {"shop": shop})
    for number in (1, 2, 3):
        project.remove(f"migrations/000{number}-crm.yaml")
    server.ring()
    eventually(lambda: not of(server, "database", "crm"), "nothing is left of `crm`")
    # Without `crm` it is another plan, which is run: while its migration runs again, that hasn't failed.
    eventually(lambda: server.environment()["lastRun"] != run, "what is left runs again")
    server.phase("failed")
    assert of(server, "database", "shop") == OF_A_DATABASE and not of(server, "database", "crm")
    # It is shown again when it is there again, whatever its history says.
    project.environment("dev", {"shop": shop, "crm": crm})
    server.ring()
    eventually(lambda: of(server, "database", "crm") == {"whimbrel_migrations", "whimbrel_migration_failed"}, "`crm` is back")


def test_of_a_tenant(serve, project, declared):
    control = SqliteTarget(project, "control")
    control.execute("CREATE TABLE tenants (name text); INSERT INTO tenants VALUES ('red'), ('green')")
    each = {"query": "SELECT name FROM tenants ORDER BY name", "of": "control"}
    project.environment("dev", {"control": control.url, "shop": {"url": "sqlite:var/${name}.db", "forEach": each}})
    measured(project, "shop")
    server = serve()
    server.phase("failed")
    for tenant in ("red", "green"):
        assert of(server, "database", tenant) == OF_A_DATABASE
    # One that can't be read is there all the same.
    (project.folder / "var/red.db").rename(project.folder / "var/away")
    (project.folder / "var/red.db").mkdir()
    control.execute("DELETE FROM tenants WHERE name = 'green'")
    server.ring()
    eventually(lambda: not of(server, "database", "green"), "nothing is left of `green`")
    assert of(server, "database", "red") == OF_A_DATABASE


@pytest.mark.parametrize("comes_back", [False, True])
def test_of_an_environment_that_goes_in_the_middle_of_a_run(serve, project, sqlite, postgres, cluster, comes_back):
    project.environment("dev", {"shop": sqlite.url})
    project.environment("prod", {"shop": postgres.url}, policy={"lockWait": "1m"})
    for target in (sqlite, postgres):
        target.execute("CREATE TABLE gate (id bigint)")
    project.migration("0001-wait", "INSERT INTO gate VALUES (1)")
    with cluster.connect(postgres.name) as keeper:
        keeper.execute("BEGIN; LOCK TABLE gate")
        server = serve()
        waiting = f"SELECT 1 FROM pg_stat_activity WHERE datname = '{postgres.name}' AND wait_event_type = 'Lock'"
        eventually(lambda: postgres.rows(waiting), "it is in the middle of it")
        run = postgres.rows("SELECT run FROM whimbrel.lock")[0][0]
        document = project.folder / "environments/prod.yaml"
        kept = document.read_text()
        document.unlink()
        server.ring()
        gone = lambda: server.get("/v1/environments/prod", status=None).status == 404  # noqa: E731
        eventually(gone, "nobody keeps it")
        if comes_back:
            document.write_text(kept)
            server.ring()
            # Its own run waits for the one that still goes on.
            server.phase("applying", "prod")
        keeper.execute("ROLLBACK")
    state = lambda: server.get(f"/v1/runs/{run}").json()["state"]  # noqa: E731
    eventually(lambda: state() == "finished", "the run ends")
    assert postgres.rows("SELECT id FROM gate") == [(1,)]
    if comes_back:
        server.phase("current", "prod")
        assert value(text(server), "whimbrel_migrations", environment="prod", state="applied") == 1
        assert value(text(server), "whimbrel_runs_total", environment="prod", result="succeeded") == 2
    else:
        eventually(lambda: not of(server, "environment", "prod"), "nothing is left of `prod`")
    server.phase("current")
    assert value(text(server), "whimbrel_migrations", environment="dev", state="applied") == 1


def test_who_asks_for_another_plan_changes_nothing_that_is_measured(serve, project, sqlite):
    project.environment("dev", {"shop": sqlite.url})
    project.table("0001-people")
    server = serve()
    server.phase("current")
    project.environment("dev", {"shop": sqlite.url}, policy={"apply": "Approve"})
    project.table("0002-orders")
    server.ring()
    server.phase("waiting")
    pending = lambda: value(text(server), "whimbrel_migrations", environment="dev", state="pending")  # noqa: E731
    assert pending() == 1
    assert "0001-people" in server.get("/v1/environments/dev/plan?revert=0001-people").body
    assert pending() == 1


def test_of_an_environment_of_a_cluster(namespace, operate, sqlite):
    operator = operate()
    namespace.apply("Environment", "dev", {"databases": {"shop": {"url": f"sqlite:{sqlite.file}"}}, "policy": {"apply": "Auto"}})
    namespace.apply("Migration", "0001-people", {
        "environmentRef": {"name": "dev"}, "steps": [{"sql": "CREATE TABLE people (id integer)"}]})
    namespace.until("Migration", "0001-people", "Succeeded")
    namespace.until("Environment", "dev", "Ready")
    shown = operator.get("/metrics")[1]
    assert lint(shown) == ""
    of_it = {"environment": "dev", "environment_namespace": namespace.name}
    assert value(shown, "whimbrel_migrations", **of_it, state="applied") == 1
    assert value(shown, "whimbrel_runs_total", **of_it, result="succeeded") == 1
    assert value(shown, "whimbrel_build_info", environment_namespace=namespace.name) is None
    namespace.delete("Environment", "dev")
    eventually(lambda: 'environment="dev"' not in operator.get("/metrics")[1], "nothing is left of `dev`")
    operator.end()
