"""What a Job is to its cluster, by the real Job controller: which exit codes are final, when it goes, and what of a template its
Pod has."""

import pytest
from support.target import SqliteTarget
from support.waiting import eventually
from test_operator_jobs import TABLE, controllers, dev, kubelet, of, operate_as_pod  # noqa: F401

FINAL = (1, 2, 3, 4, 7, 8, 64)
REFUSED = 6
# What may pass by itself, and a code that nobody has promised.
PASSING = (5, 9, 75, 137)


@pytest.fixture
def coded(namespace, kubelet, project):  # noqa: F811
    """An environment for each exit code that its first Pod has."""
    targets = {}
    for code in (*FINAL, REFUSED, *PASSING):
        name = f"code-{code}"
        kubelet.codes[name] = [code]
        targets[code] = SqliteTarget(project, name)
        namespace.apply("Environment", name, dev(targets[code]))
        namespace.apply("Migration", f"0001-people-{code}", of(name, *TABLE))
    return targets


def jobs(namespace, code):
    """The Jobs of a code's environment, in order."""
    found = [job for job in namespace.list("Job") if job["metadata"]["labels"]["whimbrel.dev/environment"] == f"code-{code}"]
    return sorted(found, key=lambda job: job["metadata"]["creationTimestamp"])


def ended(job):
    """How the controller says that a Job has ended, and why."""
    return {one["type"]: one["reason"] for one in job["status"].get("conditions", []) if one["status"] == "True"}


def pods(namespace, job):
    """The exit codes of a Job's Pods."""
    found = [pod for pod in namespace.list("Pod") if pod["metadata"]["labels"].get("job-name") == job["metadata"]["name"]]
    found.sort(key=lambda pod: pod["metadata"]["creationTimestamp"])
    return [pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] for pod in found]


def test_an_exit_code_decides_whether_there_is_another_pod(namespace, operate_as_pod, coded):  # noqa: F811
    operate_as_pod()
    for code in FINAL:
        namespace.until("Environment", f"code-{code}", "Stalled", reason="Failed")
        [job] = jobs(namespace, code)
        assert ended(job)["Failed"] == "PodFailurePolicy"
        assert pods(namespace, job) == [code]
    # What there is to do is another plan by now: another Job does it.
    namespace.until("Environment", f"code-{REFUSED}", "Ready", reason="Current")
    refused, well = jobs(namespace, REFUSED)
    assert ended(refused)["Failed"] == "PodFailurePolicy" and "Complete" in ended(well)
    assert (pods(namespace, refused), pods(namespace, well)) == ([REFUSED], [0])
    for code in PASSING:
        namespace.until("Environment", f"code-{code}", "Ready", reason="Current")
        [job] = jobs(namespace, code)
        assert "Complete" in ended(job) and "Failed" not in ended(job)
        assert pods(namespace, job) == [code, 0]
    for code, target in coded.items():
        assert target.tables() == (set() if code in FINAL else {"people"})
    # And nobody tries again what has failed for good.
    assert [len(jobs(namespace, code)) for code in FINAL] == [1] * len(FINAL)


def test_a_job_goes_when_its_time_is_over(namespace, operate_as_pod, kubelet, sqlite):  # noqa: F811
    operate_as_pod()
    namespace.apply("Environment", "dev", dev(sqlite, {"ttlSecondsAfterFinished": 1}))
    namespace.apply("Migration", "0001-people", of("dev", *TABLE))
    namespace.until("Migration", "0001-people", "Succeeded")
    before = namespace.until("Environment", "dev", "Ready", reason="Current")
    eventually(lambda: namespace.list("Job") == [], "the Job goes")
    eventually(lambda: [pod["metadata"]["name"] for pod in namespace.list("Pod")] == ["operator-0"], "and its Pod with it")
    assert len(kubelet.pods) == 1
    # It is no news: the histories say what is applied.
    assert namespace.get("Environment", "dev")["status"] == before["status"]


def test_a_pod_is_what_the_template_says(namespace, operate_as_pod, kubelet, sqlite):  # noqa: F811
    template = {
        "metadata": {"labels": {"team": "shop", "app.kubernetes.io/component": "not this"},
                     "annotations": {"example.org/note": "seen"}},
        "spec": {"serviceAccountName": "shop-runner", "containers": [{
            "name": "whimbrel", "resources": {"limits": {"memory": "1Gi"}, "requests": {"cpu": "250m"}},
            "env": [{"name": "TEAM", "value": "shop"}]}]},
    }
    operate_as_pod()
    namespace.apply("Environment", "dev", dev(sqlite, {"template": template}))
    namespace.apply("Migration", "0001-people", of("dev", *TABLE))
    namespace.until("Migration", "0001-people", "Succeeded")
    namespace.until("Environment", "dev", "Ready", reason="Current")
    own = namespace.get("Pod", "operator-0")
    [pod] = [pod for pod in namespace.list("Pod") if pod["metadata"]["name"] != "operator-0"]
    labels = pod["metadata"]["labels"]
    # By those that are the operator's own, it finds what it has made.
    assert {name: labels[name] for name in ("team", "whimbrel.dev/environment", "app.kubernetes.io/component")} \
        == {"team": "shop", "whimbrel.dev/environment": "dev", "app.kubernetes.io/component": "run"}
    assert pod["metadata"]["annotations"]["example.org/note"] == "seen"
    assert pod["spec"]["serviceAccountName"] == "shop-runner"
    [container] = pod["spec"]["containers"]
    [before] = own["spec"]["containers"]
    assert container["resources"]["limits"]["memory"] == "1Gi" and container["resources"]["requests"]["cpu"] == "250m"
    # What the template doesn't say is as in the operator's own Pod.
    assert {"name": "TEAM", "value": "shop"} in container["env"]
    assert [one for one in before["env"] if one not in container["env"]] == []
    assert (container["image"], container["securityContext"]) == (before["image"], before["securityContext"])
    assert pod["spec"]["restartPolicy"] == "Never"
