"""The operator while the API server, or what is between them, misbehaves. History right, status right, no human, and nobody
starts it again unless the test killed it."""

import functools
import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs

import pytest
from support.both import on_both
from support.fake_api_server import FakeCluster
from support.kubernetes_lifecycle import Lifecycle
from support.target import SqliteTarget
from support.waiting import eventually

# Of the real API server. What the fake one does costs next to nothing.
AT_ONCE = 5


@pytest.fixture
def life(namespace, operate, sqlite, api):
    """A life of objects whose operator reaches the API server by the proxy."""
    life = Lifecycle(namespace, operate, sqlite)
    yield life
    life.has_no_crash()


@pytest.fixture
def side_by_side(api_server, operate_in, project):
    """Runs one story with several faults at once, each in a namespace of its own: most of their time is waiting."""
    def one(story, name, fault):
        namespace, api = api_server.namespace(), api_server.faulty()
        namespace.door = api.port
        life = Lifecycle(namespace, functools.partial(operate_in, namespace), SqliteTarget(project, name))
        try:
            story(api, life, fault)
            life.has_no_crash()
        finally:
            api.stop()

    def run(story, faults):
        with ThreadPoolExecutor(max_workers=len(faults) if isinstance(api_server, FakeCluster) else AT_ONCE) as pool:
            runs = {name: pool.submit(one, story, name, fault) for name, fault in faults.items()}
        wrong = {name: run.exception() for name, run in runs.items() if run.exception()}
        assert not wrong, "\n".join(f"{name}: {error!r}" for name, error in wrong.items())
    return run


@on_both
def test_a_proxy_that_does_nothing_changes_nothing(api, life):
    life.start()
    life.whole()
    made = {one.verb for one in api.requests}
    assert {"list", "watch", "get", "patch", "create"} <= made
    assert {one.answered for one in api.requests} - {None} <= {200, 201}
    # However many objects there are, no answer holds more than a page of them.
    lists = [one for one in api.requests if one.verb == "list" and "/apis/whimbrel.dev/" in one.path]
    assert {one.path.rsplit("/", 1)[1] for one in lists} == {"gitsources", "environments", "migrations", "approvals"}
    assert all(int(parse_qs(one.query)["limit"][0]) <= 500 for one in lists)


@on_both
def test_of_what_is_let_go_nothing_more_is_written(api, life):
    """However late it is said to be gone."""
    api.events(path="/migrations", types="DELETED").reorder()
    life.start()
    life.environment()
    life.migration("0001-people", deletionPolicy="Revert")
    life.namespace.delete("Migration", "0001-people")
    eventually(lambda: life.namespace.get("Migration", "0001-people") is None, "it is reverted")
    life.migration("0002-orders")
    assert [one for one in api.requests if one.answered == 404] == []


@on_both
def test_each_request_fails_once(side_by_side):
    """Of what is lost or refused, nothing else needs to be done than what would be done anyway."""
    def story(api, life, fault):
        rule = fault(api)
        life.start()
        life.short()
        assert rule.hit
        assert api.count("create", "patch", "update", "delete") < 60
    side_by_side(story, {
        "409": lambda api: api.on("write", each="place").answer(409),
        "500": lambda api: api.on("write", each="place").answer(500),
        "503": lambda api: api.on("*", each="place").answer(503),
        "429": lambda api: api.on("*", each="place").answer(429, retry_after=1),
        "410": lambda api: api.on("list watch", each="place").answer(410),
        "slow": lambda api: api.on("*", every=3).slow(0.3),
        "request": lambda api: api.on("*", each="place").lose_request(),
        "write": lambda api: api.on("write", each="place").lose_answer(),
        "read": lambda api: api.on("list get", each="place").lose_answer(),
    })


@on_both
def test_events_of_watches_go_wrong(side_by_side):
    """Whatever is not heard is found out by listing anew, or by renewing the watch."""
    def story(api, life, rule):
        rule = rule(api.events)
        life.start("--resync", "3s", "--watch-timeout", "2s")
        life.short()
        assert rule.hit
    side_by_side(story, {
        "drop": lambda events: events().drop(),
        "duplicate": lambda events: events().duplicate(),
        "reorder": lambda events: events().reorder(),
        "stale": lambda events: events().stale(),
        "expire": lambda events: events(times=3).expire(),
        "cut": lambda events: events(times=6).cut(),
    })


def test_an_event_that_is_lost_is_found_out(api, life, namespace):
    """Although what came after it was heard, and the watch goes on from there."""
    life.start("--resync", "4s")
    life.environment()
    life.migration("0001-people")
    rule = api.events("/migrations$", "ADDED", times=1).drop()
    namespace.apply("Migration", "0002-orders", life.spec("orders"))
    eventually(lambda: rule.hit, "an event is lost")
    namespace.patch("Migration", "0001-people", {"metadata": {"annotations": {"example.org/later": "yes"}}})
    life.right("0001-people", "0002-orders")
    # What is gone and wasn't heard to go is gone, too.
    rule = api.events("/migrations$", "DELETED", times=1).drop()
    namespace.delete("Migration", "0002-orders")
    eventually(lambda: rule.hit, "an event is lost")
    namespace.patch("Migration", "0001-people", {"metadata": {"annotations": {"example.org/later": "again"}}})
    life.delete()


def test_nothing_is_run_by_what_an_environment_said_before(api, life, namespace):
    """A policy that isn't heard of yet counts for a migration that is."""
    life.start("--resync", "5s")
    life.environment()
    life.migration("0001-people")
    rule = api.events("/environments$", "MODIFIED", times=1).drop()
    namespace.patch("Environment", "dev", {"spec": {"policy": {"apply": "Approve", "approvers": ["ann"]}}})
    eventually(lambda: rule.hit, "an event is lost")
    namespace.apply("Migration", "0002-orders", life.spec("orders"))
    namespace.until("Environment", "dev", "Ready", status="False", reason="ApprovalRequired")
    assert life.target.tables() == {"people"}


def test_what_an_object_was_before_is_not_done_again(api, life, namespace):
    """An old version that comes late doesn't count: the newer one is known."""
    rule = api.events("/environments$", "ADDED MODIFIED", skip=1000).stale()
    life.start()
    life.environment()
    life.migration("0001-people")
    rule.skip = rule.seen
    namespace.patch("Environment", "dev", {"spec": {"suspend": True}})
    namespace.until("Environment", "dev", "Ready", status="Unknown", reason="Suspended")
    assert rule.hit
    namespace.apply("Migration", "0002-orders", life.spec("orders"))
    time.sleep(3)
    assert life.target.tables() == {"people"}
    namespace.until("Environment", "dev", "Ready", status="Unknown", reason="Suspended")


def test_killed_at_each_write(side_by_side):
    """Right before, with the write lost, or right after, with its answer lost; every other write kills it anew."""
    def story(api, life, point):
        rule = getattr(api.on("write", each="content"), point)(life.killed)
        life.start()
        life.whole()
        assert len(rule.hit) >= 15
    side_by_side(story, {"before": "before", "after": "after"})


def test_a_refusal_that_says_when_is_listened_to(api, life):
    """Nobody asks for the same again before."""
    life.start()
    life.environment()
    # So that whoever is refused hears of it.
    api.gone()
    rules = [api.on("patch", r"/migrations/0001-people/status$", times=2).answer(429, retry_after=3),
             api.on("watch", r"/migrations$", times=1).answer(429, retry_after=3)]
    api.back()
    life.migration("0001-people")
    for rule in rules:
        for refused in rule.hit:
            again = [one.at for one in api.requests if one.place == refused.place and one.at > refused.at]
            assert again and again[0] - refused.at >= 2.9
    assert [len(rule.hit) for rule in rules] == [2, 1]


@on_both
def test_watches_that_end_at_once_are_no_storm(api, life):
    """Nor is what they missed found out late, once they go on."""
    life.start()
    life.environment()
    rule = api.on("watch", r"/(environments|migrations|secrets|leases)$").end_at_once()
    api.cut()
    time.sleep(6)
    asked = Counter(one.path.rsplit("/", 1)[1] for one in rule.hit)
    assert asked["migrations"] >= 4 and max(asked.values()) <= 10, asked
    api.mend()
    life.migration("0001-people")


def test_refusals_are_no_reason_for_a_storm(side_by_side):
    """Nor for a restart, nor for taking long once they are over."""
    def story(api, life, refusal):
        operator = life.start("--watch-timeout", "3s")
        life.environment()
        rule = api.on("*").answer(*refusal)
        api.cut()
        life.namespace.apply("Migration", "0001-people", life.spec("people"))
        started = time.monotonic()
        while time.monotonic() < started + 12:
            assert operator.get("/healthz") == (200, "ok\n")
            time.sleep(0.2)
        # Four watches of kinds, one of a Secret, and whoever keeps an environment.
        first = sum(one.at < started + 4 for one in rule.hit)
        later = sum(started + 8 <= one.at < started + 12 for one in rule.hit)
        assert 4 <= len(rule.hit) < 40 and later <= first, (len(rule.hit), first, later)
        api.mend()
        life.right("0001-people", within=35)
    side_by_side(story, {"500": (500,), "503": (503,), "429": (429, 1)})


def test_nothing_waits_for_an_answer_that_never_comes(api, life, namespace):
    """A connection that says nothing more is given up, long before the process counts as stuck."""
    life.start()
    life.environment()
    api.on("patch", r"/migrations/0001-people/status$", times=1).swallow_answer()
    namespace.apply("Migration", "0001-people", life.spec("people"))
    eventually(lambda: "people" in life.target.tables(), "it is applied")
    life.right("0001-people", within=60)


@on_both
def test_gone_for_a_while(api, life):
    """What runs is run to its end; what was said meanwhile is done when the API server is back."""
    life.start()
    life.environment()
    life.migration("0001-people")
    for seconds in (0.5, 6):
        api.gone()
        life.namespace.apply("Migration", f"0002-orders{seconds:.0f}", life.spec(f"orders{seconds:.0f}"))
        time.sleep(seconds)
        api.back()
        life.right("0001-people", f"0002-orders{seconds:.0f}", within=40)


def test_gone_for_minutes(api, life, namespace):
    """The Lease ends, and once it is held again everything is looked at, however long a pause has grown by then."""
    life.start()
    life.environment()
    life.migration("0001-people")
    api.on("patch", r"/migrations/0002-orders/status$", times=1).before(api.gone)
    namespace.apply("Migration", "0002-orders", life.spec("orders"))
    eventually(lambda: "orders" in life.target.tables(), "it is applied")
    # Pauses have grown to a minute by then, and the Lease has ended ten times over.
    time.sleep(150)
    api.back()
    life.right("0001-people", "0002-orders", within=35)


def test_two_operators_of_one_namespace_under_faults(api, life):
    """Each loses answers, and neither undoes what the other one did."""
    api.on("write", every=3).lose_answer()
    api.on("*", every=7).answer(500)
    for _ in range(2):
        life.start()
    life.short()


def test_events_that_nobody_takes_hold_nothing_up(api, life):
    """They say what happened, and nothing is decided by them."""
    rule = api.on("create", "/events$").answer(429, retry_after=2)

    def tried():
        told = [json.loads(one.body) for one in rule.hit]
        return {(event["regarding"]["name"], event["reason"]) for event in told}
    life.start()
    started = time.monotonic()
    life.short()
    assert rule.hit and time.monotonic() - started < 40
    before = tried()
    eventually(lambda: tried() > before, "there are some that still wait", 60)
