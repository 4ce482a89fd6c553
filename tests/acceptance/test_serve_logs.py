"""What `whimbrel serve` logs of its runs, and the traces that they are."""

import json

import pytest
from support.collector import attributes, variables
from support.waiting import eventually


@pytest.fixture
def two(project, target):
    """Two environments of a project whose runs log something of their own."""
    others = type(target)(project, "stock") if target.dialect == "sqlite" else type(target)(target.cluster)
    project.environment("dev", {"shop": target.url})
    project.environment("stock", {"shop": others.url})
    project.table("0001-people")
    # A metric that gives no number is a line of the program's own log.
    project.migration("0002-odd", "INSERT INTO people VALUES (1)",
                      metrics=[{"name": "odd", "query": "SELECT 'no number'", "type": "gauge"}])
    return ("dev", "stock")


def test_every_line_of_a_run_says_which_run_of_which_environment_it_is(serve, project, two):
    server = serve("--log-format", "json")
    runs = {name: [server.phase("current", name)["lastRun"]] for name in two}
    # Each environment runs again and again in one process.
    project.table("0003-orders")
    server.ring()
    for name in two:
        eventually(lambda: server.environment(name)["lastRun"] != runs[name][0], f"`{name}` runs again")  # noqa: B023
        runs[name].append(server.phase("current", name)["lastRun"])
    streamed = {run: server.events(run) for both in runs.values() for run in both}
    lines = [json.loads(line) for line in server.end().err.splitlines()]
    events = [line for line in lines if "event" in line]
    logged = [line for line in lines if "fields" in line]
    assert all(line["trace"] == line["run"].replace("-", "") for line in events)
    assert len({line["trace"] for line in events}) == 4
    for run, heard in streamed.items():
        # The same as whoever followed it was told.
        said = [{key: line[key] for key in line if key not in ("run", "trace", "at")} for line in events
                if line["run"] == run]
        assert said == [{key: event[key] for key in event if key not in ("run", "at")} for event in heard]
    # The program's own lines, of the first run of each.
    assert sorted((line["span"]["run"], line["span"]["trace"]) for line in logged if "span" in line) == sorted(
        (run, run.replace("-", "")) for run, _ in runs.values())


def test_each_run_is_a_trace_of_its_own(serve, project, two, collector):
    server = serve(**variables(collector.url))
    runs = {name: server.phase("current", name)["lastRun"] for name in two}
    project.migration("0003-broken", "INSERT INTO nowhere VALUES (1)")
    server.ring()
    failed = {name: server.phase("failed", name)["lastRun"] for name in two}
    server.end()
    roots = {span["traceId"]: span for span in collector.spans if not span.get("parentSpanId")}
    assert roots.keys() == {run.replace("-", "") for run in [*runs.values(), *failed.values()]}
    for of, result in ((runs, "succeeded"), (failed, "failed")):
        for name, run in of.items():
            root = roots[run.replace("-", "")]
            assert root["name"] == f"run {name}" and attributes(root)["whimbrel.result"] == result
            assert (root.get("status", {}).get("code") == 2) == (result == "failed")
            spans = {span["spanId"]: span for span in collector.spans if span["traceId"] == root["traceId"]}
            assert all(span["parentSpanId"] in spans for span in spans.values() if span is not root)
            names = {span["name"] for span in spans.values()}
            assert {"database shop"} < names and ("0003-broken" in names) == (result == "failed")
