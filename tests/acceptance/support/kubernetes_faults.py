"""A way to an API server that fails as it is told: a proxy before the real one (`support.kubernetes_proxy`), or a door of the fake
one (`support.fake_api_server`). What is said here is the same for both.

A fault is a `Rule`: which requests it is about, and what becomes of them. `api.on("write", r"/status$", times=3).answer(500)`
says that the first three writes of a status are answered by 500. Verbs are those of Kubernetes' authorization.
"""

import asyncio
import json
import re
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from support.kubernetes_events import EventRule

WRITES = ("create", "update", "patch", "delete")
REASONS = {409: "Conflict", 410: "Expired", 422: "Invalid", 429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable"}
# What is different whenever the same is written again.
TIMES = re.compile(rb'\d{4}-\d\d-\d\dT[\d:.]+Z|"durationMilliseconds":\d+|"resourceVersion":"\d+"|"name":"[^"]*\.[0-9a-f]{16}"')
_SECONDS = 30


@dataclass
class Request:
    """What the operator asked for, and when, by the monotonic clock."""

    verb: str
    path: str
    query: str
    method: str
    headers: dict
    body: bytes
    at: float = field(default_factory=time.monotonic)
    answered: int | None = None

    @property
    def place(self):
        """What it is about, however often it is asked."""
        return self.verb, self.path

    @property
    def content(self):
        """What it says of it, whenever it says it."""
        return *self.place, TIMES.sub(b"", self.body)


def verb(method, path, query):
    """The verb of a request."""
    if method != "GET":
        return {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}[method]
    if re.search(r"(^|&)watch=(true|1)", query):
        return "watch"
    parts = path.strip("/").split("/")
    parts = parts[2 if parts[0] == "api" else 3:]
    if len(parts) > 2 and parts[0] == "namespaces":
        parts = parts[2:]
    # What is asked of groups and versions is about no object.
    return "list" if len(parts) == 1 else "get"


class Rule:
    """Which requests fail, and how. What is said of it after another is done after it."""

    def __init__(self, verbs, path, skip=0, times=None, every=1, each=None):
        self.verbs = {"write": WRITES, "*": None}.get(verbs, tuple(verbs.split()))
        self.path = re.compile(path)
        self.skip, self.times, self.every, self.each = skip, times, every, each
        self.seen = 0
        self.hit = []
        self.status = self.retry_after = self.pause = None
        self.loses = set()
        self.hooks = {"before": [], "after": []}
        self._known = set()

    def takes(self, request):
        """Whether it is about this request; counts it."""
        if (self.verbs and request.verb not in self.verbs) or not self.path.search(request.path):
            return False
        self.seen += 1
        number = self.seen - self.skip
        is_meant = number > 0 and (number - 1) % self.every == 0
        if self.each:
            known = getattr(request, self.each)
            is_meant = known not in self._known
            self._known.add(known)
        if not is_meant or (self.times is not None and len(self.hit) >= self.times):
            return False
        self.hit.append(request)
        return True

    def answer(self, status, retry_after=None):
        """The API server hears nothing of it, and this is what it would have said."""
        self.status, self.retry_after = status, retry_after
        return self

    def slow(self, seconds):
        """It gets there later."""
        self.pause = seconds
        return self

    def lose_request(self):
        """The connection is reset before the API server hears of it."""
        self.loses.add("request")
        return self

    def lose_answer(self):
        """The connection is reset after the API server has done it."""
        self.loses.add("answer")
        return self

    def swallow_answer(self):
        """The API server does it, and the connection stays open and says nothing more; of a watch, it says nothing at all."""
        self.loses.add("silently")
        return self

    def end_at_once(self):
        """Of a watch: the API server takes it, says nothing, and ends it."""
        self.loses.add("events")
        return self

    def before(self, hook):
        """Something happens right before it gets there; then it is lost."""
        self.hooks["before"].append(hook)
        return self.lose_request()

    def meanwhile(self, hook):
        """Something happens right before it gets there."""
        self.hooks["before"].append(hook)
        return self

    def after(self, hook):
        """Something happens right after it is done; its answer is lost."""
        self.hooks["after"].append(hook)
        return self.lose_answer()


@dataclass
class Answer:
    """What a request is answered: of a watch, the body has a line for each event."""

    status: int
    headers: dict
    body: asyncio.StreamReader
    close: Callable[[], None]


class Faults:
    """Listens, over TLS, with the API server's own certificate, and spoils what the rules say. How everything else is answered is
    for whoever is one: `open` gives an answer."""

    def __init__(self, cluster):
        # Any, and the same from then on.
        self.port = 0
        self.requests = []
        self._rules, self._events = [], []
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(cluster.chain, cluster.key)
        self._open = set()
        self._server = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.back()
        self.port = self._server.sockets[0].getsockname()[1]

    def _do(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout=_SECONDS)

    def on(self, verbs, path="", **which):
        """Adds a rule about requests. `skip`, `every` and `times` count those that match; with `each`, the first one of every
        `place` or `content` fails."""
        rule = Rule(verbs, path, **which)
        self._rules.append(rule)
        return rule

    def events(self, path="", types="ADDED MODIFIED DELETED", **which):
        """Adds a rule about the events of watches."""
        rule = EventRule(path, types, **which)
        self._events.append(rule)
        return rule

    def mend(self):
        """Forgets all rules."""
        self._rules.clear()
        self._events.clear()

    def count(self, *verbs, path="", since=0.0):
        """How many requests there were."""
        return sum(one.verb in verbs and re.search(path, one.path) is not None and one.at >= since for one in self.requests)

    def gone(self):
        """Nobody listens any more, and every connection is cut."""
        async def close():
            self._server.close()
            self._cut()
        self._do(close())

    def back(self):
        """Listens again at the same place."""
        async def listen():
            self._server = await asyncio.start_server(
                self._serve, "127.0.0.1", self.port, ssl=self._tls, limit=1 << 24)
        self._do(listen())

    def cut(self):
        """Cuts every connection."""
        async def cut():
            self._cut()
        self._do(cut())

    def _cut(self):
        for writer in list(self._open):
            writer.transport.abort()

    def stop(self):
        """Ends it."""
        self.gone()

        async def end():
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        self._do(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=_SECONDS)
        self._loop.close()

    async def _serve(self, reader, writer):
        self._open.add(writer)
        try:
            while (request := await _read(reader)) is not None:
                self.requests.append(request)
                if not await self._answer(request, writer):
                    writer.transport.abort()
                    return
        except (OSError, asyncio.IncompleteReadError, ssl.SSLError, asyncio.CancelledError):
            # Only the end of the proxy cancels it.
            writer.transport.abort()
        finally:
            self._open.discard(writer)
            writer.close()

    async def _answer(self, request, writer):
        """Answers a request; whether the connection goes on."""
        rules = [rule for rule in list(self._rules) if rule.takes(request)]
        loses = set().union(*(rule.loses for rule in rules))
        for rule in rules:
            if rule.pause:
                await asyncio.sleep(rule.pause)
            for hook in rule.hooks["before"]:
                await asyncio.to_thread(hook)
        if "request" in loses:
            return False
        for rule in rules:
            if rule.status:
                _refuse(writer, request, rule.status, rule.retry_after)
                await writer.drain()
                return True
        if request.verb == "watch" and "silently" in loses:
            await asyncio.Event().wait()
        if request.verb == "watch" and "events" in loses:
            request.answered = 200
            _send(writer, 200, {"content-type": "application/json"}, b"")
            await writer.drain()
            return True
        answer = await self.open(request)
        try:
            request.answered = answer.status
            if request.verb == "watch" and answer.status == 200:
                await self._watch(request, answer, writer)
                return True
            body = await answer.body.read()
        finally:
            answer.close()
        for rule in rules:
            for hook in rule.hooks["after"]:
                await asyncio.to_thread(hook)
        if "answer" in loses:
            return False
        if "silently" in loses:
            await asyncio.Event().wait()
        _send(writer, answer.status, answer.headers, body)
        await writer.drain()
        return True

    async def open(self, request):
        """Begins to answer a request."""
        raise NotImplementedError

    async def _watch(self, request, answer, writer):
        """Passes on a watch, event by event."""
        writer.write(_lines(answer.status, answer.headers | {"transfer-encoding": "chunked"}))
        await writer.drain()
        goes_on = True
        while goes_on and not writer.is_closing():
            try:
                line = await asyncio.wait_for(answer.body.readline(), 0.3)
                goes_on = bool(line)
            except TimeoutError:
                line = b""
            sent = [line] if line else []
            for rule in [rule for rule in list(self._events) if rule.is_about(request.path)]:
                sent = [one for event in sent for one in rule.through(event, id(request))]
                sent += rule.late(id(request)) if not line else []
                goes_on = goes_on and not rule.is_over()
            for one in sent:
                writer.write(f"{len(one):x}\r\n".encode() + one + b"\r\n")
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()


async def _read(reader):
    """The next request of a connection, or none."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    path, _, query = target.partition("?")
    return Request(verb(method, path, query), path, query, method, headers, body)


def _lines(status, headers):
    return "\r\n".join([f"HTTP/1.1 {status} Whatever", *(f"{k}: {v}" for k, v in headers.items()), "", ""]).encode()


def _send(writer, status, headers, body):
    writer.write(_lines(status, headers | {"content-length": str(len(body))}) + body)


def _refuse(writer, request, status, retry_after):
    """A refusal as the API server words it."""
    request.answered = status
    body = json.dumps({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": status,
                       "reason": REASONS[status], "message": "injected by the test"}).encode()
    headers = {"content-type": "application/json"} | ({"retry-after": str(retry_after)} if retry_after else {})
    _send(writer, status, headers, body)
