"""What the operator promises whatever the API server does, on the real one and on the fake one: what no other file asks."""

import json

import pytest
from support.both import on_both, on_the_fake
from support.kubectl import Kubectl
from support.kubernetes_lifecycle import Lifecycle
from support.kubernetes_raw import Raw
from support.replicas import Replicas
from support.target import SqliteTarget
from support.waiting import eventually

PEOPLE = [{"sql": "CREATE TABLE people (id integer)"}]


def dev(target, **policy):
    """An environment with one database that applies at once unless its policy says otherwise."""
    return {"databases": {"shop": {"url": f"sqlite:{target.file}"}}, "policy": {"apply": "Auto"} | policy}


def of(environment, *steps):
    """A migration of an environment."""
    return {"environmentRef": {"name": environment}, "steps": list(steps)}


@pytest.fixture
def life(namespace, operate, sqlite, api):
    """A life of objects."""
    life = Lifecycle(namespace, operate, sqlite)
    yield life
    life.has_no_crash()


@on_both
def test_an_object_that_took_the_place_of_another_has_none_of_its_status(api, namespace, operate, sqlite):
    """Deleted and made again while its status was on its way: what became of the one says nothing of the other."""
    namespace.apply("Environment", "dev", dev(sqlite))
    namespace.apply("Migration", "0001-people", of("dev", *PEOPLE))

    def replace():
        namespace.patch("Environment", "dev", {"spec": {"suspend": True}})
        namespace.delete("Migration", "0001-people")
        namespace.apply("Migration", "0001-people", of("dev", {"sql": "CREATE TABLE other (id integer)"}))
    rule = api.on("patch", r"/migrations/0001-people/status$", times=1).meanwhile(replace)
    operate()
    namespace.until("Migration", "0001-people", "Succeeded", status="Unknown", reason="Pending")
    assert json.loads(rule.hit[0].body)["status"]["conditions"][0]["reason"] == "Applied"


@on_both
def test_what_somebody_else_says_of_an_object_stays(namespace, operate, http, served, shop):
    """Fields and conditions belong to who applied them; only what Git says is as Git says it."""
    http.opened = True
    operate()
    namespace.apply("GitSource", "shop", {"url": f"{http.address}/shop.git", "interval": "1h"})
    namespace.apply("Environment", "dev", {"sourceRef": {"name": "shop"}})
    namespace.until("Environment", "dev", "Ready", reason="Current")
    name = eventually(lambda: namespace.list("Migration"), "it is an object")[0]["metadata"]["name"]
    written = namespace.until("Migration", name, "Succeeded")
    raw = Raw(namespace, "Migration")
    raw.apply(name, {"deletionPolicy": "Revert"}, "somebody", {"labels": {"team": "shop"}})
    audited = {"type": "Audited", "status": "True", "reason": "Looked", "message": "",
               "lastTransitionTime": "2026-01-01T00:00:00Z"}
    raw.apply(name, {"observedGeneration": 1, "conditions": [audited]}, "somebody", part="/status", force="true")
    # What is Git's is written anew, with all that goes with it.
    namespace.patch("Migration", name, {"spec": {"steps": [{"sql": "DROP TABLE people"}]}})
    eventually(lambda: namespace.get("Migration", name)["spec"]["steps"] == written["spec"]["steps"], "it is as Git says")
    found = namespace.until("Migration", name, "Succeeded")
    assert found["spec"] == written["spec"] | {"deletionPolicy": "Revert"}
    assert found["metadata"]["labels"] == written["metadata"]["labels"] | {"team": "shop"}
    assert audited in found["status"]["conditions"]


@on_both
def test_what_a_lost_replica_had_is_done_by_the_other(namespace, operate, project):
    replicas = Replicas(operate, namespace, shards=2, lease="2s").start("one", "other")
    replicas.until_shared("one", "other")
    names = {replicas.holder(name): name for name in (f"dev-{number}" for number in range(20))}
    targets = {name: SqliteTarget(project, name) for name in names.values()}

    def migrate(migration):
        for name, target in targets.items():
            if migration == "0001-people":
                namespace.apply("Environment", name, dev(target))
            namespace.apply("Migration", f"{name}-{migration}", of(name, {"sql": f"CREATE TABLE {migration[5:]} (id integer)"}))
        for name in targets:
            namespace.until("Migration", f"{name}-{migration}", "Succeeded", reason="Applied")

    def actors(name):
        rows = targets[name].rows("SELECT name, actor FROM whimbrel_migration ORDER BY name")
        return [actor.removesuffix(" (operator)") for _, actor in rows]
    migrate("0001-people")
    assert {holder: actors(name) for holder, name in names.items()} == {"one": ["one"], "other": ["other"]}
    replicas.kill("one")
    migrate("0002-orders")
    assert sorted(actors(names["one"])) == ["one", "other"] and actors(names["other"]) == ["other"] * 2
    assert replicas.holders() == ["other"] * 2


@on_both
def test_whoever_may_not_renew_begins_nothing(api, namespace, operate, sqlite):
    """Writes of Leases are refused for longer than one is valid; what is read, and every other write, isn't."""
    operator = operate("--lease-duration", "2s")
    namespace.apply("Environment", "dev", dev(sqlite))
    namespace.until("Environment", "dev", "Ready")
    rule = api.on("write", "/leases").answer(403)
    eventually(lambda: len(rule.hit) >= 6, "it is refused again and again")
    namespace.apply("Migration", "0001-people", of("dev", *PEOPLE))
    seen = len(rule.hit)
    eventually(lambda: len(rule.hit) >= seen + 3, "it is tried again")
    assert sqlite.tables() == set()
    assert operator.get("/healthz") == (200, "ok\n")
    api.mend()
    namespace.until("Migration", "0001-people", "Succeeded")
    assert operator.running.process.poll() is None


@on_the_fake
def test_a_server_whose_clock_jumps(api_server, life):
    """Nothing is decided by a time that another one wrote: neither when an object was made, nor when it was deleted."""
    try:
        api_server.skew(30)
        life.start("--lease-duration", "3s")
        life.environment()
        api_server.skew(-30)
        life.migration("0001-people")
        life.migration("0002-orders", deletionPolicy="Revert")
        api_server.skew(30)
        life.namespace.delete("Migration", "0002-orders")
        api_server.skew(-30)
        eventually(lambda: life.namespace.get("Migration", "0002-orders") is None, "it is reverted")
        life.history("reverted", **{"0002-orders": 1})
        life.right("0001-people")
    finally:
        api_server.skew(0)


@on_the_fake
def test_a_past_that_nobody_knows_any_more(api_server, api, life, namespace):
    """While nobody could be asked, something went and something came, and no watch can go on from where it was."""
    life.start()
    life.environment()
    life.migration("0001-people")
    life.migration("0002-orders")
    api.gone()
    namespace.delete("Migration", "0002-orders")
    namespace.apply("Migration", "0003-items", life.spec("items"))
    api_server.compact()
    api.back()
    life.right("0001-people", "0003-items")
    lists = [one for one in api.requests if one.verb == "list" and one.path.endswith("/migrations")]
    assert len(lists) >= 2, "it is listed anew"


@on_both
def test_kubectl_speaks_to_it(namespace, operate, sqlite, tmp_path):
    operate()
    kubectl = Kubectl(namespace, tmp_path)
    place = {"apiVersion": "whimbrel.dev/v1alpha1", "metadata": {"namespace": namespace.name}}
    for kind, name, spec in (("Environment", "dev", dev(sqlite)), ("Migration", "0001-people", of("dev", *PEOPLE))):
        document = place | {"kind": kind, "metadata": {"name": name, "namespace": namespace.name}, "spec": spec}
        kubectl.run("apply", "--server-side", "--validate=false", "--filename", "-", stdin=document)
    kubectl.wait("migration/0001-people", "Succeeded")
    kubectl.wait("wenv/dev", "Ready")
    assert set(kubectl.run("get", "whimbrel", "--output", "name").split()) == {
        "environment.whimbrel.dev/dev", "migration.whimbrel.dev/0001-people"}
    kubectl.run("delete", "environment", "dev", "--timeout=20s")
    assert namespace.get("Environment", "dev") is None
