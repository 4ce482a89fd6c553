"""Writes of Leases that hang: whoever can't renew begins nothing more, and what it runs is done once, whoever follows it."""

import pytest
from support.replicas import Replicas
from support.waiting import eventually
from test_operator_failures import FILL, ROWS, filling, in_the_middle, right, touched  # noqa: F401


def table(name):
    """The steps of a migration that makes a table."""
    return [{"sql": f"CREATE TABLE {name} (id bigint)"}]


@pytest.fixture
def slow(namespace, filling):  # noqa: F811
    """An environment with a migration that takes longer than a Lease."""
    steps = [{"uses": "backfill", "with": FILL[0]["with"] | {"pause": "500ms"}}]
    namespace.apply("Migration", "0002-fill", {"environmentRef": {"name": "dev"}, "steps": steps})
    return filling


@pytest.fixture
def pair(namespace, api, operate, slow):
    """Two replicas: one is in the middle of a run, and asks by way of the proxy; the other one has a way of its own."""
    replicas = Replicas(operate, namespace, shards=1)
    replicas.start("one")
    replicas.until_shared("one")
    in_the_middle(slow)

    def hang(rule):
        namespace.door = None
        replicas.start("other")
        namespace.apply("Migration", "0004-late", {"environmentRef": {"name": "dev"}, "steps": table("late")})
        assert touched(slow) < ROWS, "the run goes on"
        return rule, replicas
    return hang


def applied(target):
    """Who has applied what."""
    rows = target.rows("SELECT name, actor FROM whimbrel_migration")
    return {name: actor.removesuffix(" (operator)") for name, actor in rows}


def test_writes_that_are_never_answered(namespace, api, pair, slow):
    """They are done, so nobody else takes the Lease; whoever doesn't know it begins nothing."""
    rule, replicas = pair(api.on("write", "/leases").swallow_answer())
    eventually(lambda: "orders" in slow.tables(), "the run comes to its end")
    seen = len(rule.hit)
    eventually(lambda: len(rule.hit) > seen + 3, "it is tried again and again")
    assert replicas.holders() == ["one"]
    assert "late" not in slow.tables()
    assert replicas.running["one"].get("/healthz") == (200, "ok\n")
    api.mend()
    api.cut()
    namespace.until("Migration", "0004-late", "Succeeded")
    slow.execute("DROP TABLE late")
    right(namespace, slow, applied=4)
    assert set(applied(slow).values()) == {"one"}


def test_writes_that_are_done_late(namespace, api, pair, slow):
    """Another one has the Lease by then, and keeps it; the run that goes on is the first one's all the same."""
    rule, replicas = pair(api.on("write", "/leases").slow(7))
    eventually(lambda: replicas.holders() == ["other"], "the other one takes it")
    assert touched(slow) < ROWS
    namespace.until("Migration", "0004-late", "Succeeded")
    eventually(lambda: {one.answered for one in rule.hit} & {404, 409}, "a late one is refused")
    assert replicas.holders() == ["other"]
    assert applied(slow) == {"0001-people": "one", "0002-fill": "one", "0003-orders": "one", "0004-late": "other"}
    # Whoever couldn't write follows in turn, once it can.
    api.mend()
    api.cut()
    replicas.kill("other")
    eventually(lambda: replicas.holders() == ["one"], "the first one has it again")
    namespace.apply("Migration", "0005-later", {"environmentRef": {"name": "dev"}, "steps": table("later")})
    namespace.until("Migration", "0005-later", "Succeeded")
    slow.execute("DROP TABLE late; DROP TABLE later")
    right(namespace, slow, applied=5)
    assert applied(slow)["0005-later"] == "one"
