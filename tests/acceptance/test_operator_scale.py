"""A thousand `Migration` objects in one namespace: how soon all are seen, how soon one is acted on, what rest costs."""

import concurrent.futures
import re
import time
from pathlib import Path

import pytest
from support.kubernetes import GROUP, PLACES
from support.waiting import eventually

MIGRATIONS = 1_000
CHANGES = 20
MEBIBYTE = 1 << 20
REST = 10.0


def deed(number, environment="dev"):
    """A migration that leaves one row."""
    return {"environmentRef": {"name": environment},
            "steps": [{"sql": f"INSERT INTO deeds VALUES ({number})",
                       "revert": f"DELETE FROM deeds WHERE number = {number}"}]}


def all_at_once(tasks):
    """Runs requests eight at a time."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(task) for task in tasks]:
            done.result()


def fill(namespace, count, target):
    """An environment and its migrations, of which the first makes the table."""
    namespace.apply("Environment", "dev", {"databases": {"shop": {"url": f"sqlite:{target.file}"}}, "policy": {"apply": "Auto"}})
    table = {"sql": "CREATE TABLE deeds (number bigint NOT NULL)", "revert": "DROP TABLE deeds"}
    namespace.apply("Migration", "m-00000", {"environmentRef": {"name": "dev"}, "steps": [table]})
    all_at_once([lambda number=number: namespace.apply("Migration", f"m-{number:05}", deed(number))
                 for number in range(1, count)])


def forget(namespace):
    """Takes every status away, as a restored backup of a cluster has none."""
    def blank(kind, name):
        path = f"{PLACES[kind].format(namespace.name)}/{name}/status"
        namespace.cluster.call("PATCH", path, {"status": None}, "application/merge-patch+json")
    blank("Environment", "dev")
    all_at_once([lambda name=one["metadata"]["name"]: blank("Migration", name) for one in namespace.list("Migration")])


def succeeded(namespace):
    """How many migrations say that they are applied."""
    def holds(one):
        return any((each["type"], each["status"], each["observedGeneration"]) == ("Succeeded", "True", one["metadata"]["generation"])
                   for each in one.get("status", {}).get("conditions", []))
    time.sleep(0.2)  # a list of a thousand costs the API server more than what is measured
    return sum(map(holds, namespace.list("Migration")))


def memory(operator):
    """What it holds in memory now, and the most that it has held, in bytes."""
    text = Path(f"/proc/{operator.running.process.pid}/status").read_text()
    return [int(re.search(rf"{name}:\s+(\d+) kB", text)[1]) << 10 for name in ("VmRSS", "VmHWM")]


def requests(cluster):
    """How many requests the API server has answered about our kinds, but for those of tests, which read lists and write."""
    text = cluster.call("GET", "/metrics")
    return sum(float(line.split()[-1]) for line in text.splitlines()
               if line.startswith("apiserver_request_total") and f'group="{GROUP.split("/")[0]}"' in line)


@pytest.mark.performance
def test_a_thousand_migrations_are_seen_within_seconds(namespace, operate, sqlite, measured):
    fill(namespace, MIGRATIONS, sqlite)
    begun = time.monotonic()
    operator = operate()
    namespace.until("Environment", "dev", "Ready", within=240)
    eventually(lambda: succeeded(namespace) == MIGRATIONS, "all are applied", 120)
    measured(f"{MIGRATIONS} Migration objects, applied for the first time: {time.monotonic() - begun:.1f} s")
    operator.end()

    # Everything is as it should be; that somebody asked for a look shows when all was looked at.
    namespace.patch("Environment", "dev", {"metadata": {"annotations": {"whimbrel.dev/requestedAt": "now"}}})
    operator = operate()
    eventually(lambda: operator.get("/readyz")[0] == 200, "everything is listed", 60)
    listed = time.monotonic()
    eventually(lambda: namespace.get("Environment", "dev")["status"].get("lastHandledRequest") == "now", "all was looked at", 60)
    looked = time.monotonic() - listed
    resting, most = memory(operator)
    measured(f"cold start: {looked:.2f} s after the list to {MIGRATIONS} reconciled, {resting / MEBIBYTE:.0f} MiB, "
             f"{most / MEBIBYTE:.0f} MiB at most")
    operator.end()

    forget(namespace)
    operator = operate()
    eventually(lambda: operator.get("/readyz")[0] == 200, "everything is listed", 60)
    listed = time.monotonic()
    eventually(lambda: succeeded(namespace) == MIGRATIONS, "all say that they are applied", 120)
    namespace.until("Environment", "dev", "Ready")
    measured(f"the same, with no status left: {time.monotonic() - listed:.1f} s to {MIGRATIONS} statuses")

    # One of a thousand is new; how soon its effect is there.
    took = []
    for number in range(MIGRATIONS, MIGRATIONS + CHANGES):
        begun = time.monotonic()
        namespace.apply("Migration", f"m-{number:05}", deed(number))
        eventually(lambda number=number: sqlite.rows(f"SELECT 1 FROM deeds WHERE number = {number}") == [(1,)],
                   "it is acted on", 30)
        took.append(time.monotonic() - begun)
    took.sort()
    measured(f"one more of {MIGRATIONS}: acted on after {took[len(took) // 2] * 1000:.0f} ms in the middle, "
             f"{took[-1] * 1000:.0f} ms at most of {CHANGES}")

    eventually(lambda: succeeded(namespace) == MIGRATIONS + CHANGES, "all say so", 60)
    before = requests(namespace.cluster)
    assert before > MIGRATIONS, "what is counted isn't what was asked"
    time.sleep(REST)
    asked = requests(namespace.cluster) - before
    measured(f"at rest: {asked:.0f} requests about {MIGRATIONS + CHANGES + 1} objects in {REST:.0f} s, "
             f"{asked / (MIGRATIONS + CHANGES + 1) * 3600 / REST:.2f} per object and hour")
    rows = sqlite.rows("SELECT count(*), count(DISTINCT number) FROM deeds")
    assert rows == [(MIGRATIONS + CHANGES - 1, MIGRATIONS + CHANGES - 1)]
    operator.end()
    assert looked < 5
    assert resting < 100 * MEBIBYTE
