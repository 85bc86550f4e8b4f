"""How many dead letters one sender may leave: one that floods must not push out the others' or make the database wait. Pure."""

from collections import OrderedDict
from dataclasses import dataclass, field

LETTERS_AT_ONCE = 100
LETTERS_PER_S = 1.0
MAXIMUM_SENDERS = 5_000


@dataclass(slots=True)
class LetterAllowance:
    """A bucket of letters for each sender, filled again with time. What finds it empty is counted and not kept."""

    at_once: int = LETTERS_AT_ONCE
    per_s: float = LETTERS_PER_S
    maximum_senders: int = MAXIMUM_SENDERS
    _left: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    def take(self, sender: str, now_s: float) -> bool:
        """Whether `sender` may leave one more letter at the monotonic time `now_s`."""
        left, at_s = self._left.pop(sender, (float(self.at_once), now_s))
        left = min(float(self.at_once), left + max(0.0, now_s - at_s) * self.per_s)
        taken = left >= 1.0
        self._left[sender] = (left - taken, now_s)
        while len(self._left) > self.maximum_senders:
            self._left.popitem(last=False)
        return taken
