"""A real kube-apiserver over a real etcd, and requests to it by nothing but the standard library.

Nothing else of a cluster runs, unless a test starts the controllers, or a stand-in for a kubelet (`support.kubelet`). What the
operator promises is between it and the API server.
"""

import http.client
import itertools
import json
import os
import shutil
import signal
import ssl
import subprocess
import tempfile
from pathlib import Path

import yaml
from support.canary import Canary
from support.git_server import certificate
from support.parts import free_port, surroundings
from support.parts import program as found
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


# What the API server writes down: whatever is written to it by anybody, but for what is a secret by its nature.
AUDIT = {
    "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"], "omitManagedFields": True,
    "rules": [
        {"level": "None", "resources": [{"group": "", "resources": ["secrets", "serviceaccounts/token"]}]},
        {"level": "Request", "verbs": ["create", "update", "patch"]},
        {"level": "None"},
    ],
}


class Refused(Exception):
    """The API server said no."""

    def __init__(self, status, body):
        super().__init__(f"{status}: {body.get('message', body)}")
        self.status = status
        self.message = body.get("message", "")


def program(name):
    """The program in the folder that KUBEBUILDER_ASSETS names, else the one that `cargo xtask tools` made."""
    if assets := os.environ.get("KUBEBUILDER_ASSETS"):
        return str(Path(assets) / name)
    return found(name.upper().replace("-", "_"), name)


class Cluster:
    """An API server, its store, and users that it knows by their tokens."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="wbk8s-"))
        self.authority, (self.chain, self.key) = certificate(self.folder / "tls")
        self.port, self.store_port = free_port(), free_port()
        self.tokens = {}
        lines = []
        for user, groups in (("admin", "system:masters"), ("operator", ""), ("ann", "dba"), ("bob", "")):
            self.tokens[user] = Canary.hatch(f"the token of {user}", plain=True)
            lines.append(f'{self.tokens[user].value},{user},{user},"{groups}"\n')
        (self.folder / "tokens.csv").write_text("".join(lines))
        (self.folder / "tokens.csv").chmod(0o600)
        for arguments in (["genrsa", "-out", "accounts.key", "2048"],
                          ["rsa", "-in", "accounts.key", "-pubout", "-out", "accounts.pub"]):
            subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)
        self.trust = ssl.create_default_context(cafile=str(self.authority))
        self.store = self._start(
            "etcd", "--data-dir", self.folder / "store", "--unsafe-no-fsync", "--log-level", "error",
            "--listen-client-urls", f"http://127.0.0.1:{self.store_port}",
            "--advertise-client-urls", f"http://127.0.0.1:{self.store_port}",
            "--listen-peer-urls", f"http://127.0.0.1:{free_port()}")
        self.server = None
        self.audit = self.folder / "audit"
        self.audit.mkdir()
        (self.folder / "audit.json").write_text(json.dumps(AUDIT))
        self.start()

    def _start(self, name, *arguments):
        with (self.folder / f"{name}.log").open("a") as log:
            return subprocess.Popen([program(name), *map(str, arguments)], cwd=self.folder, env=surroundings(self.folder),
                                    stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def start(self):
        """Starts the API server, again on the same port, and waits until it answers."""
        self.server = self._start(
            "kube-apiserver", "--etcd-servers", f"http://127.0.0.1:{self.store_port}",
            "--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1", "--secure-port", self.port,
            "--tls-cert-file", self.chain, "--tls-private-key-file", self.key, "--cert-dir", self.folder / "tls",
            "--token-auth-file", self.folder / "tokens.csv", "--authorization-mode", "RBAC",
            "--service-account-issuer", "https://kubernetes.default.svc",
            "--service-account-key-file", self.folder / "accounts.pub",
            "--service-account-signing-key-file", self.folder / "accounts.key",
            "--service-cluster-ip-range", "10.0.0.0/24", "--disable-admission-plugins", "ServiceAccount",
            "--endpoint-reconciler-type", "none",
            "--audit-policy-file", self.folder / "audit.json", "--audit-log-path", self.audit / "log")
        eventually(self._answers, "the API server starts", within=120)

    def _answers(self):
        assert self.server.poll() is None, (self.folder / "kube-apiserver.log").read_text()[-4000:]
        try:
            return self.call("GET", "/readyz") == "ok"
        except (OSError, http.client.HTTPException, Refused):
            return False

    def freeze(self):
        """Lets the API server say nothing more, with every connection open."""
        self.server.send_signal(signal.SIGSTOP)

    def thaw(self):
        """Lets it go on."""
        self.server.send_signal(signal.SIGCONT)

    def kill(self):
        """Ends the API server as a node's end does."""
        self.server.kill()
        self.server.wait()

    def stop(self):
        """Ends everything, and what it kept."""
        for process in (self.server, self.store):
            process.kill()
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

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

    def account(self, name, namespace):
        """A kubeconfig of a service account, with a token as a pod has one; gives its file."""
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": None}}
        answer = self.call("POST", f"{PLACES['ServiceAccount'].format(namespace)}/{name}/token", request)
        token = answer["status"]["token"]
        # Its signature; the rest says who it is.
        Canary.known(f"the token of the account {name}", token.rsplit(".", 1)[1])
        return self._kubeconfig(name, namespace, token)

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
