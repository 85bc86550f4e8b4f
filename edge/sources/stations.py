"""Which stations are there (在线): one without a connection, or silent for too long, is lost. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from edge.flow import Health

GRACE_S: Final = 10.0
"""A station that is back by then was not away: networks of garages drop connections all day."""

SILENT_HEARTBEATS: Final = 2.0


@dataclass(slots=True)
class _Station:
    heard_s: float
    connected: bool = False
    reason: str = "it has not called yet"
    told: Health | None = None


class Presence:
    """All configured stations. Times are seconds of one clock that never steps."""

    def __init__(self, *, grace_s: float = GRACE_S) -> None:
        self._grace_s = grace_s
        self._why_nobody: str | None = None
        self._stations: dict[str, _Station] = {}
        self._patience_s: Mapping[str, float] = {}

    def adopt(self, patience_s: Mapping[str, float], now_s: float) -> None:
        """Look for these, each silent for so long at most; what is known of those that stay stays known."""
        self._patience_s = patience_s
        self._stations = {name: self._stations.get(name) or _Station(now_s) for name in patience_s}

    def heard(self, name: str, now_s: float) -> None:
        """It has called, or said something."""
        station = self._stations.get(name)
        if station is not None:
            station.heard_s, station.connected = now_s, True

    def gone(self, name: str, now_s: float, reason: str) -> None:
        """Its connection is lost."""
        station = self._stations.get(name)
        if station is not None and station.connected:
            station.connected, station.heard_s, station.reason = False, now_s, reason

    def explain(self, reason: str | None) -> None:
        """Why nobody can call at all; None once one can."""
        self._why_nobody = reason

    def forget(self, name: str) -> None:
        """What was told of it was not taken: tell it again."""
        station = self._stations.get(name)
        if station is not None:
            station.told = None

    def changes(self, now_s: float) -> list[tuple[str, Health, str | None]]:
        """Who came or went since the last call."""
        found: list[tuple[str, Health, str | None]] = []
        for name, station in self._stations.items():
            silent_s = now_s - station.heard_s if self._why_nobody is None else float("inf")
            patience_s = self._patience_s[name] if station.connected or station.told is None else self._grace_s
            if silent_s > patience_s:
                health = Health.LOST
                reason = f"it said nothing for {patience_s:.0f} s" if station.connected else station.reason
                reason = self._why_nobody or reason
            elif station.connected:
                health, reason = Health.OK, None
            else:
                continue
            if station.told is not health:
                station.told = health
                found.append((name, health, reason))
        return found
