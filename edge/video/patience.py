"""Patience with a stream: how much damage and how much silence are borne before it is given up."""

from collections.abc import Callable
from time import monotonic
from typing import Final

from edge.errors import MediaUnusable, SourceSilent
from edge.video.opening import reason_of

_TOLERATED_DAMAGE: Final = 50
_TOLERATED_BARREN: Final = 1_000
_TOLERATED_STRANGE: Final = 100_000
LIVE_PATIENCE_S: Final = 15.0
"""So long data of a camera may come before there is a picture in it: key frames are far apart on some."""

DOUBT_S: Final = 3.0
"""So long its data may be decoded in vain once there have been pictures: a camera that was told to use another codec goes on in the
connection that there is, and shows nothing until it is asked anew.
"""

UNSEEN_S: Final = 7.0
"""The same from the last picture on: behind a gate nothing is tried for some of that time."""


class Hope:
    """Whether another picture may come. Raises MediaUnusable, for a camera SourceSilent, when it may not."""

    def __init__(self, *, live: bool, monotonic_s: Callable[[], float] = monotonic) -> None:
        self._live = live
        self._monotonic_s = monotonic_s
        self._damaged = self._barren = self._strange = 0
        self._seen = False
        self._since_s = monotonic_s()
        self._doubted_s: float | None = None

    def fulfilled(self) -> None:
        """A picture came."""
        self._damaged = self._barren = self._strange = 0
        self._seen = True
        self._since_s = self._monotonic_s()
        self._doubted_s = None

    def damaged(self, error: Exception) -> None:
        """A packet could not be decoded."""
        self._damaged += 1
        if self._damaged > _TOLERATED_DAMAGE:
            raise MediaUnusable(
                f"more than {_TOLERATED_DAMAGE} damaged packets in a row: {reason_of(error)}"
            ) from error
        self._doubt()

    def barren(self) -> None:
        """A packet was fine, and there was no picture in it."""
        self._barren += 1
        if self._barren > _TOLERATED_BARREN:
            raise MediaUnusable(f"more than {_TOLERATED_BARREN} packets in a row without a picture")
        self._doubt()

    def strange(self) -> None:
        """A packet of another stream; there is never a picture in it."""
        self._strange += 1
        if self._strange > _TOLERATED_STRANGE:
            raise MediaUnusable("the video stream has ended, and others go on")
        if self._monotonic_s() - self._since_s > LIVE_PATIENCE_S:
            self._give_up()

    def _doubt(self) -> None:
        now_s = self._monotonic_s()
        if self._doubted_s is None:
            self._doubted_s = now_s
        unseen_s = now_s - self._since_s
        if unseen_s > (UNSEEN_S if self._seen else LIVE_PATIENCE_S):
            self._give_up()
        if self._seen and now_s - self._doubted_s > DOUBT_S:
            self._give_up()

    def _give_up(self) -> None:
        if self._live:
            unseen_s = self._monotonic_s() - self._since_s
            raise SourceSilent(f"data comes, and no picture in it for {unseen_s:.0f} s")
