"""Plans that Jobs run, while the API server, what is between it and the operator, or a Pod misbehaves."""

import signal

from support.waiting import eventually
from test_operator_jobs import (  # noqa: F401
    TABLE,
    controllers,
    dev,
    filling,
    in_the_middle,
    kubelet,
    of,
    operate_as_pod,
    right,
)


def test_an_end_that_nobody_tells_of_is_found_out(api, namespace, operate_as_pod, kubelet, sqlite):  # noqa: F811
    lost = api.events("/jobs$", "MODIFIED").drop()
    operate_as_pod("--resync", "3s")
    namespace.apply("Environment", "dev", dev(sqlite))
    namespace.apply("Migration", "0001-people", of("dev", *TABLE))
    namespace.until("Migration", "0001-people", "Succeeded", within=30)
    namespace.until("Environment", "dev", "Ready", reason="Current", within=30)
    assert lost.hit and sqlite.tables() == {"people"}
    assert len(namespace.list("Job")) == len(kubelet.pods) == 1


def test_each_request_for_a_job_fails_once(api, namespace, operate_as_pod, kubelet, sqlite):  # noqa: F811
    """What is read is refused; of what is written, the answer is lost."""
    reads = api.on("list get watch", "/jobs(/|$)", each="place").answer(503)
    writes = api.on("write", "/jobs(/|$)", each="place").lose_answer()
    operate_as_pod()
    namespace.apply("Environment", "dev", dev(sqlite))
    namespace.apply("Migration", "0001-people", of("dev", *TABLE))
    namespace.until("Migration", "0001-people", "Succeeded")
    namespace.until("Environment", "dev", "Ready", reason="Current")
    assert sqlite.tables() == {"people"}
    # By the time that it is asked for again, it may have ended, and isn't watched.
    assert "list" in {one.verb for one in reads.hit} and {one.verb for one in writes.hit} == {"create"}
    assert len(namespace.list("Job")) == len(kubelet.pods) == 1


def test_a_pod_that_hangs_holds_no_object_up(namespace, operate_as_pod, kubelet, filling):  # noqa: F811
    operate_as_pod("--release-within", "2s")
    in_the_middle(filling)
    hanging = kubelet.first().running.process
    hanging.send_signal(signal.SIGSTOP)
    namespace.delete("Environment", "dev")
    eventually(lambda: namespace.get("Environment", "dev") is None, "it is let go", within=20)
    assert hanging.poll() is None


def test_a_pod_that_hangs_is_ended_by_its_deadline(namespace, operate_as_pod, kubelet, filling):  # noqa: F811
    """And its lock with it: who asks for another try has it."""
    template = {"spec": {"terminationGracePeriodSeconds": 1}}
    namespace.patch("Environment", "dev", {"spec": {"job": {"activeDeadlineSeconds": 10, "template": template}}})
    operator = operate_as_pod()
    in_the_middle(filling)
    kubelet.first().running.process.send_signal(signal.SIGSTOP)
    hung = namespace.until("Environment", "dev", "Stalled", reason="Failed")
    assert "DeadlineExceeded" in hung["status"]["conditions"][0]["message"]
    assert operator.get("/healthz") == (200, "ok\n")
    namespace.patch("Environment", "dev", {"spec": {"job": {"activeDeadlineSeconds": 3600}}})
    right(namespace, filling)
