"""Credentials from AWS Secrets Manager, by signed requests that are checked."""

import json

import pytest
from support.aws import REGION, PodIdentityAgent
from support.canary import Canary
from support.product import FAILED, RETRY


class Shop:
    """A project whose database credentials are in AWS Secrets Manager."""

    def __init__(self, project, cluster, aws, proxy):
        self.project, self.cluster, self.aws, self.proxy = project, cluster, aws, proxy
        self.database = cluster.create_database()
        self.secret = f"shop/{self.database}"
        self.canary, self.user = Canary.hatch("a password kept in AWS"), f"aws_{self.database}"
        with cluster.connect() as connection:
            cluster.create_user(connection, self.user, self.canary.value)
        fields = json.dumps({"username": self.user, "password": self.canary.value})
        aws.call("secretsmanager", "create_secret", Name=self.secret, SecretString=fields)
        reader = aws.user(f"reader_{self.database}", "secretsmanager:*")
        self.known = {
            "AWS_ACCESS_KEY_ID": reader["access_key_id"], "AWS_SECRET_ACCESS_KEY": reader["secret_access_key"],
        }
        key = reader["secret_access_key"]
        Canary.known("a secret access key", key)

    def environment(self, path=None, credentials="environment", files=(), reach=(), **more):
        """An environment whose credentials are in the secret."""
        certificate = self.project.write("certificates/aws.pem", self.proxy.certificate.read_text())
        self.project.declare(plugins={"aws-secrets-manager": {"builtin": "aws-secrets-manager", "grants": {
            "clock": True, "environment": list(self.known),
            "files": [str(folder) for folder in files],
            "http": [{"to": "config:/endpoint", "ca": {"file": str(certificate)}}] + [{"to": place} for place in reach],
        }}})
        reference = {"secret": "aws", "path": path or self.secret} | more
        url = f"postgres://localhost/{self.database}?host={self.cluster.folder}"
        self.project.environment("dev", {"shop": {
            "url": url, "username": reference | {"key": "username"}, "password": reference | {"key": "password"},
        }}, secrets={"aws": {"plugin": "aws-secrets-manager", "with": {
            "region": REGION, "endpoint": self.proxy.address, "credentials": credentials,
        }}})
        self.project.table("0001-people")

    def tables(self):
        """How many tables of the migration there are."""
        with self.cluster.connect(self.database) as connection:
            return connection.execute("SELECT count(*) FROM pg_tables WHERE tablename = 'people'").fetchone()[0]


@pytest.fixture
def shop(project, cluster, aws, before_aws):
    """A project with its credentials in AWS."""
    return Shop(project, cluster, aws, before_aws)


def test_a_password_from_aws(whimbrel, shop):
    shop.environment()
    whimbrel.run("apply", "--environment", "dev", **shop.known)
    assert shop.tables() == 1
    assert len(shop.proxy.seen()) == 1


def test_a_signature_that_is_wrong_is_said_and_not_repeated(whimbrel, shop):
    shop.environment()
    known = shop.known | {"AWS_SECRET_ACCESS_KEY": Canary.hatch("a guessed secret access key", plain=True).value}
    ended = whimbrel.run("apply", "--environment", "dev", code=None, **known)
    assert ended.code in (FAILED, RETRY)
    assert "ignature" in ended.said
    assert shop.tables() == 0


def test_a_secret_that_is_not_there(whimbrel, shop):
    shop.environment(path="shop/nowhere")
    ended = whimbrel.run("status", "--environment", "dev", code=None, **shop.known)
    assert ended.code in (FAILED, RETRY)
    assert "shop/nowhere" in ended.said


def test_throttled_and_broken_answers_are_tried_again(whimbrel, shop):
    shop.environment()
    for fault in ({"status": 500}, {"status": 503}, "reset-before", {"truncate": 5}):
        shop.proxy.inject("/", fault, times=1)
    whimbrel.run("apply", "--environment", "dev", **shop.known)
    assert shop.tables() == 1


def test_the_role_of_a_service_account(whimbrel, shop, aws, tmp_path):
    """IRSA, with the variables that EKS sets in a pod."""
    role = aws.role(f"account_{shop.database}", "secretsmanager:*")
    token = tmp_path / "token"
    token.write_text("a.token.of-elsewhere")
    shop.known = {"AWS_ROLE_ARN": role, "AWS_WEB_IDENTITY_TOKEN_FILE": str(token)}
    source = {"webIdentity": {"endpoint": shop.proxy.address}}
    shop.environment(credentials=source, files=[tmp_path])
    aws.leave_unchecked(1)
    whimbrel.run("apply", "--environment", "dev", **shop.known)
    assert shop.tables() == 1
    # The role, and the secret by its signature.
    assert [seen["status"] for seen in shop.proxy.seen()] == [200, 200]


def test_the_identity_of_a_pod(whimbrel, shop, aws, evidence, tmp_path):
    """EKS Pod Identity, with the variables that its webhook sets."""
    with PodIdentityAgent(aws.assumed(f"pod_{shop.database}", "secretsmanager:*")) as agent:
        token = evidence.given(tmp_path / "token")
        token.write_text(agent.token)
        shop.known = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{agent.address}/v1/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token),
        }
        shop.environment(credentials={"podIdentity": {}}, files=[tmp_path], reach=[f"{agent.address}/*"])
        whimbrel.run("apply", "--environment", "dev", **shop.known)
        assert shop.tables() == 1
        assert agent.asked == [True]
        # A token that the agent doesn't know opens nothing, and the secret isn't asked for.
        before = len(shop.proxy.seen())
        token.write_text(Canary.hatch("the token of another pod", plain=True).value)
        ended = whimbrel.run("status", "--environment", "dev", code=None, **shop.known)
        assert ended.code in (FAILED, RETRY)
        assert "Pod Identity" in ended.said
        assert len(shop.proxy.seen()) == before
