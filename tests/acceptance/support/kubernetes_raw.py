"""The objects of a kind by raw requests, for what is asked of the API server itself."""

import http.client
import json
from urllib.parse import urlencode

from support.kubernetes import GROUP, PLACES

MERGE, APPLY = "application/merge-patch+json", "application/apply-patch+yaml"


class Raw:
    """The objects of a kind in a namespace, by raw requests."""

    def __init__(self, namespace, kind, version=GROUP):
        self.cluster = namespace.cluster
        self.place = PLACES[kind].format(namespace.name)
        self.kind = {"apiVersion": version, "kind": kind}

    def path(self, name="", **query):
        """Where one is, or all are."""
        asked = f"?{urlencode(query)}" if query else ""
        return self.place + (f"/{name}" if name else "") + asked

    def get(self, name):
        """One."""
        return self.cluster.call("GET", self.path(name))

    def create(self, name, spec, **metadata):
        """Makes one."""
        return self.cluster.call("POST", self.path(fieldManager="maker"),
                                 self.kind | {"metadata": {"name": name, **metadata}, "spec": spec})

    def patch(self, name, change, **query):
        """Merges a change."""
        return self.cluster.call("PATCH", self.path(name, **query), change, MERGE)

    def apply(self, name, spec, manager, metadata=None, part="", **query):
        """Applies one."""
        document = self.kind | {"metadata": {"name": name} | (metadata or {})} | ({"status": spec} if part else {"spec": spec})
        return self.cluster.call("PATCH", self.path(name + part, fieldManager=manager, **query), document, APPLY)

    def delete(self, name, **options):
        """Deletes one."""
        return self.cluster.call("DELETE", self.path(name), options or None)

    def names(self, **query):
        """The names of those that are selected."""
        return [one["metadata"]["name"] for one in self.cluster.call("GET", self.path(**query))["items"]]

    def watch(self, accept="application/json", **query):
        """The events of a watch until its end."""
        cluster = self.cluster
        connection = http.client.HTTPSConnection("127.0.0.1", cluster.port, timeout=60, context=cluster.trust)
        headers = {"authorization": f"Bearer {cluster.tokens['admin'].value}", "accept": accept}
        connection.request("GET", self.path(watch="true", timeoutSeconds=1, **query), headers=headers)
        response = connection.getresponse()
        assert response.status == 200, response.read()
        events = [json.loads(line) for line in response.read().splitlines()]
        connection.close()
        return [event for event in events if event["type"] != "BOOKMARK"]
