"""Absolute bounds of time, generous enough for a busy machine with two cores and an unoptimized build."""

import time

import pytest
from support.answers import in_state

pytestmark = pytest.mark.performance


def test_a_hundred_migrations_at_once(whimbrel, project, dev):
    for number in range(100):
        project.table(f"{number:04}-t{number}")
    begun = time.monotonic()
    whimbrel.run("apply", "--environment", "dev")
    assert time.monotonic() - begun < 20
    assert len(dev.tables()) == 100
    begun = time.monotonic()
    whimbrel.run("apply", "--environment", "dev")
    assert time.monotonic() - begun < 4
    assert len(in_state(whimbrel.json("status", "--environment", "dev"), "applied")) == 100
