"""How much one sender may do: one that floods must not push out the others' letters or make the others wait. Pure."""

from collections import OrderedDict
from dataclasses import dataclass, field

LETTERS_AT_ONCE = 100
LETTERS_PER_S = 1.0
MAXIMUM_SENDERS = 5_000


@dataclass(slots=True)
class Allowance:
    """A bucket of tokens for each sender, filled again with time."""

    at_once: int
    per_s: float
    maximum_senders: int = MAXIMUM_SENDERS
    _left: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    def take(self, sender: str, now_s: float) -> bool:
        """Whether `sender` has a token left at the monotonic time `now_s`; it is taken."""
        left, at_s = self._left.pop(sender, (float(self.at_once), now_s))
        left = min(float(self.at_once), left + max(0.0, now_s - at_s) * self.per_s)
        taken = left >= 1.0
        self._left[sender] = (left - taken, now_s)
        while len(self._left) > self.maximum_senders:
            self._left.popitem(last=False)
        return taken

    def give_back(self, sender: str, count: int) -> None:
        """Take back `count` tokens that were not used after all."""
        if sender in self._left:
            left, at_s = self._left[sender]
            self._left[sender] = (min(float(self.at_once), left + count), at_s)


def letter_allowance() -> Allowance:
    """Of dead letters; what finds it empty is counted and not kept."""
    return Allowance(LETTERS_AT_ONCE, LETTERS_PER_S)
