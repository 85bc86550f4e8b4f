from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud.db.pool import Pool, open_pool
from cloud.errors import Invalid
from cloud.telemetry import service, store
from cloud.telemetry.model import Bounds, Readings
from cloud.telemetry.service import MAXIMUM_POINTS, Chart, Step
from cloud.telemetry.store import Series
from edge.contract.birth import Point
from edge.contract.telemetry import ReadingFlag, SeriesColumn, to_microseconds

AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


@pytest.fixture
def pool(migrated_url: str) -> Iterator[Pool]:
    pool = open_pool(migrated_url, size=3)
    yield pool
    pool.close()


@pytest.fixture
def series(pool: Pool) -> Series:
    with pool.connection() as conn:
        conn.execute("insert into node (name, district, area_code, created_at) values ('n', '110105', '110105', now())")
        row = conn.execute(
            "insert into device (node_id, name, kind, created_at) select id, 'd', 'sensor', now() from node returning id"
        ).fetchone()
        assert row is not None
        store.declare_series(conn, [(row[0], Point(name="temperature", unit="°C"))])
        (found,) = store.series_of_devices(conn, [row[0]])
    return found


def write(pool: Pool, series: Series, samples: list[tuple[timedelta, float]], *, flag: int = 0) -> None:
    column = SeriesColumn(
        device="d",
        point="temperature",
        observed_at_us=[to_microseconds(AT + after) for after, _ in samples],
        value=[value for _, value in samples],
        flag=[flag] * len(samples),
    )
    with pool.connection() as conn:
        store.add_readings(conn, [(series.id, column, Bounds.at(AT + timedelta(days=365)))], Readings())


def rollups(pool: Pool, table: str) -> list[Any]:
    statement = f"select bucket_at, count, total, minimum, maximum from {table} order by bucket_at"  # noqa: S608
    with pool.connection() as conn:
        return conn.execute(statement).fetchall()


def recount(pool: Pool, unit: str) -> list[Any]:
    with pool.connection() as conn:
        return conn.execute(
            "select date_trunc(%s, observed_at), count(*), sum(value), min(value), max(value)"
            " from reading group by 1 order by 1",
            [unit],
        ).fetchall()


def same(found: list[Any], wanted: list[Any]) -> bool:
    return len(found) == len(wanted) and all(
        left[:2] == right[:2] and left[2:] == pytest.approx(right[2:])
        for left, right in zip(found, wanted, strict=True)
    )


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.tuples(
            st.lists(st.tuples(st.integers(0, 3 * 3_600), st.integers(-50, 50)), min_size=1, max_size=40),
            st.booleans(),
            st.booleans(),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_rollups_equal_a_recount_in_any_order_of_writing_and_rolling(
    pool: Pool, series: Series, steps: list[tuple[list[tuple[int, int]], bool, bool]]
) -> None:
    with pool.connection() as conn:
        conn.execute("truncate reading, latest, touched_minute, touched_hour, rollup_minute, rollup_hour")
    for samples, corrects, rolls in steps:
        flag = int(ReadingFlag.CORRECTION) if corrects else 0
        write(pool, series, [(timedelta(seconds=second), float(value)) for second, value in samples], flag=flag)
        if rolls:
            service.roll_up(pool)
    service.roll_up(pool)
    assert same(rollups(pool, "rollup_minute"), recount(pool, "minute"))
    assert same(rollups(pool, "rollup_hour"), recount(pool, "hour"))
    assert service.roll_up(pool) == 0


def test_rolling_up_goes_in_small_transactions(pool: Pool, series: Series, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "NOTES_PER_TRANSACTION", 7)
    write(pool, series, [(timedelta(minutes=minute), 1.0) for minute in range(130)])
    assert service.roll_up(pool) > 130
    assert len(rollups(pool, "rollup_minute")) == 130
    assert [row[1] for row in rollups(pool, "rollup_hour")] == [60, 60, 10]


def test_a_note_of_a_transaction_under_way_is_kept_for_later(pool: Pool, series: Series) -> None:
    column = SeriesColumn(device="d", point="temperature", observed_at_us=[to_microseconds(AT)], value=[5.0])
    write(pool, series, [(timedelta(seconds=1), 1.0)])
    with pool.connection() as writing:
        store.add_readings(writing, [(series.id, column, Bounds.at(AT))], Readings())
        service.roll_up(pool)
        assert [row[1:3] for row in rollups(pool, "rollup_minute")] == [(1, 1.0)]
    service.roll_up(pool)
    assert [row[1:3] for row in rollups(pool, "rollup_minute")] == [(2, 6.0)]


def chart(pool: Pool, series: Series, span: timedelta, step: Step | None = None) -> Chart:
    with pool.connection() as conn:
        return service.chart(conn, series, AT, AT + span, step)


def test_a_chart_takes_the_finest_step_that_fits(pool: Pool, series: Series) -> None:
    write(pool, series, [(timedelta(seconds=second), float(second % 60)) for second in range(3_000)])
    service.roll_up(pool)
    short = chart(pool, series, timedelta(minutes=30))
    assert (short.step, len(short.points), short.points[1][1:]) == (Step.RAW, 1_800, (1.0, 1.0, 1.0))
    middle = chart(pool, series, timedelta(hours=24))
    assert (middle.step, len(middle.points), middle.points[0][1:]) == (Step.MINUTE, 50, (29.5, 0.0, 59.0))
    wide = chart(pool, series, timedelta(days=60))
    assert (wide.step, len(wide.points)) == (Step.HOUR, 1)


def test_a_long_chart_goes_on_where_it_stopped(pool: Pool, series: Series) -> None:
    write(pool, series, [(timedelta(seconds=second), 1.0) for second in range(2_500)])
    first = chart(pool, series, timedelta(hours=1), Step.RAW)
    assert (len(first.points), first.next_from) == (MAXIMUM_POINTS, AT + timedelta(seconds=MAXIMUM_POINTS))
    assert first.next_from is not None
    with pool.connection() as conn:
        rest = service.chart(conn, series, first.next_from, AT + timedelta(hours=1), Step.RAW)
    assert (len(rest.points), rest.next_from) == (500, None)


def test_a_range_that_runs_backwards_is_invalid(pool: Pool, series: Series) -> None:
    with pytest.raises(Invalid):
        chart(pool, series, timedelta(0))


@pytest.mark.usefixtures("native_partitions")
def test_partitions_are_there_ahead_of_time_and_take_over_what_waited(pool: Pool, series: Series) -> None:
    write(pool, series, [(timedelta(0), 1.0), (timedelta(days=20), 2.0)])
    assert service.open_partitions_ahead(pool, AT, months=11) == 12
    assert service.open_partitions_ahead(pool, AT, months=11) == 0
    write(pool, series, [(timedelta(days=40), 3.0), (timedelta(0), 9.0)])
    with pool.connection() as conn:
        found = conn.execute("select tableoid::regclass::text, value from reading order by value").fetchall()
    assert found == [("reading_2026_03", 1.0), ("reading_2026_03", 2.0), ("reading_2026_04", 3.0)]


@pytest.mark.usefixtures("native_partitions")
def test_a_month_goes_with_its_partition(pool: Pool, series: Series) -> None:
    service.open_partitions_ahead(pool, AT, months=1)
    write(pool, series, [(timedelta(0), 1.0), (timedelta(days=40), 2.0)])
    with pool.connection() as conn:
        conn.execute("drop table reading_2026_03")
    assert values(pool) == [2.0]
    write(pool, series, [(timedelta(0), 3.0)])
    assert service.open_partitions_ahead(pool, AT, months=1) == 1
    assert values(pool) == [2.0, 3.0]


@pytest.mark.usefixtures("hypertable")
def test_timescaledb_keeps_a_chunk_for_each_month(pool: Pool, series: Series) -> None:
    assert service.open_partitions_ahead(pool, AT) == 0
    write(pool, series, [(timedelta(0), 1.0), (timedelta(days=60), 2.0)])
    write(pool, series, [(timedelta(days=-400), 3.0), (timedelta(0), 9.0)])
    write(pool, series, [(timedelta(days=60), 4.0)], flag=int(ReadingFlag.CORRECTION))
    assert values(pool) == [1.0, 3.0, 4.0]
    with pool.connection() as conn:
        assert conn.execute("select count(*) from show_chunks('reading')").fetchone() == (3,)
        conn.execute("select drop_chunks('reading', older_than => %s)", [AT - timedelta(days=90)])
    assert values(pool) == [1.0, 4.0]
    service.roll_up(pool)
    assert [row[1:3] for row in rollups(pool, "rollup_hour")] == [(1, 1.0), (1, 4.0)]


def values(pool: Pool) -> list[float]:
    with pool.connection() as conn:
        return [row[0] for row in conn.execute("select value from reading order by value").fetchall()]
