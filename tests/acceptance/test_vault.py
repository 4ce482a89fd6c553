"""Credentials from a real Vault: read when a connection is made, lent for a run, given back after it, seen nowhere."""

import psycopg
import pytest
from support.openbao import Refused
from support.product import FAILED, RETRY, eventually
from support.vault_shop import VaultShop, of

ROWS = 2000


@pytest.fixture
def shop(project, cluster, openbao, before_openbao):
    """A project with its credentials in OpenBao."""
    return VaultShop(project, cluster, openbao, before_openbao)


@pytest.mark.parametrize("version", [1, 2])
def test_a_password_kept_in_kv(whimbrel, shop, version):
    known = shop.environment(**of(shop.kept(version), username="user", password="password"))
    shop.project.table("0001-people")
    whimbrel.run("apply", "--environment", "dev", **known)
    assert shop.rows("SELECT count(*) FROM people") == [(0,)]
    # One login and one reading for all connections of a run.
    assert len([seen for seen in shop.proxy.seen("/v1/auth/") if seen["target"].endswith("/login")]) == 1
    assert len([seen for seen in shop.proxy.seen() if seen["target"].endswith("/shop") and "/sys/" not in seen["target"]]) == 1


def test_what_is_not_there_or_not_permitted(whimbrel, shop):
    reference = shop.kept()
    missing = reference | {"path": reference["path"].replace("/shop", "/bank")}
    known = shop.environment(username=reference | {"key": "user"}, password=missing | {"key": "password"})
    shop.project.table("0001-people")
    ended = whimbrel.run("status", "--environment", "dev", code=None, **known)
    assert ended.code in (FAILED, RETRY)
    assert "/bank" in ended.said
    assert "permi" in ended.said


def test_lent_users_own_nothing_and_are_given_back(whimbrel, shop):
    mount, reference = shop.lent()
    known = shop.environment(role=shop.owner, **of(reference, username="username", password="password"))
    shop.project.table("0001-people")
    whimbrel.run("apply", "--environment", "dev", **known)
    assert shop.rows("SELECT tableowner FROM pg_tables WHERE tablename = 'people'") == [(shop.owner,)]
    assert shop.openbao.leases(mount, "migrator") == []
    assert shop.users_left() == []


def test_a_run_outlives_its_leases(whimbrel, shop):
    """A backfill that takes several times as long as a lease may: every row once, and no failure."""
    mount, reference = shop.lent("2s", at_most="4s")
    known = shop.environment(role=shop.owner, **of(reference, username="username", password="password"))
    filled = f"INSERT INTO people SELECT i, 0 FROM generate_series(1, {ROWS}) i"
    shop.project.migration("0001-people", "CREATE TABLE people (id bigint PRIMARY KEY, touched bigint)", filled)
    shop.project.migration("0002-fill", {"uses": "backfill", "with": {
        "table": "people", "key": "id", "set": "touched = touched + 1", "batchSize": 50, "pause": "300ms",
    }})
    whimbrel.run("apply", "--environment", "dev", **known)
    assert shop.rows("SELECT touched, count(*) FROM people GROUP BY touched") == [(1, ROWS)]
    assert shop.openbao.leases(mount, "migrator") == []


def test_the_password_of_a_static_role_is_read_anew_after_each_rotation(whimbrel, shop):
    mount, reference = shop.owned()
    known = shop.environment(role=shop.owner, **of(reference, username="username", password="password"))
    shop.project.table("0001-people")
    shop.project.migration("0002-rows", "CREATE TABLE filled (id bigint PRIMARY KEY, touched bigint)",
                           f"INSERT INTO filled SELECT i, 0 FROM generate_series(1, {ROWS}) i")
    whimbrel.run("apply", "--environment", "dev", **known)
    assert shop.rows("SELECT tableowner FROM pg_tables WHERE tablename = 'people'") == [(shop.owner,)]
    shop.openbao.call(f"{mount}/rotate-role/migrator", {})
    shop.project.migration("0003-fill", {"uses": "backfill", "with": {
        "table": "filled", "key": "id", "set": "touched = touched + 1", "batchSize": 50, "pause": "100ms",
    }})
    run = whimbrel.start("apply", "--environment", "dev", **known)
    eventually(lambda: shop.rows("SELECT 1 FROM filled WHERE touched > 0 LIMIT 1"), "it fills")
    # In mid-run, and nobody who is connected by the old one stays so.
    shop.openbao.call(f"{mount}/rotate-role/migrator", {})
    shop.rows(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'static_{shop.database}'")
    run.end()
    assert shop.rows("SELECT touched, count(*) FROM filled GROUP BY touched") == [(1, ROWS)]


def test_everything_is_in_a_namespace(whimbrel, project, cluster, openbao, before_openbao):
    shop = VaultShop(project, cluster, openbao.inside(), before_openbao)
    mount, reference = shop.lent()
    known = shop.environment(role=shop.owner, **of(reference, username="username", password="password"))
    project.migration("0001-people", "SELECT pg_sleep(60)")
    run = whimbrel.start("apply", "--environment", "dev", **known)
    eventually(lambda: shop.rows("SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' "
                                 "AND pid <> pg_backend_pid()"), "it sleeps")
    run.kill()
    run.end(code=-9)
    assert shop.openbao.leases(mount, "migrator") != []
    project.migration("0001-people", "CREATE TABLE people (id bigint)")
    whimbrel.run("apply", "--environment", "dev", **known)
    eventually(lambda: not shop.openbao.leases(mount, "migrator"), "nothing is lent any more")
    assert shop.users_left() == []
    # What is in it isn't there for whoever is in another one.
    shop.openbao.namespace = openbao.inside().namespace
    known = shop.environment(role=shop.owner, **of(reference, username="username", password="password"))
    ended = whimbrel.run("status", "--environment", "dev", code=FAILED, **known)
    assert "namespace" in ended.said


def test_what_a_killed_run_was_lent_is_given_back_by_the_next(whimbrel, shop):
    mount, reference = shop.lent()
    known = shop.environment(role=shop.owner, **of(reference, username="username", password="password"))
    shop.project.migration("0001-people", "SELECT pg_sleep(60)")
    run = whimbrel.start("apply", "--environment", "dev", **known)
    eventually(lambda: shop.rows("SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' "
                                 "AND pid <> pg_backend_pid()"), "it sleeps")
    run.kill()
    run.end(code=-9)
    assert shop.openbao.leases(mount, "migrator") != []
    shop.project.migration("0001-people", "CREATE TABLE people (id bigint)")
    whimbrel.run("apply", "--environment", "dev", **known)
    eventually(lambda: not shop.openbao.leases(mount, "migrator"), "nothing is lent any more")


@pytest.mark.parametrize("fault", [
    {"status": 412}, {"retry-after": 1}, {"status": 500}, {"status": 502}, {"status": 503}, "reset-before",
    "reset-after", {"truncate": 10},
], ids=str)
def test_what_passes_is_tried_again(whimbrel, shop, fault):
    known = shop.environment(**of(shop.kept(), username="user", password="password"))
    shop.project.table("0001-people")
    shop.proxy.inject("/v1/", fault, method="GET", times=1)
    whimbrel.run("apply", "--environment", "dev", **known)
    assert shop.rows("SELECT count(*) FROM people") == [(0,)]


@pytest.mark.parametrize("status", [472, 503])
def test_what_lasts_is_worth_a_retry_and_named(whimbrel, shop, status):
    known = shop.environment(**of(shop.kept(), username="user", password="password"))
    shop.project.table("0001-people")
    shop.proxy.inject("/v1/", {"status": status})
    ended = whimbrel.run("apply", "--environment", "dev", code=RETRY, **known)
    assert "vault" in ended.said.lower()
    assert shop.rows("SELECT count(*) FROM pg_tables WHERE tablename = 'people'") == [(0,)]


def test_a_secret_id_of_one_environment_is_none_of_another(whimbrel, shop):
    reference = shop.kept()
    shop.environment("production", **of(reference, username="user", password="password"))
    shop.project.environment("dev", {"shop": {"url": shop.url} | of(reference, username="user", password="password")})
    shop.project.table("0001-people")
    ended = whimbrel.run("apply", "--environment", "dev", code=None)
    assert ended.code != 0
    assert "vault" in ended.said
    assert shop.proxy.seen() == []


def test_secrets_check_reveals_nothing_and_lends_nothing(whimbrel, shop):
    mount, reference = shop.lent("1h")
    known = shop.environment(role=shop.owner, **of(reference, username="username", password="password"))
    shop.project.table("0001-people")
    ended = whimbrel.run("secrets", "check", "--environment", "dev", **known)
    assert "vault" in ended.said
    assert "lent-" not in ended.said
    assert shop.openbao.leases(mount, "migrator") == []
    # Nobody was lent anything on the way either, since nothing says here for how long it would be.
    assert shop.proxy.seen(f"/v1/{mount}/creds/") == []
    assert shop.proxy.seen("/v1/sys/capabilities-self") != []


def test_lent_credentials_are_real(shop):
    """What the tests above rely on: the cluster asks for the password."""
    mount, _ = shop.lent()
    lent = shop.openbao.call(f"{mount}/creds/migrator")["data"]
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(host=str(shop.cluster.folder), dbname=shop.database, user=lent["username"], password="guessed")
    with pytest.raises(Refused):
        shop.openbao.call(f"{mount}/creds/migrator", token="guessed")
