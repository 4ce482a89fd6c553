"""Two installs of the operator, each in a namespace of its own, on one database: whose it is stands in the database."""

import pytest
from support.kubernetes_sources import Followed, told
from support.waiting import eventually
from test_operator_failures import FILL, ORDERS, PEOPLE, ROWS

MIGRATIONS = {"0001-people": PEOPLE, "0002-fill": FILL, "0003-orders": ORDERS}


def of_dev(steps):
    """A migration of the environment `dev`."""
    return {"environmentRef": {"name": "dev"}, "steps": steps}


@pytest.fixture
def installs(kubernetes, operate_in):
    """Two namespaces, each with its operator."""
    places = [kubernetes.namespace(), kubernetes.namespace()]

    def start():
        for place in places:
            operate_in(place, "--local-secrets", POD_NAME=f"operator-of-{place.name}", WHIMBREL_ACTOR=place.name)
        return places
    start.places = places
    return start


def stands(place, name="dev"):
    """What an environment's `Ready` says."""
    return (place.condition("Environment", name, "Ready") or {}).get("reason")


def test_the_first_one_owns_it_and_the_other_one_says_whose_it_is(installs, postgres):
    database = {"url": str(postgres.url)} | postgres.url.references
    for place in installs.places:
        place.apply("Environment", "dev", {"databases": {"shop": database}, "policy": {"apply": "Auto", "lockWait": "1s"}})
        for name, steps in MIGRATIONS.items():
            place.apply("Migration", name, of_dev(steps))
    installs()
    eventually(lambda: sorted(map(str, map(stands, installs.places))) == ["Blocked", "Current"], "one has it, one is told", 60)
    owner, other = sorted(installs.places, key=stands, reverse=True)
    [blocked] = [one for one in other.get("Environment", "dev")["status"]["conditions"] if one["type"] == "Stalled"]
    assert f"this database belongs to environment `dev` of project `{owner.name}`" in blocked["message"]
    assert "whimbrel adopt" in blocked["message"]
    assert postgres.rows("SELECT project, environment FROM whimbrel.owner") == [(owner.name, "dev")]
    # What the other one asks for isn't done, also now that nobody is at it; what the owner asks for is.
    other.apply("Migration", "0004-theirs", of_dev([{"sql": "CREATE TABLE theirs (id bigint)"}]))
    other.until("Migration", "0004-theirs", "Succeeded", status="Unknown", reason="Pending")
    owner.apply("Migration", "0005-ours", of_dev([{"sql": "CREATE TABLE ours (id bigint)"}]))
    owner.until("Migration", "0005-ours", "Succeeded")
    assert postgres.tables() == {"people", "orders", "ours"}
    assert postgres.rows("SELECT touched, count(*) FROM people GROUP BY touched") == [(1, ROWS)]
    assert set(told(postgres, "applied").values()) == {1}
    assert postgres.rows("SELECT DISTINCT actor FROM whimbrel.migration") == [(f"{owner.name} (operator)",)]
    assert stands(other) == "Blocked"


def test_two_that_follow_one_repository_do_everything_once(installs, postgres, project, http, served):
    """It is one environment of one project, seen from two places."""
    project.environment("live", {"shop": {"url": str(postgres.url)} | postgres.url.references})
    for name, steps in MIGRATIONS.items():
        project.migration(name, *steps)
    project.commit("Fill")
    served.push()
    sources = [Followed(place, http, served) for place in installs.places]
    installs()
    for source in sources:
        source.begin("live")
    for source in sources:
        status = source.until("live", "Current", within=60)
        assert (status["applied"], status["pending"], status["failed"]) == (3, 0, 0)
        eventually(lambda: {name for _, name in source.objects()} == set(MIGRATIONS), "all are objects")  # noqa: B023
    assert postgres.rows("SELECT touched, count(*) FROM people GROUP BY touched") == [(1, ROWS)]
    assert told(postgres, "applied") == dict.fromkeys(MIGRATIONS, 1)
