"""The operator: objects of an API server in, databases and conditions out."""

import time

import pytest
from support.both import on_both
from support.canary import Canary
from support.waiting import eventually

pytestmark = on_both
TABLE = [{"sql": "CREATE TABLE people (id integer)", "revert": "DROP TABLE people"}]


def dev(target, **policy):
    """An environment with one database that applies at once unless its policy says otherwise."""
    database = {"url": f"sqlite:{target.file}"}
    return {"databases": {"shop": database}, "policy": {"apply": "Auto"} | policy}


def of(environment, *steps):
    """A migration of an environment."""
    return {"environmentRef": {"name": environment}, "steps": list(steps)}


def test_migrations_that_people_apply_are_run(namespace, operate, sqlite):
    operate()
    namespace.apply("Environment", "dev", dev(sqlite))
    namespace.apply("Migration", "0001-people", of("dev", *TABLE))
    migration = namespace.until("Migration", "0001-people", "Succeeded")
    environment = namespace.until("Environment", "dev", "Ready")
    assert sqlite.tables() == {"people"}
    status = migration["status"]
    assert (status["applied"], status["databases"]) == (1, 1)
    assert status["checksum"].startswith("w1:") and status["appliedAt"]
    status = environment["status"]
    assert (status["applied"], status["pending"], status["failed"]) == (1, 0, 0)
    assert status["databases"] == [{"name": "shop", "applied": 1, "pending": 0, "failed": 0}]
    assert "plan" not in status
    # What is as it should be is neither being worked on nor in need of somebody.
    assert [one["type"] for one in status["conditions"]] == ["Ready"]


def test_nothing_is_written_and_nothing_told_where_nothing_changes(namespace, operate, sqlite):
    operator = operate("--resync", "1s")
    namespace.apply("Environment", "dev", dev(sqlite))
    namespace.apply("Migration", "0001-people", of("dev", *TABLE))
    namespace.until("Migration", "0001-people", "Succeeded")
    before = namespace.until("Environment", "dev", "Ready")["metadata"]["resourceVersion"]
    namespace.told("Environment", "dev", "Current")
    told = namespace.events("Environment", "dev")
    assert told["Applying"] == 1
    time.sleep(4)
    assert namespace.get("Environment", "dev")["metadata"]["resourceVersion"] == before
    assert namespace.events("Environment", "dev") == told
    assert operator.get("/healthz") == (200, "ok\n")
    assert operator.get("/readyz") == (200, "ok\n")
    assert "whimbrel_runs_total" in operator.get("/metrics")[1]
    operator.end()


def test_a_status_tells_how_it_came_about(namespace, operate, sqlite):
    """Rows, attempts and what came last: also of what failed, and of what another operator did before."""
    first = operate()
    make = [{"sql": "CREATE TABLE people (id integer PRIMARY KEY, touched integer)"},
            {"sql": "INSERT INTO people (id) VALUES (1), (2), (3)"}]
    fill = {"uses": "backfill", "with": {"table": "people", "key": "id", "set": "touched = 1", "batchSize": 2}}
    namespace.apply("Environment", "dev", dev(sqlite))
    namespace.apply("Migration", "0001-people", of("dev", *make, {"sql": "INSERT INTO nowhere VALUES (1)"}))
    status = namespace.until("Migration", "0001-people", "Stalled", reason="Failed")["status"]
    assert (status["rows"], status["attempts"], status["lastEvent"]["kind"]) == (0, 1, "failed")
    before = status["lastEvent"]["at"]
    namespace.apply("Migration", "0001-people", of("dev", *make))
    namespace.apply("Migration", "0002-fill", of("dev", fill))
    status = namespace.until("Migration", "0001-people", "Succeeded")["status"]
    assert (status["rows"], status["attempts"], status["lastEvent"]["kind"]) == (0, 2, "applied")
    assert status["lastEvent"]["at"] > before
    status = namespace.until("Migration", "0002-fill", "Succeeded")["status"]
    assert (status["rows"], status["attempts"], status["lastEvent"]["kind"]) == (3, 1, "applied")
    first.end()
    # The status is lost, and the history isn't.
    namespace.delete("Migration", "0002-fill")
    namespace.apply("Migration", "0002-fill", of("dev", fill))
    operate()
    assert namespace.until("Migration", "0002-fill", "Succeeded")["status"] | {"conditions": []} == status | {"conditions": []}


def test_a_migration_that_fails_stalls_until_somebody_changes_it(namespace, operate, sqlite):
    operate()
    namespace.apply("Environment", "dev", dev(sqlite))
    namespace.apply("Migration", "0001-people", of("dev", {"sql": "CREATE TABLE people (id integer)"},
                                                   {"sql": "INSERT INTO nowhere VALUES (1)"}))
    failed = namespace.until("Environment", "dev", "Stalled", reason="Failed")
    assert "nowhere" in failed["status"]["conditions"][0]["message"]
    namespace.until("Migration", "0001-people", "Succeeded", status="False", reason="Failed")
    namespace.told("Environment", "dev", "Failed")
    assert namespace.events("Environment", "dev")["Applying"] == 1
    time.sleep(2)
    assert namespace.events("Environment", "dev")["Applying"] == 1
    assert sqlite.rows("SELECT count(*) FROM whimbrel_event WHERE kind = 'failed'") == [(1,)]
    namespace.apply("Migration", "0001-people", of("dev", *TABLE))
    namespace.until("Migration", "0001-people", "Succeeded")
    assert sqlite.tables() == {"people"}


def test_a_definition_that_is_wrong_is_said_with_its_place(namespace, operate, sqlite):
    operate()
    namespace.apply("Environment", "dev", dev(sqlite))
    namespace.apply("Migration", "0001-people", of("dev", {"uses": "no-such-plugin"}))
    wrong = namespace.until("Environment", "dev", "Stalled", reason="InvalidDefinition")
    message = wrong["status"]["conditions"][0]["message"]
    assert "no-such-plugin" in message and "0001-people" in message


def test_what_is_wrong_in_one_environment_is_no_matter_of_the_others(namespace, operate, sqlite, tmp_path):
    """A time zone that there isn't is more than a pattern can say. Whoever extends it is wrong with it; nobody else is."""
    operate()
    nowhere = {"window": "Mon-Fri 08:00-16:00 Europe/Nowhere"}
    namespace.apply("Environment", "base", {"abstract": True, "policy": nowhere})
    namespace.apply("Environment", "other", {"databases": {"shop": {"url": f"sqlite:{tmp_path}/other.db"}}, "policy": nowhere})
    namespace.apply("Environment", "heir", {"extends": "base", "databases": {"shop": {"url": f"sqlite:{tmp_path}/heir.db"}}})
    namespace.apply("Environment", "dev", dev(sqlite))
    namespace.apply("Migration", "0001-people", of("dev", *TABLE))
    namespace.until("Migration", "0001-people", "Succeeded")
    namespace.until("Environment", "dev", "Ready")
    for wrong in ("other", "heir"):
        wrong = namespace.until("Environment", wrong, "Stalled", reason="InvalidDefinition")
        assert "Europe/Nowhere" in wrong["status"]["conditions"][0]["message"]
    # What is mended is looked at again, and so is who extends it.
    namespace.apply("Environment", "base", {"abstract": True})
    namespace.until("Environment", "heir", "Ready")


def test_what_is_suspended_begins_nothing(namespace, operate, sqlite):
    operate()
    namespace.apply("Environment", "dev", dev(sqlite) | {"suspend": True})
    namespace.apply("Migration", "0001-people", of("dev", *TABLE))
    namespace.until("Environment", "dev", "Ready", status="Unknown", reason="Suspended")
    # Nobody waits in vain for what goes on only when somebody says so.
    namespace.until("Environment", "dev", "Stalled", reason="Suspended")
    assert sqlite.tables() == set()
    namespace.patch("Environment", "dev", {"spec": {"suspend": False}})
    namespace.until("Environment", "dev", "Ready")
    assert sqlite.tables() == {"people"}


def test_who_asks_is_answered_although_nothing_changed(namespace, operate, sqlite):
    operate()
    namespace.apply("Environment", "dev", dev(sqlite))
    namespace.apply("Migration", "0001-people", of("dev", *TABLE))
    namespace.until("Migration", "0001-people", "Succeeded")
    # Past the product: what it says is what it finds.
    sqlite.execute("DELETE FROM whimbrel_migration; DROP TABLE people")
    namespace.patch("Environment", "dev", {"metadata": {"annotations": {"whimbrel.dev/requestedAt": "now"}}})
    eventually(lambda: namespace.get("Environment", "dev")["status"].get("lastHandledRequest") == "now", "it is answered")
    eventually(lambda: sqlite.tables() == {"people"}, "it is applied again")


def test_a_plan_waits_for_its_approval_and_for_no_other(namespace, operate, sqlite):
    operate()
    namespace.apply("Environment", "dev", dev(sqlite, apply="Approve", approvers=["ann", "group:dba"]))
    namespace.apply("Migration", "0001-people", of("dev", *TABLE))
    waiting = namespace.until("Environment", "dev", "Ready", status="False", reason="ApprovalRequired")
    plan = waiting["status"]["plan"]
    reference = {"environmentRef": {"name": "dev"}}
    namespace.apply("Approval", "another-plan", reference | {"plan": "0" * 64, "approver": "ann"})
    namespace.apply("Approval", "not-by-bob", reference | {"plan": plan, "approver": "bob"})
    namespace.until("Approval", "not-by-bob", "Succeeded", status="False", reason="MayNotApprove")
    namespace.until("Approval", "not-by-bob", "Stalled", reason="MayNotApprove")
    assert sqlite.tables() == set()
    namespace.apply("Approval", "by-a-dba", reference | {"plan": plan, "approver": "carol", "groups": ["dba"]})
    approved = namespace.until("Approval", "by-a-dba", "Succeeded", reason="Recorded")
    assert approved["status"]["expires"]
    namespace.until("Environment", "dev", "Ready")
    assert sqlite.tables() == {"people"}
    events = sqlite.rows("SELECT actor FROM whimbrel_event WHERE kind = 'approved'")
    assert events == [("carol (group:dba)",)]
    assert namespace.condition("Approval", "another-plan", "Succeeded") is None


def test_statements_that_lose_data_wait_for_who_looked_at_them(namespace, operate, sqlite):
    operate()
    sqlite.execute("CREATE TABLE old (id integer)")
    namespace.apply("Environment", "dev", dev(sqlite, destructive="Confirm", approvers=["ann"]))
    namespace.apply("Migration", "0001-drop", of("dev", {"sql": "DROP TABLE old"}))
    waiting = namespace.until("Environment", "dev", "Stalled", reason="Refused")
    spec = {"environmentRef": {"name": "dev"}, "plan": waiting["status"]["plan"], "confirmDestructive": True}
    namespace.apply("Approval", "by-bob", spec | {"approver": "bob"})
    time.sleep(1)
    assert sqlite.tables() == {"old"}
    namespace.apply("Approval", "by-ann", spec | {"approver": "ann"})
    namespace.until("Environment", "dev", "Ready")
    assert sqlite.tables() == set()


@pytest.fixture
def lent(namespace, cluster, postgres):
    """A database whose password is in a `Secret`."""
    user = f"of_{postgres.name}"
    known = [Canary.hatch(f"the {which} password of an Environment", plain=True) for which in ("first", "second")]
    passwords = iter([one.value for one in known])

    def change():
        """Another password, known to the database and not to the cluster."""
        password = next(passwords)
        with cluster.connect() as connection:
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [user]).fetchone():
                cluster.create_user(connection, user, password)
            connection.execute(f"ALTER ROLE {user} PASSWORD '{password}'")
        return password

    def environment():
        database = {"url": f"postgres://{user}@localhost/{postgres.name}?host={cluster.folder}",
                    "password": {"secretKeyRef": {"name": "shop", "key": "password"}}}
        return {"databases": {"shop": database}, "policy": {"apply": "Auto"}}
    return change, environment


def test_a_password_is_read_from_a_secret_and_again_when_it_changes(namespace, operate, lent, postgres):
    change, environment = lent
    operate()
    namespace.apply("Environment", "dev", environment())
    namespace.apply("Migration", "0001-people", of("dev", *TABLE))
    first = change()
    namespace.apply("Secret", "shop", {"password": Canary.hatch("a wrong password of an Environment", plain=True).value})
    namespace.patch("Environment", "dev", {"metadata": {"annotations": {"whimbrel.dev/requestedAt": "1"}}})
    namespace.until("Environment", "dev", "Ready", status="False")
    namespace.apply("Secret", "shop", {"password": first})
    namespace.until("Migration", "0001-people", "Succeeded")
    assert postgres.tables() == {"people"}
    namespace.apply("Secret", "shop", {"password": change()})
    namespace.apply("Migration", "0002-orders", of("dev", {"sql": "CREATE TABLE orders (id integer)"}))
    namespace.until("Migration", "0002-orders", "Succeeded")
    assert postgres.tables() == {"people", "orders"}


def test_objects_read_no_secrets_of_the_operators_own(namespace, operate, postgres, cluster):
    """Whoever may write objects isn't whoever runs the operator."""
    database = {"url": f"postgres://postgres@localhost/{postgres.name}?host={cluster.folder}",
                "password": {"secret": "file", "path": "/var/run/secrets/kubernetes.io/serviceaccount/token"}}
    operate()
    namespace.apply("Environment", "dev", {"databases": {"shop": database}, "policy": {"apply": "Auto"}})
    found = namespace.until("Environment", "dev", "Ready", status="False")
    assert "objects may not read the operator's own `file`" in str(found["status"])


def test_an_environment_extends_another_object(namespace, operate, sqlite):
    operate()
    namespace.apply("Environment", "base", {"abstract": True, "policy": {"apply": "Auto"}})
    namespace.until("Environment", "base", "Ready", reason="Abstract")
    namespace.apply("Environment", "dev", {"extends": "base", "databases": {"shop": {"url": f"sqlite:{sqlite.file}"}}})
    # It names no environment, and there is only one that it can mean.
    namespace.apply("Migration", "0001-people", {"steps": TABLE})
    namespace.until("Migration", "0001-people", "Succeeded")
    namespace.until("Environment", "dev", "Ready")
