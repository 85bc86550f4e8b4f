import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.settings import ModbusDeviceSettings
from edge.sources.modbus_timetable import FIRST_WAIT_S, LONGEST_WAIT_S, BackOff, Timetable, patience_s


def device(name: str, *periods_s: float, timeout_s: float = 1.0) -> ModbusDeviceSettings:
    points = [{"name": f"p{index}", "address": 2 * index, "period_s": each} for index, each in enumerate(periods_s)]
    return ModbusDeviceSettings.model_validate(
        {"id": name, "gateway": "192.0.2.1", "timeout_s": timeout_s, "points": points}
    )


def no_jitter() -> float:
    return 0.0


def test_each_point_is_read_in_its_own_period_on_a_grid() -> None:
    table = Timetable(no_jitter)
    table.adopt([device("d", 1, 10)], 0.0)
    reads: dict[int, int] = {}
    for tenth in range(1_000):
        turn = table.take(tenth / 10 + 0.03)
        for block in turn.blocks if turn is not None else ():
            reads[block.address] = reads.get(block.address, 0) + 1
    assert reads == {0: 100, 2: 10}


def test_a_long_stall_is_made_up_by_one_read() -> None:
    table = Timetable(no_jitter)
    table.adopt([device("d", 1)], 0.0)
    assert table.take(0.0) is not None
    assert table.take(1_000.4) is not None
    assert table.take(1_000.4) is None
    assert table.next_due_s() == 1_001


def test_a_silent_device_is_asked_less_and_less_often_but_always_again() -> None:
    back_off = BackOff(no_jitter)
    waits = [back_off.failed() for _ in range(12)]
    assert waits[:4] == [FIRST_WAIT_S, 2, 4, 8]
    assert waits[-1] == LONGEST_WAIT_S
    back_off.answered()
    assert back_off.failed() == FIRST_WAIT_S


@given(st.floats(0, 1), st.integers(1, 30))
def test_a_wait_keeps_within_its_half(jitter: float, times: int) -> None:
    back_off = BackOff(lambda: jitter)
    waits = [back_off.failed() for _ in range(times)]
    assert all(0.5 * FIRST_WAIT_S <= wait_s <= LONGEST_WAIT_S for wait_s in waits)


@given(
    st.integers(1, 30),
    st.integers(0, 30),
    st.floats(0.2, 3.0),
)
def test_silent_devices_hold_those_that_answer_up_for_one_timeout_at_most(
    answering: int, silent: int, timeout_s: float
) -> None:
    """However many are silent behind the same gateway: who answers is read within a period and one time-out."""
    table = Timetable(no_jitter)
    names = [f"good-{index}" for index in range(answering)] + [f"dead-{index}" for index in range(silent)]
    table.adopt([device(name, 10, timeout_s=timeout_s) for name in names], 0.0)
    now_s, last_read_s, tried = 0.0, dict[str, float](), set[str]()
    while now_s < 300:
        turn = table.take(now_s)
        if turn is None:
            due_s = table.next_due_s()
            assert due_s is not None
            assert due_s > now_s
            now_s = due_s
            continue
        name = turn.device.id
        tried.add(name)
        if name.startswith("dead"):
            now_s += timeout_s
            table.failed(name, now_s)
            continue
        now_s += 0.001
        warm = now_s > 60  # all have been asked by then
        assert not warm or now_s - last_read_s[name] <= 10 + timeout_s + 0.001 * answering + 1e-6
        last_read_s[name] = now_s
        table.answered(name)
    assert tried == set(names)


def test_a_device_that_stays_keeps_its_times_and_one_that_has_changed_is_read_at_once() -> None:
    table = Timetable(no_jitter)
    table.adopt([device("a", 10), device("b", 10)], 0.0)
    while table.take(0.0):
        pass
    table.adopt([device("a", 10), device("b", 5)], 1.0)
    turn = table.take(1.0)
    assert turn is not None
    assert turn.device.id == "b"
    assert table.take(1.0) is None


def test_what_is_gone_is_answered_for_by_nobody() -> None:
    table = Timetable(no_jitter)
    table.adopt([], 0.0)
    table.failed("gone", 0.0)
    table.answered("gone")
    assert table.next_due_s() is None
    assert table.take(0.0) is None


@pytest.mark.parametrize(
    ("periods_s", "timeout_s", "expected"), [((1.0,), 1.0, 10.0), ((5.0, 60.0), 1.0, 180.0), ((1.0,), 30.0, 90.0)]
)
def test_patience(periods_s: tuple[float, ...], timeout_s: float, expected: float) -> None:
    assert patience_s(device("d", *periods_s, timeout_s=timeout_s)) == expected
