"""What the operator relies on of an API server, asked of the real one and of the fake one alike: the fake is held to these."""

import datetime
import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.both import on_both
from support.kubernetes import GROUP, PLACES, Refused
from support.kubernetes_raw import Raw

pytestmark = on_both
ONLY_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
STEPS = [{"sql": "SELECT 1"}]


@pytest.fixture
def migrations(namespace):
    """Migrations, which no operator looks at."""
    return Raw(namespace, "Migration")


@pytest.fixture
def leases(namespace):
    """Leases."""
    return Raw(namespace, "Lease", "coordination.k8s.io/v1")


def refused(status, request, *arguments, **options):
    """What is said of a request that is refused like this."""
    with pytest.raises(Refused) as refusal:
        request(*arguments, **options)
    assert refusal.value.status == status, refusal.value
    return refusal.value.message


def version(found):
    """As objects say how new they are."""
    return found["metadata"]["resourceVersion"]


def test_a_generation_counts_what_is_asked_for(migrations):
    made = migrations.create("one", {"steps": STEPS})
    assert made["metadata"]["generation"] == 1 and made["metadata"]["uid"]
    age = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(made["metadata"]["creationTimestamp"])
    assert abs(age) < datetime.timedelta(minutes=1)
    migrations.patch("one", {"metadata": {"annotations": {"a": "b"}}})
    assert migrations.get("one")["metadata"]["generation"] == 1
    changed = migrations.patch("one", {"spec": {"deletionPolicy": "Revert"}, "status": {"rows": 1}})
    assert changed["metadata"]["generation"] == 2 and "status" not in changed
    # What is said anew changes nothing.
    assert version(migrations.patch("one", {"spec": {"deletionPolicy": "Revert"}})) == version(changed)
    status = {"observedGeneration": 2, "conditions": []}
    said = migrations.apply("one", status, "operator", None, "/status")
    assert said["metadata"]["generation"] == 2 and said["status"] == status and said["spec"] == changed["spec"]
    assert version(migrations.apply("one", status, "operator", None, "/status")) == version(said)
    assert "labels" not in migrations.apply("one", status, "operator", {"labels": {"no": "no"}}, "/status")["metadata"]


def test_what_was_changed_meanwhile_is_a_conflict(leases):
    before = leases.create("one", {"holderIdentity": "ann"})
    assert "already exists" in refused(409, leases.create, "one", {"holderIdentity": "bob"})
    leases.cluster.call("PUT", leases.path("one"), before | {"spec": {"holderIdentity": "bob"}})
    again = before | {"spec": {"holderIdentity": "carol"}}
    assert "the object has been modified" in refused(409, leases.cluster.call, "PUT", leases.path("one"), again)
    late = {"metadata": {"resourceVersion": version(before)}, "spec": {"holderIdentity": "carol"}}
    refused(409, leases.patch, "one", late)
    assert leases.get("one")["spec"] == {"holderIdentity": "bob"}
    refused(409, leases.delete, "one", preconditions={"resourceVersion": version(before)})
    leases.delete("one", preconditions={"resourceVersion": version(leases.get("one")), "uid": before["metadata"]["uid"]})
    assert "UID in precondition" in refused(409, leases.cluster.call, "PUT", leases.path("one"), again)
    # Of what isn't there any more, and is nobody's, one is made.
    again["metadata"] = {name: one for name, one in before["metadata"].items() if name != "uid"}
    made = leases.cluster.call("PUT", leases.path("one"), again)
    assert made["spec"] == {"holderIdentity": "carol"} and made["metadata"]["uid"] != before["metadata"]["uid"]
    again["metadata"].pop("resourceVersion")
    refused(422, leases.cluster.call, "PUT", leases.path("one"), again)


def test_a_write_is_of_one_very_object(migrations):
    first = migrations.create("one", {"steps": STEPS})
    migrations.delete("one")
    second = migrations.create("one", {"steps": STEPS})["metadata"]["uid"]
    before, status = first["metadata"]["uid"], {"observedGeneration": 1, "conditions": []}
    assert before != second
    refused(422, migrations.apply, "one", {"steps": STEPS}, "operator", {"uid": before}, force="true")
    refused(422, migrations.patch, "one", {"metadata": {"uid": before, "finalizers": ["example.org/a"]}})
    refused(409, migrations.delete, "one", preconditions={"uid": before})
    refused(409, migrations.cluster.call, "PUT", migrations.path("one"), first)
    # Not so a status: whose it is is nothing that anybody looks at, and only the version is of one very object.
    migrations.apply("one", status, "operator", {"uid": before}, "/status", force="true")
    refused(409, migrations.apply, "one", status, "operator", {"resourceVersion": version(first)}, "/status", force="true")
    migrations.delete("one", preconditions={"uid": second})
    # None is made of what somebody else deleted.
    refused(409, migrations.apply, "one", {"steps": STEPS}, "operator", {"uid": second}, force="true")
    refused(404, migrations.apply, "one", status, "operator", {"uid": second}, "/status", force="true")
    refused(404, migrations.apply, "one", status, "operator", {"resourceVersion": version(first)}, "/status", force="true")


def test_fields_belong_to_who_applied_them(migrations):
    made = migrations.apply("one", {"steps": STEPS, "dependsOn": ["0000-first"]}, "git", {"labels": {"from": "git"}})
    assert made["metadata"]["generation"] == 1
    migrations.patch("one", {"spec": {"deletionPolicy": "Revert"}, "metadata": {"labels": {"by": "hand"}}}, fieldManager="hand")
    # Whoever applies less takes its own away, and nobody else's.
    after = migrations.apply("one", {"steps": STEPS}, "git")
    assert after["spec"] == {"steps": STEPS, "deletionPolicy": "Revert"}
    assert after["metadata"]["labels"] == {"by": "hand"}
    said = refused(409, migrations.apply, "one", {"steps": STEPS, "deletionPolicy": "Keep"}, "git")
    assert "Apply failed with 1 conflict" in said and '"hand"' in said and ".spec.deletionPolicy" in said
    # Two who say the same have it both; who has it no more leaves it to the other one.
    migrations.apply("one", {"steps": STEPS, "deletionPolicy": "Revert"}, "git")
    assert migrations.apply("one", {"steps": STEPS}, "git")["spec"]["deletionPolicy"] == "Revert"
    forced = migrations.apply("one", {"steps": STEPS, "deletionPolicy": "Keep"}, "git", force="true")
    assert forced["spec"]["deletionPolicy"] == "Keep"
    assert migrations.apply("one", {"steps": STEPS}, "git")["spec"] == {"steps": STEPS}
    owners = {(one["manager"], one["operation"]) for one in migrations.get("one")["metadata"]["managedFields"]}
    assert owners == {("git", "Apply"), ("hand", "Update")}


def test_what_is_said_of_an_object_belongs_to_who_said_it_by_itself(migrations):
    """One manager applies an object and its status, and neither takes anything of the other one away."""
    condition = {"type": "Succeeded", "status": "True", "reason": "Applied", "message": "", "observedGeneration": 1,
                 "lastTransitionTime": "2026-01-01T00:00:00Z"}
    migrations.apply("one", {"steps": STEPS}, "operator", {"labels": {"a": "b"}})
    other = condition | {"type": "Other", "status": "False"}
    migrations.apply("one", {"observedGeneration": 1, "rows": 1, "conditions": [other]}, "somebody", None, "/status")
    migrations.apply("one", {"observedGeneration": 1, "conditions": [condition]}, "operator", None, "/status", force="true")
    assert migrations.apply("one", {"steps": STEPS}, "operator")["status"]["rows"] == 1
    found = migrations.apply("one", {"observedGeneration": 1, "conditions": []}, "operator", None, "/status")
    assert found["status"] == {"observedGeneration": 1, "rows": 1, "conditions": [other]}
    assert found["spec"] == {"steps": STEPS}


def test_what_has_finalizers_waits_for_them(migrations):
    migrations.create("one", {"steps": STEPS}, finalizers=["example.org/a"])
    migrations.apply("one", {"steps": STEPS}, "marker", {"finalizers": ["example.org/b"]})
    assert migrations.get("one")["metadata"]["finalizers"] == ["example.org/a", "example.org/b"]
    before = migrations.get("one")
    waiting = migrations.delete("one")
    assert waiting["metadata"]["deletionTimestamp"]
    assert waiting["metadata"]["generation"] == before["metadata"]["generation"] + 1
    again = migrations.delete("one")
    assert version(again) == version(waiting)
    more = {"metadata": {"finalizers": ["example.org/a", "example.org/b", "example.org/c"]}}
    assert "no new finalizers" in refused(422, migrations.patch, "one", more)
    # Who applies none takes its own away.
    left = migrations.apply("one", {"steps": STEPS}, "marker", {"finalizers": []})
    assert left["metadata"]["finalizers"] == ["example.org/a"]
    migrations.patch("one", {"metadata": {"finalizers": None}})
    refused(404, migrations.get, "one")
    seen = [(event["type"], "deletionTimestamp" in event["object"]["metadata"])
            for event in migrations.watch(resourceVersion=version(before))]
    assert seen == [("MODIFIED", True), ("MODIFIED", True), ("DELETED", True)]


def test_a_watch_goes_on_from_a_version(migrations):
    migrations.create("one", {"steps": STEPS}, labels={"a": "b"})
    since = migrations.cluster.call("GET", migrations.path())["metadata"]["resourceVersion"]
    migrations.create("two", {"steps": STEPS})
    migrations.patch("one", {"metadata": {"labels": {"a": "c"}}})
    gone = migrations.delete("two")
    assert gone["status"] == "Success"

    def told(query):
        return [(event["type"], event["object"]["metadata"]["name"]) for event in migrations.watch(**query)]
    # What is selected no more is gone, as seen from there; and what is, has come.
    queries = ({"resourceVersion": since}, {"resourceVersion": since, "labelSelector": "a=b"},
               {"resourceVersion": since, "labelSelector": "a=c"},
               {"resourceVersion": since, "fieldSelector": "metadata.name=two"}, {})
    with ThreadPoolExecutor() as pool:
        assert list(pool.map(told, queries)) == [
            [("ADDED", "two"), ("MODIFIED", "one"), ("DELETED", "two")], [("DELETED", "one")], [("ADDED", "one")],
            [("ADDED", "two"), ("DELETED", "two")], [("ADDED", "one")]]
    [event] = migrations.watch(accept=ONLY_METADATA, resourceVersion=since, fieldSelector="metadata.name=one")
    assert event["object"]["kind"] == "PartialObjectMetadata" and "spec" not in event["object"]


def test_a_watch_from_too_far_back_has_expired(migrations):
    migrations.create("one", {"steps": STEPS})
    [event] = migrations.watch(resourceVersion="1")
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")
    assert "too old resource version" in event["object"]["message"]


def test_a_list_comes_in_pages_as_it_was_at_their_beginning(migrations):
    for name in ("a", "b", "c", "d", "e"):
        migrations.create(name, {"steps": STEPS}, labels={"is": name})
    first = migrations.cluster.call("GET", migrations.path(limit=2))
    migrations.delete("d")
    migrations.create("f", {"steps": STEPS})
    pages, page = [first], first
    while further := page["metadata"].get("continue"):
        page = migrations.cluster.call("GET", migrations.path(limit=2, **{"continue": further}))
        pages.append(page)
    assert [[one["metadata"]["name"] for one in page["items"]] for page in pages] == [["a", "b"], ["c", "d"], ["e"]]
    assert {version(page) for page in pages} == {version(first)}
    assert migrations.names() == ["a", "b", "c", "e", "f"]
    assert migrations.names(labelSelector="is") == ["a", "b", "c", "e"]
    assert migrations.names(labelSelector="is!=a,is") == ["b", "c", "e"]
    assert migrations.names(fieldSelector="metadata.name=b") == ["b"]


def test_what_is_no_object_of_its_kind_is_refused(migrations, namespace):
    assert "steps" in refused(422, migrations.create, "one", {"steps": "all of them"})
    refused(422, migrations.create, "one", {"steps": STEPS, "deletionPolicy": "Perhaps"})
    refused(422, migrations.create, "one", {"steps": []})
    approvals = Raw(namespace, "Approval")
    assert "Required value" in refused(422, approvals.create, "one", {"environmentRef": {"name": "dev"}})
    # What no schema knows is left out, or refused where that is asked for.
    assert migrations.create("one", {"steps": STEPS, "unknown": 1})["spec"] == {"steps": STEPS}
    assert ".spec.unknown" in refused(500, migrations.apply, "two", {"steps": STEPS, "unknown": 1}, "git")
    assert "spec.unknown" in refused(422, migrations.patch, "one", {"spec": {"unknown": 1}}, fieldValidation="Strict")
    refused(422, migrations.patch, "one", {"spec": {"deletionPolicy": 1}})
    refused(404, migrations.get, "two")
    refused(404, migrations.cluster.call, "GET", migrations.path("one") + "/nothing")
    refused(404, migrations.cluster.call, "GET", f"/apis/{GROUP}/namespaces/{namespace.name}/nothings")
    refused(415, migrations.cluster.call, "PATCH", migrations.path("one"), {}, "application/strategic-merge-patch+json")


def test_a_dry_run_changes_nothing(migrations):
    before = migrations.create("one", {"steps": STEPS})
    document = migrations.kind | {"metadata": {"generateName": "ask-"}, "spec": {"steps": STEPS}}
    asked = migrations.cluster.call("POST", migrations.path(dryRun="All"), document)
    assert asked["metadata"]["name"].startswith("ask-") and asked["metadata"]["name"] != "ask-"
    assert migrations.patch("one", {"spec": {"deletionPolicy": "Revert"}}, dryRun="All")["spec"]["deletionPolicy"] == "Revert"
    assert migrations.names() == ["one"] and version(migrations.get("one")) == version(before)


def test_a_namespace_that_goes_takes_nothing_new(migrations, namespace):
    migrations.create("one", {"steps": STEPS})
    migrations.cluster.call("DELETE", f"{PLACES['Namespace']}/{namespace.name}")
    assert "being terminated" in refused(403, migrations.create, "two", {"steps": STEPS})
    migrations.patch("one", {"spec": {"deletionPolicy": "Revert"}})
    migrations.cluster.call("DELETE", migrations.path())
    assert migrations.names() == []


def test_a_secret_is_kept_as_bytes(namespace):
    secrets = Raw(namespace, "Secret", "v1")
    made = namespace.apply("Secret", "one", {"url": "sqlite:shop.db"})
    assert made["data"] == {"url": "c3FsaXRlOnNob3AuZGI="} and "stringData" not in made
    before = version(made)
    assert version(namespace.apply("Secret", "one", {"url": "sqlite:shop.db"})) == before
    namespace.apply("Secret", "one", {"url": "sqlite:other.db"})
    [event] = secrets.watch(accept=ONLY_METADATA, resourceVersion=before, fieldSelector="metadata.name=one")
    assert event["type"] == "MODIFIED" and version(event["object"]) != before


def test_who_has_no_token_is_not_known(api_server):
    connection = http.client.HTTPSConnection("127.0.0.1", api_server.port, timeout=60, context=api_server.trust)
    connection.request("GET", "/api/v1/namespaces", headers={"authorization": f"Bearer {time.time()}"})
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["reason"]) == (401, "Unauthorized")
    connection.close()
