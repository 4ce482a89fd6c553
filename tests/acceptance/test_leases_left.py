"""What is lent to a command that is killed where it could record nothing in a database: the next command ends it."""

import pytest
from support.product import INTERRUPTED, SUITE, TERMINATED, eventually
from support.vault_shop import VaultShop, of

# The key of the session lock, as docs/promises.md says that it is a session's.
LOCK = 0x7768696D6272656C


@pytest.fixture
def lending(whimbrel, project, cluster, openbao, before_openbao):
    """A shop of which one migration is applied and one is pending, its mount, and what a command needs to log in."""
    shop = VaultShop(project, cluster, openbao, before_openbao)
    mount, reference = shop.lent("1h")
    known = shop.environment(role=shop.owner, **of(reference, username="username", password="password"))
    project.table("0001-people")
    whimbrel.run("apply", "--environment", "dev", **known)
    assert openbao.leases(mount, "migrator") == []
    project.table("0002-orders")
    return shop, mount, known


def connected(whimbrel, lending, *command):
    """Starts a command and waits until it stands on leases; the command and the names of these."""
    shop, mount, known = lending
    run = whimbrel.start(*command, "--environment", "dev", **known)
    # Whoever only looks waits for the table, whoever applies for the lock.
    waits = "SELECT 1 FROM pg_stat_activity WHERE usename LIKE 'lent-%' AND datname = current_database()"
    if command != ("apply",):
        waits += " AND wait_event_type = 'Lock'"
    eventually(lambda: shop.rows(waits) and shop.openbao.leases(mount, "migrator"), "it waits")
    lent = set(shop.openbao.leases(mount, "migrator"))
    assert lent
    return run, lent


def left_by_a_killed(whimbrel, lending, *command):
    """Kills a command once it has connected; the names of the leases that it leaves."""
    run, left = connected(whimbrel, lending, *command)
    # Who lives is left alone, and so is what it stands on.
    looking = SUITE.home / ".local/state/whimbrel/leases"
    files = list(looking.glob("*.leases"))
    noted = "".join(file.read_text() for file in files)
    assert all(lease in noted for lease in left)
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert looking.stat().st_mode & 0o777 == 0o700
    run.kill()
    run.end(code=-9)
    return left


@pytest.mark.parametrize("command", ["plan", "status", "apply"])
def test_what_is_lent_to_who_only_looks_or_waits_is_ended_by_the_next(whimbrel, lending, command):
    shop, mount, known = lending
    with shop.cluster.connect(shop.database) as other:
        if command == "apply":
            other.execute("SELECT pg_advisory_lock(%s)", [LOCK])
            left = left_by_a_killed(whimbrel, lending, command)
            other.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
        else:
            other.autocommit = False
            other.execute("LOCK TABLE whimbrel.migration IN ACCESS EXCLUSIVE MODE")
            left = left_by_a_killed(whimbrel, lending, command)
            other.rollback()
    assert left <= set(shop.openbao.leases(mount, "migrator"))
    assert not left & {lease for (lease,) in shop.rows("SELECT id FROM whimbrel.lease")}, "the database knows nothing of it"
    whimbrel.run("status", "--environment", "dev", code=None, **known)
    assert shop.openbao.leases(mount, "migrator") == []
    whimbrel.run("apply", "--environment", "dev", **known)


TOLD = pytest.mark.parametrize(("told", "code"), [("interrupt", INTERRUPTED), ("terminate", TERMINATED)])


@TOLD
@pytest.mark.parametrize("command", ["plan", "status", "apply"])
def test_who_is_told_to_end_while_it_looks_gives_back_what_it_was_lent(whimbrel, lending, command, told, code):
    shop, mount, _known = lending
    with shop.cluster.connect(shop.database) as other:
        other.autocommit = False
        other.execute("LOCK TABLE whimbrel.migration IN ACCESS EXCLUSIVE MODE")
        run, _lent = connected(whimbrel, lending, command)
        getattr(run, told)()
        run.end(code=code)
        # Nobody else had to come for that.
        assert shop.openbao.leases(mount, "migrator") == []
        assert shop.users_left() == []
        other.rollback()
    assert shop.rows("SELECT count(*) FROM pg_tables WHERE tablename = 'orders'") == [(0,)]


@TOLD
def test_who_is_told_to_end_while_waiting_for_the_lock_gives_back_what_it_was_lent(whimbrel, lending, told, code):
    shop, mount, known = lending
    with shop.cluster.connect(shop.database) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        run = whimbrel.start("apply", "--environment", "dev", **known)
        run.follow()
        eventually(lambda: "waiting for the lock" in run.said(), "it waits for the lock")
        assert shop.openbao.leases(mount, "migrator") and shop.users_left(), "it is connected as somebody who was lent"
        getattr(run, told)()
        run.end(code=code)
        # Nobody else had to come for that, and whoever has the lock still has it.
        assert shop.openbao.leases(mount, "migrator") == []
        assert shop.users_left() == []
        assert other.execute("SELECT pg_advisory_unlock(%s)", [LOCK]).fetchone() == (True,)
    assert shop.rows("SELECT count(*) FROM pg_tables WHERE tablename = 'orders'") == [(0,)]


def test_what_the_living_stand_on_is_ended_by_nobody_else(whimbrel, lending):
    shop, mount, known = lending
    with shop.cluster.connect(shop.database) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        run = whimbrel.start("apply", "--environment", "dev", **known)
        eventually(lambda: shop.openbao.leases(mount, "migrator"), "it waits for the lock")
        lent = set(shop.openbao.leases(mount, "migrator"))
        whimbrel.run("status", "--environment", "dev", code=None, **known)
        assert lent <= set(shop.openbao.leases(mount, "migrator"))
        other.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
        run.end()
    assert shop.openbao.leases(mount, "migrator") == []
