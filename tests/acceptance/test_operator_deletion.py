"""`deletionPolicy`: what deleting a `Migration` does to the databases, and when it never does anything."""

import time

import pytest
from support.both import on_both
from support.kubernetes import GROUP, PLACES, Refused
from support.waiting import eventually

NAMES = ("0001-people", "0002-orders", "0003-items")


def spec(environment, table, policy=None, **more):
    """A migration that makes a table."""
    made = {"environmentRef": {"name": environment},
            "steps": [{"sql": f"CREATE TABLE {table} (id integer)", "revert": f"DROP TABLE {table}"}]} | more
    return made | ({"deletionPolicy": policy} if policy else {})


def dev(target, **policy):
    """An environment with one database that applies and reverts at once unless its policy says otherwise."""
    return {"databases": {"shop": {"url": f"sqlite:{target.file}"}},
            "policy": {"apply": "Auto", "destructive": "Allow"} | policy}


@pytest.fixture
def three(namespace, operate, sqlite):
    """Three tables; the last two go with their objects."""
    def start(*arguments, **policy):
        operator = operate(*arguments)
        namespace.apply("Environment", "dev", dev(sqlite, **policy))
        for name, deletion in zip(NAMES, (None, "Revert", "Revert"), strict=True):
            namespace.apply("Migration", name, spec("dev", name[5:], deletion))
        return operator

    def applied(*arguments, **policy):
        operator = start(*arguments, **policy)
        for name in NAMES:
            namespace.until("Migration", name, "Succeeded", reason="Applied")
        namespace.until("Environment", "dev", "Ready")
        return operator
    applied.start = start
    return applied


def gone(namespace, *names, within=30.0):
    """Waits until objects are gone."""
    eventually(lambda: not any(namespace.get("Migration", name) for name in names), f"{names} are gone", within)


def works(namespace, target):
    """The environment goes on with what is new."""
    namespace.apply("Migration", "0009-last", spec("dev", "last"))
    namespace.until("Migration", "0009-last", "Succeeded")
    namespace.until("Environment", "dev", "Ready")
    assert "last" in target.tables()


@on_both
def test_what_is_deleted_stays_applied_and_holds_nothing_up(namespace, three, sqlite):
    three()
    namespace.delete("Migration", "0001-people")
    assert namespace.get("Migration", "0001-people") is None
    works(namespace, sqlite)
    assert sqlite.tables() == {"people", "orders", "items", "last"}
    status = namespace.get("Environment", "dev")["status"]
    assert (status["applied"], status["pending"]) == (4, 0)
    # Also when none is left.
    for name in ("0002-orders", "0003-items"):
        namespace.patch("Migration", name, {"spec": {"deletionPolicy": "Keep"}})
    for name in ("0002-orders", "0003-items", "0009-last"):
        namespace.delete("Migration", name)
    gone(namespace, "0002-orders", "0003-items", "0009-last")
    namespace.patch("Environment", "dev", {"metadata": {"annotations": {"whimbrel.dev/requestedAt": "1"}}})
    eventually(lambda: namespace.get("Environment", "dev")["status"].get("lastHandledRequest") == "1", "it is answered")
    assert namespace.condition("Environment", "dev", "Ready")["reason"] == "Current"
    assert sqlite.tables() == {"people", "orders", "items", "last"}


@on_both
def test_what_asks_for_it_is_reverted_newest_first(namespace, three, sqlite):
    three()
    for name in ("0002-orders", "0003-items"):
        assert namespace.get("Migration", name)["metadata"]["finalizers"] == ["whimbrel.dev/revert"]
        namespace.delete("Migration", name)
    gone(namespace, "0002-orders", "0003-items")
    assert sqlite.tables() == {"people"}
    reverted = sqlite.rows("SELECT migration, actor FROM whimbrel_event WHERE kind = 'reverted' ORDER BY id")
    assert [name for name, _ in reverted] == ["0003-items", "0002-orders"]
    assert all(actor.endswith("(operator)") for _, actor in reverted)
    namespace.told("Migration", "0002-orders", "Reverted")
    namespace.until("Environment", "dev", "Ready", reason="Current")
    works(namespace, sqlite)
    # Who makes it again has it again.
    namespace.apply("Migration", "0010-orders", spec("dev", "orders"))
    namespace.until("Migration", "0010-orders", "Succeeded")
    assert sqlite.tables() == {"people", "last", "orders"}


def test_a_revert_waits_for_its_own_approval(namespace, three, sqlite):
    three.start(apply="Approve", approvers=["ann"])
    reference = {"environmentRef": {"name": "dev"}, "approver": "ann"}
    waiting = namespace.until("Environment", "dev", "Ready", status="False", reason="ApprovalRequired")
    first = eventually(lambda: (found := namespace.get("Environment", "dev")["status"])["pending"] == 3 and found["plan"],
                       "all are pending")
    namespace.apply("Approval", "first", reference | {"plan": first})
    for name in NAMES:
        namespace.until("Migration", name, "Succeeded", reason="Applied")
    namespace.delete("Migration", "0002-orders")
    waiting = namespace.until("Environment", "dev", "Ready", status="False", reason="ApprovalRequired")
    assert waiting["status"]["plan"] != first
    assert "reverting 0002-orders" in waiting["status"]["conditions"][0]["message"]
    said = namespace.until("Migration", "0002-orders", "Succeeded", status="Unknown", reason="Reverting")
    assert "approval" in said["status"]["conditions"][0]["message"]
    assert sqlite.tables() == {"people", "orders", "items"}
    namespace.apply("Approval", "second", reference | {"plan": waiting["status"]["plan"]})
    gone(namespace, "0002-orders")
    assert sqlite.tables() == {"people", "items"}


@pytest.mark.parametrize("why", ["destructive", "depended on", "suspended", "away"])
def test_what_can_t_be_reverted_is_let_go_in_time_and_stays(namespace, three, sqlite, why):
    three("--revert-within", "8s", destructive="Forbid" if why == "destructive" else "Allow")
    if why == "depended on":
        namespace.apply("Migration", "0004-more", spec("dev", "more", dependsOn=["0002-orders"]))
        namespace.until("Migration", "0004-more", "Succeeded")
    if why == "suspended":
        namespace.patch("Environment", "dev", {"spec": {"suspend": True}})
        namespace.until("Environment", "dev", "Ready", status="Unknown", reason="Suspended")
    if why == "away":
        sqlite.file.rename(sqlite.file.with_suffix(".away"))
        sqlite.file.mkdir()
    before = time.monotonic()
    namespace.delete("Migration", "0002-orders")
    if why == "destructive":
        said = namespace.until("Migration", "0002-orders", "Stalled", reason="Reverting")
        assert "data would be lost" in said["status"]["conditions"][0]["message"]
    gone(namespace, "0002-orders")
    assert 7 < time.monotonic() - before < 20
    namespace.told("Migration", "0002-orders", "NotReverted")
    if why == "away":
        sqlite.file.rmdir()
        sqlite.file.with_suffix(".away").rename(sqlite.file)
    if why == "suspended":
        namespace.patch("Environment", "dev", {"spec": {"suspend": False}})
    if why == "depended on":
        namespace.patch("Migration", "0004-more", {"spec": {"dependsOn": []}})
        return
    works(namespace, sqlite)
    assert "orders" in sqlite.tables()


@on_both
def test_whoever_would_wait_for_ever_waits_no_longer_than_that(namespace, three, sqlite):
    three("--revert-within", "1s", destructive="Forbid")
    namespace.delete("Migration", "0002-orders")
    gone(namespace, "0002-orders", within=15)
    namespace.told("Migration", "0002-orders", "NotReverted")
    works(namespace, sqlite)
    assert "orders" in sqlite.tables()


def test_who_thinks_again_has_it_let_go_at_once(namespace, three, sqlite):
    three(destructive="Forbid")
    namespace.delete("Migration", "0002-orders")
    namespace.until("Migration", "0002-orders", "Stalled", reason="Reverting")
    namespace.patch("Migration", "0002-orders", {"spec": {"deletionPolicy": "Keep"}})
    gone(namespace, "0002-orders", within=5)
    works(namespace, sqlite)
    assert "orders" in sqlite.tables()


def test_what_was_never_applied_goes_at_once_when_asked(namespace, operate, sqlite):
    operate()
    namespace.apply("Environment", "dev", dev(sqlite, apply="Approve"))
    namespace.apply("Migration", "0001-people", spec("dev", "people", "Revert"))
    namespace.until("Environment", "dev", "Ready", status="False", reason="ApprovalRequired")
    eventually(lambda: namespace.get("Migration", "0001-people")["metadata"].get("finalizers"), "it is marked")
    namespace.delete("Migration", "0001-people")
    gone(namespace, "0001-people")
    assert sqlite.tables() == set()


@pytest.mark.parametrize("first", ["Environment", "Migration"])
def test_the_end_of_an_environment_reverts_nothing(namespace, three, sqlite, first):
    """In whichever order somebody deletes the objects of a folder."""
    three()
    if first == "Environment":
        namespace.delete("Environment", "dev")
    for name in NAMES:
        namespace.delete("Migration", name)
    if first == "Migration":
        # The operator has seen it, and waits whether the environment goes, too.
        namespace.patch("Environment", "dev", {"metadata": {"annotations": {"whimbrel.dev/requestedAt": "now"}}})
        eventually(lambda: namespace.get("Environment", "dev")["status"].get("lastHandledRequest") == "now", "it has looked")
        namespace.delete("Environment", "dev")
    gone(namespace, *NAMES, within=15)
    eventually(lambda: namespace.get("Environment", "dev") is None, "it is let go")
    time.sleep(5)
    assert sqlite.tables() == {"people", "orders", "items"}


@on_both
def test_an_object_without_its_environment_is_let_go(namespace, three, operate, sqlite):
    """Also where nobody looked when the environment went."""
    three().kill()
    # As if an administrator had taken the finalizer of the environment away by hand.
    namespace.patch("Environment", "dev", {"metadata": {"finalizers": None}})
    namespace.delete("Environment", "dev")
    namespace.delete("Migration", "0002-orders")
    assert namespace.get("Migration", "0002-orders")
    operate()
    gone(namespace, "0002-orders")
    namespace.delete("Migration", "0003-items")
    gone(namespace, "0003-items")
    assert sqlite.tables() == {"people", "orders", "items"}


def test_the_end_of_a_namespace_reverts_nothing(api_server, namespace, three, sqlite):
    three()
    api_server.call("DELETE", f"{PLACES['Namespace']}/{namespace.name}")
    # What the controller of namespaces does; none runs here.
    api_server.call("DELETE", PLACES["Migration"].format(namespace.name))
    gone(namespace, *NAMES)
    api_server.call("DELETE", PLACES["Environment"].format(namespace.name))
    eventually(lambda: namespace.list("Environment") == [], "it is let go")
    assert sqlite.tables() == {"people", "orders", "items"}


@pytest.mark.parametrize("api_server, kind", [("kubernetes", "Migration"), ("fake_kubernetes", "Migration"),
                                              ("kubernetes", "Environment")], indirect=["api_server"],
                         ids=["Migration-real", "Migration-fake", "Environment-real"])
def test_the_end_of_a_kind_reverts_nothing(api_server, namespace, three, sqlite, outside, kind):
    operator = three()
    api_server.abandon(namespace)
    name = f"{kind.lower()}s.whimbrel.dev"
    try:
        api_server.call("DELETE", f"{PLACES['CustomResourceDefinition']}/{name}")

        def is_gone():
            try:
                api_server.call("GET", f"{PLACES['CustomResourceDefinition']}/{name}")
            except Refused as refused:
                return refused.status == 404
            return False
        if kind == "Environment":
            namespace.delete("Migration", "0002-orders")
            gone(namespace, "0002-orders")
        eventually(is_gone, "the kind is gone", within=90)
        assert sqlite.tables() == {"people", "orders", "items"}
    finally:
        api_server.define(outside)
    # The operator finds the kind again when it is there again.
    namespace.apply("Environment", "dev", dev(sqlite))
    works(namespace, sqlite)
    operator.end()


def test_killed_in_the_middle_of_a_revert(namespace, operate, postgres):
    """The next one goes on; what was in flight is done once."""
    database = {"url": str(postgres.url)} | postgres.url.references
    operators = [operate("--local-secrets")]
    namespace.apply("Environment", "dev", {"databases": {"shop": database}, "policy": {
        "apply": "Auto", "destructive": "Allow", "lockWait": "5s"}})
    namespace.apply("Migration", "0001-people", spec("dev", "people", "Revert", steps=[
        {"sql": "CREATE TABLE people (id integer)", "revert": "DROP TABLE people"},
        {"sql": "SELECT 1", "revert": "SELECT pg_sleep(3)"}]))
    namespace.until("Migration", "0001-people", "Succeeded")
    namespace.delete("Migration", "0001-people")
    sleeping = ("SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(3)%' AND state = 'active' "
                "AND pid <> pg_backend_pid()")
    eventually(lambda: postgres.rows(sleeping), "it is being reverted")
    operators[0].kill()
    assert namespace.get("Migration", "0001-people")
    operate("--local-secrets")
    gone(namespace, "0001-people", within=60)
    assert postgres.tables() == set()
    events = postgres.rows("SELECT count(*) FROM whimbrel.event WHERE kind = 'reverted'")
    assert events == [(1,)]


def test_it_is_deleted_while_it_is_applied(namespace, operate, postgres):
    """The run comes to its end, and then it is reverted."""
    operate("--local-secrets")
    database = {"url": str(postgres.url)} | postgres.url.references
    namespace.apply("Environment", "dev", {
        "databases": {"shop": database}, "policy": {"apply": "Auto", "destructive": "Allow"}})
    namespace.apply("Migration", "0001-people", spec("dev", "people", "Revert", steps=[
        {"sql": "CREATE TABLE people (id integer); SELECT pg_sleep(3)", "revert": "DROP TABLE people"}]))
    namespace.until("Environment", "dev", "Ready", status="False", reason="Applying")
    namespace.delete("Migration", "0001-people")
    gone(namespace, "0001-people")
    assert postgres.tables() == set()
    events = postgres.rows("SELECT kind FROM whimbrel.event WHERE kind IN ('applied', 'reverted') ORDER BY id")
    assert events == [("applied",), ("reverted",)]


def test_what_git_defines_comes_back_whatever_it_asks_for(namespace, operate, http, served, sqlite, shop):
    http.opened = True
    operate()
    namespace.apply("GitSource", "shop", {"url": f"{http.address}/shop.git"})
    namespace.apply("Environment", "dev", {"sourceRef": {"name": "shop"}})
    namespace.until("Environment", "dev", "Ready")
    name = eventually(lambda: namespace.list("Migration"), "it is an object")[0]["metadata"]["name"]
    namespace.patch("Migration", name, {"spec": {"deletionPolicy": "Revert"}})
    before = namespace.get("Migration", name)["metadata"]["uid"]
    namespace.delete("Migration", name)
    eventually(lambda: (found := namespace.get("Migration", name)) and found["metadata"]["uid"] != before, "it is there again")
    assert shop.tables() == {"people"}


def test_a_repository_may_say_it_too(whimbrel, project, sqlite):
    """It is an operator's, and changes no checksum."""
    project.environment("dev", {"shop": sqlite.url})
    document = {"apiVersion": GROUP, "kind": "Migration", "metadata": {"name": "0001-people"},
                "spec": {"database": "shop"} | spec("dev", "people")}
    project.write("migrations/0001-people.yaml", document)
    before = whimbrel.json("status", "--environment", "dev")["targets"][0]["migrations"][0]["checksum"]
    document["spec"]["deletionPolicy"] = "Revert"
    project.write("migrations/0001-people.yaml", document)
    after = whimbrel.json("status", "--environment", "dev")["targets"][0]["migrations"][0]["checksum"]
    assert after == before
