"""The newest readings for those who watch: at most one event a second for each node and area."""

from dataclasses import dataclass, field
from typing import Any

from psycopg import Connection

from cloud.db import live
from cloud.ingest.registry import RegisteredNode
from cloud.telemetry.model import Sample
from edge.contract.telemetry import from_microseconds

INTERVAL_S = 1.0
READINGS_PER_EVENT = 500

_Watched = tuple[str, str]
"""Node and area."""


@dataclass(slots=True)
class LiveReadings:
    """Collects the newest sample of each point and says when it is time to tell them. For one thread."""

    interval_s: float = INTERVAL_S
    _newest: dict[_Watched, dict[tuple[int, str], Sample]] = field(default_factory=dict)
    _told_s: dict[_Watched, float] = field(default_factory=dict)

    def offer(self, nodes: dict[str, RegisteredNode], newest: dict[int, Sample]) -> None:
        """Take the newest samples of a committed batch, by series id."""
        for node in nodes.values():
            for device in node.devices.values():
                for point, series_id in device.series.items():
                    if (sample := newest.get(series_id)) is not None:
                        self._offer((node.name, device.area_code), (device.id, point), sample)

    def _offer(self, watched: _Watched, point: tuple[int, str], sample: Sample) -> None:
        points = self._newest.setdefault(watched, {})
        known = points.get(point)
        if known is None or sample[0] >= known[0]:
            points[point] = sample

    def emit(self, conn: Connection[Any], now_s: float) -> None:
        """Tell what is due by the monotonic clock `now_s`, in the transaction of `conn`."""
        for watched in [watched for watched in self._newest if self._is_due(watched, now_s)]:
            node, area_code = watched
            readings = [
                {
                    "device_id": device_id,
                    "point": point,
                    "observed_at": from_microseconds(sample[0]).isoformat(),
                    "value": sample[1],
                }
                for (device_id, point), sample in list(self._newest.pop(watched).items())[:READINGS_PER_EVENT]
            ]
            self._told_s[watched] = now_s
            live.emit(conn, "device.readings", area_code, {"node": node, "readings": readings})

    def is_due(self, now_s: float) -> bool:
        """Whether `emit` would tell anything."""
        return any(self._is_due(watched, now_s) for watched in self._newest)

    def _is_due(self, watched: _Watched, now_s: float) -> bool:
        return now_s - self._told_s.get(watched, float("-inf")) >= self.interval_s
