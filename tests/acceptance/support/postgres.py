"""A private PostgreSQL: one cluster for the whole run, on a Unix socket only, with a database for each test."""

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg

_numbers = itertools.count(1)


def _program(name):
    found = shutil.which(name)
    if found:
        return found
    candidates = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    if candidates:
        return str(candidates[0])
    raise RuntimeError(f"{name} is missing: apt-get install postgresql (cargo xtask test does so)")


class Cluster:
    """A PostgreSQL server of our own."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="wbpg-"))
        self.user = "postgres"
        # PostgreSQL refuses to run as root.
        self._as = []
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres" if _exists("postgres") else "nobody")
            os.chown(self.folder, account.pw_uid, account.pw_gid)
            self._as = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
        self._run("initdb", "--pgdata", self._data, "--username", self.user, "--auth", "trust", "--encoding", "UTF8",
                  "--no-sync", "--locale", "C")
        self._run("pg_ctl", "start", "--wait", "--silent", "--pgdata", self._data, "--log", self.folder / "log",
                  "--options", f"-c listen_addresses='' -k {self.folder} -c max_connections=200 -c fsync=off")

    @property
    def _data(self):
        return self.folder / "data"

    def _run(self, name, *arguments):
        # The server must not inherit where this process's coverage goes, nor its working folder.
        subprocess.run([*self._as, _program(name), *map(str, arguments)], cwd=self.folder, check=True,
                       stdout=subprocess.DEVNULL)

    def stop(self):
        """Ends the server and removes what it wrote."""
        self._run("pg_ctl", "stop", "--silent", "--mode", "immediate", "--pgdata", self._data)
        shutil.rmtree(self.folder, ignore_errors=True)

    def connect(self, database="postgres"):
        """An independent connection, past the product."""
        return psycopg.connect(host=str(self.folder), user=self.user, dbname=database, autocommit=True)

    def create_database(self):
        """A new, empty database; gives its name."""
        name = f"test_{next(_numbers)}"
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return name

    def url(self, database):
        """The database's URL as an environment document says it."""
        return f"postgres://{self.user}@localhost/{database}?host={self.folder}"


def _exists(name):
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
