"""Several replicas of the operator: each has its share of the environments, and what one leaves another one goes on with."""

import math
import os
import re
import time

import pytest
from support.kubernetes import manifests
from support.prometheus import value
from support.replicas import Replicas
from support.target import PostgresTarget, SqliteTarget
from support.waiting import eventually
from test_operator_failures import FILL, ORDERS, ROWS, filling, in_the_middle, right, touched  # noqa: F401

PEOPLE = [{"sql": "CREATE TABLE people (id integer)"}, {"sql": "INSERT INTO people VALUES (1)"}]
# Twice done, it shows.
MORE = [{"sql": "INSERT INTO people SELECT id + 1 FROM people"}]
MIGRATIONS = {"0001-people": PEOPLE, "0002-more": MORE}
QUEUED = 100


@pytest.fixture
def fleet(namespace, operate):
    """Replicas of the test's namespace."""
    def of(shards, **options):
        return Replicas(operate, namespace, shards, **options)
    return of


@pytest.fixture
def environments(namespace, project, cluster):
    """Makes environments, every second one on PostgreSQL, each with two migrations; gives their databases by their names."""
    def make(count, first=0):
        targets = {}
        for number in range(first, first + count):
            name = f"shop-{number}"
            target = PostgresTarget(cluster) if number % 2 else SqliteTarget(project, name)
            database = {"url": f"sqlite:{target.file}"} if target.dialect == "sqlite" \
                else {"url": str(target.url)} | target.url.references
            namespace.apply("Environment", name, {"databases": {"shop": database}, "policy": {"apply": "Auto"}})
            for migration, steps in MIGRATIONS.items():
                namespace.apply("Migration", f"{migration}-{number}", {"environmentRef": {"name": name}, "steps": steps})
            targets[name] = target
        return targets
    return make


@pytest.fixture
def slow(namespace, filling):  # noqa: F811
    """An environment with a migration that takes longer than a Lease."""
    steps = [{"uses": "backfill", "with": FILL[0]["with"] | {"pause": "300ms"}}]
    namespace.apply("Migration", "0002-fill", {"environmentRef": {"name": "dev"}, "steps": steps})
    return filling


def done_once(namespace, targets, within=120.0):
    """Everything of all environments is done once, and said so."""
    for name, target in targets.items():
        for migration in MIGRATIONS:
            number = name.removeprefix("shop-")
            namespace.until("Migration", f"{migration}-{number}", "Succeeded", within=within)
        status = namespace.until("Environment", name, "Ready")["status"]
        assert (status["applied"], status["pending"], status["failed"]) == (2, 0, 0)
        assert sorted(target.rows("SELECT id FROM people")) == [(1,), (2,)]
        begun = target.rows(f"SELECT count(*) FROM {target.history}migration")
        assert begun == [(len(MIGRATIONS),)]


def actors(target):
    """Who has applied the migrations of a database."""
    rows = target.rows(f"SELECT DISTINCT actor FROM {target.history}migration")
    return {actor.removesuffix(" (operator)") for (actor,) in rows}


@pytest.mark.parametrize("count", [2, 4])
def test_replicas_share_the_environments(namespace, fleet, environments, count):
    names = [f"replica-{number}" for number in range(count)]
    replicas = fleet(4, lease="10s").start(*names)
    replicas.until_shared(*names, within=60)
    # Shares may be held before everything is listed.
    for name in names:
        eventually(lambda: replicas.running[name].get("/readyz") == (200, "ok\n"), "it is ready")  # noqa: B023
    targets = environments(12)
    done_once(namespace, targets)
    for name, target in targets.items():
        assert actors(target) == {replicas.holder(name)}
    assert len(set().union(*map(actors, targets.values()))) == count
    # What one of them shows of an environment, no other one does.
    shown = [re.findall(r'whimbrel_runs_total{environment="([^"]+)"', replicas.running[name].get("/metrics")[1]) for name in names]
    assert sorted(name for some in shown for name in set(some)) == sorted(targets)


def test_a_replica_that_gets_a_shard_back_shows_its_environments_again(namespace, fleet, environments):
    replicas = fleet(1).start("one")
    done_once(namespace, environments(1))

    def applied():
        return value(replicas.running["one"].get("/metrics")[1], "whimbrel_migrations", environment="shop-0", state="applied")

    assert applied() == 2
    replicas.start("other")
    replicas.pause("one")
    eventually(lambda: replicas.holders() == ["other"], "the other one takes it")
    replicas.go_on("one")
    eventually(lambda: applied() is None, "the other one shows them")
    replicas.end("other")
    eventually(lambda: applied() == 2, "it shows them again")


def test_with_one_shard_one_works_and_the_others_are_ready(namespace, fleet, environments):
    replicas = fleet(1, lease="10s").start("first")
    replicas.until_shared("first")
    replicas.start("second")
    eventually(lambda: replicas.running["second"].get("/readyz")[0] == 200, "it is ready")
    targets = environments(3)
    done_once(namespace, targets)
    assert all(actors(target) == {"first"} for target in targets.values())


def test_a_replica_that_is_killed_in_the_middle_of_a_run_is_followed(namespace, fleet, slow):
    replicas = fleet(4).start("one", "other")
    replicas.until_shared("one", "other")
    in_the_middle(slow)
    first = replicas.holder("dev")
    replicas.kill(first)
    assert touched(slow) < ROWS
    second = next(iter(replicas.running))
    replicas.until_shared(second)
    right(namespace, slow)
    assert second in actors(slow)


def test_a_replica_that_was_paused_past_its_lease_begins_nothing(namespace, fleet, environments):
    """It goes on while the other one is paused, too: nobody is there who could tell it, and its own clock is all it has."""
    replicas = fleet(1, lease="6s").start("one")
    replicas.until_shared("one")
    targets = environments(1)
    done_once(namespace, targets)
    replicas.start("other")
    replicas.pause("one")
    eventually(lambda: replicas.holders() == ["other"], "the other one takes it", within=40)
    # Who is paused while it looks at a database keeps what it holds there, and nobody could go on.
    namespace.patch("Environment", "shop-0", {"metadata": {"annotations": {"whimbrel.dev/requestedAt": "now"}}})
    eventually(lambda: namespace.get("Environment", "shop-0")["status"].get("lastHandledRequest") == "now", "it has looked")
    time.sleep(1)
    replicas.pause("other")
    namespace.apply("Migration", "0003-orders", {"environmentRef": {"name": "shop-0"}, "steps": ORDERS})
    # Less than a Lease: nothing is to be had yet.
    until = time.monotonic() + 3
    replicas.go_on("one")
    while time.monotonic() < until:
        assert targets["shop-0"].tables() == {"people"}
        time.sleep(0.05)
    assert replicas.running["one"].get("/healthz")[0] == 200
    # And then it follows the one that follows it.
    namespace.until("Migration", "0003-orders", "Succeeded")
    assert actors(targets["shop-0"]) == {"one"}
    replicas.go_on("other")
    time.sleep(2)
    assert replicas.holders() == ["one"]


def test_a_run_that_was_paused_past_its_lease_comes_to_its_end_and_is_not_done_twice(namespace, fleet, slow):
    replicas = fleet(1).start("one")
    in_the_middle(slow)
    replicas.start("other")
    replicas.pause("one")
    eventually(lambda: replicas.holders() == ["other"], "the other one takes it")
    # The database is still the first one's, whoever holds the Lease.
    time.sleep(2)
    assert touched(slow) < ROWS
    assert namespace.condition("Environment", "dev", "Ready")["status"] == "False"
    replicas.go_on("one")
    right(namespace, slow)
    assert "one" in actors(slow)


def test_lease_writes_that_are_refused_stop_what_is_new_and_nothing_that_runs(namespace, fleet, slow):
    replicas = fleet(1).start("one")
    in_the_middle(slow)
    role = next(document for document in manifests("rbac.yaml") if document["kind"] == "Role")
    role["metadata"]["namespace"] = namespace.name
    role["rules"] = [rule for rule in role["rules"] if "leases" not in rule["resources"]]
    namespace.cluster.apply(role)
    time.sleep(3)
    # Past the time for which it could begin anything.
    in_the_middle(slow)
    namespace.apply("Migration", "0004-late", {"environmentRef": {"name": "dev"}, "steps": [{"sql": "CREATE TABLE late (id bigint)"}]})
    eventually(lambda: "orders" in slow.tables(), "the run comes to its end")
    time.sleep(3)
    assert "late" not in slow.tables()
    assert replicas.running["one"].get("/healthz") == (200, "ok\n")
    namespace.grant()
    namespace.until("Migration", "0004-late", "Succeeded")
    assert slow.rows("SELECT touched, count(*) FROM people GROUP BY touched") == [(1, ROWS)]


def test_clocks_that_are_wrong_decide_nothing(namespace, fleet, environments):
    """A replica whose clock is years behind keeps its shard, and one whose clock is years ahead is followed when it is gone."""
    replicas = fleet(1).start("one")
    replicas.until_shared("one")
    replicas.start("other")
    lease = "whimbrel-operator-shard-0-of-1"
    until = time.monotonic() + 9
    while time.monotonic() < until:
        namespace.patch("Lease", lease, {"spec": {"renewTime": "1970-01-01T00:00:00.000000Z"}})
        assert replicas.holders() == ["one"]
        time.sleep(0.4)
    replicas.kill("one")
    namespace.patch("Lease", lease, {"spec": {"renewTime": "2100-01-01T00:00:00.000000Z"}})
    eventually(lambda: replicas.holders() == ["other"], "it is followed", within=20)
    done_once(namespace, environments(1))


def test_a_replica_that_ends_hands_over_at_once(namespace, fleet, environments):
    """Long before its Leases would end."""
    replicas = fleet(4, lease="60s").start("one", "other")
    replicas.until_shared("one", "other", within=60)
    replicas.end("one")
    begun = time.monotonic()
    replicas.until_shared("other", within=15)
    targets = environments(4)
    done_once(namespace, targets)
    assert time.monotonic() - begun < 40
    assert all(actors(target) == {"other"} for target in targets.values())
    # Whoever ends is not waited for.
    assert {lease["spec"].get("holderIdentity") for lease in namespace.list("Lease")} == {"other"}


def test_replicas_that_count_differently_wait_for_each_other(namespace, fleet, environments):
    """As in the middle of an upgrade that says another number of shards."""
    before = fleet(1, lease="10s").start("one")
    before.until_shared("one")
    after = fleet(4, lease="10s").start("other")
    time.sleep(3)
    assert after.holders() == [None] * 4
    before.end("one")
    after.until_shared("other", within=15)
    done_once(namespace, environments(2))


def test_a_queue_is_done_once_while_replicas_come_and_go(namespace, fleet, environments):
    replicas = fleet(4).start("one")
    targets = environments(12)
    replicas.start("two", "three", "four")
    replicas.until_shared("one", "two", "three", "four", within=60)
    targets |= environments(12, first=12)
    replicas.kill("three")
    replicas.end("two")
    replicas.end("four")
    replicas.until_shared("one", within=60)
    targets |= environments(4, first=24)
    done_once(namespace, targets)


def test_a_hundred_queued_environments_scale_the_replicas_and_back(namespace, fleet, environments, measured):
    """By the rule of a HorizontalPodAutoscaler over what the replicas' own metrics say, as the manifest asks for it. What takes
    minutes there takes seconds here: the highest of some seconds counts, and nobody waits before there are fewer again."""
    [autoscaler] = manifests("autoscaler.yaml")
    spec = autoscaler["spec"]
    [metric] = [one["pods"] for one in spec["metrics"]]
    assert metric["metric"]["name"] == "whimbrel_queue_depth"
    targets = environments(QUEUED)
    replicas = fleet(spec["maxReplicas"]).start("replica-0")
    begun, counts, depths = time.monotonic(), [1], {}

    def settle():
        now = time.monotonic()
        for name, replica in replicas.running.items():
            depth = value(replica.get("/metrics")[1], "whimbrel_queue_depth")
            depths[name] = [(at, one) for at, one in depths.get(name, []) if now - at < 5] + [(now, depth)]
        highest = [max(one for _, one in depths[name]) for name in replicas.running]
        current = len(replicas.running)
        ratio = sum(highest) / current / float(metric["target"]["averageValue"])
        # The algorithm's details: https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/
        wanted = current if abs(ratio - 1) <= 0.1 else math.ceil(current * ratio)
        wanted = min(max(wanted, spec["minReplicas"]), spec["maxReplicas"])
        replicas.start(*(f"replica-{number}" for number in range(current, wanted)))
        for number in range(wanted, current):
            replicas.end(f"replica-{number}")
        counts.append(len(replicas.running))
        return counts[-1] == 1 and max(counts) > 1
    eventually(settle, "there are as many replicas as in the beginning", within=240)
    took = time.monotonic() - begun
    done_once(namespace, targets)
    assert max(counts) == spec["maxReplicas"]
    workers = len(set().union(*map(actors, targets.values())))
    measured(f"100 environments at once: one replica, {max(counts)} and one again in {took:.0f} s, all done once, by {workers} "
             f"replicas")


def test_how_much_faster_four_replicas_are(kubernetes, operate_in, project, measured):
    """From the start of the replicas to the last of a hundred queued runs. The replicas, the API server and its store share this
    machine, so it says little of a cluster."""
    took = {}
    for count in (1, 4):
        namespace = kubernetes.namespace()
        for number in range(QUEUED):
            target = SqliteTarget(project, f"of-{count}-{number}")
            namespace.apply("Environment", f"shop-{number}", {
                "databases": {"shop": {"url": f"sqlite:{target.file}"}}, "policy": {"apply": "Auto"}})
            for migration, steps in MIGRATIONS.items():
                namespace.apply("Migration", f"{migration}-{number}", {
                    "environmentRef": {"name": f"shop-{number}"}, "steps": steps})
        replicas = Replicas(lambda *arguments, **options: operate_in(namespace, *arguments, **options), namespace, 4, lease="15s")  # noqa: B023
        begun = time.monotonic()
        replicas.start(*(f"replica-{number}" for number in range(count)))

        def is_done():
            conditions = [one.get("status", {}).get("conditions", [{}])[0] for one in namespace.list("Environment")]  # noqa: B023
            return all(one.get("reason") == "Current" for one in conditions)
        eventually(is_done, "everything is applied", within=240)
        took[count] = time.monotonic() - begun
        for name in list(replicas.running):
            replicas.end(name)
    measured(f"{QUEUED} queued runs, four shards, on {os.cpu_count()} processors: {took[1]:.1f} s with one replica, {took[4]:.1f} s "
             f"with four, {took[1] / took[4]:.2f} times as fast")
