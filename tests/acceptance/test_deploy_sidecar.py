"""The manifest of an app with its sidecar: taken by a real API server, and its containers run as processes in their order."""

from http import client

import pytest
import yaml
from support.canary import Canary
from support.evidence import SUITE
from support.git_server import Served
from support.pod import Container
from support.product import RETRY, ROOT
from support.schemas import hold
from support.waiting import eventually

MANIFEST = ROOT / "examples/sidecar/deployment.yaml"
REPOSITORY = "https://git.example.org/guestbook.git"


@pytest.fixture
def deployment():
    """The manifest."""
    [document] = yaml.safe_load_all(MANIFEST.read_text())
    return document


@pytest.fixture
def pod(deployment):
    """What it says of each pod."""
    return deployment["spec"]["template"]["spec"]


def test_it_is_taken(kubernetes, deployment):
    hold([deployment])
    kubernetes.apply(deployment, "default", dry_run=True)


def test_no_container_may_more_than_it_needs(pod):
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["initContainers"] + pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


def test_the_standard_that_forbids_most_takes_it(kubernetes, deployment):
    """Pod Security Standards, restricted: the API server itself has nothing against its pods."""
    name = "sidecar-restricted"
    kubernetes.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {
        "name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}})
    template = deployment["spec"]["template"]
    kubernetes.apply({"apiVersion": "v1", "kind": "Pod", "metadata": template["metadata"] | {"name": "one", "namespace": name},
                      "spec": template["spec"]}, dry_run=True)


def test_its_containers_come_in_their_order(pod, outside, project, sqlite, http, tmp_path):
    """The sidecar serves, the init container waits for the migration, and then the app would begin; a push that fails takes
    nothing away."""
    project.declare(name="guestbook")
    database = {"url": f"sqlite:{sqlite.file}"}
    project.environment("production", {"shop": database})
    project.table("0000-others")
    project.commit("Others")
    served = Served(tmp_path / "served/guestbook.git", project)
    http.opened = True
    token, password = Canary.hatch("a token of a sidecar", plain=True), Canary.hatch("a password of a sidecar", plain=True)
    secrets = {"guestbook-owner": {"password": password.value}, "guestbook-git": {"token": http.password.core},
               "guestbook-whimbrel": {"token": token.value}}
    sidecar = Container(pod, "whimbrel", tmp_path, secrets, {"metadata.name": "guestbook-0"},
                        {REPOSITORY: f"{http.address}/guestbook.git"}).listen()
    schema = Container(pod, "schema", tmp_path, instead={
        "127.0.0.1:8731": f"127.0.0.1:{sidecar.ports[8731]}", "30m": "1s"})
    # The mirror is kept where the manifest says, not where the test's environment would have it.
    running = outside.start(*sidecar.arguments, **sidecar.variables)
    running.follow()
    try:
        eventually(lambda: sidecar.probe("startupProbe") == 200, "it serves")
        eventually(lambda: sqlite.tables() == {"others"}, "what is there is applied")
        # What the app needs isn't there yet: a kubelet starts such a container again.
        outside.run(*schema.arguments, code=RETRY)
        schema.instead["30m"] = "1m"
        waiting = outside.start(*schema.arguments)
        project.table("0001-guests")
        project.commit("Guests")
        served.push()
        # By the bell that the manifest's token opens.
        assert ask(sidecar, token, "POST", "/v1/sources/default/sync")[0] == 202
        waiting.end()
        assert sqlite.tables() == {"others", "guests"}
        project.migration("0002-wrong", "INSERT INTO nowhere VALUES (1)")
        project.commit("Wrong")
        served.push()
        assert ask(sidecar, token, "POST", "/v1/sources/default/sync")[0] == 202
        eventually(lambda: '"phase":"failed"' in ask(sidecar, token, "GET", "/v1/environments/production")[1], "it fails")
        outside.run(*schema.arguments)
        assert sidecar.probe("startupProbe") == sidecar.probe("livenessProbe") == 200
        assert (tmp_path / "cache").is_dir() and any((tmp_path / "cache").iterdir())
    finally:
        running.terminate()
        running.end()


def ask(sidecar, token, method, path):
    """Asks the sidecar for what the manifest's token opens; gives status and text."""
    connection = client.HTTPConnection("127.0.0.1", sidecar.ports["whimbrel"], timeout=10)
    try:
        connection.request(method, path, headers={"authorization": f"Bearer {token.value}"})
        answer = connection.getresponse()
        text = answer.read().decode()
    finally:
        connection.close()
    SUITE.hear("answers", f"{answer.status} {answer.getheaders()}", text)
    return answer.status, text
