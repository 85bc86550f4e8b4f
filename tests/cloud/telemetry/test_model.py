from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.telemetry.model import AHEAD, EARLIEST_US, MINUTE_US, Bounds, Readings
from cloud.telemetry.partitions import Partitions
from edge.contract.telemetry import ReadingFlag, SeriesColumn, to_microseconds

NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
NOW_US = to_microseconds(NOW)
CORRECTION = int(ReadingFlag.CORRECTION)
CLAMPED = int(ReadingFlag.CLAMPED)

columns = st.lists(
    st.tuples(
        st.integers(NOW_US - 10 * MINUTE_US, NOW_US + 10 * MINUTE_US),
        st.floats(-1e6, 1e6),
        st.sampled_from([0, 1, CORRECTION, 8]),
    ),
    max_size=30,
)


def column(samples: list[tuple[int, float, int]]) -> SeriesColumn:
    return SeriesColumn(
        device="sensor-01",
        point="temperature",
        observed_at_us=[us for us, _, _ in samples],
        value=[value for _, value, _ in samples],
        flag=[flag for _, _, flag in samples],
    )


BOUNDS = Bounds.at(NOW)
FINAL_US = NOW_US + AHEAD // timedelta(microseconds=1)
DAY_US = 24 * 60 * MINUTE_US
YEAR_9999_US = 253_402_300_000_000_000


@given(st.lists(columns, max_size=6))
def test_flat_columns_hold_what_came_whichever_way_it_took(batches: list[list[tuple[int, float, int]]]) -> None:
    readings = Readings()
    for samples in batches:
        readings.add(7, column(samples), BOUNDS)
    told = [sample for samples in batches for sample in samples]
    kept = list(zip(readings.observed_at_us, readings.value, readings.flag, strict=True))
    kept += [(us, value, flag) for (_, us), (value, flag) in readings.corrections.items()]
    believed = [sample for sample in told if sample[0] <= FINAL_US]
    plain = sorted(sample for sample in believed if not sample[2] & CORRECTION)
    assert [sample for sample in sorted(kept) if sample in plain] == plain
    assert all(us <= FINAL_US for us, _, _ in kept)
    assert {(7, us // MINUTE_US) for us, _, _ in kept} <= readings.minutes
    assert readings.clamped == len(told) - len(believed)
    assert sum(bool(flag & CLAMPED) for _, _, flag in kept) >= sum(flag == CLAMPED for _, _, flag in believed)
    newest = [sample[0] for sample in readings.newest.values()]
    assert newest == ([max(us for us, _, _ in kept)] if kept else [])


def test_times_that_cannot_be_are_put_to_the_receipt_flagged_and_counted() -> None:
    readings = Readings()
    readings.add(7, column([(YEAR_9999_US, 1.0, 0), (EARLIEST_US - 1, 2.0, 8), (NOW_US - 5, 3.0, 0)]), BOUNDS)
    assert list(zip(readings.observed_at_us, readings.value, readings.flag, strict=True)) == [
        (NOW_US, 1.0, CLAMPED),
        (NOW_US, 2.0, CLAMPED | 8),
        (NOW_US - 5, 3.0, 0),
    ]
    assert readings.clamped == 2


@pytest.mark.parametrize("ahead_us", [2 * MINUTE_US, DAY_US, YEAR_9999_US - NOW_US])
def test_readings_of_a_fast_clock_keep_their_distances_and_end_at_the_receipt(ahead_us: int) -> None:
    readings = Readings()
    readings.add(7, column([(NOW_US + ahead_us + second * 1_000_000, second, 0) for second in range(-9, 1)]), BOUNDS)
    assert list(readings.observed_at_us) == [NOW_US + second * 1_000_000 for second in range(-9, 1)]
    assert readings.newest == {7: (NOW_US, 0.0, CLAMPED)}


times = st.lists(
    st.one_of(
        st.integers(0, YEAR_9999_US),
        st.integers(NOW_US - DAY_US, NOW_US + DAY_US),
        st.sampled_from([0, 1, EARLIEST_US, EARLIEST_US - 1, FINAL_US, FINAL_US + 1, YEAR_9999_US]),
    ),
    max_size=30,
    unique=True,
)


@given(times)
def test_clamped_times_are_believable_keep_their_order_and_what_was_believable_stays(told: list[int]) -> None:
    result = BOUNDS.clamped(told)
    assert all(BOUNDS.believe(us) for us in result)
    assert [us for us, was in zip(result, told, strict=True) if BOUNDS.believe(was)] == [
        was for was in told if BOUNDS.believe(was)
    ]
    for first, last in ((FINAL_US + 1, YEAR_9999_US), (0, EARLIEST_US - 1)):
        moved = sorted((was, us) for us, was in zip(result, told, strict=True) if first <= was <= last)
        assert [us for _, us in moved] == sorted({us for _, us in moved})
        assert not moved or moved[-1][1] == NOW_US


def test_a_column_without_readings_is_nothing() -> None:
    readings = Readings()
    readings.add(7, column([]), BOUNDS)
    assert (len(readings), readings.minutes, readings.newest) == (0, set(), {})


def test_partitions_ask_for_each_month_once() -> None:
    partitions = Partitions()
    partitions.need([(1, NOW_US // MINUTE_US), (2, NOW_US // MINUTE_US)])
    assert partitions.wanted == {(2026, 3)}
    partitions._opened |= partitions.wanted
    partitions.need([(1, NOW_US // MINUTE_US + 1)])
    assert partitions.wanted == {(2026, 3)} - partitions._opened
