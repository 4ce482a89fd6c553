"""Databases whose credentials come from real stores: kept, lent for seconds, taken away in the middle, and left by a crash.

The long rotation takes WHIMBREL_ROTATION_SECONDS or more, with leases of WHIMBREL_LEASE_SECONDS: 480 and 30 are eight minutes of
half-minute leases.
"""

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time

import pytest
from support.canary import Canary
from support.parts import free_port
from support.product import FAILED, OK, PENDING, ROOT, eventually, guest_file

SECONDS = float(os.environ.get("WHIMBREL_ROTATION_SECONDS", "24"))
LEASE = int(os.environ.get("WHIMBREL_LEASE_SECONDS", "3"))
ROWS = 4000
BATCH = 100
LONGEST_PAUSE = 0.6


class Shop:
    """A project whose database lends its users from OpenBao, and everything to look at it past the product."""

    def __init__(self, project, openbao, cluster, postgres):
        self.project = project
        self.openbao = openbao
        self.cluster = cluster
        self.postgres = postgres
        self.group = f"group_of_{postgres.name}"
        with cluster.connect(postgres.name) as connection:
            connection.execute(f"CREATE ROLE {self.group}; GRANT CREATE ON DATABASE {postgres.name} TO {self.group}; "
                               f"GRANT ALL ON SCHEMA public TO {self.group}")
        self.mount = openbao.database(cluster, postgres.name)

    def lend(self, lasting, *, at_most=None, role=True, through=None):
        """Users for so many seconds; how they log in to OpenBao is an AppRole that may only do this."""
        self.openbao.dynamic_role(self.mount, "migrator", self.group, f"{lasting}s", f"{at_most or lasting}s")
        policy = self.openbao.policy(
            f'path "{self.mount}/creds/migrator" {{ capabilities = ["read"] }}\n'
            f'path "{self.mount}/roles/migrator" {{ capabilities = ["read"] }}\n'
            'path "sys/leases/revoke" { capabilities = ["update"] }\n'
            'path "sys/leases/renew" { capabilities = ["update"] }')
        auth, role_id, secret_id = self.openbao.app_role(policy)
        Canary.known("secret id", secret_id)
        address, http = self.openbao.reach(self.project.folder, through)
        self.project.declare(plugins={"vault": {"builtin": "vault", "grants": {"http": http, "clock": True}}})
        self.project.environment("dev", {"shop": {
            "url": f"postgres://localhost/{self.postgres.name}?host={self.cluster.folder}",
            "username": f"secret://store/{self.mount}/creds/migrator#username",
            "password": f"secret://store/{self.mount}/creds/migrator#password",
        } | ({"role": self.group} if role else {})}, secrets={"store": {"plugin": "vault", "with": {
            "address": address,
            "login": {"appRole": {
                "roleId": role_id, "mount": auth, "secretId": {"secret": "env", "path": "VAULT_SECRET_ID"},
            }},
            "mounts": {self.mount: "database"},
        }}})
        return {"VAULT_SECRET_ID": secret_id}

    def fill(self, seconds):
        """A table, and a backfill over it that takes about so long. Doing a row twice would show."""
        # A takeover cuts a pause short, so pauses are short beside leases however long it takes.
        batch = max(1, min(BATCH, int(ROWS * LONGEST_PAUSE / seconds)))
        pause = int(seconds * 1000 * batch / ROWS)
        self.project.migration(
            "0001-people", "CREATE TABLE people (id bigint PRIMARY KEY, touched bigint NOT NULL DEFAULT 0)",
            f"INSERT INTO people (id) SELECT generate_series(1, {ROWS})")
        self.project.migration("0002-fill", {"uses": "backfill", "with": {
            "table": "people", "key": "id", "set": "touched = touched + 1", "batchSize": batch, "pause": f"{pause}ms",
        }})
        self.project.table("0003-orders")

    def touched(self):
        """How many rows the backfill has committed."""
        if "people" not in self.postgres.tables():
            return 0
        return self.postgres.rows("SELECT count(*) FROM people WHERE touched > 0")[0][0]

    def users(self):
        """The users that are lent now."""
        return [name for (name,) in self.postgres.rows("SELECT rolname FROM pg_roles WHERE rolname LIKE 'lent-%' "
                                                       f"AND pg_has_role(rolname, '{self.group}', 'member')")]

    def finished_once(self):
        """Everything is there once, nothing failed, nothing is left lent, and nothing belongs to who is gone."""
        assert self.postgres.rows("SELECT touched, count(*) FROM people GROUP BY touched") == [(1, ROWS)]
        assert self.postgres.tables() == {"people", "orders"}
        assert self.postgres.rows("SELECT count(*) FROM whimbrel.event WHERE kind = 'failed'") == [(0,)]
        eventually(lambda: not self.users() and not self.openbao.leases(self.mount, "migrator"), "all is given back")
        owners = self.postgres.rows("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname IN ('public', 'whimbrel')")
        assert owners == [(self.group,)]

    def epoch(self):
        """How often the database was taken over."""
        return self.postgres.rows("SELECT epoch FROM whimbrel.lock")[0][0]


@pytest.fixture
def shop(project, openbao, cluster, postgres):
    """A shop whose users are lent."""
    return Shop(project, openbao, cluster, postgres)


@pytest.mark.timeout(SECONDS * 4 + 300)
def test_leases_of_seconds_under_a_long_backfill(whimbrel, shop, measured):
    variables = shop.lend(LEASE)
    shop.fill(SECONDS)
    begun = time.monotonic()
    ended = whimbrel.run("apply", "--environment", "dev", timeout=SECONDS * 4 + 120, **variables)
    took = time.monotonic() - begun
    shop.finished_once()
    assert shop.epoch() >= 3, ended
    measured(f"backfill of {ROWS} rows in {took:.0f} s with leases of {LEASE} s: every row once, {shop.epoch()} takeovers")
    whimbrel.run("status", "--environment", "dev", **variables)
    eventually(lambda: not shop.users(), "who only looked gave it back, too")


def test_leases_that_are_renewed_need_no_other_user(whimbrel, shop):
    variables = shop.lend(2, at_most=3600)
    shop.fill(6)
    whimbrel.run("apply", "--environment", "dev", **variables)
    shop.finished_once()
    assert shop.epoch() <= 2


def test_a_user_that_is_taken_away_in_the_middle(whimbrel, shop, openbao):
    variables = shop.lend(600)
    shop.fill(8)
    run = whimbrel.start("apply", "--environment", "dev", **variables)
    eventually(lambda: shop.touched() >= 5 * BATCH, "some batches are committed")
    for lease in openbao.leases(shop.mount, "migrator"):
        openbao.call("sys/leases/revoke", {"lease_id": lease, "sync": True})
    assert shop.touched() < ROWS
    run.end(timeout=240)
    shop.finished_once()


def test_what_kill_9_left_lent_is_ended_by_the_next_run(whimbrel, shop, openbao):
    variables = shop.lend(600)
    shop.fill(8)
    run = whimbrel.start("apply", "--environment", "dev", **variables)
    eventually(lambda: shop.touched() >= 5 * BATCH, "some batches are committed")
    run.kill()
    run.end(code=-9)
    left = openbao.leases(shop.mount, "migrator")
    assert left and shop.users()
    recorded = {lease for (lease,) in shop.postgres.rows("SELECT id FROM whimbrel.lease")}
    assert recorded & set(left)
    whimbrel.run("apply", "--environment", "dev", **variables)
    remaining = set(openbao.leases(shop.mount, "migrator"))
    assert not recorded & remaining
    assert shop.postgres.rows("SELECT touched, count(*) FROM people GROUP BY touched") == [(1, ROWS)]


def test_without_a_role_nothing_is_made(whimbrel, shop):
    variables = shop.lend(60, role=False)
    shop.project.table("0001-people")
    # Trying again wouldn't help.
    ended = whimbrel.run("apply", "--environment", "dev", code=FAILED, **variables)
    assert "`role:`" in ended.err
    assert shop.postgres.rows("SELECT count(*) FROM pg_namespace WHERE nspname = 'whimbrel'") == [(0,)]
    eventually(lambda: not shop.users(), "what was lent is given back")


def kept(openbao, project, cluster, postgres, through=None, **fields):
    """An environment whose password is kept in OpenBao's KV engine, perhaps behind a proxy; gives the mount and the token's
    variables."""
    mount = openbao.kv()
    openbao.call(f"{mount}/data/shop", {"data": {"password": cluster.password("by_variable")} | fields})
    policy = openbao.policy(f'path "{mount}/*" {{ capabilities = ["read"] }}')
    token = openbao.call("auth/token/create", {"policies": [policy]})["auth"]["client_token"]
    Canary.known("token", token)
    address, http = openbao.reach(project.folder, through)
    project.declare(plugins={"vault": {"builtin": "vault", "grants": {"http": http, "clock": True}}})
    store = {"plugin": "vault", "with": {
        "address": address, "login": {"token": {"secret": "env", "path": "VAULT_TOKEN_OF_TEST"}},
        "mounts": {mount: "kv2"},
    }}
    database = {
        "url": f"postgres://by_variable@localhost/{postgres.name}?host={cluster.folder}",
        "password": f"secret://store/{mount}/shop#password",
    }
    project.environment("dev", {"shop": database}, secrets={"store": store})
    return mount, database, store, {"VAULT_TOKEN_OF_TEST": token}


def test_a_password_that_is_kept_and_rotated(whimbrel, project, openbao, cluster, postgres):
    mount, *_, variables = kept(openbao, project, cluster, postgres)
    project.table("0001-people")
    whimbrel.run("apply", "--environment", "dev", **variables)
    # The newest version is wrong, an older one is asked for by its number.
    openbao.call(f"{mount}/data/shop", {"data": {"password": Canary.hatch("a wrong password in OpenBao", plain=True).value}})
    ended = whimbrel.run("status", "--environment", "dev", code=None, **variables)
    assert ended.code not in (OK, PENDING) and "password" in ended.said
    project.environment("dev", {"shop": {
        "url": f"postgres://by_variable@localhost/{postgres.name}?host={cluster.folder}",
        "password": f"secret://store/{mount}/shop?version=1#password",
    }}, secrets=json.loads((project.folder / "environments/dev.yaml").read_text())["spec"]["secrets"])
    whimbrel.run("status", "--environment", "dev", **variables)


def test_a_reference_of_another_tool_is_read(whimbrel, project, openbao, cluster, postgres):
    mount, database, store, variables = kept(openbao, project, cluster, postgres)
    project.environment("dev", {"shop": database | {"password": f"ref+vault://{mount}/shop#/password"}},
                        secrets={"store": store})
    project.table("0001-people")
    whimbrel.run("apply", "--environment", "dev", **variables)
    assert postgres.tables() == {"people"}


def test_check_says_the_shape_and_reveals_nothing(whimbrel, project, openbao, before_openbao, cluster, postgres):
    mount, *_, variables = kept(openbao, project, cluster, postgres, through=before_openbao, note="a note beside it")
    ended = whimbrel.run("secrets", "check", "--environment", "dev", **variables)
    assert "password" in ended.out and "note" in ended.out
    assert cluster.password("by_variable") not in ended.said and "a note beside it" not in ended.said
    shown = whimbrel.json("secrets", "check", "--environment", "dev", **variables)
    assert shown["references"][0]["fields"] == ["note", "password"]
    assert cluster.password("by_variable") not in json.dumps(shown) and "a note beside it" not in json.dumps(shown)
    # No value of it was read.
    assert before_openbao.seen(f"/v1/{mount}/subkeys/") + before_openbao.seen(f"/v1/{mount}/metadata/")
    assert before_openbao.seen(f"/v1/{mount}/data/") == []
    openbao.call(f"{mount}/metadata/shop", method="DELETE")
    ended = whimbrel.run("secrets", "check", "--environment", "dev", code=FAILED, **variables)
    assert "not found or not permitted" in ended.said


def test_what_is_wrong_with_a_backend_is_said_where_it_stands(whimbrel, project, openbao, cluster, postgres):
    _, database, store, variables = kept(openbao, project, cluster, postgres)
    store["with"]["adress"] = store["with"].pop("address")
    project.environment("base", {"shop": database}, secrets={"store": store}, abstract=True)
    project.write("environments/dev.yaml", {
        "apiVersion": "whimbrel.dev/v1alpha1", "kind": "Environment", "metadata": {"name": "dev"},
        "spec": {"extends": "base"},
    })
    document = (project.folder / "environments/base.yaml").read_text().splitlines()
    line = next(number for number, text in enumerate(document, 1) if '"adress"' in text)
    for command in ("lint",), ("secrets", "check", "--environment", "dev"), ("plan", "--environment", "dev"):
        # Without the variable that the login refers to: nothing secret is needed to see it.
        ended = whimbrel.run(*command, code=None)
        assert ended.code not in (OK, PENDING), ended
        assert f"environments/base.yaml:{line}" in ended.said, ended
        assert "unknown key `adress`" in ended.said and "did you mean `address`?" in ended.said, ended
        assert "couldn't be ended" not in ended.said, ended


def test_what_is_said_of_a_path_can_be_read(whimbrel, shop):
    variables = shop.lend(60)
    document = shop.project.folder / "environments/dev.yaml"
    document.write_text(document.read_text().replace("/creds/migrator#password", "/creds/nobody#password"))
    ended = whimbrel.run("secrets", "check", "--environment", "dev", code=FAILED, **variables)
    assert f"{shop.mount}/creds/nobody" in ended.said.split("error:")[1], ended
    ended = whimbrel.run("secrets", "check", "--environment", "dev", code=FAILED)
    assert ended.said.count("(env.not-set)") == 2, ended  # once for each reference


def test_check_compares_the_lease_with_what_the_run_will_take(whimbrel, shop, before_openbao):
    variables = shop.lend(60, through=before_openbao)
    ended = whimbrel.run("secrets", "check", "--environment", "dev", "--lasting", "30s", **variables)
    assert "note:" not in ended.said, ended
    ended = whimbrel.run("secrets", "check", "--environment", "dev", "--lasting", "10m", **variables)
    assert ended.out.count("lent for 1 min 0 s, and the plan takes 10 min 0 s") == 2, ended  # once for each reference
    assert not shop.users(), "nothing was lent to look at it"
    assert before_openbao.seen(f"/v1/{shop.mount}/roles/") and not before_openbao.seen(f"/v1/{shop.mount}/creds/")


def test_an_environment_has_no_other_one_s_secrets(whimbrel, project, openbao, cluster, postgres):
    _, database, _, variables = kept(openbao, project, cluster, postgres)
    project.environment("production", {"shop": database})
    ended = whimbrel.run("plan", "--environment", "production", code=None, **variables)
    assert ended.code != OK
    assert "production.yaml" in ended.err and "store" in ended.err


@pytest.fixture
def strongbox(cluster):
    """The server that the example of a third party's backend is written for, and the variable with the key to it."""
    # Beside the cluster's own passwords, and not where it is searched for what the product left.
    file = cluster.folder / "strongbox.json"
    file.write_text(json.dumps({"shop/database": [{"password": cluster.password("by_variable")}]}))
    port = free_port()
    server = subprocess.Popen([sys.executable, ROOT / "examples/plugins/strongbox/server.py", str(port), str(file)],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    eventually(lambda: _listens(port), "Strongbox listens")
    yield f"http://127.0.0.1:{port}", {"STRONGBOX_KEY": "open sesame"}
    server.kill()
    server.wait()


def _listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_third_party_s_backend_by_path_and_digest(whimbrel, project, strongbox, cluster, postgres):
    address, key = strongbox
    component = guest_file("strongbox")
    (project.folder / "plugins").mkdir()
    shutil.copy(component, project.folder / "plugins/strongbox.wasm")
    digest = "sha256:" + hashlib.sha256(component.read_bytes()).hexdigest()

    def declare(pinned):
        project.declare(plugins={"strongbox": {
            "path": "plugins/strongbox.wasm", "digest": pinned,
            "grants": {"http": [{"to": "config:/address"}], "clock": True},
        }})

    declare(digest)
    project.environment("dev", {"shop": {
        "url": f"postgres://by_variable@localhost/{postgres.name}?host={cluster.folder}",
        "password": "secret://box/shop/database#password",
    }}, secrets={"box": {"plugin": "strongbox", "with": {
        "address": address, "client": "whimbrel", "key": {"secret": "env", "path": "STRONGBOX_KEY"},
    }}})
    project.table("0001-people")
    whimbrel.run("apply", "--environment", "dev", **key)
    assert postgres.tables() == {"people"}
    ended = whimbrel.run("status", "--environment", "dev", code=None, STRONGBOX_KEY=Canary.hatch("a wrong key of Strongbox", plain=True).value)
    assert ended.code != OK and "strongbox." in ended.said
    # Another component than the one that was looked at is not run.
    declare("sha256:" + "0" * 64)
    ended = whimbrel.run("status", "--environment", "dev", code=None, **key)
    assert ended.code != OK and "digest" in ended.said
