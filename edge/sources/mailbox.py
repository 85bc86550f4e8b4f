"""A place for one frame between two threads: the newest wins, what nobody fetched in time is counted.

What lies there may be a frame, or the word that one can be had where it comes from.
"""

from threading import Condition
from time import monotonic

from edge.flow import Frame


class Mailbox:
    """Holds at most one frame."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._frame: Frame | None = None
        self._announced = False
        self._closed = False
        self._skipped = 0

    @property
    def skipped(self) -> int:
        """How many frames were replaced by newer ones before anyone fetched them."""
        with self._changed:
            return self._skipped

    @property
    def closed(self) -> bool:
        """Whether nothing more will come."""
        with self._changed:
            return self._closed

    def put(self, frame: Frame) -> None:
        """Leave a frame; one that still lies there is dropped. After `close` nothing is taken."""
        with self._changed:
            if self._closed:
                return
            self._skipped += self._frame is not None
            self._frame = frame
            self._changed.notify_all()

    def announce(self) -> None:
        """Say that a frame can be had by who asks for it; one that lies there is fetched first, and the word stands."""
        with self._changed:
            self._announced = True
            self._changed.notify_all()

    def skip(self, frames: int) -> None:
        """Count frames that were made and never left here, since newer ones were there already."""
        with self._changed:
            self._skipped += frames

    def wait(self, timeout_s: float) -> bool:
        """Wait for a frame, or for the word that there is one, and leave it there, so that a newer one can still take its place; False
        when nothing came in time.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._frame is not None or self._announced or self._closed, timeout_s)
            return self._frame is not None or self._announced

    def offer(self, frame: Frame, patience_s: float) -> float:
        """Leave a frame once the one before has been fetched, at the latest after `patience_s`; how long that took, seconds."""
        began_s = monotonic()
        with self._changed:
            self._changed.wait_for(lambda: self._frame is None or self._closed, patience_s)
        self.put(frame)
        return monotonic() - began_s

    def take(self, timeout_s: float) -> Frame | None:
        """Fetch the frame, waiting for one; None when none came in time, or none will come any more, or there is only the word of one."""
        with self._changed:
            self._changed.wait_for(lambda: self._frame is not None or self._announced or self._closed, timeout_s)
            frame, self._frame = self._frame, None
            self._announced = self._announced and frame is not None
            self._changed.notify_all()
            return frame

    def close(self) -> None:
        """Say that nothing more will come; a frame that lies there can still be fetched."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
