"""The operator's objects by kubectl itself: the client that people have, with its own reading of kinds, columns and refusals."""

import pytest
from support.kubectl import Failed, Kubectl

API = "whimbrel.dev/v1alpha1"
TABLE = [{"sql": "CREATE TABLE people (id integer)", "revert": "DROP TABLE people"}]


@pytest.fixture
def kubectl(namespace, tmp_path):
    """kubectl in the test's namespace."""
    return Kubectl(namespace, tmp_path / "kubectl")


def document(kind, name, **spec):
    """An object as a file has it."""
    return {"apiVersion": API, "kind": kind, "metadata": {"name": name}, "spec": spec}


def environment(target, **policy):
    """An environment with one database."""
    databases = {"shop": {"url": f"sqlite:{target.file}"}}
    return document("Environment", "dev", databases=databases, policy={"apply": "Auto"} | policy)


def history(target):
    """What a database has of each migration, and takes it away again."""
    found = target.rows("SELECT name, state, checksum FROM whimbrel_migration ORDER BY name")
    target.file.unlink()
    return found


def test_the_same_files_work_everywhere(kubernetes, kubectl, namespace, operate_in, whimbrel, served, http, shop, tmp_path):
    """A repository's own files, byte by byte: by `whimbrel`, from Git by a `GitSource`, and by `kubectl apply`."""
    project = served.project
    project.migration("0002-orders", ("CREATE TABLE orders (id bigint)", "DROP TABLE orders"), dependsOn=["0001-people"])
    project.commit("Orders")
    served.push()
    http.opened = True
    whimbrel.run("apply", "--environment", "dev")
    by_command = history(shop)
    assert [row[:2] for row in by_command] == [("0001-people", "applied"), ("0002-orders", "applied")]

    from_git = kubernetes.namespace()
    operate_in(from_git, POD_NAME="from-git")
    other = Kubectl(from_git, tmp_path / "kubectl")
    other.apply(document("GitSource", "shop", url=f"{http.address}/shop.git"),
                document("Environment", "dev", sourceRef={"name": "shop"}))
    other.wait("environment/dev", "Ready")
    assert history(shop) == by_command

    operate_in(namespace, POD_NAME="by-kubectl")
    folders = [project.folder / name for name in ("environments", "migrations")]
    made = kubectl.run("apply", *(f"--filename={folder}" for folder in folders))
    assert made.splitlines() == [f"{kind}.whimbrel.dev/{name} created" for kind, name in (
        ("environment", "dev"), ("migration", "0001-people"), ("migration", "0002-orders"))]
    kubectl.wait("migration/0002-orders", "Succeeded")
    kubectl.wait("environment/dev", "Ready")
    assert history(shop) == by_command
    # Who applies them again changes nothing.
    again = kubectl.run("apply", *(f"--filename={folder}" for folder in folders))
    assert [line.split()[-1] for line in again.splitlines()] == ["unchanged"] * 3


def test_a_lifecycle(kubectl, namespace, operate, sqlite):
    operate()
    kubectl.apply(environment(sqlite, approvers=["ann"], apply="Approve"),
                  document("Migration", "0001-people", environmentRef={"name": "dev"}, steps=TABLE))
    kubectl.run("wait", "--for=jsonpath={.status.plan}", "wenv/dev", "--timeout=30s")
    header, rows = kubectl.table("wenv")
    assert header == ["NAME", "READY", "REASON", "REVISION", "APPLIED", "PENDING", "PLAN", "AGE"]
    assert rows["dev"][:2] == ["False", "ApprovalRequired"]
    plan = kubectl.run("get", "wenv/dev", "--output=jsonpath={.status.plan}")
    kubectl.apply(document("Approval", "yes", environmentRef={"name": "dev"}, plan=plan, approver="ann"))
    kubectl.wait("wapp/yes", "Succeeded")
    kubectl.wait("wmig/0001-people", "Succeeded")
    kubectl.wait("wenv/dev", "Ready")
    assert sqlite.tables() == {"people"}
    header, rows = kubectl.table("wmig")
    assert header == ["NAME", "SUCCEEDED", "REASON", "ENVIRONMENT", "APPLIED", "AGE"]
    assert rows["0001-people"][:3] == ["True", "Applied", "dev"]
    # All of them have one word.
    shown = kubectl.run("get", "whimbrel", "--output=name").split()
    assert shown == ["approval.whimbrel.dev/yes", "environment.whimbrel.dev/dev", "migration.whimbrel.dev/0001-people"]
    kubectl.run("annotate", "wenv/dev", "whimbrel.dev/requestedAt=now")
    kubectl.run("wait", "--for=jsonpath={.status.lastHandledRequest}=now", "wenv/dev", "--timeout=30s")
    namespace.told("Environment", "dev", "Current")
    assert "Current" in kubectl.run("events", "--for", "environment/dev")
    kubectl.run("delete", "wmig", "--all", "--timeout=30s")
    kubectl.run("delete", "wenv/dev", "--timeout=30s")
    assert sqlite.tables() == {"people"}, "what is applied stays"


def test_a_refusal_says_what_is_wrong(kubectl, operate, sqlite):
    kubectl.apply(environment(sqlite), document("Migration", "0001-people", environmentRef={"name": "dev"}, steps=TABLE))
    with pytest.raises(Failed, match="can't change"):
        kubectl.apply(document("Migration", "0001-people", environmentRef={"name": "live"}, steps=TABLE))
    with pytest.raises(Failed, match='unknown field "polcy"'):
        kubectl.apply(document("Environment", "typo", databases={"shop": {"url": "sqlite:x.db"}}, polcy={}))


def test_what_nobody_lets_go_any_more_is_let_go_by_hand(kubectl, namespace, operate, sqlite):
    """As where the operator, or its Role, went first."""
    operator = operate()
    migration = document("Migration", "0001-people", environmentRef={"name": "dev"}, steps=TABLE, deletionPolicy="Revert")
    kubectl.apply(environment(sqlite, destructive="Allow"), migration)
    kubectl.wait("wmig/0001-people", "Succeeded")
    kubectl.wait("wenv/dev", "Ready")
    operator.kill()
    kubectl.run("delete", "wenv/dev", "wmig/0001-people", "--wait=false")
    for what in ("wmig/0001-people", "wenv/dev"):
        kubectl.run("patch", what, "--type=merge", '--patch={"metadata": {"finalizers": null}}')
        kubectl.run("wait", "--for=delete", what, "--timeout=30s")
    # Whoever comes later finds nothing to take back.
    operate()
    kubectl.apply(environment(sqlite))
    kubectl.wait("wenv/dev", "Ready")
    assert sqlite.tables() == {"people"}


@pytest.mark.parametrize(("field", "words"), [
    ("gitsource.spec.auth", ["GROUP:      whimbrel.dev", "KIND:       GitSource", "FIELD: auth"]),
    ("environment.spec.policy.window", ["FIELD: window <string>"]),
    ("migration.spec.steps.sql", ["FIELD: sql <string>"]),
    ("migration.status.appliedAt", ["FIELD: appliedAt <string>", "by its own clock"]),
    ("approval.spec.plan", ["FIELD: plan <string>"]),
])
def test_fields_are_explained(kubectl, field, words):
    said = kubectl.run("explain", field)
    for word in words:
        assert word in said
    described = said.partition("DESCRIPTION:\n")[2].strip().splitlines()[0]
    assert described and described != "<empty>"
