"""A real OpenBao, over TLS on loopback, or the Vault that VAULT_ADDR names; spoken to past the product."""

import copy
import itertools
import json
import os
import shutil
import ssl
import subprocess
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from support.canary import LENT_LETTERS, Canary
from support.parts import free_port, program, surroundings
from support.waiting import eventually

_numbers = itertools.count(1)


class Refused(Exception):
    """A status of 400 or more."""

    def __init__(self, status, body):
        super().__init__(f"{status}: {body}")
        self.status = status


def _registered(path, answer):
    """What it gave away, registered as canaries."""
    found = {"login": (answer.get("auth") or {}).get("client_token"), "wrapping token": (answer.get("wrap_info") or {}).get("token")}
    found |= {name: (answer.get("data") or {}).get(name) for name in ("secret_id", "password", "private_key", "token")}
    for name, value in found.items():
        if isinstance(value, str):
            Canary.known(f"the {name} by {path}", value)
    return answer


class OpenBao:
    """A server, and what it is filled with."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="wbbao-"))
        self.process = None
        # In which of its namespaces everything is, if in one.
        self.namespace = None
        if address := os.environ.get("VAULT_ADDR"):
            self.address = address.rstrip("/")
            self.token, self.certificate = self._given(self.address)
        else:
            self._start()
        Canary.known("the root token of OpenBao", self.token)
        self.trust = ssl.create_default_context(cafile=self.certificate)

    @staticmethod
    def _given(address):
        """What opens the tester's own server: its token, and the file with the authority of its certificate, if it has one."""
        missing = [name for name in ("VAULT_TOKEN", "VAULT_CACERT") if not os.environ.get(name)]
        if address.startswith("http://") and "VAULT_CACERT" in missing:
            missing.remove("VAULT_CACERT")
        assert not missing, (f"VAULT_ADDR is set, so {' and '.join(missing)} must be: VAULT_TOKEN may do everything there, "
                             "VAULT_CACERT is the file with the authority of its certificate")
        return os.environ["VAULT_TOKEN"], os.environ.get("VAULT_CACERT")

    def reach(self, folder, through=None):
        """Its address, or that of a proxy before it, and the grant to reach it for a project in a folder, which gets a copy of the
        certificate's authority."""
        server = through or self
        if not server.certificate:
            return server.address, [{"to": "config:/address"}]
        shutil.copy(server.certificate, folder / "vault.pem")
        return server.address, [{"to": "config:/address", "ca": {"file": "vault.pem"}}]

    def _start(self):
        port = free_port()
        self.address = f"https://127.0.0.1:{port}"
        self.token = "root-of-the-acceptance-suite"
        self.certificate = self.folder / "vault-ca.pem"
        with (self.folder / "log").open("w") as log:
            self.process = subprocess.Popen(
                [program("BAO_BIN", "bao"), "server", "-dev-tls", f"-dev-tls-cert-dir={self.folder}",
                 f"-dev-listen-address=127.0.0.1:{port}", f"-dev-root-token-id={self.token}", "-dev-no-store-token"],
                cwd=self.folder, env=surroundings(self.folder), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )
        eventually(lambda: "Development mode should NOT be used" in (self.folder / "log").read_text(), "OpenBao starts",
                   within=90)

    def stop(self):
        """Ends it, and what it kept."""
        if self.process:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def call(self, path, body=None, method=None, token=None, **headers):
        """Any call; gives the answer whole."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address}/v1/{path}", data, method=method)
        request.add_header("X-Vault-Token", token or self.token)
        if self.namespace:
            request.add_header("X-Vault-Namespace", self.namespace)
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        try:
            with urllib.request.urlopen(request, context=self.trust, timeout=60) as answer:
                text = answer.read()
                return _registered(path, json.loads(text) if text else {})
        except urllib.error.HTTPError as error:
            raise Refused(error.code, error.read().decode()) from None

    @staticmethod
    def unique(prefix):
        """A name that nobody else uses on this server."""
        return f"{prefix}-{os.getpid()}-{next(_numbers)}"

    def inside(self):
        """The same server, where a new namespace of it is all that there is."""
        within = copy.copy(self)
        within.namespace = self.unique("team")
        self.call(f"sys/namespaces/{within.namespace}", {})
        return within

    def kv(self, version=2):
        """Mounts a KV engine and gives the mount's path."""
        mount = self.unique(f"kv{version}")
        self.call(f"sys/mounts/{mount}", {"type": "kv", "options": {"version": str(version)}})
        if version == 2:
            eventually(lambda: self._configured(mount), "the KV engine has made its tables")
        return mount

    def _configured(self, mount):
        try:
            return self.call(f"{mount}/config")
        except Refused as refused:
            assert refused.status == 400, refused
            return None

    def policy(self, rules):
        """Makes a policy of rules in HCL and gives its name."""
        name = self.unique("policy")
        self.call(f"sys/policies/acl/{name}", {"policy": rules})
        return name

    def app_role(self, policy, time_to_live="1h", **settings):
        """Makes an AppRole, perhaps with more settings of its tokens; gives its mount, role id and secret id."""
        mount = self.unique("approle")
        self.call(f"sys/auth/{mount}", {"type": "approle"})
        self.call(f"auth/{mount}/role/shop", {"token_policies": [policy], "token_ttl": time_to_live} | settings)
        role = self.call(f"auth/{mount}/role/shop/role-id")["data"]["role_id"]
        secret = self.call(f"auth/{mount}/role/shop/secret-id", {})["data"]["secret_id"]
        return mount, role, secret

    def database(self, cluster, name):
        """Mounts a database engine that makes users of a cluster; gives the mount's path."""
        mount = self.unique("database")
        self.call(f"sys/mounts/{mount}", {"type": "database"})
        self.call(f"{mount}/config/shop", {
            "plugin_name": "postgresql-database-plugin", "allowed_roles": ["*"],
            "connection_url": f"user='{{{{username}}}}' password='{{{{password}}}}' host={cluster.folder} dbname={name}",
            "password_policy": self._recognizable(), "username": "lender", "password": cluster.lender(), "disable_escaping": True,
            "username_template": "lent-{{random 16 | lowercase}}",
        })
        return mount

    def _recognizable(self):
        """The policy of passwords that are recognized wherever they are seen."""
        rules = f'length = 40\nrule "charset" {{ charset = "{LENT_LETTERS}" }}'
        self.call("sys/policies/password/recognizable", {"policy": rules})
        return "recognizable"

    def dynamic_role(self, mount, name, group, time_to_live="3s", at_most="24h"):
        """Makes a role: each reader gets a user of its own in a group."""
        self.call(f"{mount}/roles/{name}", {
            "db_name": "shop", "default_ttl": time_to_live, "max_ttl": at_most,
            "creation_statements": [
                "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}' "
                f"IN ROLE \"{group}\"",
            ],
            "revocation_statements": [
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{{name}}'; "
                "DROP ROLE IF EXISTS \"{{name}}\"",
            ],
        })

    def static_role(self, mount, name, user, period="5s"):
        """Makes a role of a user that exists, whose password changes now and after each period."""
        self.call(f"{mount}/static-roles/{name}", {
            "db_name": "shop", "username": user, "rotation_period": period,
            "rotation_statements": ["ALTER ROLE \"{{name}}\" PASSWORD '{{password}}'"],
        })

    def logins(self, mount):
        """How many tokens that a mount's logins gave hold now."""
        held = 0
        for accessor in self.call("auth/token/accessors?list=true")["data"]["keys"]:
            try:
                data = self.call("auth/token/lookup-accessor", {"accessor": accessor})["data"]
            except Refused:
                continue  # It ended meanwhile.
            held += data["path"] == f"auth/{mount}/login"
        return held

    def leases(self, mount, role):
        """The names of the leases of a dynamic role that hold now."""
        try:
            keys = self.call(f"sys/leases/lookup/{mount}/creds/{role}?list=true")["data"]["keys"]
        except Refused as refused:
            assert refused.status == 404, refused
            return []
        return [f"{mount}/creds/{role}/{key}" for key in keys]
