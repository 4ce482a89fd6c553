"""Interrupted: Ctrl-C, kill -9, a stopped process. Whatever dies, every effect is there once."""

import signal

import pytest
from support.product import INTERRUPTED, TERMINATED, eventually

ROWS = 3000


@pytest.fixture
def filling(whimbrel, project, dev):
    """A table and a backfill over it that takes several seconds, a batch at a time."""
    project.migration(
        "0001-people",
        "CREATE TABLE people (id bigint PRIMARY KEY, touched bigint NOT NULL DEFAULT 0)",
        f"INSERT INTO people (id) WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < {ROWS}) "
        "SELECT i FROM c",
    )
    whimbrel.run("apply", "--environment", "dev")
    # Not idempotent: a batch that is done twice shows as touched = 2.
    project.migration("0002-fill", {"uses": "backfill", "with": {
        "table": "people", "key": "id", "set": "touched = touched + 1", "batchSize": 100, "pause": "100ms",
    }})
    project.table("0003-orders")
    return dev


def touched(target):
    """How many rows the backfill has committed."""
    return target.rows("SELECT count(*) FROM people WHERE touched > 0")[0][0]


def begin(whimbrel, target):
    """Starts the backfill and waits until it has committed some of it."""
    run = whimbrel.start("apply", "--environment", "dev")
    eventually(lambda: touched(target) >= 300, "some batches are committed")
    assert touched(target) < ROWS
    return run


def finished_once(whimbrel, target):
    """The rest is done, and nothing twice."""
    whimbrel.run("apply", "--environment", "dev")
    assert target.rows("SELECT touched, count(*) FROM people GROUP BY touched") == [(1, ROWS)]
    assert target.tables() == {"people", "orders"}


def test_kill_9_in_the_middle_of_a_backfill(whimbrel, filling):
    run = begin(whimbrel, filling)
    run.kill()
    run.end(code=-9)
    committed = touched(filling)
    assert committed < ROWS
    finished_once(whimbrel, filling)


def test_kill_9_again_and_again(whimbrel, filling):
    for _ in range(4):
        before = touched(filling)
        run = whimbrel.start("apply", "--environment", "dev")
        eventually(lambda before=before: touched(filling) >= before + 200, "it goes on where it was")
        run.kill()
        run.end(code=-9)
    finished_once(whimbrel, filling)


def test_ctrl_c_stops_at_a_safe_point_and_says_what_is_committed(whimbrel, filling):
    run = begin(whimbrel, filling)
    run.interrupt()
    ended = run.end(code=INTERRUPTED)
    assert "0002-fill" in ended.said
    assert touched(filling) % 100 == 0
    finished_once(whimbrel, filling)


def test_an_orchestrators_signal_does_the_same(whimbrel, filling):
    run = begin(whimbrel, filling)
    run.terminate()
    run.end(code=TERMINATED)
    finished_once(whimbrel, filling)


def test_who_waits_for_the_lock_is_free_to_go(whimbrel, project, filling):
    run = begin(whimbrel, filling)
    run.stop()
    project.environment("dev", {"shop": filling.url}, policy={"lockWait": "10m"})
    waiting = whimbrel.start("apply", "--environment", "dev")
    waiting.follow()
    eventually(lambda: "waiting for the lock" in waiting.said(), "it waits")
    waiting.interrupt()
    eventually(lambda: waiting.process.poll() is not None, "it ends while somebody else has the lock", within=10)
    waiting.end(code=INTERRUPTED)
    run.process.send_signal(signal.SIGCONT)
    run.end()
    finished_once(whimbrel, filling)


def test_what_was_begun_can_be_taken_back(whimbrel, project, filling):
    project.migration("0002-fill", {"uses": "backfill", "with": {
        "table": "people", "key": "id", "set": "touched = touched + 1", "batchSize": 100, "pause": "100ms",
        "revert": "touched = touched - 1",
    }})
    run = begin(whimbrel, filling)
    run.kill()
    run.end(code=-9)
    whimbrel.run("revert", "--environment", "dev", "0002-fill")
    assert filling.rows("SELECT touched, count(*) FROM people GROUP BY touched") == [(0, ROWS)]


def test_a_killed_index_build_is_finished_by_the_next_run(whimbrel, project, postgres):
    project.environment("dev", {"shop": postgres.url}, policy={"lockWait": "60s"})
    project.migration("0001-people", "CREATE TABLE people (id bigint)", "INSERT INTO people VALUES (1)")
    whimbrel.run("apply", "--environment", "dev")
    project.migration("0002-index", "CREATE INDEX CONCURRENTLY people_by_id ON people (id)")
    # A transaction that holds the table keeps the build waiting for as long as the test likes.
    with postgres.cluster.connect(postgres.name) as blocker:
        blocker.execute("BEGIN")
        blocker.execute("INSERT INTO people VALUES (2)")
        run = whimbrel.start("apply", "--environment", "dev")
        eventually(
            lambda: postgres.rows("SELECT count(*) FROM pg_class WHERE relname = 'people_by_id'") == [(1,)],
            "the index is being built",
        )
        run.kill()
        run.end(code=-9)
        blocker.execute("COMMIT")
    whimbrel.run("apply", "--environment", "dev")
    found = postgres.rows("SELECT relname, indisvalid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid "
                          "WHERE indrelid = 'people'::regclass")
    assert found == [("people_by_id", True)]


def test_a_killed_transaction_leaves_nothing(whimbrel, project, postgres):
    project.environment("dev", {"shop": postgres.url}, policy={"lockWait": "60s"})
    project.table("0001-people")
    whimbrel.run("apply", "--environment", "dev")
    project.migration("0002-long", "INSERT INTO people VALUES (1); SELECT pg_sleep(3)")
    run = whimbrel.start("apply", "--environment", "dev")
    eventually(
        lambda: postgres.rows("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(3)%' "
                              "AND pid <> pg_backend_pid()") != [(0,)],
        "the long statement runs",
    )
    run.kill()
    run.end(code=-9)
    assert postgres.rows("SELECT count(*) FROM people") == [(0,)]
    whimbrel.run("apply", "--environment", "dev")
    assert postgres.rows("SELECT count(*) FROM people") == [(1,)]
