"""A place for one frame between two threads: the newest wins, what nobody fetched in time is counted."""

from threading import Condition

from edge.flow import Frame


class Mailbox:
    """Holds at most one frame."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._frame: Frame | None = None
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

    def take(self, timeout_s: float) -> Frame | None:
        """Fetch the frame, waiting for one; None when none came in time, or none will come any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._frame is not None or self._closed, timeout_s)
            frame, self._frame = self._frame, None
            return frame

    def close(self) -> None:
        """Say that nothing more will come; a frame that lies there can still be fetched."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
