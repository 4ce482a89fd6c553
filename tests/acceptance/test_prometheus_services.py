"""Alerts and panels that take a service, or two processes at odds: a real Prometheus scrapes each, and what is told clears."""

import pytest
from support.alerts import TIMES, empty_panels, in_seconds
from support.git_host import push
from support.product import LOCKED, UNKNOWN
from support.prometheus import Prometheus, Served
from support.target import PostgresTarget
from support.vault_shop import VaultShop, of
from support.waiting import eventually

pytestmark = pytest.mark.timeout(300)

ROWS = 3000
FILL = {"table": "people", "key": "id", "set": "n = 1", "where": "n = 0", "batchSize": 100, "pause": "300ms"}


@pytest.fixture
def watch(tmp_path):
    """Starts a Prometheus with the shipped rules in seconds."""
    started = []

    def start(target, **limits):
        server = Prometheus(tmp_path / "prometheus", target, in_seconds(**limits))
        started.append(server)
        eventually(server.is_scraped, "it is scraped")
        return server

    yield start
    for server in started:
        server.stop()


def is_told(prometheus, alert):
    """Waits until an alert fires."""
    eventually(lambda: alert in prometheus.firing(), f"{alert} fires", within=60)


def is_quiet(prometheus, alert):
    """Waits until it fires no more."""
    eventually(lambda: alert not in prometheus.firing(), f"{alert} is quiet", within=60)


def people(project):
    """A migration that makes rows to be filled."""
    rows = f"WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < {ROWS}) SELECT i FROM c"
    project.migration("0001-people", "CREATE TABLE people (id bigint PRIMARY KEY, n bigint NOT NULL DEFAULT 0)",
                      f"INSERT INTO people (id) {rows}")


def filled(target):
    """How many rows are."""
    return target.rows("SELECT count(*) FROM people WHERE n = 1")[0][0]


def test_webhooks_that_nobody_vouches_for(hosted, watch):
    server = hosted.serve()
    prometheus = watch(server.place)
    push("1" * 40, hosted.secret).send(server, status=202)
    eventually(lambda: prometheus.query('whimbrel_webhook_requests_total{result="accepted"} > 0'), "it is counted")
    assert "WhimbrelWebhooksUnverified" not in prometheus.firing()
    push("1" * 40, "another secret").send(server, status=403)
    is_told(prometheus, "WhimbrelWebhooksUnverified")
    is_quiet(prometheus, "WhimbrelWebhooksUnverified")
    assert not empty_panels(prometheus) & {"Sync lag", "Fetches", "Webhooks", "Queue"}
    hosted.end(server)


def test_a_lease_that_cannot_be_renewed(project, cluster, openbao, before_openbao, serve, watch):
    shop = VaultShop(project, cluster, openbao, before_openbao)
    _, reference = shop.lent(time_to_live="20s")
    known = shop.environment(role=shop.owner, **of(reference, username="username", password="password"))
    people(project)
    project.migration("0002-fill", {"uses": "backfill", "with": FILL})
    server = serve(**known)
    # It is renewed when a third of its time is left.
    prometheus = watch(server.place, WhimbrelSecretLeaseEnding=4)
    server.phase("current", within=120)
    assert shop.rows("SELECT count(*) FROM people WHERE n = 1") == [(ROWS,)]
    assert not empty_panels(prometheus) & {"Leases", "Progress"}
    assert "WhimbrelSecretLeaseEnding" not in prometheus.firing()
    before_openbao.inject("/v1/sys/leases/renew", {"status": 503})
    is_told(prometheus, "WhimbrelSecretLeaseEnding")
    before_openbao.mend()
    server.ring()
    is_quiet(prometheus, "WhimbrelSecretLeaseEnding")
    # How long things take is shown of more than was scraped at first.
    again = FILL | {"set": "n = 2", "where": "n = 1", "batchSize": ROWS, "pause": "1ms"}
    project.migration("0003-again", {"uses": "backfill", "with": again})
    server.ring()
    eventually(lambda: shop.rows("SELECT count(*) FROM people WHERE n = 2") == [(ROWS,)], "it is done")
    eventually(lambda: not empty_panels(prometheus) & TIMES, "it is shown how long that took")


@pytest.fixture
def measured_run(whimbrel, tmp_path):
    """Starts runs whose metrics a Prometheus may scrape; gives how to start one, and where they are served."""
    file = tmp_path / "whimbrel.prom"
    file.write_text("")
    served = Served(file)
    yield lambda: whimbrel.start("apply", "--environment", "dev", "--metrics-textfile", file), served.address
    served.stop()


def test_a_run_that_was_taken_for_dead(project, postgres, measured_run, watch):
    start, address = measured_run
    project.environment("dev", {"shop": postgres.url})
    people(project)
    start().end()
    prometheus = watch(address)
    project.migration("0002-fill", {"uses": "backfill", "with": FILL})
    run = start()
    try:
        eventually(lambda: filled(postgres) >= 300, "it works", within=60)
        # As after a failover: somebody else's epoch, and its own session still there.
        postgres.execute("UPDATE whimbrel.lock SET epoch = epoch + 1, run = gen_random_uuid()::text, holder = 'other'")
        assert "another run took over" in run.end(code=LOCKED).said
    finally:
        run.kill()
    is_told(prometheus, "WhimbrelFenced")
    start().end()
    is_quiet(prometheus, "WhimbrelFenced")
    assert filled(postgres) == ROWS


def test_a_statement_of_which_nobody_knows_whether_it_took_effect(project, cluster, measured_run, watch):
    start, address = measured_run
    target, template = PostgresTarget(cluster), cluster.create_database()
    project.environment("dev", {"shop": target.url}, policy={"lockWait": "30s"})
    project.table("0001-people")
    start().end()
    prometheus = watch(address)
    project.migration("0002-copy", f"CREATE DATABASE copy_of_{template} TEMPLATE {template}")
    running = f"SELECT 1 FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE copy_of_{template}%' AND state = 'active'"
    # The open connection to the template keeps the statement waiting.
    with cluster.connect(template), cluster.connect() as observer:
        run = start()
        eventually(lambda: observer.execute(running).fetchone() == (1,), "the statement runs")
        run.kill()
        run.end(code=-9)
    start().end(code=UNKNOWN)
    is_told(prometheus, "WhimbrelOutcomeUnknown")
    is_quiet(prometheus, "WhimbrelOutcomeUnknown")


def test_environments_that_wait_and_watches_that_are_silent(namespace, api, operate, cluster, watch):
    gates = [PostgresTarget(cluster) for _ in range(3)]
    for number, gate in enumerate(gates):
        gate.execute("CREATE TABLE gate (id int)")
        database = {"url": str(gate.url)} | gate.url.references
        namespace.apply("Environment", f"dev{number}", {"databases": {"shop": database}, "policy": {"apply": "Auto"}})
        namespace.apply("Migration", f"0001-{number}", {
            "environmentRef": {"name": f"dev{number}"}, "steps": [{"sql": "INSERT INTO gate VALUES (1)"}]})
    keepers = [cluster.connect(gate.name) for gate in gates]
    for keeper in keepers:
        keeper.execute("BEGIN; LOCK TABLE gate")
    operator = operate("--local-secrets", "--runs", "1", "--watch-timeout", "2s")
    prometheus = watch(operator.place, WhimbrelQueueGrowing=1, WhimbrelWatchSilent=8)
    # One of them waits for its gate, the others for that one.
    is_told(prometheus, "WhimbrelQueueGrowing")
    assert "WhimbrelWatchSilent" not in prometheus.firing()
    for keeper in keepers:
        keeper.execute("ROLLBACK")
        keeper.close()
    is_quiet(prometheus, "WhimbrelQueueGrowing")
    for number in range(3):
        namespace.until("Environment", f"dev{number}", "Ready")
    api.gone()
    is_told(prometheus, "WhimbrelWatchSilent")
    api.back()
    is_quiet(prometheus, "WhimbrelWatchSilent")
    assert not empty_panels(prometheus) & {"Queue", "Watches"}
    operator.end()
