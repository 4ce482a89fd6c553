"""Environments of a project as resources of Terraform: the real `terraform` starts the product as its provider."""

import os
import signal

import pytest
from support.terraform import WHIMBREL, Terraform, drivers
from support.waiting import eventually

ADDRESS = "whimbrel_environment.shop"
# More than can be changed while a test looks away.
ROWS = 20_000


@pytest.fixture(params=drivers())
def terraform(request, binary, tmp_path):
    """Terraform, or OpenTofu, with the product as its provider."""
    return Terraform(tmp_path / "terraform", binary, WHIMBREL, request.param)


@pytest.fixture
def shop(project, dev):
    """A repository with two migrations for `dev`."""
    project.table("0001-people")
    project.table("0002-orders")
    project.commit()
    return project


def environment(project, *, ref="main", name="dev", more="", called="shop"):
    """The configuration of one environment."""
    reference = f'  ref = "{ref}"\n' if ref else ""
    return (
        f'resource "whimbrel_environment" "{called}" {{\n  source = "{project.folder}"\n{reference}'
        f'  environment = "{name}"\n{more}\n}}\n'
    )


def change(plan, address=ADDRESS):
    """What a plan says of a resource."""
    return next(one["change"] for one in plan["resource_changes"] if one["address"] == address)


def test_a_branch_is_followed(terraform, shop, dev):
    terraform.write(environment(shop), provider="")
    planned = change(terraform.plan())
    first = shop.git("rev-parse", "HEAD")
    assert planned["actions"] == ["create"]
    assert planned["after"]["revision"] == first
    assert planned["after"]["migrations"] == ["0001-people", "0002-orders"]
    assert dev.tables() == set()
    # The plan that was looked at is the one that is applied.
    terraform.run("apply", "-no-color", terraform.folder / "plan")
    assert dev.tables() == {"people", "orders"}
    kept = terraform.state()[ADDRESS]
    assert kept["id"] == f"{shop.folder},dev"
    assert (kept["revision"], kept["applied"], kept["pending"], kept["drift"]) == (first, 2, 0, 0)
    assert kept["plan"].startswith("sha256:")
    assert terraform.actions() == {}
    shop.table("0003-visits")
    second = shop.commit()
    planned = change(terraform.plan())
    assert planned["actions"] == ["update"]
    assert planned["after"]["migrations"] == ["0001-people", "0002-orders", "0003-visits"]
    terraform.apply()
    assert dev.tables() == {"people", "orders", "visits"}
    assert terraform.state()[ADDRESS]["revision"] == second
    assert terraform.actions() == {}


def test_a_revert_in_git_is_one_here(terraform, shop, dev):
    terraform.write(environment(shop), provider="")
    terraform.apply()
    shop.remove("migrations/0002-orders.yaml")
    shop.commit()
    assert change(terraform.plan())["after"]["migrations"] == ["0001-people"]
    terraform.apply()
    assert dev.tables() == {"people"}


def test_what_was_planned_is_applied_and_nothing_newer(terraform, shop, dev):
    terraform.write(environment(shop), provider="")
    terraform.apply()
    shop.table("0003-visits")
    planned = shop.commit()
    terraform.plan()
    shop.table("0004-reviews")
    shop.commit()
    terraform.run("apply", "-no-color", terraform.folder / "plan")
    assert dev.tables() == {"people", "orders", "visits"}
    assert terraform.state()[ADDRESS]["revision"] == planned
    assert terraform.actions() == {ADDRESS: ["update"]}


def test_a_first_plan_is_not_applied_to_something_newer(terraform, shop, dev):
    terraform.write(environment(shop), provider="")
    terraform.plan()
    shop.table("0003-visits")
    shop.commit()
    # Terraform asks again before it makes something, and finds something else than was looked at.
    terraform.run("apply", "-no-color", terraform.folder / "plan", code=1)
    assert dev.tables() == set()
    # What is pinned by a data source stays what it was.
    data = f'data "whimbrel_plan" "shop" {{\n  source = "{shop.folder}"\n  ref = "main"\n  environment = "dev"\n}}\n'
    pinned = environment(shop, ref="").replace("environment =", "ref = data.whimbrel_plan.shop.revision\n  environment =")
    terraform.write(data + pinned, provider="")
    terraform.plan()
    shop.table("0004-reviews")
    shop.commit()
    terraform.run("apply", "-no-color", terraform.folder / "plan")
    assert dev.tables() == {"people", "orders", "visits"}


def test_what_someone_else_applied_is_seen(terraform, whimbrel, shop, dev):
    first = shop.git("rev-parse", "HEAD")
    terraform.write(environment(shop, ref=first), provider="")
    terraform.apply()
    shop.table("0003-visits")
    second = shop.commit()
    whimbrel.run("apply", "--environment", "dev")
    plan = terraform.run("plan", "-no-color", code=1)
    assert "does not descend" in plan.err or "isn't there" in plan.err, plan
    terraform.write(environment(shop), provider="")
    terraform.apply()
    kept = terraform.state()[ADDRESS]
    assert (kept["revision"], kept["applied"]) == (second, 3)
    assert terraform.actions() == {}


def test_an_older_commit_is_refused(terraform, shop, dev):
    first = shop.git("rev-parse", "HEAD")
    shop.table("0003-visits")
    shop.commit()
    terraform.write(environment(shop), provider="")
    terraform.apply()
    terraform.write(environment(shop, ref=first), provider="")
    refused = terraform.apply(code=1)
    assert "0003-visits" in refused.err and "does not descend from that" in refused.err
    assert "revert it by name" in refused.err
    assert dev.tables() == {"people", "orders", "visits"}


def test_what_is_there_can_be_imported(terraform, whimbrel, shop, dev):
    whimbrel.run("apply", "--environment", "dev")
    terraform.write(environment(shop), provider="")
    terraform.run("import", ADDRESS, f"{shop.folder}@main,dev")
    assert terraform.state()[ADDRESS]["revision"] == shop.git("rev-parse", "HEAD")
    assert terraform.actions() == {}
    wrong = terraform.run("import", "-no-color", ADDRESS, "nothing", code=1)
    terraform.run("state", "rm", ADDRESS)
    wrong = terraform.run("import", "-no-color", ADDRESS, "nothing", code=1)
    assert "SOURCE,ENVIRONMENT" in wrong.err


@pytest.mark.parametrize("ref", ["main", ""])
def test_an_import_names_the_ref_that_is_followed_if_one_is(terraform, whimbrel, shop, dev, ref):
    whimbrel.run("apply", "--environment", "dev")
    terraform.write(environment(shop, ref=ref), provider="")
    source = f"{shop.folder}@{ref}" if ref else shop.folder
    terraform.run("import", ADDRESS, f"{source},dev")
    kept = terraform.state()[ADDRESS]
    assert (kept["ref"], kept["applied"], kept["migrations"]) == (ref or None, 2, ["0001-people", "0002-orders"])
    assert terraform.actions() == {}


@pytest.mark.parametrize("word", ["keep", "fail", "revert"])
def test_a_destroyed_environment(terraform, shop, dev, word):
    terraform.write(environment(shop, more=f'  on_destroy = "{word}"'), provider="")
    terraform.apply()
    if word == "fail":
        refused = terraform.run("plan", "-destroy", "-no-color", code=1)
        assert 'on_destroy = "fail"' in refused.err
        terraform.destroy(code=1)
        assert ADDRESS in terraform.state()
    else:
        terraform.destroy()
        assert terraform.state() == {}
    assert dev.tables() == (set() if word == "revert" else {"people", "orders"})


def test_another_environment_is_another_resource(terraform, shop, sqlite, dev):
    shop.environment("test", {"shop": "sqlite:var/test.db"})
    shop.commit()
    terraform.write(environment(shop), provider="")
    terraform.apply()
    terraform.write(environment(shop, name="test"), provider="")
    assert terraform.actions() == {ADDRESS: ["delete", "create"]}
    terraform.apply()
    assert dev.tables() == {"people", "orders"}
    assert terraform.state()[ADDRESS]["id"] == f"{shop.folder},test"


def test_a_database_that_is_made_by_the_same_apply(terraform, shop, sqlite):
    where = terraform.folder / "made"
    terraform.write(
        f'resource "terraform_data" "folder" {{\n  input = "sqlite://{where}/shop.db"\n'
        f'  provisioner "local-exec" {{\n    command = "mkdir {where}"\n  }}\n}}\n'
        + environment(shop, more=f'  databases = {{ shop = {{ url = terraform_data.folder.output }} }}'),
        provider="",
    )
    planned = change(terraform.plan())
    assert planned["after_unknown"]["revision"] and planned["after_unknown"]["migrations"]
    terraform.run("apply", "-no-color", terraform.folder / "plan")
    assert terraform.state()[ADDRESS]["applied"] == 2
    assert (where / "shop.db").exists() and sqlite.tables() == set()
    assert terraform.actions() == {}


def slow(terraform, project, target):
    """Applies a repository, which has a change then that takes twenty seconds."""
    project.environment("dev", {"shop": target.url})
    project.migration(
        "0001-people",
        "CREATE TABLE people (id bigint PRIMARY KEY, touched bigint NOT NULL DEFAULT 0)",
        f"INSERT INTO people (id) WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < {ROWS}) "
        "SELECT i FROM c",
    )
    project.commit()
    terraform.write(environment(project), provider="")
    terraform.apply()
    project.migration("0002-fill", {"uses": "backfill", "with": {
        "table": "people", "key": "id", "set": "touched = touched + 1", "batchSize": 100, "pause": "100ms",
    }})
    project.table("0003-orders")
    project.commit()


def touched(target):
    """How many rows the change has reached."""
    return target.rows("SELECT count(*) FROM people WHERE touched > 0")[0][0]


def shorten(target):
    """Leaves little to do of what the change hasn't reached, and gives how many rows there are then."""
    reached = touched(target)
    assert reached < ROWS / 2
    target.execute(f"DELETE FROM people WHERE id > {reached + 300}")
    return reached + 300


def test_an_environment_that_was_killed_goes_on(terraform, project, dev):
    slow(terraform, project, dev)
    started = terraform.start("apply", "-auto-approve", "-no-color")
    eventually(lambda: touched(dev) >= 300, "some batches are committed")
    os.killpg(started.pid, signal.SIGKILL)
    terraform.end(started, code=-9)
    left = shorten(dev)
    # A killed terraform leaves its own lock behind.
    terraform.apply("-lock=false")
    assert dev.rows("SELECT touched, count(*) FROM people GROUP BY touched") == [(1, left)]
    assert terraform.state()[ADDRESS]["pending"] == 0
    assert terraform.actions() == {}


def test_what_is_to_be_done_can_be_read(terraform, shop, dev):
    data = (
        'data "whimbrel_KIND" "shop" {\n' f'  source = "{shop.folder}"\n  ref = "main"\n  environment = "dev"\n}}\n'
    )
    terraform.write(
        data.replace("KIND", "plan") + data.replace("KIND", "status")
        + 'output "plan" { value = data.whimbrel_plan.shop }\noutput "status" { value = data.whimbrel_status.shop }\n',
        provider="",
    )
    # Whoever looks at the plan sees the statements.
    said = terraform.run("plan", "-no-color").said
    assert "CREATE TABLE people" in said and "shop/0002-orders" in said
    terraform.apply()
    plan, status = terraform.outputs()["plan"], terraform.outputs()["status"]
    assert plan["stand"] == "pending" and plan["pending"] == ["shop/0001-people", "shop/0002-orders"]
    assert "CREATE TABLE people" in plan["text"] and plan["digest"].startswith("sha256:")
    assert (status["applied"], status["pending"], status["failed"], status["migrations"]) == (0, 2, 0, [])
    assert dev.tables() == set()


def test_what_is_worth_a_second_look_is_said(terraform, project, postgres):
    project.environment("dev", {"shop": postgres.url})
    project.table("0001-people")
    project.migration("0002-by-name", "CREATE INDEX people_by_id ON people (id)")
    project.commit()
    data = (
        f'data "whimbrel_plan" "shop" {{\n  source = "{project.folder}"\n  ref = "main"\n  environment = "dev"\n}}\n'
        'output "findings" { value = data.whimbrel_plan.shop.findings }\n'
    )
    terraform.write(data + environment(project), provider="")
    said = " ".join(terraform.run("plan", "-no-color").said.split())
    terraform.apply("-target", "data.whimbrel_plan.shop")
    findings = terraform.outputs()["findings"]
    assert any("index creation" in finding for finding in findings), findings
    # The resource's own plan says each of them.
    for finding in findings:
        assert finding in said, said


def test_gates_hold_here_too(terraform, whimbrel, shop, dev):
    shop.environment("dev", {"shop": dev.url}, policy={"apply": "Approve"})
    shop.commit()
    terraform.write(environment(shop), provider="")
    said = terraform.run("plan", "-no-color").said
    assert "approval" in said
    refused = terraform.apply(code=1)
    assert "approval" in refused.err and dev.tables() == set()
    digest = change(terraform.plan())["after"]["plan"]
    whimbrel.run("approve", "--environment", "dev", digest, "--as", "grace@example.com")
    terraform.apply()
    assert dev.tables() == {"people", "orders"}


def test_what_is_wrong_says_where(terraform, shop, dev):
    terraform.write(environment(shop, more='  on_destroy = "drop"'), provider="")
    wrong = terraform.run("plan", "-no-color", code=1)
    assert "expected `keep`, `fail` or `revert`, found `drop`" in wrong.err and "on_destroy =" in wrong.err
    terraform.write(environment(shop, name="prod"), provider="")
    wrong = terraform.run("plan", "-no-color", code=1)
    assert "there is no environment called `prod`" in wrong.err
    terraform.write(environment(shop, ref="nowhere"), provider="")
    wrong = terraform.run("plan", "-no-color", code=1)
    assert "nowhere" in wrong.err
    password = 'databases = { shop = { password = "hunter2" } }'
    terraform.write(environment(shop, more=password), provider="")
    wrong = terraform.run("plan", "-no-color", code=1)
    assert "expected a reference to the password" in wrong.err and "password_wo" in wrong.err
