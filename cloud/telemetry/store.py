"""Statements of the telemetry slice with their types. All take a connection; none commits."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Connection, Cursor

from cloud.db.packed import Doubles, Instants, Integers, SmallIntegers
from cloud.db.queries import load
from cloud.telemetry.model import MINUTE_US, Bounds, Readings
from edge.contract.birth import Point
from edge.contract.telemetry import Gap, SeriesColumn

ROWS_PER_STATEMENT = 2_500

_queries = load("cloud.telemetry")


class Series(NamedTuple):
    """A declared point of a device."""

    id: int
    device_id: int
    point: str
    kind: str
    unit: str | None
    minimum: float | None
    maximum: float | None
    period_s: float | None


class PointState(NamedTuple):
    """A declared point with its newest value; `value` of a number, `state` of a state."""

    device_id: int
    point: str
    kind: str
    unit: str | None
    minimum: float | None
    maximum: float | None
    period_s: float | None
    observed_at: datetime | None
    value: float | None
    state: str | None


class PointAround(NamedTuple):
    """What a point said around a moment: its last word up to it (`value` of a number, `state` of a state), and the range of a number's
    `readings` before and after it.
    """

    device_id: int
    point: str
    kind: str
    unit: str | None
    observed_at: datetime | None
    value: float | None
    state: str | None
    minimum: float | None
    maximum: float | None
    readings: int


class Bucket(NamedTuple):
    """One point of a chart: a reading (all three alike) or a rollup of a minute or an hour."""

    observed_at: datetime
    mean: float
    minimum: float
    maximum: float


@dataclass(frozen=True, slots=True)
class DeclaredGap:
    """A hole that the node declared."""

    from_at: datetime
    to_at: datetime
    count: int
    reason: str


class Change(NamedTuple):
    """A state that changed."""

    device_id: int
    point: str
    observed_at: datetime
    value: str


def add_readings(conn: Connection[Any], columns: Iterable[tuple[int, SeriesColumn, Bounds]], readings: Readings) -> int:
    """Write columns of series (by id) within the bounds of their receipt, note the touched minutes, move the newest on. How many rows were new comes back.

    `readings` collects them, and holds the newest and the minutes afterwards. Everything is sent without waiting for
    answers, a few thousand rows at a time: while the server inserts one piece, the next one is made.
    """
    sent = []
    total = 0
    with conn.pipeline():
        for series_id, column, bounds in columns:
            readings.add(series_id, column, bounds)
            if len(readings.series_id) >= ROWS_PER_STATEMENT:
                sent.append(_send_readings(conn, readings))
        if readings.series_id:
            sent.append(_send_readings(conn, readings))
        if readings.corrections:
            sent.append(_send_corrections(conn, readings))
        _send_notes(conn, readings)
    for cursor in sent:
        total += cursor.rowcount
        cursor.close()
    return total


def _send_readings(conn: Connection[Any], readings: Readings) -> Cursor[Any]:
    series_id, observed_at_us, value, flag = readings.take_flat()
    return conn.execute(
        _queries.add_readings.sql,
        {
            "series_id": Integers(series_id),
            "observed_at": Instants(observed_at_us),
            "value": Doubles(value),
            "flag": SmallIntegers(flag),
        },
    )


def _send_corrections(conn: Connection[Any], readings: Readings) -> Cursor[Any]:
    keys = sorted(readings.corrections)
    return conn.execute(
        _queries.correct_readings.sql,
        {
            "series_id": Integers(series_id for series_id, _ in keys),
            "observed_at": Instants(us for _, us in keys),
            "value": Doubles(readings.corrections[key][0] for key in keys),
            "flag": SmallIntegers(readings.corrections[key][1] for key in keys),
        },
    )


def _send_notes(conn: Connection[Any], readings: Readings) -> None:
    if readings.minutes:
        _queries.touch_minutes(
            conn,
            series_id=Integers(series_id for series_id, _ in readings.minutes),
            bucket_at=Instants(minute * MINUTE_US for _, minute in readings.minutes),
        )
    if readings.newest:
        newest = sorted(readings.newest.items())
        _queries.advance_latest(
            conn,
            series_id=Integers(series_id for series_id, _ in newest),
            observed_at=Instants(sample[0] for _, sample in newest),
            value=Doubles(sample[1] for _, sample in newest),
            flag=SmallIntegers(sample[2] for _, sample in newest),
        )


def add_changes(conn: Connection[Any], changes: Sequence[Change], *, received_at: datetime) -> int:
    """Write changes of state; the first write of a (device, point, time) wins."""
    ordered = sorted(changes)
    added: int = _queries.add_changes(
        conn,
        device_id=[change.device_id for change in ordered],
        point=[change.point for change in ordered],
        observed_at=[change.observed_at for change in ordered],
        value=[change.value for change in ordered],
        received_at=received_at,
    )
    return added


def add_gap(conn: Connection[Any], device_id: int, gap: Gap, *, received_at: datetime) -> bool:
    """Keep a declared gap once. False when it was there already."""
    return bool(
        _queries.add_gap(
            conn,
            gap_id=gap.gap_id,
            device_id=device_id,
            from_at=gap.from_at,
            to_at=gap.to_at,
            count=gap.count,
            reason=gap.reason.value,
            received_at=received_at,
        )
    )


def declare_series(conn: Connection[Any], points: Sequence[tuple[int, Point]]) -> int:
    """Make or bring up to date the series of (device id, point); how many changed."""
    unique = {(device_id, point.name): point for device_id, point in points}
    keys = sorted(unique)
    if not keys:
        return 0
    changed: int = _queries.declare_series(
        conn,
        device_id=[device_id for device_id, _ in keys],
        point=[name for _, name in keys],
        kind=[unique[key].kind.value for key in keys],
        unit=[unique[key].unit for key in keys],
        minimum=[unique[key].minimum for key in keys],
        maximum=[unique[key].maximum for key in keys],
        period_s=[unique[key].period_s for key in keys],
    )
    return changed


def series_of_devices(conn: Connection[Any], device_ids: Sequence[int]) -> list[Series]:
    """All series of these devices."""
    return [Series(*row) for row in _queries.series_of_devices(conn, device_ids=list(device_ids))]


def points_of_devices(conn: Connection[Any], device_ids: Sequence[int]) -> list[PointState]:
    """All points of these devices with their newest values."""
    return [PointState(*row) for row in _queries.points_of_devices(conn, device_ids=list(device_ids))]


def points_around(
    conn: Connection[Any],
    device_ids: Sequence[int],
    *,
    from_at: datetime,
    moment: datetime,
    to_at: datetime,
    count: int,
) -> list[PointAround]:
    """What at most `count` points of these devices said around a moment; those that said nothing are left out."""
    rows = _queries.points_around(
        conn, device_ids=list(device_ids), from_at=from_at, moment=moment, to_at=to_at, count=count
    )
    return [PointAround(*row) for row in rows]


def open_partition(conn: Connection[Any], moment: datetime) -> bool:
    """Make sure that readings of `moment`'s month have a place of their own. True when it was made now."""
    return bool(_queries.open_partition(conn, moment=moment))


def raw_readings(conn: Connection[Any], series_id: int, from_at: datetime, to_at: datetime, count: int) -> list[Bucket]:
    """At most `count` readings in [from_at, to_at), oldest first."""
    rows = _queries.raw_readings(conn, series_id=series_id, from_at=from_at, to_at=to_at, count=count)
    return [Bucket(at, value, value, value) for at, value in rows]


def minute_rollups(
    conn: Connection[Any], series_id: int, from_at: datetime, to_at: datetime, count: int
) -> list[Bucket]:
    """At most `count` minutes that begin in [from_at, to_at), oldest first."""
    rows = _queries.minute_rollups(conn, series_id=series_id, from_at=from_at, to_at=to_at, count=count)
    return [Bucket(*row) for row in rows]


def hour_rollups(conn: Connection[Any], series_id: int, from_at: datetime, to_at: datetime, count: int) -> list[Bucket]:
    """At most `count` hours that begin in [from_at, to_at), oldest first."""
    rows = _queries.hour_rollups(conn, series_id=series_id, from_at=from_at, to_at=to_at, count=count)
    return [Bucket(*row) for row in rows]


def gaps_of_device(
    conn: Connection[Any], device_id: int, from_at: datetime, to_at: datetime, count: int
) -> list[DeclaredGap]:
    """At most `count` declared gaps that overlap [from_at, to_at)."""
    rows = _queries.gaps_of_device(conn, device_id=device_id, from_at=from_at, to_at=to_at, count=count)
    return [DeclaredGap(*row) for row in rows]


def newest_gaps(conn: Connection[Any], device_id: int, *, after: tuple[datetime, UUID] | None, count: int) -> list[Any]:
    """At most `count` declared gaps, the latest first, behind (begin, id) `after`; rows of the API's gap."""
    before_at, before_id = (None, None) if after is None else after
    return list(_queries.newest_gaps(conn, device_id=device_id, before_at=before_at, before_id=before_id, count=count))


def gap_sums(conn: Connection[Any], device_id: int) -> list[Any]:
    """The declared gaps of a device by reason."""
    return list(_queries.gap_sums(conn, device_id=device_id))


def roll_minutes(conn: Connection[Any], count: int) -> int:
    """Recompute the minutes of up to `count` notes, and note their hours. How many notes were taken comes back."""
    _queries.lock_rollups(conn)
    return int(_queries.roll_minutes(conn, count=count).taken)


def roll_hours(conn: Connection[Any], count: int) -> int:
    """Recompute the hours of up to `count` notes from their minutes. How many notes were taken comes back."""
    _queries.lock_rollups(conn)
    return int(_queries.roll_hours(conn, count=count).taken)
