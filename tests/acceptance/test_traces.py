"""Runs as traces of OpenTelemetry, as a collector gets them."""

import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from support.collector import attributes, variables
from support.parts import free_port
from support.product import FAILED


def test_a_run_is_a_trace_with_the_id_that_its_log_says(whimbrel, project, dev, collector):
    project.table("0001-people")
    project.table("0002-orders")
    ended = whimbrel.run("apply", "--environment", "dev", "--log-format", "json",
                         OTEL_EXPORTER_OTLP_HEADERS="x-team=shop", **variables(collector.url))
    logged = {json.loads(line)["trace"] for line in ended.err.splitlines() if '"trace"' in line}
    assert {span["traceId"] for span in collector.spans} == logged and len(logged) == 1
    assert {request for request in collector.requests} == {("/v1/traces", "application/json", "shop")}

    run = collector.named("run dev")
    assert not run.get("parentSpanId") and run["service"] == "whimbrel"
    assert attributes(run)["whimbrel.result"] == "succeeded"
    database = collector.named("database shop")
    assert database["parentSpanId"] == run["spanId"]
    assert [event["name"] for event in database["events"]] == ["lock taken"]
    migration = collector.named("0001-people")
    assert migration["parentSpanId"] == database["spanId"]
    assert attributes(migration)["whimbrel.direction"] == "apply"
    steps = [span for span in collector.spans if span.get("parentSpanId") == migration["spanId"]]
    assert len(steps) == 1 and attributes(steps[0])["whimbrel.step"] == "sql"
    for span in collector.spans:
        assert int(run["startTimeUnixNano"]) <= int(span["startTimeUnixNano"])
        assert int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"]) <= int(run["endTimeUnixNano"])


def test_what_failed_is_an_error_of_its_span(whimbrel, project, dev, collector):
    project.migration("0001-broken", "INSERT INTO nowhere VALUES (1)")
    whimbrel.run("apply", "--environment", "dev", code=FAILED, **variables(collector.url))
    for name in ("run dev", "database shop", "0001-broken"):
        assert collector.named(name)["status"]["code"] == 2, name
    assert "nowhere" in collector.named("0001-broken")["status"]["message"]


def test_a_collector_that_is_away_or_silent_changes_nothing(whimbrel, project, dev):
    project.table("0001-people")
    ended = whimbrel.run("apply", "--environment", "dev", **variables(f"http://127.0.0.1:{free_port()}"))
    assert dev.tables() == {"people"} and ended.code == 0
    silent = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    project.table("0002-orders")
    begun = time.monotonic()
    whimbrel.run("apply", "--environment", "dev", **variables(f"http://127.0.0.1:{silent.server_address[1]}"))
    assert dev.tables() == {"people", "orders"}
    assert time.monotonic() - begun < 30
    silent.server_close()


def test_nothing_is_sent_where_no_collector_is_named(whimbrel, project, dev, collector):
    project.table("0001-people")
    whimbrel.run("apply", "--environment", "dev")
    whimbrel.run("apply", "--environment", "dev", OTEL_SDK_DISABLED="true", **variables(collector.url))
    assert collector.requests == []
