"""The operator compares what is applied with its definitions now and then, and tells what differs."""

from support.prometheus import value
from support.waiting import eventually


def counted(table):
    """A check that a table has one row."""
    return {"after": [{"name": f"one of {table}", "query": f"SELECT count(*) FROM {table}", "equals": 1}]}


def filled(table):
    """Steps that make such a table."""
    return [{"sql": f"CREATE TABLE {table} (id integer)"}, {"sql": f"INSERT INTO {table} VALUES (1)"}]


def migration(table, *steps):
    """A migration that makes, or only looks at, a table with one row."""
    return {"environmentRef": {"name": "dev"}, "steps": list(steps), "checks": counted(table)}


def environment(target):
    """An environment that applies at once."""
    return {"databases": {"shop": {"url": f"sqlite:{target.file}"}}, "policy": {"apply": "Auto"}}


def drift(operator):
    """What is measured of it."""
    return value(operator.get("/metrics")[1], "whimbrel_drift_objects", environment="dev", database="shop")


def version(namespace):
    """What of the environment's object changes with each write."""
    return namespace.get("Environment", "dev")["metadata"]["resourceVersion"]


def test_what_somebody_changed_by_hand_is_measured_and_told_once(namespace, operate, sqlite):
    operator = operate("--drift-interval", "200ms")
    namespace.apply("Environment", "dev", environment(sqlite))
    namespace.apply("Migration", "0001-people", migration("people", *filled("people")))
    namespace.until("Migration", "0001-people", "Succeeded")
    namespace.until("Environment", "dev", "Ready")
    eventually(lambda: drift(operator) == 0, "nothing differs")
    namespace.told("Environment", "dev", "Current")
    before = version(namespace)
    sqlite.execute("DELETE FROM people")
    eventually(lambda: drift(operator) == 1, "its check fails")
    namespace.told("Environment", "dev", "DriftDetected")
    sqlite.execute("INSERT INTO people VALUES (1)")
    eventually(lambda: drift(operator) == 0, "it is as it was")
    namespace.told("Environment", "dev", "DriftResolved")
    # It is told and no more.
    told = namespace.events("Environment", "dev")
    assert [told[reason] for reason in ("DriftDetected", "DriftResolved")] == [1, 1]
    assert version(namespace) == before
    assert "it isn't as it was applied" in operator.end().err


def test_a_migration_that_stays_applied_without_its_object_is_no_drift(namespace, operate, sqlite):
    operator = operate("--drift-interval", "200ms")
    namespace.apply("Environment", "dev", environment(sqlite))
    namespace.apply("Migration", "0001-people", migration("people", *filled("people")))
    namespace.apply("Migration", "0002-pets", migration("pets", *filled("pets")))
    namespace.apply("Migration", "0003-same-pets", migration("pets", {"sql": "CREATE TABLE more (id integer)"}))
    for name in ("0001-people", "0002-pets", "0003-same-pets"):
        namespace.until("Migration", name, "Succeeded")
    namespace.delete("Migration", "0001-people")
    eventually(lambda: namespace.get("Migration", "0001-people") is None, "its object is gone")
    eventually(lambda: drift(operator) == 0, "nothing differs")
    sqlite.execute("DELETE FROM pets")
    eventually(lambda: drift(operator) == 2, "two checks fail")
    operator.end()


def test_who_wants_no_comparisons_gets_none(namespace, operate, sqlite):
    operator = operate("--drift-interval", "0s", "--resync", "1s")
    namespace.apply("Environment", "dev", environment(sqlite))
    namespace.apply("Migration", "0001-people", migration("people", *filled("people")))
    namespace.until("Migration", "0001-people", "Succeeded")
    # Whoever wanted them would have compared after a look.
    namespace.patch("Environment", "dev", {"metadata": {"annotations": {"whimbrel.dev/requestedAt": "now"}}})
    eventually(lambda: namespace.get("Environment", "dev")["status"].get("lastHandledRequest") == "now", "it has looked")
    assert drift(operator) is None
    operator.end()
