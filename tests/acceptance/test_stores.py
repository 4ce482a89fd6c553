"""The stores that other tests stand on do what is told of them: real leases, real users, signatures that are checked."""

import ssl
import urllib.error
import urllib.request

import psycopg
import pytest
from support.aws import REGION
from support.canary import LENT_LETTERS
from support.openbao import OpenBao, Refused
from support.waiting import eventually


@pytest.fixture
def lending(openbao, cluster):
    """A database engine over a database with a group, and the database."""
    database = cluster.create_database()
    group = f"group_of_{database}"
    with cluster.connect(database) as connection:
        connection.execute(f"CREATE ROLE {group}; GRANT CREATE, USAGE ON SCHEMA public TO {group}")
    return openbao.database(cluster, database), group, database


def login(cluster, database, credentials):
    """Whether somebody gets in, and as whom."""
    try:
        with psycopg.connect(host=str(cluster.folder), dbname=database, user=credentials["username"],
                             password=credentials["password"]) as connection:
            return connection.execute("SELECT session_user").fetchone()[0]
    except psycopg.OperationalError:
        return None


def test_a_lease_is_a_user_for_a_while(openbao, cluster, lending):
    mount, group, database = lending
    openbao.dynamic_role(mount, "migrator", group, time_to_live="2s")
    answer = openbao.call(f"{mount}/creds/migrator")
    credentials = answer["data"]
    assert credentials["username"].startswith("lent-")
    assert set(credentials["password"]) <= set(LENT_LETTERS)
    assert login(cluster, database, credentials) == credentials["username"]
    assert login(cluster, database, credentials | {"password": "guessed"}) is None
    assert openbao.leases(mount, "migrator") == [answer["lease_id"]]
    eventually(lambda: not openbao.leases(mount, "migrator"), "the lease ends")
    assert login(cluster, database, credentials) is None


def test_a_revoked_lease_ends_at_once(openbao, cluster, lending):
    mount, group, database = lending
    openbao.dynamic_role(mount, "migrator", group, time_to_live="1h")
    answer = openbao.call(f"{mount}/creds/migrator")
    openbao.call("sys/leases/revoke", {"lease_id": answer["lease_id"], "sync": True})
    assert login(cluster, database, answer["data"]) is None


def test_a_static_role_changes_its_password(openbao, cluster, lending):
    mount, _, database = lending
    with cluster.connect() as connection:
        cluster.create_user(connection, f"static_{database}", "the first password")
    openbao.static_role(mount, "owner", f"static_{database}")
    first = openbao.call(f"{mount}/static-creds/owner")["data"]
    assert login(cluster, database, first) == first["username"]
    openbao.call(f"{mount}/rotate-role/owner", {})
    second = openbao.call(f"{mount}/static-creds/owner")["data"]
    assert second["password"] != first["password"]
    assert login(cluster, database, first) is None


def test_an_app_role_sees_what_its_policy_says(openbao):
    mount = openbao.kv()
    openbao.call(f"{mount}/data/shop", {"data": {"password": "mine"}})
    openbao.call(f"{mount}/data/bank", {"data": {"password": "theirs"}})
    policy = openbao.policy(f'path "{mount}/data/shop" {{ capabilities = ["read"] }}')
    auth, role, secret = openbao.app_role(policy)
    token = openbao.call(f"auth/{auth}/login", {"role_id": role, "secret_id": secret})["auth"]["client_token"]
    assert openbao.call(f"{mount}/data/shop", token=token)["data"]["data"] == {"password": "mine"}
    with pytest.raises(Refused) as refused:
        openbao.call(f"{mount}/data/bank", token=token)
    assert refused.value.status == 403


def test_a_wrong_signature_is_refused(aws):
    aws.call("secretsmanager", "create_secret", Name="shop", SecretString="mine")
    assert aws.call("secretsmanager", "get_secret_value", SecretId="shop")["SecretString"] == "mine"
    reader = aws.user("reader", "secretsmanager:GetSecretValue")
    assert aws.call("secretsmanager", "get_secret_value", reader, SecretId="shop", VersionStage="AWSCURRENT")
    with pytest.raises(RuntimeError, match="SignatureDoesNotMatch"):
        aws.call("secretsmanager", "get_secret_value", reader | {"secret_access_key": "guessed"}, SecretId="shop")
    with pytest.raises(RuntimeError, match="AccessDenied"):
        aws.call("secretsmanager", "create_secret", reader, Name="bank", SecretString="theirs")
    assert REGION in aws.call("secretsmanager", "describe_secret", SecretId="shop")["ARN"]


def ask(proxy, path):
    """The status that a client of the proxy gets."""
    trust = ssl.create_default_context(cafile=proxy.certificate)
    try:
        with urllib.request.urlopen(f"{proxy.address}{path}", context=trust, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_a_proxy_fails_as_it_is_told(before_openbao):
    assert ask(before_openbao, "/v1/sys/health") == 200
    before_openbao.inject("/v1/sys/", {"status": 503}, times=2)
    assert [ask(before_openbao, "/v1/sys/health") for _ in range(3)] == [503, 503, 200]
    before_openbao.inject("/v1/", "reset-after")
    with pytest.raises((OSError, urllib.error.URLError)):
        ask(before_openbao, "/v1/sys/health")
    before_openbao.mend()
    assert ask(before_openbao, "/v1/sys/health") == 200
    assert [request["forwarded"] for request in before_openbao.seen("/v1/sys/health")] == [
        True, False, False, True, True, True,
    ]


def test_a_proxy_lets_signatures_through(before_aws, aws):
    aws.call("secretsmanager", "create_secret", Name="behind", SecretString="mine")
    before_aws.inject("/", {"status": 500}, header=["x-amz-target", "GetSecretValue"], times=1)
    beside = aws.at(before_aws)
    assert beside.call("secretsmanager", "get_secret_value", SecretId="behind")["SecretString"] == "mine"
    beside.hang_up()
    assert [request["status"] for request in before_aws.seen()] == [500, 200]


@pytest.mark.parametrize(("address", "given", "missing"), [
    ("https://vault.example.org:8200", {"VAULT_TOKEN": "t"}, "VAULT_CACERT must be"),
    ("https://vault.example.org:8200", {}, "VAULT_TOKEN and VAULT_CACERT must be"),
    ("http://vault.example.org:8200", {}, "VAULT_TOKEN must be"),
])
def test_a_vault_of_one_s_own_says_what_is_missing(monkeypatch, address, given, missing):
    for name in ("VAULT_TOKEN", "VAULT_CACERT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (given | {"VAULT_ADDR": address}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(AssertionError, match=missing):
        OpenBao()


def test_a_vault_without_encryption_needs_no_authority(monkeypatch, tmp_path):
    monkeypatch.delenv("VAULT_CACERT", raising=False)
    monkeypatch.setenv("VAULT_ADDR", "http://vault.example.org:8200/")
    monkeypatch.setenv("VAULT_TOKEN", "t")
    assert OpenBao().reach(tmp_path) == ("http://vault.example.org:8200", [{"to": "config:/address"}])
