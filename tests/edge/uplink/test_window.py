from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.contract.envelope import Lane
from edge.flow import OutboxRecord
from edge.uplink.pace import Pace
from edge.uplink.window import LONGEST_WAIT_S, SendWindow, Sequences


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
    window.settle([UUID(int=1), UUID(int=99)])
    assert window.free == 1
    assert window.rows == [2]


def test_resends_back_off_and_keep_lane_and_number() -> None:
    window = SendWindow(resend_after_s=30.0)
    window.add(record(1), Lane.LIVE, 7, now_s=0.0)
    times = []
    for second in range(2_000):
        for entry in window.due(float(second)):
            assert (entry.lane, entry.seq) == (Lane.LIVE, 7)
            times.append(second)
    waits = [later - earlier for earlier, later in zip([0, *times], times, strict=False)]
    assert waits[:4] == [30, 60, 120, 240]
    assert set(waits[4:]) == {int(LONGEST_WAIT_S)}


def test_a_new_connection_makes_everything_due_once() -> None:
    window = SendWindow(resend_after_s=30.0)
    for number in range(3):
        window.add(record(number), Lane.LIVE, number + 1, now_s=0.0)
    window.reconnected()
    assert [entry.seq for entry in window.due(1.0)] == [1, 2, 3]
    assert window.due(1.0) == []
    assert window.next_due_s() == 31.0


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
