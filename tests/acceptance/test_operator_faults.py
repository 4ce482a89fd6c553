"""The operator while the API server, or what is between them, misbehaves. History right, status right, no human, and nobody
starts it again unless the test killed it."""

import functools
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.kubernetes_faults import FaultyApi
from support.kubernetes_lifecycle import Lifecycle
from support.target import SqliteTarget

AT_ONCE = 5


@pytest.fixture
def life(namespace, operate, sqlite, api):
    """A life of objects whose operator reaches the API server by the proxy."""
    life = Lifecycle(namespace, operate, sqlite)
    yield life
    life.has_no_crash()


@pytest.fixture
def side_by_side(kubernetes, operate_in, project):
    """Runs one story with several faults at once, each in a namespace of its own: most of their time is waiting."""
    def one(story, name, fault):
        namespace, api = kubernetes.namespace(), FaultyApi(kubernetes)
        namespace.door = api.port
        life = Lifecycle(namespace, functools.partial(operate_in, namespace), SqliteTarget(project, name))
        try:
            story(api, life, fault)
            life.has_no_crash()
        finally:
            api.stop()

    def run(story, faults):
        with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
            runs = {name: pool.submit(one, story, name, fault) for name, fault in faults.items()}
        wrong = {name: run.exception() for name, run in runs.items() if run.exception()}
        assert not wrong, "\n".join(f"{name}: {error!r}" for name, error in wrong.items())
    return run


def test_a_proxy_that_does_nothing_changes_nothing(api, life):
    life.start()
    life.whole()
    made = {one.verb for one in api.requests}
    assert {"list", "watch", "get", "patch", "create"} <= made
    assert {one.answered for one in api.requests} - {None} <= {200, 201}


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
    rules = [api.on("patch", r"/migrations/0001-people/status$", times=2).answer(429, retry_after=3),
             api.on("watch", r"/migrations$", times=1).answer(429, retry_after=3)]
    api.cut()
    life.migration("0001-people")
    for rule in rules:
        for refused in rule.hit:
            again = [one.at for one in api.requests if one.place == refused.place and one.at > refused.at]
            assert again and again[0] - refused.at >= 2.9
    assert [len(rule.hit) for rule in rules] == [2, 1]


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


def test_two_operators_of_one_namespace_under_faults(api, life):
    """Each loses answers, and neither undoes what the other one did."""
    api.on("write", every=3).lose_answer()
    api.on("*", every=7).answer(500)
    for _ in range(2):
        life.start()
    life.short()
