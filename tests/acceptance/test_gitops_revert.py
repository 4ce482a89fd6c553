"""A migration that failed half-way in production, taken back by a `git revert` from elsewhere."""

import pytest
from support.answers import states
from support.git_server import Served
from support.product import FAILED
from support.stages import Clone, Stage

ROWS = 3_000


@pytest.fixture(params=["sqlite", "postgres"])
def production(request, binary, tmp_path, http, project):
    """An environment with a table that has rows."""
    cluster = request.getfixturevalue("cluster") if request.param == "postgres" else None
    url = f"{http.address}/shop.git"
    production = Stage("production", binary, tmp_path / "stages", url, http.access, project, cluster)
    project.environment("production", {"shop": production.database}, branch="main")
    project.migration(
        "0001-orders",
        ("CREATE TABLE orders (id bigint PRIMARY KEY, quantity bigint NOT NULL, total bigint)", "DROP TABLE orders"),
        ("INSERT INTO orders (id, quantity) WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c "
         f"WHERE i < {ROWS}) SELECT i, i FROM c", ""),
    )
    project.commit("Orders")
    return production


def test_what_failed_at_its_last_step_is_taken_back_by_another_process(production, project, tmp_path, http):
    served = Served(tmp_path / "served/shop.git", project)
    production.run("apply")
    concurrently = "CONCURRENTLY " if production.cluster else ""
    ada = Clone(tmp_path / "ada", served, author="Ada <ada@example.com>")
    ada.migration(
        "0002-totals",
        {"uses": "backfill", "with": {
            "table": "orders", "key": "id", "set": "total = quantity * 2", "where": "total IS NULL", "batchSize": 500,
            "revert": {"set": "total = NULL", "where": "total IS NOT NULL"},
        }},
        (f"CREATE INDEX {concurrently}orders_by_total ON orders (total)", f"DROP INDEX {concurrently}orders_by_total"),
        ("ALTER TABLE nowhere ADD COLUMN total bigint", "ALTER TABLE nowhere DROP COLUMN total"),
    )
    wrong = ada.commit("Totals")
    ada.push()
    ended = production.run("apply", code=FAILED)
    assert "0002-totals" in ended.err and "nowhere" in ended.err

    def filled():
        return production.target.rows("SELECT count(*) FROM orders WHERE total = quantity * 2")[0][0]

    def indexed():
        catalog = "pg_class WHERE relname" if production.cluster else "sqlite_master WHERE name"
        return production.target.rows(f"SELECT count(*) FROM {catalog} = 'orders_by_total'")[0][0]

    # What shares no transaction with the step that failed is committed, and stays until somebody decides.
    assert (filled(), indexed()) == (ROWS, 1 if production.cluster else 0)
    status = production.run("status", "--format", "json").json()
    assert states(status) == {"0001-orders": "applied", "0002-totals": "failed"}

    # Another developer takes it back; her clone lacks the file from then on.
    grace = Clone(tmp_path / "grace", served)
    grace.git("revert", "--no-edit", wrong, author=grace.author)
    right = grace.push()
    assert not (grace.folder / "migrations/0002-totals.yaml").exists()

    # Another machine, which has never seen the migration, runs what the database stores.
    production.whimbrel.variables["WHIMBREL_CACHE"] = tmp_path / "another-cache"
    shown = production.run("plan")
    assert "0002-totals" in shown.out
    production.run("apply")
    assert (filled(), indexed()) == (0, 0)
    assert production.target.rows("SELECT count(*) FROM orders") == [(ROWS,)]
    status = production.run("status", "--format", "json").json()
    assert states(status) == {"0001-orders": "applied"}
    for table in ("migration", "journal"):
        left = f"SELECT count(*) FROM {production.target.history}{table} WHERE "
        name = "name" if table == "migration" else "migration"
        assert production.target.rows(f"{left}{name} = '0002-totals'") == [(0,)]
    events = f"SELECT kind, revision FROM {production.target.history}event WHERE migration = '0002-totals' ORDER BY id"
    kinds = production.target.rows(events)
    assert [kind for kind, _ in kinds] == ["failed", "reverted"]
    assert wrong in kinds[0][1] and right in kinds[1][1]
    history = production.run("history").out
    assert "failed" in history and "reverted" in history
    # And nothing is left to do, today or by a run that is started once more.
    assert "nothing" in production.run("plan", "--detailed-exitcode").out
    production.run("apply")
    assert production.target.rows(events) == kinds
