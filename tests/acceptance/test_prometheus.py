"""What is shipped for Prometheus and Grafana, held to a real Prometheus that scrapes what the product says."""

import re
import subprocess
import time

import pytest
from support.alerts import ALERTS, TIMES, alerts, empty_panels, in_seconds
from support.hostile import hostile
from support.parts import program
from support.product import DRIFT, FAILED, LOCKED
from support.prometheus import Prometheus, Served
from support.waiting import eventually

# Provoked where it takes a service, or two processes at odds: `test_prometheus_services.py`, and of stale sources
# `test_serve_metrics.py`.
ELSEWHERE = {
    "WhimbrelOutcomeUnknown", "WhimbrelFenced", "WhimbrelSecretLeaseEnding", "WhimbrelSyncStale",
    "WhimbrelWebhooksUnverified", "WhimbrelQueueGrowing", "WhimbrelWatchSilent",
}
SHOWN_ELSEWHERE = {"Progress", "Leases", "Sync lag", "Fetches", "Webhooks", "Queue", "Watches", *TIMES}


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
    server = Prometheus(tmp_path / "prometheus", served.address, in_seconds())
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
    assert fired == set(alerts()) - ELSEWHERE
    assert empty_panels(prometheus) <= SHOWN_ELSEWHERE
