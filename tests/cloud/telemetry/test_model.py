from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from cloud.telemetry.model import EARLIEST_US, FUTURE_BOUND, LATEST_BOUND, MINUTE_US, Bounds, Readings
from cloud.telemetry.partitions import Partitions
from edge.contract.telemetry import ReadingFlag, SeriesColumn, to_microseconds

NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
NOW_US = to_microseconds(NOW)
CORRECTION = int(ReadingFlag.CORRECTION)

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


@given(st.lists(columns, max_size=6))
def test_flat_columns_hold_what_came_whichever_way_it_took(batches: list[list[tuple[int, float, int]]]) -> None:
    readings = Readings(Bounds.at(NOW))
    for samples in batches:
        readings.add(7, column(samples))
    everything = [sample for samples in batches for sample in samples]
    plain = [sample for sample in everything if not sample[2] & CORRECTION]
    assert sorted(zip(readings.observed_at_us, readings.value, readings.flag, strict=True)) == sorted(plain)
    assert {key[1] for key in readings.corrections} == {us for us, _, flag in everything if flag & CORRECTION}
    assert readings.minutes == {(7, us // MINUTE_US) for us, _, _ in everything}
    believable = [us for us, _, _ in everything if us <= NOW_US + LATEST_BOUND // timedelta(microseconds=1)]
    assert [sample[0] for sample in readings.newest.values()] == ([max(believable)] if believable else [])
    assert readings.refused == 0


def test_times_that_cannot_be_are_refused_and_counted() -> None:
    readings = Readings(Bounds.at(NOW))
    far = to_microseconds(NOW + FUTURE_BOUND) + 1
    readings.add(7, column([(far, 1.0, 0), (EARLIEST_US - 1, 2.0, 0), (NOW_US, 3.0, 0), (far - 1, 4.0, 0)]))
    assert list(readings.value) == [3.0, 4.0]
    assert readings.refused == 2
    assert readings.newest == {7: (NOW_US, 3.0, 0)}


def test_a_column_without_readings_is_nothing() -> None:
    readings = Readings(Bounds.at(NOW))
    readings.add(7, column([]))
    assert (len(readings), readings.minutes, readings.newest) == (0, set(), {})


def test_partitions_ask_for_each_month_once() -> None:
    partitions = Partitions()
    partitions.need([(1, NOW_US // MINUTE_US), (2, NOW_US // MINUTE_US)])
    assert partitions.wanted == {(2026, 3)}
    partitions._opened |= partitions.wanted
    partitions.need([(1, NOW_US // MINUTE_US + 1)])
    assert partitions.wanted == {(2026, 3)} - partitions._opened
