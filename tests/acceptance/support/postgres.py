"""A private PostgreSQL: one cluster for the whole run, on a Unix socket only, with a database for each test.

Every user has a canary for a password, and the product is told of it by reference only: by each way of giving one in turn.
"""

import itertools
import json
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
from support.canary import Canary

_numbers = itertools.count(1)


def program(name):
    """One of PostgreSQL's programs."""
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
        self.canaries = [Canary.hatch("password of postgres")]
        self.references = {}
        self._turns = itertools.count()
        self._stores = {}
        # PostgreSQL refuses to run as root.
        self._as = []
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres" if _exists("postgres") else "nobody")
            os.chown(self.folder, account.pw_uid, account.pw_gid)
            self._as = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
        # Where only the server's owner and this process can read; the product gets other files.
        password = self._file("superuser", self.canaries[0].value)
        self._run("initdb", "--pgdata", self._data, "--username", self.user, "--auth", "scram-sha-256", "--pwfile",
                  password, "--encoding", "UTF8", "--no-sync", "--locale", "C")
        self._run("pg_ctl", "start", "--wait", "--silent", "--pgdata", self._data, "--log", self.folder / "log",
                  "--options", f"-c listen_addresses='' -k {self.folder} -c max_connections=200 -c fsync=off "
                  # A line says in which database, since there are many.
                  "-c log_line_prefix='%m [%p] in %d: '")
        self._users()

    def _file(self, name, content):
        file = self.folder / name
        file.write_text(content)
        file.chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(file, "postgres" if _exists("postgres") else "nobody")
        return file

    def _users(self):
        """Users that may do everything, each known to the product in its own way."""
        by_variable, by_file, by_field = (Canary.hatch(f"password by {way}") for way in ("variable", "file", "field"))
        os.environ["SHOP_DATABASE_PASSWORD"] = by_variable.value
        file = self._file("password", by_file.value + "\n")
        fields = self._file("fields.json", json.dumps({"user": "by_field", "login": {"password": by_field.value}}))
        self.references = {
            "by_variable": {"password": {"secret": "env", "path": "SHOP_DATABASE_PASSWORD"}},
            "by_file": {"password": {"secret": "file", "path": str(file)}},
            "by_field": {
                "username": {"secret": "file", "path": str(fields), "key": "user"},
                "password": {"secret": "file", "path": str(fields), "key": "/login/password"},
            },
        }
        for user, canary in zip(self.references, (by_variable, by_file, by_field), strict=True):
            self.canaries.append(canary)
            with self.connect() as connection:
                self.create_user(connection, user, canary.value)

    @staticmethod
    def create_user(connection, name, password):
        """A user that may do everything."""
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN SUPERUSER PASSWORD {}").format(
            sql.Identifier(name), sql.Literal(password)))

    def lender(self):
        """Makes the user by whom a store makes others, once, and gives its password: plain, because it goes into a URL."""
        if "lender" not in self._stores:
            self._stores["lender"] = Canary.hatch("password of the lender", plain=True)
            self.canaries.append(self._stores["lender"])
            with self.connect() as connection:
                self.create_user(connection, "lender", self._stores["lender"].value)
        return self._stores["lender"].value

    def password(self, user):
        """A user's password."""
        return self.canary(user).value

    def canary(self, user):
        """The canary that is a user's password."""
        return dict(zip([self.user, *self.references], self.canaries, strict=False))[user]

    @property
    def _data(self):
        return self.folder / "data"

    def _run(self, name, *arguments):
        # The server must not inherit where this process's coverage goes, nor its working folder.
        subprocess.run([*self._as, program(name), *map(str, arguments)], cwd=self.folder, check=True,
                       stdout=subprocess.DEVNULL)

    def stop(self):
        """Ends the server and removes what it wrote."""
        self._run("pg_ctl", "stop", "--silent", "--mode", "immediate", "--pgdata", self._data)
        shutil.rmtree(self.folder, ignore_errors=True)

    def connect(self, database="postgres"):
        """An independent connection, past the product."""
        return psycopg.connect(host=str(self.folder), user=self.user, password=self.canaries[0].value, dbname=database,
                               autocommit=True)

    @contextmanager
    def without(self, database):
        """Meanwhile nobody gets into a database."""
        with self.connect() as connection:
            connection.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS false")
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database])
            try:
                yield
            finally:
                connection.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS true")

    @contextmanager
    def silent(self):
        """Meanwhile the server takes connections and says nothing, as behind a network that loses everything."""
        server = int((self._data / "postmaster.pid").read_text().split()[0])
        os.kill(server, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(server, signal.SIGCONT)

    def databases(self):
        """The names of all databases."""
        with self.connect() as connection:
            rows = connection.execute("SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate")
            return [name for (name,) in rows.fetchall()]

    def records(self, databases=None, apart=()):
        """Whimbrel's own tables, row by row, as JSON: `bytea` in there is hexadecimal."""
        for database in self.databases() if databases is None else databases:
            if database in apart:
                continue
            with self.connect(database) as connection:
                tables = connection.execute(
                    "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = to_regnamespace('whimbrel')"
                ).fetchall()
                for (table,) in tables:
                    for (row,) in connection.execute(f'SELECT to_jsonb(t)::text FROM whimbrel."{table}" t').fetchall():
                        yield f"{database}: whimbrel.{table}", row.encode()

    def create_database(self):
        """A new, empty database; gives its name."""
        name = f"test_{next(_numbers)}"
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return name

    def url(self, database):
        """The database's URL, and references to who one is there: each user in turn."""
        user = list(self.references)[next(self._turns) % len(self.references)]
        return self.url_as(database, user)

    def url_as(self, database, user):
        """The same as this user."""
        references = self.references[user]
        name = "" if "username" in references else f"{user}@"
        return Url(f"postgres://{name}localhost/{database}?host={self.folder}", references)


class Url(str):
    """A URL as an environment document says it, and what that document says beside it: references to secrets."""

    def __new__(cls, text, references):
        url = super().__new__(cls, text)
        url.references = references
        return url


def _exists(name):
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
