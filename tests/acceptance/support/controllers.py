"""The real kube-controller-manager, as far as Jobs need it: who makes their Pods, and who takes away what has no owner any more."""

import subprocess

from support.kubernetes import Refused
from support.parts import program, surroundings
from support.waiting import eventually

# The Job controller, by which Pods are made, counted and given up; what deletes the Pods of a Job that is deleted; and Jobs that
# have been kept long enough.
CONTROLLERS = ("job-controller", "garbage-collector-controller", "ttl-after-finished-controller")


class Controllers:
    """A running kube-controller-manager of a cluster."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.log = cluster.folder / "kube-controller-manager.log"
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [program("KUBE_CONTROLLER_MANAGER", "kube-controller-manager"),
                 "--kubeconfig", cluster.kubeconfig("admin", "default"), "--controllers", ",".join(CONTROLLERS),
                 "--leader-elect=false", "--secure-port", "0", "--use-service-account-credentials=false",
                 "--kube-api-qps", "200", "--kube-api-burst", "400"],
                cwd=cluster.folder, env=surroundings(cluster.folder), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._await()

    def _await(self):
        """Waits until a Job has its Pod."""
        namespace = self.cluster.namespace(granted=False)
        namespace.create("batch/v1", "Job", {"metadata": {"name": "first"}, "spec": {"template": {"spec": {
            "restartPolicy": "Never", "containers": [{"name": "one", "image": "none"}]}}}})

        def works():
            assert self.process.poll() is None, self.log.read_text()[-4000:]
            try:
                return namespace.list("Pod")
            except Refused:
                return False
        eventually(works, "the Job controller works", within=60)

    def stop(self):
        """Ends it."""
        self.process.kill()
        self.process.wait()
