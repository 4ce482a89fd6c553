"""A real Prometheus and a real Pushgateway, and what serves them a file."""

import base64
import contextlib
import functools
import http.server
import json
import re
import subprocess
import threading
import urllib.parse
import urllib.request

from support.evidence import SUITE
from support.parts import free_port, program, surroundings
from support.waiting import eventually

SAMPLE = re.compile(r'^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def samples(text):
    """The samples of an exposition: name → list of (labels, value)."""
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, labels, value = SAMPLE.match(line).groups()
            found.setdefault(name, []).append((dict(LABEL.findall(labels or "")), float(value)))
    return found


def value(text, name, **labels):
    """The value of the one sample with at least these labels; none if there is none."""
    fitting = [value for found, value in samples(text).get(name, []) if labels.items() <= found.items()]
    assert len(fitting) < 2, (name, labels, fitting)
    return fitting[0] if fitting else None


def lint(text):
    """What promtool has against an exposition."""
    done = subprocess.run([program("PROMTOOL", "promtool"), "check", "metrics"], input=text, capture_output=True,
                          text=True, check=False)
    return done.stdout + done.stderr + (f"exit code {done.returncode}" if done.returncode else "")


class _Server:
    """A program that listens, until it is stopped."""

    def __init__(self, folder, port, arguments, ready, trust=None):
        self.url = f"{'https' if trust else 'http'}://127.0.0.1:{port}"
        self.trust = trust
        self.log = (folder / "log").open("w")
        self.process = subprocess.Popen(arguments, stdout=self.log, stderr=self.log, cwd=folder,
                                        env=surroundings(folder))
        try:
            eventually(lambda: self._answers(ready), f"{arguments[0]} is ready", within=60)
        except BaseException:
            self.stop()
            raise

    def _answers(self, path):
        assert self.process.poll() is None, (self.process.args, self.log.name)
        try:
            with urllib.request.urlopen(self.url + path, timeout=5, context=self.trust) as answer:
                return answer.status == 200
        except OSError as error:
            return getattr(error, "code", None) == 401

    def stop(self):
        """Ends it."""
        self.process.kill()
        self.process.wait()
        self.log.close()


class Pushgateway(_Server):
    """A Pushgateway; `web` is its own configuration of TLS and logins."""

    def __init__(self, folder, web=None, trust=None):
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        arguments = [program("PUSHGATEWAY", "prometheus-pushgateway"), f"--web.listen-address=127.0.0.1:{port}"]
        if web:
            (folder / "web.yml").write_text(web)
            arguments.append("--web.config.file=web.yml")
        super().__init__(folder, port, arguments, "/-/ready", trust)

    def shown(self, login=None):
        """What it would tell Prometheus."""
        request = urllib.request.Request(self.url + "/metrics")
        if login:
            request.add_header("Authorization", "Basic " + base64.b64encode(":".join(login).encode()).decode())
        with urllib.request.urlopen(request, timeout=10, context=self.trust) as answer:
            shown = answer.read().decode()
        SUITE.hear("pushed", shown)
        return shown


class Prometheus(_Server):
    """A Prometheus that scrapes one address every second, with these rules."""

    def __init__(self, folder, target, rules):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "rules.yml").write_text(rules)
        (folder / "prometheus.yml").write_text(json.dumps({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": ["rules.yml"],
            "scrape_configs": [{"job_name": "whimbrel", "static_configs": [{"targets": [target]}]}],
        }))
        port = free_port()
        arguments = [program("PROMETHEUS", "prometheus"), "--config.file=prometheus.yml",
                     "--storage.tsdb.path=data", f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
        super().__init__(folder, port, arguments, "/-/ready")

    def _get(self, path, **parameters):
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=10) as answer:
            answered = json.load(answer)
        assert answered["status"] == "success", answered
        return answered["data"]

    def query(self, expression):
        """The series that an expression gives now."""
        return self._get("query", query=expression)["result"]

    def firing(self):
        """The names of the alerts that fire now."""
        return {alert["labels"]["alertname"] for alert in self._get("alerts")["alerts"] if alert["state"] == "firing"}

    def is_scraped(self):
        """Whether its target answers it."""
        targets = self._get("targets")["activeTargets"]
        return bool(targets) and all(target["health"] == "up" for target in targets)


class Served:
    """Serves one file at /metrics, as node_exporter would, until it is stopped."""

    def __init__(self, file):
        handler = functools.partial(_File, file)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        """Ends it."""
        self.server.shutdown()
        self.server.server_close()


class _File(http.server.BaseHTTPRequestHandler):
    def __init__(self, file, *arguments):
        self.file = file
        super().__init__(*arguments)

    def do_GET(self):  # noqa: N802
        """Answers with the file as it is now."""
        body = self.file.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        with contextlib.suppress(ConnectionError):
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *arguments):
        """Says nothing."""
