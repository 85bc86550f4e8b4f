"""A camera's time: which frames are analysed, and when what they show happened. Pure.

Replay and live run choose by the same grid, so that both see the same frames.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

_TOLERANCE: Final = 1e-3
_JUMP_S: Final = 5.0
_DRIFT_S: Final = 1.0
_DRIFT_MEMORY_S: Final = 30.0
_LEAST_STEP: Final = timedelta(microseconds=1)


class AnalysisGrid:
    """Chooses frames at `hertz` a second, by their time since the first frame."""

    def __init__(self, hertz: float) -> None:
        self._hertz = hertz
        self._slot: int | None = None

    def takes(self, media_s: float) -> bool:
        """Whether the frame of this time is the first in its period. A time that runs backwards starts the grid anew."""
        slot = int(media_s * self._hertz + _TOLERANCE)
        if self._slot is not None and slot == self._slot:
            return False
        self._slot = slot
        return True


@dataclass(frozen=True, slots=True)
class FrameTime:
    """When a frame was taken, and its time since the connection's first frame."""

    captured_at: datetime
    media_s: float


class EventClock:
    """Event time of one connection: the wall clock of the first frame plus what the stream's own clock says since.

    The stream's clock knows the distance between frames, which arrival does not: frames come in bursts. It is left when it
    jumps (the camera's clock was set, the stream began anew) or drifts away from the wall clock; then the frame at hand
    becomes the new anchor. Event time never runs backwards.
    """

    def __init__(self) -> None:
        self.anchored = 0
        self._anchor_at: datetime | None = None
        self._anchor_pts_s = 0.0
        self._last_pts_s = 0.0
        self._last: FrameTime | None = None
        self._lag_s = 0.0

    def time_of(self, pts_s: float | None, arrived_at: datetime) -> FrameTime:
        """The time of the next frame: `pts_s` by the stream's clock (None where it has none), `arrived_at` by the wall clock."""
        if self._last is None or self._anchor_at is None:
            self._anchor(pts_s, arrived_at)
            return self._keep(FrameTime(arrived_at, 0.0), pts_s)
        if pts_s is None or abs(pts_s - self._last_pts_s) > _JUMP_S or pts_s <= self._last_pts_s:
            self._anchor(pts_s, arrived_at)
        elapsed_s = 0.0 if pts_s is None else pts_s - self._anchor_pts_s
        captured_at = self._anchor_at + timedelta(seconds=elapsed_s)
        if self._drifted(captured_at, arrived_at):
            self._anchor(pts_s, arrived_at)
            captured_at = arrived_at
        captured_at = max(captured_at, self._last.captured_at + _LEAST_STEP)
        step_s = (captured_at - self._last.captured_at).total_seconds()
        return self._keep(FrameTime(captured_at, self._last.media_s + step_s), pts_s)

    def _anchor(self, pts_s: float | None, arrived_at: datetime) -> None:
        self.anchored += 1
        self._anchor_at, self._anchor_pts_s, self._lag_s = arrived_at, pts_s or 0.0, 0.0

    def _keep(self, time: FrameTime, pts_s: float | None) -> FrameTime:
        self._last = time
        self._last_pts_s = self._last_pts_s if pts_s is None else pts_s
        return time

    def _drifted(self, captured_at: datetime, arrived_at: datetime) -> bool:
        """Whether the stream's clock has left the wall clock for good: a burst after a stall is not drift."""
        if self._last is None:
            return False
        step_s = max((captured_at - self._last.captured_at).total_seconds(), 0.0)
        trust = min(step_s / _DRIFT_MEMORY_S, 1.0)
        self._lag_s += trust * ((arrived_at - captured_at).total_seconds() - self._lag_s)
        return abs(self._lag_s) > _DRIFT_S
