"""A database of a real server that is made by the same apply as what is in it: its address is unknown when that is planned."""

import pytest
from support.postgres import program
from support.terraform import WHIMBREL, Terraform
from test_terraform import environment

MIGRATION, ENVIRONMENT = "whimbrel_migration.people", "whimbrel_environment.shop"


@pytest.fixture
def terraform(binary, tmp_path):
    """Terraform with the product as its provider."""
    return Terraform(tmp_path / "terraform", binary, WHIMBREL)


@pytest.fixture
def later(terraform, cluster):
    """The configuration of a database that isn't there yet, and how it is reached when it is: its name and both."""
    name = f"later_of_{cluster.create_database()}"
    url = cluster.url(name)
    terraform.variables["PGPASSWORD"] = cluster.password(cluster.user)
    text = (
        f'resource "terraform_data" "database" {{\n  input = "{url}"\n  provisioner "local-exec" {{\n'
        f'    command = "{program("createdb")} --host {cluster.folder} --username {cluster.user} {name}"\n  }}\n}}\n'
    )
    said = "    url = terraform_data.database.output\n"
    for part, reference in url.references.items():
        key = f"#{reference['key']}" if "key" in reference else ""
        said += f'    {part} = "secret://{reference["secret"]}/{reference["path"]}{key}"\n'
    return name, text, said


def tables(cluster, name):
    """The user's tables in a database."""
    with cluster.connect(name) as connection:
        rows = connection.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
        return {table for (table,) in rows}


def planned(terraform):
    """What a plan says of each resource that is to be made."""
    changes = terraform.plan()["resource_changes"]
    assert [one["change"]["actions"] for one in changes] == [["create"]] * len(changes)
    return {one["address"]: one["change"] for one in changes}


MADE = 'resource "whimbrel_migration" "people" {{\n  environment = "dev"\n  name = "0001-people"\n' \
       '  up = "CREATE TABLE people (id bigint PRIMARY KEY)"\n  down = "DROP TABLE people"\n' \
       '  on_destroy = "revert"\n  allow_destructive = true\n{said}}}\n'


@pytest.mark.parametrize("by", ["the resource", "the provider"])
def test_a_migration_of_a_database_that_is_made_with_it(terraform, cluster, later, by):
    name, text, said = later
    block = f'  database {{\n    environment = "dev"\n    name = "main"\n{said}  }}\n'
    own, provider = (said, "") if by == "the resource" else ("", block)
    terraform.write(text + MADE.format(said=own), provider=provider)
    change = planned(terraform)[MIGRATION]
    assert change["after_unknown"]["target"] and change["after_unknown"]["checksum"]
    assert name not in cluster.databases()
    terraform.run("apply", "-no-color", terraform.folder / "plan")
    assert tables(cluster, name) == {"people"}
    assert name in terraform.state()[MIGRATION]["target"]
    assert terraform.actions() == {}
    terraform.destroy("-target", MIGRATION)
    assert tables(cluster, name) == set()


@pytest.mark.parametrize("by", ["the resource", "the provider"])
def test_an_environment_of_a_database_that_is_made_with_it(terraform, cluster, later, project, sqlite, by):
    name, text, said = later
    project.table("0001-people")
    project.environment("dev", {"shop": sqlite.url})
    project.commit()
    block = f'  database {{\n    environment = "dev"\n    name = "shop"\n{said}  }}\n'
    own, provider = (f"  databases = {{ shop = {{\n{said}  }} }}\n", "") if by == "the resource" else ("", block)
    terraform.write(text + environment(project, more=own), provider=provider)
    change = planned(terraform)[ENVIRONMENT]
    assert change["after_unknown"]["revision"] and change["after_unknown"]["targets"]
    assert name not in cluster.databases()
    terraform.run("apply", "-no-color", terraform.folder / "plan")
    assert tables(cluster, name) == {"people"} and sqlite.tables() == set()
    assert terraform.state()[ENVIRONMENT]["applied"] == 1
    assert terraform.actions() == {}
