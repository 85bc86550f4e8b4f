"""Who calls and is not configured (未配置的来访): counted by the name that he gives himself, so that somebody can configure him. Pure.

Anybody may knock with any name and as often as he likes: the newest names are remembered, and a line is written ever more seldom.
"""

from typing import Final

MOST_KNOCKED: Final = 50
"""Names that are remembered; the oldest gives way."""


class Knocks:
    """All who knocked at one door since the start. Of one thread; others may read."""

    def __init__(self) -> None:
        self.total = 0
        self._by_name: dict[str, int] = {}

    @property
    def by_name(self) -> dict[str, int]:
        """How often each has knocked, the newest last; a copy."""
        return dict(self._by_name)

    @property
    def is_worth_a_line(self) -> bool:
        """Whether the last one is told in the log: the 1st, 2nd, 4th, 8th … of all."""
        return self.total & (self.total - 1) == 0

    def knock(self, name: str) -> int:
        """He calls; how often he has by now."""
        self.total += 1
        times = self._by_name.pop(name, 0) + 1
        self._by_name[name] = times
        if len(self._by_name) > MOST_KNOCKED:
            del self._by_name[next(iter(self._by_name))]
        return times
