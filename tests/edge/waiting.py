"""Waiting for what other threads and processes do, with a limit."""

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], object], what: str = "the condition", *, timeout_s: float = 20.0) -> None:
    until_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until_s, f"{what} did not come within {timeout_s} s"
        time.sleep(0.01)
