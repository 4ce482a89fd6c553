"""A project whose database credentials are in a real Vault."""

import json

from support.canary import Canary


class VaultShop:
    """A project whose database credentials are in OpenBao, behind a proxy that counts and fails as told."""

    def __init__(self, project, cluster, openbao, proxy):
        self.project, self.cluster, self.openbao, self.proxy = project, cluster, openbao, proxy
        self.database = cluster.create_database()
        self.url = f"postgres://localhost/{self.database}?host={cluster.folder}"
        self.owner = f"owner_of_{self.database}"
        with cluster.connect(self.database) as connection:
            connection.execute(f"CREATE ROLE {self.owner}; GRANT CREATE ON DATABASE {self.database} TO {self.owner}; "
                               f"GRANT CREATE, USAGE ON SCHEMA public TO {self.owner}")
        self.rules = []
        self.logins = {}
        self.auth = None

    def allow(self, path, *capabilities):
        """Lets the product do this in OpenBao."""
        may = json.dumps(list(capabilities or ["read"]))
        self.rules.append(f'path "{path}" {{ capabilities = {may} }}')

    def environment(self, name="dev", role=None, **database):
        """An environment that logs in by AppRole; its database as these references say."""
        for path in ("sys/leases/renew", "sys/leases/revoke", "auth/token/renew-self", "auth/token/revoke-self"):
            self.allow(path, "update")
        policy = self.openbao.policy("\n".join(self.rules))
        self.auth, role_id, secret_id = self.openbao.app_role(policy, **self.logins)
        certificate = self.project.write("certificates/vault.pem", self.proxy.certificate.read_text())
        self.project.declare(plugins={"vault": {"builtin": "vault", "grants": {
            "clock": True, "random": True,
            "http": [{"to": "config:/address", "ca": {"file": str(certificate)}}],
        }}})
        Canary.known("a secret id", secret_id)
        database = {"url": self.url} | ({"role": role} if role else {}) | database
        self.project.environment(name, {"shop": database}, secrets={
            "vault": {"plugin": "vault", "with": {
                "address": self.proxy.address,
                **({"namespace": self.openbao.namespace} if self.openbao.namespace else {}),
                "login": {"appRole": {"roleId": role_id, "secretId": {"secret": "env", "path": "SHOP_SECRET_ID"},
                                      "mount": self.auth}},
            }},
        })
        return {"SHOP_SECRET_ID": secret_id}

    def kept(self, version=2):
        """A user whose name and password, a canary, are kept in a KV engine; gives the reference without its key."""
        canary, user = Canary.hatch("a password kept in Vault"), f"kept_{self.database}"
        with self.cluster.connect() as connection:
            self.cluster.create_user(connection, user, canary.value)
        mount = self.openbao.kv(version)
        fields = {"user": user, "password": canary.value}
        middle = "data/" if version == 2 else ""
        self.openbao.call(f"{mount}/{middle}shop", {"data": fields} if version == 2 else fields)
        self.allow(f"{mount}/{middle}shop")
        return {"secret": "vault", "path": f"{mount}/shop"}

    def lent(self, time_to_live="1h", at_most="24h"):
        """A dynamic role; gives its mount and the reference without its key."""
        mount = self.openbao.database(self.cluster, self.database)
        self.openbao.dynamic_role(mount, "migrator", self.owner, time_to_live, at_most)
        self.allow(f"{mount}/creds/migrator")
        return mount, {"secret": "vault", "path": f"{mount}/creds/migrator"}

    def owned(self):
        """A static role; gives its mount and the reference without its key."""
        mount, user = self.openbao.database(self.cluster, self.database), f"static_{self.database}"
        with self.cluster.connect() as connection:
            connection.execute(f"CREATE ROLE {user} LOGIN IN ROLE {self.owner}")
        self.openbao.static_role(mount, "migrator", user, "1h")
        self.allow(f"{mount}/static-creds/migrator")
        return mount, {"secret": "vault", "path": f"{mount}/static-creds/migrator"}

    def rows(self, query):
        """The rows of a query, past the product."""
        with self.cluster.connect(self.database) as connection:
            return connection.execute(query).fetchall()

    def users_left(self):
        """Users that were lent and are still there."""
        return self.rows("SELECT rolname FROM pg_roles WHERE rolname LIKE 'lent-%' AND pg_has_role(rolname, "
                         f"'{self.owner}', 'MEMBER')")


def of(reference, **fields):
    """References to fields of one secret."""
    return {name: reference | {"key": key} for name, key in fields.items()}
