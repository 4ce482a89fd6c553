"""A Git host as the product sees it: deliveries of its webhooks, and an API that takes statuses and comments.

The API is GitHub's, as far as the product uses it. Every request is held to the description that GitHub publishes, which
`cargo xtask tools` fetches.
"""

import hashlib
import hmac
import json
import os
import re
import threading
import time
import urllib.parse
import uuid
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jsonschema
from support.canary import Canary
from support.evidence import SUITE

REPOSITORY = "acme/shop"
ACCOUNT = "whimbrel-bot"


class Delivery:
    """A delivery of GitHub's, as it is sent: headers and bytes."""

    def __init__(self, event, payload, secret, number=None):
        self.body = json.dumps(payload).encode()
        self.headers = {
            "Accept": "*/*", "Content-Type": "application/json", "User-Agent": "GitHub-Hookshot/044aadd",
            "X-GitHub-Delivery": number or str(uuid.uuid4()), "X-GitHub-Event": event, "X-GitHub-Hook-ID": "292430182",
            "X-GitHub-Hook-Installation-Target-ID": "79929171",
            "X-GitHub-Hook-Installation-Target-Type": "repository",
        }
        if secret:
            digest = hmac.new(secret.encode(), self.body, hashlib.sha256).hexdigest()
            self.headers["X-Hub-Signature-256"] = f"sha256={digest}"

    def send(self, server, source="shop", status=None):
        """Sends it; `status` is what must be answered, None for any."""
        answer = server.request("POST", f"/hooks/{source}", self.body, **self.headers)
        assert status in (None, answer.status), f"{status}: {answer}"
        return answer


def _repository(name):
    owner, short = name.split("/")
    return {
        "id": 186853002, "node_id": "MDEwOlJlcG9zaXRvcnkxODY4NTMwMDI=", "name": short, "full_name": name,
        "private": False, "owner": {"login": owner, "id": 21031067, "type": "Organization"}, "fork": False,
        "html_url": f"https://github.com/{name}", "clone_url": f"https://github.com/{name}.git",
        "default_branch": "main",
    }


def push(commit, secret, *, repository=REPOSITORY, branch="main", before="0" * 40, number=None):
    """A delivery of a push."""
    author = {"name": "Ada", "email": "ada@example.com", "username": "ada"}
    head = {
        "id": commit, "tree_id": "1" * 40, "distinct": True, "message": "Change the shop", "author": author,
        "committer": author, "timestamp": "2026-01-02T03:04:05Z", "added": [], "removed": [], "modified": [],
        "url": f"https://github.com/{repository}/commit/{commit}",
    }
    return Delivery("push", {
        "ref": f"refs/heads/{branch}", "before": before, "after": commit, "repository": _repository(repository),
        "pusher": {"name": "ada", "email": "ada@example.com"}, "sender": {"login": "ada", "id": 1}, "created": False,
        "deleted": False, "forced": False, "base_ref": None, "compare": "https://github.com/", "commits": [head],
        "head_commit": head,
    }, secret, number)


def pull_request(action, number, commit, secret, *, base="main", source=REPOSITORY, repository=REPOSITORY):
    """A delivery about a pull request whose commits come from the repository `source`."""
    def side(name, branch, sha):
        return {"label": f"acme:{branch}", "ref": branch, "sha": sha, "user": {"login": "acme"},
                "repo": name and _repository(name)}
    state = "closed" if action == "closed" else "open"
    return Delivery("pull_request", {
        "action": action, "number": number, "repository": _repository(repository), "sender": {"login": "eve", "id": 2},
        "pull_request": {
            "id": 279147437, "number": number, "state": state, "locked": False, "title": "Change the shop", "body": "",
            "user": {"login": "eve", "id": 2}, "draft": False, "merged": False, "head": side(source, "change", commit),
            "base": side(repository, base, "2" * 40),
        },
    }, secret)


def ping(secret):
    """A delivery that tries a hook."""
    return Delivery("ping", {
        "zen": "Keep it logically awesome.", "hook_id": 292430182, "repository": _repository(REPOSITORY),
        "hook": {"type": "Repository", "id": 292430182, "name": "web", "active": True, "events": ["push"]},
    }, secret)


@cache
def _description():
    """GitHub's own description of its API."""
    tools = Path(os.environ.get("WHIMBREL_CACHE", Path.home() / ".cache/whimbrel")) / "tools/payloads"
    file = tools / "github-openapi.json"
    assert file.exists(), f"no {file}: `cargo xtask tools` fetches what GitHub publishes of its API"
    return json.loads(file.read_text())


def _hold(method, path, body):
    """Holds a request to the description."""
    description = _description()
    for pattern, operations in description["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", pattern), path) and method.lower() in operations:
            operation = operations[method.lower()]
            if body is not None:
                schema = operation["requestBody"]["content"]["application/json"]["schema"]
                jsonschema.validate(body, schema | {"components": description["components"]})
            return
    raise AssertionError(f"GitHub has no {method} {path}")


class GitHub:
    """An API that keeps what it is told."""

    def __init__(self, evidence=SUITE):
        self.evidence = evidence
        self.token = Canary.hatch("a token of a Git host", plain=True)
        self.statuses = []
        self.comments = {}
        # How often each comment was written.
        self.writes = 0
        self.refused = 0
        self.wrong = []
        # While set, every request is answered with this status.
        self.status = None
        # How long whoever asks is to wait, in seconds, counted from the first answer that says so.
        self.limit = None
        self.limited_until = None
        self._numbers = iter(range(1, 10_000))
        self._lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.api = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        """Ends it."""
        self.server.shutdown()
        self.server.server_close()
        assert self.wrong == [], self.wrong

    def state(self, commit, context):
        """The newest status of a commit: its state and its description."""
        with self._lock:
            found = [one for one in self.statuses if (one["commit"], one["context"]) == (commit, context)]
        return (found[-1]["state"], found[-1]["description"]) if found else None

    def states(self, commit, context):
        """All states of a commit, in order."""
        with self._lock:
            return [one["state"] for one in self.statuses if (one["commit"], one["context"]) == (commit, context)]

    def said(self):
        """Everything that anybody could read there."""
        with self._lock:
            return json.dumps([self.statuses, self.comments])

    def comment(self, number, text, author):
        """Somebody comments."""
        with self._lock:
            comment = {"id": next(self._numbers), "body": text, "user": {"login": author}}
            self.comments.setdefault(number, []).append(comment)
            return comment

    def ours(self, number):
        """The texts of the product's own comments on a pull request."""
        with self._lock:
            return [one["body"] for one in self.comments.get(number, []) if one["user"]["login"] == ACCOUNT]

    def _answer(self, method, target, headers, body):
        path, _, query = target.partition("?")
        if self.limit and self.limited_until is None:
            self.limited_until = time.monotonic() + self.limit
        elif self.limit and time.monotonic() < self.limited_until:
            self.wrong.append(f"{method} {path} came before the limit had ended")
        elif self.limit:
            self.limit = None
        if self.status or self.limit:
            self.refused += 1
            return self.status or 429, {"message": "API rate limit exceeded"}
        if headers.get("Authorization") != f"Bearer {self.token.value}":
            self.refused += 1
            return 401, {"message": "Bad credentials"}
        try:
            _hold(method, path, body)
        except (AssertionError, jsonschema.ValidationError) as error:
            self.wrong.append(str(error))
        parts = path.strip("/").split("/")
        if parts[:3] != ["repos", *REPOSITORY.split("/")]:
            return 404, {"message": "Not Found"}
        match (method, parts[3:]):
            case "POST", ["statuses", commit]:
                with self._lock:
                    self.statuses.append(body | {"commit": commit})
                return 201, {"id": 1}
            case "GET", ["issues", number, "comments"]:
                asked = urllib.parse.parse_qs(query)
                size, page = int(asked["per_page"][0]), int(asked["page"][0])
                with self._lock:
                    return 200, self.comments.get(int(number), [])[(page - 1) * size:page * size]
            case "POST", ["issues", number, "comments"]:
                self.writes += 1
                return 201, self.comment(int(number), body["body"], ACCOUNT)
            case "PATCH", ["issues", "comments", wanted]:
                self.writes += 1
                with self._lock:
                    for one in (one for all_of in self.comments.values() for one in all_of):
                        if one["id"] == int(wanted):
                            one["body"] = body["body"]
                            return 200, one
        return 404, {"message": "Not Found"}

    def _handler(self):
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                return

            def do_GET(self):
                length = int(self.headers.get("Content-Length", 0))
                sent = self.rfile.read(length)
                outer.evidence.hear("git-host", f"{self.command} {self.path}", sent)
                status, body = outer._answer(self.command, self.path, self.headers, json.loads(sent) if sent else None)
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json; charset=utf-8")
                self.send_header("Content-Length", str(len(content)))
                if status in (403, 429):
                    self.send_header("Retry-After", str(outer.limit or 1))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_PATCH = do_GET

        return Handler
