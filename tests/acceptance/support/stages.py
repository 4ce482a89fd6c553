"""A team's environments as they are in real life: each has a process, a cache, a database and secrets of its own.

The documents of all of them are in one repository. What leads to a database exists only while its own process runs: a
folder in the URL, and on PostgreSQL the password of a user who may enter this database alone.
"""

import subprocess
import tempfile
from pathlib import Path

from psycopg import sql
from support.canary import Canary
from support.evidence import SUITE
from support.git_server import key
from support.product import Whimbrel, environment
from support.project import Project
from support.target import PostgresTarget, SqliteTarget
from support.waiting import eventually


class Clone(Project):
    """Another developer's clone of a repository at a server."""

    def __init__(self, folder, served, author="Grace <grace@example.com>"):
        self.author = author
        self.folder = Path(folder)
        subprocess.run(["git", "clone", "--quiet", served.folder, self.folder], check=True, env=environment())

    def commit(self, message="Change the shop", **author):
        """Commits everything as whose clone it is, and gives the commit."""
        return super().commit(message, **({"author": self.author} | author))

    def push(self, branch="main"):
        """Pushes a branch, on top of what others have pushed meanwhile; gives the commit."""
        def pushed():
            self.git("pull", "--quiet", "--rebase", "origin", branch, author=self.author)
            try:
                self.git("push", "--quiet", "origin", f"HEAD:{branch}")
            except subprocess.CalledProcessError as error:
                assert "rejected" in error.stderr or "cannot lock ref" in error.stderr, error.stderr
                return None
            return self.git("rev-parse", "HEAD")
        return eventually(pushed, f"a push to {branch} gets through")


class Stage:
    """An environment with all that only its own process has."""

    def __init__(self, name, binary, folder, url, access, project, cluster=None):
        self.name = name
        self.folder = Path(folder) / name
        self.folder.mkdir(parents=True)
        self.url = url
        # A socket's path has to be short, and a test's folder may be deep.
        self.route = Path(tempfile.mkdtemp(prefix="way-", dir=SUITE.folder)) / name
        self._close()
        self.key = key(self.folder / "key")
        self.signer = f"{name}@example.com {self.key.with_suffix('.pub').read_text()}"
        self.cluster = cluster
        self.password = Canary.hatch(f"password of {name}")
        variables = {"WHIMBREL_CACHE": self.folder / "cache", **access}
        if cluster:
            self.target = PostgresTarget(cluster)
            self.user = f"{name}_of_{self.target.name}"
            self._admit()
            variables[self._variable] = self.password.value
            self.way_in = cluster.folder
        else:
            self.target = SqliteTarget(project, f"{name}/shop")
            self.way_in = self.target.file.parent
        here = self.folder / "here"
        here.mkdir()
        self.whimbrel = Whimbrel(binary, here, **variables)

    @property
    def _variable(self):
        return f"PASSWORD_OF_{self.name.upper()}"

    def _admit(self):
        """A user who owns this database and may enter no other."""
        with self.cluster.connect() as connection:
            name, user = sql.Identifier(self.target.name), sql.Identifier(self.user)
            secret = sql.Literal(self.password.value)
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(user, secret))
            connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, user))
            connection.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(name))

    @property
    def database(self):
        """What the environment's document says of the database."""
        if self.cluster:
            return {
                "url": f"postgres://{self.user}@localhost/{self.target.name}?host={self.route}",
                "password": {"secret": "env", "path": self._variable},
            }
        return {"url": f"sqlite:{self.route}/{self.target.file.name}"}

    def __enter__(self):
        """Opens the only way to the database."""
        self.route.unlink()
        self.route.symlink_to(self.way_in)
        return self

    def __exit__(self, *_):
        self.route.unlink()
        self._close()

    def _close(self):
        """A file where a folder should be leads nowhere, and nobody makes a folder of it."""
        self.route.write_text("closed\n")

    def arguments(self, reference=""):
        """What every command is told."""
        return ("--project", f"{self.url}{reference}", "--environment", self.name)

    def run(self, command, *arguments, reference="", **options):
        """Runs a command in a process of this environment, while nothing leads to the others."""
        with self:
            return self.whimbrel.run(command, *self.arguments(reference), *arguments, **options)

    def signs(self):
        """From now on its records are signed."""
        self.whimbrel.variables["WHIMBREL_SIGNING_KEY_FILE"] = self.key

    def trusts(self, *others):
        """From now on only records that these have signed count."""
        file = self.folder / "signers"
        file.write_text("".join(other.signer for other in others))
        self.whimbrel.variables["WHIMBREL_PROMOTION_SIGNERS"] = file

    def reference(self):
        """The ref of its records."""
        return f"refs/whimbrel/promotions/{self.name}"
