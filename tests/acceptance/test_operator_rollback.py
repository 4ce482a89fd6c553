"""Rollback by Git: a `git revert` is pushed, and what it takes back goes from the database and from the cluster."""

import pytest
from support.kubernetes_sources import Followed, told
from support.waiting import eventually

BOTH = {("dev", "0001-people"), ("dev", "0002-orders")}
LEFT = {("dev", "0001-people")}


@pytest.fixture
def source(namespace, operate, http, served, project, shop):
    """A repository whose second migration is applied; how it says what a revert does."""
    def of(**policy):
        if policy:
            project.environment("dev", {"shop": f"sqlite:{shop.file}"}, policy=policy)
        project.table("0002-orders")
        project.commit("Orders")
        served.push()
        operate()
        source = Followed(namespace, http, served).begin("dev")
        source.until("dev", "Current")
        eventually(lambda: source.objects() == BOTH, "both are objects")
        assert shop.tables() == {"people", "orders"}
        return source
    return of


def test_a_git_revert_takes_a_migration_back(namespace, source, project, shop):
    source = source()
    project.git("revert", "--no-edit", "HEAD")
    source.push()
    status = source.until("dev", "Current")
    assert shop.tables() == {"people"}
    assert (status["applied"], status["pending"], status["failed"]) == (1, 0, 0)
    [database] = status["databases"]
    assert (database["applied"], database["pending"], database["failed"]) == (1, 0, 0)
    eventually(lambda: source.objects() == LEFT, "its object is gone")
    assert told(shop, "reverted") == {"0002-orders": 1}
    # What is taken back in turn comes back, to the database and to the cluster.
    project.git("revert", "--no-edit", "HEAD")
    source.push()
    source.until("dev", "Current")
    assert shop.tables() == {"people", "orders"}
    eventually(lambda: source.objects() == BOTH, "it is an object again")
    assert told(shop, "applied") == {"0001-people": 1, "0002-orders": 2}


def test_a_git_revert_waits_for_its_approval(namespace, source, project, shop):
    source = source(onRevert="Approve", approvers=["ann"])
    project.git("revert", "--no-edit", "--no-commit", "HEAD")
    # The policy came with the same commit, and stays.
    project.git("checkout", "HEAD", "--", "environments")
    project.commit("No orders")
    source.push()
    plan = source.until("dev", "ApprovalRequired")["plan"]
    assert shop.tables() == {"people", "orders"} and source.objects() == BOTH
    namespace.apply("Approval", "yes", {"environmentRef": {"name": "dev"}, "plan": plan, "approver": "ann"})
    namespace.until("Approval", "yes", "Succeeded", reason="Recorded")
    assert "plan" not in source.until("dev", "Current")
    assert shop.tables() == {"people"}
    eventually(lambda: source.objects() == LEFT, "its object is gone")
    assert told(shop, "reverted") == {"0002-orders": 1}
