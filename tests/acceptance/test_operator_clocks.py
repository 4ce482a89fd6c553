"""Replicas whose clocks differ by days: one that lives in yesterday, and one that lives in tomorrow."""

import datetime

import pytest
from support.clock import off
from support.replicas import Replicas
from support.waiting import eventually
from test_operator_failures import FILL, ROWS, filling, in_the_middle, right, touched  # noqa: F401
from test_operator_leases import applied, table

LEASE = "whimbrel-operator-shard-0-of-1"
HOURS = {"behind": -30, "ahead": 30}


@pytest.fixture
def slow(namespace, filling):  # noqa: F811
    """An environment with a migration that takes ten seconds."""
    steps = [{"uses": "backfill", "with": FILL[0]["with"] | {"pause": "500ms"}}]
    namespace.apply("Migration", "0002-fill", {"environmentRef": {"name": "dev"}, "steps": steps})
    return filling


@pytest.fixture
def replicas(namespace, operate, tmp_path):
    """Replicas by their clocks."""
    clocks = {name: off(hours, tmp_path) for name, hours in HOURS.items()}

    def start(*arguments, POD_NAME, **variables):
        return operate(*arguments, POD_NAME=POD_NAME, **variables, **clocks[POD_NAME])
    return Replicas(start, namespace, shards=1)


def spec(namespace):
    """What the Lease of the shard says."""
    return namespace.get("Lease", LEASE)["spec"]


def keeps(namespace, replicas, name, renewals=4):
    """Looks on while a replica renews its Lease, for longer than the Lease is valid, by its own clock: it stays the only one who
    has held it since."""
    def renewed():
        renewed = spec(namespace)
        assert (renewed["holderIdentity"], renewed["leaseTransitions"]) == (name, before["leaseTransitions"])
        return renewed["renewTime"]
    before = spec(namespace)
    last = before["renewTime"]
    for _ in range(renewals):
        last = eventually(lambda: (now := renewed()) != last and now, "it is renewed")  # noqa: B023
    assert before["leaseDurationSeconds"] <= 3
    differs = datetime.datetime.fromisoformat(last) - datetime.datetime.now(datetime.UTC)
    assert abs(differs - datetime.timedelta(hours=HOURS[name])) < datetime.timedelta(minutes=5), "its clock is what it should be"
    return replicas.holders()


def test_whoever_is_there_keeps_what_it_has_and_whoever_is_gone_is_followed(namespace, replicas, slow):
    """To the one that is ahead, the other one's Lease has long ended; to the other one, that one's ends in days. And to the API
    server's clock, neither is right."""
    first, second = HOURS
    replicas.start(first)
    replicas.until_shared(first)
    replicas.start(second)
    eventually(lambda: replicas.running[second].get("/readyz")[0] == 200, "it is ready")
    in_the_middle(slow)
    assert keeps(namespace, replicas, first) == [first]
    assert touched(slow) < ROWS
    replicas.kill(first)
    eventually(lambda: replicas.holders() == [second], "it is followed")
    assert touched(slow) < ROWS, "in the middle of the run"
    # Whoever comes back waits for its turn.
    replicas.start(first)
    assert keeps(namespace, replicas, second) == [second]
    right(namespace, slow)
    actors = {"0001-people": first, "0002-fill": second, "0003-orders": second}
    assert applied(slow) == actors
    namespace.apply("Migration", "0004-late", {"environmentRef": {"name": "dev"}, "steps": table("late")})
    namespace.until("Migration", "0004-late", "Succeeded")
    replicas.kill(second)
    eventually(lambda: replicas.holders() == [first], "it is followed again")
    namespace.apply("Migration", "0005-later", {"environmentRef": {"name": "dev"}, "steps": table("later")})
    namespace.until("Migration", "0005-later", "Succeeded")
    assert applied(slow) == actors | {"0004-late": second, "0005-later": first}
    assert slow.rows("SELECT touched, count(*) FROM people GROUP BY touched") == [(1, ROWS)]
