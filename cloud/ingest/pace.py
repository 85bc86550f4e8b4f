"""How many messages of one node are looked at: what a node that floods sends beyond it is left unanswered. Pure."""

from collections import Counter
from dataclasses import dataclass, field

from cloud.refusals.policy import Allowance

MESSAGES_AT_ONCE = 5_000
MESSAGES_PER_S = 500.0
"""A node has at most a hundred messages under way and forms a few dozen in a second: no real one ever comes near."""

TOLD_EVERY_S = 60.0


@dataclass(slots=True)
class NodePace:
    """Admits messages by their topic. What is not admitted is not acknowledged to its node, which sends it again: nothing is lost,
    and looking at it costs less than sending it.
    """

    allowance: Allowance = field(default_factory=lambda: Allowance(MESSAGES_AT_ONCE, MESSAGES_PER_S))
    _left_out: Counter[str] = field(default_factory=Counter)
    _told_s: float = float("-inf")

    def admits(self, topic: str, now_s: float) -> bool:
        """Whether a message on this topic is looked at, at the monotonic time `now_s`."""
        sender = topic.rpartition("/up/")[0][-200:]
        admitted = self.allowance.take(sender, now_s)
        if not admitted and (sender in self._left_out or len(self._left_out) < self.allowance.maximum_senders):
            self._left_out[sender] += 1
        return admitted

    def to_tell(self, now_s: float) -> dict[str, int]:
        """Who sent too much since this was told last, and how many messages; empty until it is time to tell it."""
        if not self._left_out or now_s - self._told_s < TOLD_EVERY_S:
            return {}
        told, self._left_out = dict(self._left_out.most_common(20)), Counter()
        self._told_s = now_s
        return told
