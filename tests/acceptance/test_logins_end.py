"""A login of Vault that ends while a run stands on what it lent: renewed in time, or replaced with everything under it."""

import pytest
from support.vault_shop import VaultShop, of

ROWS = 2000
HOLDS = "4s"


@pytest.fixture
def shop(project, cluster, openbao, before_openbao):
    """A project whose users are lent for an hour, under logins of seconds."""
    shop = VaultShop(project, cluster, openbao, before_openbao)
    shop.logins = {"time_to_live": HOLDS}
    return shop


def run_for_longer(whimbrel, shop):
    """A backfill that takes more than twice as long as a login holds."""
    mount, reference = shop.lent("1h")
    known = shop.environment(role=shop.owner, **of(reference, username="username", password="password"))
    filled = f"INSERT INTO people SELECT i, 0 FROM generate_series(1, {ROWS}) i"
    shop.project.migration("0001-people", "CREATE TABLE people (id bigint PRIMARY KEY, touched bigint)", filled)
    shop.project.migration("0002-fill", {"uses": "backfill", "with": {
        "table": "people", "key": "id", "set": "touched = touched + 1", "batchSize": 50, "pause": "220ms",
    }})
    whimbrel.run("apply", "--environment", "dev", **known)
    assert shop.rows("SELECT touched, count(*) FROM people GROUP BY touched") == [(1, ROWS)]
    # Nobody was taken away in the middle: then it is asked whether the lease still holds, and it doesn't.
    renewals = shop.proxy.seen("/v1/sys/leases/renew")
    assert renewals and all(seen["status"] == 200 for seen in renewals), renewals
    assert shop.openbao.leases(mount, "migrator") == []
    assert shop.openbao.logins(shop.auth) == 0, "who logged in logs out"
    logins = [seen for seen in shop.proxy.seen("/v1/auth/") if seen["target"].endswith("/login")]
    return shop.rows("SELECT epoch FROM whimbrel.lock")[0][0], len(logins)


def test_a_login_is_renewed_while_leases_stand_on_it(whimbrel, shop):
    takeovers, logins = run_for_longer(whimbrel, shop)
    assert takeovers <= 2 and logins == 1
    assert shop.proxy.seen("/v1/auth/token/renew-self")


@pytest.mark.parametrize("settings", [{"token_max_ttl": HOLDS}, {"token_type": "batch"}], ids=str)
def test_a_login_that_can_not_be_renewed_is_replaced_before_its_end(whimbrel, shop, settings):
    shop.logins |= settings
    takeovers, logins = run_for_longer(whimbrel, shop)
    # A new login each time that credentials end, and no connection that has to be followed by another one soon.
    assert 3 <= takeovers <= 2 * logins
