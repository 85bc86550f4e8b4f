"""When the node tells the cloud how it is: often enough to be believed, seldom enough for thousands of nodes. Pure."""

from collections.abc import Hashable
from dataclasses import dataclass

from edge.contract.health import NodeHealth

EVERY_S = 60.0
WHILE_BUSY_S = 20.0
"""While something old waits, its end is worth watching."""

SPACING_S = 5.0
"""News wait so long for more news."""


@dataclass(slots=True)
class ReportPace:
    """Times are monotonic seconds. What could not be sent is due until it is: only `told` counts."""

    _told_s: float = float("-inf")
    _news: Hashable = None

    def is_due(self, now_s: float, news: Hashable, *, busy: bool) -> bool:
        """Whether to report now."""
        if news != self._news:
            return now_s - self._told_s >= SPACING_S
        return now_s - self._told_s >= (WHILE_BUSY_S if busy else EVERY_S)

    def told(self, now_s: float, news: Hashable) -> None:
        """It has gone out."""
        self._told_s, self._news = now_s, news


def news_of(health: NodeHealth) -> Hashable:
    """What somebody has to hear at once when it changes. Counts that grow with every lost reading or file are told whenever
    they begin to.
    """
    return (
        health.backlog.level,
        health.evidence.level,
        health.backlog.unsaved > 0,
        health.rejected_incidents,
        health.lost_incidents,
        tuple(sorted((each.device, each.reason) for each in health.dropped)),
        tuple(sorted((each.subject, each.reason) for each in health.dead_letters)),
        health.evidence.left_out > 0,
    )
