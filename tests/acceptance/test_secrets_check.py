"""`whimbrel secrets check`: how long what is lent holds, against how long the plan takes by what earlier runs took."""

import pytest
from support.product import FAILED, RETRY
from support.vault_shop import VaultShop, of

ROWS = 1000
MANY = 100_000


@pytest.fixture
def shop(project, cluster, openbao, before_openbao):
    """A project whose users are lent for a minute, as the policy lets be seen."""
    shop = VaultShop(project, cluster, openbao, before_openbao)
    mount, reference = shop.lent("60s")
    shop.mount = mount
    shop.allow(f"{mount}/roles/migrator")
    shop.known = shop.environment(role=shop.owner, **of(reference, username="username", password="password"))
    return shop


def fill(table, batch):
    """A migration that touches every row of a table."""
    return {"uses": "backfill", "with": {"table": table, "key": "id", "set": "touched = touched + 1", "batchSize": batch,
                                         "pause": "100ms"}}


def check(whimbrel, shop, *arguments, **options):
    """What is said of the secrets, for programs and for people."""
    shown = whimbrel.json("secrets", "check", "--environment", "dev", *arguments, **shop.known)
    told = whimbrel.run("secrets", "check", "--environment", "dev", *arguments, **shop.known, **options)
    assert "lent-" not in told.said
    return shown, told


def lent(shop):
    """How often somebody was lent a user."""
    return len(shop.proxy.seen(f"/v1/{shop.mount}/creds/migrator"))


def notices(shown):
    """What is noted of each reference."""
    return [line["notice"] for line in shown["references"] if "notice" in line]


def test_leases_are_compared_with_what_earlier_runs_of_the_same_steps_took(whimbrel, shop):
    shop.project.migration("0001-tables", *(
        f"CREATE TABLE {name} (id bigint PRIMARY KEY, touched bigint NOT NULL DEFAULT 0)" for name in ("few", "many")),
        *(f"INSERT INTO {name} SELECT i FROM generate_series(1, {rows}) i" for name, rows in (("few", ROWS), ("many", MANY))),
        "ANALYZE")
    shop.project.migration("0002-few", fill("few", 100))
    whimbrel.run("apply", "--environment", "dev", **shop.known)
    [(took,)] = shop.rows("SELECT duration_milliseconds FROM whimbrel.migration WHERE name = '0002-few'")
    shown, told = check(whimbrel, shop)
    assert shown["plan"] == {} and "nothing is pending" in told.out
    assert notices(shown) == []

    shop.project.migration("0003-many", fill("many", 100))
    shown, told = check(whimbrel, shop)
    estimated = shown["plan"]["milliseconds"]
    assert took * MANY / ROWS * 0.8 < estimated < took * MANY / ROWS * 1.2
    assert estimated > 60_000, "longer than a lease"
    assert len(notices(shown)) == 2
    assert "and the plan takes about" in told.out and "withoutGround" not in shown["plan"]

    # What nobody has run yet is named, and not guessed.
    shop.project.migration("0004-index", "CREATE INDEX many_touched ON many (touched)")
    shown, told = check(whimbrel, shop)
    assert shown["plan"] == {"milliseconds": estimated, "withoutGround": ["0004-index (shop)"]}
    assert "the plan takes at least" in told.out and "nothing tells how long this takes: 0004-index" in told.out

    # A lease that is long enough is nothing to note.
    shop.openbao.dynamic_role(shop.mount, "migrator", shop.owner, "24h")
    shown, told = check(whimbrel, shop)
    assert notices(shown) == [] and shown["references"][0]["lentForMilliseconds"] == 86_400_000
    assert shop.openbao.leases(shop.mount, "migrator") == [], "what the look took is given back"


def test_without_an_earlier_run_nothing_is_guessed(whimbrel, shop):
    shop.project.table("0001-people")
    shown, told = check(whimbrel, shop)
    assert shown["plan"] == {"withoutGround": ["0001-people (shop)"]}
    assert "the plan's time can't be estimated: nothing tells how long this takes" in told.out
    assert notices(shown) == []


def test_who_says_how_long_it_takes_is_lent_nothing(whimbrel, shop):
    shop.project.table("0001-people")
    shown, told = check(whimbrel, shop, "--lasting", "30s")
    assert notices(shown) == [] and "note:" not in told.out
    shown, told = check(whimbrel, shop, "--lasting", "10m")
    assert len(notices(shown)) == 2 and "lent for 1 min 0 s, and the plan takes 10 min 0 s" in told.out
    assert "plan" not in shown and lent(shop) == 0


def test_a_database_that_is_away_is_no_fault_of_the_secrets(whimbrel, shop):
    document = shop.project.folder / "environments/dev.yaml"
    document.write_text(document.read_text().replace(f"host={shop.cluster.folder}", "host=/nowhere"))
    shown, told = check(whimbrel, shop)
    assert "the plan's time can't be estimated:" in told.out
    assert all("error" not in line for line in shown["references"])


def test_how_a_backend_is_doing_is_shown(whimbrel, shop):
    shown, _ = check(whimbrel, shop, "--lasting", "1s")
    assert {"name": "vault", "health": "healthy"} in shown["backends"]
    shop.proxy.inject("/v1/", {"status": 503})
    ended = whimbrel.run("secrets", "check", "--environment", "dev", "--format", "json", code=RETRY, **shop.known)
    [backend] = [backend for backend in ended.json()["backends"] if backend["name"] == "vault"]
    assert backend["health"] == "unavailable" and "vault.sealed" in backend["message"]
    shop.proxy.mend()
    shop.known = {"SHOP_SECRET_ID": "not-the-secret-id"}
    ended = whimbrel.run("secrets", "check", "--environment", "dev", code=FAILED, **shop.known)
    assert "backend: `vault` is refusing:" in ended.out
