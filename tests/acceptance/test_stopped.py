"""A holder that is stopped, as by a debugger or a suspended machine: two real processes and one database."""

import signal
import time

import pytest
from support.product import LOCKED, OK, eventually

ROWS = 3000

# Not idempotent: a batch that is done twice shows as touched = 2.
FILL = {"table": "people", "key": "id", "set": "touched = touched + 1", "batchSize": 100}

# What the product takes for death: a heartbeat that is silent for so long. The second run needs this and a little more.
SILENCE = 15


@pytest.fixture
def filling(project):
    """A backfill of several seconds whose batches show when they are done twice. Gives the list of runs to be ended."""
    project.migration(
        "0001-people",
        "CREATE TABLE people (id bigint PRIMARY KEY, touched bigint NOT NULL DEFAULT 0)",
        f"INSERT INTO people (id) WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < {ROWS}) "
        "SELECT i FROM c",
    )
    project.migration("0002-fill", {"uses": "backfill", "with": FILL | {"pause": "300ms"}})
    project.table("0003-orders")
    runs = []
    yield runs
    # A test that failed must not leave a stopped process behind.
    for run in runs:
        run.kill()


def touched(target):
    """How many rows the backfill has committed."""
    return target.rows("SELECT count(*) FROM people WHERE touched > 0")[0][0]


def stopped_in_the_middle(whimbrel, target, runs):
    """A run that has committed some batches and is stopped."""
    run = whimbrel.start("apply", "--environment", "dev")
    runs.append(run)
    eventually(lambda: "people" in target.tables() and touched(target) >= 300, "some batches are committed", within=120)
    run.stop()
    # What it had sent before it was stopped may still arrive.
    time.sleep(0.5)
    assert touched(target) < ROWS
    return run


def every_effect_once(target):
    """The whole backfill, no row twice, and what comes after it."""
    assert target.rows("SELECT touched, count(*) FROM people GROUP BY touched") == [(1, ROWS)]
    assert target.tables() == {"people", "orders"}
    events = target.rows(f"SELECT kind, migration, count(*) FROM {target.history}event GROUP BY kind, migration")
    applied = sorted((migration, count) for kind, migration, count in events if kind == "applied")
    assert applied == [("0001-people", 1), ("0002-fill", 1), ("0003-orders", 1)]


def epoch(target):
    """The fencing token."""
    return target.rows(f"SELECT epoch FROM {target.history}lock")[0][0]


def session(target):
    """The session that the row of the lock names, if it still lives."""
    return target.rows(
        "SELECT a.pid FROM whimbrel.lock l JOIN pg_stat_activity a ON a.pid = l.backend_pid "
        "AND extract(epoch FROM a.backend_start)::text = l.backend_start")


def test_a_stopped_holder_is_ended_and_what_it_wakes_up_to_is_fenced(whimbrel, project, postgres, filling):
    project.environment("dev", {"shop": postgres.url}, policy={"lockWait": "60s"})
    first = stopped_in_the_middle(whimbrel, postgres, filling)
    before, first_session = epoch(postgres), session(postgres)
    assert len(first_session) == 1
    begun = time.monotonic()
    second = whimbrel.start("apply", "--environment", "dev")
    eventually(lambda: epoch(postgres) > before, "the second run takes over", within=SILENCE + 30)
    waited = time.monotonic() - begun
    assert waited >= SILENCE, f"it was taken for dead after {waited:.1f} s"
    assert session(postgres) != first_session
    pids = [pid for (pid,) in postgres.rows("SELECT pid FROM pg_stat_activity")]
    assert first_session[0][0] not in pids, "its session is gone before anybody else has the lock"
    # It wakes up while the second is at work, and its next commit finds that it has nothing to commit any more.
    committed = touched(postgres)
    first.process.send_signal(signal.SIGCONT)
    second.end(code=OK)
    woken = first.end(code=None)
    assert committed < ROWS
    every_effect_once(postgres)
    # It may wait for the second and find nothing left to do, but says nothing else.
    assert woken.code == OK, woken
    whimbrel.run("plan", "--environment", "dev", "--detailed-exitcode", code=OK)


def test_a_zombie_that_kept_its_session_is_refused_by_the_fence(whimbrel, project, postgres, filling):
    project.environment("dev", {"shop": postgres.url}, policy={"lockWait": "2s", "lockTimeout": "60s"})
    project.remove("migrations/0002-fill.yaml")
    project.remove("migrations/0003-orders.yaml")
    whimbrel.run("apply", "--environment", "dev")
    project.migration("0002-fill", {"uses": "backfill", "with": FILL})
    project.table("0003-orders")
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%touched%'"
    with postgres.cluster.connect(postgres.name) as blocker:
        blocker.execute("BEGIN")
        blocker.execute("SELECT 1 FROM people WHERE id = 1550 FOR UPDATE")
        first = whimbrel.start("apply", "--environment", "dev")
        filling.append(first)
        waits = "it has begun a batch, and had a look at the fence"
        eventually(lambda: postgres.rows(waiting) == [(1,)], waits, within=120)
        first.stop()
        # As after a failover or a restored dump: somebody else's epoch, and the zombie's session still there.
        postgres.execute("UPDATE whimbrel.lock SET epoch = epoch + 1, run = gen_random_uuid()::text, holder = 'other'")
        blocker.execute("COMMIT")
    first.process.send_signal(signal.SIGCONT)
    ended = first.end(code=LOCKED)
    assert "another run took over" in ended.said, ended
    assert touched(postgres) == 1500, "the batch that it was in must not be committed"
    whimbrel.run("apply", "--environment", "dev")
    every_effect_once(postgres)


def test_a_stopped_holder_keeps_a_file(whimbrel, project, sqlite, filling):
    """On SQLite the lock is the operating system's: a stopped process keeps it, and nobody can prove it dead."""
    project.environment("dev", {"shop": sqlite.url}, policy={"lockWait": "1s"})
    first = stopped_in_the_middle(whimbrel, sqlite, filling)
    before = epoch(sqlite)
    assert "holds the lock" in whimbrel.run("apply", "--environment", "dev", code=LOCKED).err
    assert "holds the lock" in whimbrel.run("unlock", "--environment", "dev", code=LOCKED).err
    ended = whimbrel.run("unlock", "--environment", "dev", "--terminate", "--reason", "stuck", code=LOCKED)
    assert "no database can end" in ended.err
    assert epoch(sqlite) == before
    first.process.send_signal(signal.SIGCONT)
    first.end(code=OK)
    every_effect_once(sqlite)


def test_a_killed_holder_of_a_file_is_gone_at_once(whimbrel, project, sqlite, filling):
    project.environment("dev", {"shop": sqlite.url}, policy={"lockWait": "1s"})
    first = stopped_in_the_middle(whimbrel, sqlite, filling)
    first.kill()
    first.end(code=-9)
    assert "died holding it" in whimbrel.run("unlock", "--environment", "dev").out
    assert "nobody holds it" in whimbrel.run("unlock", "--environment", "dev").out
    whimbrel.run("apply", "--environment", "dev")
    every_effect_once(sqlite)


def test_a_person_ends_a_stopped_holder_without_waiting(whimbrel, project, postgres, filling):
    project.environment("dev", {"shop": postgres.url}, policy={"lockWait": "1s"})
    first = stopped_in_the_middle(whimbrel, postgres, filling)
    whimbrel.run("unlock", "--environment", "dev", code=LOCKED)
    whimbrel.run("unlock", "--environment", "dev", "--terminate", code=64)
    ended = whimbrel.run("unlock", "--environment", "dev", "--terminate", "--reason", "the laptop is shut")
    assert "was ended" in ended.out
    [(actor, details)] = postgres.rows("SELECT actor, details::text FROM whimbrel.event WHERE kind = 'unlocked'")
    assert actor and "the laptop is shut" in details and "terminated" in details
    committed = touched(postgres)
    first.process.send_signal(signal.SIGCONT)
    # It comes back by itself, with the lock and a new epoch, and goes on where it was.
    first.end(code=OK)
    assert committed < ROWS
    every_effect_once(postgres)
    assert "nobody holds it" in whimbrel.run("unlock", "--environment", "dev").out
