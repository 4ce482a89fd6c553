"""Terraform is not alone: another Terraform, a server, whoever changes passwords, and what it keeps of all that."""

import os
import signal
import zipfile

import pytest
from support.canary import Canary
from support.evidence import SUITE
from support.terraform import WHIMBREL, Terraform
from support.waiting import eventually
from test_terraform import ADDRESS, environment
from test_terraform_migrations import migration

SLOW = "WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 400000) INSERT INTO people SELECT i FROM c"


@pytest.fixture
def terraform(binary, tmp_path):
    """Terraform with the product as its provider."""
    return Terraform(tmp_path / "terraform", binary, WHIMBREL)


@pytest.fixture
def other(binary, tmp_path):
    """Another one, with a state of its own."""
    return Terraform(tmp_path / "other", binary, WHIMBREL)


def counted(target):
    """How often each migration is recorded."""
    return target.rows(f"SELECT name, count(*) FROM {target.history}migration GROUP BY name ORDER BY name")


def test_two_applies_at_once(terraform, other, project, dev):
    project.table("0001-people")
    project.migration("0002-fill", SLOW)
    project.table("0003-pets")
    project.commit()
    for each in (terraform, other):
        each.write(environment(project), provider="")
    started = [each.start("apply", "-auto-approve", "-no-color") for each in (terraform, other)]
    ended = [each.end(one, code=None) for each, one in zip((terraform, other), started, strict=True)]
    # One waits for the other and finds that everything is done, or says clearly that the plan is another one now.
    assert 0 in [one.code for one in ended], "\n".join(map(str, ended))
    for one in ended:
        assert one.code == 0 or "the plan changed" in one.err or "inconsistent final plan" in one.err, one
    assert counted(dev) == [("0001-people", 1), ("0002-fill", 1), ("0003-pets", 1)]
    assert dev.rows("SELECT count(*) FROM people") == [(400000,)]
    for each in (terraform, other):
        each.apply()
        assert each.state()[ADDRESS]["applied"] == 3
        assert each.actions() == {}


def test_two_applies_of_single_migrations_at_once(terraform, other, target):
    fill = migration(target, "0002-fill", up=SLOW, called="fill", more="  depends_on = [whimbrel_migration.people]")
    for each in (terraform, other):
        each.write(migration(target) + fill, provider="")
    started = [each.start("apply", "-auto-approve", "-no-color") for each in (terraform, other)]
    for each, one in zip((terraform, other), started, strict=True):
        each.end(one)
    assert counted(target) == [("0001-people", 1), ("0002-fill", 1)]
    assert target.rows("SELECT count(*) FROM people") == [(400000,)]
    for each in (terraform, other):
        assert each.actions() == {} and len(each.state()) == 2


def test_a_single_migration_that_was_killed_is_applied_by_the_next_apply(terraform, postgres):
    postgres.execute("CREATE TABLE gate ()")
    terraform.write(migration(postgres, up="CREATE TABLE people (id bigint); LOCK TABLE gate"), provider="")
    with postgres.cluster.connect(postgres.name) as holding, holding.transaction():
        holding.execute("LOCK TABLE gate IN ACCESS EXCLUSIVE MODE")
        started = terraform.start("apply", "-auto-approve", "-no-color")
        eventually(lambda: postgres.waits("LOCK TABLE gate"), "the migration waits")
        os.killpg(started.pid, signal.SIGKILL)
        terraform.end(started, code=-9)
    # A killed terraform leaves its own lock behind.
    terraform.apply("-lock=false")
    assert postgres.tables() == {"people", "gate"} and counted(postgres) == [("0001-people", 1)]
    assert terraform.actions() == {}


def test_migrations_of_terraform_keep_a_project_out(terraform, other, project, dev):
    terraform.write(migration(dev), provider="")
    terraform.apply()
    project.table("0002-orders")
    project.commit()
    other.write(environment(project), provider="")
    for refused in (other.run("plan", "-no-color", code=1), other.apply(code=1)):
        assert "belongs to environment `dev` of project `terraform`" in refused.err
    assert dev.tables() == {"people"}


def test_beside_a_server(terraform, serve, project, sqlite):
    project.table("0001-people")
    project.environment("dev", {"shop": sqlite.url}, branch="main")
    project.commit()
    server = serve("--project", project.folder, interval="1s")
    server.phase("current")
    terraform.write(environment(project), provider="")
    # It was there before: nothing is applied, and Terraform knows it from now on.
    terraform.apply()
    assert terraform.state()[ADDRESS]["applied"] == 1
    project.table("0002-orders")
    project.commit()
    eventually(lambda: sqlite.tables() == {"people", "orders"}, "the server applies it")
    terraform.apply()
    assert terraform.state()[ADDRESS]["migrations"] == ["0001-people", "0002-orders"]
    assert counted(sqlite) == [("0001-people", 1), ("0002-orders", 1)]
    assert terraform.actions() == {}


def test_a_password_that_is_changed_between_plan_and_apply(terraform, project, cluster, postgres, tmp_path):
    password = SUITE.given(tmp_path / "password")
    def change(text):
        password.write_text(text)
        with cluster.connect(postgres.name) as connection:
            connection.execute(f"ALTER ROLE rotating PASSWORD '{text}'")

    with cluster.connect(postgres.name) as connection:
        connection.execute("DROP ROLE IF EXISTS rotating")
        connection.execute("CREATE ROLE rotating LOGIN SUPERUSER")
    change(Canary.hatch("the first password of rotating", plain=True).value)
    project.table("0001-people")
    project.environment("dev", {"shop": {
        "url": f"postgres://rotating@localhost/{postgres.name}?host={cluster.folder}",
        "password": {"secret": "file", "path": str(password)},
    }})
    project.commit()
    terraform.write(environment(project, more='  on_destroy = "revert"'), provider="")
    terraform.plan()
    change(Canary.hatch("the second password of rotating", plain=True).value)
    terraform.run("apply", "-no-color", terraform.folder / "plan")
    assert postgres.tables() == {"people"}
    change(Canary.hatch("the third password of rotating", plain=True).value)
    assert terraform.actions() == {}
    # Also between what is looked at for the end and the end.
    terraform.run("plan", "-destroy", "-no-color", f"-out={terraform.folder / 'end'}")
    change(Canary.hatch("the fourth password of rotating", plain=True).value)
    terraform.run("apply", "-no-color", terraform.folder / "end")
    assert postgres.tables() == set()


def kept_by(terraform):
    """Everything that Terraform keeps: states and plans, which are archives."""
    for file in terraform.folder.rglob("*"):
        if not file.is_file() or file.name == "main.tf":
            continue
        yield file, file.read_bytes()
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                for name in archive.namelist():
                    yield f"{file}/{name}", archive.read(name)


def test_what_is_said_in_terraform_counts_and_passwords_are_kept_nowhere(terraform, project, cluster, postgres):
    first, secret = (
        Canary.hatch(f"the {which} password that is written only", plain=True).value for which in ("first", "second"))
    with cluster.connect(postgres.name) as connection:
        connection.execute("DROP ROLE IF EXISTS written")
        connection.execute(f"CREATE ROLE written LOGIN SUPERUSER PASSWORD '{first}'")
    project.migration("0001-table", "CREATE TABLE ${table} (id bigint PRIMARY KEY)")
    project.environment("dev", {"shop": "sqlite:var/other.db"}, parameters={"table": "unsaid"})
    project.commit()
    own = (
        '  parameters = { table = "said" }\n  databases = { shop = {\n'
        f'    url = "postgres://localhost/{postgres.name}?host={cluster.folder}"\n    username = "written"\n'
        "    password_wo = var.password\n    password_wo_version = 1\n  } }\n"
    )
    provider = (
        '  database {\n    environment = "dev"\n    name = "shop"\n    password = var.password\n  }\n'
    )
    variable = 'variable "password" {\n  ephemeral = true\n}\n'
    terraform.variables["TF_VAR_password"] = first
    terraform.write(environment(project, more=own) + variable, provider=provider)
    terraform.plan()
    # It is another one by the time that it is used.
    terraform.variables["TF_VAR_password"] = secret
    with cluster.connect(postgres.name) as connection:
        connection.execute(f"ALTER ROLE written PASSWORD '{secret}'")
    terraform.run("apply", "-no-color", terraform.folder / "plan")
    assert postgres.tables() == {"said"}
    assert terraform.actions() == {}
    seen = list(kept_by(terraform))
    assert any(b"password_wo_version" in text for _, text in seen)
    assert [name for name, text in seen if first.encode() in text or secret.encode() in text] == []
    # A password that is in the state is refused before anything is kept.
    wrong = Canary.hatch("a wrong password of Terraform", plain=True).value
    terraform.variables["TF_VAR_password"] = wrong
    refused = terraform.run("plan", "-no-color", code=1)
    assert "password authentication failed" in refused.err and wrong not in refused.said


@pytest.mark.parametrize("by", ["the resource", "the provider"])
def test_an_address_may_be_a_reference_and_is_kept_as_one(terraform, project, tmp_path, by):
    project.environment("dev", {"shop": "sqlite:var/other.db"})
    project.table("0001-people")
    project.commit()
    made = 'resource "whimbrel_migration" "sales" {\n  environment = "reporting"\n  name = "0001-sales"\n' \
           '  up = "CREATE TABLE sales (id bigint)"\n%s}\n'
    said = {name: f'    url = "secret://env/AT_{name.upper()}"\n' for name in ("shop", "reporting")}
    if by == "the resource":
        text, provider = environment(project, more=f"  databases = {{ shop = {{\n{said['shop']}  }} }}"), ""
        text += made % said["reporting"]
    else:
        text, provider = environment(project) + made % "", "".join(
            f'  database {{\n    environment = "{environment}"\n    name = "{name}"\n{url}  }}\n'
            for environment, name, url in (("dev", "shop", said["shop"]), ("reporting", "main", said["reporting"])))
    files = {name: tmp_path / f"{name}-elsewhere.db" for name in said}
    terraform.variables |= {f"AT_{name.upper()}": f"sqlite://{file}" for name, file in files.items()}
    terraform.write(text, provider=provider)
    terraform.plan()
    terraform.run("apply", "-no-color", terraform.folder / "plan")
    assert all(file.exists() for file in files.values()) and terraform.actions() == {}
    assert (terraform.state()[ADDRESS]["applied"], len(terraform.state())) == (1, 2)
    seen = list(kept_by(terraform))
    assert any(b"secret://env/AT_SHOP" in text for _, text in seen)
    assert [name for name, text in seen if b"-elsewhere.db" in text] == []


def test_an_address_that_holds_a_password_is_refused_before_it_is_in_a_state(terraform, project, cluster, postgres):
    secret = Canary.hatch("a password in an address", plain=True).value
    project.environment("dev", {"shop": postgres.url})
    project.table("0001-people")
    project.commit()
    terraform.variables["TF_VAR_address"] = f"postgres://ada:{secret}@localhost/{postgres.name}?host={cluster.folder}"
    variable = 'variable "address" {\n  sensitive = true\n}\n'
    single = 'resource "whimbrel_migration" "one" {\n  environment = "dev"\n  name = "0001-people"\n  up = "SELECT 1"\n' \
             "  url = var.address\n}\n"
    for text in (environment(project, more="  databases = { shop = { url = var.address } }"), single):
        terraform.write(text + variable, provider="")
        # Without a file of the plan: what a variable is, Terraform itself writes there, also of a plan that failed.
        for refused in (terraform.run("plan", "-no-color", code=1), terraform.apply(code=1)):
            assert "a URL can't hold a password" in refused.err and secret not in refused.said
        assert [name for name, text in kept_by(terraform) if secret.encode() in text] == []
