"""A `GitSource` of the test's own repository, which is looked at only when somebody asks, and what is seen of it."""

from support.waiting import eventually

WITHIN = 20.0


class Followed:
    """The repository of a project, at a server that anybody may read and push to, and its object `shop`."""

    def __init__(self, namespace, http, served):
        self.namespace = namespace
        self.address = f"{http.address}/{served.folder.name}"
        self.served = served
        self.project = served.project
        http.opened = True

    def begin(self, *environments, interval="1h"):
        """Makes the source, and environments that it defines."""
        self.namespace.apply("GitSource", "shop", {"url": self.address, "interval": interval})
        self.namespace.until("GitSource", "shop", "Ready")
        self.follow(*environments)
        return self

    def follow(self, *environments):
        """Makes environments that it defines."""
        for name in environments:
            self.namespace.apply("Environment", name, {"sourceRef": {"name": "shop"}})

    @property
    def head(self):
        """The newest commit."""
        return self.project.git("rev-parse", "HEAD")

    def push(self):
        """Pushes, and rings."""
        self.served.push()
        change = {"metadata": {"annotations": {"whimbrel.dev/requestedAt": self.head}}}
        self.namespace.patch("GitSource", "shop", change)

    def objects(self):
        """The migrations that have objects: environment and name in Git."""
        return {(one["metadata"]["labels"]["whimbrel.dev/environment"], one["metadata"]["annotations"]["whimbrel.dev/migration"])
                for one in self.namespace.list("Migration")}

    def until(self, environment, reason, within=WITHIN):
        """Waits until an environment is at the newest commit, and `Ready` says this; gives its status."""
        def stands():
            found = self.namespace.get("Environment", environment)
            status = found.get("status", {})
            ready = {one["type"]: (one["reason"], one["observedGeneration"]) for one in status.get("conditions", [])}.get("Ready")
            return (status.get("revision"), ready) == (head, (reason, found["metadata"]["generation"])) and status
        head = self.head
        return eventually(stands, f"{environment} is {reason} at the newest commit", within)


def told(target, kind):
    """How often a history says of each migration that something was done."""
    return dict(target.rows(f"SELECT migration, count(*) FROM {target.history}event WHERE kind = '{kind}' GROUP BY migration"))
