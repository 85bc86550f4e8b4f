import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import psycopg
import pytest

from cloud.notify import rounds
from cloud.notify.delivery import Courier
from cloud.notify.model import ChannelKind
from cloud.notify.planner import Planner
from cloud.notify.rounds import NoticeRounds
from tests.waiting import wait_until


class Failing:
    """A planner, or a courier, that goes wrong at first, each time otherwise."""

    def __init__(self) -> None:
        self.looks: Counter[str] = Counter()

    def look(self, *given: ChannelKind | ThreadPoolExecutor | datetime) -> int:
        name = given[0].value if isinstance(given[0], ChannelKind) else "plan"
        self.looks[name] += 1
        match self.looks[name]:
            case 1:
                raise psycopg.OperationalError
            case 2:
                raise ValueError("a mistake of ours")
            case _:
                return 0


def test_no_error_ends_a_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(rounds, "AFTER_ERROR_S", 0.01)
    failing: Any = Failing()
    telling = NoticeRounds(cast("Planner", failing), cast("Courier", failing))
    telling.start()
    wait_until(lambda: all(failing.looks[name] > 3 for name in ("plan", *ChannelKind)))
    assert telling.problem() is None
    telling.stop()
    assert telling.problem() is not None


def test_a_look_that_does_not_come_back_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "LOOK_EVERY_S", 0.01)
    now = [datetime(2026, 3, 17, tzinfo=UTC)]
    stuck, over = threading.Event(), threading.Event()

    class Stuck(Failing):
        def look(self, *given: ChannelKind | ThreadPoolExecutor | datetime) -> int:
            if given[0] is ChannelKind.WEB_PUSH:
                stuck.set()
                over.wait()
            return 0

    looking: Any = Stuck()
    telling = NoticeRounds(cast("Planner", looking), cast("Courier", looking), clock=lambda: now[0])
    telling.start()
    try:
        assert stuck.wait(30)
        assert telling.problem() is None
        now[0] += rounds.STUCK + timedelta(seconds=1)
        wait_until(lambda: telling.problem() == "the round web_push is stuck")
    finally:
        over.set()
        telling.stop()
