"""The Helm chart: the plain manifests again, and whatever values make of them, as Helm, the schemas and a real API server take
it; and the operator that it describes, as a process with the rights that it gives."""

import copy

import pytest
from support.helm import CHART, Failed, Helm
from support.kubernetes import PLACES, Refused, manifests
from support.pod import Container
from support.product import Whimbrel
from support.prometheus import value
from support.schemas import foreign, hold
from support.waiting import eventually

PLAIN = ("crds.yaml", "approver.yaml", "rbac.yaml", "operator.yaml")
MONITORED = (*PLAIN, "service-monitor.yaml", "autoscaler.yaml")
# What Helm adds to everything, and what a chart says that isn't said by who applies a file.
HELMS = ("app.kubernetes.io/version", "app.kubernetes.io/managed-by", "helm.sh/chart")
# Everything that can be said, said otherwise than by default.
EVERYTHING = {
    "nameOverride": "operator",
    "image": {"repository": "registry.example.org/whimbrel", "tag": "", "digest": "sha256:" + "0" * 64,
              "pullPolicy": "IfNotPresent", "pullSecrets": [{"name": "registry"}]},
    "namespaces": ["shop", "billing"], "replicas": 2, "shards": 8, "arguments": ["--resync", "5m"],
    "variables": [{"name": "SSL_CERT_FILE", "value": "/authorities/ca.crt"}],
    "crds": {"install": True}, "approvalPolicy": {"install": True},
    "serviceAccount": {"create": True, "name": "databases", "annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/w"}},
    "rbac": {"create": True, "secretNames": ["shop-db", "git"]},
    "podSecurityContext": {"runAsUser": 1000, "runAsNonRoot": True}, "securityContext": {"readOnlyRootFilesystem": True},
    "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}},
    "cache": {"sizeLimit": "10Gi"}, "terminationGracePeriodSeconds": 120,
    "podLabels": {"team": "data"}, "podAnnotations": {"linkerd.io/inject": "enabled"},
    "nodeSelector": {"kubernetes.io/os": "linux"}, "tolerations": [{"key": "databases", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}}, "priorityClassName": "system-cluster-critical",
    "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}],
    "volumes": [{"name": "authorities", "configMap": {"name": "authorities"}}],
    "volumeMounts": [{"name": "authorities", "mountPath": "/authorities", "readOnly": True}],
    "podDisruptionBudget": {"enabled": True, "maxUnavailable": "50%"},
    "networkPolicy": {"enabled": True, "from": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}],
                      "egress": [{"ports": [{"protocol": "TCP", "port": 5432}]}]},
    "serviceMonitor": {"enabled": True, "interval": "15s", "scrapeTimeout": "5s", "labels": {"release": "prometheus"}},
    "autoscaling": {"enabled": True, "minReplicas": 2, "maxReplicas": 8, "queueDepth": 5},
}


@pytest.fixture
def helm(tmp_path):
    """Helm without a cluster."""
    return Helm(tmp_path / "helm")


def of_kind(documents, kind):
    """The objects of a kind."""
    return [document for document in documents if document["kind"] == kind]


def comparable(documents, namespace="shop"):
    """Objects by kind and name, without what Helm adds, and without the namespace that whoever applies a file says."""
    found = {}
    for document in copy.deepcopy(documents):
        metadata = document["metadata"]
        for label in HELMS:
            metadata["labels"].pop(label, None)
        if metadata.get("namespace") == namespace:
            del metadata["namespace"]
        for subject in document.get("subjects", []):
            if subject.get("namespace") == namespace:
                del subject["namespace"]
        if metadata.get("annotations") == {"helm.sh/resource-policy": "keep"}:
            del metadata["annotations"]
        key = (document["kind"], metadata["name"])
        assert key not in found
        found[key] = document
    return found


def plain(*files):
    """The objects of files of `deploy/kubernetes`."""
    return [document for file in files for document in manifests(file)]


def test_without_values_it_is_the_plain_manifests(helm):
    assert comparable(helm.render()) == comparable(plain(*PLAIN))


def test_with_what_is_optional_it_is_the_plain_manifests_too(helm):
    wanted = comparable(plain(*MONITORED))
    # Who asks for as many replicas as there is work asks for no number.
    del wanted["Deployment", "whimbrel-operator"]["spec"]["replicas"]
    assert comparable(helm.render(serviceMonitor={"enabled": True}, autoscaling={"enabled": True})) == wanted


def test_every_value_can_be_said_and_is_known(helm):
    """What the test says is everything that there is, and Helm's own look at it finds nothing."""
    values = helm.run("show", "values", CHART)
    top = {line.split(":")[0] for line in values.splitlines() if line and line[0].isalpha()}
    assert top == set(EVERYTHING) | {"fullnameOverride"}
    for said in ({}, EVERYTHING):
        assert "0 chart(s) failed" in helm.lint(**said)


@pytest.mark.parametrize("values", [
    {"replica": 2}, {"image": {"tags": "1"}}, {"image": {"repository": ""}}, {"image": {"digest": "latest"}},
    {"namespaces": "shop"}, {"namespaces": ["shop", "shop"]}, {"namespaces": ["*"]}, {"replicas": -1}, {"shards": 0},
    {"serviceMonitor": {"interval": "soon"}}, {"autoscaling": {"minReplicas": 0}}, {"podDisruptionBudget": {"maxUnavailable": 0}},
    {"terminationGracePeriodSeconds": 5}, {"crds": {"install": "yes"}}, {"cache": {"sizeLimit": "much"}},
])
def test_values_that_make_no_sense_are_refused(helm, values):
    with pytest.raises(Failed, match="schema"):
        helm.render(**values)


def test_a_cluster_that_is_too_old_is_refused(helm):
    with pytest.raises(Failed, match="incompatible with Kubernetes v1.29"):
        helm.render(version="1.29.4")


@pytest.mark.parametrize("values", [{}, EVERYTHING, EVERYTHING | {"namespaces": []}],
                         ids=["default", "everything", "everything in one namespace"])
def test_what_it_makes_is_what_kubernetes_knows(helm, kubernetes, values):
    """By the schemas of every version that it is for, and by a real API server, which defaults and validates."""
    kubernetes.apply(foreign("prometheus-servicemonitor"))
    eventually(lambda: kubernetes.serves("ServiceMonitor"), "the API has the kind")
    for name in ("shop", "billing"):
        kubernetes.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    documents = helm.render(**values)
    hold(documents)
    for document in documents:
        kubernetes.apply(document, dry_run=True)


def test_the_standard_that_forbids_most_takes_its_pods(helm, kubernetes):
    """Pod Security Standards, restricted: the API server itself has nothing against them."""
    name = "operator-restricted"
    kubernetes.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {
        "name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}})
    [deployment] = of_kind(helm.render(), "Deployment")
    template = deployment["spec"]["template"]
    kubernetes.apply({"apiVersion": "v1", "kind": "Pod", "metadata": template["metadata"] | {"name": "one", "namespace": name},
                      "spec": template["spec"]}, dry_run=True)


@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["default", "everything"])
def test_it_gives_no_rights_beyond_the_namespaces_that_are_kept(helm, values):
    documents = helm.render(namespace="ops", **values)
    assert {document["kind"] for document in documents}.isdisjoint({"ClusterRole", "ClusterRoleBinding"})
    kept = values.get("namespaces", ["ops"])
    for kind in ("Role", "RoleBinding"):
        assert [one["metadata"]["namespace"] for one in of_kind(documents, kind)] == kept
    assert all("*" not in rule[part] for role in of_kind(documents, "Role") for rule in role["rules"]
               for part in ("apiGroups", "resources", "verbs"))


def test_secrets_can_be_narrowed_to_names(helm):
    [role] = of_kind(helm.render(rbac={"secretNames": ["shop-db"]}), "Role")
    rules = {tuple(rule["resources"]): rule.get("resourceNames") for rule in role["rules"]}
    assert rules.pop(("secrets",)) == ["shop-db"]
    assert set(rules.values()) == {None}


@pytest.mark.parametrize("values", [{}, EVERYTHING | {"autoscaling": {"enabled": True}}], ids=["default", "everything"])
def test_selectors_find_their_own_pods_and_no_others(helm, values):
    documents = helm.render(**values)
    deployments = of_kind(documents, "Deployment")
    pods = [one["spec"]["template"]["metadata"]["labels"] for one in deployments]

    def found(selector):
        return [number for number, labels in enumerate(pods) if selector.items() <= labels.items()]
    everyone = list(range(len(pods)))
    for number, deployment in enumerate(deployments):
        assert found(deployment["spec"]["selector"]["matchLabels"]) == [number]
    for number, budget in enumerate(of_kind(documents, "PodDisruptionBudget")):
        assert found(budget["spec"]["selector"]["matchLabels"]) == [number]
    assert found(of_kind(documents, "NetworkPolicy")[0]["spec"]["podSelector"]["matchLabels"]) == everyone
    for service in of_kind(documents, "Service"):
        assert found(service["spec"]["selector"]) == everyone
    for monitor in of_kind(documents, "ServiceMonitor"):
        [service] = of_kind(documents, "Service")
        assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        assert {end["port"] for end in monitor["spec"]["endpoints"]} <= {port["name"] for port in service["spec"]["ports"]}
    scaled = [one["spec"]["scaleTargetRef"]["name"] for one in of_kind(documents, "HorizontalPodAutoscaler")]
    assert scaled in ([], [one["metadata"]["name"] for one in deployments])


def test_two_releases_keep_apart(helm):
    """Of one namespace: nothing of one is selected by, or called as, what is of the other."""
    cluster = {"crds": {"install": False}, "approvalPolicy": {"install": False}}
    one, other = (comparable(helm.render(release=name, **cluster)) for name in ("whimbrel-one", "other"))
    assert not one.keys() & other.keys()
    [labels] = [document["spec"]["template"]["metadata"]["labels"] for key, document in one.items() if key[0] == "Deployment"]
    [selector] = [document["spec"]["selector"]["matchLabels"] for key, document in other.items() if key[0] == "Deployment"]
    assert not selector.items() <= labels.items()


def test_the_kinds_stay_when_the_release_goes(helm):
    for document in of_kind(helm.render(), "CustomResourceDefinition"):
        assert document["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_a_package_holds_everything(helm, tmp_path):
    """What is elsewhere in the clone is in the package, too."""
    helm.run("package", CHART, "--destination", tmp_path)
    [package] = tmp_path.glob("*.tgz")
    assert comparable(helm.render(chart=package)) == comparable(plain(*PLAIN))


class Release:
    """An installed release whose pods run as processes, each with the service account's own token."""

    def __init__(self, kubernetes, binary, folder, namespace, **values):
        self.kubernetes = kubernetes
        self.namespace = namespace
        self.binary = binary
        self.folder = folder
        self.helm = Helm(folder / "helm", kubernetes.kubeconfig("admin", namespace))
        self.helm.install(namespace, crds={"install": False}, approvalPolicy={"install": False}, **values)
        self.running = []
        self.containers = []

    def list(self, kind):
        """The objects of a kind in the release's namespace."""
        return self.kubernetes.call("GET", PLACES[kind].format(self.namespace))["items"]

    def start(self):
        """Runs what each Deployment says."""
        for number, deployment in enumerate(self.list("Deployment")):
            pod = deployment["spec"]["template"]["spec"]
            fields = {"metadata.namespace": self.namespace, "metadata.name": f"{deployment['metadata']['name']}-0"}
            container = Container(pod, "whimbrel", self.folder / f"pod-{number}", fields=fields).listen()
            config = self.kubernetes.account(pod["serviceAccountName"], self.namespace)
            program = Whimbrel(self.binary, self.folder)
            running = program.start(*container.arguments, **container.variables, KUBECONFIG=config)
            running.follow()
            self.running.append(running)
            self.containers.append(container)
        for container in self.containers:
            eventually(lambda: container.probe("readinessProbe") == 200, "it is ready")  # noqa: B023
            assert container.probe("livenessProbe") == 200

    def stop(self):
        """Ends all of them as an orchestrator does, and takes the release away."""
        for running in self.running:
            running.terminate()
            assert "forbidden" not in running.end().err
        self.helm.uninstall(self.namespace)


@pytest.fixture
def release(kubernetes, binary, tmp_path):
    """Installs a release."""
    started = []

    def start(namespace, **values):
        started.append(Release(kubernetes, binary, tmp_path, namespace, **values))
        return started[-1]
    yield start
    for one in started:
        for running in one.running:
            if running.process.poll() is None:
                running.kill()


def test_the_operator_that_it_installs_keeps_its_namespace(kubernetes, release, sqlite):
    """By the very arguments, variables, probes and rights of the chart; and what people made outlives it."""
    namespace = kubernetes.namespace(granted=False)
    installed = release(namespace.name)
    installed.start()
    namespace.apply("Environment", "dev", {"databases": {"shop": {"url": f"sqlite:{sqlite.file}"}}, "policy": {"apply": "Auto"}})
    namespace.apply("Migration", "0001-people", {
        "environmentRef": {"name": "dev"}, "steps": [{"sql": "CREATE TABLE people (id integer)"}]})
    namespace.until("Migration", "0001-people", "Succeeded")
    namespace.until("Environment", "dev", "Ready")
    assert sqlite.tables() == {"people"}
    # What the HorizontalPodAutoscaler of the chart goes by.
    [container] = installed.containers
    assert value(container.metrics(), "whimbrel_queue_depth") == 0
    # Another value, another Deployment; then nothing of the release is left.
    installed.helm.install(namespace.name, crds={"install": False}, approvalPolicy={"install": False}, replicas=2)
    [deployment] = installed.list("Deployment")
    assert deployment["spec"]["replicas"] == 2
    installed.stop()
    for kind in ("Deployment", "Role", "RoleBinding", "ServiceAccount", "NetworkPolicy", "PodDisruptionBudget"):
        assert installed.list(kind) == []
    assert namespace.get("Environment", "dev")


def test_a_release_keeps_several_namespaces_and_no_others(kubernetes, release, project, tmp_path):
    home, one, two, other = (kubernetes.namespace(granted=False) for _ in range(4))
    installed = release(home.name, namespaces=[one.name, two.name])
    files = {}
    for namespace in (one, two, other):
        files[namespace] = tmp_path / f"{namespace.name}.db"
        namespace.apply("Environment", "dev", {
            "databases": {"shop": {"url": f"sqlite:{files[namespace]}"}}, "policy": {"apply": "Auto"}})
        namespace.apply("Migration", "0001-people", {
            "environmentRef": {"name": "dev"}, "steps": [{"sql": "CREATE TABLE people (id integer)"}]})
    installed.start()
    for namespace in (one, two):
        namespace.until("Migration", "0001-people", "Succeeded")
    assert files[one].exists() and files[two].exists()
    account = f"system:serviceaccount:{home.name}:whimbrel-operator"

    def may(verb, resource, where, group=""):
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": {
            "user": account, "resourceAttributes": {"verb": verb, "resource": resource, "namespace": where, "group": group}}}
        return kubernetes.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)["status"]["allowed"]
    for namespace in (one, two):
        assert may("get", "secrets", namespace.name)
        assert may("patch", "migrations", namespace.name, "whimbrel.dev")
    for where in (home.name, other.name, ""):
        assert not may("get", "secrets", where)
        assert not may("list", "secrets", where)
    assert "status" not in other.get("Environment", "dev")
    assert not files[other].exists()
    installed.stop()


def test_refused_is_refused(kubernetes):
    """The dry-run would say so: a field that nobody knows."""
    [deployment] = [one for one in manifests("operator.yaml") if one["kind"] == "Deployment"]
    deployment["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(Refused, match="readynessProbe"):
        kubernetes.apply(deployment, "default", dry_run=True)
