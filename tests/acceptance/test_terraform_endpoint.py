"""Terraform that leaves the work to a `whimbrel serve`: the same results as of a provider that does it by itself."""
# tidy: long because all of it is about one server and one repository, which take a page of fixtures

import json
import os
import signal
import ssl

import pytest
from support.canary import Canary
from support.evidence import SUITE
from support.git_server import certificate
from support.target import PostgresTarget, SqliteTarget
from support.terraform import WHIMBREL, Terraform
from support.waiting import eventually

ADDRESS = "whimbrel_environment.shop"
TOKEN = Canary.hatch("a token of an endpoint", plain=True).value
# What says how the database is reached: to the server, and to the provider that works by itself.
URL = "SHOP_URL"


@pytest.fixture
def dialect(request):
    """What databases are of, unless a test asks for the other."""
    return getattr(request, "param", "sqlite")


@pytest.fixture
def repository(project, dialect, tmp_path):
    """A bare repository with two migrations; its environment `dev` has the database that a variable names."""
    folder = tmp_path / "shop.git"

    def push():
        commit = project.commit()
        if folder.exists():
            project.git("push", "--quiet", "--force", "elsewhere", "main")
        else:
            project.git("clone", "--quiet", "--bare", ".", str(folder))
            project.git("remote", "add", "elsewhere", str(folder))
        return commit

    database = {"url": f"secret://env/{URL}"}
    if dialect == "postgres":
        # Which the cluster has put there for everybody.
        database["password"] = "secret://env/SHOP_DATABASE_PASSWORD"

    def policy(**changes):
        project.environment("dev", {"shop": database}, policy=changes, branch="main")

    push.folder, push.policy = folder, policy
    # A server applies nothing by itself then.
    policy(apply="Approve")
    project.table("0001-people")
    project.table("0002-orders")
    return push


@pytest.fixture
def there(request, dialect):
    """The server's database."""
    return request.getfixturevalue(dialect)


@pytest.fixture
def here(request, project, dialect):
    """An equal database of whoever works by itself."""
    if dialect == "postgres":
        return PostgresTarget(request.getfixturevalue("cluster"))
    return SqliteTarget(project, "here")


def address(target):
    """Where a database is, as a variable says it."""
    if target.dialect == "sqlite":
        return f"sqlite:{target.file}"
    return f"postgres://by_variable@localhost/{target.name}?host={target.cluster.folder}"


@pytest.fixture
def server(serve, repository, there, tmp_path):
    """A server of the repository that knows one token, which a file has."""
    SUITE.given(tmp_path / "token").write_text(TOKEN + "\n")
    repository()
    server = serve(
        "--project", repository.folder, "--token", f"grace=secret://file/{tmp_path}/token",
        token=TOKEN, **{URL: address(there)},
    )
    server.phase("waiting")
    return server


@pytest.fixture
def terraform(binary, server, tmp_path):
    """Terraform whose provider asks the server."""
    terraform = Terraform(tmp_path / "there", binary, WHIMBREL)
    terraform.variables["SERVER_TOKEN"] = TOKEN
    yield terraform
    for kept in terraform.folder.rglob("*"):
        if kept.is_file() and not kept.is_symlink():
            assert TOKEN.encode() not in kept.read_bytes(), kept


@pytest.fixture
def alone(binary, whimbrel, repository, here, tmp_path):
    """Terraform whose provider does the work by itself."""
    terraform = Terraform(tmp_path / "here", binary, WHIMBREL)
    terraform.variables[URL] = address(here)
    return terraform


def endpoint(server, token="secret://env/SERVER_TOKEN"):
    """The provider's configuration."""
    place = server.place if server.place.startswith("unix:") else f"http://{server.place}"
    return f'endpoint = "{place}"\n' + (f'token = "{token}"\n' if token else "")


def environment(source=None, *, ref=None, name="dev", more=""):
    """The configuration of one environment."""
    said = "".join(f'  {key} = "{value}"\n' for key, value in (("source", source), ("ref", ref)) if value)
    return f'resource "whimbrel_environment" "shop" {{\n{said}  environment = "{name}"\n{more}\n}}\n'


def data(source=None):
    """Both data sources, and what they say."""
    said = f'  source = "{source}"\n' if source else ""
    return "".join(
        f'data "whimbrel_{kind}" "shop" {{\n{said}  environment = "dev"\n}}\n'
        f'output "{kind}" {{ value = data.whimbrel_{kind}.shop }}\n' for kind in ("plan", "status")
    )


def change(plan):
    """What a plan says of the resource."""
    return next(one["change"] for one in plan["resource_changes"] if one["address"] == ADDRESS)


def approved(whimbrel, alone, repository):
    """Approves what is planned by whoever works by itself: a server's client approves with its order."""
    digest = change(alone.plan())["after"]["plan"]
    whimbrel.run(
        "approve", "--project", repository.folder, "--environment", "dev", digest, "--as", "grace",
        **{URL: alone.variables[URL]},
    )


@pytest.mark.parametrize("dialect", ["sqlite", "postgres"], indirect=True)
def test_results_are_those_of_a_provider_that_works_alone(
    server, terraform, alone, whimbrel, repository, project, there, here,
):
    source = str(repository.folder)
    terraform.write(environment(source), provider=endpoint(server))
    alone.write(environment(source), provider="")

    def same():
        """Both know the same, attribute by attribute."""
        states = terraform.state()[ADDRESS], alone.state()[ADDRESS]
        assert states[0] == states[1]
        return states[0]

    # A plan, what it comes to, and that nothing is left to do.
    planned = change(terraform.plan())
    assert planned == change(alone.plan())
    assert planned["after"]["migrations"] == ["0001-people", "0002-orders"] and there.tables() == set()
    terraform.run("apply", "-no-color", terraform.folder / "plan")
    approved(whimbrel, alone, repository)
    alone.apply()
    assert there.tables() == here.tables() == {"people", "orders"}
    assert same()["id"] == f"{source},dev"
    assert terraform.actions() == alone.actions() == {}

    # A commit that the databases don't notice, and one that they do.
    project.write("README.md", "The shop.")
    repository()
    assert change(terraform.plan()) == change(alone.plan())
    for one in (terraform, alone):
        one.apply()
    same()
    project.table("0003-visits")
    third = repository()
    for one in (terraform, alone):
        one.apply("-refresh-only")
    assert same()["pending"] == 0
    planned = change(terraform.plan())
    assert planned == change(alone.plan()) and planned["actions"] == ["update"]
    terraform.apply()
    approved(whimbrel, alone, repository)
    alone.apply()
    assert same()["revision"] == third and there.tables() == {"people", "orders", "visits"}

    # What somebody else applies.
    project.table("0004-reviews")
    fourth = repository()
    digest = server.get("/v1/environments/dev/plan/summary").json()["digest"]
    run = server.post("/v1/environments/dev/apply", {"plan": digest}).json()["run"]
    server.events(run)
    whimbrel.run(
        "approve", "--project", source, "--environment", "dev", digest, "--as", "grace", **{URL: alone.variables[URL]})
    whimbrel.run("apply", "--project", source, "--environment", "dev", **{URL: alone.variables[URL]})
    for one in (terraform, alone):
        one.apply("-refresh-only")
    assert same()["revision"] == fourth
    assert terraform.actions() == alone.actions()

    # The data sources, of what is there and of what is pending.
    project.table("0005-carts")
    repository()
    terraform.write(data(source), provider=endpoint(server))
    alone.write(data(source), provider="")
    for one in (terraform, alone):
        one.apply()
    said = terraform.outputs()
    assert said == alone.outputs()
    assert said["plan"]["pending"] == ["shop/0005-carts"] and "CREATE TABLE carts" in said["plan"]["text"]
    assert said["status"]["applied"] == 4 and said["status"]["pending"] == 1


def test_what_was_planned_is_applied_or_nothing(server, terraform, repository, project, there):
    terraform.write(environment(ref="main"), provider=endpoint(server))
    terraform.apply()
    assert terraform.state()[ADDRESS]["id"] == "dev"
    project.table("0003-visits")
    repository()
    terraform.plan()
    project.table("0004-reviews")
    repository()
    server.ring()
    eventually(lambda: server.environment()["plan"]["changes"] == 2, "the push is seen")
    refused = terraform.run("apply", "-no-color", terraform.folder / "plan", code=1)
    assert "which is newer than" in refused.err and "plan again" in refused.err
    assert there.tables() == {"people", "orders"}
    terraform.apply()
    assert there.tables() == {"people", "orders", "visits", "reviews"}
    assert terraform.actions() == {}


def test_a_commit_that_is_named_is_where_the_environment_comes_to(server, terraform, repository, project, there):
    first = project.git("rev-parse", "HEAD")
    terraform.write(environment(ref=first), provider=endpoint(server))
    terraform.apply()
    project.table("0003-visits")
    second = repository()
    server.ring()
    eventually(lambda: server.environment()["desiredRevision"] == second, "the push is seen")
    assert terraform.actions() == {}
    assert terraform.state()[ADDRESS]["revision"] == first
    terraform.write(environment(ref=second), provider=endpoint(server))
    terraform.apply()
    assert there.tables() == {"people", "orders", "visits"}
    # One that isn't the newest: the rest waits for somebody to ask for it.
    project.table("0004-reviews")
    third = repository()
    project.table("0005-carts")
    fourth = repository()
    terraform.write(environment(ref=third), provider=endpoint(server))
    assert change(terraform.plan())["after"]["migrations"][3:] == ["0004-reviews"]
    terraform.run("apply", "-no-color", terraform.folder / "plan")
    assert there.tables() == {"people", "orders", "visits", "reviews"}
    assert terraform.state()[ADDRESS]["revision"] == third and terraform.actions() == {}
    assert server.phase("waiting")["desiredRevision"] == fourth
    approvals = there.rows("SELECT count(*) FROM whimbrel_event WHERE kind = 'approved' AND actor = 'grace'")
    assert approvals == [(3,)]
    # What was taken back since, or brought back since, can't be had by an older commit.
    project.remove("migrations/0005-carts.yaml")
    repository()
    terraform.write(environment(ref=fourth), provider=endpoint(server))
    refused = terraform.run("plan", "-no-color", code=1)
    assert "`0005-carts` of" in refused.err and "isn't part of" in refused.err and "ref =" in refused.err
    digest = server.get(f"/v1/environments/dev/plan/summary?revision={fourth}").json()["digest"]
    order = {"plan": digest, "revision": fourth}
    assert server.post("/v1/environments/dev/apply", order, status=409).json()["type"] == "withdrawn"
    assert there.tables() == {"people", "orders", "visits", "reviews"}


def test_a_server_that_applies_by_itself_stays_at_no_older_commit(server, terraform, repository, project, there):
    repository.policy(apply="Auto")
    project.migration("0003-wrong", "INSERT INTO nowhere VALUES (1)")
    older = repository()
    project.table("0004-reviews")
    repository()
    server.ring()
    server.phase("failed")
    terraform.write(environment(ref=older), provider=endpoint(server))
    refused = terraform.run("plan", "-no-color", code=1)
    assert "which is newer than" in refused.err and "ref =" in refused.err
    digest = server.get(f"/v1/environments/dev/plan/summary?revision={older}").json()["digest"]
    order = {"plan": digest, "revision": older}
    assert server.post("/v1/environments/dev/apply", order, status=409).json()["type"] == "goes-on"
    assert there.tables() == {"people", "orders"}


def test_a_server_that_applies_by_itself_leaves_nothing_to_do(
    serve, repository, project, terraform, server, there, tmp_path,
):
    server.end()
    repository.policy(apply="Auto")
    repository()
    server = serve(
        "--project", repository.folder, "--token", f"grace=secret://file/{tmp_path}/token", token=TOKEN,
        **{URL: f"sqlite:{there.file}"},
    )
    server.phase("current")
    terraform.write(environment(), provider=endpoint(server))
    terraform.apply()
    kept = terraform.state()[ADDRESS]
    assert (kept["applied"], kept["pending"]) == (2, 0)
    project.table("0003-visits")
    pushed = repository()
    # What is looked at is what the server came to after the push, and not what it is about to do.
    planned = change(terraform.plan())
    terraform.run("apply", "-no-color", terraform.folder / "plan")
    assert there.tables() == {"people", "orders", "visits"} and planned["after"]["revision"] == pushed
    assert terraform.actions() == {}
    # It would apply again what is taken back.
    terraform.write(environment(more='  on_destroy = "revert"'), provider=endpoint(server))
    terraform.apply()
    refused = terraform.destroy(code=1)
    assert "would apply it again" in refused.err and "git revert" in refused.err
    assert there.tables() == {"people", "orders", "visits"}


@pytest.mark.parametrize("word", ["keep", "fail", "revert"])
def test_a_destroyed_environment(server, terraform, there, word):
    terraform.write(environment(more=f'  on_destroy = "{word}"'), provider=endpoint(server))
    terraform.apply()
    if word == "fail":
        refused = terraform.run("plan", "-destroy", "-no-color", code=1)
        assert 'on_destroy = "fail"' in refused.err
        terraform.destroy(code=1)
        assert ADDRESS in terraform.state()
    else:
        terraform.destroy()
        assert terraform.state() == {}
    assert there.tables() == (set() if word == "revert" else {"people", "orders"})


def test_an_environment_that_is_there_is_taken_over(server, terraform, repository, there):
    terraform.write(environment(), provider=endpoint(server))
    terraform.apply()
    first = terraform.state()[ADDRESS]
    terraform.run("state", "rm", ADDRESS)
    terraform.run("import", "-no-color", ADDRESS, "dev")
    assert terraform.actions() == {}
    assert {**terraform.state()[ADDRESS], "plan": None} == {**first, "plan": None}
    # By the source's place, with what is followed; and by its name there, as the same resource.
    source = str(repository.folder)
    terraform.write(environment(source, ref="main"), provider=endpoint(server))
    terraform.run("state", "rm", ADDRESS)
    terraform.run("import", "-no-color", ADDRESS, f"{source}@main,dev")
    assert terraform.actions() == {}
    terraform.write(environment("default"), provider=endpoint(server))
    terraform.run("state", "rm", ADDRESS)
    terraform.run("import", "-no-color", ADDRESS, "default,dev")
    assert terraform.actions() == {}


def test_a_resource_moves_to_a_server_and_back(server, terraform, alone, whimbrel, repository, there, here):
    source = str(repository.folder)
    terraform.variables[URL] = f"sqlite:{there.file}"
    terraform.write(environment(source), provider=endpoint(server))
    terraform.apply()
    terraform.write(environment(source), provider="")
    assert terraform.actions() == {}
    terraform.write(environment(), provider=endpoint(server))
    assert terraform.actions() == {ADDRESS: ["update"]}
    terraform.apply()
    assert terraform.state()[ADDRESS]["id"] == "dev" and terraform.actions() == {}


def test_a_wrong_token_opens_nothing_and_is_told_nowhere(server, terraform, there, tmp_path):
    wrong = Canary.hatch("a wrong token of an endpoint", plain=True).value
    terraform.variables["SERVER_TOKEN"] = wrong
    terraform.write(environment(), provider=endpoint(server))
    refused = terraform.run("plan", "-no-color", code=1)
    assert "doesn't allow it" in refused.err and "`token`" in refused.err
    assert wrong not in refused.said and TOKEN not in refused.said
    terraform.write(environment(), provider=endpoint(server, token=None))
    assert "Authorization: Bearer" in terraform.run("plan", "-no-color", code=1).err
    del terraform.variables["SERVER_TOKEN"]
    terraform.write(environment(), provider=endpoint(server))
    assert "SERVER_TOKEN" in terraform.run("plan", "-no-color", code=1).err
    # It may be where the server has it, too.
    terraform.write(environment(), provider=endpoint(server, token=f"secret://file/{tmp_path}/token"))
    assert change(terraform.plan())["after"]["applied"] == 2
    # A token itself would be in the plan. This one is let out: Terraform shows the line that is wrong.
    written = Canary.hatch("a token that is written down", plain=True, loose=True).value
    terraform.write(environment(), provider=endpoint(server, token=written))
    refused = terraform.run("plan", "-no-color", code=1)
    assert "Expected a reference to the token" in refused.err and "token =" in refused.err
    (terraform.folder / "main.tf").unlink()
    assert there.tables() == set()


def test_who_may_only_read_can_plan_and_not_apply(serve, server, terraform, repository, there, tmp_path):
    server.end()
    server = serve(
        "--project", repository.folder, "--token", f"grace=secret://file/{tmp_path}/token,read", token=TOKEN,
        **{URL: f"sqlite:{there.file}"},
    )
    server.phase("waiting")
    terraform.write(environment(), provider=endpoint(server))
    assert change(terraform.plan())["after"]["applied"] == 2
    refused = terraform.run("apply", "-no-color", terraform.folder / "plan", code=1)
    assert "may only read" in refused.err and there.tables() == set()


def test_a_server_that_is_away_is_told(server, terraform, there):
    terraform.write(environment(), provider=endpoint(server))
    terraform.apply()
    place = endpoint(server)
    server.end()
    terraform.write(environment(), provider=place)
    refused = terraform.run("plan", "-no-color", code=1)
    assert "can't be reached" in refused.err and "`endpoint`" in refused.err
    terraform.run("state", "rm", ADDRESS)
    # It may be made by what is applied before.
    assert "known only when it is applied" in terraform.run("plan", "-no-color").said
    assert "can't be reached" in terraform.apply(code=1).err


def test_a_run_that_fails_says_which_migration_and_why(
    server, terraform, alone, whimbrel, repository, project, there, here,
):
    project.migration("0003-wrong", "INSERT INTO nowhere VALUES (1)")
    repository()
    source = str(repository.folder)
    terraform.write(environment(source), provider=endpoint(server))
    failed = terraform.apply(code=1)
    assert "0003-wrong" in failed.err and "nowhere" in failed.err
    assert there.tables() == {"people", "orders"}
    alone.write(environment(source), provider="")
    approved(whimbrel, alone, repository)
    assert _told(failed) == _told(alone.apply(code=1))
    project.migration("0003-wrong", "INSERT INTO people VALUES (1)")
    repository()
    terraform.apply()
    assert terraform.state()[ADDRESS]["applied"] == 3 and terraform.actions() == {}


def _told(ended):
    """What a diagnostic says, without where in the configuration."""
    return [line for line in ended.err.splitlines() if "shop" in line and "whimbrel_environment" not in line]


def test_a_run_that_is_stopped_or_cut_short_is_gone_on_with(server, terraform, repository, project, there):
    terraform.write(environment(), provider=endpoint(server))
    terraform.apply()
    project.migration("0003-fill", "ALTER TABLE people ADD COLUMN touched bigint NOT NULL DEFAULT 0", {
        "uses": "backfill", "with": {
            "table": "people", "key": "id", "set": "touched = touched + 1", "batchSize": 10, "pause": "100ms",
        },
    })
    there.execute(
        "INSERT INTO people (id) WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 300) "
        "SELECT i FROM c")
    repository()
    started = terraform.start("apply", "-auto-approve", "-no-color")
    begun = "SELECT 1 FROM pragma_table_info('people') WHERE name = 'touched'"
    eventually(lambda: there.rows(begun), "it begins", 60)
    os.killpg(started.pid, signal.SIGKILL)
    terraform.end(started, code=-9)
    # The server does what it was told, and the next apply finds it done.
    terraform.apply("-lock=false")
    assert there.rows("SELECT touched, count(*) FROM people GROUP BY touched") == [(1, 300)]
    assert terraform.state()[ADDRESS]["pending"] == 0 and terraform.actions() == {}


def test_what_a_server_can_not_be_told_is_refused_where_it_is_said(server, terraform, tmp_path):
    def refused(text, provider=None):
        terraform.write(text, provider=provider or endpoint(server))
        return terraform.run("plan", "-no-color", code=1).err

    said = refused(environment(more='  databases = { shop = { url = "sqlite:other.db" } }'))
    assert "`databases` can't be said to a server" in said and "databases =" in said
    said = refused(environment(more='  parameters = { a = "b" }'))
    assert "`parameters` can't be said to a server" in said and "parameters =" in said
    said = refused(environment("/srv/other"))
    assert "not `/srv/other`" in said and "leave `source` out" in said and "source =" in said
    said = refused(environment(ref="feature"))
    assert "has `dev` follow `main`, not `feature`" in said and "ref =" in said
    said = refused(environment(name="prod"))
    assert "there is no environment `prod`" in said and "environment =" in said
    said = refused('resource "whimbrel_migration" "one" {\n  environment = "dev"\n  name = "0001-a"\n  up = "SELECT 1"\n}\n')
    assert "takes no migrations for `dev`" in said and "alias" in said and "environment =" in said
    blocks = 'database {\n  environment = "dev"\n  name = "shop"\n}\n'
    assert "`database` can't be said to the server" in refused(environment(), endpoint(server) + blocks)
    assert "http://HOST:PORT" in refused(environment(), 'endpoint = "shop:8731"\n')
    assert "`source` is missing" in refused(environment(), 'database {\n  environment = "a"\n  name = "b"\n}\n')


def test_a_socket_and_an_endpoint_that_is_known_late(serve, server, terraform, repository, there, tmp_path):
    server.end()
    server = serve(
        "--project", repository.folder, listen=f"unix:{tmp_path}/w.sock", **{URL: f"sqlite:{there.file}"})
    server.phase("waiting")
    terraform.write(
        f'resource "terraform_data" "place" {{\n  input = "{server.place}"\n}}\n' + environment(),
        provider="endpoint = terraform_data.place.output",
    )
    assert "isn't known yet" in terraform.run("plan", "-no-color").said
    terraform.apply()
    assert there.tables() == {"people", "orders"} and terraform.actions() == {}


def test_over_tls_only_who_is_trusted_gets_the_token(serve, server, terraform, repository, there, tmp_path):
    server.end()
    authority, (chain, key) = certificate(tmp_path / "tls")
    server = serve(
        "--project", repository.folder, "--token", f"grace=secret://file/{tmp_path}/token",
        "--tls-certificate", chain, "--tls-key", key, token=TOKEN,
        trust=ssl.create_default_context(cafile=authority), **{URL: f"sqlite:{there.file}"},
    )
    server.phase("waiting")
    terraform.write(environment(), provider=endpoint(server).replace("http://", "https://"))
    assert "certificate" in terraform.apply(code=1).err and there.tables() == set()
    terraform.variables["SSL_CERT_FILE"] = str(authority)
    terraform.apply()
    assert there.tables() == {"people", "orders"} and terraform.actions() == {}


def test_a_commit_that_was_never_followed_is_not_opened(server, repository, project, there):
    first = project.git("rev-parse", "HEAD")
    project.git("checkout", "--quiet", "-b", "feature")
    project.table("0003-evil")
    evil = project.commit()
    project.git("push", "--quiet", "elsewhere", "feature", f"feature:refs/heads/{first}")
    project.git("checkout", "--quiet", "main")
    project.table("0003-visits")
    head = repository()
    server.ring()
    eventually(lambda: server.environment()["desiredRevision"] == head, "the push is seen")
    for path in ("plan/summary", "status/summary"):
        answer = server.get(f"/v1/environments/dev/{path}?revision={evil}", status=404)
        assert "isn't in the history" in answer.json()["detail"]
        server.get(f"/v1/environments/dev/{path}?revision=feature", status=400)
        server.get(f"/v1/environments/dev/{path}?more=1", status=400)
        # A branch with the name of a commit is no way around.
        assert "evil" not in server.get(f"/v1/environments/dev/{path}?revision={first}", status=None).body
    pending = server.get("/v1/environments/dev/plan/summary").json()
    assert pending["pending"] == ["shop/0001-people", "shop/0002-orders", "shop/0003-visits"]
    assert (pending["head"], pending["ref"]) == (head, "main")
    assert "evil" not in json.dumps(pending)
