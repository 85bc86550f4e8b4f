"""What a camera's watch is asked to show of a moment, because another device at the spot has something to tell."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from edge.flow import Sight

NEAR: Final = timedelta(seconds=0.3)
"""A frame that was filmed so long before a moment shows it."""


class LookDesk:
    """The moment that one camera is asked to show: the earliest of those that somebody waits for. Any thread asks, the watch serves."""

    def __init__(self, tell: Callable[[Sight], None]) -> None:
        """`tell` is called with each sight, from the thread that analyses; it must return at once."""
        self._tell = tell
        self._lock = threading.Lock()
        self._wanted_at: datetime | None = None

    def ask(self, at: datetime) -> None:
        """Show this moment, with the first frame that was not filmed before it."""
        with self._lock:
            self._wanted_at = at if self._wanted_at is None else min(at, self._wanted_at)

    @property
    def waiting(self) -> bool:
        """Whether somebody waits for a sight."""
        return self._wanted_at is not None

    def shows(self, captured_at: datetime) -> bool:
        """Whether a frame of this time is what is waited for."""
        wanted_at = self._wanted_at
        return wanted_at is not None and captured_at >= wanted_at - NEAR

    def show(self, sight: Sight) -> None:
        """The sight that was waited for; whoever wants another one asks again."""
        with self._lock:
            self._wanted_at = None
        self._tell(sight)

    def leave(self) -> None:
        """Nobody waits any more."""
        with self._lock:
            self._wanted_at = None
