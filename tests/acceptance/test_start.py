"""A newcomer: init, new, lint, plan and apply in an empty folder; schemas and completions for the editor and shell."""

import json
import sqlite3

import jsonschema
import pytest
from support.answers import digest
from support.product import FAILED, REFUSED, USAGE, Whimbrel
from support.project import Project
from support.target import SqliteTarget


@pytest.fixture
def empty(binary, tmp_path):
    """The product in an empty folder."""
    folder = tmp_path / "fresh"
    folder.mkdir()
    return Whimbrel(binary, folder)


def test_a_fresh_project_can_be_applied_at_once(empty):
    empty.run("init")
    assert (empty.folder / "whimbrel.yaml").is_file()
    assert (empty.folder / "environments/dev.yaml").is_file()
    empty.run("new", "create-people")
    written = [path for path in (empty.folder / "migrations").rglob("*") if "create-people" in path.name]
    assert len(written) == 1, written
    empty.run("lint")
    empty.run("plan", "--environment", "dev")


def test_init_overwrites_nothing(empty):
    (empty.folder / "whimbrel.yaml").write_text("mine\n")
    refused = empty.run("init", code=None)
    assert refused.code != 0
    assert "whimbrel.yaml" in refused.said
    assert (empty.folder / "whimbrel.yaml").read_text() == "mine\n"


def test_new_migrations_come_after_those_that_exist(whimbrel, project, dev):
    project.table("0041-people")
    whimbrel.run("new", "add-email")
    names = sorted(path.name for path in (project.folder / "migrations").iterdir())
    assert len(names) == 2
    assert names[0].startswith("0041-people")
    assert "add-email" in names[1]


def test_a_new_migration_that_does_nothing_is_refused_or_harmless(whimbrel, project, dev):
    project.table("0001-people")
    whimbrel.run("new", "add-email")
    ended = whimbrel.run("apply", "--environment", "dev", code=None)
    assert ended.code in (0, 1, 3), ended
    assert "panicked" not in ended.said


@pytest.mark.parametrize("kind", ["Project", "Environment", "Migration"])
def test_the_schemas_accept_what_the_product_accepts(whimbrel, project, dev, kind):
    project.migration("0001-people", ("CREATE TABLE people (id bigint)", "DROP TABLE people"))
    files = {
        "Project": "whimbrel.yaml", "Environment": "environments/dev.yaml", "Migration": "migrations/0001-people.yaml",
    }
    whimbrel.run("lint")
    schema = whimbrel.run("schema", kind.lower()).json()
    jsonschema.Draft202012Validator.check_schema(schema)
    document = json.loads((project.folder / files[kind]).read_text())
    jsonschema.validate(document, schema)
    document["spec"]["nonsense"] = True
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions_know_the_commands(whimbrel, shell):
    script = whimbrel.run("completions", shell).out
    assert "whimbrel" in script
    assert "promote" in script


def test_help_names_every_command(whimbrel):
    text = whimbrel.run("--help").out
    for command in ("init new lint plan apply approve promote revert status history baseline verify unlock adopt wait "
                    "plugin schema completions").split():
        assert command in text, command


def test_the_version_is_said(whimbrel):
    assert whimbrel.run("--version").out.startswith("whimbrel ")


def test_an_unknown_command_is_a_usage_error_with_a_suggestion(whimbrel):
    ended = whimbrel.run("aply", code=USAGE)
    assert "apply" in ended.err
    assert ended.out == ""


def test_a_missing_project_says_where_it_looked(empty):
    ended = empty.run("plan", "--environment", "dev", code=FAILED)
    assert "whimbrel.yaml" in ended.err


def test_a_project_elsewhere_is_named_by_its_folder(binary, whimbrel, project, sqlite, tmp_path):
    project.environment("dev", {"shop": sqlite.url})
    project.table("0001-people")
    elsewhere = Whimbrel(binary, tmp_path)
    elsewhere.run("apply", "--environment", "dev", "--project", project.folder)
    # Relative paths of SQLite files start at the project, wherever the command was typed.
    connection = sqlite3.connect(sqlite.file)
    assert connection.execute("SELECT count(*) FROM people").fetchall() == [(0,)]
    connection.close()


def test_the_tour_of_the_readme(empty):
    """What README.md asks a newcomer to type, and what it says about it."""
    project = Project.__new__(Project)
    project.folder = empty.folder
    project.git("init", "--quiet", "--initial-branch=main")
    empty.run("init")
    empty.run("new", "create-customers")
    migration = "migrations/0002-create-customers.sql"
    assert (empty.folder / migration).is_file()
    project.plain("0002-create-customers", "CREATE TABLE customers (id bigint PRIMARY KEY, name text NOT NULL);",
                  "DROP TABLE customers;")
    empty.run("lint")
    empty.run("plan", "--environment", "dev")
    project.commit("Customers")
    dev = SqliteTarget(project, "dev")
    empty.run("apply", "--environment", "dev")
    assert dev.tables() == {"notes", "customers"}
    empty.run("revert", "--environment", "dev", "create-customers")
    assert dev.tables() == {"notes"}
    empty.run("apply", "--environment", "dev")
    project.git("rm", "--quiet", migration)
    project.commit("No customers")
    empty.run("apply", "--environment", "dev")
    assert dev.tables() == {"notes"}
    empty.run("apply", "--environment", "production", code=REFUSED)
    plan = digest(empty.json("plan", "--environment", "production"))
    empty.run("approve", plan, "--environment", "production", "--as", "grace@example.com")
    empty.run("apply", "--environment", "production", "--plan", plan)
    assert SqliteTarget(project, "production").tables() == {"notes"}
