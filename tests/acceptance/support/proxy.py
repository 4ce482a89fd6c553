"""A proxy before a store that counts what is asked and fails as it is told: the program of tests/crates/faulty-proxy."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from support.product import ROOT, target_folder


def find_or_build():
    """The program: FAULTY_PROXY_BIN, else a plain build of this clone."""
    if given := os.environ.get("FAULTY_PROXY_BIN"):
        return Path(given)
    cargo = shutil.which("cargo") or str(Path.home() / ".cargo/bin/cargo")
    subprocess.run([cargo, "build", "--quiet", "--package", "whimbrel-faulty-proxy"], cwd=ROOT, check=True)
    return target_folder() / "debug/whimbrel-faulty-proxy"


class Proxy:
    """A running one, over TLS."""

    def __init__(self, program, upstream, certificate=None):
        trusted = [certificate] if certificate else []
        self.folder = Path(tempfile.mkdtemp(prefix="wbproxy-"))
        self._process = subprocess.Popen([program, upstream, *trusted], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         text=True)
        started = json.loads(self._process.stdout.readline())
        self.address = started["address"]
        self.certificate = self.folder / "ca.pem"
        self.certificate.write_text(started["certificate"])

    def stop(self):
        """Ends it."""
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _tell(self, command):
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert "error" not in answer, answer
        return answer

    def inject(self, path, fault, **rule):
        """Adds a rule: what begins so fails so; `method`, `header` and `times` narrow it."""
        self._tell({"path": path, "fault": fault} | rule)

    def mend(self):
        """Forgets all rules."""
        self._tell("mend")

    def seen(self, path=""):
        """What was asked for paths that begin so."""
        return [request for request in self._tell("seen") if request["target"].startswith(path)]
