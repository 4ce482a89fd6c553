"""Single migrations of Terraform, by a provider that works alone and through a `whimbrel serve`: the same results."""

import os
import signal

import pytest
from support.canary import Canary
from support.evidence import SUITE
from support.project import Project
from support.target import SqliteTarget
from support.terraform import WHIMBREL, Terraform
from support.waiting import eventually

ADDRESS = "whimbrel_migration.people"
TOKEN = Canary.hatch("a token of who writes migrations", plain=True).value


def migration(name="0001-people", table="people", *, up=None, more="", called="people"):
    """A migration that makes a table; where its database is, the provider or its server knows."""
    up = up or f"CREATE TABLE {table} (id bigint PRIMARY KEY)"
    return (
        f'resource "whimbrel_migration" "{called}" {{\n  environment = "dev"\n  name = "{name}"\n  up = "{up}"\n'
        f'  down = "DROP TABLE {table}"\n{more}\n}}\n'
    )


def block(target):
    """The provider's words for a database that it reaches by itself."""
    said = {"environment": "dev", "name": "main"}
    said["url"] = f"sqlite://{target.file}" if target.dialect == "sqlite" else str(target.url)
    for part, reference in getattr(target.url, "references", {}).items():
        key = f"#{reference['key']}" if "key" in reference else ""
        said[part] = f"secret://{reference['secret']}/{reference['path']}{key}"
    return "database {\n" + "".join(f'  {name} = "{value}"\n' for name, value in said.items()) + "}\n"


@pytest.fixture
def document(tmp_path):
    """Writes what says to a server where the database of `dev` is."""
    def write(target, database="main", **spec):
        operator = Project(tmp_path / "operator")
        url = f"sqlite:{target.file}" if target.dialect == "sqlite" else target.url
        spec.setdefault("policy", {"destructive": "Confirm", "outOfOrder": "Allow"})
        operator.environment("dev", {database: url}, **spec)
        return operator.folder / "environments/dev.yaml"
    return write


@pytest.fixture
def writing(serve, document, tmp_path):
    """Starts a server that takes migrations for a database."""
    def start(target, *more, access=",write", **spec):
        SUITE.given(tmp_path / "token").write_text(TOKEN + "\n")
        token = f"grace=secret://file/{tmp_path}/token{access}"
        return serve("--written", document(target, **spec), "--token", token, *more, token=TOKEN)
    return start


def endpoint(server):
    """The provider's words for a server."""
    return f'endpoint = "http://{server.place}"\ntoken = "secret://env/SERVER_TOKEN"\n'


@pytest.fixture
def terraform(binary, tmp_path):
    """Terraform with the product as its provider."""
    terraform = Terraform(tmp_path / "terraform", binary, WHIMBREL)
    terraform.variables["SERVER_TOKEN"] = TOKEN
    return terraform


@pytest.fixture(params=["alone-sqlite", "served-sqlite", "served-postgres"])
def way(request):
    """Who does the work, on which dialect; alone on the other one is what other tests are about."""
    return request.param.split("-")


@pytest.fixture
def target(request, way):
    """A target of the dialect."""
    return request.getfixturevalue(way[1])


@pytest.fixture
def provider(target, way, writing):
    """What the provider is told."""
    return block(target) if way[0] == "alone" else endpoint(writing(target))


def test_a_life(terraform, provider, target):
    terraform.write(migration(), provider=provider)
    assert terraform.actions() == {ADDRESS: ["create"]}
    assert target.tables() == set()
    terraform.apply()
    kept = terraform.state()[ADDRESS]
    assert kept["id"] == "dev,main,0001-people" and kept["checksum"].startswith("w1:") and kept["applied_at"]
    assert terraform.actions() == {} and target.tables() == {"people"}
    # What is applied is never edited.
    terraform.write(migration(up="create table people (id bigint primary key)"), provider=provider)
    assert "was edited after it was applied" in terraform.run("plan", "-no-color", code=1).err
    # Gone from Terraform, and still there: `on_destroy` is `keep`.
    terraform.write(migration("0002-orders", "orders", called="orders"), provider=provider)
    terraform.apply()
    assert target.tables() == {"people", "orders"} and list(terraform.state()) == ["whimbrel_migration.orders"]
    # What was there before is taken over, and what somebody else has taken away is made again.
    terraform.write(migration(), provider=provider)
    terraform.apply()
    assert terraform.state()[ADDRESS] == kept
    target.execute(f"DELETE FROM {target.history}migration WHERE name = '0001-people'; DROP TABLE people;")
    assert terraform.actions() == {ADDRESS: ["create"]}
    terraform.apply()
    assert target.tables() == {"people", "orders"}


@pytest.mark.parametrize("word", ["keep", "fail", "revert"])
def test_a_destroyed_migration(terraform, provider, target, word):
    terraform.write(migration(more=f'  on_destroy = "{word}"\n  allow_destructive = true'), provider=provider)
    terraform.apply()
    if word == "fail":
        assert 'on_destroy = "fail"' in terraform.destroy(code=1).err
    else:
        terraform.destroy()
    assert target.tables() == (set() if word == "revert" else {"people"})


def test_what_is_destructive_is_confirmed(terraform, provider, target):
    terraform.write(migration(more='  on_destroy = "revert"'), provider=provider)
    terraform.apply()
    assert "destructive" in terraform.destroy(code=1).err
    assert target.tables() == {"people"}


def test_one_that_is_applied_is_imported(terraform, provider, target, binary, tmp_path):
    text = "CREATE TABLE  $${table} (id bigint) -- as it is"
    configured = migration(up=text, more='  parameters = { table = "people" }')
    terraform.write(configured, provider=provider)
    terraform.apply()
    kept = terraform.state()[ADDRESS]
    terraform.run("state", "rm", ADDRESS)
    terraform.run("import", "-no-color", ADDRESS, "dev,main,0001-people")
    assert terraform.state()[ADDRESS] == kept and terraform.actions() == {}
    terraform.run("state", "rm", ADDRESS)
    terraform.write(migration("0002-orders", "orders"), provider=provider)
    missing = terraform.run("import", "-no-color", ADDRESS, "dev,main,0002-orders", code=1)
    assert "`0002-orders` isn't applied there" in missing.err


def test_many_at_once_are_each_applied_once(terraform, provider, target):
    many = [migration(f"{number:04}-t", f"t{number}", called=f"m{number}") for number in range(30)]
    terraform.write("".join(many), provider=provider)
    terraform.apply()
    assert target.tables() == {f"t{number}" for number in range(30)}
    assert terraform.actions() == {}


def test_a_failure_is_told_in_the_same_words(terraform, writing, sqlite, project):
    here = SqliteTarget(project, "here")
    said = []
    for provider in (endpoint(writing(sqlite)), block(here)):
        for wrong in ("INSERT INTO nowhere VALUES (1)", "CREATE TABEL people (id bigint)"):
            terraform.write(migration(up=wrong), provider=provider)
            told = terraform.apply(code=1).err.splitlines()
            # But for where in the configuration, which has other lines before.
            said.append([line for line in told if "main.tf" not in line and ": resource" not in line])
    assert any("nowhere" in line for line in said[0]) and said[:2] == said[2:]
    # The next apply goes on.
    terraform.write(migration(), provider=block(here))
    terraform.apply()
    assert here.tables() == {"people"} and sqlite.tables() == set()


def test_a_resource_moves_to_a_server_and_back(terraform, writing, sqlite):
    there = endpoint(writing(sqlite))
    said = f'  url = "sqlite://{sqlite.file}"\n'
    terraform.write(migration(more=said), provider="")
    terraform.apply()
    terraform.write(migration(), provider=there)
    assert terraform.actions() == {ADDRESS: ["update"]}
    terraform.apply()
    kept = terraform.state()[ADDRESS]
    assert (kept["url"], kept["target"]) == (None, None) and terraform.actions() == {}
    terraform.write(migration(), provider=block(sqlite))
    assert terraform.actions() == {}


def test_who_may_write_is_recorded_and_nobody_else_may(terraform, writing, sqlite):
    for access, refusal in (("", "may write no migrations"), (",read", "may only read")):
        server = writing(sqlite, access=access)
        terraform.write(migration(), provider=endpoint(server))
        assert terraform.actions() == {ADDRESS: ["create"]}
        refused = terraform.apply(code=1)
        assert refusal in refused.err and "`token`" in refused.err and sqlite.tables() == set()
        server.end()
    server = writing(sqlite)
    terraform.write(migration(), provider=endpoint(server))
    terraform.apply()
    assert sqlite.rows("SELECT DISTINCT actor FROM whimbrel_event") == [("grace",)]
    assert sqlite.rows("SELECT project, environment FROM whimbrel_owner") == [("terraform", "dev")]
    # It has no environment besides: nothing else can be asked of it.
    assert server.get("/v1/environments").json() == {"environments": []}
    server.end()


def test_a_server_grants_no_more_than_its_document_says(terraform, writing, sqlite, tmp_path):
    server = writing(sqlite, parameters={"schema": "main"}, policy={"destructive": "Forbid"})

    def refused(text, provider=endpoint(server)):
        terraform.write(text, provider=provider)
        return terraform.run("plan", "-no-color", code=1).err

    for part, value in (("url", "sqlite:other.db"), ("username", "ada"), ("password", "secret://env/A"),
                        ("password_wo", "hunter")):
        said = refused(migration(more=f'  {part} = "{value}"'))
        assert f"`{part}` can't be said to a server" in said and f"{part} =" in said, said
    said = refused(migration(more='  parameters = { schema = "other" }'))
    assert "parameter `schema` is the server's to say" in said and "parameters =" in said
    for name, instead in (("stock", "there is `main`"), ("mian", "did you mean `main`?")):
        said = refused(migration(more=f'  database = "{name}"'))
        assert f"has no database `{name}`" in said and "database " in said and instead in said, said
    said = refused(migration().replace('"dev"', '"prod"'))
    assert "takes no migrations for `prod`" in said and "alias" in said and "environment =" in said
    said = refused(migration(), endpoint(server) + 'project = "network"\n')
    assert "project =" in said
    assert "`database` can't be said to the server" in refused(migration(), endpoint(server) + block(sqlite))
    said = refused(migration(up="DROP TABLE people", more="  allow_destructive = true"))
    assert "destructive" in said.lower()
    assert sqlite.tables() == set() and list(tmp_path.rglob("other.db")) == []
    server.end()


def test_whose_a_database_is_the_server_says(terraform, serve, document, whimbrel, project, sqlite, tmp_path):
    project.environment("dev", {"shop": sqlite.url})
    project.table("0001-people")
    project.commit()
    whimbrel.run("apply", "--environment", "dev")
    server = serve("--written", f"network={document(sqlite)}")
    terraform.write(migration("0002-orders", "orders"), provider=f'endpoint = "http://{server.place}"')
    refused = terraform.run("plan", "-no-color", code=1)
    assert "belongs to environment `dev` of project `shop`" in refused.err
    sqlite.file.unlink()
    terraform.apply()
    assert sqlite.rows("SELECT project, environment FROM whimbrel_owner") == [("network", "dev")]
    # Who says it says the same, as without a server.
    for name, code in (("network", 0), ("billing", 1)):
        text = migration("0002-orders", "orders") + migration("0003-carts", "carts", called="carts")
        terraform.write(text, provider=f'endpoint = "http://{server.place}"\nproject = "{name}"')
        ended = terraform.run("plan", "-no-color", code=code)
        assert "belongs to project `network` of the server, not to `billing`" in ended.err or not code
        terraform.apply(code=code)
    assert sqlite.tables() == {"orders", "carts"}
    server.end()


def test_an_order_is_waited_for_as_long_as_it_takes_and_given_once(terraform, writing, postgres):
    server = writing(postgres)
    postgres.execute("CREATE TABLE gate ()")
    wait = "CREATE TABLE people (id bigint); LOCK TABLE gate"
    terraform.write(migration(up=wait), provider=endpoint(server))
    body = {"name": "0001-people", "database": "main", "up": wait, "down": "DROP TABLE people"}

    def order(status):
        return server.post("/v1/written/dev/apply", body, status=status, idempotency_key="one").json()

    with postgres.cluster.connect(postgres.name) as other, other.transaction():
        other.execute("LOCK TABLE gate IN ACCESS EXCLUSIVE MODE")
        started = terraform.start("apply", "-auto-approve", "-no-color")
        eventually(lambda: postgres.waits("LOCK TABLE gate"), "the migration waits")
        # Longer than an answer is waited for, also by Terraform, which came first.
        assert order(202) == {"environment": "dev", "migration": "0001-people"}
    terraform.end(started)
    assert terraform.state()[ADDRESS]["checksum"].startswith("w1:") and terraform.actions() == {}
    again = order(200)
    assert again["state"] == "applied" and order(200) == again
    server.post("/v1/written/dev/apply", body | {"down": "SELECT 1"}, status=422, idempotency_key="one")
    server.post("/v1/written/dev/apply", body, status=400)
    assert postgres.rows("SELECT count(*) FROM whimbrel.event WHERE kind = 'applied'") == [(1,)]
    server.end()


def test_an_ending_server_lets_a_migration_come_to_its_end(terraform, writing, postgres):
    """Also where nobody waits for it any more."""
    server = writing(postgres)
    postgres.execute("CREATE TABLE gate ()")
    terraform.write(migration(up="CREATE TABLE people (id bigint); LOCK TABLE gate"), provider=endpoint(server))
    with postgres.cluster.connect(postgres.name) as other, other.transaction():
        other.execute("LOCK TABLE gate IN ACCESS EXCLUSIVE MODE")
        started = terraform.start("apply", "-auto-approve", "-no-color")
        eventually(lambda: postgres.waits("LOCK TABLE gate"), "the migration waits")
        os.killpg(started.pid, signal.SIGKILL)
        terraform.end(started, code=-9)
        server.running.terminate()
    server.running.end()
    assert postgres.tables() == {"people", "gate"}


@pytest.mark.parametrize("wrong, said", [
    ({"policy": {"apply": "Approve"}}, "apply: Auto"),
    ({"spec": {"databases": {}}}, ""),
])
def test_a_document_that_can_not_be_for_this_is_refused_at_once(whimbrel, document, sqlite, wrong, said):
    file = document(sqlite, **({"policy": wrong["policy"]} if "policy" in wrong else {}))
    if "spec" in wrong:
        file.write_text("kind: Migration\n")
    refused = whimbrel.run("serve", "--listen", "127.0.0.1:0", "--written", file, code=64)
    assert str(file) in refused.err and said in refused.err


@pytest.mark.parametrize("by", ["the resource", "the provider"])
def test_where_it_is_granted_an_address_counts_as_for_a_provider_that_works_alone(
    terraform, writing, sqlite, project, binary, tmp_path, by,
):
    elsewhere = SqliteTarget(project, "elsewhere")
    provider = endpoint(writing(sqlite, access=",write,databases"))
    said, blocks = f'  url = "sqlite://{elsewhere.file}"\n', ""
    if by == "the provider":
        said, blocks = "", block(elsewhere)
    configured = migration(more=said + '  on_destroy = "revert"\n  allow_destructive = true')
    alone = Terraform(tmp_path / "alone", binary, WHIMBREL)
    alone.write(configured, provider=blocks)
    terraform.write(configured, provider=provider + blocks)

    def changes(one):
        return [change["change"] for change in one.plan()["resource_changes"]]

    assert changes(terraform) == changes(alone)
    terraform.run("apply", "-no-color", terraform.folder / "plan")
    assert elsewhere.tables() == {"people"} and sqlite.tables() == set()
    kept = terraform.state()[ADDRESS]
    assert kept["target"] == f"sqlite://{elsewhere.file}" and terraform.actions() == {}
    # Whoever looks, or ends it, does so where it is.
    elsewhere.execute("DELETE FROM whimbrel_migration WHERE name = '0001-people'; DROP TABLE people;")
    assert terraform.actions() == {ADDRESS: ["create"]}
    terraform.apply()
    terraform.destroy()
    assert elsewhere.tables() == set()
    alone.apply()
    assert {**alone.state()[ADDRESS], "applied_at": None} == {**kept, "applied_at": None}
    alone.destroy()
    terraform.write(migration(more='  url = "secret://env/OF_ANOTHER"'), provider=provider)
    refused = terraform.run("plan", "-no-color", code=1)
    assert "`dev` doesn't reach secret://env/OF_ANOTHER" in refused.err and "url =" in refused.err
    assert sqlite.tables() == set()


def test_where_it_is_granted_a_parameter_of_the_server_is_said(terraform, writing, sqlite):
    server = writing(sqlite, access=",write,parameters", parameters={"table": "unsaid"})
    terraform.write(migration(
        up="CREATE TABLE $${table} (id bigint)", more='  parameters = { table = "said" }'), provider=endpoint(server))
    terraform.apply()
    assert sqlite.tables() == {"said"} and terraform.actions() == {}
