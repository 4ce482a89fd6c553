"""Which Secrets the operator sees: those that an object refers to, by their names, and never a list of all."""

from urllib.parse import parse_qs

import pytest
from support.canary import Canary
from support.kubernetes import manifests
from support.target import SqliteTarget
from support.waiting import eventually

NAMED = ("git", "shop")


@pytest.fixture
def narrowed(kubernetes, namespace):
    """The shipped Role, with the names of the Secrets that may be read."""
    [role] = [one for one in manifests("rbac.yaml") if one["kind"] == "Role"]
    role["metadata"]["namespace"] = namespace.name
    [rule] = [rule for rule in role["rules"] if "secrets" in rule["resources"]]
    rule["resourceNames"] = list(NAMED)
    kubernetes.apply(role)

    def may(**which):
        asked = {"verb": "list", "resource": "secrets", "namespace": namespace.name, "group": ""} | which
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
                  "spec": {"resourceAttributes": asked}}
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        return kubernetes.call("POST", path, review, user="operator")["status"]["allowed"]
    # What was granted a moment ago may not be known everywhere.
    eventually(lambda: may(name="shop") and not may(), "the Role is narrowed")


@pytest.fixture
def followed(namespace, http, served, shop):
    """A source, and an environment that it doesn't define, each with a Secret; and one more that nobody refers to."""
    secrets = {"git": {"password": http.password.value}, "shop": {"url": f"sqlite:{shop.file}"}, "other": {"key": "of another"}}
    for name, values in secrets.items():
        namespace.apply("Secret", name, values)
    namespace.apply("GitSource", "shop", {"url": f"{http.address}/shop.git", "interval": "1h", "auth": {
        "username": http.user, "password": {"secretKeyRef": {"name": "git", "key": "password"}}}})
    namespace.apply("Environment", "own", {"databases": {"shop": {"url": {"secretKeyRef": {"name": "shop", "key": "url"}}}},
                                           "policy": {"apply": "Auto"}})
    steps = [{"sql": "CREATE TABLE own (id integer)"}]
    namespace.apply("Migration", "0001-own", {"environmentRef": {"name": "own"}, "steps": steps})
    return shop


def test_a_role_that_names_the_secrets_is_enough(namespace, api, narrowed, followed, operate, http, project):
    operate()
    namespace.until("GitSource", "shop", "Ready")
    namespace.until("Environment", "own", "Ready", reason="Current")
    # Each is watched, too: nobody would look again within the hour, or for ten minutes.
    namespace.apply("Secret", "git", {"password": Canary.hatch("a wrong password of Git", plain=True).value})
    namespace.until("GitSource", "shop", "Ready", status="False")
    namespace.apply("Secret", "git", {"password": http.password.value})
    namespace.until("GitSource", "shop", "Ready")
    other = SqliteTarget(project, "other")
    namespace.apply("Secret", "shop", {"url": f"sqlite:{other.file}"})
    eventually(lambda: other.tables() == {"own"}, "the new value is used")

    asked = [one for one in api.requests if "/secrets" in one.path]
    assert {one.verb for one in asked} == {"get", "list", "watch"}
    place = f"/api/v1/namespaces/{namespace.name}/secrets"
    seen = {"get": set(), "list": set(), "watch": set()}
    for one in asked:
        if one.verb == "get":
            name = one.path.removeprefix(f"{place}/")
        else:
            assert one.path == place
            [selector] = parse_qs(one.query)["fieldSelector"]
            name = selector.removeprefix("metadata.name=")
            # Whoever watches has no use for what is in it.
            assert "as=PartialObjectMetadata" in one.headers["accept"]
        seen[one.verb].add(name)
    assert seen == {verb: set(NAMED) for verb in seen}
    assert all(one.answered in (200, None) for one in asked), [(one.query, one.answered) for one in asked]


def test_a_secret_that_the_role_does_not_name_is_not_read(namespace, narrowed, followed, operate):
    url = {"secretKeyRef": {"name": "other", "key": "key"}}
    namespace.patch("Environment", "own", {"spec": {"databases": {"shop": {"url": url}}}})
    operate()
    refused = namespace.until("Environment", "own", "Ready", status="False")["status"]["conditions"][0]["message"]
    assert "the Secret `other` can't be read" in refused and "Role needs `get`, `list` and `watch`" in refused
    assert followed.tables() == set()
    # It is no matter of the others.
    namespace.until("GitSource", "shop", "Ready")
