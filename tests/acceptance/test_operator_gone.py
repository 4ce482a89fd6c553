"""What a run goes by is deleted in its middle, an `Approval` or a `GitSource`: the run comes to its end all the same. It is held
at a lock of its database meanwhile, so that there is a middle for as long as it takes."""

import pytest
from support.kubernetes_sources import Followed, told
from support.prometheus import value
from support.waiting import eventually
from test_operator_failures import FILL, ORDERS, PEOPLE, ROWS, in_the_middle, right, touched

MIGRATIONS = {"0001-people": PEOPLE, "0002-fill": FILL, "0003-orders": ORDERS}
POLICY = {"lockWait": "5s", "lockTimeout": "60s"}


def runs(target):
    """How many runs have applied what is applied."""
    [(count,)] = target.rows(f"SELECT count(DISTINCT run) FROM {target.history}migration")
    return count


def measured(operator, name, **labels):
    """What an operator shows of a metric; none if it shows nothing."""
    return value(operator.get("/metrics")[1], name, **labels)


@pytest.mark.parametrize("who", ["the same operator", "another operator"])
def test_an_approval_is_deleted_in_the_middle_of_a_run(namespace, operate, postgres, who):
    """What it says stands in the database by then, for whoever goes on."""
    operator = operate("--local-secrets")
    database = {"url": str(postgres.url)} | postgres.url.references
    policy = POLICY | {"apply": "Approve", "approvers": ["ann"]}
    namespace.apply("Environment", "dev", {"databases": {"shop": database}, "policy": policy})
    for name, steps in MIGRATIONS.items():
        namespace.apply("Migration", name, {"environmentRef": {"name": "dev"}, "steps": steps})

    def waits():
        status = namespace.get("Environment", "dev").get("status", {})
        return status.get("pending") == 3 and status.get("plan")
    plan = eventually(waits, "it waits")
    namespace.apply("Approval", "yes", {"environmentRef": {"name": "dev"}, "plan": plan, "approver": "ann"})
    in_the_middle(postgres)
    with postgres.held("people"):
        assert touched(postgres) < ROWS
        heard = lambda: measured(operator, "whimbrel_watch_last_event_timestamp_seconds", kind="Approval")  # noqa: E731
        before = heard()
        namespace.delete("Approval", "yes")
        eventually(lambda: heard() > before, "the operator hears of it")
        if who == "another operator":
            operator.kill()
    if who == "another operator":
        operate("--local-secrets")
    right(namespace, postgres)
    assert namespace.list("Approval") == []
    assert runs(postgres) == (2 if who == "another operator" else 1)


def test_a_source_is_deleted_in_the_middle_of_a_run(namespace, operate, http, served, project, postgres):
    """What it has defined is applied, and stays, and is seen; whoever makes the source again finds nothing left to do."""
    project.environment("live", {"shop": postgres.url}, policy=POLICY)
    for name, steps in MIGRATIONS.items():
        project.migration(name, *steps)
    project.commit("Fill")
    served.push()
    operator = operate("--local-secrets")
    source = Followed(namespace, http, served).begin("live")
    in_the_middle(postgres)
    with postgres.held("people"):
        assert touched(postgres) < ROWS
        namespace.delete("GitSource", "shop")
        eventually(lambda: measured(operator, "whimbrel_sync_lag_seconds", source="shop") is None, "it is known to be gone")
    eventually(lambda: "orders" in postgres.tables(), "the run comes to its end")
    namespace.until("Environment", "live", "Stalled", reason="NoSource")
    assert runs(postgres) == 1

    def everything_is_there():
        status = source.until("live", "Current")
        assert (status["applied"], status["pending"], status["failed"]) == (3, 0, 0)
        assert told(postgres, "applied") == dict.fromkeys(MIGRATIONS, 1)
        assert postgres.rows("SELECT touched, count(*) FROM people GROUP BY touched") == [(1, ROWS)]
        eventually(lambda: source.objects() == {("live", name) for name in MIGRATIONS}, "all are objects")
        for one in namespace.list("Migration"):
            namespace.until("Migration", one["metadata"]["name"], "Succeeded", reason="Applied")
    source.begin()
    everything_is_there()
    # Also while nothing runs.
    shown = lambda: [(one["metadata"]["uid"], one["spec"], one["status"]) for one in namespace.list("Migration")]  # noqa: E731
    before = shown()
    namespace.delete("GitSource", "shop")
    namespace.until("Environment", "live", "Stalled", reason="NoSource")
    namespace.patch("Environment", "live", {"metadata": {"annotations": {"whimbrel.dev/requestedAt": "now"}}})
    eventually(lambda: namespace.get("Environment", "live")["status"].get("lastHandledRequest") == "now", "it has looked")
    assert shown() == before
    source.begin()
    everything_is_there()
