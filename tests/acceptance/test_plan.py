"""Plan: what would run, for people, programs and pull requests. It never writes."""

import datetime
import json
import xml.etree.ElementTree as xml

import pytest
from support.answers import digest, planned
from support.hostile import hostile
from support.product import DRIFT, OK, PENDING, REFUSED, RETRY, USAGE


def test_a_plan_says_what_would_run_in_order(whimbrel, project, dev):
    project.table("0002-orders")
    project.table("0001-people")
    plan = whimbrel.json("plan", "--environment", "dev")
    assert planned(plan) == [("apply", "0001-people"), ("apply", "0002-orders")]
    text = whimbrel.run("plan", "--environment", "dev").out
    assert text.index("0001-people") < text.index("0002-orders")
    assert "CREATE TABLE people" in text


def test_markdown_is_for_pull_requests(whimbrel, project, dev):
    project.table("0001-people")
    text = whimbrel.run("plan", "--environment", "dev", "--format", "markdown").out
    assert "0001-people" in text
    assert "```" in text or "|" in text
    assert "\x1b[" not in text


def test_a_plan_writes_nothing(whimbrel, project, dev):
    project.table("0001-people")
    whimbrel.run("plan", "--environment", "dev")
    whimbrel.run("status", "--environment", "dev")
    if dev.dialect == "sqlite":
        assert not dev.file.exists()
    else:
        assert dev.rows("SELECT count(*) FROM pg_namespace WHERE nspname = 'whimbrel'") == [(0,)]
        assert dev.tables() == set()


def test_a_plugin_s_estimate_writes_nothing(whimbrel, project, dev):
    """It sends what loosens a session that only reads, and then what writes."""
    hostile(project, '{"id":"x","version":"1"}')
    project.migration("0001-people", "CREATE TABLE people (id bigint)")
    whimbrel.run("apply", "--environment", "dev")
    insert = "INSERT INTO people VALUES (1) RETURNING id"
    made = project.folder / "made.db"
    texts = {
        "postgres": [
            "SELECT set_config('default_transaction_read_only', 'off', false)", insert,
            "SET default_transaction_read_only = off", insert, "BEGIN READ WRITE", insert, "COMMIT",
        ],
        "sqlite": ["PRAGMA query_only = 0", insert, f"ATTACH '{made}' AS x", "CREATE TABLE x.made (id)"],
    }
    for name in ("0002-one", "0003-two"):
        project.migration(name, {"uses": "hostile", "with": {"do": "queries", "texts": texts[dev.dialect]}})
    plan = whimbrel.json("plan", "--environment", "dev")
    assert planned(plan) == [("apply", "0002-one"), ("apply", "0003-two")]
    assert len(plan["estimates"]) == 2, "they were asked"
    assert dev.rows("SELECT count(*) FROM people") == [(0,)]
    # Where there is no file yet, a session has a database in memory, which may be written.
    project.environment("new", {"shop": "sqlite:var/new.db"})
    project.migration("0002-one", {"uses": "hostile", "with": {"do": "queries", "texts": texts["sqlite"]}})
    whimbrel.json("plan", "--environment", "new")
    assert not (project.folder / "var/new.db").exists()
    assert not made.exists()


def test_a_plan_needs_no_right_to_write(whimbrel, project, postgres):
    """Every transaction of this user is read-only, and still the plan is the same."""
    project.environment("dev", {"shop": postgres.url})
    project.table("0001-people")
    whimbrel.run("apply", "--environment", "dev")
    project.table("0002-orders")
    before = whimbrel.json("plan", "--environment", "dev")
    postgres.execute(f"ALTER DATABASE {postgres.name} SET default_transaction_read_only = on")
    assert whimbrel.json("plan", "--environment", "dev") == before


def test_the_same_inputs_give_the_same_digest(whimbrel, project, dev):
    project.table("0001-people")
    first = whimbrel.json("plan", "--environment", "dev")
    assert digest(first) == digest(whimbrel.json("plan", "--environment", "dev"))
    project.table("0002-orders")
    assert digest(first) != digest(whimbrel.json("plan", "--environment", "dev"))


def test_a_detailed_exit_code_tells_pending_from_nothing(whimbrel, project, dev):
    project.table("0001-people")
    whimbrel.run("plan", "--environment", "dev", "--detailed-exitcode", code=PENDING)
    whimbrel.run("apply", "--environment", "dev")
    whimbrel.run("plan", "--environment", "dev", "--detailed-exitcode", code=OK)


def edited(project):
    project.migration("0001-people", "CREATE TABLE people (id bigint, other text)")


def removed_by_nobody(project):
    project.remove("migrations/0001-people.yaml")


def out_of_order(project):
    project.table("0000-early")


def destructive(project):
    project.migration("0002-gone", "DROP TABLE people")


IN_THE_WAY = {
    edited: (DRIFT, {}), removed_by_nobody: (REFUSED, {}), out_of_order: (REFUSED, {}),
    destructive: (REFUSED, {"destructive": "Forbid"}),
}


@pytest.mark.parametrize("obstacle", IN_THE_WAY, ids=lambda obstacle: obstacle.__name__)
def test_a_plan_ends_as_apply_would_where_something_is_in_its_way(whimbrel, project, sqlite, obstacle):
    code, policy = IN_THE_WAY[obstacle]
    project.environment("dev", {"shop": sqlite.url}, policy=policy)
    project.table("0001-people")
    whimbrel.run("apply", "--environment", "dev")
    obstacle(project)
    for asked in (["apply"], ["plan"], ["plan", "--detailed-exitcode"]):
        whimbrel.run(*asked, "--environment", "dev", code=code)
    told = whimbrel.run("plan", "--environment", "dev", "--format", "junit", "--report", "sarif=plan.sarif", code=code)
    assert "<failure" in told.out
    assert "the plan" in told.err, "whoever keeps the answer in a file hears of it, too"
    assert '"level": "error"' in (project.folder / "plan.sarif").read_text()
    assert sqlite.tables() == {"people"}


WAITS = {
    "approval": {"apply": "Approve"},
    "window": {"window": f"{datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=2):%a} 10:00-11:00 UTC"},
    "confirmation": {"destructive": "Confirm"},
}


@pytest.mark.parametrize("policy", WAITS.values(), ids=WAITS)
def test_a_plan_that_only_waits_is_no_failure(whimbrel, project, sqlite, policy):
    project.environment("dev", {"shop": sqlite.url}, policy=policy)
    project.migration("0001-people", "CREATE TABLE people (id bigint)", "DROP TABLE people")
    whimbrel.run("apply", "--environment", "dev", code=REFUSED)
    told = whimbrel.run("plan", "--environment", "dev", "--report", "junit=plan.xml", code=OK)
    assert "would be refused" in told.out and told.err == ""
    assert "<failure" not in (project.folder / "plan.xml").read_text()
    whimbrel.run("plan", "--environment", "dev", "--detailed-exitcode", code=PENDING)


def test_what_is_overridden_fails_no_plan(whimbrel, project, sqlite):
    project.environment("dev", {"shop": sqlite.url}, policy={"destructive": "Forbid"})
    project.migration("0001-people", "CREATE TABLE people (id bigint)", "DROP TABLE people")
    over = ("--override", "destructive", "--reason", "it is empty")
    told = whimbrel.run("plan", "--environment", "dev", *over, "--format", "junit")
    assert "<failure" not in told.out


def test_a_plan_says_what_it_needs_of_databases_that_were_left_out(whimbrel, project, sqlite):
    project.environment("dev", {"shop": sqlite.url, "other": "sqlite:var/other.db"})
    project.table("0001-people")
    project.migration("0002-facts", "CREATE TABLE facts (id bigint)", database="other", dependsOn=["0001-people"])
    for command in ("apply", "plan"):
        ended = whimbrel.run(command, "--environment", "dev", "--database", "other", code=REFUSED)
        assert "0002-facts depends on 0001-people, which is not applied on shop" in ended.err


def test_what_a_revert_would_be_refused_for_is_said_before(whimbrel, project, sqlite):
    project.environment("dev", {"shop": sqlite.url})
    project.migration("0001-people", {"sql": "CREATE TABLE people (id bigint)"})
    whimbrel.run("apply", "--environment", "dev")
    for asked in ([], ["--dry-run"]):
        whimbrel.run("revert", "0001-people", *asked, "--environment", "dev", code=REFUSED)


def test_apply_refuses_a_plan_when_the_definitions_moved(whimbrel, project, dev):
    project.table("0001-people")
    approved = digest(whimbrel.json("plan", "--environment", "dev"))
    project.table("0002-orders")
    ended = whimbrel.run("apply", "--environment", "dev", "--plan", approved, code=REFUSED)
    assert "changed" in ended.said or "differ" in ended.said or "moved" in ended.said, ended
    assert dev.tables() == set()


def test_apply_refuses_a_plan_when_the_database_moved(whimbrel, project, dev):
    project.table("0001-people")
    project.table("0002-orders")
    approved = digest(whimbrel.json("plan", "--environment", "dev"))
    project.remove("migrations/0002-orders.yaml")
    whimbrel.run("apply", "--environment", "dev")
    project.table("0002-orders")
    whimbrel.run("apply", "--environment", "dev", "--plan", approved, code=REFUSED)
    assert dev.tables() == {"people"}


def test_apply_runs_the_plan_that_was_seen(whimbrel, project, dev):
    project.table("0001-people")
    approved = digest(whimbrel.json("plan", "--environment", "dev"))
    whimbrel.run("apply", "--environment", "dev", "--plan", approved)
    assert dev.tables() == {"people"}


def test_a_plan_is_computed_for_the_databases_asked_for(whimbrel, project, sqlite, postgres):
    project.environment("dev", {"shop": sqlite.url, "analytics": postgres.url})
    project.table("0001-people")
    project.migration("0002-facts", "CREATE TABLE facts (id bigint)", database="analytics")
    plan = whimbrel.json("plan", "--environment", "dev", "--database", "analytics")
    assert planned(plan) == [("apply", "0002-facts")]


def test_a_plan_says_nothing_of_what_could_not_be_read(whimbrel, project, sqlite):
    project.environment("dev", {"shop": f"sqlite:{sqlite.file}", "away": "postgres://127.0.0.1:1/away"})
    ended = whimbrel.run("plan", "--environment", "dev", code=RETRY)
    assert "Not every database could be read" in ended.out and "up to date" not in ended.out
    assert "away" in ended.err
    junit = whimbrel.run("plan", "--environment", "dev", "--format", "junit", "--report", "sarif=plan.sarif", code=RETRY).out
    [failed] = [case for case in xml.fromstring(junit).iter("testcase") if case.find("failure") is not None]
    assert failed.get("name") == "away" and "refused" in failed.find("failure").get("message")
    [result] = json.loads((project.folder / "plan.sarif").read_text())["runs"][0]["results"]
    assert result["ruleId"] == "unread" and result["level"] == "error"


def test_an_unknown_environment_is_named_with_the_nearest(whimbrel, project, dev):
    ended = whimbrel.run("plan", "--environment", "dew", code=None)
    assert ended.code in (1, 64)
    assert "dev" in ended.err


@pytest.mark.parametrize("command", [["apply", "--plan"], ["revert", "0001-people", "--plan"], ["run", "--plan"], ["approve"]])
def test_what_names_no_plan_is_refused_before_anything_is_read(outside, command):
    for nonsense in ("nonsense", "sha256:12", "5f3c"):
        ended = outside.run(*command, nonsense, "--environment", "dev", code=USAGE)
        assert nonsense in ended.err and "as `whimbrel plan` shows it on its last line" in ended.err
