"""What is shipped for Prometheus and Grafana, held to a real Prometheus that scrapes what the product says."""

import json
import re
import subprocess
import time

import pytest
from support.hostile import hostile
from support.parts import program
from support.product import DRIFT, FAILED, LOCKED, ROOT
from support.prometheus import Prometheus, Served
from support.waiting import eventually

ALERTS = ROOT / "deploy/prometheus/alerts.yaml"
DASHBOARD = ROOT / "deploy/grafana/whimbrel.json"

# What single runs don't show: their alerts are held to made-up series by `promtool test rules`.
NOT_OF_SINGLE_RUNS = {
    "whimbrel_sync_lag_seconds", "whimbrel_git_fetch_total", "whimbrel_webhook_requests_total", "whimbrel_queue_depth",
    "whimbrel_watch_last_event_timestamp_seconds", "whimbrel_secret_lease_expiry_timestamp_seconds",
    "whimbrel_migration_progress_ratio",
}
# The first needs a statement whose effect nobody can see, the other one a run that is taken for dead and keeps its session.
NOT_PROVOKED = {"WhimbrelOutcomeUnknown", "WhimbrelFenced"}

WINDOW = 12


def names(expression):
    """The metrics of an expression."""
    found = set(re.findall(r"\bwhimbrel_\w+", expression))
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in found}


def in_seconds(rules):
    """The same rules for impatient ones: no delays, short windows, and a day that lasts twenty seconds."""
    rules = re.sub(r"(?m)^        for: \w+\n", "", rules)
    rules = re.sub(r"\[\d+m\]", f"[{WINDOW}s]", rules)
    return rules.replace("86400", "20")


def alerts():
    """The alerts by name, with their expressions."""
    return dict(re.findall(r"(?m)^      - alert: (\w+)\n        expr: (.+)$", ALERTS.read_text()))


def test_every_alert_fires_and_clears_when_it_should():
    for arguments in (["check", "rules", "alerts.yaml"], ["test", "rules", "alerts_test.yaml"]):
        done = subprocess.run([program("PROMTOOL", "promtool"), *arguments], cwd=ALERTS.parent, capture_output=True,
                              text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    tested = set(re.findall(r"alertname: (\w+)\n        exp_alerts", (ALERTS.parent / "alerts_test.yaml").read_text()))
    assert tested == set(alerts())


@pytest.fixture
def scene(tmp_path, project, sqlite, whimbrel):
    """A project, and a Prometheus that scrapes what its last measured command left."""
    project.environment("dev", {"shop": {"url": "secret://env/SHOP_URL"}}, policy={"lockWait": "1s"})
    file = tmp_path / "whimbrel.prom"

    def run(*arguments, start=False, **settings):
        arguments = [*arguments, "--environment", "dev", "--metrics-textfile", file]
        settings = {"SHOP_URL": sqlite.url} | settings
        return whimbrel.start(*arguments, **settings) if start else whimbrel.run(*arguments, **settings)

    file.write_text("")
    served = Served(file)
    server = Prometheus(tmp_path / "prometheus", served.address, in_seconds(ALERTS.read_text()))
    yield run, server
    server.stop()
    served.stop()


@pytest.mark.timeout(600)
def test_every_panel_has_data_and_every_alert_fires_and_clears(scene, project, sqlite):
    run, prometheus = scene
    fired = set()

    def fires(*expected):
        seen = set()

        def all_did():
            seen.update(prometheus.firing())
            return seen.issuperset(expected)

        try:
            eventually(all_did, f"{expected} fire", within=60)
        except AssertionError:
            raise AssertionError(f"only {seen} of {expected} fired") from None
        fired.update(seen)

    def scraped():
        # Twice, so that what counts from zero is seen to.
        time.sleep(2.5)

    hostile(project, '{"id":"x","version":"1","needs":["metrics"]}')
    eventually(prometheus.is_scraped, "the file is scraped")
    rows = "WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 3000) SELECT i FROM c"
    fill = {"table": "people", "key": "id", "batchSize": 100}
    project.migration("0001-people", "CREATE TABLE people (id bigint PRIMARY KEY, n bigint NOT NULL DEFAULT 0)",
                      f"INSERT INTO people (id) {rows}")
    project.migration("0002-fill", {"uses": "backfill", "with": fill | {"set": "n = 1", "where": "n = 0"}})
    project.migration("0003-nothing", {"uses": "hostile", "with": {"do": "nothing"}})
    run("apply")
    scraped()

    # A migration that fails, one that waits for it, and time that goes by.
    project.migration("0004-broken", "INSERT INTO nowhere VALUES (1)")
    project.table("0005-orders")
    run("apply", code=FAILED)
    fires("WhimbrelMigrationFailed", "WhimbrelRunFailed", "WhimbrelPending", "WhimbrelNotUpToDate")

    # A plugin that traps, and before that measures more than it may.
    project.migration("0004-broken", {"uses": "hostile", "with": {"do": "nothing"}})
    run("apply")
    scraped()
    project.migration("0006-flood", {"uses": "hostile", "with": {"do": "nothing", "flood": "x"}})
    project.migration("0007-trap", {"uses": "hostile", "with": {"do": "nothing", "tell": "SELECT 'words'"}})
    run("apply", code=FAILED)
    fires("WhimbrelPluginFailing", "WhimbrelMetricsDropped")
    run("verify", "--accept", "0007-trap", "--reason", "it has told its words", code=None)
    run("apply")
    scraped()

    # A secret that isn't there any more.
    run("apply", code=None, SHOP_URL=None)
    fires("WhimbrelSecretStoreFailing")

    # A definition that isn't what was applied.
    project.migration("0003-nothing", {"uses": "hostile", "with": {"do": "nothing", "x": 1}})
    run("verify", code=DRIFT)
    fires("WhimbrelDrift")
    project.migration("0003-nothing", {"uses": "hostile", "with": {"do": "nothing"}})
    run("verify")
    run("apply")
    scraped()

    # A run that is in the middle of its work while another one comes, and that then dies.
    project.migration("0008-fill", {"uses": "backfill", "with": fill | {"set": "n = 2", "where": "n = 1", "pause": "600ms"}})
    first = run("apply", start=True)
    try:
        eventually(lambda: sqlite.rows("SELECT count(*) FROM people WHERE n = 2")[0][0] >= 300, "it works", within=60)
        run("apply", code=LOCKED)
        fires("WhimbrelDatabaseLocked", "WhimbrelHalfDone")
    finally:
        first.kill()
    first.end(code=-9)

    run("apply")
    eventually(lambda: not prometheus.firing(), "everything is quiet", within=60)
    expected = {name for name, expression in alerts().items() if not names(expression) & NOT_OF_SINGLE_RUNS}
    assert fired == expected - NOT_PROVOKED

    empty = {}
    panels = json.loads(DASHBOARD.read_text())["panels"]
    for panel in panels:
        for target in panel.get("targets", []):
            expression = target["expr"].replace("$environment", ".*")
            expression = expression.replace("$__rate_interval", "5s").replace("$__range", "1m")
            # Ever since this test began.
            if not prometheus.query(f"last_over_time(({expression})[10m:1s])"):
                empty[panel["title"]] = expression
    unexpected = {title: text for title, text in empty.items() if not names(text) & NOT_OF_SINGLE_RUNS}
    assert unexpected == {}
    assert len(panels) - len(empty) > 20
