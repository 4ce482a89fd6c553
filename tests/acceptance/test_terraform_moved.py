"""Databases whose address is said in the provider's own configuration: another address is another database."""

import json
import sqlite3

import pytest
from support.terraform import WHIMBREL, Terraform
from test_terraform import environment

MIGRATION = "whimbrel_migration.people"
ENVIRONMENT = "whimbrel_environment.shop"


@pytest.fixture
def terraform(binary, tmp_path):
    """Terraform with the product as its provider."""
    return Terraform(tmp_path / "terraform", binary, WHIMBREL)


def said(address, name="main"):
    """The provider's block of a database."""
    return f'  database {{\n    environment = "dev"\n    name = "{name}"\n    url = "{address}"\n  }}\n'


def people(*, on_destroy="keep"):
    """A migration that leaves it to the provider where its database is."""
    return (
        'resource "whimbrel_migration" "people" {\n  environment = "dev"\n  name = "0001-people"\n'
        '  up = "CREATE TABLE people (id bigint)"\n  down = "DROP TABLE people"\n'
        f'  allow_destructive = true\n  on_destroy = "{on_destroy}"\n}}\n'
    )


def tables(folder, name):
    """The tables of a database but the history's."""
    with sqlite3.connect(folder / name) as connection:
        found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {table for (table,) in found if not table.startswith(("whimbrel_", "sqlite_"))}


def replaced(terraform, address):
    """Why a plan makes a resource anew."""
    (change,) = [one for one in terraform.plan()["resource_changes"] if one["address"] == address]
    assert change["change"]["actions"] == ["delete", "create"], change
    return change["change"]["replace_paths"]


def test_a_migration_is_made_where_the_provider_says_now(terraform):
    terraform.write(people(), provider=said("sqlite:a.db"))
    terraform.apply()
    assert terraform.state()[MIGRATION]["target"] == "sqlite:a.db"
    terraform.write(people(), provider=said("sqlite:b.db"))
    assert replaced(terraform, MIGRATION) == [["target"]]
    assert '"sqlite:a.db" -> "sqlite:b.db" # forces replacement' in terraform.run("plan", "-no-color").out
    terraform.apply()
    assert terraform.state()[MIGRATION]["target"] == "sqlite:b.db"
    assert tables(terraform.folder, "a.db") == tables(terraform.folder, "b.db") == {"people"}
    assert terraform.actions() == {}


def test_an_environment_is_brought_where_the_provider_says_now(terraform, project, sqlite):
    project.environment("dev", {"shop": sqlite.url})
    project.table("0001-people")
    project.commit()
    terraform.write(environment(project), provider=said("sqlite://${path.cwd}/a.db", "shop"))
    terraform.apply()
    assert terraform.state()[ENVIRONMENT]["targets"] == {"shop": f"sqlite://{terraform.folder}/a.db"}
    terraform.write(environment(project), provider=said("sqlite://${path.cwd}/b.db", "shop"))
    assert replaced(terraform, ENVIRONMENT) == [["targets"]]
    terraform.apply()
    assert tables(terraform.folder, "a.db") == tables(terraform.folder, "b.db") == {"people"}
    assert terraform.actions() == {}
    # So it is when it is said no more: the environment's own word counts then.
    terraform.write(environment(project), provider="")
    assert replaced(terraform, ENVIRONMENT) == [["targets"]]
    terraform.apply()
    assert sqlite.tables() == {"people"} and terraform.actions() == {}


def test_what_ends_is_what_was_made_and_not_what_is_elsewhere(terraform):
    terraform.write(people(on_destroy="revert"), provider=said("sqlite:a.db"))
    terraform.apply()
    terraform.write(people(on_destroy="revert"), provider=said("sqlite:b.db"))
    terraform.apply()
    assert (tables(terraform.folder, "a.db"), tables(terraform.folder, "b.db")) == (set(), {"people"})
    # Another state made the same elsewhere; that one stays when the address is changed and the resource is dropped at once.
    kept = (terraform.folder / "terraform.tfstate").read_text()
    (terraform.folder / "terraform.tfstate").unlink()
    terraform.write(people(), provider=said("sqlite:c.db"))
    terraform.apply()
    (terraform.folder / "terraform.tfstate").write_text(kept)
    terraform.write("", provider=said("sqlite:c.db"))
    terraform.apply()
    assert (tables(terraform.folder, "b.db"), tables(terraform.folder, "c.db")) == (set(), {"people"})


def test_a_state_that_does_not_say_where_it_is_stays_what_it_is(terraform):
    terraform.write(people(), provider=said("sqlite:a.db"))
    terraform.apply()
    state = json.loads((terraform.folder / "terraform.tfstate").read_text())
    del state["resources"][0]["instances"][0]["attributes"]["target"]
    (terraform.folder / "terraform.tfstate").write_text(json.dumps(state))
    assert terraform.actions() == {}
    terraform.apply()
    assert terraform.state()[MIGRATION]["target"] == "sqlite:a.db"


def test_a_state_without_attributes_that_came_later_is_taken_as_it_is(terraform, project, sqlite):
    project.environment("dev", {"shop": sqlite.url})
    project.table("0001-people")
    project.commit()
    terraform.write(environment(project), provider=said("sqlite://${path.cwd}/a.db", "shop"))
    terraform.apply()
    kept = terraform.state()[ENVIRONMENT]
    state = json.loads((terraform.folder / "terraform.tfstate").read_text())
    attributes = state["resources"][0]["instances"][0]["attributes"]
    # As it is of a provider that didn't have them yet. What one had that there isn't any more, Terraform itself leaves out.
    for name in ("targets", "drift", "migrations"):
        del attributes[name]
    (terraform.folder / "terraform.tfstate").write_text(json.dumps(state))
    assert terraform.actions() == {}
    terraform.apply()
    assert terraform.state()[ENVIRONMENT] == kept


def test_how_one_connects_makes_nothing_anew(terraform, postgres):
    terraform.write(people(), provider=reached(postgres))
    terraform.apply()
    terraform.write(people(), provider=reached(postgres, "&sslmode=disable"))
    assert terraform.actions() == {}
    terraform.apply()
    assert "sslmode=disable" in terraform.state()[MIGRATION]["target"]


def reached(target, options=""):
    """The provider's block of a database of a server, with who connects."""
    block = said(f"{target.url}{options}")
    for part, reference in target.url.references.items():
        key = f"#{reference['key']}" if "key" in reference else ""
        block = block.replace("  }\n", f'    {part} = "secret://{reference["secret"]}/{reference["path"]}{key}"\n  }}\n')
    return block
