"""A user's project: documents in a folder, and the folder as a Git repository. JSON is YAML, so documents are dicts."""

import json
import subprocess
from pathlib import Path

from support.product import environment

API = "whimbrel.dev/v1alpha1"


class Project:
    """A folder that `whimbrel` reads, and its repository."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.declare()
        self.write(".gitignore", "/var/\n")
        (self.folder / "migrations").mkdir(exist_ok=True)
        (self.folder / "var").mkdir(exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def declare(self, name="shop", defaults=None, **spec):
        """Writes the project's own document; migrations that name no database change `shop`."""
        self.write("whimbrel.yaml", {
            "apiVersion": API, "kind": "Project", "metadata": {"name": name},
            "spec": {"defaults": {"database": "shop"} if defaults is None else defaults} | spec,
        })

    def write(self, path, content):
        """Writes a file; anything but text becomes a JSON document."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content if isinstance(content, str) else json.dumps(content, indent=2) + "\n")
        return file

    def remove(self, path):
        """Removes a file."""
        (self.folder / path).unlink()

    def environment(self, name, databases, *, policy=None, **spec):
        """Writes an environment that applies and reverts at once unless its policy says otherwise."""
        allow = {"apply": "Auto", "onRevert": "Auto", "destructive": "Allow", "maxReverts": 100, "lockWait": "5s"}
        databases = {
            database: {"url": target} | getattr(target, "references", {}) if isinstance(target, str) else target
            for database, target in databases.items()
        }
        self.write(f"environments/{name}.yaml", {
            "apiVersion": API, "kind": "Environment", "metadata": {"name": name},
            "spec": {"databases": databases, "policy": allow | (policy or {})} | spec,
        })

    def migration(self, name, *steps, **spec):
        """Writes a migration: each step is a dict, or SQL, or SQL with its revert."""
        self.write(f"migrations/{name}.yaml", {
            "apiVersion": API, "kind": "Migration", "metadata": {"name": name},
            "spec": {"steps": [_step(step) for step in steps]} | spec,
        })

    def plain(self, name, up, down=None, **headers):
        """Writes a migration in plain SQL."""
        lines = [f"-- whimbrel:{key.replace('_', '-')} {value}" for key, value in headers.items()]
        lines += ["-- whimbrel:up", up]
        if down is not None:
            lines += ["-- whimbrel:down", down]
        self.write(f"migrations/{name}.sql", "\n".join(lines) + "\n")

    def table(self, name):
        """Writes a migration that makes a table, whose revert drops it: 0001-people makes people."""
        table = name.split("-", 1)[1].replace("-", "_")
        self.migration(name, (f"CREATE TABLE {table} (id bigint PRIMARY KEY)", f"DROP TABLE {table}"))

    def git(self, *arguments, author="Ada <ada@example.com>"):
        """Runs git in the folder and gives its output."""
        name, email = author.rstrip(">").split(" <")
        identity = {
            f"GIT_{who}_{what}": value
            for who in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", name), ("EMAIL", email))
        }
        done = subprocess.run(["git", *arguments], cwd=self.folder, env=environment(**identity), check=True,
                              capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, message="Change the shop", **author):
        """Commits everything and gives the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message, **author)
        return self.git("rev-parse", "HEAD")


def _step(step):
    if isinstance(step, dict):
        return step
    if isinstance(step, str):
        return {"sql": step}
    up, down = step
    return {"sql": up, "revert": down}
