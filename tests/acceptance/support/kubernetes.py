"""An API server of Kubernetes as tests ask it, by nothing but the standard library: the real one (`support.kubernetes_cluster`), or
the fake one (`support.fake_api_server`). What the operator promises is between it and the API server."""

import http.client
import itertools
import json

import yaml
from support.canary import Canary
from support.product import ROOT
from support.waiting import eventually

GROUP = "whimbrel.dev/v1alpha1"
_numbers = itertools.count(1)

# Where the API has the kinds that tests speak of; `{}` is the namespace.
PLACES = {
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "GitRepository": "/apis/source.toolkit.fluxcd.io/v1/namespaces/{}/gitrepositories",
    "Job": "/apis/batch/v1/namespaces/{}/jobs",
    "HorizontalPodAutoscaler": "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers",
    "Lease": "/apis/coordination.k8s.io/v1/namespaces/{}/leases",
    "Kustomization": "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/{}/kustomizations",
    "Event": "/apis/events.k8s.io/v1/namespaces/{}/events",
    "Namespace": "/api/v1/namespaces",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
    "Pod": "/api/v1/namespaces/{}/pods",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/{}/poddisruptionbudgets",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
    "Secret": "/api/v1/namespaces/{}/secrets",
    "Service": "/api/v1/namespaces/{}/services",
    "ServiceMonitor": "/apis/monitoring.coreos.com/v1/namespaces/{}/servicemonitors",
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "ValidatingAdmissionPolicy": "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
}
KINDS = ("GitSource", "Environment", "Migration", "Approval")
for _kind in KINDS:
    PLACES[_kind] = f"/apis/{GROUP}/namespaces/{{}}/{_kind.lower()}s"


class Refused(Exception):
    """The API server said no."""

    def __init__(self, status, body):
        super().__init__(f"{status}: {body.get('message', body)}")
        self.status = status
        self.message = body.get("message", "")


class Client:
    """Requests to an API server. Whoever is one says where it listens (`port`), whom it knows by which tokens (`tokens`), who signed
    its certificate (`authority`, `trust`), and where kubeconfigs may lie (`folder`)."""

    def call(self, method, path, body=None, kind="application/json", user="admin", accept="application/json"):
        """Any request; gives the answer's JSON, or its text."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60, context=self.trust)
        headers = {"authorization": f"Bearer {self.tokens[user].value}", "accept": accept}
        if body is not None:
            headers["content-type"] = kind
            body = body if isinstance(body, str) else json.dumps(body)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        answer = json.loads(text) if text.startswith("{") else text
        if response.status >= 400:
            raise Refused(response.status, answer if isinstance(answer, dict) else {"message": text})
        return answer

    def apply(self, document, namespace=None, name=None, user="admin", dry_run=False):
        """Applies an object, or the text of a file in YAML, as `kubectl apply --server-side` does."""
        if isinstance(document, dict):
            kind, name = document["kind"], document["metadata"]["name"]
            namespace = document["metadata"].get("namespace", namespace)
        else:
            kind = next(line for line in document.splitlines() if line.startswith("kind: ")).split()[1]
        query = "?fieldManager=acceptance&force=true&fieldValidation=Strict" + ("&dryRun=All" if dry_run else "")
        path = f"{PLACES[kind].format(namespace)}/{name}{query}"
        return self.call("PATCH", path, document, "application/apply-patch+yaml", user=user)

    def define(self, whimbrel):
        """Applies the product's own definitions, and waits until the API has them."""
        decoder = json.JSONDecoder()
        for text in whimbrel.run("crds").out.split("---\n")[1:]:
            self.apply(decoder.decode(text))
        eventually(lambda: all(map(self.serves, KINDS)), "the API has the kinds")

    def serves(self, kind):
        """Whether the API has a kind yet."""
        try:
            return bool(self.call("GET", PLACES[kind].format("default")))
        except Refused as refused:
            assert refused.status in (404, 429), refused
            return False

    def namespace(self, granted=True):
        """A new namespace, in which the user `operator` may do what the shipped Role lets it, or nothing; gives its handle."""
        name = f"test-{next(_numbers)}"
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        return Namespace(self, name, granted)

    def abandon(self, but):
        """Lets the objects of all other namespaces go, whose operators are gone."""
        for kind in KINDS:
            for item in self.call("GET", PLACES[kind].replace("/namespaces/{}", ""))["items"]:
                place = item["metadata"]
                if place["namespace"] != but.name and place.get("finalizers"):
                    path = f"{PLACES[kind].format(place['namespace'])}/{place['name']}"
                    self.call("PATCH", path, {"metadata": {"finalizers": None}}, "application/merge-patch+json")

    def kubeconfig(self, user, namespace, port=None):
        """A kubeconfig of a user, perhaps by way of another port; gives its file."""
        return self._kubeconfig(user, namespace, self.tokens[user].value, port)

    def _kubeconfig(self, user, namespace, token, port=None):
        file = self.folder / f"{user}-{namespace}.json"
        file.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {
                "server": f"https://127.0.0.1:{port or self.port}", "certificate-authority": str(self.authority)}}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user, "namespace": namespace}}],
        }))
        file.chmod(0o600)
        return file


class Namespace:
    """One namespace, for one test."""

    def __init__(self, cluster, name, granted=True):
        self.cluster = cluster
        self.name = name
        # By which port its operators reach the API server, if not by its own.
        self.door = None
        if granted:
            self.grant()

    def grant(self):
        """Lets the operator do here what the shipped Role says, and nothing else."""
        for document in manifests("rbac.yaml"):
            if document["kind"] not in ("Role", "RoleBinding"):
                continue
            document["metadata"]["namespace"] = self.name
            for subject in document.get("subjects", []):
                subject.clear()
                subject.update(kind="User", name="operator", apiGroup="rbac.authorization.k8s.io")
            self.cluster.apply(document)

    def apply(self, kind, name, spec, user="admin", **metadata):
        """Applies an object of a kind."""
        if kind == "Secret":
            for key, value in spec.items():
                Canary.known(f"{key} of the Secret {name}", value)
        versions = {"Secret": "v1"}
        document = {"apiVersion": versions.get(kind, GROUP), "kind": kind,
                    "metadata": {"name": name, "namespace": self.name, **metadata}}
        document |= {"stringData": spec} if kind == "Secret" else {"spec": spec}
        return self.cluster.apply(document, user=user)

    def create(self, version, kind, document):
        """Makes an object of a kind that isn't the product's."""
        return self.cluster.call("POST", PLACES[kind].format(self.name), {"apiVersion": version, "kind": kind} | document)

    def get(self, kind, name):
        """An object, or none."""
        try:
            return self.cluster.call("GET", f"{PLACES[kind].format(self.name)}/{name}")
        except Refused as refused:
            if refused.status != 404:
                raise
            return None

    def list(self, kind):
        """All objects of a kind."""
        return self.cluster.call("GET", PLACES[kind].format(self.name))["items"]

    def patch(self, kind, name, change):
        """Merges a change into an object."""
        path = f"{PLACES[kind].format(self.name)}/{name}"
        return self.cluster.call("PATCH", path, change, "application/merge-patch+json")

    def delete(self, kind, name):
        """Deletes an object."""
        return self.cluster.call("DELETE", f"{PLACES[kind].format(self.name)}/{name}")

    def condition(self, kind, name, type):
        """A condition of an object, as `kubectl wait` reads it: none before it is about the object as it is now."""
        found = self.get(kind, name)
        if not found:
            return None
        generation = found["metadata"]["generation"]
        for one in found.get("status", {}).get("conditions", []):
            if one["type"] == type and one["observedGeneration"] >= generation:
                return one
        return None

    def until(self, kind, name, type, status="True", reason=None, within=60.0):
        """Waits until a condition says this; gives the object."""
        seen = []

        def holds():
            seen.append(self.condition(kind, name, type))
            one = seen[-1]
            return one and one["status"] == status and reason in (None, one["reason"])
        try:
            eventually(holds, f"{kind} {name} is {type}={status} {reason or ''}", within)
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {seen[-1]}") from None
        return self.get(kind, name)

    def events(self, kind, name):
        """How often each reason was told of an object, in the order in which each was told last."""
        times, last = {}, lambda event: (event.get("series") or {}).get("lastObservedTime") or event["eventTime"]
        own = [event for event in self.list("Event") if (event["regarding"]["kind"], event["regarding"]["name"]) == (kind, name)]
        for event in sorted(own, key=last):
            # What is told again within minutes is counted at the event that there is.
            again = (event.get("series") or {"count": 1})["count"]
            times[event["reason"]] = times.pop(event["reason"], 0) + again
        return times

    def reasons(self, kind, name):
        """The reasons of all events about an object, in the same order."""
        return list(self.events(kind, name))

    def told(self, kind, name, reason):
        """Waits until the last event about an object has this reason: they are written beside everything else."""
        eventually(lambda: self.reasons(kind, name)[-1:] == [reason], f"{reason} is told of {kind} {name}")


def manifests(file):
    """The objects of a file of `deploy/kubernetes`."""
    text = (ROOT / "deploy/kubernetes" / file).read_text()
    return [document for document in yaml.safe_load_all(text) if document]


class Operator:
    """A running `whimbrel operator` of a namespace."""

    def __init__(self, whimbrel, namespace, cache, *arguments, **variables):
        config = namespace.cluster.kubeconfig("operator", namespace.name, namespace.door)
        # Whoever is started after one that was killed is its container, started again in the same pod.
        variables.setdefault("POD_NAME", "whimbrel-operator")
        self.running = whimbrel.start(
            "operator", "--listen", "127.0.0.1:0", "--cache", cache, *arguments, KUBECONFIG=config, **variables)
        self.running.follow()
        line = self.running.process.stdout.readline()
        assert line.startswith("listening on "), self.running.end(code=None)
        self.place = line.removeprefix("listening on ").strip()

    def get(self, path):
        """What it answers: status and text."""
        connection = http.client.HTTPConnection(self.place, timeout=60)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        self.running.evidence.hear("metrics" if path == "/metrics" else "answers", f"{response.status} {response.getheaders()}", text)
        return response.status, text

    def sweep(self):
        """Reads what it measures at its end, as evidence; whether it still answers is another matter."""
        try:
            self.get("/metrics")
        except (OSError, http.client.HTTPException):
            return

    def kill(self):
        """Ends it as a node's end does."""
        self.running.kill()
        return self.running.end(code=None)

    def end(self, code=0):
        """Ends it as an orchestrator does."""
        self.sweep()
        self.running.terminate()
        return self.running.end(code=code)
