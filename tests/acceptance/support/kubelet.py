"""A stand-in for the kubelet: runs the container `whimbrel` of each Pod that a Job has as a process, as the Pod says it, and
says of it what a kubelet says: that it runs, its exit code, its termination message; ends it when the Pod is deleted, and then
the Pod.

What isn't here: images (every container is the program under test), init containers and sidecars, probes, a scheduler. It binds
each Pod to a node that has no object."""

import datetime
import signal
import threading
import time

from support.evidence import SUITE
from support.kubernetes import PLACES, Refused
from support.pod import Container
from support.product import Whimbrel

JOB = "batch.kubernetes.io/job-name"
NAME = "whimbrel"
ENVIRONMENT = "whimbrel.dev/environment"


def now():
    """The time, as the API server has it."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Pod:
    """A Pod whose container is run."""

    def __init__(self, name, folder):
        self.name = name
        self.folder = folder
        self.message = folder / "termination-log"
        self.runs = []
        self.started = now()
        self.is_said = False
        self.deadline = None

    @property
    def running(self):
        """The process that counts."""
        return self.runs[0]


class Kubelet:
    """Runs the Pods of a namespace's Jobs. `variables` are put into the next Pod's process, once. `armed` are put
    into those of an environment, by its name, until one of them is killed: a Pod may find another plan before it comes to where it
    would be. `codes` are what the next Pods of an environment end with: these do nothing else."""

    def __init__(self, namespace, binary, folder, evidence=SUITE):
        self.namespace = namespace
        self.program = Whimbrel(binary, folder, evidence)
        self.shell = Whimbrel("/bin/sh", folder)
        self.folder = folder
        self.config = namespace.cluster.kubeconfig("operator", namespace.name)
        self.pods = {}
        self.variables = []
        self.armed = {}
        self.codes = {}
        self.specifications = {}
        self.lock = threading.RLock()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._keep, daemon=True)
        self.thread.start()

    @property
    def path(self):
        """Where the Pods are."""
        return PLACES["Pod"].format(self.namespace.name)

    def _keep(self):
        while not self.over.is_set():
            try:
                with self.lock:
                    self._look()
            except (OSError, Refused):
                # The API server may be away, and Pods change under one's hands.
                pass
            time.sleep(0.05)

    def _look(self):
        for pod in self.namespace.list("Pod"):
            metadata = pod["metadata"]
            if JOB not in metadata.get("labels", {}):
                continue
            name = metadata["name"]
            if name not in self.pods:
                if "deletionTimestamp" not in metadata and pod["status"]["phase"] == "Pending":
                    self._start(pod)
                continue
            known = self.pods[name]
            if "deletionTimestamp" in metadata:
                self._end(known, metadata["deletionGracePeriodSeconds"])
            code = known.running.process.poll()
            if code is not None and not known.is_said:
                self._say(known, code)
            if code is not None and "deletionTimestamp" in metadata:
                self.namespace.cluster.call("DELETE", f"{self.path}/{name}", {"gracePeriodSeconds": 0})
            elif known.is_said and pod["status"]["phase"] == "Running":
                known.is_said = False

    def _start(self, pod):
        name = pod["metadata"]["name"]
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name},
                   "target": {"apiVersion": "v1", "kind": "Node", "name": "stand-in"}}
        self.namespace.cluster.call("POST", f"{self.path}/{name}/binding", binding)
        self.specifications[name] = pod
        self.pods[name] = Pod(name, self.folder / name)
        armed = self.armed.get(pod["metadata"]["labels"].get(ENVIRONMENT), {})
        self.again(name, **(self.variables.pop(0) if self.variables else armed))
        self._status(name, "Running", {"running": {"startedAt": now()}})

    def again(self, name, **variables):
        """Starts the container of a Pod, or starts it once more while it runs, as a kubelet does that has lost sight of it."""
        with self.lock:
            pod, known = self.specifications[name], self.pods[name]
            known.folder.mkdir(exist_ok=True)
            fields = {"metadata.name": name, "metadata.namespace": self.namespace.name}
            place = known.folder / str(len(known.runs))
            container = Container(pod["spec"], NAME, place, fields=fields)
            program, arguments = self.program, container.arguments
            if codes := self.codes.get(pod["metadata"]["labels"].get(ENVIRONMENT)):
                program, arguments = self.shell, ("-c", f"exit {codes.pop(0)}")
            running = program.start(*arguments, **(container.variables | variables), KUBECONFIG=self.config,
                                    WHIMBREL_TERMINATION_LOG=known.message)
            running.follow()
            known.runs.append(running)
            return running

    def _say(self, known, code):
        known.running.end(code=None)
        if code == -signal.SIGKILL:
            self.armed.pop(self.specifications[known.name]["metadata"]["labels"].get(ENVIRONMENT), None)
        message = known.message.read_text() if known.message.exists() else ""
        code = 128 - code if code < 0 else code
        self._status(known.name, "Failed" if code else "Succeeded", {"terminated": {
            "exitCode": code, "message": message[-4096:], "reason": "Error" if code else "Completed",
            "startedAt": known.started, "finishedAt": now()}})
        known.is_said = True

    def _status(self, name, phase, state):
        status = {"phase": phase, "containerStatuses": [{
            "name": NAME, "state": state, "ready": phase == "Running", "restartCount": 0, "image": "none", "imageID": "none"}]}
        self.namespace.cluster.call("PATCH", f"{self.path}/{name}/status", {"status": status}, "application/merge-patch+json")

    def _end(self, known, grace):
        for running in known.runs:
            if running.process.poll() is None:
                if known.deadline is None:
                    running.terminate()
                elif time.monotonic() > known.deadline:
                    running.kill()
        known.deadline = known.deadline or time.monotonic() + grace

    def evict(self, name):
        """Ends a Pod as a drained node does: by the API server, which says so in its conditions."""
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction",
                    "metadata": {"name": name, "namespace": self.namespace.name}}
        self.namespace.cluster.call("POST", f"{self.path}/{name}/eviction", eviction)

    def first(self):
        """A Pod that is run now; none before there is one."""
        with self.lock:
            going = [pod for pod in self.pods.values() if pod.runs and pod.running.process.poll() is None]
            return going[0] if going else None

    def stop(self):
        """Ends all of them."""
        self.over.set()
        self.thread.join()
        for pod in self.pods.values():
            for running in pod.runs:
                if running.process.poll() is None:
                    running.kill()
                    running.end(code=None)
