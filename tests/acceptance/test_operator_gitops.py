"""A `GitSource`: environments and migrations from a repository, as objects of the cluster."""

import time

import pytest
from support.both import on_both
from support.canary import Canary
from support.prometheus import value
from support.target import SqliteTarget
from support.waiting import eventually


@pytest.fixture
def source(namespace, http, served):
    """The project's repository as a source, opened by a Secret."""
    namespace.apply("Secret", "git", {"password": http.password.value})
    namespace.apply("GitSource", "shop", {
        "url": f"{http.address}/shop.git", "interval": "1h",
        "auth": {"username": http.user, "password": {"secretKeyRef": {"name": "git", "key": "password"}}}})

    def push():
        """Pushes, and rings."""
        served.push()
        before = namespace.get("GitSource", "shop").get("status", {}).get("lastHandledRequest", "0")
        change = {"metadata": {"annotations": {"whimbrel.dev/requestedAt": str(int(before) + 1)}}}
        namespace.patch("GitSource", "shop", change)
    return push


def names(namespace):
    """The migrations that have objects, by their names in Git, and the name of each object."""
    return {one["metadata"]["annotations"]["whimbrel.dev/migration"]: one["metadata"]["name"]
            for one in namespace.list("Migration")}


@on_both
def test_a_push_is_applied_and_seen(namespace, operate, source, project, shop):
    operate()
    found = namespace.until("GitSource", "shop", "Ready")
    assert found["status"]["environments"] == ["dev"]
    namespace.apply("Environment", "dev", {"sourceRef": {"name": "shop"}})
    environment = namespace.until("Environment", "dev", "Ready", reason="Current")
    assert environment["status"]["revision"] == found["status"]["revision"] == project.git("rev-parse", "HEAD").strip()
    assert shop.tables() == {"people"}
    project.table("0002-orders")
    project.commit("Orders")
    source()
    eventually(lambda: shop.tables() == {"people", "orders"}, "the push is applied")
    eventually(lambda: set(names(namespace)) == {"0001-people", "0002-orders"}, "both are objects")
    name = names(namespace)["0002-orders"]
    assert name.startswith("dev-0002-orders-")
    migration = namespace.until("Migration", name, "Succeeded")
    assert migration["status"]["revision"] == project.git("rev-parse", "HEAD").strip()
    assert migration["metadata"]["labels"]["whimbrel.dev/source"] == "shop"
    assert migration["spec"]["steps"][0]["sql"].startswith("CREATE TABLE")


@on_both
def test_a_secret_of_a_source_that_changes_is_read(namespace, operate, source, http, shop):
    """Although the source is looked at once in an hour."""
    operate()
    namespace.until("GitSource", "shop", "Ready")
    namespace.apply("Secret", "git", {"password": Canary.hatch("a wrong password of Git", plain=True).value})
    namespace.until("GitSource", "shop", "Ready", status="False", within=15)
    namespace.apply("Secret", "git", {"password": http.password.value})
    namespace.until("GitSource", "shop", "Ready", within=15)


def test_how_old_a_source_is_known_to_be_is_measured(namespace, operate, source, http, shop):
    operator = operate()

    def lag(name="shop"):
        return value(operator.get("/metrics")[1], "whimbrel_sync_lag_seconds", source=name)
    namespace.until("GitSource", "shop", "Ready")
    assert lag() < 30
    http.status = 503
    source()
    namespace.until("GitSource", "shop", "Ready", status="False", reason="Unavailable")
    before = lag()
    eventually(lambda: lag() > before + 0.5, "it grows while nothing answers")
    begun = time.monotonic()
    http.status = None
    source()
    namespace.until("GitSource", "shop", "Ready")
    # It was read since.
    now = lag()
    assert now < before + 0.5 and now < time.monotonic() - begun
    # What isn't looked at is not late.
    namespace.patch("GitSource", "shop", {"spec": {"suspend": True}})
    namespace.until("GitSource", "shop", "Stalled", reason="Suspended")
    assert lag() is None
    namespace.patch("GitSource", "shop", {"spec": {"suspend": False}})
    namespace.until("GitSource", "shop", "Ready")
    eventually(lambda: lag() is not None, "it is looked at again")
    namespace.delete("GitSource", "shop")
    eventually(lambda: lag() is None, "it is gone")


def test_an_environment_waits_for_its_source(namespace, operate, shop, http, served):
    operate()
    namespace.apply("Environment", "dev", {"sourceRef": {"name": "shop"}})
    namespace.until("Environment", "dev", "Stalled", reason="NoSource")
    http.opened = True
    http.status = 503
    namespace.apply("GitSource", "shop", {"url": f"{http.address}/shop.git"})
    namespace.until("GitSource", "shop", "Ready", status="False", reason="Unavailable")
    namespace.until("Environment", "dev", "Reconciling", reason="SourceNotReady")
    http.status = None
    namespace.until("Environment", "dev", "Ready")
    assert shop.tables() == {"people"}


def test_a_repository_that_is_away_changes_nothing(namespace, operate, source, project, shop, http):
    operate()
    namespace.apply("Environment", "dev", {"sourceRef": {"name": "shop"}})
    namespace.until("Environment", "dev", "Ready")
    http.status = 500
    source()
    namespace.until("GitSource", "shop", "Ready", status="False")
    namespace.patch("Environment", "dev", {"metadata": {"annotations": {"whimbrel.dev/requestedAt": "1"}}})
    eventually(lambda: namespace.get("Environment", "dev")["status"].get("lastHandledRequest"), "it is answered")
    assert namespace.condition("Environment", "dev", "Ready")["status"] == "True"


@on_both
def test_an_object_that_somebody_edits_is_written_anew(namespace, operate, source, shop):
    operate()
    namespace.apply("Environment", "dev", {"sourceRef": {"name": "shop"}})
    namespace.until("Environment", "dev", "Ready")
    name = eventually(lambda: names(namespace).get("0001-people"), "it is an object")
    before = namespace.get("Migration", name)["spec"]
    namespace.patch("Migration", name, {"spec": {"steps": [{"sql": "DROP TABLE people"}]}})
    eventually(lambda: namespace.get("Migration", name)["spec"] == before, "it is as Git says")
    namespace.delete("Migration", name)
    eventually(lambda: namespace.get("Migration", name), "it is there again")
    assert shop.tables() == {"people"}


@on_both
def test_an_object_goes_when_git_and_the_database_have_no_migration(namespace, operate, source, project, shop):
    operate()
    project.environment("dev", {"shop": f"sqlite:{shop.file}"}, policy={"apply": "Approve", "onRevert": "Refuse"})
    project.commit("Ask")
    source()
    # What the source said before applies by itself.
    handled = lambda: namespace.get("GitSource", "shop").get("status", {}).get("lastHandledRequest")  # noqa: E731
    eventually(lambda: handled() == "1", "the push is read")
    namespace.apply("Environment", "dev", {"sourceRef": {"name": "shop"}})
    waiting = namespace.until("Environment", "dev", "Ready", status="False", reason="ApprovalRequired")
    namespace.apply("Approval", "first", {
        "environmentRef": {"name": "dev"}, "plan": waiting["status"]["plan"], "approver": "ann"})
    namespace.until("Environment", "dev", "Ready")
    project.table("0002-orders")
    project.commit("Orders")
    source()
    eventually(lambda: set(names(namespace)) == {"0001-people", "0002-orders"}, "the new one is an object")
    # Git drops both: one is pending, the other one is applied, and stays until it is reverted.
    project.remove("migrations/0001-people.yaml")
    project.remove("migrations/0002-orders.yaml")
    project.commit("Neither")
    source()
    eventually(lambda: set(names(namespace)) == {"0001-people"}, "what nobody has is gone")
    assert shop.tables() == {"people"}


def test_a_definition_that_no_object_can_hold_is_named_by_its_checksum(namespace, operate, source, project, shop):
    much = f"CREATE TABLE orders (id bigint) -- {'x' * 300_000}"
    project.migration("0002-orders", much)
    project.table("0003-items")
    project.commit("Much")
    source()
    operate()
    namespace.apply("Environment", "dev", {"sourceRef": {"name": "shop"}})
    namespace.until("Environment", "dev", "Ready", reason="Current")
    assert shop.tables() == {"people", "orders", "items"}
    every = {"0001-people", "0002-orders", "0003-items"}
    eventually(lambda: set(names(namespace)) == every, "all are objects")
    found = {name: namespace.until("Migration", one, "Succeeded") for name, one in names(namespace).items()}
    checksum = found["0002-orders"]["status"]["checksum"]
    assert found["0002-orders"]["spec"] == {"environmentRef": {"name": "dev"}, "database": "shop", "artefact": checksum}
    assert "artefact" not in found["0003-items"]["spec"]


def test_an_object_is_what_git_says_of_a_migration_that_is_pending(namespace, operate, source, project, sqlite, shop):
    """Of another database, and of another size."""
    other = SqliteTarget(project, "other")
    databases = {"shop": f"sqlite:{sqlite.file}", "other": f"sqlite:{other.file}"}
    project.environment("dev", databases, policy={"apply": "Approve", "approvers": ["ann"]})
    project.commit("Ask")
    source()
    operate()
    namespace.apply("Environment", "dev", {"sourceRef": {"name": "shop"}})
    namespace.until("Environment", "dev", "Ready", status="False", reason="ApprovalRequired")
    name = eventually(lambda: names(namespace).get("0001-people"), "it is an object")

    def spec():
        found = namespace.get("Migration", name)
        return found["spec"] if found else {}
    assert spec()["database"] == "shop"
    for sql in ("CREATE TABLE people (id bigint)", f"CREATE TABLE people (id bigint) -- {'x' * 300_000}"):
        for database in ("other", "shop"):
            project.migration("0001-people", sql, database=database)
            project.commit("Elsewhere")
            source()
            eventually(lambda: spec().get("database") == database, f"it is of {database}")  # noqa: B023
            assert ("artefact" in spec()) == (len(sql) > 1_000) == ("steps" not in spec())
    plan = namespace.until("Environment", "dev", "Ready", status="False", reason="ApprovalRequired")["status"]["plan"]
    namespace.apply("Approval", "yes", {"environmentRef": {"name": "dev"}, "plan": plan, "approver": "ann"})
    namespace.until("Migration", name, "Succeeded")
    assert (shop.tables(), other.tables()) == ({"people"}, set())


@on_both
def test_an_object_that_is_refused_holds_up_no_other(api, namespace, operate, source, project, shop):
    """Neither from being written nor from going."""
    project.environment("dev", {"shop": f"sqlite:{shop.file}"}, policy={"apply": "Approve"})
    tables = {f"{number:04}-t{number}" for number in range(2, 15)}
    for name in tables:
        project.table(name)
    project.commit("Many")
    source()
    refused = api.on("patch", r"/migrations/dev-0002-t2-[^/]*$").answer(422)
    operate()
    namespace.apply("Environment", "dev", {"sourceRef": {"name": "shop"}})
    every = tables | {"0001-people"}
    eventually(lambda: set(names(namespace)) == every - {"0002-t2"}, "the others are objects")
    project.remove("migrations/0003-t3.yaml")
    project.commit("One less")
    source()
    eventually(lambda: set(names(namespace)) == every - {"0002-t2", "0003-t3"}, "what nobody has is gone")
    namespace.until("Environment", "dev", "Ready", status="False", reason="ApprovalRequired")
    assert len(refused.hit) > 1
    api.mend()
    namespace.patch("Environment", "dev", {"metadata": {"annotations": {"whimbrel.dev/requestedAt": "1"}}})
    eventually(lambda: "0002-t2" in names(namespace), "it is tried again")
