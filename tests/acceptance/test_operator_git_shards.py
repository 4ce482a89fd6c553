"""A `GitSource` whose environments replicas share: each reads it, and each applies what is in its own shards."""

import hashlib

import pytest
from support.git_server import Served
from support.kubernetes_sources import Followed, told
from support.prometheus import value
from support.replicas import Replicas
from support.target import SqliteTarget
from support.waiting import eventually
from test_operator_shards import actors

REPLICAS = ("one", "other")
SHARDS = 2


def named(shard, count):
    """Names of environments that are in a shard, as the product's document says how that is found."""
    names = (f"shop-{number}" for number in range(100))
    found = [name for name in names if int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) % SHARDS == shard]
    return found[:count]


@pytest.fixture
def environments():
    """Two in each shard."""
    return [*named(0, 2), *named(1, 2)]


@pytest.fixture
def targets(project, environments):
    """The database of each: whoever comes last comes after one of another shard."""
    targets = {name: SqliteTarget(project, name) for name in environments}
    for name, target in targets.items():
        after = {"after": environments[0]} if name == environments[-1] else {}
        project.environment(name, {"shop": f"sqlite:{target.file}"}, **after)
    project.table("0001-people")
    project.commit("People")
    return targets


def test_replicas_share_the_environments_of_a_source(namespace, operate, http, project, targets, tmp_path):
    replicas = Replicas(operate, namespace, SHARDS, lease="10s").start(*REPLICAS)
    replicas.until_shared(*REPLICAS, within=60)
    source = Followed(namespace, http, Served(tmp_path / "served/shop.git", project)).begin(*targets, interval="1s")

    def done(*tables):
        for name, target in targets.items():
            status = source.until(name, "Current", within=30)
            assert (status["applied"], status["pending"], status["failed"]) == (len(tables), 0, 0)
            assert target.tables() == set(tables)
            assert set(told(target, "applied").values()) == {1}
            assert actors(target) == {replicas.holder(name)}
    done("people")
    assert {replicas.holder(name) for name in targets} == set(REPLICAS)
    project.table("0002-orders")
    project.commit("Orders")
    source.push()
    done("people", "orders")
    # Each needs it for its own, and knows how old what it has of it is.
    for replica in replicas.running.values():
        assert value(replica.get("/metrics")[1], "whimbrel_sync_lag_seconds", source="shop") < 30
    objects = eventually(lambda: len(found := source.objects()) == 2 * len(targets) and found, "all are objects")
    assert objects == {(name, migration) for name in targets for migration in ("0001-people", "0002-orders")}


def test_a_source_is_read_by_whoever_needs_it(namespace, operate, http, project, targets, environments, tmp_path):
    """Also where its own shard is another one's, and by nobody else."""
    replicas = Replicas(operate, namespace, SHARDS, lease="10s").start(*REPLICAS)
    replicas.until_shared(*REPLICAS, within=60)
    keeper = replicas.holder("shop")
    [needs] = set(REPLICAS) - {keeper}
    own = [name for name in environments if replicas.holder(name) == keeper]
    others = [name for name in environments if replicas.holder(name) == needs]
    source = Followed(namespace, http, Served(tmp_path / "served/shop.git", project)).begin(own[0])
    source.until(own[0], "Current")

    def lag(name):
        return value(replicas.running[name].get("/metrics")[1], "whimbrel_sync_lag_seconds", source="shop")
    assert lag(keeper) is not None and lag(needs) is None
    source.follow(others[0])
    source.until(others[0], "Current")
    assert actors(targets[others[0]]) == {needs}
    assert lag(needs) is not None
