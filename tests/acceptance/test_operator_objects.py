"""The custom resources and the shipped manifests, as a real API server takes them."""

import json

import pytest
from support.kubernetes import PLACES, Refused, manifests
from support.product import ROOT
from support.waiting import eventually

SQL = [{"sql": "SELECT 1"}]
DATABASES = {"shop": {"url": "postgres://shop-db:5432/shop"}}
PLAN = "sha256:" + "0" * 64


def test_what_the_shop_defines_can_be_applied_as_it_is(namespace):
    """The very files of the example. Those whose SQL is in files beside them can't be objects, and are refused in words."""
    applied = {"Environment": 0, "Migration": 0}
    files = sorted((ROOT / "examples/shop").glob("*/**/*.yaml"))
    assert files
    for file in files:
        text = file.read_text()
        name = file.parent.name if file.name == "migration.yaml" else file.stem
        kind = "Migration" if "kind: Migration" in text else "Environment"
        if "sqlFile:" in text:
            with pytest.raises(Refused, match="an object has no files beside it"):
                namespace.cluster.apply(text, namespace.name, name)
            continue
        namespace.cluster.apply(text, namespace.name, name)
        applied[kind] += 1
    assert applied == {"Environment": 4, "Migration": 7}


def test_the_same_file_is_read_from_git(whimbrel, project, sqlite):
    """What only an operator understands is no mistake in a repository, and changes no checksum."""
    project.environment("dev", {"shop": sqlite.url}, suspend=False)
    project.table("0001-people")
    before = whimbrel.json("status", "--environment", "dev")["targets"][0]["migrations"][0]["checksum"]
    document = json.loads((project.folder / "migrations/0001-people.yaml").read_text())
    document["metadata"]["namespace"] = "shop"
    document["spec"]["environmentRef"] = {"name": "dev"}
    project.write("migrations/0001-people.yaml", document)
    after = whimbrel.json("status", "--environment", "dev")["targets"][0]["migrations"][0]["checksum"]
    assert after == before
    whimbrel.run("apply", "--environment", "dev")
    assert sqlite.tables() == {"people"}


@pytest.mark.parametrize(("kind", "spec", "words"), [
    ("Environment", {"databases": {"shop": {"url": "postgres://db/shop", "password": "hunter2"}}}, "password"),
    ("Environment", {"databases": {"shop": {"url": "postgres://db/shop", "password": 123456}}}, "password"),
    ("Environment", {"databases": {"shop": {"url": "postgres://shop:hunter2@db/shop"}}}, "url"),
    ("Environment", {"databases": {"shop": {"url": "postgres://db/shop?password=hunter2"}}}, "url"),
    ("Environment", {"databases": {"shop": {"url": "postgres://shop@db/shop?sslmode=require&password=hunter2"}}}, "url"),
    ("Environment", {"databases": {"shop": {"url": "postgres://db/shop?pass%77ord=hunter2"}}}, "url"),
    ("Environment", {"databases": DATABASES, "sourceRef": {"name": "shop"}}, "exactly one of `sourceRef`"),
    ("Environment", {"policy": {"apply": "Auto"}}, "exactly one of `sourceRef`"),
    ("Environment", {"sourceRef": {"name": "shop"}, "policy": {"apply": "Auto"}}, "not defined here as well"),
    ("Environment", {"databases": DATABASES, "policy": {"apply": "Always"}}, "Unsupported value"),
    ("Environment", {"databases": DATABASES, "polici": {}}, "polici"),
    ("Environment", {"databases": DATABASES, "policy": {"window": "Mon-Fri 8-16 UTC"}}, "window"),
    ("Environment", {"databases": DATABASES, "policy": {"window": "Mon-Fri 08:00-25:00 UTC"}}, "window"),
    ("Environment", {"databases": DATABASES, "policy": {"window": "Workdays 08:00-16:00 UTC"}}, "window"),
    ("Environment", {"databases": DATABASES, "policy": {"window": "Mon-Fri 08:00-16:00"}}, "window"),
    ("Migration", {"steps": []}, "steps"),
    ("Migration", {"database": "shop"}, "`steps` says what"),
    ("Migration", {"steps": SQL, "artefact": "w1:00"}, "`steps` says what"),
    ("Migration", {"steps": [{"name": "nothing"}]}, "exactly one of `sql`, `sqlFile` and `uses`"),
    ("Migration", {"steps": [{"sql": "SELECT 1", "uses": "backfill"}]}, "exactly one of `sql`, `sqlFile` and `uses`"),
    ("Migration", {"steps": [{"sqlFile": "up.sql"}]}, "no files beside it"),
    ("Migration", {"steps": [{"sql": "SELECT 1", "timeout": "soon"}]}, "timeout"),
    ("GitSource", {"url": "https://git.example.org/shop", "path": "/shop"}, "exactly one of `url` and `path`"),
    ("GitSource", {"path": "/shop"}, "the operator has none"),
    ("GitSource", {"url": "https://git.example.org/shop", "auth": {"token": "hunter2"}}, "token"),
    ("GitSource", {"url": "https://ada:hunter2@git.example.org/shop"}, "no credential"),
    ("GitSource", {"url": "https://hunter2@git.example.org/shop"}, "no credential"),
    ("GitSource", {"url": "https://git.example.org/shop?private_token=hunter2"}, "no credential"),
    ("GitSource", {"url": "ssh://git:hunter2@git.example.org/shop"}, "no credential"),
    ("Approval", {"environmentRef": {"name": "dev"}, "plan": "yes", "approver": "ann"}, "plan"),
    ("Approval", {"environmentRef": {"name": "dev"}, "plan": PLAN}, "approver"),
])
def test_what_makes_no_sense_is_refused_at_once(namespace, kind, spec, words):
    with pytest.raises(Refused) as refused:
        namespace.cluster.apply({"apiVersion": "whimbrel.dev/v1alpha1", "kind": kind,
                                 "metadata": {"name": "wrong", "namespace": namespace.name}, "spec": spec})
    assert words in refused.value.message
    # What was written in plain text is known to whoever wrote it; the store never gets it.
    assert namespace.list(kind) == []


@pytest.mark.parametrize("password", [
    {"secret": "vault", "path": "shop", "key": "password"}, "secret://vault/shop#password",
    {"secretKeyRef": {"name": "shop", "key": "password"}},
])
def test_every_way_of_referring_to_a_secret_is_taken(namespace, password):
    database = {"url": "postgres://shop@db/shop?sslmode=verify-full", "password": password}
    namespace.apply("Environment", "dev", {"databases": {"shop": database}})


@pytest.mark.parametrize("url", [
    "postgres://shop@db:5432/shop?sslmode=verify-full&sslrootcert=ca.pem", "postgres:///shop?host=/run/postgresql",
    "postgres://${host}/shop?user=shop", "sqlite:///data/shop.db", "secret://vault/shop?version=2#url",
])
def test_every_form_of_a_database_s_url_is_taken(namespace, url):
    namespace.apply("Environment", "dev", {"databases": {"shop": {"url": url}}})


@pytest.mark.parametrize("url", [
    "https://git.example.org:8443/a@b/shop.git", "ssh://git@git.example.org:2222/shop.git", "git@git.example.org:shop.git",
    "file:///srv/shop.git",
])
def test_every_form_of_a_repository_s_address_is_taken(namespace, url):
    namespace.apply("GitSource", "shop", {"url": url})


@pytest.mark.parametrize("window", [
    "Mon-Thu 08:00-16:00 Europe/Berlin", "daily 00:00-24:00 UTC", "Fri,Sun 22:00-04:00 Etc/GMT+5",
    "mon-wed,SAT 09:30-10:00 America/Argentina/Buenos_Aires",
])
def test_every_form_of_a_window_is_taken(namespace, window):
    namespace.apply("Environment", "dev", {"databases": DATABASES, "policy": {"window": window}})


@pytest.mark.parametrize(("kind", "before", "after"), [
    ("Environment", {"sourceRef": {"name": "shop"}}, {"sourceRef": {"name": "other"}}),
    ("Environment", {"databases": DATABASES}, {"sourceRef": {"name": "shop"}}),
    ("Migration", {"environmentRef": {"name": "dev"}, "steps": SQL}, {"environmentRef": {"name": "live"}, "steps": SQL}),
    ("Migration", {"environmentRef": {"name": "dev"}, "steps": SQL}, {"steps": SQL}),
    ("Migration", {"database": "shop", "steps": SQL}, {"database": "other", "steps": SQL}),
    ("GitSource", {"url": "https://git.example.org/shop"}, {"url": "https://git.example.org/other"}),
    ("Approval", {"environmentRef": {"name": "dev"}, "plan": PLAN, "approver": "ann"},
     {"environmentRef": {"name": "dev"}, "plan": "sha256:" + "1" * 64, "approver": "ann"}),
])
def test_what_an_object_is_about_can_t_change(namespace, kind, before, after):
    namespace.apply(kind, "one", before)
    with pytest.raises(Refused, match="can't change|another `GitSource`"):
        namespace.apply(kind, "one", after)


def test_a_person_finds_their_way(namespace):
    """Short names, a category, columns and explanations."""
    every = namespace.cluster.call("GET", PLACES["CustomResourceDefinition"])["items"]
    # Other tests bring the kinds of other operators.
    own = [item for item in every if item["spec"]["group"] == "whimbrel.dev"]
    assert len(own) == 4
    for item in own:
        names = item["spec"]["names"]
        assert names["shortNames"][0].startswith("w") and names["categories"] == ["whimbrel"]
        version = item["spec"]["versions"][0]
        assert version["additionalPrinterColumns"][0]["name"] in ("Ready", "Succeeded")
        assert version["subresources"] == {"status": {}}
        spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
        assert all(field["description"] for field in spec["properties"].values())
    table = namespace.cluster.call("GET", PLACES["Environment"].format(namespace.name))
    assert table["kind"] == "EnvironmentList"


def test_the_manifests_are_the_product_s(outside):
    """What is shipped is what this binary prints."""
    decoder = json.JSONDecoder()
    printed = [decoder.decode(text) for text in outside.run("crds").out.split("---\n")[1:]]
    assert manifests("crds.yaml") == printed, "`whimbrel crds > deploy/kubernetes/crds.yaml`"


@pytest.mark.parametrize("file", ["crds.yaml", "rbac.yaml", "operator.yaml", "approver.yaml"])
def test_the_manifests_are_taken(namespace, file):
    """Every field is one that the API server knows."""
    documents = manifests(file)
    assert documents
    for document in documents:
        namespace.cluster.apply(document, namespace.name, dry_run=True)


def test_the_operator_may_only_do_what_it_needs(namespace):
    """In its namespace, and not in another one."""
    def may(verb, resource, where, group=""):
        asked = {"verb": verb, "resource": resource, "namespace": where, "group": group}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
                  "spec": {"resourceAttributes": asked}}
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        return namespace.cluster.call("POST", path, review, user="operator")["status"]["allowed"]
    # What was granted a moment ago may not be known everywhere.
    eventually(lambda: may("get", "secrets", namespace.name), "the operator has its Role")
    assert may("patch", "migrations", namespace.name, "whimbrel.dev")
    assert may("get", "namespaces", namespace.name) and not may("get", "namespaces", "default")
    assert not may("get", "secrets", "default")
    assert not may("update", "secrets", namespace.name)
    assert not may("create", "approvals", namespace.name, "whimbrel.dev")
    assert not may("delete", "environments", namespace.name, "whimbrel.dev")
    assert not may("create", "pods", namespace.name)


def test_who_approves_is_who_asks(kubernetes, namespace):
    """With the shipped policy, nobody approves under another's name or for a group of others."""
    for document in manifests("approver.yaml"):
        kubernetes.apply(document)
    everything = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
                  "metadata": {"name": "approver", "namespace": namespace.name},
                  "rules": [{"apiGroups": ["whimbrel.dev"], "resources": ["approvals"], "verbs": ["*"]}]}
    kubernetes.apply(everything)
    kubernetes.apply({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "approver", "namespace": namespace.name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "approver"},
        "subjects": [{"kind": "User", "name": name, "apiGroup": "rbac.authorization.k8s.io"} for name in ("ann", "bob")]})
    try:
        spec = {"environmentRef": {"name": "dev"}, "plan": PLAN}

        def refused(name, **more):
            with pytest.raises(Refused) as refusal:
                namespace.apply("Approval", "one", spec | more, user=name)
            return refusal.value.message

        def in_force():
            try:
                document = {"apiVersion": "whimbrel.dev/v1alpha1", "kind": "Approval",
                            "metadata": {"name": "one", "namespace": namespace.name}, "spec": spec | {"approver": "ann"}}
                kubernetes.apply(document, user="bob", dry_run=True)
            except Refused as refusal:
                return "must be who asks" in refusal.message
            return False
        eventually(in_force, "the policy is in force")
        assert "groups of who asks" in refused("bob", approver="bob", groups=["dba"])
        namespace.apply("Approval", "one", spec | {"approver": "ann", "groups": ["dba"]}, user="ann")
    finally:
        for kind in ("ValidatingAdmissionPolicyBinding", "ValidatingAdmissionPolicy"):
            kubernetes.call("DELETE", f"{PLACES[kind]}/whimbrel-approver")
