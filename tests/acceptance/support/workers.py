"""Several processes of pytest that share the tests of one run (pytest-xdist): what they must not do at the same time.

A test of time has the machine for itself, so it holds a lock that others hold together. A second lock is a gate before it:
who waits for the machine closes it, so that the others' next tests come after theirs.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path


def is_shared():
    """Whether others run tests of the same run."""
    return "PYTEST_XDIST_WORKER" in os.environ


def _folder(run):
    return Path(tempfile.gettempdir()) / f"wblock-{run}"


def forget(run):
    """Takes away what the processes of a run have held."""
    shutil.rmtree(_folder(run), ignore_errors=True)


@contextlib.contextmanager
def _held(file, how):
    with file.open("a") as lock:
        fcntl.flock(lock, how)
        yield


@contextlib.contextmanager
def machine(alone):
    """Holds the machine, alone or with the others of this run."""
    if not is_shared():
        yield
        return
    folder = _folder(os.environ["PYTEST_XDIST_TESTRUNUID"])
    folder.mkdir(exist_ok=True)
    with contextlib.ExitStack() as held:
        with _held(folder / "gate", fcntl.LOCK_EX):
            held.enter_context(_held(folder / "machine", fcntl.LOCK_EX if alone else fcntl.LOCK_SH))
        yield
