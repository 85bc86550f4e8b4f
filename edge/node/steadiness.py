"""How steady a camera's connection is (连接质量): how often within the last hour it had to be made anew, and how often it stood still. Pure."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from edge.contract.health import CAMERAS_TOLD, CameraLink, GateRecall

HOUR_S: Final = 3600.0
_STEP_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class SteadinessFigures:
    """Of the last hour, or since the camera was opened where that is less long ago."""

    reconnects_per_hour: int = 0
    stalls_per_hour: int = 0


@dataclass(frozen=True, slots=True)
class _Totals:
    at_s: float
    reconnects: int
    stalls: int


class Steadiness:
    """Remembers totals of each minute of an hour: sixty of them, whatever happens. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._minutes: deque[_Totals] = deque()
        self._now = _Totals(float("-inf"), 0, 0)

    def note(self, now_s: float, *, reconnects: int, stalls: int) -> None:
        """The totals since the camera was opened; called now and then."""
        self._now = _Totals(now_s, reconnects, stalls)
        if not self._minutes:
            self._minutes.append(_Totals(now_s, 0, 0))
        elif now_s - self._minutes[-1].at_s >= _STEP_S:
            self._minutes.append(self._now)
        while len(self._minutes) > 1 and self._minutes[1].at_s <= now_s - HOUR_S:
            self._minutes.popleft()

    @property
    def figures(self) -> SteadinessFigures:
        """As of the last note; exact to a minute."""
        if not self._minutes:
            return SteadinessFigures()
        before = self._minutes[0]
        return SteadinessFigures(self._now.reconnects - before.reconnects, self._now.stalls - before.stalls)


def links_of(
    cameras: Mapping[str, SteadinessFigures], gates: Mapping[str, GateRecall] | None = None
) -> tuple[CameraLink, ...]:
    """What the cloud is told of the cameras' connections, the least steady first, and of the gates of those that have one."""
    links = [
        CameraLink(
            camera=camera,
            reconnects_per_hour=figures.reconnects_per_hour,
            stalls_per_hour=figures.stalls_per_hour,
            gate=None if gates is None else gates.get(camera),
        )
        for camera, figures in cameras.items()
    ]
    links.sort(key=lambda link: (-link.reconnects_per_hour - link.stalls_per_hour, link.camera))
    return tuple(links[:CAMERAS_TOLD])
