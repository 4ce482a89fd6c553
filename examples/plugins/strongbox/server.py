"""A Strongbox to try the plugin with: `python3 server.py 8700` serves what the README says, from memory.

A second argument names a JSON file of more secrets: names with their versions, oldest first. The client `whimbrel` with the key `open sesame` may read `shop/database` (versions 1 and 2) and borrow by the role `app`.
"""

import json
import secrets
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

CLIENTS = {"whimbrel": "open sesame"}
KEPT = {"shop/database": [{"password": "the first"}, {"password": "the second"}]}
ROLES = {"app": {"fields": ["password", "username"], "seconds": 30}}
LOGIN_SECONDS = 600

logins = {}
loans = {}


class Refused(Exception):
    """A status and why."""


def kept(name, query):
    """A version of a secret that is kept, and its number."""
    versions = KEPT.get(name, [])
    number = int(query.get("version", [len(versions)])[0])
    if not 1 <= number <= len(versions):
        raise Refused(404, f"there is no {name} in version {number}")
    return number, versions[number - 1]


def lend(role):
    """New credentials for a while."""
    if role not in ROLES:
        raise Refused(404, f"there is no role {role}")
    loan, seconds = secrets.token_hex(8), ROLES[role]["seconds"]
    loans[loan] = time.monotonic() + seconds
    return {"loan": loan, "seconds": seconds, "fields": {"username": f"app-{loan}", "password": secrets.token_hex(16)}}


def running(loan):
    """Refuses a loan that is over."""
    if loans.get(loan, 0) < time.monotonic():
        loans.pop(loan, None)
        raise Refused(404, "the loan is over")
    return loan


def log_in(body):
    """A token for who has the key."""
    if CLIENTS.get(body.get("client")) != body.get("key"):
        raise Refused(403, "who is that?")
    token = secrets.token_hex(16)
    logins[token] = time.monotonic() + LOGIN_SECONDS
    return {"token": token, "seconds": LOGIN_SECONDS}


def answer(method, path, query, body, token):
    """What a request gets; none is a status of 204."""
    if (method, path) == ("POST", "login"):
        return log_in(body)
    if logins.get(token, 0) < time.monotonic():
        raise Refused(401, "log in")
    folder, _, name = path.partition("/")
    match method, folder:
        case "DELETE", "login":
            del logins[token]
            return None
        case "GET", "secrets":
            version, fields = kept(name, query)
            return {"version": version, "fields": fields}
        case "GET", "shapes":
            version, fields = kept(name, query)
            return {"version": version, "fields": sorted(fields), "rotates": None}
        case "GET", "roles" if name in ROLES:
            return ROLES[name]
        case "POST", "loans" if not name:
            return lend(body["role"])
        case "POST", "loans":
            loans[running(name)] = time.monotonic() + body["seconds"]
            return {"seconds": body["seconds"]}
        case "DELETE", "loans":
            del loans[running(name)]
            return None
    raise Refused(404, "nothing is here")


class Handler(BaseHTTPRequestHandler):
    """HTTP around it."""

    protocol_version = "HTTP/1.1"

    def serve(self):
        """Any method."""
        url = urlsplit(self.path)
        text = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            body = json.loads(text) if text else {}
            given = answer(self.command, url.path.strip("/"), parse_qs(url.query), body, token)
            self.reply(204 if given is None else 200, given)
        except Refused as refused:
            self.reply(refused.args[0], {"error": refused.args[1]})
        except (ValueError, KeyError, TypeError):
            self.reply(400, {"error": "that makes no sense"})

    do_GET = do_POST = do_DELETE = serve  # noqa: N815, the base class calls them so

    def reply(self, status, body):
        """A status, and JSON if there is any."""
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        KEPT.update(json.loads(Path(sys.argv[2]).read_text()))
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
