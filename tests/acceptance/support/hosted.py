"""A project whose repository is at a Git host, and a server that follows it by a document of the kind `GitSource`."""

import json
import time

from support.canary import Canary, traces
from support.evidence import SUITE
from support.git_host import ACCOUNT, REPOSITORY
from support.server import Server
from support.waiting import eventually

API = "whimbrel.dev/v1alpha1"


class Hosted:
    """A source called `shop`, its secrets, and the servers that follow it."""

    def __init__(self, outside, project, served, http, folder):
        self.outside = outside
        self.project = project
        self.served = served
        self.http = http
        self.folder = folder
        self.folder.mkdir()
        self.secrets = {name: Canary.hatch(f"the secret {name} of a webhook") for name in ("old", "new")}
        for name, secret in self.secrets.items():
            self.keep(name, secret.value + "\n")
        self.keep("git", http.password.value + "\n")
        self.servers = []

    @property
    def secret(self):
        """What deliveries are signed with."""
        return self.secrets["old"].value

    def keep(self, name, text):
        """Writes a secret where the server reads it."""
        SUITE.given(self.folder / name).write_text(text)

    def at(self, name):
        """A reference to such a secret."""
        return f"secret://file/{self.folder / name}"

    def spec(self, **more):
        """The usual spec; what is None is left out."""
        spec = {
            "url": f"{self.http.address}/{REPOSITORY}.git", "interval": "1h",
            "auth": {"username": self.http.user, "password": self.at("git")},
            "webhook": {"with": {"host": "github"}, "secrets": [self.at("old"), self.at("new")]},
        } | more
        return {name: value for name, value in spec.items() if value is not None}

    def report(self, github, **more):
        """A report at a GitHub."""
        self.keep("hub", github.token.value + "\n")
        with_ = {"host": "github", "api": github.api, "repository": REPOSITORY, "account": ACCOUNT,
                 "token": self.at("hub")}
        return {"with": with_, "grants": {"http": [{"to": "config:/api"}]}} | more

    def serve(self, *, name="shop", log="info", **spec):
        """Starts a server with this source, and waits until it knows its environments."""
        file = self.folder / "sources.yaml"
        document = {"apiVersion": API, "kind": "GitSource", "metadata": {"name": name}, "spec": self.spec(**spec)}
        file.write_text(json.dumps(document, indent=2))
        server = Server(self.outside, "--config", file, interval="1h")
        self.servers.append(server)
        server.phase("current")
        return server

    def publish(self, message="Change the shop"):
        """Commits and pushes; gives the commit."""
        commit = self.project.commit(message)
        self.served.push()
        return commit

    def fetches(self):
        """How often the server's refs were asked for."""
        return sum("info/refs" in request for request in self.http.requests)

    def settled(self):
        """The same when it asks no more: what was applied is published after it is seen to be there."""
        while True:
            before = self.fetches()
            time.sleep(0.5)
            if self.fetches() == before:
                return before

    def wait_for(self, target, *tables):
        """Waits until exactly these tables are there."""
        eventually(lambda: target.tables() == set(tables), f"there are {tables}")

    def end(self, server, *more):
        """Ends a server and makes sure that it said no secret, and that nobody else did; gives what it said."""
        self.servers.remove(server)
        ended = server.end()
        canaries = [*self.secrets.values(), self.http.password, *more]
        for canary, form, trace in traces(canaries):
            assert trace not in ended.said.encode(), f"{canary} as {form}"
        return ended

    def stop(self):
        """Ends what still runs."""
        for server in self.servers:
            if server.running.process.poll() is None:
                server.running.kill()
                print(server.running.end(code=None))
