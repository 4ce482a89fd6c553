"""Revert: the stored down, by name, back to a commit, and by `git revert`; never because a file is absent."""

import pytest
from support.answers import in_state, planned
from support.product import FAILED, REFUSED


@pytest.fixture
def two(whimbrel, project, dev):
    """Two applied migrations, each with its commit."""
    project.table("0001-people")
    project.commit("People")
    project.table("0002-orders")
    project.commit("Orders")
    whimbrel.run("apply", "--environment", "dev")
    return dev


def test_by_name(whimbrel, two):
    whimbrel.run("revert", "--environment", "dev", "0002-orders")
    assert two.tables() == {"people"}
    assert in_state(whimbrel.json("status", "--environment", "dev"), "pending") == ["0002-orders"]


def test_newest_first_whatever_was_typed(whimbrel, two):
    whimbrel.run("revert", "--environment", "dev", "0001-people", "0002-orders")
    assert two.tables() == set()


def test_a_check_that_writes_is_no_reason_to_keep_what_was_applied_with_it(whimbrel, project, sqlite):
    """Such checks are refused; a migration that was applied before they were can be reverted."""
    project.environment("dev", {"shop": sqlite.url})
    project.migration("0001-people", ("CREATE TABLE people (id bigint)", "DROP TABLE people"), checks={
        "after": [{"name": "nobody", "query": "SELECT 0", "equals": 0}],
    })
    whimbrel.run("apply", "--environment", "dev")
    written = "DELETE FROM people RETURNING 0"
    sqlite.execute(f"UPDATE whimbrel_migration SET definition = replace(definition, 'SELECT 0', '{written}')")
    assert written in str(sqlite.rows("SELECT definition FROM whimbrel_migration"))
    whimbrel.run("revert", "--environment", "dev", "0001-people")
    assert sqlite.tables() == set()


def test_back_to_a_commit(whimbrel, project, two):
    whimbrel.run("revert", "--environment", "dev", "--to", "HEAD~1")
    assert two.tables() == {"people"}


def test_what_a_commit_removes_is_reverted(whimbrel, project, two):
    project.git("revert", "--no-edit", "HEAD")
    assert planned(whimbrel.json("plan", "--environment", "dev")) == [("revert", "0002-orders")]
    whimbrel.run("apply", "--environment", "dev")
    assert two.tables() == {"people"}
    again = whimbrel.json("plan", "--environment", "dev")
    assert planned(again) == []


def test_a_revert_of_the_revert_applies_it_again(whimbrel, project, two):
    project.git("revert", "--no-edit", "HEAD")
    whimbrel.run("apply", "--environment", "dev")
    project.git("revert", "--no-edit", "HEAD")
    whimbrel.run("apply", "--environment", "dev")
    assert two.tables() == {"people", "orders"}


def test_an_older_revision_reverts_nothing(whimbrel, project, two):
    """A re-run of an old CI job has fewer files, and that alone means nothing."""
    project.git("checkout", "--quiet", "HEAD~1")
    ended = whimbrel.run("apply", "--environment", "dev", code=None)
    assert ended.code != 0, ended
    assert "0002-orders" in ended.said
    assert two.tables() == {"people", "orders"}


def test_a_diverged_branch_reverts_nothing(whimbrel, project, two):
    project.git("checkout", "--quiet", "-b", "feature", "HEAD~1")
    project.table("0003-items")
    project.commit("Items")
    ended = whimbrel.run("apply", "--environment", "dev", code=None)
    assert ended.code != 0, ended
    assert two.tables() == {"people", "orders"}


def test_an_empty_tree_reverts_nothing(whimbrel, project, two):
    for file in (project.folder / "migrations").iterdir():
        file.unlink()
    project.write("migrations/.keep", "")
    project.commit("Oops")
    ended = whimbrel.run("apply", "--environment", "dev", code=None)
    assert ended.code != 0, ended
    assert two.tables() == {"people", "orders"}


def test_a_rename_is_followed(whimbrel, project, two):
    file = project.folder / "migrations/0002-orders.yaml"
    content = file.read_text().replace("0002-orders", "0002-purchases")
    project.write("migrations/0002-purchases.yaml", content)
    file.unlink()
    project.commit("A better name")
    whimbrel.run("apply", "--environment", "dev")
    assert two.tables() == {"people", "orders"}
    assert in_state(whimbrel.json("status", "--environment", "dev"), "applied") == ["0001-people", "0002-purchases"]


def test_what_has_no_down_blocks_the_whole_plan(whimbrel, project, dev):
    project.table("0001-people")
    project.migration("0002-one-way", "CREATE TABLE forever (id bigint)")
    project.table("0003-orders")
    project.commit()
    whimbrel.run("apply", "--environment", "dev")
    ended = whimbrel.run("revert", "--environment", "dev", "0002-one-way", "0003-orders", code=None)
    assert ended.code != 0
    assert "0002-one-way" in ended.said
    assert dev.tables() == {"people", "forever", "orders"}


def test_what_others_depend_on_is_not_reverted_alone(whimbrel, project, dev):
    project.table("0001-people")
    project.migration("0002-orders", ("CREATE TABLE orders (id bigint)", "DROP TABLE orders"),
                      dependsOn=["0001-people"])
    whimbrel.run("apply", "--environment", "dev")
    ended = whimbrel.run("revert", "--environment", "dev", "0001-people", code=None)
    assert ended.code != 0
    assert "0002-orders" in ended.said
    assert dev.tables() == {"people", "orders"}


def test_a_failed_migration_is_reverted_by_what_it_did(whimbrel, project, postgres):
    """The first step can't share a transaction with the second, so it stays when the second fails."""
    project.environment("dev", {"shop": postgres.url})
    project.table("0001-people")
    project.migration(
        "0002-index",
        ("CREATE INDEX CONCURRENTLY people_by_id ON people (id)", "DROP INDEX CONCURRENTLY people_by_id"),
        ("INSERT INTO nowhere VALUES (1)", "DELETE FROM nowhere"),
    )
    whimbrel.run("apply", "--environment", "dev", code=FAILED)
    there = "SELECT count(*) FROM pg_class WHERE relname = 'people_by_id'"
    assert postgres.rows(there) == [(1,)]
    whimbrel.run("revert", "--environment", "dev", "0002-index")
    assert postgres.rows(there) == [(0,)]


def test_policy_may_refuse_what_git_removed(whimbrel, project, two):
    project.environment("dev", {"shop": two.url}, policy={"onRevert": "Refuse"})
    project.commit("No reverts here")
    project.git("rm", "--quiet", "migrations/0002-orders.yaml")
    project.commit("Orders go")
    whimbrel.run("apply", "--environment", "dev", code=REFUSED)
    assert two.tables() == {"people", "orders"}


def test_a_down_that_loses_data_passes_the_destructive_gate(whimbrel, project, two):
    project.environment("dev", {"shop": two.url}, policy={"destructive": "Forbid"})
    ended = whimbrel.run("revert", "--environment", "dev", "0002-orders", code=REFUSED)
    assert "destructive" in ended.said
    assert two.tables() == {"people", "orders"}
    whimbrel.run("revert", "--environment", "dev", "0002-orders", "--override", "destructive", "--reason", "a mistake")
    assert two.tables() == {"people"}
    assert "a mistake" in str(whimbrel.json("history", "--environment", "dev"))


def test_a_backfill_is_taken_back(whimbrel, project, dev):
    project.migration("0001-people", "CREATE TABLE people (id bigint PRIMARY KEY, word text)",
                      "INSERT INTO people (id) VALUES (1), (2), (3)")
    project.migration("0002-fill", {"uses": "backfill", "with": {
        "table": "people", "key": "id", "set": "word = 'new'", "where": "word IS NULL",
        "revert": {"set": "word = NULL", "where": "word = 'new'"},
    }})
    whimbrel.run("apply", "--environment", "dev")
    assert dev.rows("SELECT count(*) FROM people WHERE word = 'new'") == [(3,)]
    whimbrel.run("revert", "--environment", "dev", "0002-fill")
    assert dev.rows("SELECT count(*) FROM people WHERE word IS NULL") == [(3,)]
