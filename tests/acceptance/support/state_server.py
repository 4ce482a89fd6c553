"""A server that keeps states of Terraform, as its backend `http` wants it: basic authentication, and locks."""

import base64
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from support.canary import Canary

USER = "keeper"


class StateServer:
    """Keeps the last state of each path."""

    def __init__(self):
        self.password = Canary.hatch("password of the server of states", plain=True)
        self.states = {}
        self.locks = {}
        # Every request that was let in: method and path.
        self.requests = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        """Ends it."""
        self._server.shutdown()
        self._server.server_close()

    def _handler(self):
        outer = self
        login = base64.b64encode(f"{USER}:{self.password.value}".encode()).decode()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                return

            def _answer(self, status, body=b""):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def _serve(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.headers.get("Authorization") != f"Basic {login}":
                    return self._answer(401)
                path = self.path.partition("?")[0]
                outer.requests.append((self.command, path))
                match self.command:
                    case "GET" if path in outer.states:
                        self._answer(200, outer.states[path])
                    case "GET":
                        self._answer(404)
                    case "POST":
                        outer.states[path] = body
                        self._answer(200)
                    case "LOCK" if path in outer.locks:
                        self._answer(423, outer.locks[path])
                    case "LOCK":
                        outer.locks[path] = body
                        self._answer(200)
                    case "UNLOCK":
                        outer.locks.pop(path, None)
                        self._answer(200)
                    case _:
                        self._answer(405)
                return None

            do_GET = do_POST = do_LOCK = do_UNLOCK = _serve

        return Handler
