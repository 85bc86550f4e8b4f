"""How well devices are kept (运维统计): online rate, time to repair, worst devices. Reads only."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

from cloud.errors import Invalid
from cloud.maintenance import store
from cloud.maintenance.model import OrderStatus

WORST_SHOWN = 10
LONGEST_WINDOW = timedelta(days=366)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineRate:
    """Devices of one kind, real or simulated: the two are never added. `online_rate` is the share of the time known of them in which they
    were there; None where nothing is known.

    `unknown_s`: before a device's first word, and while its node itself was away.
    """

    kind: str
    simulated: bool
    devices: int
    online_rate: float | None
    online_s: float
    lost_s: float
    unknown_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstDevice:
    """A device with many orders."""

    device_id: int | None
    node: str
    device: str
    name: str
    kind: str
    simulated: bool
    orders: int
    running: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceFigures:
    """What happened in an area from `from_at` until before `to_at`; `running` are the orders of now."""

    from_at: datetime
    to_at: datetime
    online: list[OnlineRate]
    running: dict[OrderStatus, int]
    repaired: int
    repair_p50_s: float | None
    repair_p90_s: float | None
    worst: list[WorstDevice]


def figures(
    conn: Connection[Any], area_path: str, *, from_at: datetime, to_at: datetime, now: datetime
) -> MaintenanceFigures:
    """The figures of an area; of what comes after `now` nothing is known. Raises Invalid for a window that ends before it begins, or is longer than a year."""
    rates = online(conn, area_path, from_at=from_at, to_at=to_at, now=now)
    times = store.repair_times(conn, area_path, from_at, to_at)
    return MaintenanceFigures(
        from_at=from_at,
        to_at=to_at,
        online=rates,
        running=store.counts(conn, area_path),
        repaired=times.repaired,
        repair_p50_s=None if times.p50_s is None else float(times.p50_s),
        repair_p90_s=None if times.p90_s is None else float(times.p90_s),
        worst=[
            WorstDevice(**row._asdict())
            for row in store.worst_devices(conn, area_path, from_at, to_at, count=WORST_SHOWN)
        ],
    )


def online(
    conn: Connection[Any], area_path: str, *, from_at: datetime, to_at: datetime, now: datetime
) -> list[OnlineRate]:
    """The online rates alone, as in `figures`. Raises Invalid as it does."""
    if not timedelta(0) < to_at - from_at <= LONGEST_WINDOW:
        raise Invalid("`from` lies before `to`, by a year at most")
    known_to = max(from_at, min(to_at, now))
    window_s = (known_to - from_at).total_seconds()
    return [_rate(row, window_s) for row in store.presence_spans(conn, area_path, from_at, known_to)]


def prune(conn: Connection[Any], *, now: datetime) -> int:
    """Forget what no window reaches any more; how many rows."""
    return store.prune_presence(conn, now - LONGEST_WINDOW - timedelta(days=1))


def _rate(row: Any, window_s: float) -> OnlineRate:
    known_s = row.online_s + row.lost_s
    return OnlineRate(
        kind=row.kind,
        simulated=row.simulated,
        devices=row.devices,
        online_rate=row.online_s / known_s if known_s > 0 else None,
        online_s=row.online_s,
        lost_s=row.lost_s,
        unknown_s=max(0.0, row.devices * window_s - known_s),
    )
