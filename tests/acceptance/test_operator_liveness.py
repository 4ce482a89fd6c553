"""Whether a process counts as alive: by what each of its watches hears, and not by how long a run takes."""

import time

from support.target import SqliteTarget
from support.waiting import eventually

KINDS = ("GitSource", "Environment", "Migration", "Approval")


def dev(target):
    """An environment with one database."""
    database = {"url": str(target.url)} | target.url.references if target.dialect == "postgres" else {"url": f"sqlite:{target.file}"}
    return {"databases": {"shop": database}, "policy": {"apply": "Auto"}}


def test_one_silent_watch_of_all_is_found(api, namespace, operate, sqlite):
    """Its connection is open, and the others are renewed all the time."""
    operator = operate("--watch-timeout", "2s")
    namespace.apply("Environment", "dev", dev(sqlite))
    namespace.until("Environment", "dev", "Ready")
    silent = api.on("watch", "/approvals$").swallow_answer()
    _, said = eventually(lambda: (answer := operator.get("/healthz"))[0] == 503 and answer, "it counts as dead")
    assert silent.hit
    assert [kind for kind in KINDS if f"watch of {kind}" in said] == ["Approval"]
    # It has done what it was asked all the while.
    namespace.apply("Migration", "0001-people", {"environmentRef": {"name": "dev"}, "steps": [{"sql": "CREATE TABLE people (id int)"}]})
    namespace.until("Migration", "0001-people", "Succeeded")
    api.mend()
    api.cut()
    eventually(lambda: operator.get("/healthz") == (200, "ok\n"), "it hears again")


def test_a_run_that_takes_long_is_progress(namespace, operate, postgres, project):
    """Longer than a watch may be silent, and another environment is looked at meanwhile."""
    operator = operate("--local-secrets", "--watch-timeout", "1s")
    namespace.apply("Environment", "dev", dev(postgres))
    namespace.apply("Migration", "0001-slow", {"environmentRef": {"name": "dev"}, "steps": [{"sql": "SELECT pg_sleep(6)"}]})
    namespace.until("Environment", "dev", "Ready", status="False", reason="Applying")
    other = SqliteTarget(project, "other")
    namespace.apply("Environment", "other", dev(other))
    namespace.until("Environment", "other", "Ready")
    begun = time.monotonic()
    while (one := namespace.condition("Environment", "dev", "Ready")) and one["reason"] == "Applying":
        assert operator.get("/healthz") == (200, "ok\n")
        time.sleep(0.1)
    assert time.monotonic() - begun > 3, "it took no longer than a watch may be silent"
    namespace.until("Migration", "0001-slow", "Succeeded")
