"""Real parts that tests start: where their programs are, and what they inherit."""

import os
import shutil
import socket
from pathlib import Path


def there(variable, name):
    """The program that a variable names, the one that `cargo xtask tools` installed, or one on PATH; None if there is none."""
    if given := os.environ.get(variable):
        return given
    cache = Path(os.environ.get("WHIMBREL_CACHE", Path.home() / ".cache/whimbrel"))
    return shutil.which(name, path=os.pathsep.join([str(cache / "tools/bin"), os.environ.get("PATH", "")]))


def program(variable, name):
    """The same; that there is none is an error."""
    found = there(variable, name)
    if not found:
        raise RuntimeError(f"{name} is missing: `cargo xtask tools` installs it, {variable} says where another one is")
    return found


def free_port():
    """A port of 127.0.0.1 that nobody listened on a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def surroundings(home, **more):
    """The environment of such a program: nothing of the tester's own for it."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("VAULT_", "BAO_", "AWS_", "MOTO_"))}
    return kept | {"HOME": str(home)} | more
