"""After a start a node listens before it decides from memory (先听后判): while it was away, devices may have said that all is over. Pure."""

from datetime import datetime, timedelta
from typing import Final

LISTENS_FIRST: Final = timedelta(seconds=120)
"""By then whatever is asked or speaks by itself has said how it is."""


class Listening:
    """Since when a rule has been able to hear: from the first time that it was asked what time has brought. Each has one of its own."""

    def __init__(self, least: timedelta = LISTENS_FIRST) -> None:
        self._least = min(least, LISTENS_FIRST)
        self._since: datetime | None = None

    def has_heard_enough(self, at: datetime) -> bool:
        """Whether what was remembered may be believed at this moment, though nothing was said since."""
        if self._since is None or at < self._since:
            self._since = at
        return at - self._since >= self._least
