"""A collector of OpenTelemetry, as the product sends traces to it."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from support.evidence import SUITE


class Collector:
    """Takes OTLP over HTTP with JSON, as <https://opentelemetry.io/docs/specs/otlp/#otlphttp> says."""

    def __init__(self, evidence=SUITE):
        spans = self.spans = []
        requests = self.requests = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                requests.append((self.path, self.headers["content-type"], self.headers.get("x-team")))
                evidence.hear("spans", self.path, body)
                for resource in json.loads(body)["resourceSpans"]:
                    service = attributes(resource["resource"])["service.name"]
                    for scope in resource["scopeSpans"]:
                        spans.extend(span | {"service": service} for span in scope["spans"])
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        """Ends it."""
        self.server.shutdown()
        self.server.server_close()

    def named(self, name):
        """The one span of this name."""
        found = [span for span in self.spans if span["name"] == name]
        assert len(found) == 1, [span["name"] for span in self.spans]
        return found[0]


def attributes(thing):
    """The attributes of a span or a resource by name."""
    return {one["key"]: next(iter(one["value"].values())) for one in thing.get("attributes", [])}


def variables(url):
    """Where to send traces, and how."""
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}
