"""Whose turn it is to be analysed (公平调度): the camera that is due first, so that under overload all of them slow evenly. Pure.

Goyal, Vin and Cheng, "Start-time Fair Queuing", SIGCOMM 1996: each turn of a camera moves what it has had on by one of its own
periods, and who has had least is next. So all cameras slow by the same factor, whatever their rates, and one that was away
neither saved turns up nor is passed over. What waits is a camera and never a frame: whoever gets a turn looks at the newest frame
that there is, and no newer frame pushes him back in the queue.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Attention(StrEnum):
    """What a camera is in the middle of."""

    QUIET = "quiet"
    """Nothing moved and nobody is followed."""
    FOLLOWING = "following"
    """What is there is known, and counts."""
    CONFIRMING = "confirming"
    """Something is new and does not count yet: a late look here is a late incident."""


AHEAD: Final[Mapping[Attention, float]] = {
    Attention.CONFIRMING: 0.5,
    Attention.FOLLOWING: 0.0,
    Attention.QUIET: 0.0,
}
"""By how many of its own periods a camera may go ahead of its place. It gets its turns sooner, and not more of them."""

OVERDUE_S: Final = 3.0
"""A turn that lasts longer is a graph that hangs; it keeps nobody else from theirs."""


class FairSchedule:
    """Who waits, who has a turn, and who has had how much; two numbers per camera are all that it keeps."""

    def __init__(self, places: int, *, overdue_s: float = OVERDUE_S) -> None:
        """Let `places` cameras have a turn at the same time."""
        if places < 1:
            raise ValueError("somebody must have a turn")
        self._places = places
        self._overdue_s = overdue_s
        self._waiting: dict[str, tuple[float, float, float]] = {}
        self._had_s: dict[str, float] = {}
        self._level_s = 0.0
        self._began_s: dict[str, float] = {}

    @property
    def waiting(self) -> int:
        """How many cameras wait for a turn."""
        return len(self._waiting)

    @property
    def busy(self) -> int:
        """How many have one."""
        return len(self._began_s)

    def ask(self, camera: str, *, period_s: float, attention: Attention) -> None:
        """A camera that is to be analysed every `period_s` wants a turn. One that waits already keeps its place or gets a better one."""
        had_s = max(self._had_s.get(camera, 0.0), self._level_s)
        place_s = had_s - AHEAD[attention] * period_s
        if camera in self._waiting:
            before_s, had_s, _ = self._waiting[camera]
            place_s = min(place_s, before_s)
        self._waiting[camera] = (place_s, had_s, period_s)

    def next(self, now_s: float) -> str | None:
        """Begin the turn of the camera that is due first; None when nobody waits or no place is free. `now_s`: of a steady clock."""
        if not self._waiting or self._held(now_s) >= self._places:
            return None
        camera = min(self._waiting, key=lambda each: (self._waiting[each], each))
        self._level_s = max(self._level_s, min(had_s for _, had_s, _ in self._waiting.values()))
        _, had_s, period_s = self._waiting.pop(camera)
        self._had_s[camera] = had_s + period_s
        self._began_s[camera] = now_s
        return camera

    def done(self, camera: str) -> None:
        """A camera's turn is over."""
        self._began_s.pop(camera, None)

    def withdraw(self, camera: str) -> None:
        """A camera waits no longer."""
        self._waiting.pop(camera, None)

    def _held(self, now_s: float) -> int:
        return sum(now_s - began_s < self._overdue_s for began_s in self._began_s.values())
