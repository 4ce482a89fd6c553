"""kubectl: what people and scripts drive a cluster with."""

import json
import subprocess

from support.parts import program, surroundings


class Failed(Exception):
    """kubectl said no."""


class Kubectl:
    """The program, in a namespace, as one of the cluster's users, with caches of its own."""

    def __init__(self, namespace, folder, user="admin"):
        self.folder = folder
        self.config = namespace.cluster.kubeconfig(user, namespace.name)

    def run(self, *arguments, stdin=None):
        """Runs it; gives what it wrote to stdout."""
        if stdin is not None and not isinstance(stdin, str):
            stdin = json.dumps(stdin)
        done = subprocess.run([program("KUBECTL", "kubectl"), *map(str, arguments)], input=stdin, capture_output=True, text=True,
                              env=surroundings(self.folder, KUBECONFIG=str(self.config)), check=False)
        if done.returncode:
            raise Failed(done.stdout + done.stderr)
        return done.stdout

    def apply(self, *documents):
        """Applies documents as people do: one file, by the client."""
        items = {"apiVersion": "v1", "kind": "List", "items": list(documents)}
        return self.run("apply", "--filename", "-", stdin=items)

    def wait(self, what, condition, within="30s"):
        """Waits for a condition of an object."""
        return self.run("wait", f"--for=condition={condition}", what, f"--timeout={within}")

    def table(self, *what):
        """What `kubectl get` shows: its header, and by name the other columns. No cell may have more than one blank."""
        header, *rows = (line.split("   ") for line in self.run("get", *what).splitlines())
        cells = [[cell.strip() for cell in row if cell.strip()] for row in (header, *rows)]
        return cells[0], {row[0]: row[1:] for row in cells[1:]}
