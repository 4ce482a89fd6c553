"""The product as a program: how it is found, built and run. Nothing here knows what is inside it."""

import json
import os
import shutil
import signal
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

from support.canary import Canary
from support.evidence import SUITE
from support.waiting import eventually

ROOT = Path(__file__).resolve().parents[3]

# Exit codes as the product promises them.
OK, FAILED, PENDING, FINDINGS, DRIFT, LOCKED, REFUSED, UNKNOWN, PARTLY = range(9)
USAGE, RETRY, INTERRUPTED, TERMINATED = 64, 75, 130, 143


@dataclass
class Ended:
    """A finished run of the product."""

    arguments: list
    code: int
    out: str
    err: str

    @property
    def said(self):
        """Everything it said, on both streams."""
        return self.out + self.err

    def json(self):
        """What it wrote to stdout, as JSON."""
        return json.loads(self.out)

    def __str__(self):
        shown = " ".join(map(str, self.arguments))
        return f"$ whimbrel {shown}\n[exit code {self.code}]\n-- stdout\n{self.out}\n-- stderr\n{self.err}"


def environment(**changes):
    """The environment of a run: nothing of the tester's own set-up for Git, colour or Whimbrel reaches it."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "PG", "WHIMBREL_", "NO_COLOR"))}
    kept |= {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        # Whatever it leaves there is evidence, too.
        "TMPDIR": str(SUITE.temporary),
        "HOME": str(SUITE.home),
    }
    Canary.of_variables(changes)
    for name, value in changes.items():
        kept.pop(name, None)
        if value is not None:
            kept[name] = str(value)
    return kept


def find_or_build():
    """The binary under test: WHIMBREL_BIN, else a plain build of this clone."""
    if given := os.environ.get("WHIMBREL_BIN"):
        return Path(given).resolve()
    cargo = shutil.which("cargo") or str(Path.home() / ".cargo/bin/cargo")
    target = target_folder()
    if not any((target / "components").glob("*.wasm")):
        subprocess.run([cargo, "xtask", "plugins"], cwd=ROOT, check=True)
    # Run again and again this costs a second; what is tested is never older than its sources.
    build = [cargo, "build", "--quiet", "--package", "whimbrel", "--features", "crash-points,opentelemetry"]
    subprocess.run(build, cwd=ROOT, check=True)
    return target / "debug/whimbrel"


def guest_file(name):
    """A guest that misbehaves: the file that `cargo xtask plugins` made."""
    folder = Path(os.environ.get("WHIMBREL_TEST_COMPONENTS", target_folder() / "test-components"))
    return folder / f"{name}.wasm"


def target_folder():
    """Where cargo puts what it builds."""
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


class Whimbrel:
    """Runs the product in a project's folder."""

    def __init__(self, binary, folder, evidence=SUITE, **variables):
        self.binary = binary
        self.folder = folder
        self.evidence = evidence
        self.variables = variables

    def run(self, *arguments, code=OK, stdin=None, timeout=240, **variables):
        """Runs it to its end; `code` is the exit code that it must have, None for any."""
        done = subprocess.run(
            [self.binary, *map(str, arguments)],
            cwd=self.folder,
            env=environment(**(self.variables | variables)),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        self.evidence.keep(arguments, done.stdout, done.stderr)
        ended = Ended(list(arguments), done.returncode, done.stdout, done.stderr)
        assert code is None or ended.code == code, f"expected exit code {code}\n{ended}"
        return ended

    def json(self, *arguments, code=OK, **variables):
        """Runs it with `--format json` and gives what it said."""
        return self.run(*arguments, "--format", "json", code=code, **variables).json()

    def start(self, *arguments, **variables):
        """Starts it and gives the running process."""
        return Running(
            subprocess.Popen(
                [self.binary, *map(str, arguments)],
                cwd=self.folder,
                env=environment(**(self.variables | variables)),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            ),
            list(arguments),
            self.evidence,
        )


class Running:
    """A run that goes on while the test does other things."""

    def __init__(self, process, arguments, evidence=SUITE):
        self.process = process
        self.arguments = arguments
        self.evidence = evidence
        self._said = []
        self._reader = None

    def follow(self):
        """Keeps reading what it says on stderr, so that no full pipe holds it up."""
        self._reader = threading.Thread(target=lambda: self._said.extend(self.process.stderr), daemon=True)
        self._reader.start()

    def said(self):
        """What a followed one has said on stderr so far."""
        return "".join(self._said)

    def interrupt(self):
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def terminate(self):
        """What an orchestrator sends first."""
        self.process.send_signal(signal.SIGTERM)

    def kill(self):
        """What nobody can catch."""
        self.process.kill()

    def stop(self):
        """Stops it where it is, as a debugger or a laptop's lid does."""
        self.process.send_signal(signal.SIGSTOP)

    def end(self, code=OK, timeout=120):
        """Waits for its end."""
        if self._reader:
            self.process.wait(timeout=timeout)
            self._reader.join(timeout=timeout)
            out, err = self.process.stdout.read(), self.said()
        else:
            out, err = self.process.communicate(timeout=timeout)
        self.evidence.keep(self.arguments, out, err)
        ended = Ended(self.arguments, self.process.returncode, out, err)
        assert code is None or ended.code == code, f"expected exit code {code}\n{ended}"
        return ended
