"""Decoding put off: packets that only go on with what is being decoded are decoded by the thread that analyses them, in its turn.

Where each camera's reading thread decodes as packets come, as many threads as there are cameras want the cores and the interpreter at
once, and those that analyse wait for them: of two cores a quarter lay idle while pictures were skipped.
"""

from collections.abc import Callable

from edge.errors import EdgeError
from edge.flow import Frame, NativeMark, Packet
from edge.sources.intake import Intake, Taken
from edge.sources.mailbox import Mailbox
from edge.sources.timing import AnalysisGrid


class Deferral:
    """What is put off on one connection. `fetch` is called by one thread, all else by the one that reads.

    `failure`: why decoding ended the connection; `delivered`: whether a frame was given since that was last set to false.
    """

    def __init__(
        self, intake: Intake, due: Callable[[Taken], Frame | None], mailbox: Mailbox, *, analysis_hz: float
    ) -> None:
        """`due` makes a frame of a picture that the analysis rate asks for."""
        self.failure: EdgeError | None = None
        self.delivered = False
        self._intake, self._due, self._mailbox = intake, due, mailbox
        self._grid = AnalysisGrid(analysis_hz)
        self._awaited = False

    def tell(self, packet: Packet) -> None:
        """A packet was taken in: say so in the mailbox if a frame is due by it, or was and has not come out of the decoder yet."""
        pts_s = packet.encoded.pts_s
        due = self._grid.takes(packet.media_s if pts_s is None else pts_s)
        if (due or self._awaited) and self._intake.waiting:
            self._mailbox.announce()

    def fetch(self, mark: NativeMark) -> Frame | None:
        """The newest due frame of what was put off; None where there is none yet."""
        newest: Frame | None = None
        if self.failure is not None:
            return None
        try:
            for taken in self._intake.caught_up(mark):
                frame = self._due(taken)
                if frame is not None:
                    self._mailbox.skip(newest is not None)
                    newest = frame
        except EdgeError as error:
            self.failure = error
        self._awaited = newest is None
        self.delivered = self.delivered or newest is not None
        return newest
