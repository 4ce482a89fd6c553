"""Plans that Jobs run: by a real Job controller and garbage collector, with a stand-in for the kubelet that runs the very
command of each Pod as a process."""

import copy

import pytest
from support.controllers import Controllers
from support.kubelet import Kubelet
from support.kubernetes import manifests
from support.waiting import eventually

OWN = "operator-0"
TABLE = [{"sql": "CREATE TABLE people (id integer)", "revert": "DROP TABLE people"}]


@pytest.fixture(scope="module")
def controllers(kubernetes):
    """The controllers of Jobs."""
    running = Controllers(kubernetes)
    yield running
    running.stop()


@pytest.fixture
def kubelet(controllers, namespace, binary, tmp_path):
    """Runs the Pods of the namespace's Jobs."""
    folder = tmp_path / "pods"
    folder.mkdir()
    kubelet = Kubelet(namespace, binary, folder)
    yield kubelet
    kubelet.stop()


@pytest.fixture
def operate_as_pod(namespace, operate):
    """Starts operators that are in the Pod of the shipped Deployment."""
    [deployment] = [one for one in manifests("operator.yaml") if one["kind"] == "Deployment"]
    template = copy.deepcopy(deployment["spec"]["template"])
    namespace.create("v1", "Pod", {"metadata": {"name": OWN, "labels": template["metadata"]["labels"]}, "spec": template["spec"]})
    return lambda *arguments, **variables: operate(*arguments, POD_NAME=OWN, **variables)


def dev(target, job=None, **policy):
    """An environment with one database, whose plans Jobs run."""
    return {"databases": {"shop": {"url": f"sqlite:{target.file}"}}, "policy": {"apply": "Auto"} | policy,
            "execution": "Job"} | ({"job": job} if job else {})


def of(environment, *steps):
    """A migration of an environment."""
    return {"environmentRef": {"name": environment}, "steps": list(steps)}


def test_a_job_runs_the_plan(namespace, operate_as_pod, kubelet, sqlite):
    operate_as_pod()
    namespace.apply("Environment", "dev", dev(sqlite))
    namespace.apply("Migration", "0001-people", of("dev", *TABLE))
    namespace.until("Migration", "0001-people", "Succeeded")
    namespace.until("Environment", "dev", "Ready", reason="Current")
    assert sqlite.tables() == {"people"}
    [job] = namespace.list("Job")
    assert job["metadata"]["labels"]["whimbrel.dev/environment"] == "dev"
    [owner] = job["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"]) == ("Environment", "dev")
    [container] = job["spec"]["template"]["spec"]["containers"]
    # The very image, account and security of the operator's own Pod, without its probes.
    assert container["image"] == "whimbrel:0.1.0" and "livenessProbe" not in container
    assert job["spec"]["template"]["spec"]["serviceAccountName"] == "whimbrel-operator"
    assert container["securityContext"]["readOnlyRootFilesystem"]
    eventually(lambda: namespace.list("Job")[0]["status"].get("succeeded") == 1, "the Job is complete")
    [pod] = kubelet.pods.values()
    history = sqlite.rows("SELECT actor FROM whimbrel_event WHERE migration = '0001-people'")
    assert {actor for (actor,) in history} == {f"{pod.name} (operator)"}
    assert "Applying" in namespace.reasons("Environment", "dev")
