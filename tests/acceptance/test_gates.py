"""Gates: promotion, approval, destructive statements, windows. A gate that says no leaves everything as it was."""

import datetime

import pytest
from support.answers import digest
from support.product import REFUSED

GRACE = "grace@example.com"


@pytest.fixture
def ways(project, whimbrel, target):
    """Staging before production, which wants approval; staging is SQLite, production is each dialect in turn."""
    project.environment("staging", {"shop": "sqlite:var/staging.db"})
    project.environment("production", {"shop": target.url}, policy={"apply": "Approve"}, after="staging")
    project.table("0001-people")
    project.commit("People")
    return target


def approve(whimbrel, environment="production", by=GRACE):
    """Approves the plan at hand as somebody else than the author; gives its digest."""
    plan = digest(whimbrel.json("plan", "--environment", environment, code=None))
    whimbrel.run("approve", plan, "--environment", environment, "--as", by)
    return plan


def test_production_takes_only_what_staging_has_applied(whimbrel, project, ways):
    ended = whimbrel.run("apply", "--environment", "production", code=REFUSED)
    assert "staging" in ended.said
    assert "0001-people" in ended.said
    assert ways.tables() == set()
    whimbrel.run("apply", "--environment", "staging")
    whimbrel.run("promote", "staging", "production")
    plan = approve(whimbrel)
    whimbrel.run("apply", "--environment", "production", "--plan", plan)
    assert ways.tables() == {"people"}


def test_byte_for_byte(whimbrel, project, ways):
    whimbrel.run("apply", "--environment", "staging")
    whimbrel.run("promote", "staging", "production")
    project.migration("0001-people", "CREATE TABLE people (id bigint, other text)")
    project.commit("Another text under the same name")
    ended = whimbrel.run("apply", "--environment", "production", code=REFUSED)
    assert "0001-people" in ended.said
    assert ways.tables() == set()


def test_an_approval_is_for_one_plan(whimbrel, project, ways):
    whimbrel.run("apply", "--environment", "staging")
    whimbrel.run("promote", "staging", "production")
    approve(whimbrel)
    project.table("0002-orders")
    project.commit("Orders")
    whimbrel.run("apply", "--environment", "staging")
    whimbrel.run("promote", "staging", "production")
    whimbrel.run("apply", "--environment", "production", code=REFUSED)
    assert ways.tables() == set()


def test_the_author_may_not_approve(whimbrel, project, ways):
    whimbrel.run("apply", "--environment", "staging")
    whimbrel.run("promote", "staging", "production")
    plan = digest(whimbrel.json("plan", "--environment", "production", code=None))
    whimbrel.run("approve", plan, "--environment", "production", "--as", "ada@example.com", code=None)
    whimbrel.run("apply", "--environment", "production", code=REFUSED)
    assert ways.tables() == set()


def test_only_those_named_may_approve(whimbrel, project, dev):
    project.environment("dev", {"shop": dev.url}, policy={"apply": "Approve", "approvers": ["grace@example.com"]})
    project.table("0001-people")
    project.commit("People")
    plan = digest(whimbrel.json("plan", "--environment", "dev"))
    whimbrel.run("approve", plan, "--environment", "dev", "--as", "mallory@example.com", code=None)
    whimbrel.run("apply", "--environment", "dev", code=REFUSED)
    whimbrel.run("approve", plan, "--environment", "dev", "--as", GRACE)
    whimbrel.run("apply", "--environment", "dev")
    assert dev.tables() == {"people"}


def test_an_approval_ends(whimbrel, project, dev):
    project.environment("dev", {"shop": dev.url}, policy={"apply": "Approve", "approvalTTL": "1s"})
    project.table("0001-people")
    project.commit("People")
    plan = approve(whimbrel, "dev")
    begun = datetime.datetime.now()
    while datetime.datetime.now() - begun < datetime.timedelta(seconds=1.5):
        pass
    whimbrel.run("apply", "--environment", "dev", "--plan", plan, code=REFUSED)
    assert dev.tables() == set()


def test_statements_that_lose_data_need_a_policy_that_lets_them(whimbrel, project, dev):
    project.environment("dev", {"shop": dev.url}, policy={"destructive": "Forbid"})
    project.table("0001-people")
    whimbrel.run("apply", "--environment", "dev")
    project.migration("0002-gone", "DROP TABLE people")
    ended = whimbrel.run("apply", "--environment", "dev", code=REFUSED)
    assert "0002-gone" in ended.said
    assert dev.tables() == {"people"}
    project.environment("dev", {"shop": dev.url}, policy={"destructive": "Confirm"})
    whimbrel.run("apply", "--environment", "dev", code=REFUSED)
    whimbrel.run("apply", "--environment", "dev", "--allow-destructive")
    assert dev.tables() == set()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_check_loses_no_data_past_the_policy(whimbrel, project, dev, when):
    project.environment("dev", {"shop": dev.url}, policy={"destructive": "Forbid"})
    project.migration("0001-people", "CREATE TABLE people (id bigint); INSERT INTO people VALUES (1)")
    whimbrel.run("apply", "--environment", "dev")
    project.migration("0002-orders", "CREATE TABLE orders (id bigint)", checks={
        when: [{"name": "nobody", "query": "DELETE FROM people RETURNING 0", "equals": 0}],
    })
    ended = whimbrel.run("apply", "--environment", "dev", code=REFUSED)
    assert "0002-orders.yaml:" in ended.said
    assert "check `nobody`: expected a query that only reads, found DELETE" in ended.said
    assert dev.rows("SELECT id FROM people") == [(1,)]
    assert dev.tables() == {"people"}


def test_outside_the_window_nothing_runs(whimbrel, project, dev):
    tomorrow = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=2)
    project.environment("dev", {"shop": dev.url}, policy={"window": f"{tomorrow:%a} 10:00-11:00 UTC"})
    project.table("0001-people")
    ended = whimbrel.run("apply", "--environment", "dev", code=REFUSED)
    assert "window" in ended.said
    assert dev.tables() == set()
    whimbrel.run("apply", "--environment", "dev", "--override", "window", "--reason", "an outage")
    assert dev.tables() == {"people"}
    assert "an outage" in str(whimbrel.json("history", "--environment", "dev"))


def test_an_override_needs_a_reason(whimbrel, project, dev):
    project.table("0001-people")
    ended = whimbrel.run("apply", "--environment", "dev", "--override", "window", code=None)
    assert ended.code != 0
    assert "reason" in ended.err
    assert dev.tables() == set()
