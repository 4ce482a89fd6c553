"""Many environments at once in one operator: how many are run, what those cost that wait, and that all are done."""

import pytest
from support.product import USAGE
from support.prometheus import value
from support.target import PostgresTarget
from support.waiting import eventually

DEED = [{"sql": "INSERT INTO deeds SELECT 1 FROM gate"}]


@pytest.fixture
def gated(namespace, cluster):
    """Makes an environment on PostgreSQL whose migration passes only while nobody has its table `gate` locked."""
    def make(name):
        target = PostgresTarget(cluster)
        target.execute("CREATE TABLE gate (id int); INSERT INTO gate VALUES (1); CREATE TABLE deeds (id int)")
        database = {"url": str(target.url)} | target.url.references
        namespace.apply("Environment", name, {"databases": {"shop": database}, "policy": {"apply": "Auto"}})
        namespace.apply("Migration", f"0001-{name}", {"environmentRef": {"name": name}, "steps": DEED})
        return target
    return make


@pytest.fixture
def busy(cluster, gated, operate):
    """An operator that may run one environment at once, and does; gives it, that environment's database, and what opens its
    gate."""
    first = gated("first")
    with cluster.connect(first.name) as keeper:
        keeper.execute("BEGIN; LOCK TABLE gate")
        operator = operate("--local-secrets", "--runs", "1")
        eventually(lambda: waits_for_the_gate(first), "the first one runs")
        yield operator, first, lambda: keeper.execute("ROLLBACK")


def waiting(operator):
    """How many environments wait for their turn."""
    return value(operator.get("/metrics")[1], "whimbrel_queue_depth")


def sessions(target):
    """How many others are connected."""
    [(count,)] = target.rows("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
    return count


def waits_for_the_gate(target):
    """Whether somebody waits for a lock."""
    return target.rows("SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")


def test_only_so_many_run_at_once_and_those_who_wait_are_connected_to_nothing(namespace, busy, gated):
    operator, first, open_gate = busy
    others = {name: gated(name) for name in ("second", "third")}
    eventually(lambda: waiting(operator) == 2, "both others wait")
    eventually(lambda: not any(map(sessions, others.values())), "they are connected to nothing")
    # Who waits is let go at once.
    namespace.delete("Migration", "0001-third")
    namespace.delete("Environment", "third")
    eventually(lambda: namespace.get("Environment", "third") is None, "the third one is gone")
    eventually(lambda: waiting(operator) == 1, "one waits")
    namespace.until("Environment", "second", "Ready", status="False", reason="Waiting")
    open_gate()
    for name in ("first", "second"):
        namespace.until("Environment", name, "Ready")
        namespace.until("Migration", f"0001-{name}", "Succeeded")
    assert first.rows("SELECT * FROM deeds") == others["second"].rows("SELECT * FROM deeds") == [(1,)]
    assert others["third"].rows("SELECT * FROM deeds") == []
    eventually(lambda: waiting(operator) == 0, "nobody waits")


def test_an_operator_that_ends_waits_for_nobody_who_has_not_begun(busy, gated):
    operator, _, open_gate = busy
    second = gated("second")
    eventually(lambda: waiting(operator) == 1, "the second one waits")
    operator.running.terminate()
    open_gate()
    operator.running.end(code=0)
    assert second.rows("SELECT * FROM deeds") == []


@pytest.mark.parametrize("number", ["0", "1001", "many"])
def test_a_number_of_runs_that_cannot_be(outside, number):
    ended = outside.run("operator", "--runs", number, code=USAGE)
    assert "expected a number from 1 to 1000" in ended.err
