"""The doors of the fake API server: requests over TLS in, answers and events out."""

import asyncio
import datetime
import email.utils
import http
import json
import re
import shutil
import ssl
import tempfile
from pathlib import Path
from urllib.parse import parse_qsl

import yaml
from support.canary import Canary
from support.fake_api_server.kinds import Kinds
from support.fake_api_server.refusals import Refusal, not_found
from support.fake_api_server.store import Store, Watch
from support.fake_api_server.writes import Write, Writes
from support.git_server import certificate
from support.kubernetes import Client
from support.kubernetes_faults import Answer, Faults

USERS = ("admin", "operator", "ann", "bob")
# As often a watch is told how far it is, where it asks for that and nothing happens.
BOOKMARKS = 5.0
_LIMIT = 1 << 24


class FakeCluster(Client):
    """The API server, with a door at which nothing fails."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="wbfake-"))
        self.authority, (self.chain, self.key) = certificate(self.folder / "tls")
        self.trust = ssl.create_default_context(cafile=str(self.authority))
        self.tokens = {user: Canary.hatch(f"the token of {user} at the fake", plain=True) for user in USERS}
        self.kinds, self.store = Kinds(), Store()
        self.writes = Writes(self.store, self.kinds)
        self.broken = []
        self._door = Door(self)
        self.port = self._door.port

    def faulty(self):
        """Another door, which fails as it is told."""
        return Door(self)

    def skew(self, hours):
        """Puts its clock forward, or back."""
        self.store.skew = datetime.timedelta(hours=hours)

    def compact(self):
        """Forgets what has happened until now."""
        self.store.compact()

    def stop(self):
        """Ends it, and what it kept."""
        self._door.stop()
        assert not self.broken, self.broken
        shutil.rmtree(self.folder, ignore_errors=True)


class Door(Faults):
    """Where it listens. What doesn't fail is done at once."""

    def __init__(self, cluster):
        self._cluster, self._store = cluster, cluster.store
        self._tokens = {f"Bearer {token.value}" for token in cluster.tokens.values()}
        super().__init__(cluster)

    async def open(self, request):
        """Does what is asked."""
        query = dict(parse_qsl(request.query))
        body = asyncio.StreamReader(limit=_LIMIT)
        close = lambda: None  # noqa: E731
        try:
            if request.headers.get("authorization") not in self._tokens:
                raise Refusal(401, "Unauthorized")
            with self._store.lock:
                if request.verb == "watch":
                    close = self._follow(request, query, body)
                    return Answer(200, self._headers("application/json"), body, close)
                status, told = self._answered(request, query)
        except Refusal as refusal:
            status, told = refusal.code, refusal.document
        except Exception as error:
            # A fault of the fake's own, which no test has asked for.
            self._cluster.broken.append(error)
            raise
        body.feed_data(told.encode() if isinstance(told, str) else json.dumps(told).encode())
        body.feed_eof()
        return Answer(status, self._headers("text/plain" if isinstance(told, str) else "application/json"), body, close)

    def _headers(self, kind):
        now = datetime.datetime.now(datetime.UTC) + self._store.skew
        return {"content-type": kind, "date": email.utils.format_datetime(now, usegmt=True)}

    def _place(self, request):
        """Kind, namespace, name and subresource of a request; none where there is no such kind."""
        parts = request.path.strip("/").split("/")
        group, version, rest = ("", parts[1], parts[2:]) if parts[0] == "api" else (parts[1], parts[2], parts[3:])
        namespace = None
        if rest[0] == "namespaces" and len(rest) > 2 and rest[2] != "status":
            namespace, rest = rest[1], rest[2:]
        resource = self._cluster.kinds.find(group, version, rest[0])
        name, part = (*rest[1:], "", "")[:2]
        if resource is None or (part and not (part == "status" and resource.has_status)):
            return None
        if name and resource.is_namespaced and namespace is None:
            return None
        return resource, namespace, name, part

    def _answered(self, request, query):
        parts = request.path.strip("/").split("/")
        if parts[0] in ("readyz", "healthz", "livez"):
            return 200, "ok"
        if (found := self._cluster.kinds.discovery(parts)) is not None:
            return 200, found
        place = self._place(request) if parts[0] in ("api", "apis") and len(parts) > 2 else None
        if place is None:
            return 404, "404 page not found\n"
        resource, namespace, name, part = place
        write = Write(resource, namespace, name, part, query, request.headers.get("user-agent", ""))
        writes, accept = self._cluster.writes, request.headers.get("accept", "")
        match request.method, bool(name):
            case "GET", True:
                if (found := self._store.get(resource, namespace, name)) is None:
                    raise not_found(resource, name)
                return 200, _seen(found, accept)
            case "GET", False:
                return 200, self._list(resource, namespace, query, accept)
            case "POST", False:
                return 201, _seen(writes.create(write, _document(request, dict)), accept)
            case "PUT", True:
                return 200, _seen(writes.replace(write, _document(request, dict)), accept)
            case "PATCH", True:
                is_new = self._store.get(resource, namespace, name) is None
                done = writes.patch(write, request.headers.get("content-type", ""), _document(request, (dict, list)))
                return 201 if is_new else 200, _seen(done, accept)
            case "DELETE", True:
                found = self._store.get(resource, namespace, name)
                left = writes.delete(write, _document(request, dict) if request.body else {})
                return 200, left or {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": {
                    "name": name, "group": resource.group, "kind": resource.plural, "uid": found["metadata"]["uid"]}}
            case "DELETE", False:
                for one in self._store.list(resource, namespace):
                    meta = one["metadata"]
                    writes.delete(Write(resource, meta.get("namespace"), meta["name"], "", query, ""), {})
                return 200, self._list(resource, namespace, query, accept)
        raise Refusal(405, "the server does not allow this method on the requested resource")

    def _list(self, resource, namespace, query, accept):
        selects = selector(query)
        items = [one for one in self._store.list(resource, namespace) if selects(one)]
        version, items, further, left = self._store.page(items, int(query.get("limit", 0)), query.get("continue"))
        meta = {"resourceVersion": str(version)} | ({"continue": further, "remainingItemCount": left} if further else {})
        kind = {"kind": f"{resource.kind}List", "apiVersion": resource.api_version}
        if "as=PartialObjectMetadata" in accept:
            kind = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1"}
        return kind | {"metadata": meta, "items": [_seen(one, accept) for one in items]}

    def _follow(self, request, query, body):
        """Has somebody look on; gives what ends that."""
        place = self._place(request)
        if place is None:
            raise Refusal(404, "404 page not found\n")
        resource, namespace, _, _ = place
        loop, accept = asyncio.get_running_loop(), request.headers.get("accept", "")
        timers = []

        def send(kind, found):
            line = json.dumps({"type": kind, "object": found}).encode() + b"\n"
            try:
                loop.call_soon_threadsafe(_feed, body, line)
            except RuntimeError:
                # Its door is no more.
                self._store.end(watch)

        def bookmark():
            with self._store.lock:
                send("BOOKMARK", {"kind": resource.kind, "apiVersion": resource.api_version,
                                  "metadata": {"resourceVersion": str(self._store.version), "creationTimestamp": None}})

        def again():
            bookmark()
            timers.append(loop.call_later(BOOKMARKS, again))

        def end():
            with self._store.lock:
                self._store.end(watch)
            for timer in timers:
                timer.cancel()
            loop.call_soon_threadsafe(_finish, body)

        def over():
            if is_marked:
                bookmark()
            end()
        is_marked = query.get("allowWatchBookmarks") in ("true", "1")
        since = query.get("resourceVersion", "")
        watch = Watch(resource, namespace, selector(query), lambda kind, found: send(kind, _seen(found, accept)), end)
        if not self._store.begin(watch, None if since in ("", "0") else int(since)):
            # As an event, whatever else there is to say.
            send("ERROR", Refusal(410, f"too old resource version: {since} ({self._store.version})").document)
            end()
            return end
        timers.append(loop.call_later(float(query.get("timeoutSeconds", 300)), over))
        if is_marked:
            timers.append(loop.call_later(BOOKMARKS, again))
        return end


def _feed(body, line):
    if not body.at_eof():
        body.feed_data(line)


def _finish(body):
    body.feed_eof()


def _document(request, expected):
    """The body of a request."""
    try:
        found = json.loads(request.body)
    except ValueError:
        try:
            found = yaml.safe_load(request.body)
        except yaml.YAMLError as error:
            raise Refusal(400, f"the body can't be read: {error}") from None
    if not isinstance(found, expected):
        raise Refusal(400, "the body is no object")
    return found


def _seen(found, accept):
    """An object, or only its metadata, as somebody asks for it."""
    if "as=PartialObjectMetadata" not in accept:
        return found
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": found["metadata"]}


def selector(query):
    """What is selected by labels and fields."""
    labels = [part for part in query.get("labelSelector", "").split(",") if part]
    fields = [part for part in query.get("fieldSelector", "").split(",") if part]

    def value(meta, part):
        name, is_given, wanted = re.sub("!=|==", "=", part).partition("=")
        found = meta.get("labels", {}).get(name)
        if not is_given:
            return found is not None
        return (found == wanted) != ("!=" in part)

    def field(found, part):
        path, _, wanted = part.partition("=")
        if path not in ("metadata.name", "metadata.namespace"):
            raise Refusal(http.HTTPStatus.BAD_REQUEST, f'field label not supported: "{path}"')
        return found["metadata"].get(path.removeprefix("metadata.")) == wanted.removeprefix("=")
    return lambda found: (all(value(found["metadata"], part) for part in labels) and all(field(found, part) for part in fields))
