"""A target database seen past the product, alike for every dialect."""

import sqlite3
from contextlib import contextmanager


class SqliteTarget:
    """A SQLite file of a project."""

    dialect = "sqlite"
    history = "whimbrel_"

    def __init__(self, project, name="shop"):
        self.file = project.folder / "var" / f"{name}.db"
        self.file.parent.mkdir(exist_ok=True)
        self.url = f"sqlite:var/{name}.db"

    def rows(self, sql):
        """The rows of a query."""
        connection = sqlite3.connect(self.file, timeout=30)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def execute(self, sql):
        """Runs SQL and commits it."""
        connection = sqlite3.connect(self.file, timeout=30)
        try:
            connection.executescript(sql)
        finally:
            connection.close()

    def tables(self):
        """The names of the user's tables."""
        if not self.file.exists():
            return set()
        rows = self.rows("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {name for (name,) in rows if not name.startswith(("whimbrel_", "sqlite_"))}


class PostgresTarget:
    """A database of the private cluster."""

    dialect = "postgres"
    history = "whimbrel."

    def __init__(self, cluster):
        self.cluster = cluster
        self.name = cluster.create_database()
        self.url = cluster.url(self.name)

    def rows(self, sql):
        """The rows of a query."""
        with self.cluster.connect(self.name) as connection:
            return connection.execute(sql).fetchall()

    def execute(self, sql):
        """Runs SQL and commits it."""
        with self.cluster.connect(self.name) as connection:
            connection.execute(sql)

    def waits(self, text):
        """Whether a statement with this text waits for a lock."""
        return self.rows("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database() "
                         f"AND query ILIKE '%{text}%'") != []

    def tables(self):
        """The names of the user's tables."""
        rows = self.rows("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
        return {name for (name,) in rows}

    @contextmanager
    def held(self, table):
        """Meanwhile nobody else writes to a table: whoever is about to waits for its lock."""
        with self.cluster.connect(self.name) as connection:
            connection.execute(f"BEGIN; LOCK TABLE {table} IN EXCLUSIVE MODE")
            try:
                yield
            finally:
                connection.execute("ROLLBACK")
