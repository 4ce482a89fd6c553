"""Exit codes: a promise to scripts. Each one that the documentation lists is brought about here, and no other is listed."""

import re

import pytest
from support.product import (
    DRIFT, FAILED, FINDINGS, INTERRUPTED, LOCKED, OK, PARTLY, PENDING, REFUSED, RETRY, ROOT, TERMINATED, UNKNOWN, USAGE,
    eventually,
)

DEV = ("--environment", "dev")


def nothing_to_do(whimbrel, project, sqlite, cluster):
    project.environment("dev", {"shop": sqlite.url})
    project.table("0001-people")
    whimbrel.run("apply", *DEV)
    return whimbrel.run("plan", *DEV, "--detailed-exitcode", code=None)


def a_statement_fails(whimbrel, project, sqlite, cluster):
    project.environment("dev", {"shop": sqlite.url})
    project.migration("0001-broken", "INSERT INTO nowhere VALUES (1)")
    return whimbrel.run("apply", *DEV, code=None)


def something_is_pending(whimbrel, project, sqlite, cluster):
    project.environment("dev", {"shop": sqlite.url})
    project.table("0001-people")
    assert whimbrel.run("plan", *DEV).code == OK, "only whoever asks gets the code"
    return whimbrel.run("plan", *DEV, "--detailed-exitcode", code=None)


def lint_finds_an_error(whimbrel, project, sqlite, cluster):
    project.environment("dev", {"shop": sqlite.url}, policy={"destructive": "Forbid"})
    project.migration("0001-gone", "DROP TABLE people")
    return whimbrel.run("lint", code=None)


def an_applied_migration_was_edited(whimbrel, project, sqlite, cluster):
    project.environment("dev", {"shop": sqlite.url})
    project.table("0001-people")
    whimbrel.run("apply", *DEV)
    project.migration("0001-people", "CREATE TABLE people (id bigint, other text)")
    assert whimbrel.run("apply", *DEV, code=None).code == DRIFT
    return whimbrel.run("verify", *DEV, code=None)


def somebody_else_holds_the_lock(whimbrel, project, sqlite, cluster):
    run = filling(whimbrel, project, sqlite, lockWait="1s")
    ended = whimbrel.run("apply", *DEV, code=None)
    run.kill()
    run.end(code=None)
    return ended


def nobody_approved(whimbrel, project, sqlite, cluster):
    project.environment("dev", {"shop": sqlite.url}, policy={"apply": "Approve"})
    project.table("0001-people")
    return whimbrel.run("apply", *DEV, code=None)


def nothing_tells_whether_it_took_effect(whimbrel, project, sqlite, cluster):
    """Killed in a statement that can't share a transaction and that leaves no trace which a probe knows."""
    target, template = cluster.create_database(), cluster.create_database()
    project.environment("dev", {"shop": cluster.url(target)}, policy={"lockWait": "30s"})
    project.migration("0001-copy", f"CREATE DATABASE copy_of_{template} TEMPLATE {template}")
    running = f"SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE copy_of_{template}%' AND state = 'active'"
    with cluster.connect(template), cluster.connect() as observer:
        # The open connection to the template keeps the statement waiting.
        run = whimbrel.start("apply", *DEV)
        eventually(lambda: observer.execute(running).fetchone() == (1,), "the statement runs")
        run.kill()
        run.end(code=-9)
    ended = whimbrel.run("apply", *DEV, code=None)
    assert "0001-copy" in ended.err
    assert "hint:" in ended.err, "it says how to decide"
    assert whimbrel.run("apply", *DEV, code=None).code == UNKNOWN, "it stays so until somebody decides"
    return ended


def one_database_of_two_fails(whimbrel, project, sqlite, cluster):
    project.environment("dev", {"shop": sqlite.url, "other": "sqlite:var/other.db"})
    project.migration("0001-broken", "INSERT INTO nowhere VALUES (1)")
    project.migration("0002-facts", "CREATE TABLE facts (id bigint PRIMARY KEY)", database="other")
    return whimbrel.run("apply", *DEV, code=None)


def the_command_line_makes_no_sense(whimbrel, project, sqlite, cluster):
    project.environment("dev", {"shop": sqlite.url})
    assert whimbrel.run("status", "--environment", "dve", code=None).code == USAGE
    return whimbrel.run("apply", "--no-such-option", code=None)


def the_server_is_away(whimbrel, project, sqlite, cluster):
    project.environment("dev", {"shop": f"postgres://nobody@localhost/nowhere?host={project.folder}"})
    project.table("0001-people")
    return whimbrel.run("apply", *DEV, code=None)


def ctrl_c(whimbrel, project, sqlite, cluster):
    run = filling(whimbrel, project, sqlite)
    run.interrupt()
    return run.end(code=None)


def an_orchestrators_signal(whimbrel, project, sqlite, cluster):
    run = filling(whimbrel, project, sqlite)
    run.terminate()
    return run.end(code=None)


# Every promised code, and how it comes about.
CODES = {
    OK: nothing_to_do,
    FAILED: a_statement_fails,
    PENDING: something_is_pending,
    FINDINGS: lint_finds_an_error,
    DRIFT: an_applied_migration_was_edited,
    LOCKED: somebody_else_holds_the_lock,
    REFUSED: nobody_approved,
    UNKNOWN: nothing_tells_whether_it_took_effect,
    PARTLY: one_database_of_two_fails,
    USAGE: the_command_line_makes_no_sense,
    RETRY: the_server_is_away,
    INTERRUPTED: ctrl_c,
    TERMINATED: an_orchestrators_signal,
}


def filling(whimbrel, project, target, **policy):
    """Starts a backfill that takes a while, and waits until it has committed some of it."""
    project.environment("dev", {"shop": target.url}, policy=policy)
    project.migration(
        "0001-people",
        "CREATE TABLE people (id bigint PRIMARY KEY, n bigint)",
        "INSERT INTO people (id) WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 2000) "
        "SELECT i FROM c",
    )
    whimbrel.run("apply", *DEV)
    project.migration("0002-fill", {"uses": "backfill", "with": {
        "table": "people", "key": "id", "set": "n = 1", "where": "n IS NULL", "batchSize": 20, "pause": "100ms",
    }})
    run = whimbrel.start("apply", *DEV)
    eventually(lambda: target.rows("SELECT count(*) FROM people WHERE n = 1")[0][0] > 0, "a batch is committed")
    return run


@pytest.mark.parametrize("code", CODES, ids=[f"{code}-{story.__name__}" for code, story in CODES.items()])
def test_every_exit_code_comes_about(whimbrel, project, sqlite, cluster, code):
    ended = CODES[code](whimbrel, project, sqlite, cluster)
    assert ended.code == code, ended


def test_the_documentation_lists_exactly_these_codes():
    page = (ROOT / "docs/commands.md").read_text()
    table = page.split("## Exit codes", 1)[1].split("\n## ", 1)[0]
    listed = [int(code) for row in re.findall(r"^\| ([\d, ]+) \|", table, re.M) for code in row.split(",")]
    assert listed == list(CODES)
