"""A password that is changed in the middle of a run: the run that it ends goes on with the new one, and does nothing twice."""

import pytest
from psycopg import sql
from support.canary import Canary
from support.waiting import eventually
from test_operator_failures import FILL, ORDERS, PEOPLE, ROWS, in_the_middle, right, touched


class Login:
    """A user of a database whose password is in the `Secret` `shop`."""

    def __init__(self, namespace, cluster, postgres):
        self.namespace = namespace
        self.cluster = cluster
        self.user = f"of_{postgres.name}"
        self.url = f"postgres://{self.user}@localhost/{postgres.name}?host={cluster.folder}"
        self.password = self._another("first")
        with cluster.connect() as connection:
            cluster.create_user(connection, self.user, self.password)
        self.tell()

    def _another(self, which):
        canary = Canary.hatch(f"the {which} password of {self.user}")
        return canary.value

    def change(self):
        """The database has another password."""
        self.password = self._another("second")
        with self.cluster.connect() as connection:
            connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(self.user), sql.Literal(self.password)))

    def tell(self):
        """The cluster has it, too."""
        self.namespace.apply("Secret", "shop", {"password": self.password})

    def cut(self):
        """Every connection of the user ends."""
        with self.cluster.connect() as connection:
            [(ended,)] = connection.execute("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = %s",
                                            [self.user]).fetchall()
        assert ended


def begin(namespace, cluster, postgres, **more):
    """An environment whose backfill is in the middle."""
    login = Login(namespace, cluster, postgres)
    database = {"url": login.url, "password": {"secretKeyRef": {"name": "shop", "key": "password"}}}
    spec = {"databases": {"shop": database}, "policy": {"apply": "Auto", "lockWait": "1s"}}
    namespace.apply("Environment", "dev", spec | more)
    for name, steps in (("0001-people", PEOPLE), ("0002-fill", FILL), ("0003-orders", ORDERS)):
        namespace.apply("Migration", name, {"environmentRef": {"name": "dev"}, "steps": steps})
    in_the_middle(postgres)
    return login


@pytest.fixture
def login(namespace, operate, cluster, postgres):
    """An environment that the operator itself brings up to date."""
    operate()
    return begin(namespace, cluster, postgres)


def test_the_connection_is_cut_once_the_cluster_knows_the_new_one(namespace, login, postgres):
    login.change()
    login.tell()
    login.cut()
    assert touched(postgres) < ROWS
    right(namespace, postgres)


def test_the_connection_is_cut_before_the_cluster_knows_the_new_one(namespace, login, postgres):
    login.change()
    login.cut()
    before = touched(postgres)
    assert before < ROWS

    def refused():
        one = namespace.condition("Environment", "dev", "Ready")
        return one and one["status"] == "False" and "password" in one["message"] and one
    assert eventually(refused, "the old one is refused")["reason"] == "Unavailable"
    assert touched(postgres) == before
    login.tell()
    # At once, and not when it would be tried again.
    right(namespace, postgres)
