"""What somebody else did to a database between two plans: the real `terraform` shows it."""

import pytest
from support.terraform import WHIMBREL, Terraform, drivers
from test_terraform import ADDRESS, change, environment
from test_terraform_migrations import migration

ELSEWHERE = "since the state was written, by somebody else or by an apply that was cut short"


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


def shown(terraform):
    """A plan as people read it, its lines as one."""
    return " ".join(terraform.run("plan", "-no-color").said.replace("│", " ").split())


def drifted(plan):
    """What Terraform found otherwise than its state says."""
    return {one["address"]: one["change"] for one in plan.get("resource_drift", [])}


def test_what_somebody_else_applied_is_shown(terraform, whimbrel, shop, dev):
    terraform.write(environment(shop), provider="")
    terraform.apply()
    assert ELSEWHERE not in shown(terraform)
    first = shop.git("rev-parse", "HEAD")
    shop.table("0003-visits")
    second = shop.commit()
    whimbrel.run("apply", "--environment", "dev")
    assert f"applied {ELSEWHERE}: `0003-visits`" in (said := shown(terraform)), said
    plan = terraform.plan()
    seen = drifted(plan)[ADDRESS]
    assert (seen["before"]["revision"], seen["after"]["revision"]) == (first, second)
    assert (seen["before"]["applied"], seen["after"]["applied"]) == (2, 3)
    assert seen["after"]["migrations"] == ["0001-people", "0002-orders", "0003-visits"]
    # It is what was to be done anyway; an apply takes it over, and then there is nothing left to say.
    assert change(plan)["actions"] == ["no-op"]
    terraform.apply()
    assert terraform.state()[ADDRESS]["applied"] == 3
    assert ELSEWHERE not in shown(terraform)


def test_what_somebody_else_took_back_is_shown_and_applied_again(terraform, whimbrel, shop, dev):
    terraform.write(environment(shop), provider="")
    terraform.apply()
    whimbrel.run("revert", "--environment", "dev", "0002-orders")
    said = shown(terraform)
    assert f"taken back {ELSEWHERE}: `0002-orders`" in said, said
    assert "~ pending = 1 -> 0" in said and '+ "0002-orders"' in said, said
    plan = terraform.plan()
    seen = drifted(plan)[ADDRESS]
    assert (seen["before"]["pending"], seen["after"]["pending"]) == (0, 1)
    assert change(plan)["actions"] == ["update"]
    terraform.run("apply", "-no-color", terraform.folder / "plan")
    assert dev.tables() == {"people", "orders"}
    assert ELSEWHERE not in shown(terraform)


def test_an_edit_of_what_is_applied_is_counted_and_refused(terraform, whimbrel, shop, dev):
    data = f'data "whimbrel_status" "shop" {{\n  source = "{shop.folder}"\n  environment = "dev"\n}}\n'
    output = 'output "drift" { value = data.whimbrel_status.shop.drift }\n'
    terraform.write(environment(shop), provider="")
    terraform.apply()
    shop.migration("0002-orders", "CREATE TABLE orders (id bigint PRIMARY KEY, total bigint)")
    shop.commit()
    refused = terraform.run("plan", "-no-color", code=1)
    assert "0002-orders" in refused.err and "was edited after it was applied" in refused.err
    terraform.run("state", "rm", ADDRESS)
    terraform.write(data + output, provider="")
    terraform.apply()
    assert terraform.outputs() == {"drift": 1}


def test_a_single_migration_that_somebody_else_took_back(terraform, sqlite):
    terraform.write(migration(sqlite), provider="")
    terraform.apply()
    sqlite.execute("DELETE FROM whimbrel_migration; DROP TABLE people;")
    said = shown(terraform)
    assert "It is gone since the state was written with whimbrel_migration.people" in said, said
    assert "# whimbrel_migration.people will be created" in said, said
    assert drifted(terraform.plan())["whimbrel_migration.people"]["actions"] == ["delete"]
    terraform.apply()
    assert "It is gone" not in shown(terraform)
