"""The operator when something dies: itself, the API server, an object in the middle of a run. History right, status right,
no human."""

import time

import pytest
from support.prometheus import value
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


def right(namespace, target, applied=3):
    """Everything is done once, and said so."""
    for name in ("0001-people", "0002-fill", "0003-orders"):
        namespace.until("Migration", name, "Succeeded")
    status = namespace.until("Environment", "dev", "Ready")["status"]
    assert (status["applied"], status["pending"], status["failed"]) == (applied, 0, 0)
    assert target.rows("SELECT touched, count(*) FROM people GROUP BY touched") == [(1, ROWS)]
    assert target.tables() == {"people", "orders"}


@pytest.fixture
def everything(namespace, postgres, operate):
    """An environment whose migrations pass every point at which a run can be killed; starts operators of it."""
    database = {"url": str(postgres.url)} | postgres.url.references
    namespace.apply("Environment", "dev", {"databases": {"shop": database}, "policy": {"apply": "Auto", "lockWait": "5s"}})
    index = [{"sql": "CREATE INDEX CONCURRENTLY people_by_touched ON people (touched)"}]
    quick = [{"uses": "backfill", "with": FILL[0]["with"] | {"pause": "0ms", "batchSize": 1000}}]
    for name, steps in (("0001-people", PEOPLE), ("0002-fill", quick), ("0003-orders", ORDERS), ("0004-index", index)):
        namespace.apply("Migration", name, {"environmentRef": {"name": "dev"}, "steps": steps})

    def start(**variables):
        return operate("--local-secrets", **variables)
    return start


@pytest.mark.parametrize("point", [
    "lock.before", "lock.after", "begin.before", "begin.after", "statement.before", "statement.after", "record.before",
    "record.after", "fence.before", "fence.after", "commit.before", "commit.sent", "commit.after", "commit.after:4",
    "checkpoint.before", "checkpoint.after", "outside.before", "outside.after", "unlock.before", "unlock.after",
])
def test_killed_at_each_point_of_a_run(namespace, everything, postgres, point):
    operator = everything(WHIMBREL_CRASH_POINT=point)
    eventually(lambda: operator.running.process.poll() is not None, "it is killed")
    operator.running.end(code=-9)
    everything()
    right(namespace, postgres, applied=4)


@pytest.mark.parametrize("point", ["operator.write.before", "operator.write.after"])
def test_killed_at_each_write_to_the_api_server(kubernetes, operate_in, sqlite, point):
    """An approval, two migrations and a deletion, with the operator killed at its first write, its second one, and so on."""
    killed = 0
    for number in range(1, 100):
        namespace = kubernetes.namespace()
        sqlite.file.unlink(missing_ok=True)
        first = operate_in(namespace, WHIMBREL_CRASH_POINT=f"{point}:{number}")
        operators = [first]

        def alive():
            """Whoever is killed is started again, as a Deployment does."""
            if operators[-1].running.process.poll() is not None:
                operators[-1].running.end(code=-9)
                operators.append(operate_in(namespace))
            return True

        def seen(kind, name, type, status="True", reason=None):
            one = alive() and namespace.condition(kind, name, type)
            return one and one["status"] == status and reason in (None, one["reason"]) and namespace.get(kind, name)

        namespace.apply("Environment", "dev", {
            "databases": {"shop": {"url": f"sqlite:{sqlite.file}"}}, "policy": {"lockWait": "2s"}})
        namespace.apply("Migration", "0001-people", {"environmentRef": {"name": "dev"}, "steps": PEOPLE})
        namespace.apply("Migration", "0002-orders", {"environmentRef": {"name": "dev"}, "steps": ORDERS})
        plan = eventually(lambda: (found := seen("Environment", "dev", "Ready", "False", "ApprovalRequired"))
                          and found["status"]["pending"] == 2 and found["status"]["plan"], "it waits")
        namespace.apply("Approval", "yes", {"environmentRef": {"name": "dev"}, "plan": plan, "approver": "ann"})
        for kind, name, type in (("Approval", "yes", "Succeeded"), ("Migration", "0001-people", "Succeeded"),
                                 ("Migration", "0002-orders", "Succeeded"), ("Environment", "dev", "Ready")):
            eventually(lambda: seen(kind, name, type), f"{kind} {name}")  # noqa: B023
        assert sqlite.rows("SELECT count(*) FROM people") == [(ROWS,)]
        namespace.delete("Environment", "dev")
        eventually(lambda: alive() and namespace.get("Environment", "dev") is None, "it is let go")
        operators[-1].kill()
        if len(operators) == 1:
            break
        killed += 1
    assert 10 < killed < 90


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


def test_a_watch_that_hears_nothing_is_a_reason_to_start_again(namespace, kubernetes, operate, sqlite):
    """In a namespace where nothing happens, watches are renewed, which is enough; an open connection isn't."""
    namespace.apply("Environment", "dev", {"databases": {"shop": {"url": f"sqlite:{sqlite.file}"}}})
    operator = operate("--watch-timeout", "2s")
    namespace.until("Environment", "dev", "Ready")
    last = {}

    def heard():
        """Whether each watch has heard something since."""
        text = operator.get("/metrics")[1]
        now = {kind: value(text, "whimbrel_watch_last_event_timestamp_seconds", kind=kind)
               for kind in ("GitSource", "Environment", "Migration", "Approval")}
        if None in now.values() or (last and any(now[kind] <= last[kind] for kind in now)):
            return False
        last.update(now)
        return True
    for _ in range(5):
        eventually(heard, "every watch is renewed", within=15)
        assert operator.get("/healthz") == (200, "ok\n")
    kubernetes.freeze()
    try:
        _, said = eventually(lambda: (answer := operator.get("/healthz"))[0] == 503 and answer, "it counts as dead")
        assert "watch of" in said
        assert operator.get("/readyz")[0] == 200
    finally:
        kubernetes.thaw()
    eventually(lambda: operator.get("/healthz")[0] == 200, "it hears again", within=90)


def test_an_environment_is_deleted_in_the_middle_of_a_run(namespace, operate, filling):
    """The run comes to a safe point, what is applied stays, and the object is gone soon."""
    slow = [{"uses": "backfill", "with": FILL[0]["with"] | {"pause": "300ms"}}]
    namespace.apply("Migration", "0002-fill", {"environmentRef": {"name": "dev"}, "steps": slow})
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


def test_a_statement_that_hangs_holds_no_object_up(namespace, operate, postgres):
    """It is cancelled after a bounded time, and so is what it was part of."""
    operate("--local-secrets", "--release-within", "2s")
    database = {"url": str(postgres.url)} | postgres.url.references
    namespace.apply("Environment", "dev", {"databases": {"shop": database}, "policy": {"apply": "Auto"}})
    namespace.apply("Migration", "0001-orders", {"environmentRef": {"name": "dev"}, "steps": [*ORDERS, {"sql": "SELECT pg_sleep(600)"}]})

    def sleeping():
        return postgres.rows("SELECT pid FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(600)%' "
                             "AND datname = current_database() AND pid <> pg_backend_pid()")
    eventually(sleeping, "it hangs")
    namespace.delete("Environment", "dev")
    eventually(lambda: namespace.get("Environment", "dev") is None, "it is let go", within=30)
    eventually(lambda: sleeping() == [], "its session has ended")
    assert postgres.rows("SELECT kind FROM whimbrel.event WHERE kind = 'applied'") == []
    assert postgres.tables() == set()


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
