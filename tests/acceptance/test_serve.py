"""`whimbrel serve`: a push becomes a row, and an app finds the schema that it needs."""

import time

import pytest
from support.canary import Canary
from support.product import RETRY, TERMINATED, USAGE
from support.target import PostgresTarget, SqliteTarget
from support.waiting import eventually

PEOPLE = ("CREATE TABLE people (id bigint PRIMARY KEY)", "DROP TABLE people")
PETS = ("CREATE TABLE pets (id bigint PRIMARY KEY)", "DROP TABLE pets")


@pytest.fixture
def bare(project):
    """The project's repository elsewhere, bare: what is pushed there counts."""
    project.migration("0001-people", PEOPLE)
    folder = project.folder.parent / "shop.git"

    def push(message="Change the shop"):
        project.commit(message)
        if not folder.exists():
            project.git("clone", "--quiet", "--bare", ".", str(folder))
            project.git("remote", "add", "elsewhere", str(folder))
        else:
            project.git("push", "--quiet", "--force", "elsewhere", "main")
        return project.git("rev-parse", "HEAD")

    push.folder = folder
    return push


def away(target, project):
    """A URL that doesn't depend on where the repository is."""
    return f"sqlite:{target.file}" if isinstance(target, SqliteTarget) else target.url


@pytest.fixture
def dev_of_bare(project, target):
    """The environment `dev` of a bare repository."""
    url = away(target, project)
    if isinstance(target, PostgresTarget):
        project.environment("dev", {"shop": target.url}, branch="main")
    else:
        project.environment("dev", {"shop": url}, branch="main")
    return target


def test_a_push_becomes_a_table(serve, bare, project, dev_of_bare):
    first = bare()
    server = serve("--project", bare.folder)
    assert server.phase("current")["revision"] == first
    assert dev_of_bare.tables() == {"people"}
    project.migration("0002-pets", PETS)
    second = bare("Add pets")
    begun = time.monotonic()
    server.ring()
    eventually(lambda: server.environment().get("revision") == second, "the push is seen")
    server.phase("current")
    assert time.monotonic() - begun < 5
    assert dev_of_bare.tables() == {"people", "pets"}
    assert server.environment()["desiredRevision"] == second
    status = server.get("/v1/environments/dev/status").json()
    assert [line["state"] for line in status["targets"][0]["migrations"]] == ["applied", "applied"]
    history = server.get("/v1/environments/dev/history?limit=5").json()
    assert "(serve)" in history["targets"][0]["events"][0]["actor"]
    server.end()


def test_without_a_bell_polling_finds_it(serve, project, dev):
    project.migration("0001-people", PEOPLE)
    server = serve(interval="200ms")
    server.phase("current")
    project.migration("0002-pets", PETS)
    eventually(lambda: dev.tables() == {"people", "pets"}, "what was written is applied")
    server.end()


def test_a_plan_waits_for_its_approval(serve, project, target):
    project.environment("dev", {"shop": target.url}, policy={"apply": "Approve"})
    project.migration("0001-people", PEOPLE)
    project.commit()
    server = serve()
    waiting = server.phase("waiting")
    assert [gate["gate"] for gate in waiting["gates"]] == ["approval"]
    assert target.tables() == set()
    plan = server.get("/v1/environments/dev/plan").json()
    assert plan["digest"] == waiting["plan"]["digest"]

    refused = server.post("/v1/environments/dev/apply", {"plan": "sha256:" + "0" * 64}, status=409)
    assert refused.json()["type"] == "plan-changed"
    server.post("/v1/environments/dev/apply", {"plan": "soon"}, status=400)
    assert target.tables() == set()

    order = {"plan": plan["digest"]}
    accepted = server.post("/v1/environments/dev/apply", order, idempotency_key="once")
    run = accepted.json()["run"]
    assert accepted.headers["location"] == f"/v1/runs/{run}"
    events = server.events(run)
    assert events[0]["event"] == "runStarted" and events[-1]["event"] == "runFinished"
    assert target.tables() == {"people"}
    server.phase("current")
    assert server.get(f"/v1/runs/{run}").json()["outcome"]["result"] == "succeeded"
    assert server.environment()["lastRun"] == run

    again = server.post("/v1/environments/dev/apply", order, idempotency_key="once")
    assert again.json() == accepted.json()
    server.post("/v1/environments/dev/apply", {"plan": "0" * 64}, idempotency_key="once", status=422)
    server.post("/v1/environments/dev/apply", order, status=409)

    revert = server.get("/v1/environments/dev/plan?revert=0001-people").json()
    server.post("/v1/environments/dev/revert", {"migrations": ["people"], "plan": revert["digest"]})
    eventually(lambda: target.tables() == set(), "it is reverted")
    # The approval of before doesn't bring it back; asking does.
    held = server.phase("held")
    eventually(lambda: "plan" in server.environment(), "it is planned again")
    assert "reverted by" in held["error"]
    server.ring()
    time.sleep(1)
    assert target.tables() == set()
    server.post("/v1/environments/dev/apply", {"plan": server.environment()["plan"]["digest"]})
    server.phase("current")
    assert target.tables() == {"people"}
    server.end()


def test_an_approver_must_be_on_the_list(serve, project, sqlite):
    project.environment("dev", {"shop": sqlite.url}, policy={"apply": "Approve", "approvers": ["ann"]})
    project.migration("0001-people", PEOPLE)
    project.commit()
    tokens = {name: Canary.hatch(f"a token of {name}", plain=True).value for name in ("ANN", "BOB", "EVE")}
    named = [f"{name.lower()}=secret://env/{name}" for name in tokens]
    server = serve("--token", named[0], "--token", named[1], "--token", named[2] + ",read", token=tokens["BOB"], **tokens)
    digest = server.phase("waiting")["plan"]["digest"]
    path, order = "/v1/environments/dev/apply", {"plan": digest}
    assert server.post(path, order, status=403).json()["type"] == "may-not-approve"
    assert server.post(path, order, status=403, authorization=f"Bearer {tokens['EVE']}").json()["type"] == "forbidden"
    for wrong in ("", "Bearer", f"Bearer {tokens['ANN'][:-1]}", f"Basic {tokens['ANN']}"):
        answer = server.post(path, order, status=401, authorization=wrong)
        assert answer.headers["www-authenticate"] == "Bearer"
    server.get("/v1/environments", status=401, authorization="Bearer nobody")
    # Probes have no token.
    for path_of_probe in ("/healthz", "/readyz", "/readyz/dev"):
        server.get(path_of_probe, authorization="")
    assert sqlite.tables() == set()
    server.post(path, order, authorization=f"Bearer {tokens['ANN']}")
    server.phase("current")
    events = server.get("/v1/environments/dev/history").json()["targets"][0]["events"]
    assert {event["actor"] for event in events if event["kind"] == "approved"} == {"ann"}
    server.end()


def test_what_would_be_applied_again_is_not_reverted(serve, project, sqlite):
    project.environment("dev", {"shop": sqlite.url})
    project.migration("0001-people", PEOPLE)
    project.commit()
    server = serve()
    server.phase("current")
    plan = server.get("/v1/environments/dev/plan?revert=0001-people").json()
    order = {"migrations": ["0001-people"], "plan": plan["digest"]}
    refused = server.post("/v1/environments/dev/revert", order, status=409).json()
    assert refused["type"] == "still-defined" and "git revert" in refused["hints"][0]
    assert sqlite.tables() == {"people"}
    server.end()


def test_the_last_good_revision_serves_while_the_repository_is_away(serve, bare, project, dev_of_bare):
    good = bare()
    server = serve("--project", bare.folder, interval="200ms")
    server.phase("current")
    hidden = bare.folder.with_name("hidden.git")
    bare.folder.rename(hidden)
    stale = eventually(
        lambda: server.environment()["syncStatus"] == "stale" and server.environment(), "it is seen to be stale")
    assert stale["revision"] == good and stale["syncError"] and stale["revisionAgeSeconds"] >= 0
    source = eventually(
        lambda: [one for one in server.get("/v1/sources").json()["sources"] if one["syncStatus"] == "stale"],
        "so is its source")
    assert "ageSeconds" in source[0]
    server.get("/readyz")
    server.get("/readyz/dev?migration=0001-people")
    assert server.get("/v1/environments/dev/status").json()["revision"] == good
    hidden.rename(bare.folder)
    project.migration("0002-pets", PETS)
    bare("Add pets")
    eventually(lambda: server.environment()["syncStatus"] == "fresh", "it is fresh again without a person")
    eventually(lambda: dev_of_bare.tables() == {"people", "pets"}, "what came meanwhile is applied")
    server.end()


def test_wrong_definitions_change_nothing(serve, bare, project, dev_of_bare):
    good = bare()
    server = serve("--project", bare.folder)
    server.phase("current")
    project.write("migrations/0002-pets.yaml", "kind: Migration\nnonsense: true\n")
    bare("Break it")
    server.ring()
    invalid = eventually(
        lambda: server.environment()["syncStatus"] == "invalid" and server.environment(), "it is seen to be wrong")
    assert invalid["revision"] == invalid["desiredRevision"] == good and "0002-pets.yaml" in invalid["syncError"]
    server.get("/readyz/dev?migration=0001-people")
    project.migration("0002-pets", PETS)
    project.remove("migrations/0002-pets.yaml")
    project.migration("0002-pets", PETS)
    bare("Mend it")
    server.ring()
    eventually(lambda: dev_of_bare.tables() == {"people", "pets"}, "it goes on")
    server.end()


def test_once_ready_it_stays_ready(serve, project, dev):
    project.migration("0001-people", PEOPLE)
    project.commit()
    server = serve()
    server.phase("current")
    needed = "/readyz/dev?migration=0001-people"
    server.get(needed)
    server.get("/readyz/dev?migration=0002-pets", status=503)
    server.get("/readyz/dev?migration=%20", status=400)
    server.get("/readyz/production", status=503)
    # Newer work that fails takes nobody down.
    project.migration("0002-pets", "INSERT INTO nowhere VALUES (1)")
    server.ring()
    eventually(lambda: server.environment()["phase"] in ("failed", "blocked"), "the new one fails")
    server.get(needed)
    server.get("/readyz/dev?migration=0002-pets", status=503)
    # An approval that is awaited doesn't either.
    project.environment("dev", {"shop": dev.url}, policy={"apply": "Approve"})
    project.migration("0002-pets", PETS)
    project.commit("Mend pets")
    server.ring()
    server.phase("waiting")
    server.get(needed)
    # Only a revert does.
    digest = server.get("/v1/environments/dev/plan?revert=0001-people").json()["digest"]
    server.post("/v1/environments/dev/revert", {"migrations": ["0001-people"], "plan": digest})
    eventually(lambda: server.get(needed, status=None).status == 503, "it is gone")
    server.end()


def test_what_is_mended_while_it_fails_is_run(serve, project, postgres):
    project.environment("dev", {"shop": postgres.url})
    postgres.execute("CREATE TABLE gate (id int)")
    project.migration("0001-people", PEOPLE)
    server = serve()
    server.phase("current")
    with postgres.cluster.connect(postgres.name) as keeper:
        keeper.execute("BEGIN; LOCK TABLE gate")
        project.migration("0002-pets", "INSERT INTO gate VALUES (1); INSERT INTO nowhere VALUES (1)")
        server.ring()
        eventually(lambda: postgres.rows("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"), "it waits")
        project.migration("0002-pets", PETS)
        server.ring()
        keeper.execute("ROLLBACK")
    server.phase("current")
    assert postgres.tables() == {"gate", "people", "pets"} and postgres.rows("SELECT * FROM gate") == []
    server.end()


def test_a_failed_migration_is_tried_again_when_something_changes(serve, project, dev):
    project.migration("0001-people", PEOPLE)
    project.migration("0002-pets", "CREATE TABLE pets AS SELECT * FROM nowhere")
    project.commit()
    server = serve(interval="100ms")
    failed = server.phase("failed")
    assert "nowhere" in failed["error"] and failed["lastRun"]
    time.sleep(1)
    # Ten looks later there was still no second try.
    assert len(server.get("/v1/environments/dev/runs").json()["runs"]) == 1
    assert server.environment()["phase"] == "failed"
    project.migration("0002-pets", PETS)
    eventually(lambda: dev.tables() == {"people", "pets"}, "the mended one is applied")
    server.phase("current")
    server.end()


def test_two_servers_do_it_once(serve, project, postgres):
    project.environment("dev", {"shop": postgres.url})
    project.migration("0001-people", PEOPLE)
    project.commit()
    servers = [serve(interval="200ms") for _ in range(2)]
    for server in servers:
        server.phase("current")
    for number in range(2, 8):
        project.migration(f"{number:04}-more", f"CREATE TABLE more_{number} AS SELECT 1 AS id FROM pg_sleep(0.05)")
        for server in servers:
            server.ring()
    for server in servers:
        eventually(lambda: server.get("/readyz/dev?migration=0007-more", status=None).status == 200, "all is there", 60)
    rows = postgres.rows("SELECT migration, count(*) FROM whimbrel.event WHERE kind = 'applied' GROUP BY 1")
    assert sorted(rows) == [("0001-people", 1)] + [(f"{number:04}-more", 1) for number in range(2, 8)]
    for server in servers:
        server.end()


def test_it_ends_when_what_is_in_flight_has_ended(serve, project, postgres):
    project.environment("dev", {"shop": postgres.url})
    postgres.execute("CREATE TABLE gate (id int)")
    project.migration("0001-people", "CREATE TABLE people AS SELECT id FROM gate")
    project.migration("0002-pets", PETS)
    project.commit()
    with postgres.cluster.connect(postgres.name) as keeper:
        keeper.execute("BEGIN; LOCK TABLE gate")
        server = serve()
        server.phase("applying")
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        eventually(lambda: postgres.rows(waiting), "the statement runs")
        server.sweep()
        server.running.terminate()
        eventually(lambda: "ending at the next safe point" in server.running.said(), "it is to end")
        assert server.running.process.poll() is None and postgres.rows(waiting)
        keeper.execute("ROLLBACK")
    server.running.end()
    assert postgres.tables() == {"gate", "people"}


def test_what_outlasts_the_grace_is_cancelled(serve, project, postgres):
    project.environment("dev", {"shop": postgres.url})
    project.migration("0001-people", "CREATE TABLE people AS SELECT 1 AS id FROM pg_sleep(60)")
    project.commit()
    server = serve("--grace", "1s")
    server.phase("applying")
    eventually(lambda: _sleeping(postgres), "the statement runs")
    begun = time.monotonic()
    server.end(code=TERMINATED)
    assert time.monotonic() - begun < 20
    assert postgres.tables() == set()


def _sleeping(postgres):
    rows = postgres.rows("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()")
    return rows[0][0] > 0


def test_an_app_waits_without_access_to_the_database(serve, whimbrel, project, sqlite, tmp_path):
    project.environment("dev", {"shop": sqlite.url})
    project.migration("0001-people", PEOPLE)
    path = tmp_path / "whimbrel.sock"
    places = ["--server", f"unix:{path}", "--environment", "dev"]
    waiting = whimbrel.start("wait", "--migration", "0002-pets", *places)
    waiting.follow()
    server = serve(listen=f"unix:{path}")
    server.phase("current")
    whimbrel.run("wait", "--migration", "0001-people", *places)
    whimbrel.run("wait", "--migration", "people", *places)
    eventually(lambda: "0002-pets" in waiting.said(), "it says what it waits for")
    assert waiting.process.poll() is None
    project.migration("0002-pets", PETS)
    server.ring()
    waiting.end()
    ended = whimbrel.run("wait", "--migration", "0003-toys", *places, "--timeout", "1s", code=RETRY)
    assert "0003-toys" in ended.err
    whimbrel.run("wait", "--revision", project.commit(), *places)
    whimbrel.run("wait", "--migration", "0001-people", "--server", f"unix:{path}", code=USAGE)
    whimbrel.run("wait", "--migration", "0001-people", "--server", "nowhere", code=USAGE)
    server.end()
