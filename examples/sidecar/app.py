"""A guest book that begins when the schema that this version needs is there, and says so to its own probes.

It knows one thing of Whimbrel: where the sidecar is. It has no right to change its schema, and needs none.
"""

import http.client
import json
import os
import socket
import sqlite3
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

# Grows with the app: the newest migration that this code relies on.
NEEDS = "0001-guests"
SIDECAR = os.environ["WHIMBREL_SOCKET"]
DATABASE = os.environ["GUESTBOOK_DATABASE"]


def is_ready():
    """Whether the sidecar says that the schema is there."""
    connection = http.client.HTTPConnection("localhost", timeout=5)
    connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.sock.connect(SIDECAR)
        connection.request("GET", f"/readyz/dev?migration={NEEDS}")
        return connection.getresponse().status == 200
    except OSError:
        # It starts beside this, perhaps later.
        return False
    finally:
        connection.close()


class GuestBook(BaseHTTPRequestHandler):
    """Lists guests, and takes new ones."""

    def do_GET(self):
        """All guests."""
        with sqlite3.connect(DATABASE) as database:
            names = [name for (name,) in database.execute("SELECT name FROM guests ORDER BY name")]
        self._answer(200, names)

    def do_PUT(self):
        """One more guest: the last part of the path."""
        name = self.path.rsplit("/", 1)[-1]
        with sqlite3.connect(DATABASE, timeout=10) as database:
            database.execute("INSERT OR IGNORE INTO guests VALUES (?)", (name,))
        self._answer(201, name)

    def _answer(self, status, what):
        body = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        """Is silent."""


def main():
    """Waits for the schema, then serves."""
    while not is_ready():
        print(f"waiting for {NEEDS}", file=sys.stderr, flush=True)
        time.sleep(0.5)
    server = HTTPServer(("127.0.0.1", int(os.environ.get("PORT", "0"))), GuestBook)
    print(f"serving on {server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
