"""Plans that Jobs run: by a real Job controller and garbage collector, with a stand-in for the kubelet that runs the very
command of each Pod as a process."""

import copy
import json
import time

import pytest
from support.controllers import Controllers
from support.kubelet import Kubelet
from support.kubernetes import PLACES, manifests
from support.product import LOCKED, OK, REFUSED
from support.waiting import eventually
from test_operator_failures import PEOPLE, ROWS

OWN = "operator-0"
# Not idempotent: a batch that is done twice shows as touched = 2.
FILL = [{"uses": "backfill", "with": {
    "table": "people", "key": "id", "set": "touched = touched + 1", "batchSize": 100, "pause": "150ms"}}]
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


def of(environment, *steps, **more):
    """A migration of an environment."""
    return {"environmentRef": {"name": environment}, "steps": list(steps)} | more


@pytest.fixture
def filling(namespace, sqlite):
    """An environment with a migration that takes three seconds."""
    namespace.apply("Environment", "dev", dev(sqlite, lockWait="20s"))
    for name, steps in (("0001-people", PEOPLE), ("0002-fill", FILL), ("0003-orders", [{"sql": "CREATE TABLE orders (id bigint)"}])):
        namespace.apply("Migration", name, of("dev", *steps))
    return sqlite


def touched(target):
    """How many rows the backfill has committed."""
    if "people" not in target.tables():
        return 0
    return target.rows("SELECT count(*) FROM people WHERE touched > 0")[0][0]


def in_the_middle(target):
    """Waits until some of it is committed."""
    eventually(lambda: touched(target) >= 300, "some batches are committed")
    assert touched(target) < ROWS


def right(namespace, target):
    """Everything is done once, and said so."""
    for name in ("0001-people", "0002-fill", "0003-orders"):
        namespace.until("Migration", name, "Succeeded")
    status = namespace.until("Environment", "dev", "Ready", reason="Current")["status"]
    assert (status["applied"], status["pending"], status["failed"]) == (3, 0, 0)
    assert target.rows("SELECT touched, count(*) FROM people GROUP BY touched") == [(1, ROWS)]
    assert target.tables() == {"people", "orders"}


def active(namespace):
    """The Jobs that go on."""
    ends = ("Complete", "Failed")
    return [job["metadata"]["name"] for job in namespace.list("Job")
            if not any(one["type"] in ends and one["status"] == "True" for one in job["status"].get("conditions", []))]


def message(namespace):
    """What `Ready` says."""
    return namespace.get("Environment", "dev")["status"]["conditions"][0]["message"]


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


def test_a_migration_that_fails_stalls_and_is_tried_once(namespace, operate_as_pod, kubelet, sqlite):
    operate_as_pod("--resync", "1s")
    namespace.apply("Environment", "dev", dev(sqlite))
    namespace.apply("Migration", "0001-people", of("dev", {"sql": "CREATE TABLE people (id integer)"},
                                                   {"sql": "INSERT INTO nowhere VALUES (1)"}))
    failed = namespace.until("Environment", "dev", "Stalled", reason="Failed")
    [job] = namespace.list("Job")
    said = failed["status"]["conditions"][0]["message"]
    assert said.startswith(f"the Job {job['metadata']['name']} failed: ") and "no such table: nowhere" in said
    namespace.until("Migration", "0001-people", "Succeeded", status="False", reason="Failed")
    [ended] = [one for one in job["status"]["conditions"] if one["type"] == "Failed"]
    assert ended["reason"] == "PodFailurePolicy"
    time.sleep(3)
    assert len(namespace.list("Job")) == len(kubelet.pods) == 1
    # An operator that starts reads what its predecessor's Job has said.
    operate_as_pod("--resync", "1s")
    time.sleep(3)
    assert len(namespace.list("Job")) == 1
    assert message(namespace) == said
    # Who asks is answered by another Job of the same plan; and so is who mends it.
    namespace.patch("Environment", "dev", {"metadata": {"annotations": {"whimbrel.dev/requestedAt": "now"}}})
    eventually(lambda: len(namespace.list("Job")) == 2 and not active(namespace), "it is tried again")
    namespace.until("Environment", "dev", "Stalled", reason="Failed")
    time.sleep(3)
    assert len(namespace.list("Job")) == 2
    namespace.apply("Migration", "0001-people", of("dev", *TABLE))
    namespace.until("Environment", "dev", "Ready", reason="Current")
    assert sqlite.tables() == {"people"}


def test_a_job_survives_the_operator_and_the_next_one_waits_for_it(namespace, operate_as_pod, kubelet, filling):
    first = operate_as_pod()
    in_the_middle(filling)
    first.kill()
    operate_as_pod()
    namespace.until("Environment", "dev", "Ready", status="False", reason="Applying")
    right(namespace, filling)
    assert len(namespace.list("Job")) == len(kubelet.pods) == 1


def test_a_job_ends_while_there_is_no_operator(namespace, operate_as_pod, kubelet, filling):
    first = operate_as_pod()
    in_the_middle(filling)
    first.end()
    eventually(lambda: not active(namespace), "the Job ends")
    # An operator that ends as it should leaves it alone, too.
    assert [run.process.poll() for pod in kubelet.pods.values() for run in pod.runs] == [OK]
    operate_as_pod()
    right(namespace, filling)
    assert len(namespace.list("Job")) == 1


def test_a_pod_that_is_killed_is_started_again(namespace, operate_as_pod, kubelet, filling):
    operate_as_pod()
    in_the_middle(filling)
    kubelet.first().running.kill()
    right(namespace, filling)
    assert len(kubelet.pods) > 1


def test_a_pod_that_is_evicted_has_not_failed(namespace, operate_as_pod, kubelet, filling):
    operate_as_pod()
    in_the_middle(filling)
    evicted = kubelet.first().name
    kubelet.evict(evicted)
    right(namespace, filling)
    assert len(kubelet.pods) > 1
    [code] = [running.process.returncode for running in kubelet.pods[evicted].runs]
    assert code == 143, "it has come to a safe point"


def test_a_pod_that_is_started_twice_is_harmless(namespace, operate_as_pod, kubelet, filling):
    operate_as_pod()
    in_the_middle(filling)
    pod = kubelet.first()
    other = kubelet.again(pod.name)
    right(namespace, filling)
    # It found the lock held, another plan, or nothing left to do.
    assert other.end(code=None).code in (OK, LOCKED, REFUSED)


def test_a_pod_that_is_started_twice_at_once_is_harmless(namespace, operate_as_pod, kubelet, filling):
    operate_as_pod()
    pod = eventually(kubelet.first, "a Pod runs")
    other = kubelet.again(pod.name)
    right(namespace, filling)
    assert other.end(code=None).code in (OK, LOCKED, REFUSED)


@pytest.mark.parametrize("point", ["operator.write.before", "operator.write.after"])
def test_the_operator_is_killed_at_each_write(kubernetes, operate_in, controllers, binary, sqlite, tmp_path, point):
    """At the first one, the second one, and so on: there is never a second Job, and everything ends well."""
    [deployment] = [one for one in manifests("operator.yaml") if one["kind"] == "Deployment"]
    killed = 0
    for number in range(1, 30):
        namespace = kubernetes.namespace()
        namespace.create("v1", "Pod", {"metadata": {"name": OWN}, "spec": deployment["spec"]["template"]["spec"]})
        sqlite.file.unlink(missing_ok=True)
        folder = tmp_path / f"{point}-{number}"
        folder.mkdir()
        kubelet = Kubelet(namespace, binary, folder)
        try:
            operators = [operate_in(namespace, POD_NAME=OWN, WHIMBREL_CRASH_POINT=f"{point}:{number}")]
            namespace.apply("Environment", "dev", dev(sqlite))
            namespace.apply("Migration", "0001-people", of("dev", *TABLE))

            def well():
                if operators[-1].running.process.poll() is not None:
                    operators[-1].running.end(code=-9)
                    operators.append(operate_in(namespace, POD_NAME=OWN))
                assert len(namespace.list("Job")) <= 1
                ready = namespace.condition("Environment", "dev", "Ready")
                done = namespace.condition("Migration", "0001-people", "Succeeded")
                said = ready and ready["reason"], done and done["reason"]
                return said == ("Current", "Applied") and sqlite.tables() == {"people"}
            eventually(well, "it is applied", within=60)
            operators[-1].kill()
        finally:
            kubelet.stop()
        if len(operators) == 1:
            break
        killed += 1
    # Finalizer, what is said before it, the Job, and what is said after it of two objects.
    assert 5 <= killed < 29


def test_two_operators_make_one_job(namespace, operate_as_pod, kubelet, filling):
    operate_as_pod()
    operate_as_pod()
    seen = set()

    def ready():
        jobs = active(namespace)
        seen.update(jobs)
        assert len(jobs) <= 1, jobs
        one = namespace.condition("Environment", "dev", "Ready")
        return one and one["reason"] == "Current"
    eventually(ready, "it is applied", within=60)
    right(namespace, filling)
    assert len(seen) == 1


def test_an_environment_is_deleted_in_the_middle_of_a_run(namespace, operate_as_pod, kubelet, filling):
    operate_as_pod()
    in_the_middle(filling)
    pod = kubelet.first()
    namespace.delete("Environment", "dev")
    eventually(lambda: namespace.get("Environment", "dev") is None, "it is let go", within=60)
    assert pod.running.process.poll() == 143, "it has come to a safe point before"
    assert active(namespace) == []
    # What is applied stays, once.
    assert {times for (times,) in filling.rows("SELECT DISTINCT touched FROM people")} == {0, 1}


def test_what_is_suspended_lets_a_job_come_to_its_end(namespace, operate_as_pod, kubelet, filling):
    operate_as_pod()
    in_the_middle(filling)
    namespace.patch("Environment", "dev", {"spec": {"suspend": True}})
    namespace.until("Environment", "dev", "Stalled", reason="Suspended")
    assert not active(namespace)
    assert filling.tables() == {"people", "orders"}
    namespace.patch("Environment", "dev", {"spec": {"suspend": False}})
    right(namespace, filling)


def test_a_job_that_somebody_deletes_is_made_again(namespace, operate_as_pod, kubelet, filling):
    operate_as_pod()
    in_the_middle(filling)
    [name] = active(namespace)
    namespace.cluster.call("DELETE", f"{PLACES['Job'].format(namespace.name)}/{name}?propagationPolicy=Background")
    right(namespace, filling)


def test_a_deadline_ends_a_job_at_a_safe_point(namespace, operate_as_pod, kubelet, filling):
    namespace.patch("Environment", "dev", {"spec": {"job": {"activeDeadlineSeconds": 2}}})
    operate_as_pod()
    failed = namespace.until("Environment", "dev", "Stalled", reason="Failed")
    assert "DeadlineExceeded" in failed["status"]["conditions"][0]["message"]
    assert touched(filling) < ROWS
    namespace.patch("Environment", "dev", {"spec": {"job": {"activeDeadlineSeconds": 3600}}})
    right(namespace, filling)


def test_a_plan_waits_for_its_approval(namespace, operate_as_pod, kubelet, sqlite):
    operate_as_pod()
    namespace.apply("Environment", "dev", dev(sqlite, apply="Approve", destructive="Confirm", approvers=["ann"]))
    namespace.apply("Migration", "0001-people", of("dev", *TABLE, {"sql": "DROP TABLE people"}))
    waiting = namespace.until("Environment", "dev", "Ready", status="False", reason="Refused")
    assert namespace.list("Job") == []
    namespace.apply("Approval", "yes", {"environmentRef": {"name": "dev"}, "plan": waiting["status"]["plan"], "approver": "ann",
                                        "confirmDestructive": True})
    namespace.until("Environment", "dev", "Ready", reason="Current")
    assert len(namespace.list("Job")) == 1


def test_a_deletion_that_reverts_is_run_by_a_job(namespace, operate_as_pod, kubelet, sqlite):
    operate_as_pod()
    namespace.apply("Environment", "dev", dev(sqlite, destructive="Allow", onRevert="Auto"))
    namespace.apply("Migration", "0001-people", of("dev", *TABLE, deletionPolicy="Revert"))
    namespace.until("Migration", "0001-people", "Succeeded")
    namespace.delete("Migration", "0001-people")
    eventually(lambda: namespace.get("Migration", "0001-people") is None, "it is reverted", within=60)
    assert sqlite.tables() == set()
    reverts = [job for job in namespace.list("Job")
               if "--revert" in job["spec"]["template"]["spec"]["containers"][0]["args"]]
    assert len(reverts) == 1


@pytest.mark.parametrize(("template", "words"), [
    ({"spec": {"containers": [{"name": "whimbrel", "resourses": {}}]}}, "resourses"),
    ({"spec": {"containers": [{"name": "whimbrel", "volumeMounts": [{"name": "none", "mountPath": "/x"}]}]}}, "none"),
    ({"spec": {"containers": [{"name": "whimbrel", "image": None}]}}, "which image"),
])
def test_a_template_that_makes_no_pod_is_said(namespace, operate_as_pod, sqlite, template, words):
    operate_as_pod()
    # A client that applies leaves null out; one that patches does not.
    job = {"template": template}
    namespace.cluster.call("POST", PLACES["Environment"].format(namespace.name), {
        "apiVersion": "whimbrel.dev/v1alpha1", "kind": "Environment", "metadata": {"name": "dev"}, "spec": dev(sqlite, job)})
    namespace.apply("Migration", "0001-people", of("dev", *TABLE))
    wrong = namespace.until("Environment", "dev", "Stalled", reason="InvalidDefinition")
    assert words in wrong["status"]["conditions"][0]["message"]
    assert namespace.list("Job") == []


def test_without_the_right_to_make_jobs_it_says_so(namespace, operate_as_pod, sqlite):
    [role] = namespace.list("Role")
    rules = [rule for rule in role["rules"] if rule["apiGroups"] != ["batch"]]
    namespace.patch("Role", role["metadata"]["name"], {"rules": rules})
    operate_as_pod()
    namespace.apply("Environment", "dev", dev(sqlite))
    away = namespace.until("Environment", "dev", "Ready", status="False", reason="Unavailable")
    assert "may not have Jobs run the plan" in away["status"]["conditions"][0]["message"]
    # What asks for none goes on.
    namespace.patch("Environment", "dev", {"spec": {"execution": "InProcess"}})
    namespace.until("Environment", "dev", "Ready")


def test_no_secret_gets_out(namespace, operate_as_pod, kubelet, postgres, binary):
    """The password is said by the database itself, in an error, a notice and a detail."""
    canary = postgres.cluster.canary("by_variable")
    url = postgres.cluster.url_as(postgres.name, "by_variable")
    with postgres.cluster.connect(postgres.name) as connection:
        connection.execute("CREATE TABLE public.told (said text); GRANT ALL ON public.told TO PUBLIC")
        connection.execute("INSERT INTO public.told VALUES (%s)", (canary.value,))
    namespace.apply("Secret", "shop", {"password": canary.value})
    database = {"url": str(url), "password": {"secretKeyRef": {"name": "shop", "key": "password"}}}
    operate_as_pod()
    namespace.apply("Environment", "dev", {"databases": {"shop": database}, "policy": {"apply": "Auto"}, "execution": "Job"})
    namespace.apply("Migration", "0001-betrayal", of("dev", {"sql": """DO $$ BEGIN
        RAISE WARNING 'it is %', (SELECT said FROM public.told);
        RAISE EXCEPTION 'it is %', (SELECT said FROM public.told) USING DETAIL = 'in full: ' || (SELECT said FROM public.told);
    END $$"""}))
    failed = namespace.until("Environment", "dev", "Stalled", reason="Failed")
    assert "it is " in failed["status"]["conditions"][0]["message"]
    [pod] = kubelet.pods.values()
    left = json.dumps([namespace.list(kind) for kind in ("Environment", "Migration", "Job", "Pod", "Event")])
    said = pod.message.read_text()
    assert "it is " in said
    assert canary.value not in left + said + pod.running.end(code=None).err
