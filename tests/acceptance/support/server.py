"""A running `whimbrel serve`, and requests to it: over a port or a socket, by nothing but the standard library."""

import http.client
import json
import socket

from support.canary import Canary
from support.document import Document
from support.stream import Stream
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


def _channel(path):
    """Measures are evidence of their own: what is found in other answers first says nothing of them."""
    return "metrics" if path == "/metrics" else "answers"


class Server:
    """A server that was started; `listen` says where."""

    def __init__(self, whimbrel, *arguments, listen="127.0.0.1:0", interval="1h", token=None, trust=None,
                 **variables):
        self.running = whimbrel.start(
            "serve", "--listen", listen, "--interval", interval, *arguments, **variables)
        self.running.follow()
        self.token = token
        if token:
            Canary.known("a token of a server", str(token))
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
        self.whimbrel.evidence.hear(_channel(path), f"{answer.status} {answer.headers}", answer.body)
        self.described().answer(method, path, answer.status, answer.headers, answer.body)
        self.described().request(method, path, sent, body, answer.status)
        return answer

    def described(self):
        """What it says of itself."""
        if self.document is None:
            connection = self.connection()
            try:
                connection.request("GET", "/openapi.json")
                self.document = Document(json.loads(connection.getresponse().read()))
            finally:
                connection.close()
        return self.document

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

    def stream(self, run, after=None):
        """The events of a run as they come; those after a number."""
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        if after is not None:
            headers["last-event-id"] = str(after)
        path = f"/v1/runs/{run}/events"
        stream = Stream(self.connection(), path, headers, self.described().event, self.whimbrel.evidence)
        response = stream.response
        assert response.status == 200, response.read()
        self.described().answer("GET", path, response.status, dict(response.getheaders()), None)
        self.described().request("GET", path, headers, None, response.status)
        return stream

    def events(self, run):
        """All events of a run, until it is over."""
        stream = self.stream(run)
        events = [event.data for event in stream.until(None)]
        stream.close()
        return events

    def sweep(self):
        """Reads what anybody can read of it at its end, as evidence; whether it still answers is another matter."""
        try:
            for path in ("/metrics", "/v1/environments"):
                self._hear(path)
        except (OSError, http.client.HTTPException):
            return

    def _hear(self, path):
        connection = self.connection()
        connection.timeout = 2
        try:
            connection.request("GET", path, headers={"authorization": f"Bearer {self.token}"} if self.token else {})
            response = connection.getresponse()
            self.whimbrel.evidence.hear(_channel(path), f"{response.status} {response.getheaders()}", response.read())
        finally:
            connection.close()

    def end(self, code=0):
        """Ends it as an orchestrator does."""
        self.sweep()
        self.running.terminate()
        return self.running.end(code=code)
