"""Waiting for what happens elsewhere."""

import time


def eventually(condition, what, within=30.0):
    """Waits until a condition holds and gives its value."""
    deadline = time.monotonic() + within
    while True:
        if value := condition():
            return value
        assert time.monotonic() < deadline, f"still waiting for: {what}"
        time.sleep(0.02)
