import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.api.pace import AddressPace
from cloud.errors import TooOften


def admitted(pace: AddressPace, address: str, now_s: float) -> bool:
    try:
        pace.admit(address, now_s)
    except TooOften:
        return False
    return True


@given(st.lists(st.floats(min_value=0, max_value=100), max_size=200))
def test_nobody_asks_more_than_his_burst_and_what_time_gives_him(moments_s: list[float]) -> None:
    pace = AddressPace(burst=5, per_s=1.0)
    moments_s.sort()
    taken = [now_s for now_s in moments_s if admitted(pace, "192.0.2.1", now_s)]
    for first, begin_s in enumerate(taken):
        for last in range(first, len(taken)):
            assert last - first + 1 <= 5 + (taken[last] - begin_s) * 1.0 + 1e-6


def test_one_who_asks_too_often_keeps_nobody_else_away() -> None:
    pace = AddressPace(burst=2, per_s=1.0)
    assert [admitted(pace, "192.0.2.1", 0.0) for _ in range(3)] == [True, True, False]
    assert admitted(pace, "192.0.2.2", 0.0)
    assert admitted(pace, "192.0.2.1", 1.0)


def test_a_customer_with_many_addresses_is_one() -> None:
    pace = AddressPace(burst=1, per_s=1.0)
    pace.admit("2001:db8::1", 0.0)
    with pytest.raises(TooOften):
        pace.admit("2001:db8::2", 0.0)


def test_memory_stays_small_whoever_asks() -> None:
    pace = AddressPace(networks_kept=10)
    for number in range(1_000):
        with contextlib.suppress(TooOften):
            pace.admit(f"10.0.{number // 256}.{number % 256}", 0.0)
    assert len(pace) == 10
