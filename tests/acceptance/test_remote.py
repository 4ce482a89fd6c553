"""`--project GIT-URL@REF`: a project is read from a repository elsewhere, and every command works on it."""

import hashlib
import re
import shutil

import pytest
from support.canary import Canary
from support.evidence import SUITE
from support.git_server import HttpServer, certificate
from support.product import FAILED, OK, PENDING, REFUSED, RETRY, USAGE, guest_file
from support.target import SqliteTarget
from support.waiting import eventually

DEV = ("--environment", "dev")


@pytest.fixture
def url(http, served):
    """The repository's URL."""
    return f"{http.address}/shop.git"


@pytest.fixture
def inside(outside, http):
    """The product, let in by the HTTP server."""
    outside.variables |= http.access
    return outside


BACKFILL = ["--with", '{"table": "people", "key": "id", "set": "name = 1", "where": "name IS NULL"}']

# Every command, with what is said after it and how it ends, in an order in which that is so.
COMMANDS = [
    ("lint", [], OK), ("plan", ["--detailed-exitcode"], PENDING), ("apply", [], OK), ("status", [], OK),
    ("history", [], OK), ("verify", [], OK), ("secrets check", [], OK), ("wait", ["--migration", "0001-people"], OK),
    ("wait", ["--revision", "main"], OK), ("promote", ["dev", "production"], OK), ("revert", ["0001-people"], OK),
    ("plugin list", [], OK), ("plugin inspect", ["own"], OK), ("plugin test", ["backfill", *BACKFILL], OK),
    ("baseline", [], OK), ("unlock", [], OK), ("adopt", [], OK), ("new", ["orders"], USAGE),
]
# Those with tests of their own here.
OTHERS = {"approve", "serve"}
# Those that look at no project.
WITHOUT = {
    "init": "it makes a folder that is none yet",
    "operator": "its sources are objects of a cluster, each with a URL of its own",
    "run": "it does what an operator's object says, as a Job",
    "crds": "they are the program's",
    "schema": "it is the program's",
    "completions": "they are the program's",
}


def commands(whimbrel, *above):
    """The commands that the program's own help names, those below others with both names."""
    listed = whimbrel.run(*above, "-h").out.partition("Commands:\n")[2].partition("\n\n")[0]
    for name in re.findall(r"^  ([\w-]+)", listed, re.MULTILINE):
        if name != "help":
            below = set(commands(whimbrel, *above, name))
            yield from below or {" ".join([*above, name])}


def test_no_command_is_forgotten(outside):
    tried = {name for name, _, _ in COMMANDS}
    assert set(commands(outside)) == tried | OTHERS | set(WITHOUT)


def test_every_command(inside, url, http, shop, served, project):
    project.environment("production", {"shop": "sqlite:var/production.db"}, after="dev")
    # A component that only the repository has.
    component = guest_file("hostile").read_bytes()
    (project.folder / "own.wasm").write_bytes(component)
    project.declare(plugins={"own": {"path": "own.wasm", "digest": f"sha256:{hashlib.sha256(component).hexdigest()}"}})
    project.commit("Production")
    served.push()
    setup = inside.folder.parent / "setup.sql"
    setup.write_text("CREATE TABLE people (id bigint PRIMARY KEY, name text)")
    for command, arguments, code in COMMANDS:
        more = ["--setup", setup] if command == "plugin test" else []
        asked = len(http.requests)
        ended = inside.run(*command.split(), *arguments, *more, "--project", f"{url}@main", *DEV, code=code)
        if command == "apply":
            assert shop.tables() == {"people"}
        if command == "new":
            assert "git clone" in ended.err
        else:
            assert len(http.requests) > asked, command
    assert shop.tables() == set()
    # Nothing of the project was left where the command was given.
    assert list(inside.folder.iterdir()) == []


def test_approvals_of_a_project_elsewhere(inside, url, project, served, shop):
    project.environment("dev", {"shop": f"sqlite:{shop.file}"}, policy={"apply": "Approve"})
    project.commit("Approve")
    served.push()
    inside.run("apply", "--project", f"{url}@main", *DEV, code=REFUSED)
    plan = inside.json("plan", "--project", f"{url}@main", *DEV)["digest"]
    inside.run("approve", plan, "--project", f"{url}@main", *DEV, "--as", "grace@example.com")
    inside.run("apply", "--project", f"{url}@main", *DEV)
    assert shop.tables() == {"people"}


def test_what_is_pushed_is_seen(inside, url, project, served, shop):
    inside.run("apply", "--project", url, *DEV)
    project.table("0002-orders")
    project.commit("Orders")
    served.push()
    inside.run("apply", "--project", url, *DEV)
    assert shop.tables() == {"people", "orders"}
    project.remove("migrations/0002-orders.yaml")
    project.commit("No orders")
    served.push()
    inside.run("apply", "--project", url, *DEV)
    assert shop.tables() == {"people"}


def test_branches_tags_commits_and_refs(inside, url, project, served, shop):
    project.git("tag", "--annotate", "--message", "one", "v1.9.0")
    project.git("tag", "main-too")
    project.git("checkout", "--quiet", "-b", "feature/orders")
    project.table("0002-orders")
    commit = project.commit("Orders")
    project.git("tag", "v1.10.0")
    served.push()
    asked = ["refs/pull/7/head", "refs/merge-requests/7/head", "refs/pull-requests/7/from"]
    for reference in asked:
        served.git("update-ref", reference, commit)
    served.git("update-ref", "-d", "refs/heads/feature/orders")
    for reference in ("v1.10.0", "v*", *asked, commit):
        plan = inside.run("plan", "--project", f"{url}@{reference}", *DEV)
        assert "0002-orders" in plan.out, reference
    for reference in ("main", "v1.9.0", "v1.10.0~1"):
        assert "0002-orders" not in inside.run("plan", "--project", f"{url}@{reference}", *DEV).out, reference
    for reference in ("nowhere", "refs/pull/8/head", "0" * 40):
        ended = inside.run("plan", "--project", f"{url}@{reference}", *DEV, code=FAILED)
        assert reference in ended.err and url in ended.err


def test_a_project_in_a_folder(inside, url, project, served, shop):
    (project.folder / "services/shop").mkdir(parents=True)
    for name in ("whimbrel.yaml", "environments", "migrations"):
        project.git("mv", name, "services/shop/")
    project.commit("Move")
    served.push()
    inside.run("apply", "--project", f"{url}@main#services/shop", *DEV)
    assert shop.tables() == {"people"}
    assert "no folder `services/ship`" in inside.run("plan", "--project", f"{url}#services/ship", *DEV, code=FAILED).err


def test_a_file_url(outside, served, shop, project):
    url = f"file://{served.folder}"
    outside.run("apply", "--project", f"{url}@main", *DEV)
    assert shop.tables() == {"people"}
    project.table("0002-orders")
    project.commit("Orders")
    served.push()
    outside.run("apply", "--project", url, *DEV)
    assert shop.tables() == {"people", "orders"}
    assert "no repository" in outside.run("plan", "--project", f"{url}x", *DEV, code=FAILED).err


def test_a_token(outside, http, url, served):
    http.user = "x-access-token"
    outside.run("plan", "--project", url, *DEV, WHIMBREL_GIT_TOKEN=http.password.value)
    file = outside.folder.parent / "token"
    SUITE.given(file).write_text(http.password.value + "\n")
    outside.run("plan", "--project", url, *DEV, WHIMBREL_GIT_TOKEN_FILE=file)
    both = outside.run("plan", "--project", url, WHIMBREL_GIT_TOKEN_FILE=file, WHIMBREL_GIT_TOKEN="x", code=USAGE)
    assert "say two things" in both.err


@pytest.mark.parametrize(("variables", "said"), [
    ({"WHIMBREL_GIT_SSH_KEY": "nowhere/key"}, "nowhere/key, which can't be read"),
    ({"WHIMBREL_GIT_CA_FILE": "large.pem"}, "it is too large"),
    ({"WHIMBREL_GIT_PASSWORD": "x"}, "WHIMBREL_GIT_USERNAME is not"),
    ({"WHIMBREL_GIT_PASSWORD": "x", "WHIMBREL_GIT_TOKEN": "y"}, "say two things"),
    ({"WHIMBREL_CACHE": None, "XDG_CACHE_HOME": None, "HOME": None}, "no place to keep a mirror"),
])
def test_surroundings_that_make_no_sense(outside, url, variables, said):
    (outside.folder / "large.pem").write_bytes(b"-" * (1 << 20) + b"-")
    ended = outside.run("plan", "--project", url, *DEV, code=None, **variables)
    assert ended.code in (USAGE, FAILED) and said in ended.err


def test_a_mirror_that_can_not_be_written(outside, url, http):
    blocked = outside.folder / "blocked"
    blocked.write_text("no folder")
    ended = outside.run("plan", "--project", url, *DEV, code=FAILED, WHIMBREL_CACHE=blocked, **http.access)
    assert "of the mirror" in ended.err


def test_who_is_not_let_in(outside, http, url, served):
    ended = outside.run("plan", "--project", url, *DEV, code=FAILED)
    assert "refuses access: a credential is needed" in ended.err
    wrong = Canary.hatch("a wrong token of Git", plain=True).value
    ended = outside.run("plan", "--project", url, *DEV, code=FAILED, WHIMBREL_GIT_TOKEN=wrong)
    assert "the credential is not accepted" in ended.err and "not revoked" in ended.err
    assert wrong not in ended.said
    ended = outside.run("plan", "--project", f"{http.address}/ship.git", *DEV, code=FAILED, **http.access)
    assert "there is no repository" in ended.err


def test_a_credential_in_the_url_is_refused_and_not_repeated(outside, http, served):
    for url in (f"http://ada:hunter2@127.0.0.1:{http.port}/shop.git", f"http://hunter2@127.0.0.1:{http.port}/shop.git"):
        ended = outside.run("plan", "--project", url, *DEV, code=USAGE)
        assert "hunter2" not in ended.said
        assert "don't belong into a URL" in ended.err
    assert http.requests == []


def test_a_credential_is_not_sent_unencrypted(outside, served):
    ended = outside.run("plan", "--project", "http://192.0.2.1/shop.git", code=FAILED, WHIMBREL_GIT_TOKEN="x")
    assert "not encrypted" in ended.err


def test_a_server_that_is_down(inside, http, url, served, shop):
    inside.run("apply", "--project", url, *DEV)
    http.status = 503
    ended = inside.run("apply", "--project", url, *DEV, code=RETRY)
    assert "503" in ended.err
    http.status = None
    inside.run("apply", "--project", url, *DEV)
    http.stop()
    ended = inside.run("apply", "--project", url, *DEV, code=RETRY)
    assert "can't be reached" in ended.err


def test_a_server_that_is_none(inside, http, url, served):
    http.status = 200
    assert "is this a repository's address?" in inside.run("plan", "--project", url, *DEV, code=FAILED).err


def test_a_repository_that_has_moved(inside, http, url, served):
    http.location = lambda path: path.replace("/ship.git", "/shop.git") if "/ship" in path else None
    moved = http.location

    def within(path):
        http.location = None
        return moved(path)

    http.location = within
    inside.run("plan", "--project", f"{http.address}/ship.git", *DEV)
    http.location = lambda path: f"http://127.0.0.2:9{path}"
    ended = inside.run("plan", "--project", url, *DEV, code=FAILED)
    assert "has moved to http://127.0.0.2:9/shop.git" in ended.err
    http.location = lambda path: path
    assert "without end" in inside.run("plan", "--project", url, *DEV, code=FAILED).err


def test_a_certificate_is_verified(outside, served, tmp_path):
    authority, files = certificate(tmp_path / "tls")
    server = HttpServer(served.folder.parent, files)
    try:
        url = f"{server.address}/shop.git"
        ended = outside.run("plan", "--project", url, *DEV, code=FAILED, **server.access)
        assert "can't be trusted" in ended.err and "its authority is your own" in ended.err
        assert server.requests == []
        outside.run("plan", "--project", url, *DEV, WHIMBREL_GIT_CA_FILE=authority, **server.access)
    finally:
        server.stop()


def test_a_mirror_that_is_broken_is_made_again(inside, url, served, shop, tmp_path):
    inside.run("apply", "--project", url, *DEV)
    [mirror] = (tmp_path / "mirrors/repositories").glob("*.git")
    for pack in (mirror / "objects/pack").glob("*.pack"):
        pack.chmod(0o644)
        pack.write_bytes(b"PACK")
    inside.run("status", "--project", url, *DEV)
    (mirror / "HEAD").write_text("nonsense")
    inside.run("status", "--project", url, *DEV)
    shutil.rmtree(mirror / "objects")
    inside.run("status", "--project", url, *DEV)


def test_two_processes_share_a_mirror(inside, url, served, shop):
    running = [inside.start("plan", "--project", url, *DEV) for _ in range(6)]
    for run in running:
        assert "0001-people" in run.end().out


def test_promotion_without_a_route(inside, url, project, served, tmp_path):
    """Each stage sees the repository and its own database, and nothing else."""
    databases = {name: SqliteTarget(project, name) for name in ("one", "two", "three")}
    before = None
    for (name, database), branch in zip(databases.items(), ("dev", "staging", "main"), strict=True):
        more = {"after": before} if before else {}
        project.environment(name, {"shop": f"sqlite:{database.file}"}, branch=branch, **more)
        before = name
    project.commit("Stages")
    for branch in ("dev", "staging"):
        project.git("branch", branch)
    served.push()
    ended = inside.run("apply", "--project", url, "--environment", "two", code=REFUSED)
    assert "promotion" in ended.err
    for name in databases:
        inside.run("apply", "--project", url, "--environment", name)
        assert databases[name].tables() == {"people"}
    promoted = {name for name in served.references() if name.startswith("refs/whimbrel/promotions/")}
    assert {"refs/whimbrel/promotions/one", "refs/whimbrel/promotions/two"} <= promoted


def test_records_that_can_not_be_pushed_are_told(inside, url, project, served, shop):
    project.environment("staging", {"shop": "sqlite:var/staging.db"}, after="dev")
    project.commit("Staging")
    served.push()
    hook = served.folder / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    ended = inside.run("apply", "--project", url, *DEV)
    assert "not published for promotion" in ended.err and "pre-receive hook declined" in ended.err
    assert shop.tables() == {"people"}
    hook.unlink()
    inside.run("apply", "--project", url, *DEV)
    assert "refs/whimbrel/promotions/dev" in served.references()


def test_a_forced_push_stops_the_environment(inside, url, project, served, shop):
    project.environment("production", {"shop": f"sqlite:{shop.file}"}, branch="main")
    project.commit("Production")
    served.push()
    production = ("--project", url, "--environment", "production")
    inside.run("apply", *production)
    applied = project.git("rev-parse", "HEAD")
    # The same migrations, another history, and something new on top.
    project.git("commit", "--quiet", "--amend", "--message", "Rewritten")
    project.table("0002-orders")
    project.commit("Orders")
    served.push()
    plan = inside.run("plan", *production)
    assert "would be refused: branch" in plan.out
    ended = inside.run("apply", *production, code=REFUSED)
    assert f"{applied[:12]}, which was applied, is no longer on it: it was pushed away by force" in ended.err
    assert "put that commit back into `main`" in ended.err
    assert shop.tables() == {"people"}
    # Somebody answers for it, and from then on it goes on as ever.
    inside.run("apply", *production, "--override", "branch", "--reason", "the message held a name")
    project.table("0003-items")
    project.commit("Items")
    served.push()
    inside.run("apply", *production)
    assert shop.tables() == {"people", "orders", "items"}


def test_an_environment_follows_the_highest_version(inside, url, project, served, shop):
    project.environment("production", {"shop": f"sqlite:{shop.file}"}, branch="release/*")
    project.commit("Production")
    for version, table in (("1.10", "0002-orders"), ("1.9", "0003-items")):
        project.git("checkout", "--quiet", "-b", f"release/{version}", "main")
        project.table(table)
        project.commit(version)
    served.push()
    inside.run("apply", "--project", url, "--environment", "production")
    assert shop.tables() == {"people", "orders"}


def test_a_server_keeps_its_mirror_small(serve, inside, url, project, served, tmp_path):
    server = serve("--project", f"{url}@main", by=inside, interval="50ms")
    server.phase("current")
    for number in range(66):
        project.write("notes.txt", str(number))
        commit = project.commit(f"Note {number}")
        served.push()
        eventually(lambda commit=commit: server.environment()["desiredRevision"] == commit, "the push is seen")
    eventually(lambda: list(tmp_path.glob("mirrors/**/whimbrel-superseded")), "its packs were made one")
    server.phase("current")
    server.end()
