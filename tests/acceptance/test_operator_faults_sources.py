"""What an operator reads from elsewhere, a repository and a Secret, while the API server misbehaves."""

import pytest
from support.kubernetes_lifecycle import Lifecycle
from support.target import SqliteTarget
from support.waiting import eventually


@pytest.fixture
def source(namespace, http, served):
    """The project's repository as a source that is looked at when somebody asks."""
    http.opened = True

    def push():
        served.push()
        change = {"metadata": {"annotations": {"whimbrel.dev/requestedAt": served.project.git("rev-parse", "HEAD").strip()}}}
        namespace.patch("GitSource", "shop", change)

    def begin():
        namespace.apply("GitSource", "shop", {"url": f"{http.address}/shop.git", "interval": "1h"})
        namespace.apply("Environment", "dev", {"sourceRef": {"name": "shop"}})
    begin.push = push
    return begin


def right(namespace, project, shop, tables):
    """Everything of the newest commit is applied once, and said so."""
    revision = project.git("rev-parse", "HEAD").strip()
    for kind, name in (("GitSource", "shop"), ("Environment", "dev")):
        eventually(lambda: (namespace.get(kind, name).get("status") or {}).get("revision") == revision,  # noqa: B023
                   f"{kind} {name} is at the newest commit", 60)
    namespace.until("GitSource", "shop", "Ready")
    namespace.until("Environment", "dev", "Ready", reason="Current")
    objects = eventually(lambda: len(found := namespace.list("Migration")) == len(tables) and found, "all are objects")
    for one in objects:
        namespace.until("Migration", one["metadata"]["name"], "Succeeded", reason="Applied")
    assert shop.tables() == tables
    applied = shop.rows("SELECT migration, count(*) FROM whimbrel_event WHERE kind = 'applied' GROUP BY migration")
    assert [count for _, count in applied] == [1] * len(tables)


def story(namespace, source, project, shop):
    """A first commit, and a second one."""
    source()
    right(namespace, project, shop, {"people"})
    project.table("0002-orders")
    project.commit("Orders")
    source.push()
    right(namespace, project, shop, {"people", "orders"})


@pytest.mark.parametrize("fault", [
    lambda api: api.on("write", each="place").answer(500),
    lambda api: api.on("write", each="place").answer(409),
    lambda api: api.on("*", each="place").lose_request(),
    lambda api: api.on("write", each="place").lose_answer(),
], ids=["500", "409", "lost request", "lost answer"])
def test_a_push_is_applied_and_seen(namespace, operate, api, source, project, shop, fault):
    """Also what is written of the source itself, which is looked at once in an hour."""
    rule = fault(api)
    operator = operate()
    story(namespace, source, project, shop)
    assert rule.hit
    namespace.delete("Environment", "dev")
    eventually(lambda: namespace.get("Environment", "dev") is None, "it is let go")
    operator.end()


def test_a_refusal_after_a_source_was_away_is_the_first_one(namespace, operate, api, http, served, source):
    """Who asked often for what wasn't there yet doesn't wait for minutes once it is."""
    http.opened = False
    operate()
    source()
    namespace.until("Environment", "dev", "Ready", status="False", reason="SourceNotReady")
    for number in map(str, range(6)):
        namespace.patch("Environment", "dev", {"metadata": {"annotations": {"whimbrel.dev/requestedAt": number}}})
        eventually(lambda: namespace.get("Environment", "dev")["status"].get("lastHandledRequest") == number, "it was looked at")  # noqa: B023
    refused = api.on("patch", "/environments/dev$", times=1).lose_request()
    http.opened = True
    namespace.patch("GitSource", "shop", {"metadata": {"annotations": {"whimbrel.dev/requestedAt": "now"}}})
    namespace.until("Environment", "dev", "Ready", reason="Current", within=30)
    assert refused.hit


@pytest.mark.parametrize("point", ["before", "after"])
def test_killed_at_each_write_of_what_git_defines(namespace, operate, api, source, project, shop, point):
    life = Lifecycle(namespace, operate, shop)
    rule = getattr(api.on("write", each="content"), point)(life.killed)
    life.start()
    story(namespace, source, project, shop)
    assert len(rule.hit) > 5
    life.has_no_crash()


@pytest.mark.parametrize("fault", [
    lambda api: api.on("watch", "/secrets$").answer(500),
    lambda api: api.events("/secrets$").drop(),
    lambda api: api.events("/secrets$", times=1).expire(),
    lambda api: api.on("get", "/secrets/shop$", skip=2, times=2).answer(503),
    lambda api: api.on("get", "/secrets/shop$", skip=2, times=2).lose_answer(),
], ids=["never watched", "event lost", "watch expired", "refused", "lost"])
def test_a_secret_that_changes_is_read(namespace, operate, api, sqlite, project, fault):
    life = Lifecycle(namespace, operate, sqlite)
    rule = fault(api)
    life.start("--resync", "4s")
    life.environment()
    life.migration("0001-people")
    life.rotate(SqliteTarget(project, "other"))
    life.right("0001-people")
    life.delete()
    assert rule.hit
    life.has_no_crash()


def test_killed_while_a_secret_changes(namespace, operate, api, sqlite, project):
    life = Lifecycle(namespace, operate, sqlite)
    life.start()
    life.environment()
    life.migration("0001-people")
    api.on("get", "/secrets/shop$", times=1).before(life.killed)
    life.rotate(SqliteTarget(project, "other"))
    life.right("0001-people")
    life.delete()
    life.has_no_crash()
