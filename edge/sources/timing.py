"""A camera's time: which frames are analysed, and when what they show happened. Pure.

Replay and live run choose by the same grid, so that both see the same frames.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import floor
from typing import Final

_TOLERANCE: Final = 1e-3
_JUMP_S: Final = 5.0
_DRIFT_S: Final = 0.5
_DRIFT_WINDOW_S: Final = 30.0
_LEAST_STEP: Final = timedelta(microseconds=1)
_REORDER_S: Final = 1.0
"""A picture that others are made from may be sent so long before those that are shown first."""


class AnalysisGrid:
    """Chooses frames at `hertz` a second by the stream's own clock, wherever one begins to listen."""

    def __init__(self, hertz: float) -> None:
        self._hertz = hertz
        self._slot: int | None = None

    def takes(self, stream_s: float) -> bool:
        """Whether the frame of this time is the first in its period. A clock that runs backwards begins a new period."""
        slot = floor(stream_s * self._hertz + _TOLERANCE)
        if slot == self._slot:
            return False
        self._slot = slot
        return True


@dataclass(frozen=True, slots=True)
class FrameTime:
    """When a frame was taken, and its time since the connection's first frame."""

    captured_at: datetime
    media_s: float


class EventClock:
    """Event time of one connection: an anchor in wall-clock time plus what the stream's own clock says since.

    The stream's clock knows the distance between frames, which their arrival does not: they come in bursts and after stalls.
    The anchor is the least delay seen: a frame that arrives before its time proves that the anchor was late, and moves it
    back at once; a delay that stays for a whole window is drift, and moves it on. Where the stream's clock jumps (the
    camera was set, the stream began anew) the frame at hand is the new anchor. Event time never runs backwards; should
    the wall clock be set back, it goes on at the stream's pace until the wall clock has caught up.
    """

    def __init__(self, *, not_before: datetime | None = None) -> None:
        """`not_before`: the last event time of the connection before."""
        self.anchored = 0
        self._last_at = not_before
        self._last_arrived_at: datetime | None = None
        self._last_pts_s: float | None = None
        self._media_s = 0.0
        self._anchor_at: datetime | None = None
        self._anchor_media_s = 0.0
        self._least_delay_s = float("inf")
        self._window_from_s = 0.0

    @property
    def last_at(self) -> datetime | None:
        """The last event time that was given."""
        return self._last_at

    def stood_at(self, pts_s: float) -> None:
        """What the stream's clock showed with the last frame, where that became known only now."""
        self._last_pts_s = pts_s

    def time_of(self, pts_s: float | None, arrived_at: datetime) -> FrameTime:
        """The time of the next frame: `pts_s` by the stream's clock (None: it has none), `arrived_at` by the wall clock."""
        step_s = self._step_s(pts_s, arrived_at)
        self._media_s += step_s
        self._last_pts_s, self._last_arrived_at = pts_s, arrived_at
        captured_at = self._monotone(self._anchored_time(arrived_at), step_s, arrived_at)
        self._last_at = captured_at
        return FrameTime(captured_at, self._media_s)

    def _step_s(self, pts_s: float | None, arrived_at: datetime) -> float:
        """Seconds since the frame before: by the stream's clock, or by arrival where that is missing or jumps."""
        if self._last_arrived_at is None:
            return 0.0
        if pts_s is not None and self._last_pts_s is not None:
            step_s = pts_s - self._last_pts_s
            if _LEAST_STEP.total_seconds() <= step_s <= _JUMP_S:
                return step_s
        self._anchor_at = None
        return max((arrived_at - self._last_arrived_at).total_seconds(), _LEAST_STEP.total_seconds())

    def _anchored_time(self, arrived_at: datetime) -> datetime:
        if self._anchor_at is None:
            return self._anchor(arrived_at)
        expected_at = self._anchor_at + timedelta(seconds=self._media_s - self._anchor_media_s)
        delay_s = (arrived_at - expected_at).total_seconds()
        if delay_s < 0:
            return self._anchor(arrived_at)
        self._least_delay_s = min(self._least_delay_s, delay_s)
        if self._media_s - self._window_from_s >= _DRIFT_WINDOW_S:
            if self._least_delay_s > _DRIFT_S:
                return self._anchor(arrived_at)
            self._window_from_s, self._least_delay_s = self._media_s, float("inf")
        return expected_at

    def _anchor(self, arrived_at: datetime) -> datetime:
        self.anchored += 1
        self._anchor_at, self._anchor_media_s = arrived_at, self._media_s
        self._window_from_s, self._least_delay_s = self._media_s, float("inf")
        return arrived_at

    def _monotone(self, candidate: datetime, step_s: float, arrived_at: datetime) -> datetime:
        if self._last_at is None or candidate > self._last_at:
            return candidate
        set_back = (self._last_at - arrived_at).total_seconds() > _JUMP_S
        return self._last_at + (timedelta(seconds=step_s) if set_back else _LEAST_STEP) + _LEAST_STEP


class PacketClock:
    """Event times of packets, which come in the order of decoding: one that is shown before its forerunner happened before it."""

    def __init__(self, clock: EventClock) -> None:
        self._clock = clock
        self._newest_s: float | None = None
        self._newest: FrameTime | None = None
        self._only_first = False
        self.reordered = False

    def time_of(self, pts_s: float | None, arrived_at: datetime) -> FrameTime:
        """The time of the next packet: `pts_s` by the stream's clock (None: it has none), `arrived_at` by the wall clock.

        `reordered` is then whether it is shown before one that came sooner.
        """
        self.reordered = False
        if pts_s is not None and self._newest_s is not None and self._newest is not None:
            before_s = self._newest_s - pts_s
            if 0 < before_s <= _REORDER_S:
                self.reordered = True
                sooner_at = self._newest.captured_at - timedelta(seconds=before_s)
                return FrameTime(sooner_at, self._newest.media_s - before_s)
        if self._only_first and self._newest_s is None and pts_s is not None and 0 < pts_s <= _REORDER_S:
            # RTP's times are counted from the first packet, but the reader leaves that one without a time where the
            # next is shown after others: taken for a jump, the whole stream would stand early by that much
            self._clock.stood_at(0.0)
        self._only_first = self._newest is None
        time = self._clock.time_of(pts_s, arrived_at)
        self._newest_s, self._newest = pts_s, time
        return time
