"""Databases that were there before, that were changed past the product, that belong to somebody else."""

import pytest
from support.answers import in_state, states
from support.product import DRIFT, LOCKED, OK, PENDING, USAGE, eventually


def test_baseline_adopts_what_is_there(whimbrel, project, dev):
    dev.execute("CREATE TABLE people (id bigint PRIMARY KEY)")
    project.table("0001-people")
    project.table("0002-orders")
    whimbrel.run("baseline", "--environment", "dev", "--through", "0001-people")
    assert states(whimbrel.json("status", "--environment", "dev"))["0001-people"] == "baselined"
    whimbrel.run("apply", "--environment", "dev")
    assert dev.tables() == {"people", "orders"}
    assert "baselined" in whimbrel.run("history", "--environment", "dev").out


def test_verify_finds_an_edited_definition_and_accepts_it_when_told(whimbrel, project, dev):
    project.table("0001-people")
    whimbrel.run("apply", "--environment", "dev")
    whimbrel.run("verify", "--environment", "dev", code=OK)
    project.migration("0001-people", ("CREATE TABLE people (id bigint PRIMARY KEY) -- the people", "DROP TABLE people"))
    ended = whimbrel.run("verify", "--environment", "dev", code=DRIFT)
    assert "0001-people" in ended.said
    whimbrel.run("verify", "--environment", "dev", "--accept", "0001-people", "--reason", "a comment")
    whimbrel.run("verify", "--environment", "dev", code=OK)
    whimbrel.run("plan", "--environment", "dev", "--detailed-exitcode", code=OK)
    assert "accepted" in whimbrel.run("history", "--environment", "dev").out


def test_verify_runs_the_checks_again(whimbrel, project, dev):
    project.migration("0001-people", "CREATE TABLE people (id bigint)", checks={
        "after": [{"name": "nobody yet", "query": "SELECT count(*) FROM people", "equals": 0}],
    })
    whimbrel.run("apply", "--environment", "dev")
    whimbrel.run("verify", "--environment", "dev", code=OK)
    dev.execute("INSERT INTO people VALUES (1)")
    ended = whimbrel.run("verify", "--environment", "dev", code=None)
    assert ended.code != 0
    assert "nobody yet" in ended.said


def test_another_projects_database_is_left_alone_until_adopted(whimbrel, project, dev):
    project.table("0001-people")
    whimbrel.run("apply", "--environment", "dev")
    project.declare(name="store")
    project.table("0002-orders")
    ended = whimbrel.run("apply", "--environment", "dev", code=None)
    assert ended.code != 0
    assert "shop" in ended.said
    assert dev.tables() == {"people"}
    whimbrel.run("adopt", "--environment", "dev")
    whimbrel.run("apply", "--environment", "dev")
    assert dev.tables() == {"people", "orders"}


def test_a_database_of_another_environment_is_left_alone(whimbrel, project, dev):
    project.table("0001-people")
    whimbrel.run("apply", "--environment", "dev")
    project.environment("copy", {"shop": dev.url})
    project.table("0002-orders")
    ended = whimbrel.run("apply", "--environment", "copy", code=None)
    assert ended.code != 0
    assert dev.tables() == {"people"}


def test_wait_ends_when_the_migration_is_there(whimbrel, project, dev):
    project.table("0001-people")
    waiting = whimbrel.start("wait", "--environment", "dev", "--migration", "0001-people", "--timeout", "60s")
    whimbrel.run("apply", "--environment", "dev")
    waiting.end()


def test_wait_gives_up(whimbrel, project, dev):
    project.table("0001-people")
    ended = whimbrel.run("wait", "--environment", "dev", "--migration", "0001-people", "--timeout", "1s", code=None)
    assert ended.code not in (0, 101)
    assert "0001-people" in ended.said


def test_wait_for_a_revision(whimbrel, project, dev):
    project.table("0001-people")
    commit = project.commit("People")
    whimbrel.run("apply", "--environment", "dev")
    whimbrel.run("wait", "--environment", "dev", "--revision", commit, "--timeout", "10s")


@pytest.mark.parametrize("command", [
    ["baseline", "--through"], ["verify", "--reason", "a comment", "--accept"], ["wait", "--timeout", "10s", "--migration"],
], ids=lambda command: command[0])
def test_a_migration_is_known_without_its_number_and_a_wrong_one_is_answered_with_the_nearest(whimbrel, project, dev, command):
    project.table("0001-people")
    project.table("0002-pets")
    if command[0] != "baseline":
        whimbrel.run("apply", "--environment", "dev")
    for wrong in ("0002-petz", "petz"):
        ended = whimbrel.run(*command, wrong, "--environment", "dev", code=USAGE)
        assert f"no migration is called `{wrong}`" in ended.err and "did you mean" in ended.err and "pets`" in ended.err
    project.table("0003-pets")
    ended = whimbrel.run(*command, "pets", "--environment", "dev", code=USAGE)
    assert "`0002-pets` or `0003-pets`" in ended.err
    assert whimbrel.json("status", "--environment", "dev")
    whimbrel.run(*command, "people", "--environment", "dev")


def test_what_is_accepted_belongs_to_a_database_that_was_asked_for(whimbrel, project, sqlite):
    project.environment("dev", {"shop": sqlite.url, "other": "sqlite:var/other.db"})
    project.table("0001-people")
    whimbrel.run("apply", "--environment", "dev")
    accept = ["verify", "--environment", "dev", "--accept", "people", "--reason", "a comment"]
    ended = whimbrel.run(*accept, "--database", "other", code=USAGE)
    assert "`0001-people` is a migration of `shop`" in ended.err
    whimbrel.run(*accept, "--database", "shop")


def test_unlock_leaves_a_living_holder_alone(whimbrel, project, postgres):
    project.environment("dev", {"shop": postgres.url})
    project.table("0001-people")
    whimbrel.run("apply", "--environment", "dev")
    project.migration("0002-long", "SELECT pg_sleep(60)")
    run = whimbrel.start("apply", "--environment", "dev")
    busy = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()"
    eventually(lambda: postgres.rows(busy) != [(0,)], "the long statement runs")
    ended = whimbrel.run("unlock", "--environment", "dev", code=None)
    assert ended.code != 0, ended
    project.environment("dev", {"shop": postgres.url}, policy={"lockWait": "1s"})
    ended = whimbrel.run("apply", "--environment", "dev", code=LOCKED)
    run.kill()
    run.end(code=None)
    eventually(lambda: postgres.rows(busy) == [(0,)], "the server noticed", within=60)
    whimbrel.run("unlock", "--environment", "dev")
    whimbrel.run("plan", "--environment", "dev", "--detailed-exitcode", code=PENDING)


@pytest.mark.parametrize("word", ["status", "plan"])
def test_reading_needs_no_lock(whimbrel, project, postgres, word):
    project.environment("dev", {"shop": postgres.url}, policy={"lockTimeout": "60s"})
    project.table("0001-people")
    whimbrel.run("apply", "--environment", "dev")
    project.migration("0002-long", "SELECT count(*) FROM people")
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with postgres.cluster.connect(postgres.name) as blocker:
        blocker.execute("BEGIN")
        blocker.execute("LOCK TABLE people")
        run = whimbrel.start("apply", "--environment", "dev")
        eventually(lambda: postgres.rows(waiting) == [(1,)], "it has the lock, and waits for the table")
        whimbrel.run(word, "--environment", "dev")
        assert run.process.poll() is None, "it was read while somebody else had the lock"
        blocker.execute("COMMIT")
    run.end()
    assert in_state(whimbrel.json("status", "--environment", "dev"), "applied") == ["0001-people", "0002-long"]
