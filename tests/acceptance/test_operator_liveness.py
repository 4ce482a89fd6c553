"""Whether a process counts as alive: by what each of its watches hears, and not by how long a run takes."""

import time

from support.prometheus import value
from support.target import SqliteTarget
from support.waiting import eventually
from test_operator_failures import FILL, PEOPLE, ROWS, in_the_middle, touched

KINDS = ("GitSource", "Environment", "Migration", "Approval")


def dev(target):
    """An environment with one database."""
    database = {"url": str(target.url)} | target.url.references if target.dialect == "postgres" else {"url": f"sqlite:{target.file}"}
    return {"databases": {"shop": database}, "policy": {"apply": "Auto"}}


def test_one_silent_watch_of_all_is_found(api, namespace, operate, sqlite):
    """Its connection is open, and the others are renewed all the time. It is given up in time, and begun anew."""
    operator = operate("--watch-timeout", "2s")
    namespace.apply("Environment", "dev", dev(sqlite))
    namespace.until("Environment", "dev", "Ready")
    silent = api.on("watch", "/approvals$", times=1).swallow_answer()
    _, said = eventually(lambda: (answer := operator.get("/healthz"))[0] == 503 and answer, "it counts as dead")
    assert silent.hit
    assert [kind for kind in KINDS if f"watch of {kind}" in said] == ["Approval"]
    # It has done what it was asked all the while.
    namespace.apply("Migration", "0001-people", {"environmentRef": {"name": "dev"}, "steps": [{"sql": "CREATE TABLE people (id int)"}]})
    namespace.until("Migration", "0001-people", "Succeeded")
    eventually(lambda: operator.get("/healthz") == (200, "ok\n"), "it hears again")


def test_a_run_that_takes_long_is_progress(namespace, operate, postgres, project):
    """Longer than a watch may be silent, and another environment is looked at meanwhile. How far it is can be seen."""
    operator = operate("--local-secrets", "--watch-timeout", "1s")
    namespace.apply("Environment", "dev", dev(postgres) | {"policy": {"apply": "Auto", "lockTimeout": "60s"}})
    for name, steps in (("0001-people", PEOPLE), ("0002-fill", FILL)):
        namespace.apply("Migration", name, {"environmentRef": {"name": "dev"}, "steps": steps})
    in_the_middle(postgres)
    with postgres.held("people"):
        assert touched(postgres) < ROWS
        other = SqliteTarget(project, "other")
        namespace.apply("Environment", "other", dev(other))
        namespace.until("Environment", "other", "Ready")
        begun = time.monotonic()
        while time.monotonic() < begun + 4:
            assert operator.get("/healthz") == (200, "ok\n")
            time.sleep(0.1)
        assert namespace.condition("Environment", "dev", "Ready")["reason"] == "Applying"
        shown = operator.get("/metrics")[1]
        of_it = {"environment": "dev", "environment_namespace": namespace.name, "database": "shop"}
        assert value(shown, "whimbrel_migration_progress_ratio", **of_it, migration="0002-fill") == touched(postgres) / ROWS
    namespace.until("Migration", "0002-fill", "Succeeded")
