"""Status and history: what is applied, what is pending, who did what and when."""

from support.answers import states
from support.product import FAILED


def test_status_tells_applied_failed_and_pending(whimbrel, project, dev):
    project.table("0001-people")
    project.migration("0002-broken", "INSERT INTO nowhere VALUES (1)")
    project.table("0003-orders")
    whimbrel.run("apply", "--environment", "dev", code=FAILED)
    assert states(whimbrel.json("status", "--environment", "dev", code=None)) == {
        "0001-people": "applied", "0002-broken": "failed", "0003-orders": "pending",
    }
    text = whimbrel.run("status", "--environment", "dev", code=None).out
    for word in ("applied", "failed", "pending", "0002-broken"):
        assert word in text, text


def test_status_of_an_untouched_database_is_all_pending(whimbrel, project, dev):
    project.table("0001-people")
    assert states(whimbrel.json("status", "--environment", "dev")) == {"0001-people": "pending"}


def test_history_says_who_when_and_from_which_commit(whimbrel, project, dev):
    project.table("0001-people")
    commit = project.commit("The first table")
    whimbrel.run("apply", "--environment", "dev")
    whimbrel.run("revert", "--environment", "dev", "0001-people")
    text = whimbrel.run("history", "--environment", "dev").out
    assert "applied" in text
    assert "reverted" in text
    assert commit[:7] in text
    events = str(whimbrel.json("history", "--environment", "dev"))
    assert commit in events
    assert "0001-people" in events


def test_history_outlives_a_failure(whimbrel, project, dev):
    project.migration("0001-broken", "INSERT INTO nowhere VALUES (1)")
    whimbrel.run("apply", "--environment", "dev", code=FAILED)
    assert "failed" in whimbrel.run("history", "--environment", "dev").out


def test_the_definition_travels_with_the_row(whimbrel, project, dev):
    """The history alone is enough to revert: no file, no commit, another machine."""
    project.table("0001-people")
    whimbrel.run("apply", "--environment", "dev")
    rows = dev.rows(f"SELECT * FROM {dev.history}migration")
    assert "DROP TABLE people" in str(rows)
