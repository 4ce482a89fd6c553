"""What a person sees of the objects, as the API server makes it: the columns of `kubectl get`, and the texts of `kubectl
explain`."""

import pytest
from support.kubernetes import GROUP, KINDS, PLACES
from support.kubernetes_sources import Followed

TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"


@pytest.fixture
def everything(namespace, operate, http, served, shop, project):
    """Objects of every kind, one of each that is well and one that waits or is refused."""
    operate()
    source = Followed(namespace, http, served).begin("dev")
    url = f"sqlite:{project.folder}/var/asks.db"
    namespace.apply("Environment", "asks", {"databases": {"shop": {"url": url}}, "policy": {"approvers": ["ann"]}})
    steps = [{"sql": "CREATE TABLE items (id integer)"}]
    namespace.apply("Migration", "0001-items", {"environmentRef": {"name": "asks"}, "steps": steps})
    plan = namespace.until("Environment", "asks", "Ready", status="False", reason="ApprovalRequired")["status"]["plan"]
    namespace.apply("Approval", "by-bob", {"environmentRef": {"name": "asks"}, "plan": plan, "approver": "bob"})
    namespace.until("Approval", "by-bob", "Succeeded", status="False", reason="MayNotApprove")
    source.until("dev", "Current")
    return source


def rows(namespace, kind):
    """What `kubectl get` shows: by name of the object, what is in each column."""
    table = namespace.cluster.call("GET", PLACES[kind].format(namespace.name), accept=TABLE)
    columns = [column["name"] for column in table["columnDefinitions"]]
    return {row["cells"][0]: dict(zip(columns[1:], row["cells"][1:], strict=True)) for row in table["rows"]}


def test_every_column_shows_what_the_object_says(namespace, everything):
    shown = {kind: rows(namespace, kind) for kind in KINDS}
    for kind, objects in shown.items():
        for name, row in objects.items():
            assert row.pop("Age"), f"{kind} {name}"
    [followed] = [name for name in shown["Migration"] if name != "0001-items"]
    applied = namespace.get("Migration", followed)["status"]["appliedAt"]
    plan = namespace.get("Environment", "asks")["status"]["plan"]
    revision = everything.head
    assert applied and plan
    assert shown == {
        "GitSource": {"shop": {"Ready": "True", "Reason": "Fetched", "Revision": revision}},
        "Environment": {
            "dev": {"Ready": "True", "Reason": "Current", "Revision": revision, "Applied": 1, "Pending": 0, "Plan": None},
            "asks": {"Ready": "False", "Reason": "ApprovalRequired", "Revision": None, "Applied": 0, "Pending": 1, "Plan": plan},
        },
        "Migration": {
            followed: {"Succeeded": "True", "Reason": "Applied", "Environment": "dev", "Applied": applied},
            "0001-items": {"Succeeded": "Unknown", "Reason": "Pending", "Environment": "asks", "Applied": None},
        },
        "Approval": {"by-bob": {"Succeeded": "False", "Reason": "MayNotApprove", "Environment": "asks", "Approver": "bob"}},
    }


def unexplained(schema, place):
    """The fields of a schema, at any depth, of which nothing is said."""
    for name, field in schema.get("properties", {}).items():
        if not field.get("description"):
            yield f"{place}.{name}"
        yield from unexplained(field, f"{place}.{name}")
    for within in ("items", "additionalProperties"):
        if isinstance(schema.get(within), dict):
            yield from unexplained(schema[within], f"{place}[]")


def test_every_field_is_explained(kubernetes):
    """By what the API server gives to `kubectl explain`."""
    schemas = kubernetes.call("GET", f"/openapi/v3/apis/{GROUP}")["components"]["schemas"]
    for kind in KINDS:
        [schema] = [one for one in schemas.values()
                    if [of["kind"] for of in one.get("x-kubernetes-group-version-kind", [])] == [kind]]
        assert schema["description"]
        assert {"apiVersion", "kind", "metadata", "spec", "status"} == set(schema["properties"])
        assert schema["properties"]["spec"]["properties"] and schema["properties"]["status"]["properties"]
        assert list(unexplained(schema, kind)) == []
