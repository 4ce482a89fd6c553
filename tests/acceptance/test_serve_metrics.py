"""What `whimbrel serve` measures, as a real Prometheus and fifty impatient scrapers read it."""

import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.canary import Canary
from support.git_server import HttpServer
from support.product import ROOT
from support.prometheus import Prometheus, lint, samples, value
from support.waiting import eventually

ALERTS = ROOT / "deploy/prometheus/alerts.yaml"


def shown(server, **headers):
    """What it shows."""
    return server.get("/metrics", **headers).body


def test_a_source_and_its_environments_are_measured(serve, project, served, shop):
    http = HttpServer(served.folder.parent)
    project.environment("prod", {"shop": f"sqlite:{project.folder.parent}/prod.db"})
    project.commit("Production")
    served.push()
    server = serve("--source", f"shop={http.address}/shop.git", interval="300ms", **http.access)
    server.phase("current")
    server.phase("current", "prod")
    text = shown(server)
    assert lint(text) == ""
    assert value(text, "whimbrel_migrations", environment="dev", database="shop", state="applied") == 1
    assert value(text, "whimbrel_runs_total", environment="dev", result="succeeded") == 1
    assert value(text, "whimbrel_runs_total", environment="dev", result="failed") == 0
    assert time.time() - value(text, "whimbrel_last_success_timestamp_seconds", environment="dev") < 60
    assert value(text, "whimbrel_git_fetch_total", source="shop", result="changed") == 1
    assert value(text, "whimbrel_sync_lag_seconds", source="shop") < 60
    assert value(text, "whimbrel_queue_depth") is not None
    unchanged = lambda: value(shown(server), "whimbrel_git_fetch_total", source="shop", result="unchanged")  # noqa: E731
    eventually(lambda: (unchanged() or 0) >= 2, "it looks again and again")

    # The environment goes, and with it everything that was shown of it.
    (project.folder / "environments/prod.yaml").unlink()
    project.commit("No production")
    served.push()
    eventually(lambda: "prod" not in shown(server), "nothing is left of `prod`")
    assert value(shown(server), "whimbrel_migrations", environment="dev", database="shop", state="applied") == 1

    # The repository goes, and what is known of it grows old.
    http.status = 503
    eventually(lambda: value(shown(server), "whimbrel_sync_lag_seconds", source="shop") > 1.5, "it is stale")
    assert value(shown(server), "whimbrel_git_fetch_total", source="shop", result="failed") >= 1
    http.stop()


def test_the_format_is_the_one_that_is_asked_for(serve, project, dev):
    project.table("0001-people")
    server = serve()
    server.phase("current")
    answer = server.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    answer = server.get("/metrics", accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.body.endswith("# EOF\n")


def test_metrics_are_for_whoever_may_read(serve, project, sqlite):
    project.environment("dev", {"shop": sqlite.url})
    project.table("0001-people")
    reader = Canary.hatch("a reader's token", plain=True).value
    server = serve("--token", "prometheus=secret://env/READER,read", READER=reader)
    assert server.get("/metrics", status=401).json()["title"]
    server.token = reader
    server.phase("current")
    assert "whimbrel_build_info" in shown(server)


@pytest.mark.timeout(300)
def test_a_real_prometheus_scrapes_it_and_its_alerts_fire_and_clear(serve, project, served, shop, tmp_path):
    http = HttpServer(served.folder.parent)
    server = serve("--source", f"shop={http.address}/shop.git", interval="500ms", **http.access)
    server.phase("current")
    rules = re.sub(r"(?m)^        for: \w+\n", "", ALERTS.read_text()).replace("sync_lag_seconds > 600",
                                                                              "sync_lag_seconds > 4")
    prometheus = Prometheus(tmp_path / "prometheus", server.place, rules)
    try:
        eventually(prometheus.is_scraped, "it is scraped")
        project.migration("0002-broken", "INSERT INTO nowhere VALUES (1)")
        project.commit("Break it")
        served.push()
        server.phase("failed")
        eventually(lambda: "WhimbrelMigrationFailed" in prometheus.firing(), "the failure is told", within=60)
        http.status = 503
        eventually(lambda: "WhimbrelSyncStale" in prometheus.firing(), "the stale source is told", within=60)
        http.status = None
        project.migration("0002-broken", ("CREATE TABLE pets (id bigint)", "DROP TABLE pets"))
        project.commit("Mend it")
        served.push()
        server.phase("current", within=120)
        eventually(lambda: not prometheus.firing() & {"WhimbrelMigrationFailed", "WhimbrelSyncStale"}, "it is quiet",
                   within=60)
        assert prometheus.query('whimbrel_git_fetch_total{source="shop",result="failed"} > 0')
    finally:
        prometheus.stop()
        http.stop()


@pytest.mark.performance
def test_fifty_scrapers_at_once_wait_less_than_a_tenth_of_a_second(serve, project, postgres, measured):
    project.environment("dev", {"shop": postgres.url})
    for number in range(200):
        project.table(f"{number:04}-t{number}")
    server = serve()
    server.phase("current", within=120)
    # Something runs all the time.
    project.migration("0200-people", "CREATE TABLE people (id bigint PRIMARY KEY, n bigint NOT NULL DEFAULT 0)",
                      "INSERT INTO people (id) SELECT generate_series(1, 50000)")
    project.migration("0201-fill", {"uses": "backfill", "with": {
        "table": "people", "key": "id", "set": "n = 1", "where": "n = 0", "batchSize": 100, "pause": "100ms"}})
    server.ring()
    rows = lambda: value(shown(server), "whimbrel_rows_total", database="shop") or 0  # noqa: E731
    eventually(rows, "it works")
    done = rows()

    def scrape(_):
        begun = time.monotonic()
        assert "whimbrel_runs_total" in shown(server)
        return time.monotonic() - begun

    with ThreadPoolExecutor(50) as pool:
        list(pool.map(scrape, range(50)))
        took = sorted(pool.map(scrape, range(500)))
    alone = sorted(scrape(0) for _ in range(50))
    measured(f"scrape: {alone[25] * 1000:.1f} ms alone; of 50 at once, p50 {took[250] * 1000:.1f} ms, "
             f"p99 {took[494] * 1000:.1f} ms")
    assert alone[25] < 0.1
    assert rows() > done and server.environment()["phase"] == "applying"


def test_a_scraper_that_never_reads_holds_nobody_up(serve, project, dev):
    project.table("0001-people")
    server = serve()
    server.phase("current")
    held = []
    for _ in range(20):
        connection = server.connection()
        connection.connect()
        connection.sock.sendall(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n" * 50)
        held.append(connection)
    project.table("0002-orders")
    server.ring()
    eventually(lambda: "orders" in dev.tables(), "the run goes on")
    assert samples(shown(server))["whimbrel_runs_total"]
    for connection in held:
        connection.close()
