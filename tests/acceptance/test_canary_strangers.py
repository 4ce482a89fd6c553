"""A database that doesn't know its user says the user's name, which here is the secret: what can't be connected to is told
everywhere, before anything runs. With the scrubber off the search finds it in each place, and with the scrubber in none.
"""

import pytest
from support.canary import Canary
from support.kubernetes import PLACES, Operator
from support.product import eventually
from support.server import Server
from support.terraform import WHIMBREL, Terraform
from test_canary_sinks import Traitor, written

UNKNOWN = "authentication failed for user"


class Stranger(Traitor):
    """Whoever isn't known to the database, and is called as nobody may read."""

    def __init__(self, binary, project, cluster, postgres, scrubber):
        super().__init__(binary, project, cluster, postgres, scrubber)
        self.canary = Canary.hatch("the name of a user", plain=True, loose=True)
        self.variables["SHOP_WORD"] = self.canary.value
        self.whimbrel.variables |= self.variables
        self.url = f"postgres://localhost/{self.name}?host={cluster.folder}"
        name = {"secret": "env", "path": "SHOP_WORD"}
        project.environment("dev", {"shop": {"url": self.url, "username": name, "password": name}})
        project.table("0001-people")


@pytest.fixture(params=["on", "off"])
def stranger(request, binary, project, cluster, postgres, evidence):
    """One with a scrubber, and one without."""
    evidence.set_apart(postgres.name)
    stranger = Stranger(binary, project, cluster, postgres, request.param)
    yield stranger
    stranger.evidence.remove()


@pytest.mark.parametrize("arguments", [("status",), ("apply",), ("apply", "--format", "json")], ids=" ".join)
def test_what_a_command_says(stranger, arguments):
    ended = stranger.whimbrel.run(*arguments, "--environment", "dev", code=None)
    assert UNKNOWN in ended.said
    stranger.holds("00001")


def test_a_report_of_a_command(stranger, tmp_path):
    file = tmp_path / "reports/status.json"
    file.parent.mkdir()
    stranger.evidence.watch(file.parent)
    stranger.whimbrel.run("status", "--environment", "dev", "--report", f"json={file}", code=None)
    assert UNKNOWN in file.read_text()
    stranger.holds("status.json")


def test_answers_of_a_server(stranger, project):
    project.commit()
    server = Server(stranger.whimbrel)
    eventually(lambda: UNKNOWN in str(server.get("/v1/environments/dev", status=None)), "it is told")
    for path in ("/v1/environments/dev/status", "/v1/environments/dev/plan", "/v1/environments/dev/history",
                 "/v1/environments", "/readyz", "/readyz/dev", "/metrics"):
        server.get(path, status=None)
    server.post("/v1/environments/dev/apply", {}, status=None)
    server.end()
    stranger.holds("answers", "00001")


def test_objects_that_an_operator_writes(stranger, namespace, tmp_path):
    namespace.cluster.call("POST", PLACES["Secret"].format(namespace.name), {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shop"}, "stringData": {"username": stranger.canary.value}})
    stranger.evidence.watch(namespace.cluster.audit)
    operator = Operator(stranger.whimbrel, namespace, tmp_path / "cache")
    name = {"secretKeyRef": {"name": "shop", "key": "username"}}
    database = {"url": stranger.url, "username": name, "password": name}
    namespace.apply("Environment", "dev", {"databases": {"shop": database}, "policy": {"apply": "Auto"}})
    namespace.apply("Migration", "0001-people", {"environmentRef": {"name": "dev"}, "steps": [{"sql": "SELECT 1"}]})
    eventually(lambda: UNKNOWN in str(namespace.get("Environment", "dev").get("status")), "it is told")
    operator.end()
    stranger.holds("log")
    if stranger.is_open:
        assert "environments/status" in written(namespace.cluster, stranger.canary)


def test_what_terraform_is_told(stranger, project, binary, tmp_path):
    project.commit()
    terraform = Terraform(tmp_path / "terraform", binary, WHIMBREL, evidence=stranger.evidence)
    terraform.variables |= stranger.variables
    terraform.write(f'resource "whimbrel_environment" "dev" {{\n  source = "{project.folder}"\n  environment = "dev"\n}}',
                    provider="")
    stranger.evidence.watch(terraform.folder)
    ended = terraform.apply(code=1)
    assert UNKNOWN in ended.said
    stranger.holds("00001")
