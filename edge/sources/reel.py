"""A film that is played in its own time, again and again on one clock, whatever its file says of time."""

from threading import Event
from time import monotonic
from typing import Final

LONGEST_STILL_S: Final = 60.0
"""A picture of a file stands for a minute at most."""


class Reel:
    """The clock of a film.

    A time that is missing, that goes back or leaps ahead is replaced by the frame before plus one period: no file can make
    its camera stand still.
    """

    def __init__(self, stopping: Event) -> None:
        self._stopping = stopping
        self._position_s = 0.0
        self._pts_s: float | None = None
        self._period_s = 0.0
        self._began_s: float | None = None

    def rewind(self) -> None:
        """The next frame is the first of a pass: it stands where the last one ended."""
        self._pts_s = None

    def wait(self, pts_s: float | None, period_s: float) -> float:
        """Wait until the moment of the next frame has come; its place on the reel's own clock, seconds."""
        now_s = monotonic()
        if self._began_s is None:
            self._began_s = now_s
        else:
            step_s = pts_s - self._pts_s if pts_s is not None and self._pts_s is not None else self._period_s
            self._position_s += step_s if 0 < step_s <= LONGEST_STILL_S else self._period_s
        self._pts_s, self._period_s = pts_s, period_s
        ahead_s = self._began_s + self._position_s - now_s
        if ahead_s > 0:
            self._stopping.wait(ahead_s)
        return self._position_s
