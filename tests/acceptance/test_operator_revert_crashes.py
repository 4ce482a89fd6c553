"""The operator, or a Job of its, killed at the points of a run: of a revert by deletion, and of what Jobs run."""

import copy
from concurrent.futures import ThreadPoolExecutor

from support.kubelet import Kubelet
from support.kubernetes import PLACES, manifests
from support.kubernetes_sources import Followed, told
from support.target import PostgresTarget, SqliteTarget
from support.waiting import eventually
from test_operator_failures import FILL, ORDERS, PEOPLE
from test_operator_jobs import OWN, active, controllers, dev, kubelet, of, operate_as_pod, right  # noqa: F401

WITHIN = 90.0
# Those at which a Job that reverts is killed.
POINTS = ["lock.after", "statement.after", "record.after", "commit.before", "commit.after", "unlock.before"]


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
        kubelet.armed = {"dev": {"WHIMBREL_CRASH_POINT": point}}
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


def killed_once(kubelet):  # noqa: F811
    """Waits until a Pod of each environment is killed."""
    eventually(lambda: kubelet.armed == {}, "each is killed", WITHIN)


def reverts(namespace):
    """The Jobs that revert, by their environments."""
    jobs = [job for job in namespace.list("Job") if "--revert" in job["spec"]["template"]["spec"]["containers"][0]["args"]]
    return {job["metadata"]["labels"]["whimbrel.dev/environment"] for job in jobs}


def test_jobs_that_revert_what_was_deleted_are_killed_at_each_point(namespace, operate_as_pod, kubelet, project):  # noqa: F811
    """And the operator with them: another Pod, or another Job, goes on."""
    operator = operate_as_pod()
    targets = {f"dev-{number}": SqliteTarget(project, f"dev-{number}") for number in range(len(POINTS))}
    names = {name: (f"0001-people-of-{name}", f"0002-orders-of-{name}") for name in targets}
    for name, target in targets.items():
        namespace.apply("Environment", name, dev(target, destructive="Allow", onRevert="Auto", lockWait="20s"))
        for migration in names[name]:
            table = migration.split("-")[1]
            steps = {"sql": f"CREATE TABLE {table} (id integer)", "revert": f"DROP TABLE {table}"}
            namespace.apply("Migration", migration, of(name, steps, deletionPolicy="Revert"))
    for name in targets:
        for migration in names[name]:
            namespace.until("Migration", migration, "Succeeded", within=WITHIN)
        namespace.until("Environment", name, "Ready", reason="Current", within=WITHIN)
    kubelet.armed = {name: {"WHIMBREL_CRASH_POINT": point} for name, point in zip(targets, POINTS, strict=True)}
    for migration in sum(names.values(), ()):
        namespace.delete("Migration", migration)
    killed_once(kubelet)
    assert reverts(namespace) == set(targets)
    operator.kill()
    operate_as_pod()
    eventually(lambda: namespace.list("Migration") == [], "everything is reverted", WITHIN)
    for name, target in targets.items():
        status = namespace.until("Environment", name, "Ready", reason="Current", within=WITHIN)["status"]
        assert (status["applied"], status["pending"], status["failed"]) == (0, 0, 0)
        assert target.tables() == set()
        assert told(target, "reverted") == dict.fromkeys(names[name], 1)


def test_jobs_that_revert_what_git_took_back_are_killed_at_each_point(
        namespace, operate_as_pod, kubelet, http, served, project):  # noqa: F811
    """They are gone with all that the cluster knew of them, and the next operator has others do it."""
    targets = {f"live-{number}": SqliteTarget(project, f"live-{number}") for number in range(len(POINTS))}
    for name, target in targets.items():
        project.environment(name, {"shop": f"sqlite:{target.file}"}, policy={"lockWait": "20s"})
    project.commit("Environments")
    project.table("0002-orders")
    project.commit("Orders")
    served.push()
    operator = operate_as_pod()
    source = Followed(namespace, http, served).begin()
    for name in targets:
        namespace.apply("Environment", name, {"sourceRef": {"name": "shop"}, "execution": "Job"})
    for name in targets:
        source.until(name, "Current", WITHIN)
    kubelet.armed = {name: {"WHIMBREL_CRASH_POINT": point} for name, point in zip(targets, POINTS, strict=True)}
    project.git("revert", "--no-edit", "HEAD")
    source.push()
    killed_once(kubelet)
    operator.kill()
    for job in active(namespace):
        namespace.cluster.call("DELETE", f"{PLACES['Job'].format(namespace.name)}/{job}?propagationPolicy=Background")
    operate_as_pod()
    for name, target in targets.items():
        status = source.until(name, "Current", WITHIN)
        assert (status["applied"], status["pending"], status["failed"]) == (1, 0, 0)
        assert target.tables() == {"people"}
        assert told(target, "reverted") == {"0002-orders": 1}
    eventually(lambda: {name for _, name in source.objects()} == {"0001-people"}, "the others' objects are gone")
