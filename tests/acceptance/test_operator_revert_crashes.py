"""The operator, or a Job of its, killed at the points of a run: of a revert by deletion, and of what Jobs run."""

import copy
from concurrent.futures import ThreadPoolExecutor

from support.kubelet import Kubelet
from support.kubernetes import manifests
from support.target import PostgresTarget, SqliteTarget
from support.waiting import eventually
from test_operator_failures import FILL, ORDERS, PEOPLE
from test_operator_jobs import OWN, controllers, right  # noqa: F401

WITHIN = 90.0


def side_by_side(story, points):
    """Runs one story for all points at once: most of their time is waiting."""
    with ThreadPoolExecutor(max_workers=len(points)) as pool:
        runs = {point: pool.submit(story, point) for point in points}
    wrong = {point: run.exception() for point, run in runs.items() if run.exception()}
    assert not wrong, "\n".join(f"{point}: {error!r}" for point, error in wrong.items())


def test_killed_at_each_point_of_a_revert(kubernetes, operate_in, cluster):
    """The next one goes on: what was deleted is reverted once, newest first, and its object goes."""
    steps = {name: [{"sql": f"CREATE TABLE {name[5:]} (id integer)", "revert": f"DROP TABLE {name[5:]}"}]
             for name in ("0001-people", "0002-orders")}

    def story(point):
        namespace, target = kubernetes.namespace(), PostgresTarget(cluster)
        first = operate_in(namespace, "--local-secrets")
        database = {"url": str(target.url)} | target.url.references
        policy = {"apply": "Auto", "destructive": "Allow", "lockWait": "5s"}
        namespace.apply("Environment", "dev", {"databases": {"shop": database}, "policy": policy})
        for name, each in steps.items():
            namespace.apply("Migration", name, {"environmentRef": {"name": "dev"}, "deletionPolicy": "Revert", "steps": each})
        for name in steps:
            namespace.until("Migration", name, "Succeeded", within=WITHIN)
        first.end()
        for name in steps:
            namespace.delete("Migration", name)
        killed = operate_in(namespace, "--local-secrets", WHIMBREL_CRASH_POINT=point)
        eventually(lambda: killed.running.process.poll() is not None, "it is killed", WITHIN)
        killed.running.end(code=-9)
        operate_in(namespace, "--local-secrets")
        eventually(lambda: namespace.list("Migration") == [], "everything is reverted", WITHIN)
        assert target.tables() == set()
        told = target.rows("SELECT migration, count(*) FROM whimbrel.event WHERE kind = 'reverted' GROUP BY migration ORDER BY 1")
        assert told == [(name, 1) for name in steps]
    side_by_side(story, ["lock.after", "statement.after", "record.after", "commit.before", "commit.sent", "commit.after", "unlock.before"])


def test_a_job_killed_at_each_point_of_a_run(kubernetes, operate_in, controllers, binary, project, tmp_path):  # noqa: F811
    """Another Pod, or another Job, goes on; what is applied is applied once."""
    [deployment] = [one for one in manifests("operator.yaml") if one["kind"] == "Deployment"]
    template = copy.deepcopy(deployment["spec"]["template"])

    def story(point):
        namespace, target = kubernetes.namespace(), SqliteTarget(project, point)
        namespace.create("v1", "Pod", {"metadata": {"name": OWN}, "spec": template["spec"]})
        folder = tmp_path / point
        folder.mkdir()
        kubelet = Kubelet(namespace, binary, folder)
        kubelet.variables = [{"WHIMBREL_CRASH_POINT": point}]
        try:
            operate_in(namespace, POD_NAME=OWN)
            namespace.apply("Environment", "dev", {
                "databases": {"shop": {"url": f"sqlite:{target.file}"}}, "policy": {"apply": "Auto", "lockWait": "20s"},
                "execution": "Job"})
            quick = [{"uses": "backfill", "with": FILL[0]["with"] | {"pause": "0ms", "batchSize": 1000}}]
            for name, steps in (("0001-people", PEOPLE), ("0002-fill", quick), ("0003-orders", ORDERS)):
                namespace.apply("Migration", name, {"environmentRef": {"name": "dev"}, "steps": steps})
            eventually(lambda: any(run.process.poll() == -9 for pod in list(kubelet.pods.values()) for run in pod.runs),
                       "it is killed", WITHIN)
            namespace.until("Environment", "dev", "Ready", reason="Current", within=WITHIN)
            right(namespace, target)
        finally:
            kubelet.stop()
    side_by_side(story, ["lock.after", "begin.after", "statement.after", "record.after", "fence.after", "commit.before", "commit.after",
                         "checkpoint.after", "unlock.before"])
