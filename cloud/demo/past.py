"""What machines at the demo's sites counted before it began: how popular a site is (人气指数) is told against weeks that were.

A counter only grows. The simulator's begins at nought, as that of a machine that was exchanged.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import psycopg

from cloud.figures.popularity import BEFORE_DAYS
from cloud.figures.window import USUAL_DAYS, begins, local_day
from cloud.fleet import store as fleet
from cloud.telemetry import store as telemetry
from cloud.telemetry.model import Bounds, Readings
from edge.contract.telemetry import SeriesColumn, to_microseconds

_ZONE: Final = ZoneInfo("Asia/Shanghai")
_HOURS: Final = range(8, 20)
_POINT: Final = "use_count"


@dataclass(frozen=True, slots=True)
class Counter:
    """A machine of a node, and how often an hour it was used: of late, and in the weeks before."""

    node: str
    device: str
    late: int
    before: int

    def counted(self, now: datetime) -> Iterator[tuple[datetime, float]]:
        """What it told up to yesterday, an hour at a time, in the hours in which people come."""
        today, uses = local_day(now, _ZONE), 0
        for ago in range(USUAL_DAYS + BEFORE_DAYS, 0, -1):
            begun = begins(today - timedelta(days=ago), _ZONE)
            for hour in _HOURS:
                uses += self.late if ago < USUAL_DAYS else self.before
                yield begun + timedelta(hours=hour, minutes=30), float(uses)


COUNTERS: Final = (Counter("station-1", "kiosk-1", 10, 8), Counter("gate-1", "door-1", 27, 30))


def enter(database_url: str, waiting: frozenset[Counter], *, now: datetime) -> frozenset[Counter]:
    """Write down what those counted that are declared by now and have no past; who is left over."""
    left = set[Counter]()
    with psycopg.connect(database_url) as connection:
        for counter in waiting:
            nodes = fleet.nodes_by_name(connection, [counter.node])
            devices = fleet.devices_of_nodes(connection, [node.id for node in nodes])
            found = [device.id for device in devices if device.name == counter.device]
            series = [each.id for each in telemetry.series_of_devices(connection, found) if each.point == _POINT]
            if not series:
                left.add(counter)
                continue
            told = list(counter.counted(now))
            if telemetry.raw_readings(connection, series[0], told[0][0], begins(local_day(now, _ZONE), _ZONE), 1):
                continue
            column = SeriesColumn(
                device=counter.device,
                point=_POINT,
                observed_at_us=[to_microseconds(at) for at, _ in told],
                value=[uses for _, uses in told],
            )
            telemetry.add_readings(connection, [(series[0], column, Bounds.at(now))], Readings())
    return frozenset(left)
