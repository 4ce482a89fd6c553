"""A running `whimbrel serve`, and requests to it: over a port or a socket, by nothing but the standard library."""

import http.client
import json
import re
import socket

import jsonschema
from support.waiting import eventually


class Answer:
    """What was answered."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def json(self):
        """The body as JSON."""
        return json.loads(self.body)

    def __str__(self):
        return f"{self.status} {self.body}"


class _Socket(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class Server:
    """A server that was started; `listen` says where."""

    def __init__(self, whimbrel, *arguments, listen="127.0.0.1:0", interval="1h", token=None, trust=None,
                 **variables):
        self.running = whimbrel.start(
            "serve", "--listen", listen, "--interval", interval, *arguments, **variables)
        self.running.follow()
        self.token = token
        self.trust = trust
        self.whimbrel = whimbrel
        self.document = None
        line = self.running.process.stdout.readline()
        assert line.startswith("listening on "), self.running.end(code=None)
        self.place = line.removeprefix("listening on ").strip()

    def connection(self):
        """A new connection."""
        if self.place.startswith("unix:"):
            return _Socket(self.place.removeprefix("unix:"))
        host, port = self.place.rsplit(":", 1)
        if self.trust:
            return http.client.HTTPSConnection(host, int(port), timeout=60, context=self.trust)
        return http.client.HTTPConnection(host, int(port), timeout=60)

    def request(self, method, path, body=None, **headers):
        """Any request."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token and "authorization" not in sent:
            sent["authorization"] = f"Bearer {self.token}"
        if isinstance(body, dict):
            body = json.dumps(body)
            sent.setdefault("content-type", "application/json")
        connection = self.connection()
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            answer = Answer(response.status, dict(response.getheaders()), response.read().decode())
        finally:
            connection.close()
        self._held_to_the_document(method, path, answer)
        return answer

    def _held_to_the_document(self, method, path, answer):
        """Every answer of every test is one that the OpenAPI document describes."""
        path = path.split("?")[0]
        if path == "/openapi.json":
            return
        if self.document is None:
            self.document = self.get("/openapi.json").json()
        described = [
            operations[method.lower()] for pattern, operations in self.document["paths"].items()
            if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", pattern), path) and method.lower() in operations
        ]
        responses = described[0]["responses"] if described else {}
        problem = {"content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}
        response = responses.get(str(answer.status)) or responses.get("default") or problem
        if answer.status == 431:
            # The head was never read, so there is no path.
            return
        kind = answer.headers["content-type"]
        assert kind in response["content"], f"{method} {path}: {answer.status} of the type {kind}"
        schema = response["content"][kind]["schema"] | {"components": self.document["components"]}
        if "json" in kind:
            jsonschema.validate(answer.json(), schema)

    def get(self, path, status=200, **headers):
        """Gets something, with the status that it must have, None for any."""
        answer = self.request("GET", path, **headers)
        assert status in (None, answer.status), f"GET {path}: {answer}"
        return answer

    def post(self, path, body=None, status=202, **headers):
        """Posts something, with the status that it must have, None for any."""
        answer = self.request("POST", path, body, **headers)
        assert status in (None, answer.status), f"POST {path}: {answer}"
        return answer

    def environment(self, name="dev"):
        """How an environment stands."""
        return self.get(f"/v1/environments/{name}").json()

    def phase(self, phase, name="dev", within=30.0):
        """Waits until an environment stands so; gives how it does."""
        def stands():
            answer = self.get(f"/v1/environments/{name}", status=None)
            seen.append(str(answer))
            return answer.status == 200 and answer.json()["phase"] == phase and answer.json()
        seen = []
        try:
            return eventually(stands, f"`{name}` is {phase}", within)
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {seen[-1]}") from None

    def ring(self, source="default"):
        """Rings the bell of a source."""
        self.post(f"/v1/sources/{source}/sync")

    def events(self, run):
        """All events of a run, until it is over."""
        connection = self.connection()
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        connection.request("GET", f"/v1/runs/{run}/events", headers=headers)
        text = connection.getresponse().read().decode()
        connection.close()
        return [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")]

    def end(self, code=0):
        """Ends it as an orchestrator does."""
        self.running.terminate()
        return self.running.end(code=code)
