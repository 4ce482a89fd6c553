"""The example that ships: brought through its environments on SQLite, and as it stands on PostgreSQL."""

import shutil

import pytest
from support.answers import digest, in_state
from support.product import REFUSED, ROOT, Whimbrel
from support.project import Project
from support.target import PostgresTarget

MIGRATIONS = 14


@pytest.fixture
def shop(binary, tmp_path):
    """A copy of examples/shop in a repository of its own."""
    project = Project.__new__(Project)
    project.folder = tmp_path / "copy"
    shutil.copytree(ROOT / "examples/shop", project.folder, ignore=shutil.ignore_patterns("var"))
    project.git("init", "--quiet", "--initial-branch=main")
    project.commit("The shop")
    return project, Whimbrel(binary, project.folder)


def test_through_its_environments(shop):
    project, whimbrel = shop
    whimbrel.run("lint")
    whimbrel.run("apply", "--environment", "dev")
    whimbrel.run("apply", "--environment", "production", code=REFUSED)
    whimbrel.run("apply", "--environment", "staging")
    whimbrel.run("promote", "staging", "production")
    plan = digest(whimbrel.json("plan", "--environment", "production", code=None))
    whimbrel.run("approve", plan, "--environment", "production", "--as", "grace@example.com")
    whimbrel.run("apply", "--environment", "production", "--plan", plan)
    for environment in ("dev", "staging", "production"):
        status = whimbrel.json("status", "--environment", environment)
        assert len(in_state(status, "applied")) == MIGRATIONS, environment


def test_nothing_in_it_looks_like_a_secret(shop):
    _, whimbrel = shop
    rules = {finding["rule"] for finding in whimbrel.json("lint")["findings"]}
    assert not rules & {"plain-text-credential", "high-entropy-text", "allowance"}


def test_on_postgresql(shop, cluster):
    project, whimbrel = shop
    shop_database, analytics = PostgresTarget(cluster), PostgresTarget(cluster)
    project.environment("postgres", {"shop": shop_database.url, "analytics": analytics.url}, extends="base")
    whimbrel.run("apply", "--environment", "postgres")
    assert shop_database.rows("SELECT count(*), count(total_cents) FROM orders") == [(240000, 240000)]
    assert analytics.rows("SELECT value FROM settings") == [("EUR",)]
    names = in_state(whimbrel.json("status", "--environment", "postgres"), "applied")
    reversible = [name for name in names if name in ("0013-order-overview", "0014-loyalty-points")]
    whimbrel.run("revert", "--environment", "postgres", *reversible)
    assert "loyalty_points" not in shop_database.tables()
