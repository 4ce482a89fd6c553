"""Parameters and addresses that Terraform says to a `whimbrel serve`: as of a provider that works alone, where they are granted."""

import json

import pytest
from support.canary import Canary
from support.evidence import SUITE
from support.terraform import WHIMBREL, Terraform
from support.waiting import eventually
from test_terraform_endpoint import ADDRESS, TOKEN, URL, address, change, endpoint, environment
from test_terraform_endpoint import alone, dialect, here, repository, there  # noqa: F401

SAID = '  parameters = { table = "carts" }\n'


@pytest.fixture
def serving(serve, repository, there, tmp_path):  # noqa: F811
    """Starts a server whose one token is granted something."""
    def start(grants, **variables):
        SUITE.given(tmp_path / "token").write_text(TOKEN + "\n")
        repository()
        server = serve(
            "--project", repository.folder, "--token", f"grace=secret://file/{tmp_path}/token{grants}", token=TOKEN,
            **{URL: address(there)} | variables,
        )
        server.phase("waiting")
        return server
    return start


@pytest.fixture
def terraform(binary, tmp_path):
    """Terraform whose provider asks a server."""
    terraform = Terraform(tmp_path / "there", binary, WHIMBREL)
    terraform.variables["SERVER_TOKEN"] = TOKEN
    return terraform


@pytest.fixture
def parametrized(project, repository, dialect):  # noqa: F811
    """The repository with an environment that has a parameter, of which a table's name is made."""
    database = {"url": f"secret://env/{URL}"}
    if dialect == "postgres":
        database["password"] = "secret://env/SHOP_DATABASE_PASSWORD"


    def policy(apply, table="unsaid"):
        project.environment("dev", {"shop": database}, policy={"apply": apply}, branch="main", parameters={"table": table})
        return repository()

    project.migration("0003-table", ("CREATE TABLE ${table} (id bigint PRIMARY KEY)", "DROP TABLE ${table}"))
    policy("Approve")
    project.git("checkout", "--quiet", "-b", "said")
    policy("Approve", table="carts")
    project.git("push", "--quiet", "--force", "elsewhere", "said")
    project.git("checkout", "--quiet", "main")
    repository.policy = policy
    return repository


@pytest.fixture
def approve(whimbrel, parametrized):
    """Approves what is planned with parameters by whoever works alone: elsewhere the environment itself says them."""
    def approving(digest, target):
        whimbrel.run(
            "approve", "--project", parametrized.folder, "--environment", "dev", digest, "--as", "grace",
            WHIMBREL_CONTROL_REF="said", **{URL: address(target)},
        )
    return approving


def same(*terraforms):
    """What all of them know, attribute by attribute."""
    first, *others = (one.state()[ADDRESS] for one in terraforms)
    assert all(other == first for other in others)
    return first


@pytest.mark.parametrize("dialect", ["sqlite", "postgres"], indirect=True)
def test_parameters_count_as_for_a_provider_that_works_alone(
    terraform, alone, serving, approve, parametrized, there, here,  # noqa: F811
):
    server = serving(",parameters")
    source = str(parametrized.folder)
    configured = environment(source, more=SAID + '  on_destroy = "revert"\n  allow_destructive = true\n')
    terraform.write(configured, provider=endpoint(server))
    alone.write(configured, provider="")
    planned = change(terraform.plan())
    assert planned == change(alone.plan()) and planned["after"]["parameters"] == {"table": "carts"}
    # Another value is another plan, and one that was looked at is applied with no other.
    other = server.get("/v1/environments/dev/plan/summary").json()["digest"]
    assert planned["after"]["plan"] != other
    order = {"plan": planned["after"]["plan"]}
    refused = server.post("/v1/environments/dev/apply", order, status=409).json()
    assert refused["type"] == "plan-changed" and there.tables() == set()
    order = {"plan": other, "parameters": {"table": "carts"}}
    server.post("/v1/environments/dev/apply", order, status=409)
    terraform.run("apply", "-no-color", terraform.folder / "plan")
    approve(planned["after"]["plan"], here)
    alone.run("apply", "-no-color", alone.folder / "plan")
    assert there.tables() == here.tables() == {"people", "orders", "carts"}
    assert same(terraform, alone)["applied"] == 3
    assert terraform.actions() == alone.actions() == {}
    # What it was given is seen where parameters are: in the history, and of the run as it was said.
    [(recorded,)] = there.rows(f"SELECT parameters FROM {there.history}migration WHERE name = '0003-table'")
    assert (json.loads(recorded) if isinstance(recorded, str) else recorded) == {"table": "carts"}
    run = server.get(f"/v1/runs/{server.environment()['lastRun']}").json()
    assert run["given"] == {"parameters": {"table": "carts"}, "databases": {}} and run["actor"] == "grace"
    # The server itself has nothing to add to that, and it is taken back as it was applied.
    assert server.phase("current")["plan"]["changes"] == 0
    terraform.destroy()
    assert there.tables() == set() and server.phase("held")["error"] == "reverted by grace"


def test_an_approval_of_other_values_covers_nothing(serving, approve, parametrized, there):  # noqa: F811
    server = serving(",parameters")
    said = {"parameters": {"table": "carts"}}
    digest = server.post("/v1/environments/dev/plan/summary", said, status=200).json()["digest"]
    approve(digest, there)
    before = server.environment()["checkedAt"]
    server.ring()
    eventually(lambda: server.environment()["checkedAt"] != before, "it looks again")
    # What was approved was another value, which the server has no word of.
    assert server.environment()["phase"] == "waiting" and there.tables() == set()
    run = server.post("/v1/environments/dev/apply", said | {"plan": digest}).json()["run"]
    server.events(run)
    assert there.tables() == {"people", "orders", "carts"}


def test_whoever_is_granted_nothing_says_nothing(terraform, serving, parametrized, there, tmp_path):  # noqa: F811
    def refused(server, text, provider=""):
        terraform.write(text, provider=endpoint(server) + provider)
        return terraform.run("plan", "-no-color", code=1).err

    elsewhere = f'  databases = {{ shop = {{ url = "sqlite:{tmp_path}/other.db" }} }}\n'
    block = f'database {{\n  environment = "dev"\n  name = "shop"\n  url = "sqlite:{tmp_path}/other.db"\n}}\n'
    for grants, attribute, said in (
        ("", "parameters", SAID), (",databases", "parameters", SAID),
        ("", "databases", elsewhere), (",parameters", "databases", elsewhere),
    ):
        server = serving(grants)
        told = refused(server, environment(more=said))
        assert f"`{attribute}` can't be said to a server" in told and f"{attribute} =" in told, told
        assert f"isn't granted `{attribute}`" in " ".join(told.replace("│", " ").split()), told
        body = {"parameters": {"table": "carts"}} if attribute == "parameters" else {
            "databases": {"shop": {"url": f"sqlite:{tmp_path}/other.db"}}}
        for path in ("status", "status/summary", "plan", "plan/summary"):
            problem = server.post(f"/v1/environments/dev/{path}", body, status=403).json()
            assert problem["fault"]["pointer"] == f"/{attribute}"
        server.post("/v1/environments/dev/apply", body | {"plan": "sha256:" + 64 * "0"}, status=403)
        server.post(
            "/v1/environments/dev/revert", body | {"plan": "sha256:" + 64 * "0", "migrations": ["0001-people"]}, status=403)
        server.end()
    server = serving("")
    assert "`database` can't be said to the server" in refused(server, environment(), block)
    assert there.tables() == set() and not (tmp_path / "other.db").exists()


def test_a_parameter_that_there_is_not_is_refused_by_both(terraform, alone, serving, parametrized):  # noqa: F811
    server = serving(",parameters")
    source = str(parametrized.folder)
    for one, provider in ((terraform, endpoint(server)), (alone, "")):
        one.write(environment(source, more='  parameters = { tabel = "carts" }'), provider=provider)
        refused = one.run("plan", "-no-color", code=1).err
        assert "`dev` has no parameter called `tabel`" in refused and "did you mean `table`?" in refused
        assert "parameters =" in refused


def test_a_server_that_applies_by_itself_takes_no_word_for_it(terraform, serving, parametrized, there):  # noqa: F811
    server = serving(",parameters")
    parametrized.policy("Auto")
    server.ring()
    server.phase("current")
    assert there.tables() == {"people", "orders", "unsaid"}
    terraform.write(environment(more=SAID), provider=endpoint(server))
    refused = terraform.run("plan", "-no-color", code=1).err
    assert "applies `dev` by itself" in refused and "policy.apply: Approve" in refused and "parameters =" in refused


@pytest.mark.parametrize("by", ["the resource", "the provider"])
@pytest.mark.parametrize("dialect", ["sqlite", "postgres"], indirect=True)
def test_addresses_count_as_for_a_provider_that_works_alone(
    terraform, alone, serving, repository, there, here, by,  # noqa: F811
):
    """`here` is where both are told to go; the password is the environment's own."""
    server = serving(",databases")
    place = address(here)
    more, block = '  on_destroy = "revert"\n  allow_destructive = true\n', ""
    if by == "the resource":
        more += f'  databases = {{ shop = {{ url = "{place}" }} }}\n'
    else:
        block = f'database {{\n  environment = "dev"\n  name = "shop"\n  url = "{place}"\n}}\n'
    configured = environment(str(repository.folder), more=more)
    terraform.write(configured, provider=endpoint(server) + block)
    alone.write(configured, provider=block)
    alone.variables[URL] = address(there)
    planned = change(terraform.plan())
    assert planned == change(alone.plan()) and planned["after"]["targets"] == {"shop": place}
    terraform.run("apply", "-no-color", terraform.folder / "plan")
    assert here.tables() == {"people", "orders"} and there.tables() == set()
    kept = terraform.state()[ADDRESS]
    assert kept["applied"] == 2 and terraform.actions() == {}
    run = server.get(f"/v1/runs/{server.environment()['lastRun']}").json()
    assert run["given"] == {"parameters": {}, "databases": {"shop": {"url": place}}}
    # Its own database is as it was, and so is what the server says of it.
    now = server.phase("waiting")
    assert (now["plan"]["changes"], "error" in now) == (2, False)
    terraform.destroy()
    assert here.tables() == set() and server.environment()["phase"] == "waiting"
    alone.run("apply", "-no-color", alone.folder / "plan")
    assert alone.state()[ADDRESS] == kept and alone.actions() == {} and there.tables() == set()


def test_another_address_is_another_database_for_a_server_too(terraform, serving, repository, there, here, tmp_path):  # noqa: F811
    server = serving(",databases")
    for name, actions in ((address(here), ["create"]), (f"sqlite:{tmp_path}/third.db", ["delete", "create"])):
        terraform.write(environment(more=f'  databases = {{ shop = {{ url = "{name}" }} }}\n'), provider=endpoint(server))
        assert terraform.actions() == {ADDRESS: actions}
        terraform.apply()
    assert here.tables() == {"people", "orders"} and (tmp_path / "third.db").exists() and there.tables() == set()


def test_an_address_reaches_no_more_than_the_environment_does(terraform, serving, repository, there, tmp_path):  # noqa: F811
    secret = Canary.hatch("what another environment of a server has", plain=True).value
    server = serving(",databases", OF_ANOTHER=secret)
    variable = 'variable "password" {\n  ephemeral = true\n}\n'
    terraform.variables["TF_VAR_password"] = Canary.hatch("a password for a server", plain=True).value

    def refused(said):
        text = environment(more=f"  databases = {{ shop = {{ {said} }} }}\n") + variable
        terraform.write(text, provider=endpoint(server))
        return " ".join(terraform.run("plan", "-no-color", code=1).err.replace("│", " ").split())

    for part in ("url", "username", "password"):
        for reference in ("secret://env/OF_ANOTHER", f"secret://file/{tmp_path}/token", "secret://vault/shop#password"):
            told = refused(f'{part} = "{reference}"')
            assert f"`dev` doesn't reach {reference}" in told and "databases =" in told, told
    assert "a secret itself isn't sent" in refused("password_wo = var.password")
    assert "a URL can't hold a password" in refused('url = "postgres://ada:hunter@localhost/shop"')
    for part, value in (("password", "hunter"), ("username", "ref+envsubst://$OF_ANOTHER")):
        body = {"databases": {"shop": {part: value}}}
        assert "by reference" in server.post("/v1/environments/dev/plan/summary", body, status=403).json()["detail"]
    # What the document has, it has.
    terraform.write(environment(more=f'  databases = {{ shop = {{ url = "secret://env/{URL}" }} }}\n'), provider=endpoint(server))
    terraform.apply()
    assert there.tables() == {"people", "orders"}


@pytest.mark.parametrize("grants", [",parameters", ",parameters,databases"])
def test_a_parameter_of_an_address_is_an_address(serving, repository, project, grants, tmp_path):  # noqa: F811
    project.environment(
        "dev", {"shop": f"sqlite:{tmp_path}/${{place}}.db"}, policy={"apply": "Approve"}, branch="main",
        parameters={"place": "own"})
    repository()
    server = serving(grants)
    status = 200 if "databases" in grants else 403
    said = server.post(
        "/v1/environments/dev/plan/summary", {"parameters": {"place": "other"}}, status=status).json()
    assert status == 200 or "`place` says where databases are" in said["detail"] and "`databases`" in said["detail"]
