"""`controlRef` and `branch`: what an environment is, and what may run there, is not decided by the change at hand."""

import pytest
from support.product import FAILED, REFUSED
from support.target import SqliteTarget
from support.terraform import WHIMBREL, Terraform
from test_terraform import environment

PRODUCTION = ("--environment", "production")


@pytest.fixture
def shop(project, target):
    """Production follows `main`; dev belongs to whoever has the folder."""
    project.environment("production", {"shop": target.url}, branch="main")
    project.environment("dev", {"shop": "sqlite:var/dev.db"})
    project.table("0001-people")
    project.commit("People")
    return target


def test_what_is_on_the_branch_runs(whimbrel, project, shop):
    ended = whimbrel.run("apply", *PRODUCTION)
    assert "read from" not in ended.err
    assert shop.tables() == {"people"}


def test_a_feature_branch_is_planned_and_not_applied(whimbrel, project, shop):
    project.git("checkout", "--quiet", "-b", "feature")
    project.table("0002-orders")
    project.commit("Orders")
    plan = whimbrel.run("plan", *PRODUCTION)
    assert "0002-orders" in plan.out
    assert "would be refused: branch" in plan.out
    ended = whimbrel.run("apply", *PRODUCTION, code=REFUSED)
    assert "`production` follows `main`" in ended.err
    assert shop.tables() == set()
    whimbrel.run("apply", "--environment", "dev")
    project.git("checkout", "--quiet", "main")
    project.git("merge", "--quiet", "feature")
    whimbrel.run("apply", *PRODUCTION)
    assert shop.tables() == {"people", "orders"}


def test_changes_without_a_commit_are_refused_unless_somebody_answers_for_them(whimbrel, project, shop):
    project.table("0002-orders")
    ended = whimbrel.run("apply", *PRODUCTION, code=REFUSED)
    assert "no commit has" in ended.err
    whimbrel.run("apply", *PRODUCTION, "--override", "branch", "--reason", "the night of the outage")
    assert shop.tables() == {"people", "orders"}
    assert "the night of the outage" in whimbrel.run("history", *PRODUCTION).out


def test_a_change_can_not_send_production_elsewhere(whimbrel, project, shop):
    project.git("checkout", "--quiet", "-b", "hostile")
    stolen = SqliteTarget(project, "stolen")
    project.environment("production", {"shop": stolen.url})
    project.declare(controlRef="hostile")
    project.table("0002-orders")
    project.commit("Hostile")
    for location in ((), ("--project", f"{project.folder}@hostile")):
        ended = whimbrel.run("apply", *PRODUCTION, *location, code=REFUSED)
        assert "read from `main`" in ended.err
    assert not stolen.file.exists()
    assert shop.tables() == set()


def test_dev_is_what_the_folder_says(whimbrel, project, shop):
    project.git("checkout", "--quiet", "-b", "feature")
    mine = SqliteTarget(project, "mine")
    project.environment("dev", {"shop": mine.url})
    whimbrel.run("apply", "--environment", "dev")
    assert mine.tables() == {"people"}


def test_tags_drive_an_environment(whimbrel, project, target):
    project.environment("production", {"shop": target.url}, branch="v*")
    project.table("0001-people")
    project.commit("People")
    whimbrel.run("apply", *PRODUCTION, code=REFUSED)
    project.git("tag", "v1")
    whimbrel.run("apply", *PRODUCTION)
    assert target.tables() == {"people"}


def test_a_revert_by_name_may_be_asked_for_from_anywhere(whimbrel, project, shop):
    whimbrel.run("apply", *PRODUCTION)
    project.git("checkout", "--quiet", "-b", "feature")
    project.commit("Nothing")
    whimbrel.run("revert", *PRODUCTION, "0001-people")
    assert shop.tables() == set()


def test_a_pipeline_insists_on_a_control_ref(whimbrel, project, shop):
    ended = whimbrel.run("plan", *PRODUCTION, "--control-ref", "trunk", code=FAILED)
    assert "`trunk`" in ended.err
    assert "git fetch origin trunk" in ended.err


def test_terraform_insists_on_a_control_ref_as_a_command_does(binary, project, sqlite, tmp_path):
    other = SqliteTarget(project, "other")
    project.environment("dev", {"shop": sqlite.url}, branch="main")
    project.table("0001-people")
    project.commit()
    project.git("checkout", "--quiet", "-b", "said")
    project.environment("dev", {"shop": other.url}, branch="main")
    project.commit("Elsewhere")
    project.git("checkout", "--quiet", "main")
    terraform = Terraform(tmp_path / "terraform", binary, WHIMBREL)
    terraform.write(environment(project), provider="")
    refused = terraform.run("plan", "-no-color", code=1, WHIMBREL_CONTROL_REF="trunk")
    assert "`trunk`" in refused.err and "git fetch origin trunk" in refused.err
    terraform.apply(WHIMBREL_CONTROL_REF="said")
    assert (sqlite.tables(), other.tables()) == (set(), {"people"})
