"""Single migrations as resources of Terraform."""

import os
import shutil
import signal
import socket
import zipfile

import psycopg
import psycopg.sql
import pytest
from support.canary import Canary
from support.evidence import SUITE, Evidence
from support.project import Project
from support.terraform import WHIMBREL, Terraform, drivers

ADDRESS = "whimbrel_migration.people"


@pytest.fixture(params=drivers())
def terraform(request, binary, tmp_path):
    """Terraform, or OpenTofu, with the product as its provider."""
    return Terraform(tmp_path / "terraform", binary, WHIMBREL, request.param)


def reached(target):
    """What a resource says of its database."""
    said = {"environment": "dev", "url": f"sqlite://{target.file}" if target.dialect == "sqlite" else target.url}
    for part, reference in getattr(target.url, "references", {}).items():
        key = f"#{reference['key']}" if "key" in reference else ""
        said[part] = f"secret://{reference['secret']}/{reference['path']}{key}"
    return "".join(f'  {name} = "{value}"\n' for name, value in said.items())


def migration(target, name="0001-people", table="people", *, up=None, more="", called="people"):
    """The configuration of one migration, which makes a table."""
    up = up or f"CREATE TABLE {table} (id bigint PRIMARY KEY)"
    return (
        f'resource "whimbrel_migration" "{called}" {{\n{reached(target)}  name = "{name}"\n  up = "{up}"\n'
        f'  down = "DROP TABLE {table}"\n{more}\n}}\n'
    )


def test_a_life(terraform, target):
    terraform.write(migration(target), provider="")
    assert terraform.actions() == {ADDRESS: ["create"]}
    assert target.tables() == set()
    terraform.apply()
    assert target.tables() == {"people"}
    kept = terraform.state()[ADDRESS]
    assert kept["id"] == "dev,main,0001-people" and kept["checksum"].startswith("w1:") and kept["applied_at"]
    assert terraform.actions() == {}
    orders = migration(target, "0002-orders", "orders", called="orders")
    terraform.write(migration(target) + orders, provider="")
    terraform.apply()
    assert target.tables() == {"people", "orders"}
    terraform.write(migration(target), provider="")
    terraform.apply()
    # Gone from Terraform, and still there: `on_destroy` is `keep`.
    assert target.tables() == {"people", "orders"}
    terraform.write(migration(target) + orders, provider="")
    terraform.apply()
    assert len(target.rows(f"SELECT 1 FROM {target.history}migration")) == 2


def test_what_is_applied_is_never_edited(terraform, target):
    terraform.write(migration(target), provider="")
    terraform.apply()
    # Other words for the same are the same.
    terraform.write(migration(target, up="create table people (id bigint primary key)"), provider="")
    edited = terraform.run("plan", "-no-color", code=1)
    assert "was edited after it was applied" in edited.err
    assert target.tables() == {"people"}


@pytest.mark.parametrize("word", ["keep", "fail", "revert"])
def test_a_destroyed_migration(terraform, target, word):
    more = f'  on_destroy = "{word}"\n  allow_destructive = true'
    terraform.write(migration(target, more=more), provider="")
    terraform.apply()
    if word == "fail":
        refused = terraform.destroy(code=1)
        assert 'on_destroy = "fail"' in refused.err
    else:
        terraform.destroy()
    assert target.tables() == (set() if word == "revert" else {"people"})


def test_what_was_reverted_elsewhere_is_made_again(terraform, sqlite):
    terraform.write(migration(sqlite), provider="")
    terraform.apply()
    sqlite.execute("DELETE FROM whimbrel_migration; DROP TABLE people;")
    assert terraform.actions() == {ADDRESS: ["create"]}
    terraform.apply()
    assert sqlite.tables() == {"people"}


def test_many_at_once_are_each_applied_once(terraform, target):
    many = [
        migration(target, f"{number:04}-t", f"t{number}", called=f"m{number}") for number in range(30)
    ]
    terraform.write("".join(many), provider="")
    terraform.apply()
    assert target.tables() == {f"t{number}" for number in range(30)}
    assert terraform.actions() == {}


def test_a_password_is_in_no_state(terraform, cluster, postgres):
    """Nor in a plan, in any form, nor in what the provider logs."""
    canary = Canary.hatch("a password of Terraform")
    user = f"shop_of_{postgres.name}"
    with cluster.connect(postgres.name) as connection:
        quoted = psycopg.sql.Literal(canary.value)
        connection.execute(psycopg.sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} SUPERUSER").format(
            psycopg.sql.Identifier(user), quoted))
    words = f'  username = "{user}"\n  password_wo = var.password\n'
    provider = (
        '  database {\n    environment = "dev"\n    name = "main"\n    password = var.password\n  }\n'
    )
    variable = 'variable "password" {\n  ephemeral = true\n}\n'
    terraform.variables["TF_VAR_password"] = canary.value
    own = f'  environment = "dev"\n  url = "postgres://localhost/{postgres.name}?host={cluster.folder}"\n'
    text = migration(postgres, more=words).replace(reached(postgres), own)
    terraform.write(text + variable, provider=provider)
    log = terraform.folder / "log"
    terraform.plan(TF_LOG_PROVIDER="trace", TF_LOG_PATH=str(log))
    left = Evidence()
    left.watch(terraform.folder)
    try:
        assert zipfile.is_zipfile(terraform.folder / "plan")
        terraform.apply(TF_LOG_PROVIDER="trace", TF_LOG_PATH=str(log))
        assert terraform.actions() == {}
        assert log.stat().st_size > 0
        assert left.search([canary]) == []
        # What is looked for would be found.
        with zipfile.ZipFile(SUITE.given(terraform.folder / "planted"), "w", zipfile.ZIP_DEFLATED) as planted:
            planted.writestr("inside", canary.value * 9)
        assert len(left.search([canary])) > 0
    finally:
        left.remove()


def test_an_interrupt_ends_a_look_at_a_database_that_does_not_answer(terraform):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        url = f"postgres://127.0.0.1:{silent.getsockname()[1]}/shop"
        terraform.write(
            'resource "whimbrel_migration" "people" {\n  environment = "dev"\n  name = "0001-people"\n'
            f'  url = "{url}"\n  up = "SELECT 1"\n  down = "SELECT 1"\n}}\n', provider="")
        planning = terraform.start("plan", "-no-color")
        connection, _ = silent.accept()
        with connection:
            os.killpg(planning.pid, signal.SIGINT)
            ended = terraform.end(planning, ["plan"], code=1)
    assert "asked to stop" in ended.err, ended


def test_a_migration_is_of_no_repository(terraform, sqlite):
    """What it is from is written in Terraform, whatever repository holds that or what is temporary."""
    for folder in (terraform.folder, terraform.temporary):
        Project(folder).commit()
    terraform.write(migration(sqlite), provider="")
    terraform.apply()
    assert sqlite.rows("SELECT state, revision FROM whimbrel_migration") == [("applied", None)]


def test_an_environment_has_one_owner(terraform, whimbrel, project, dev):
    project.table("0001-people")
    project.commit()
    whimbrel.run("apply", "--environment", "dev")
    terraform.write(migration(dev, "0002-orders", "orders"), provider="")
    refused = terraform.run("plan", "-no-color", code=1)
    assert "belongs to environment `dev` of project `shop`" in refused.err
    assert dev.tables() == {"people"}


def test_two_states_that_say_who_they_are_do_not_share_a_database(terraform, binary, tmp_path, target):
    other = Terraform(tmp_path / "other", binary, WHIMBREL)
    terraform.write(migration(target), provider='project = "network"')
    terraform.apply()
    other.write(migration(target, "0002-orders", "orders"), provider='project = "billing"')
    refused = other.run("plan", "-no-color", code=1)
    assert "belongs to environment `dev` of project `network`" in refused.err
    refused = other.apply(code=1)
    assert "belongs to environment `dev` of project `network`" in refused.err
    assert target.tables() == {"people"}
    # Neither is who says nothing, nor who was the first and says otherwise now.
    for provider in ("", 'project = "billing"'):
        terraform.write(migration(target), provider=provider)
        refused = terraform.run("plan", "-no-color", code=1)
        assert "belongs to environment `dev` of project `network`" in refused.err
    # Who is the same project adds to it.
    other.write(migration(target, "0002-orders", "orders"), provider='project = "network"')
    other.apply()
    assert target.tables() == {"people", "orders"}
    other.write(migration(target), provider='project = "No Name"')
    refused = other.run("validate", "-no-color", code=1)
    assert "No name of a project" in refused.err and "project = " in refused.err


def test_one_that_is_applied_can_be_imported(terraform, binary, tmp_path, sqlite):
    text = "CREATE TABLE  $${table} (id bigint) -- as it is"
    terraform.write(migration(sqlite, up=text, more='  parameters = { table = "people" }'), provider="")
    terraform.apply()
    kept = terraform.state()[ADDRESS]
    other = Terraform(tmp_path / "other", binary, WHIMBREL)
    shutil.copy(terraform.folder / "main.tf", other.folder)
    other.run("import", "-no-color", ADDRESS, f"dev,main,0001-people,sqlite://{sqlite.file}")
    assert other.state()[ADDRESS] == kept
    assert other.actions() == {}
    other.write(migration(sqlite) + migration(sqlite, "0002-orders", "orders", called="orders"), provider="")
    missing = other.run("import", "-no-color", "whimbrel_migration.orders", "dev,main", code=1)
    assert "ENVIRONMENT,DATABASE,NAME" in missing.err
    missing = other.run("import", "-no-color", "whimbrel_migration.orders",
                        f"dev,main,0002-orders,sqlite://{sqlite.file}", code=1)
    assert "`0002-orders` isn't applied there" in missing.err
    missing = other.run("import", "-no-color", "whimbrel_migration.orders", "dev,main,0002-orders", code=1)
    assert "the database `main` has no address" in missing.err


def test_one_of_a_project_can_not_be_imported_as_one_of_terraform(terraform, whimbrel, project, sqlite):
    project.environment("dev", {"shop": sqlite.url})
    project.migration("0001-both", "CREATE TABLE people (id bigint)", "CREATE TABLE orders (id bigint)")
    project.commit()
    whimbrel.run("apply", "--environment", "dev")
    terraform.write(migration(sqlite, "0001-both"), provider="")
    refused = terraform.run("import", "-no-color", ADDRESS, f"dev,shop,0001-both,sqlite://{sqlite.file}", code=1)
    assert "`0001-both` is more than statements" in refused.err


def test_a_plan_asks_nothing_of_tables_that_are_not_there(terraform, cluster, postgres):
    """A server's log has no statement that failed, however many are asked about."""
    many = [migration(postgres, f"{number:04}-t", f"t{number}", called=f"m{number}") for number in range(30)]
    terraform.write("".join(many), provider="")
    log = cluster.folder / "log"
    before = log.stat().st_size
    assert len(terraform.actions()) == 30
    with log.open("rb") as written:
        written.seek(before)
        here = [line for line in written.read().splitlines() if f" in {postgres.name}: ".encode() in line]
    # That there are lines of this database, the next one shows.
    assert [line for line in here if b"ERROR" in line] == []
    with pytest.raises(psycopg.Error):
        postgres.execute("SELECT 1 FROM nowhere")
    assert f" in {postgres.name}: ERROR".encode() in log.read_bytes()[before:]
