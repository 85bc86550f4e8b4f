"""Patience with a stream: how much damage and how much silence are borne before it is given up."""

from time import monotonic
from typing import Final

from edge.errors import MediaUnusable, SourceSilent
from edge.video.opening import reason_of

_TOLERATED_DAMAGE: Final = 50
_TOLERATED_BARREN: Final = 1_000
_TOLERATED_STRANGE: Final = 100_000
_LIVE_PATIENCE_S: Final = 15.0
"""So long data of a camera may come without a picture in it."""


class Hope:
    """Whether another picture may come. Raises MediaUnusable, for a camera SourceSilent, when it may not."""

    def __init__(self, *, live: bool) -> None:
        self._live = live
        self._damaged = self._barren = self._strange = 0
        self._since_s = monotonic()

    def fulfilled(self) -> None:
        """A picture came."""
        self._damaged = self._barren = self._strange = 0
        self._since_s = monotonic()

    def damaged(self, error: Exception) -> None:
        """A packet could not be decoded."""
        self._damaged += 1
        if self._damaged > _TOLERATED_DAMAGE:
            raise MediaUnusable(
                f"more than {_TOLERATED_DAMAGE} damaged packets in a row: {reason_of(error)}"
            ) from error
        self._wait()

    def barren(self) -> None:
        """A packet was fine, and there was no picture in it."""
        self._barren += 1
        if self._barren > _TOLERATED_BARREN:
            raise MediaUnusable(f"more than {_TOLERATED_BARREN} packets in a row without a picture")
        self._wait()

    def strange(self) -> None:
        """A packet of another stream; there is never a picture in it."""
        self._strange += 1
        if self._strange > _TOLERATED_STRANGE:
            raise MediaUnusable("the video stream has ended, and others go on")
        self._wait()

    def _wait(self) -> None:
        if self._live and monotonic() - self._since_s > _LIVE_PATIENCE_S:
            raise SourceSilent(f"data comes, and no picture in it for {_LIVE_PATIENCE_S:.0f} s")
