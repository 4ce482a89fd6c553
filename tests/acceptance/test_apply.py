"""Apply: every migration once, in order, with what surrounds it."""

import pytest
from support.answers import in_state, states
from support.product import DRIFT, FAILED, REFUSED


def test_everything_is_applied_and_then_nothing_is_left(whimbrel, project, dev):
    project.table("0001-people")
    project.table("0002-orders")
    whimbrel.run("apply", "--environment", "dev")
    assert dev.tables() == {"people", "orders"}
    again = whimbrel.run("apply", "--environment", "dev")
    assert "0001-people" not in again.out
    assert in_state(whimbrel.json("status", "--environment", "dev"), "applied") == ["0001-people", "0002-orders"]


def test_all_three_shapes_of_a_migration(whimbrel, project, dev):
    project.table("0001-people")
    project.write("migrations/0002-orders/migration.yaml",
                  "apiVersion: whimbrel.dev/v1alpha1\nkind: Migration\nmetadata: { name: 0002-orders }\n"
                  "spec:\n  steps:\n    - sqlFile: up.sql\n      revertFile: down.sql\n")
    project.write("migrations/0002-orders/up.sql", "CREATE TABLE orders (id bigint);\n")
    project.write("migrations/0002-orders/down.sql", "DROP TABLE orders;\n")
    project.plain("0003-items", "CREATE TABLE items (id bigint);", "DROP TABLE items;", database="shop")
    whimbrel.run("apply", "--environment", "dev")
    assert dev.tables() == {"people", "orders", "items"}
    whimbrel.run("revert", "--environment", "dev", "0003-items", "0002-orders")
    assert dev.tables() == {"people"}


def test_a_failing_migration_leaves_nothing_of_itself_and_stops_those_after_it(whimbrel, project, dev):
    project.table("0001-people")
    project.migration("0002-broken", "CREATE TABLE half (id bigint)", "INSERT INTO nowhere VALUES (1)")
    project.table("0003-orders")
    ended = whimbrel.run("apply", "--environment", "dev", code=FAILED)
    assert "0002-broken" in ended.err
    assert "nowhere" in ended.err
    assert "people" in dev.tables()
    assert "orders" not in dev.tables()
    status = states(whimbrel.json("status", "--environment", "dev"))
    assert status["0001-people"] == "applied"
    assert status["0003-orders"] == "pending"


def test_a_failed_migration_can_be_mended_and_goes_on(whimbrel, project, dev):
    project.migration("0001-people", "CREATE TABLE people (id bigint)", "INSERT INTO nowhere VALUES (1)")
    whimbrel.run("apply", "--environment", "dev", code=FAILED)
    project.migration("0001-people", "CREATE TABLE people (id bigint)", "INSERT INTO people VALUES (1)")
    whimbrel.run("apply", "--environment", "dev")
    assert dev.rows("SELECT id FROM people") == [(1,)]


def test_checks_before_keep_a_migration_from_beginning(whimbrel, project, dev):
    project.table("0001-people")
    project.migration("0002-one", "INSERT INTO people VALUES (1)", checks={
        "before": [{"name": "somebody is there", "query": "SELECT count(*) FROM people", "equals": 1}],
    })
    ended = whimbrel.run("apply", "--environment", "dev", code=FAILED)
    assert "somebody is there" in ended.err
    assert dev.rows("SELECT count(*) FROM people") == [(0,)]


def test_checks_before_are_asked_until_they_hold(whimbrel, project, dev):
    project.table("0001-people")
    project.migration("0002-orders", "CREATE TABLE orders (id bigint)", checks={
        "before": [{"name": "somebody", "query": "SELECT count(*) FROM people", "equals": 1}],
    })
    for _ in range(2):
        whimbrel.run("apply", "--environment", "dev", code=FAILED)
        assert dev.tables() == {"people"}
    dev.execute("INSERT INTO people (id) VALUES (1)")
    whimbrel.run("apply", "--environment", "dev")
    assert dev.tables() == {"people", "orders"}


def test_checks_after_take_the_migration_back(whimbrel, project, dev):
    project.table("0001-people")
    project.migration("0002-one", "INSERT INTO people VALUES (1)", checks={
        "after": [{"name": "two people", "query": "SELECT count(*) FROM people", "equals": 2}],
    })
    ended = whimbrel.run("apply", "--environment", "dev", code=FAILED)
    assert "two people" in ended.err
    assert dev.rows("SELECT count(*) FROM people") == [(0,)]


def test_parameters_are_quoted_and_never_spliced(whimbrel, project, target):
    nasty = "x'); DROP TABLE people; --"
    project.environment("dev", {"shop": target.url}, parameters={"word": nasty, "table": 'odd "name"'})
    project.migration("0001-people", "CREATE TABLE people (word text); INSERT INTO people VALUES (${word:literal})")
    project.migration("0002-odd", "CREATE TABLE ${table} (id bigint)")
    whimbrel.run("apply", "--environment", "dev")
    assert target.rows("SELECT word FROM people") == [(nasty,)]
    assert target.tables() == {"people", 'odd "name"'}


def test_an_unknown_parameter_is_an_error_before_anything_runs(whimbrel, project, dev):
    project.table("0001-people")
    project.migration("0002-odd", "CREATE TABLE ${tabel} (id bigint)")
    ended = whimbrel.run("apply", "--environment", "dev", code=None)
    assert ended.code != 0
    assert "tabel" in ended.err
    assert dev.tables() == set()


def test_an_edited_migration_is_refused(whimbrel, project, dev):
    project.table("0001-people")
    whimbrel.run("apply", "--environment", "dev")
    project.migration("0001-people", "CREATE TABLE people (id bigint, extra text)")
    project.table("0002-orders")
    ended = whimbrel.run("apply", "--environment", "dev", code=DRIFT)
    assert "0001-people" in ended.err
    assert dev.tables() == {"people"}


def test_order_is_kept_unless_the_policy_lets_go(whimbrel, project, dev):
    project.table("0002-orders")
    whimbrel.run("apply", "--environment", "dev")
    project.table("0001-people")
    ended = whimbrel.run("apply", "--environment", "dev", code=REFUSED)
    assert "0001-people" in ended.err
    project.environment("dev", {"shop": dev.url}, policy={"outOfOrder": "Allow"})
    whimbrel.run("apply", "--environment", "dev")
    assert dev.tables() == {"people", "orders"}


def test_within_one_database_names_say_the_order(whimbrel, project, dev):
    project.migration("0001-a", "CREATE TABLE seen AS SELECT count(*) AS n FROM b", dependsOn=["0002-b"])
    project.table("0002-b")
    ended = whimbrel.run("apply", "--environment", "dev", code=None)
    assert ended.code != 0
    assert "0001-a" in ended.err
    assert "0002-b" in ended.err
    assert dev.tables() == set()


def test_a_cycle_is_an_error(whimbrel, project, dev):
    project.migration("0001-a", "SELECT 1", dependsOn=["0002-b"])
    project.migration("0002-b", "SELECT 1", dependsOn=["0001-a"])
    ended = whimbrel.run("apply", "--environment", "dev", code=None)
    assert ended.code != 0
    assert "0001-a" in ended.err
    assert "0002-b" in ended.err


def test_an_index_is_built_without_stopping_writers(whimbrel, project, postgres):
    project.environment("dev", {"shop": postgres.url})
    project.table("0001-people")
    project.migration("0002-index", ("CREATE INDEX CONCURRENTLY people_by_id ON people (id)",
                                     "DROP INDEX CONCURRENTLY people_by_id"))
    whimbrel.run("apply", "--environment", "dev")
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'people_by_id'::regclass"
    assert postgres.rows(valid) == [(True,)]
    whimbrel.run("revert", "--environment", "dev", "0002-index")
    assert postgres.rows("SELECT count(*) FROM pg_class WHERE relname = 'people_by_id'") == [(0,)]


@pytest.mark.parametrize("statement", ["VACUUM people", "ALTER TYPE mood ADD VALUE 'glad'"])
def test_statements_outside_transactions(whimbrel, project, postgres, statement):
    project.environment("dev", {"shop": postgres.url})
    project.migration("0001-people", "CREATE TABLE people (id bigint); CREATE TYPE mood AS ENUM ('sad')")
    project.migration("0002-outside", statement)
    whimbrel.run("apply", "--environment", "dev")
    whimbrel.run("apply", "--environment", "dev")
    status = whimbrel.json("status", "--environment", "dev")
    assert in_state(status, "applied") == ["0001-people", "0002-outside"]


def test_a_sqlite_table_is_rebuilt_without_losing_its_children(whimbrel, project, sqlite):
    project.environment("dev", {"shop": sqlite.url})
    project.migration(
        "0001-people",
        "CREATE TABLE people (id integer PRIMARY KEY);"
        "CREATE TABLE pets (id integer, owner integer REFERENCES people (id) ON DELETE CASCADE);"
        "INSERT INTO people VALUES (1); INSERT INTO pets VALUES (1, 1);",
    )
    project.migration(
        "0002-rebuild",
        "PRAGMA foreign_keys=OFF; CREATE TABLE people_new (id integer PRIMARY KEY, name text);"
        "INSERT INTO people_new (id) SELECT id FROM people; DROP TABLE people;"
        "ALTER TABLE people_new RENAME TO people;",
    )
    whimbrel.run("apply", "--environment", "dev")
    assert sqlite.rows("SELECT count(*) FROM pets") == [(1,)]


def test_backfill_fills_every_row_once(whimbrel, project, dev):
    project.migration(
        "0001-people",
        "CREATE TABLE people (id bigint PRIMARY KEY, n bigint NOT NULL, twice bigint, touched bigint DEFAULT 0)",
        "INSERT INTO people (id, n) WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 5000) "
        "SELECT i, i FROM c",
    )
    project.migration("0002-fill", {"uses": "backfill", "with": {
        "table": "people", "key": "id", "set": "twice = n * 2, touched = touched + 1", "where": "twice IS NULL",
        "batchSize": 700,
    }})
    whimbrel.run("apply", "--environment", "dev")
    assert dev.rows("SELECT count(*) FROM people WHERE twice = n * 2 AND touched = 1") == [(5000,)]


def test_a_plugin_without_its_configuration_is_refused_before_anything_runs(whimbrel, project, dev):
    project.table("0001-people")
    project.migration("0002-fill", {"uses": "backfill", "with": {"tabel": "people"}})
    ended = whimbrel.run("apply", "--environment", "dev", code=None)
    assert ended.code != 0
    assert "0002-fill" in ended.err
    assert dev.tables() == set()


def test_two_at_once_apply_everything_once(whimbrel, project, dev):
    project.migration("0001-log", "CREATE TABLE log (id bigint)")
    for number in range(2, 8):
        project.migration(f"000{number}-entry", f"INSERT INTO log VALUES ({number})")
    runs = [whimbrel.start("apply", "--environment", "dev") for _ in range(3)]
    for run in runs:
        run.end()
    assert dev.rows("SELECT id FROM log ORDER BY id") == [(n,) for n in range(2, 8)]
