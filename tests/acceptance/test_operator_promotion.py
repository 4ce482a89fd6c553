"""Three environments of one `GitSource`, each of which comes after another one: a change goes from one to the next by itself."""

import pytest
from support.git_server import Served
from support.kubernetes_sources import Followed, told
from support.target import SqliteTarget
from support.waiting import eventually

CHAIN = {"dev": {}, "staging": {"after": "dev"}, "production": {"after": "staging"}}


@pytest.fixture
def targets(project):
    """The database of each."""
    targets = {name: SqliteTarget(project, name) for name in CHAIN}
    for name, after in CHAIN.items():
        project.environment(name, {"shop": f"sqlite:{targets[name].file}"}, **after)
    project.table("0001-people")
    project.commit("People")
    return targets


@pytest.fixture
def source(namespace, http, targets, project, tmp_path):
    """Their repository."""
    return Followed(namespace, http, Served(tmp_path / "served/shop.git", project))


def waits(namespace, environment, before, migration):
    """Waits until an environment says what it waits for."""
    def said():
        one = namespace.condition("Environment", environment, "Ready")
        return one and one["reason"] == "Waiting" and f"`{before}` comes first: {migration}" in one["message"]
    eventually(said, f"{environment} waits for {before}")


def current(source, targets, *tables):
    """Everything is applied everywhere, once, and nobody has waited for the time to come when he looks again by himself."""
    for name, target in targets.items():
        status = source.until(name, "Current")
        assert (status["applied"], status["pending"], status["failed"]) == (len(tables), 0, 0)
        assert target.tables() == set(tables)
        assert set(told(target, "applied").values()) == {1}


def test_each_takes_what_the_one_before_has_applied(namespace, operate, source, targets, project):
    operate()
    source.begin("production", "staging")
    waits(namespace, "staging", "dev", "0001-people")
    waits(namespace, "production", "staging", "0001-people")
    assert not targets["staging"].tables() | targets["production"].tables()
    source.follow("dev")
    current(source, targets, "people")
    project.table("0002-orders")
    project.commit("Orders")
    source.push()
    current(source, targets, "people", "orders")
    finished = [target.rows("SELECT finished FROM whimbrel_migration WHERE name = '0002-orders'") for target in targets.values()]
    assert finished == sorted(finished)
    # What was published is in the repository, for whoever has no other way to the databases before.
    assert {f"refs/whimbrel/promotions/{name}" for name in ("dev", "staging")} < set(source.served.references())


def test_what_fails_in_one_goes_no_further(namespace, operate, source, targets, project):
    operate()
    source.begin(*CHAIN)
    current(source, targets, "people")
    targets["dev"].execute("CREATE TABLE orders (id integer)")
    project.table("0002-orders")
    project.commit("Orders")
    source.push()
    namespace.until("Environment", "dev", "Stalled", reason="Failed")
    waits(namespace, "staging", "dev", "0002-orders")
    waits(namespace, "production", "staging", "0002-orders")
    assert targets["staging"].tables() == targets["production"].tables() == {"people"}
    targets["dev"].execute("DROP TABLE orders")
    namespace.patch("Environment", "dev", {"metadata": {"annotations": {"whimbrel.dev/requestedAt": "now"}}})
    current(source, targets, "people", "orders")


def test_a_predecessor_that_is_run_by_another_operator_is_heard_of(kubernetes, namespace, operate_in, source, targets):
    """Its records come with the repository. Nobody asks for another look here."""
    operate_in(namespace, POD_NAME="here")
    namespace.apply("GitSource", "shop", {"url": source.address, "interval": "1s"})
    source.follow("staging")
    waits(namespace, "staging", "dev", "0001-people")
    elsewhere = kubernetes.namespace()
    operate_in(elsewhere, POD_NAME="there")
    elsewhere.apply("GitSource", "shop", {"url": source.address, "interval": "1h"})
    elsewhere.apply("Environment", "dev", {"sourceRef": {"name": "shop"}})
    elsewhere.until("Environment", "dev", "Ready", reason="Current")
    source.until("staging", "Current")
    assert targets["staging"].tables() == {"people"}
