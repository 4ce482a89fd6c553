"""What tools that bring the operator's objects to a cluster make of the statuses that it really writes: Argo CD by the shipped
Lua, Flux by the shipped expressions, and whatever reads conditions as kstatus does, which Helm is the real one of."""

import json
import time

import pytest
from support.health import argo, argo_texts, flux, flux_documents
from support.helm import Failed, Helm
from support.kubernetes import KINDS
from support.schemas import foreign
from support.waiting import eventually

TABLE = {"sql": "CREATE TABLE people (id integer)", "revert": "DROP TABLE people"}
WRONG = {"sql": "INSERT INTO nowhere VALUES (1)"}
# Takes longer than any test looks at it.
SLOW = [
    {"sql": "CREATE TABLE people (id bigint PRIMARY KEY, touched bigint NOT NULL DEFAULT 0)"},
    {"sql": "INSERT INTO people (id) VALUES (1), (2), (3), (4), (5), (6)"},
    {"uses": "backfill", "with": {"table": "people", "key": "id", "set": "touched = touched + 1", "batchSize": 1, "pause": "30s"}},
]


class Objects:
    """Objects of a namespace, each by a name that says how it should stand."""

    def __init__(self, namespace, folder):
        self.namespace = namespace
        self.folder = folder

    def environment(self, name, **spec):
        """An environment with a database of its own."""
        policy = {"apply": "Auto"} | spec.pop("policy", {})
        databases = {"shop": {"url": spec.pop("url", f"sqlite:{self.folder / name}.db")}}
        self.namespace.apply("Environment", name, {"databases": databases, "policy": policy} | spec)

    def migration(self, environment, *steps):
        """The environment's only migration, of the same name."""
        self.namespace.apply("Migration", environment, {"environmentRef": {"name": environment}, "steps": list(steps)})

    def condition(self, kind, name, type, reason):
        """Waits until a condition has this reason, whatever it says."""
        def has():
            seen.append(self.namespace.condition(kind, name, type))
            return seen[-1] and seen[-1]["reason"] == reason
        seen = []
        try:
            eventually(has, f"{kind} {name}: {reason}", within=60)
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {seen[-1]}") from None


# How an object stands → what Argo CD and Flux say of it.
HEALTHY, WORKS, PERSON, BROKEN = ("Healthy", "Current"), ("Progressing", "InProgress"), ("Suspended", "InProgress"), (
    "Degraded", "Failed")
# Argo CD has a word for it; by kstatus, it needs somebody, and nobody waits for it in vain.
PAUSED = ("Suspended", "Failed")
ENVIRONMENTS = {
    "Current": HEALTHY, "Abstract": HEALTHY, "Suspended": PAUSED, "ApprovalRequired": PERSON, "Waiting": WORKS,
    "Applying": WORKS, "Unavailable": WORKS, "SourceNotReady": WORKS, "Refused": BROKEN, "Failed": BROKEN,
    "InvalidDefinition": BROKEN, "Blocked": BROKEN, "NoSource": BROKEN,
}
MIGRATIONS = {"current": ("Applied", HEALTHY), "failed": ("Failed", BROKEN), "blocked": ("Edited", BROKEN),
              "approvalrequired": ("Pending", WORKS)}
SOURCES = {"fetched": ("Fetched", HEALTHY), "invalid": ("Invalid", BROKEN), "unavailable": ("Unavailable", WORKS),
           "suspended": ("Suspended", PAUSED)}
APPROVALS = {"recorded": ("Recorded", "Healthy"), "mayapprove": ("MayNotApprove", "Degraded")}


@pytest.fixture
def objects(namespace, operate, tmp_path, http, served, project):
    """Objects in every state that the operator has words for."""
    objects = Objects(namespace, tmp_path)
    http.opened = True
    operate()
    environment, migration = objects.environment, objects.migration
    # Sources: one that answers, one whose project is none, one that doesn't answer, one that isn't asked.
    namespace.apply("GitSource", "fetched", {"url": f"{http.address}/shop.git"})
    namespace.apply("GitSource", "invalid", {"url": f"{http.address}/shop.git", "folder": "nowhere"})
    namespace.apply("GitSource", "unavailable", {"url": "http://127.0.0.1:1/shop.git"})
    namespace.apply("GitSource", "suspended", {"url": f"{http.address}/shop.git", "suspend": True})
    environment("current")
    migration("current", TABLE)
    environment("abstract", abstract=True)
    environment("suspended", suspend=True)
    environment("approvalrequired", policy={"apply": "Approve", "approvers": ["ann"]})
    migration("approvalrequired", TABLE)
    environment("recorded", policy={"apply": "Approve", "approvers": ["ann"]})
    migration("recorded", TABLE)
    hour = (time.gmtime().tm_hour + 12) % 24
    environment("waiting", policy={"window": f"Mon-Sun {hour:02}:00-{hour:02}:30 UTC"})
    migration("waiting", TABLE)
    environment("applying")
    migration("applying", *SLOW)
    environment("unavailable", url="postgres://nobody@127.0.0.1:1/shop")
    namespace.apply("Environment", "sourcenotready", {"sourceRef": {"name": "unavailable"}})
    environment("refused")
    migration("refused", {"sql": "CREATE TABLE old (id integer)"}, {"sql": "DROP TABLE old"})
    environment("failed")
    migration("failed", WRONG)
    environment("invaliddefinition")
    migration("invaliddefinition", {"uses": "no-such-plugin"})
    environment("blocked")
    migration("blocked", TABLE)
    namespace.until("Migration", "blocked", "Succeeded")
    migration("blocked", {"sql": "CREATE TABLE others (id integer)"})
    namespace.apply("Environment", "nosource", {"sourceRef": {"name": "nowhere"}})
    for name in ENVIRONMENTS:
        objects.condition("Environment", name.lower(), "Ready", name)
    plans = {name: namespace.get("Environment", name)["status"]["plan"] for name in ("recorded", "approvalrequired")}
    for name, of, approver in (("recorded", "recorded", "ann"), ("mayapprove", "approvalrequired", "bob")):
        namespace.apply("Approval", name, {"environmentRef": {"name": of}, "plan": plans[of], "approver": approver})
    namespace.apply("Approval", "of-no-plan", {"environmentRef": {"name": "current"}, "plan": "0" * 64, "approver": "ann"})
    for name, (reason, _) in APPROVALS.items():
        objects.condition("Approval", name, "Succeeded", reason)
    for name, (reason, _) in MIGRATIONS.items():
        objects.condition("Migration", name, "Succeeded", reason)
    for name, (reason, _) in SOURCES.items():
        objects.condition("GitSource", name, "Ready", reason)
    return objects


def test_argo_cd_and_flux_say_what_the_operator_says(objects, namespace):
    said = {}

    def look(kind, name, reason, wanted):
        found = namespace.get(kind, name)
        status, message = argo(found)
        assert message.startswith(reason), (kind, name, message)
        said[kind, name] = (status, flux(found))
        assert said[kind, name] == wanted, (kind, name, found["status"]["conditions"])
    for reason, wanted in ENVIRONMENTS.items():
        look("Environment", reason.lower(), reason, wanted)
    for name, (reason, wanted) in MIGRATIONS.items():
        look("Migration", name, reason, wanted)
    for name, (reason, wanted) in SOURCES.items():
        look("GitSource", name, reason, wanted)
    for name, (reason, wanted) in APPROVALS.items():
        status, message = argo(namespace.get("Approval", name))
        assert (status, message.split(":")[0]) == (wanted, reason)
    # Nothing says anything of it yet, and nothing is wrong with it.
    assert argo(namespace.get("Approval", "of-no-plan"))[0] == "Healthy"
    # An old status says nothing of what the object is now; nobody has looked at what has no status.
    for kind, name in (("Environment", "failed"), ("Environment", "current"), ("Migration", "current"), ("GitSource", "fetched")):
        found = namespace.get(kind, name)
        found["metadata"]["generation"] += 1
        assert (argo(found)[0], flux(found)) == WORKS
        del found["status"]
        assert (argo(found)[0], flux(found)) == WORKS
    found = namespace.get("Environment", "current")
    found["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert argo(found) == ("Progressing", "it is being let go")


def test_whoever_reads_conditions_as_kstatus_does_reads_them_right(objects, namespace, kubernetes, tmp_path):
    """Helm waits by kstatus, as Flux and others do: at once where it is so, in vain where it isn't."""
    helm = Helm(tmp_path / "helm", kubernetes.kubeconfig("admin", namespace.name))

    def waits(kind, name):
        """How kstatus says that an object stands."""
        found = namespace.get(kind, name)
        chart = tmp_path / f"chart-{kind}-{name}".lower()
        (chart / "templates").mkdir(parents=True)
        (chart / "Chart.yaml").write_text(f"apiVersion: v2\nname: {name}\nversion: 1.0.0\n")
        document = {"apiVersion": found["apiVersion"], "kind": kind, "metadata": {"name": name}, "spec": found["spec"]}
        (chart / "templates/object.yaml").write_text(json.dumps(document))
        try:
            helm.install(namespace.name, "--take-ownership", "--wait", "--timeout", "2s", release=f"{kind.lower()}-{name}",
                         chart=chart)
        except Failed as failed:
            words = str(failed)
            assert name in words, words
            return "Failed" if "Failed" in words else "InProgress" if "InProgress" in words else words
        return "Current"
    for name in ("Current", "Abstract", "Failed", "Refused", "NoSource", "ApprovalRequired", "Unavailable", "Applying"):
        assert waits("Environment", name.lower()) == ENVIRONMENTS[name][1], name
    for name, (_, wanted) in MIGRATIONS.items():
        assert waits("Migration", name) == wanted[1], name
    for name in ("fetched", "invalid", "unavailable"):
        assert waits("GitSource", name) == SOURCES[name][1][1], name
    assert waits("Approval", "recorded") == "Current"


def test_argo_cd_has_a_text_for_each_kind(kubernetes):
    assert set(argo_texts()) == set(KINDS)


def test_the_example_for_flux_is_one(kubernetes):
    """By the definitions of Flux' own releases, in a real API server. Flux itself doesn't run here."""
    for name in ("flux-gitrepository", "flux-kustomization"):
        kubernetes.apply(foreign(name))
    eventually(lambda: kubernetes.serves("GitRepository") and kubernetes.serves("Kustomization"), "the API has Flux' kinds")
    kubernetes.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "flux-system"}})
    documents = flux_documents()
    for document in documents:
        kubernetes.apply(document, dry_run=True)
    # What is checked is of kinds that there are.
    for document in documents:
        for check in document["spec"].get("healthChecks", []) + document["spec"].get("healthCheckExprs", []):
            assert check["apiVersion"] == "whimbrel.dev/v1alpha1" and check["kind"] in KINDS
