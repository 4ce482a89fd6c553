"""The containers of a Pod as processes: what its manifest says is what is run. Nothing of a cluster is there to run them.

A container's image is a program of the test. Its paths are folders of the test's, its ports are free ones: both are put in
the place of the manifest's wherever its arguments, variables and probes say them.
"""

import http.client
import re

from support.evidence import SUITE
from support.parts import free_port


class Container:
    """One container of a Pod's specification; `secrets` and `fields` are what its variables may refer to."""

    def __init__(self, specification, name, folder, secrets=None, fields=None, instead=None):
        [self.container] = [one for part in ("initContainers", "containers") for one in specification.get(part, [])
                            if one["name"] == name]
        self.specification = specification
        self.secrets = secrets or {}
        self.fields = fields or {}
        self.instead = dict(instead or {})
        for mount in self.container.get("volumeMounts", []):
            assert mount["name"] in {volume["name"] for volume in specification["volumes"]}, mount
            place = folder / mount["name"]
            place.mkdir(parents=True, exist_ok=True)
            self.instead[mount["mountPath"]] = str(place)
        self.ports = {}

    def _here(self, text):
        """A text of the manifest with this machine's places."""
        there = sorted(self.instead, key=len, reverse=True)
        # All at once: what stands there then may itself look like a place of the manifest's.
        return re.sub("|".join(map(re.escape, there)), lambda found: self.instead[found[0]], text) if there else text

    def listen(self):
        """Gives each port of the container a free one."""
        for port in self.container.get("ports", []):
            here = free_port()
            for name in (port["name"], port["containerPort"]):
                self.ports[name] = here
            self.instead[f"0.0.0.0:{port['containerPort']}"] = f"127.0.0.1:{here}"
        return self

    @property
    def arguments(self):
        """Its arguments, with the places of this machine."""
        return [self._here(argument) for argument in self.container["args"]]

    @property
    def variables(self):
        """Its environment, resolved as a kubelet does."""
        found = {}
        for variable in self.container.get("env", []):
            source = variable.get("valueFrom", {})
            if "secretKeyRef" in source:
                value = self.secrets[source["secretKeyRef"]["name"]][source["secretKeyRef"]["key"]]
            elif "fieldRef" in source:
                value = self.fields[source["fieldRef"]["fieldPath"]]
            else:
                value = self._here(variable["value"])
            found[variable["name"]] = value
        return found

    def probe(self, which):
        """The status that one of its probes is answered with; none where nobody answers."""
        asked = self.container[which]["httpGet"]
        try:
            return self._get(asked["port"], asked["path"])[0]
        except ConnectionError:
            return None

    def metrics(self, port="http"):
        """What it measures."""
        return self._get(port, "/metrics")[1]

    def _get(self, port, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[port], timeout=10)
        try:
            # A kubelet names the Pod's address, and brings no token.
            connection.request("GET", path, headers={"host": f"10.0.0.7:{self.ports[port]}"})
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        SUITE.hear("metrics" if path == "/metrics" else "answers", f"{response.status} {response.getheaders()}", text)
        return response.status, text
