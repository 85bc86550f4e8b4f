"""Readings by column: the bodies that telemetry messages carry. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from edge.contract.envelope import MAXIMUM_BYTES
from edge.contract.telemetry import SeriesColumn, StateChange, TelemetryBatch, from_microseconds, to_microseconds

BATCH_READINGS = 2_000
BODY_BYTES = MAXIMUM_BYTES - 4_096
"""What a body may take, so that the envelope around it still fits."""


class StoredReading(NamedTuple):
    """A row of the table `reading`."""

    row: int
    series: int
    observed_at_us: int
    value: float | str
    flag: int
    replayed: int
    accepted_at_us: int
    timebase: int | None = None


def batch_of(readings: Sequence[StoredReading], names: Mapping[int, tuple[str, str]]) -> TelemetryBatch:
    """One batch; `names` says device and point of a series. Texts become changes of state."""
    columns: dict[int, list[StoredReading]] = {}
    changes: list[StateChange] = []
    for reading in readings:
        if isinstance(reading.value, str):
            device, point = names[reading.series]
            changes.append(
                StateChange(
                    device=device,
                    point=point,
                    observed_at=from_microseconds(reading.observed_at_us),
                    value=reading.value,
                )
            )
        else:
            columns.setdefault(reading.series, []).append(reading)
    return TelemetryBatch(series=[_column(rows, *names[series]) for series, rows in columns.items()], changes=changes)


def _column(rows: Sequence[StoredReading], device: str, point: str) -> SeriesColumn:
    return SeriesColumn(
        device=device,
        point=point,
        observed_at_us=[row.observed_at_us for row in rows],
        value=[float(row.value) for row in rows],
        flag=[row.flag for row in rows] if any(row.flag for row in rows) else [],
    )


def bodies(
    readings: Sequence[StoredReading], names: Mapping[int, tuple[str, str]], *, limit_bytes: int = BODY_BYTES
) -> Iterator[tuple[Sequence[StoredReading], bytes]]:
    """Readings in parts whose encoded batch fits into a message, with that batch."""
    if not readings:
        return
    body = msgspec.json.encode(batch_of(readings, names))
    if len(body) <= limit_bytes or len(readings) == 1:
        yield readings, body
        return
    middle = len(readings) // 2
    yield from bodies(readings[:middle], names, limit_bytes=limit_bytes)
    yield from bodies(readings[middle:], names, limit_bytes=limit_bytes)


def ranges_of(batch: TelemetryBatch) -> dict[str, tuple[int, int, int]]:
    """Device → first and last event time (µs) and number of what a batch holds: the gap that its loss leaves."""
    ranges: dict[str, tuple[int, int, int]] = {}

    def widen(device: str, first_us: int, last_us: int, count: int) -> None:
        known = ranges.get(device)
        ranges[device] = (
            (first_us, last_us, count)
            if known is None
            else (min(known[0], first_us), max(known[1], last_us), known[2] + count)
        )

    for column in batch.series:
        if column.value:
            widen(column.device, min(column.observed_at_us), max(column.observed_at_us), len(column.value))
    for change in batch.changes:
        at_us = to_microseconds(change.observed_at)
        widen(change.device, at_us, at_us, 1)
    return ranges
