"""A real kube-apiserver over a real etcd.

Nothing else of a cluster runs, unless a test starts the controllers, or a stand-in for a kubelet (`support.kubelet`).
"""

import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import tempfile
from pathlib import Path

from support.canary import Canary
from support.git_server import certificate
from support.kubernetes import PLACES, Client, Refused
from support.kubernetes_proxy import FaultyApi
from support.parts import free_port, surroundings
from support.parts import program as found
from support.waiting import eventually

# What the API server writes down: whatever is written to it by anybody, but for what is a secret by its nature.
AUDIT = {
    "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"], "omitManagedFields": True,
    "rules": [
        {"level": "None", "resources": [{"group": "", "resources": ["secrets", "serviceaccounts/token"]}]},
        {"level": "Request", "verbs": ["create", "update", "patch"]},
        {"level": "None"},
    ],
}


def program(name):
    """The program in the folder that KUBEBUILDER_ASSETS names, else the one that `cargo xtask tools` made."""
    if assets := os.environ.get("KUBEBUILDER_ASSETS"):
        return str(Path(assets) / name)
    return found(name.upper().replace("-", "_"), name)


class Cluster(Client):
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

    def faulty(self):
        """A proxy before it that fails as it is told."""
        return FaultyApi(self)

    def account(self, name, namespace):
        """A kubeconfig of a service account, with a token as a pod has one; gives its file."""
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": None}}
        answer = self.call("POST", f"{PLACES['ServiceAccount'].format(namespace)}/{name}/token", request)
        token = answer["status"]["token"]
        # Its signature; the rest says who it is.
        Canary.known(f"the token of the account {name}", token.rsplit(".", 1)[1])
        return self._kubeconfig(name, namespace, token)
