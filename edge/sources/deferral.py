"""Decoding put off: packets that only go on with what is being decoded are decoded by the thread that analyses them, in its turn.

Where each camera's reading thread decodes as packets come, as many threads as there are cameras want the cores and the interpreter at
once, and those that analyse wait for them: of two cores a quarter lay idle while pictures were skipped.
"""

from collections.abc import Callable
from typing import Final

from edge.flow import Frame, NativeMark, Packet
from edge.sources.intake import Intake, Taken
from edge.sources.mailbox import Mailbox
from edge.sources.timing import AnalysisGrid

LONGEST_UNTOLD_S: Final = 1.0
"""However seldom a frame is due, packets wait no longer than this before somebody is asked to decode them."""


class Deferral:
    """What is put off on one connection. `fetch` is called by one thread, all else by the one that reads.

    `failure`: what ended the connection while it was decoded; `delivered`: whether a frame was given since that was last set to false.
    """

    def __init__(
        self, intake: Intake, due: Callable[[Taken], Frame | None], mailbox: Mailbox, *, analysis_hz: float
    ) -> None:
        """`due` makes a frame of a picture that the analysis rate asks for."""
        self.failure: Exception | None = None
        self.delivered = False
        self._intake, self._due, self._mailbox = intake, due, mailbox
        self._grid = AnalysisGrid(analysis_hz)
        self._owed = False

    def tell(self, packet: Packet) -> None:
        """A packet was taken in: say so in the mailbox if a frame is due by it, or was and has not come out of the decoder yet, or if
        packets have waited for long: of a camera that is seldom analysed nobody would fetch them in time.
        """
        waiting = self._intake.waiting
        pts_s = packet.encoded.pts_s
        due = self._grid.takes(packet.media_s if pts_s is None else pts_s)
        self._owed = waiting and (due or self._owed)
        if waiting and (self._owed or self._intake.waited_s(packet) > LONGEST_UNTOLD_S):
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
        except Exception as error:  # noqa: BLE001 (it is raised again in the reading thread, whose top counts and logs it)
            self.failure = error
        if newest is not None:
            self._owed, self.delivered = False, True
        return newest
