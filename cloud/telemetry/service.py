"""Use cases of telemetry: series for charts, rollups, partitions ahead of time."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from psycopg import Connection

from cloud.db.pool import Pool
from cloud.errors import Invalid
from cloud.telemetry import store
from cloud.telemetry.store import Bucket, DeclaredGap, Series

MAXIMUM_POINTS = 2_000
MAXIMUM_GAPS = 500
NOTES_PER_TRANSACTION = 2_000

_RAW_RANGE = timedelta(days=7)
_STEP_S = {"minute": 60, "hour": 3_600}


class Step(StrEnum):
    """How fine a chart is."""

    RAW = "raw"
    MINUTE = "minute"
    HOUR = "hour"


@dataclass(frozen=True, slots=True)
class Chart:
    """Points of one series in a range. `next_from` is where to go on when there were more than `MAXIMUM_POINTS`."""

    step: Step
    points: list[Bucket]
    gaps: list[DeclaredGap]
    next_from: datetime | None


def chart(conn: Connection[Any], series: Series, from_at: datetime, to_at: datetime, step: Step | None) -> Chart:
    """The series in [from_at, to_at) by `step`; None takes the finest one that fits into `MAXIMUM_POINTS`.

    Raises Invalid for a range that runs backwards.
    """
    if to_at <= from_at:
        raise Invalid("`to` must be later than `from`")
    points: list[Bucket] | None = None
    if step is None:
        step, points = _finest(conn, series, from_at, to_at)
    if points is None:
        points = _read(conn, series, from_at, to_at, step)
    next_from = points[MAXIMUM_POINTS].observed_at if len(points) > MAXIMUM_POINTS else None
    gaps = store.gaps_of_device(conn, series.device_id, from_at, to_at, MAXIMUM_GAPS)
    return Chart(step, points[:MAXIMUM_POINTS], gaps, next_from)


def _finest(
    conn: Connection[Any], series: Series, from_at: datetime, to_at: datetime
) -> tuple[Step, list[Bucket] | None]:
    span = to_at - from_at
    if span <= _RAW_RANGE:
        readings = _read(conn, series, from_at, to_at, Step.RAW)
        if len(readings) <= MAXIMUM_POINTS:
            return Step.RAW, readings
    if span <= timedelta(minutes=MAXIMUM_POINTS):
        return Step.MINUTE, None
    return Step.HOUR, None


def _read(conn: Connection[Any], series: Series, from_at: datetime, to_at: datetime, step: Step) -> list[Bucket]:
    if step is Step.RAW:
        return store.raw_readings(conn, series.id, from_at, to_at, MAXIMUM_POINTS + 1)
    begin = _floor(from_at, _STEP_S[step])
    if step is Step.MINUTE:
        return store.minute_rollups(conn, series.id, begin, to_at, MAXIMUM_POINTS + 1)
    return store.hour_rollups(conn, series.id, begin, to_at, MAXIMUM_POINTS + 1)


def _floor(moment: datetime, seconds: int) -> datetime:
    return datetime.fromtimestamp(moment.timestamp() // seconds * seconds, UTC)


def roll_up(pool: Pool, *, transactions: int = 100) -> int:
    """Recompute what was touched, minutes first, in at most `transactions` small ones each; the number of notes taken."""
    taken = 0
    for roll in (store.roll_minutes, store.roll_hours):
        for _ in range(transactions):
            with pool.connection() as conn:
                count = roll(conn, NOTES_PER_TRANSACTION)
            taken += count
            if count < NOTES_PER_TRANSACTION:
                break
    return taken


def open_partitions_ahead(pool: Pool, now: datetime, *, months: int = 2) -> int:
    """Make the partitions of this month and the next `months`, each in its own transaction; how many were made."""
    made = 0
    first = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    for ahead in range(months + 1):
        number = first.month - 1 + ahead
        moment = first.replace(year=first.year + number // 12, month=number % 12 + 1)
        with pool.connection() as conn:
            made += store.open_partition(conn, moment)
    return made
