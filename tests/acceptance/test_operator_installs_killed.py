"""Two installs on one database, which no Lease keeps apart, killed in turns: two operators, or one and a `whimbrel serve`."""

import json

import pytest
from support.kubernetes_sources import Followed, told
from support.target import PostgresTarget
from support.waiting import eventually
from test_operator_failures import FILL, ORDERS, PEOPLE, ROWS, in_the_middle, touched
from test_operator_installs import MIGRATIONS, installs, of_dev, stands  # noqa: F401
from test_operator_revert_crashes import side_by_side

WITHIN = 60.0


class Operator:
    """An operator that follows the repository from a namespace of its own."""

    def __init__(self, start, place, source, environment="live"):
        self.begin = lambda **variables: setattr(self, "running", start(
            place, "--local-secrets", POD_NAME=f"operator-of-{place.name}", WHIMBREL_ACTOR=place.name, **variables))
        self.name = place.name
        self.source = source
        self.environment = environment

    def kill(self):
        """Ends it as a node's end does."""
        self.running.kill()

    def settled(self):
        """Waits until it says that all is done, also of each migration."""
        status = self.source.until(self.environment, "Current", within=WITHIN)
        assert (status["applied"], status["pending"], status["failed"]) == (3, 0, 0)
        place = self.source.namespace
        eventually(lambda: {name for _, name in self.source.objects()} == set(MIGRATIONS), "all are objects")
        for one in place.list("Migration"):
            place.until("Migration", one["metadata"]["name"], "Succeeded")


class Server:
    """A `whimbrel serve` that follows it."""

    def __init__(self, start, source, file):
        document = {"apiVersion": "whimbrel.dev/v1alpha1", "kind": "GitSource", "metadata": {"name": "shop"},
                    "spec": {"url": source.address, "interval": "1h"}}
        file.write_text(json.dumps(document))
        self.begin = lambda: setattr(self, "running", start("--config", file, WHIMBREL_ACTOR="server"))
        self.name = "server"

    def kill(self):
        """Ends it as a node's end does."""
        self.running.running.kill()
        self.running.running.end(code=-9)

    def settled(self):
        """Waits until it says that all is done."""
        self.running.phase("current", name="live", within=WITHIN)
        [target] = self.running.get("/v1/environments/live/status").json()["targets"]
        assert {line["name"]: line["state"] for line in target["migrations"]} == dict.fromkeys(MIGRATIONS, "applied")


@pytest.fixture
def repository(project, served):
    """Commits environments of one project, each with a database of its own, and the migrations."""
    def of(steps, **databases):
        (project.folder / "environments/dev.yaml").unlink()
        for name, target in databases.items():
            project.environment(name, {"shop": target.url}, policy={"lockWait": "20s", "lockTimeout": "60s"})
        for name, each in steps.items():
            project.migration(name, *each)
        project.commit("Fill")
        served.push()
    return of


def once(target):
    """Everything is done once, whoever did it."""
    assert target.rows("SELECT touched, count(*) FROM people GROUP BY touched") == [(1, ROWS)]
    assert target.tables() == {"people", "orders"}
    assert told(target, "applied") == dict.fromkeys(MIGRATIONS, 1)


@pytest.mark.parametrize("other", ["operator", "server"])
def test_whoever_is_at_it_is_killed_and_the_other_one_goes_on(
        kubernetes, operate_in, outside, serve, http, served, repository, postgres, tmp_path, other):
    repository(MIGRATIONS, live=postgres)
    sources = [Followed(kubernetes.namespace(), http, served) for _ in range(2)]
    both = [Operator(operate_in, source.namespace, source) for source in sources]
    if other == "server":
        both[1] = Server(lambda *arguments, **variables: serve(*arguments, by=outside, **variables), sources.pop(), tmp_path / "shop.json")
    for one in both:
        one.begin()
    for source in sources:
        source.begin("live")
    by_name, victims, last = {one.name: one for one in both}, [], None
    for _ in range(4):
        in_the_middle(postgres, more=200)
        with postgres.held("people"):
            assert touched(postgres) < ROWS
            [(holder,)] = postgres.rows("SELECT holder FROM whimbrel.lock")
            victims.append(by_name[holder.rsplit(" (", 1)[0]])
            # Until now, there was nobody else who could have gone on.
            if last:
                last.begin()
            last = victims[-1]
            last.kill()
    last.begin()
    assert victims in ([*both, *both], [*both[::-1], *both[::-1]])
    for one in both:
        one.settled()
    once(postgres)


def test_both_are_killed_at_each_point_of_a_run(kubernetes, operate_in, http, served, repository, cluster):
    """First one, then the one that goes on for it, and then they begin anew, both at once."""
    points = ["lock.after", "record.after", "commit.sent", "commit.after", "checkpoint.after"]
    targets = {point: PostgresTarget(cluster) for point in points}
    names = {point: point.replace(".", "-") for point in points}
    quick = [{"uses": "backfill", "with": FILL[0]["with"] | {"pause": "0ms", "batchSize": 1000}}]
    steps = {"0001-people": PEOPLE, "0002-fill": quick, "0003-orders": ORDERS}
    repository(steps, **{names[point]: target for point, target in targets.items()})

    def story(point):
        sources = [Followed(kubernetes.namespace(), http, served) for _ in range(2)]
        both = [Operator(operate_in, source.namespace, source, names[point]) for source in sources]
        for one in both:
            one.begin(WHIMBREL_CRASH_POINT=point)
        for source in sources:
            source.begin(names[point])
        for one in both:
            process = one.running.running
            eventually(lambda: process.process.poll() is not None, "it is killed", WITHIN)  # noqa: B023
            process.end(code=-9)
        for one in both:
            one.begin()
        for one in both:
            one.settled()
        once(targets[point])
    side_by_side(story, points)


def test_what_belongs_to_one_is_not_gone_on_with_by_the_other(installs, operate_in, postgres):  # noqa: F811
    """Neither while its owner is gone, nor when both begin anew."""
    database = {"url": str(postgres.url)} | postgres.url.references
    for place in installs.places:
        place.apply("Environment", "dev", {"databases": {"shop": database}, "policy": {"apply": "Auto", "lockWait": "1s"}})
        for name, steps in MIGRATIONS.items():
            place.apply("Migration", name, of_dev(steps))
    running = {}

    def begin(place):
        running[place] = operate_in(place, "--local-secrets", POD_NAME=f"operator-of-{place.name}", WHIMBREL_ACTOR=place.name)

    def looks(place, value):
        place.patch("Environment", "dev", {"metadata": {"annotations": {"whimbrel.dev/requestedAt": value}}})
        eventually(lambda: place.get("Environment", "dev").get("status", {}).get("lastHandledRequest") == value, "it has looked")
    for place in installs.places:
        begin(place)
    in_the_middle(postgres, more=200)
    [(mine,)] = postgres.rows("SELECT project FROM whimbrel.owner")
    [owner] = [place for place in installs.places if place.name == mine]
    [other] = [place for place in installs.places if place is not owner]
    for turn in range(3):
        running[owner].kill()
        committed = touched(postgres)
        assert committed < ROWS
        looks(other, f"turn-{turn}")
        assert stands(other) == "Blocked"
        assert touched(postgres) == committed
        running[other].kill()
        # The owner comes last, so that the other one could have it.
        begin(other)
        begin(owner)
        in_the_middle(postgres, more=200)
    for name in MIGRATIONS:
        owner.until("Migration", name, "Succeeded")
    owner.until("Environment", "dev", "Ready", reason="Current")
    other.until("Environment", "dev", "Stalled", reason="Blocked")
    once(postgres)
    assert postgres.rows("SELECT DISTINCT actor FROM whimbrel.event WHERE kind = 'applied'") == [(f"{owner.name} (operator)",)]
