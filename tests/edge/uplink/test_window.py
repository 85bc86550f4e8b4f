from datetime import UTC, datetime
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.contract.envelope import Lane
from edge.flow import OutboxRecord
from edge.uplink.pace import Pace
from edge.uplink.window import (
    OVERTAKEN_LONGEST_S,
    PROBE_AFTER_S,
    PROBE_LONGEST_S,
    SendWindow,
    Sequences,
)


def record(number: int) -> OutboxRecord:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    return OutboxRecord(number, UUID(int=number), "up/telemetry", Lane.LIVE, at, replayed=False, body=b"{}")


def test_the_window_is_bounded_and_takes_a_message_once() -> None:
    window = SendWindow(2)
    window.add(record(1), Lane.LIVE, 1, now_s=0.0)
    with pytest.raises(ValueError, match="already"):
        window.add(record(1), Lane.LIVE, 2, now_s=0.0)
    window.add(record(2), Lane.LIVE, 2, now_s=0.0)
    with pytest.raises(ValueError, match="room"):
        window.add(record(3), Lane.LIVE, 3, now_s=0.0)
    window.settle([UUID(int=1), UUID(int=99)], now_s=0.5)
    assert window.free == 1
    assert window.rows == [2]


def test_while_nobody_answers_one_after_the_other_is_sent_again() -> None:
    window = SendWindow(probe_after_s=5.0)
    for number in range(3):
        window.add(record(number), Lane.LIVE, number + 1, now_s=0.0)
    probes = [(second, entry.seq) for second in range(60) for entry in window.due(float(second))]
    assert probes == [(5, 1), (15, 2), (25, 3), (35, 1), (45, 2), (55, 3)]
    assert window.next_due_s() == 55.0 + PROBE_LONGEST_S


def test_an_answer_shows_what_was_lost_before_it() -> None:
    window = SendWindow(probe_after_s=5.0)
    window.add(record(1), Lane.LIVE, 1, now_s=0.0)
    window.add(record(2), Lane.INCIDENT, 1, now_s=9.0)
    window.add(record(3), Lane.LIVE, 2, now_s=10.0)
    window.settle([UUID(int=3), UUID(int=99)], now_s=10.5)
    assert [(entry.lane, entry.seq) for entry in window.due(10.5)] == [(Lane.LIVE, 1)]
    assert window.due(10.6) == []


def test_one_that_is_never_answered_is_asked_for_ever_less_often() -> None:
    window = SendWindow()
    window.add(record(0), Lane.LIVE, 1, now_s=0.0)
    times = []
    for second in range(1, 1_000):
        window.add(record(second), Lane.LIVE, second + 1, now_s=float(second))
        window.settle([UUID(int=second)], now_s=float(second))
        times += [second for entry in window.due(float(second)) if entry.seq == 1]
    waits = [later - earlier for earlier, later in pairwise([0, *times])]
    assert waits[:5] == [3, 5, 9, 17, 33]
    assert set(waits[8:]) == {int(OVERTAKEN_LONGEST_S) + 1}


def test_a_new_connection_makes_everything_due_once() -> None:
    window = SendWindow(probe_after_s=5.0)
    for number in range(3):
        window.add(record(number), Lane.LIVE, number + 1, now_s=0.0)
    window.reconnected()
    assert [entry.seq for entry in window.due(1.0)] == [1, 2, 3]
    assert window.due(1.0) == []
    assert window.next_due_s() == 6.0


@given(st.data())
def test_whatever_is_lost_on_the_way_everything_is_answered_in_the_end(data: st.DataObject) -> None:
    """A cloud that is away for a while, and a broker that keeps nothing for it."""
    count = data.draw(st.integers(1, 30))
    back_s = data.draw(st.integers(0, 300))
    window = SendWindow(10)
    waiting, sendings, now_s = list(range(count)), 0, 0
    answered: set[UUID] = set()
    back_at_s = None
    while len(answered) < count:
        now_s += 1
        on_the_way = window.due(float(now_s))
        while waiting and window.free:
            on_the_way.append(window.add(record(waiting.pop(0)), Lane.LIVE, 1, now_s=float(now_s)))
        sendings += len(on_the_way)
        if now_s > back_s:
            ids = [entry.record.message_id for entry in on_the_way]
            back_at_s = now_s if ids and back_at_s is None else back_at_s
            answered.update(ids)
            window.settle(ids, now_s=float(now_s))
        assert now_s <= back_s + PROBE_LONGEST_S + 1 + count * 2
    assert back_at_s is not None
    assert back_at_s - back_s <= PROBE_LONGEST_S + 1
    assert sendings <= 2 * count + back_s / PROBE_AFTER_S + 1


def test_numbers_run_per_lane_from_one() -> None:
    numbers = Sequences()
    assert [numbers.next(Lane.LIVE), numbers.next(Lane.LIVE), numbers.next(Lane.INCIDENT)] == [1, 2, 1]


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(0, 10)), max_size=50))
def test_the_pace_is_kept_over_any_time(steps: list[tuple[float, int]]) -> None:
    pace = Pace(per_s=2.0, burst=5)
    now_s, taken = 0.0, 0
    for wait_s, wanted in steps:
        now_s += wait_s
        count = min(wanted, pace.available(now_s))
        pace.take(count)
        taken += count
        assert taken <= 5 + 2.0 * now_s + 1e-6
    assert pace.next_s() <= 0.5 + 1e-9
