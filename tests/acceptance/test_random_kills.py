"""Random kill -9 under load: whenever the program dies, the next run leaves every effect there exactly once.

One environment with a database of each dialect, so that a kill hits both at once. Each round adds transactional
migrations, a backfill and, on PostgreSQL, an index that is built outside of a transaction; the program is started and
killed after a random time, again and again, until it gets through.

    WHIMBREL_RANDOM_KILLS=3000          how many kills
    WHIMBREL_RANDOM_SEED=4711@850       the seed, and the span in milliseconds in which a kill may come: as a run prints it

With no failure in N kills, the probability of one is below 3/N with 95 % confidence (rule of three).
"""

import os
import random
import re
import signal
import subprocess
import time

import pytest
from support.target import PostgresTarget, SqliteTarget

KILLS = int(os.environ.get("WHIMBREL_RANDOM_KILLS", "60"))
ROWS = 1000
DEV = ("--environment", "dev")


class Load:
    """What is applied, round by round, and what must then be there."""

    def __init__(self, whimbrel, project, cluster):
        self.whimbrel, self.project = whimbrel, project
        self.targets = {"shop": SqliteTarget(project), "orders": PostgresTarget(cluster)}
        self.number = self.rounds = 0
        self.names = {database: [] for database in self.targets}
        self.expected = {database: {} for database in self.targets}
        self.indexes = []
        project.environment("dev", {name: target.url for name, target in self.targets.items()},
                            policy={"lockWait": "60s"})
        for database in self.targets:
            self.add(
                database, "base",
                "CREATE TABLE effects (migration text NOT NULL)",
                "CREATE TABLE people (id bigint PRIMARY KEY, touched bigint NOT NULL DEFAULT 0)",
                "INSERT INTO people (id) WITH RECURSIVE c (i) AS "
                f"(SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < {ROWS}) SELECT i FROM c",
            )

    def add(self, database, what, *steps):
        """Writes a migration whose effects describe themselves: its name, before and after what it does, and nothing
        keeps a second one out."""
        self.number += 1
        name = f"{self.number:05}-{database}-{what}"
        begun = [f"INSERT INTO effects VALUES ('{name} begun')"] if what != "base" else []
        done = f"INSERT INTO effects VALUES ('{name}')"
        self.project.migration(name, *begun, *steps, done, database=database)
        self.names[database].append(name)
        self.expected[database] |= {f"{name} begun": 1} if begun else {}
        self.expected[database][name] = 1

    def add_round(self):
        """Work of every kind for every database."""
        self.rounds += 1
        for database in self.targets:
            for what in ("one", "two"):
                self.add(database, what, f"CREATE TABLE {what}_{self.rounds} (id bigint PRIMARY KEY)")
            # Not idempotent: a batch that is committed twice shows.
            self.add(database, "fill", {"uses": "backfill", "with": {
                "table": "people", "key": "id", "set": "touched = touched + 1", "batchSize": 40,
            }})
        index = f"people_touched_{self.rounds}"
        self.indexes.append(index)
        self.add("orders", "index", {"sql": f"CREATE INDEX CONCURRENTLY {index} ON people (touched)"})
        self.add("orders", "last", "SELECT 1")

    def finish(self):
        """Lets a run get through, and gives how long it took."""
        begun = time.monotonic()
        self.whimbrel.run("apply", *DEV)
        return time.monotonic() - begun

    def killed_after(self, seconds):
        """Starts a run and kills it; whether it was still running, and what it had said by then."""
        run = self.whimbrel.start("apply", *DEV, "--verbose")
        try:
            run.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            run.kill()
        ended = run.end(code=None)
        assert ended.code in (0, -signal.SIGKILL), f"a run that nobody killed failed\n{ended}"
        return ended.code != 0, ended.said

    def effects(self, database):
        """How often each effect is there."""
        target = self.targets[database]
        if "effects" not in target.tables():
            return {}
        return dict(target.rows("SELECT migration, count(*) FROM effects GROUP BY migration"))

    def assert_nothing_twice(self, said):
        """After a kill: no effect is there twice, and what was reported as applied is there."""
        for database, names in self.names.items():
            effects = self.effects(database)
            assert set(effects.values()) <= {1}, effects
            reported = {name for name in re.findall(r"\bapplied (\d{5}-\S+)", said) if name in names}
            assert reported <= set(effects), f"reported and not there: {reported - set(effects)}"

    def assert_everything_once(self):
        """After a run that got through: every effect is there once, and the history says so."""
        status = self.whimbrel.json("status", *DEV)
        states = {one["name"]: one["state"] for target in status["targets"] for one in target["migrations"]}
        for database, names in self.names.items():
            assert self.effects(database) == self.expected[database]
            touched = self.targets[database].rows("SELECT touched, count(*) FROM people GROUP BY touched")
            assert touched == [(self.rounds, ROWS)], f"a batch twice, or never: {touched}"
            assert {states[name] for name in names} == {"applied"}
        indexes = self.targets["orders"].rows(
            "SELECT relname, indisvalid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid "
            "WHERE indrelid = 'people'::regclass AND NOT indisprimary ORDER BY indexrelid")
        assert sorted(indexes) == sorted((index, True) for index in self.indexes)


@pytest.mark.timeout(60 + 10 * KILLS)
def test_random_kills_leave_every_effect_exactly_once(whimbrel, project, cluster, record_property, measured):
    load = Load(whimbrel, project, cluster)
    load.finish()
    load.add_round()
    whole = load.finish()
    load.assert_everything_once()
    given, _, span = os.environ.get("WHIMBREL_RANDOM_SEED", "").partition("@")
    seed = int(given) if given else random.SystemRandom().randrange(1_000_000)
    span = int(span) if span else round(whole * 1000)
    dice = random.Random(seed)
    replay = f"WHIMBREL_RANDOM_SEED={seed}@{span}"
    kills = 0
    try:
        while kills < KILLS:
            load.add_round()
            was_killed = True
            while was_killed and kills < KILLS:
                was_killed, said = load.killed_after(dice.uniform(0, span) / 1000)
                kills += was_killed
                load.assert_nothing_twice(said)
            load.finish()
            load.assert_everything_once()
    except AssertionError as failure:
        failure.add_note(f"after {kills} kills; to try again: {replay}")
        raise
    for name, value in {"kills": kills, "failures": 0, "bound": 3 / kills, "seed": f"{seed}@{span}"}.items():
        record_property(f"random_kills.{name}", value)
    measured(f"random kill -9: {kills} kills over SQLite and PostgreSQL, 0 effects lost or doubled; "
             f"probability of one per kill < 3/{kills} = {3 / kills:.4f} (95 %); {replay}")
