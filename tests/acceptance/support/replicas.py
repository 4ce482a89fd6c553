"""Replicas of one operator: processes that share the environments of a namespace by Leases."""

import hashlib
import signal

from support.waiting import eventually


class Replicas:
    """Starts replicas with names of their own, and looks at who holds what."""

    def __init__(self, operate, namespace, shards, lease="3s"):
        self.operate = operate
        self.namespace = namespace
        self.shards = shards
        self.arguments = ("--shards", shards, "--lease-duration", lease, "--local-secrets")
        self.running = {}

    def start(self, *names):
        """Starts replicas; each says its name in the histories, too."""
        for name in names:
            self.running[name] = self.operate(*self.arguments, POD_NAME=name, WHIMBREL_ACTOR=name)
        return self

    def holders(self):
        """Who is written into the Lease of each shard; none where nobody is."""
        found = {}
        for lease in self.namespace.list("Lease"):
            name = lease["metadata"]["name"]
            if name.startswith("whimbrel-operator-shard-") and name.endswith(f"-of-{self.shards}"):
                found[int(name.split("-")[3])] = lease["spec"].get("holderIdentity")
        return [found.get(shard) for shard in range(self.shards)]

    def until_shared(self, *names, within=30.0):
        """Waits until these hold all shards, each its share; gives who holds which."""
        def shared():
            holders = self.holders()
            counts = [holders.count(name) for name in names]
            is_shared = sum(counts) == self.shards and max(counts) - min(counts) < 2
            return is_shared and holders
        return eventually(shared, f"{names} share {self.shards} shards", within)

    def holder(self, environment):
        """Who holds the shard of an environment, as the product's document says how a shard is found."""
        first = hashlib.sha256(environment.encode()).digest()[:8]
        return self.holders()[int.from_bytes(first) % self.shards]

    def kill(self, name):
        """Ends one as a node's end does."""
        self.running.pop(name).kill()

    def end(self, name):
        """Ends one as an orchestrator does."""
        return self.running.pop(name).end()

    def pause(self, name):
        """Lets nothing of one move."""
        self.running[name].running.stop()

    def go_on(self, name):
        """Lets it go on."""
        self.running[name].running.process.send_signal(signal.SIGCONT)
