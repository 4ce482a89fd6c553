"""The operator when something dies: itself, the API server, an object in the middle of a run. History right, status right,
no human."""

import time

import pytest
from support.waiting import eventually

ROWS = 2000
PEOPLE = [
    {"sql": "CREATE TABLE people (id bigint PRIMARY KEY, touched bigint NOT NULL DEFAULT 0)"},
    {"sql": f"INSERT INTO people (id) WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < {ROWS}) "
            "SELECT i FROM c"},
]
# Not idempotent: a batch that is done twice shows as touched = 2.
FILL = [{"uses": "backfill", "with": {
    "table": "people", "key": "id", "set": "touched = touched + 1", "batchSize": 100, "pause": "100ms"}}]
ORDERS = [{"sql": "CREATE TABLE orders (id bigint)"}]


@pytest.fixture
def filling(namespace, sqlite):
    """An environment with a migration that takes two seconds."""
    namespace.apply("Environment", "dev", {
        "databases": {"shop": {"url": f"sqlite:{sqlite.file}"}}, "policy": {"apply": "Auto", "lockWait": "1s"}})
    for name, steps in (("0001-people", PEOPLE), ("0002-fill", FILL), ("0003-orders", ORDERS)):
        namespace.apply("Migration", name, {"environmentRef": {"name": "dev"}, "steps": steps})
    return sqlite


def touched(target):
    """How many rows the backfill has committed."""
    if "people" not in target.tables():
        return 0
    return target.rows("SELECT count(*) FROM people WHERE touched > 0")[0][0]


def in_the_middle(target, more=300):
    """Waits until some more of it is committed."""
    before = touched(target)
    eventually(lambda: touched(target) >= min(before + more, ROWS), "some batches are committed")


def right(namespace, target):
    """Everything is done once, and said so."""
    for name in ("0001-people", "0002-fill", "0003-orders"):
        namespace.until("Migration", name, "Succeeded")
    status = namespace.until("Environment", "dev", "Ready")["status"]
    assert (status["applied"], status["pending"], status["failed"]) == (3, 0, 0)
    assert target.rows("SELECT touched, count(*) FROM people GROUP BY touched") == [(1, ROWS)]
    assert target.tables() == {"people", "orders"}


def test_killed_again_and_again_in_the_middle_of_a_run(namespace, operate, filling):
    for _ in range(4):
        operator = operate()
        in_the_middle(filling, more=200)
        operator.kill()
    operate()
    right(namespace, filling)


def test_the_api_server_is_gone_in_the_middle_of_a_run(namespace, kubernetes, operate, filling):
    operate()
    in_the_middle(filling)
    kubernetes.kill()
    try:
        # Without it, the run comes to its end.
        eventually(lambda: "orders" in filling.tables(), "the run ends")
        time.sleep(2)
    finally:
        kubernetes.start()
    right(namespace, filling)


def test_the_operator_starts_while_the_api_server_is_gone(namespace, kubernetes, operate, filling):
    kubernetes.kill()
    try:
        operator = operate()
        assert operator.get("/readyz")[0] == 503
        time.sleep(1)
    finally:
        kubernetes.start()
    right(namespace, filling)
    assert operator.get("/readyz")[0] == 200


def test_an_environment_is_deleted_in_the_middle_of_a_run(namespace, operate, filling):
    """The run comes to a safe point, what is applied stays, and the object is gone soon."""
    operate()
    in_the_middle(filling)
    namespace.delete("Environment", "dev")
    eventually(lambda: namespace.get("Environment", "dev") is None, "it is let go", within=20)
    committed = touched(filling)
    assert 0 < committed < ROWS and committed % 100 == 0
    time.sleep(1)
    assert touched(filling) == committed
    assert "people" in filling.tables()
    # Whoever makes it again goes on where it was.
    namespace.apply("Environment", "dev", {
        "databases": {"shop": {"url": f"sqlite:{filling.file}"}}, "policy": {"apply": "Auto", "lockWait": "1s"}})
    right(namespace, filling)


def test_a_database_that_is_away_holds_no_object_up(namespace, operate, cluster, postgres):
    operate()
    url = f"postgres://nobody@localhost/{postgres.name}?host={cluster.folder}/nowhere"
    namespace.apply("Environment", "dev", {"databases": {"shop": {"url": url}}, "policy": {"apply": "Auto"}})
    namespace.until("Environment", "dev", "Reconciling", reason="Unavailable")
    namespace.delete("Environment", "dev")
    eventually(lambda: namespace.get("Environment", "dev") is None, "it is let go", within=20)


def test_an_orchestrators_end_comes_to_a_safe_point(namespace, operate, filling):
    operator = operate()
    in_the_middle(filling)
    operator.end()
    committed = touched(filling)
    assert committed < ROWS and committed % 100 == 0
    operate()
    right(namespace, filling)


def test_two_operators_of_one_namespace_do_everything_once(namespace, operate, filling):
    one, other = operate(), operate()
    right(namespace, filling)
    for operator in (one, other):
        operator.end()


def test_a_lost_status_is_written_anew_from_the_history(namespace, operate, filling):
    operator = operate()
    right(namespace, filling)
    operator.end()
    place = f"/apis/whimbrel.dev/v1alpha1/namespaces/{namespace.name}"
    for kind, name in (("environments", "dev"), ("migrations", "0002-fill")):
        namespace.cluster.call("PATCH", f"{place}/{kind}/{name}/status", {"status": None}, "application/merge-patch+json")
    assert namespace.condition("Migration", "0002-fill", "Succeeded") is None
    runs = filling.rows("SELECT count(DISTINCT run) FROM whimbrel_migration")
    operate()
    right(namespace, filling)
    assert filling.rows("SELECT count(DISTINCT run) FROM whimbrel_migration") == runs
