"""Waiting on a condition, never on a clock."""

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], object], *, timeout_s: float = 10.0, what: str = "") -> None:
    """Return as soon as the condition holds; fail when it does not in time."""
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until, f"not within {timeout_s:.0f} s: {what or condition}"
        time.sleep(0.01)
