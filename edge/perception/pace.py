"""How quickly a camera is really analysed: looks per second, and how old a frame was when it had been looked at. Pure."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

WINDOW_S: Final = 10.0
_MOST: Final = 512


@dataclass(frozen=True, slots=True)
class PaceFigures:
    """Over the last ten seconds: analyses per second, age of a frame when its analysis ended, wait for a turn; seconds."""

    analysed_hz: float = 0.0
    age_s: float = 0.0
    age_p95_s: float = 0.0
    wait_p95_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Look:
    ended_s: float
    age_s: float
    waited_s: float


class Pace:
    """The looks of the last seconds; one thread notes, others may read."""

    def __init__(self) -> None:
        self._looks: deque[_Look] = deque(maxlen=_MOST)
        self._since_s: float | None = None

    def note(self, ended_s: float, *, age_s: float, waited_s: float) -> None:
        """An analysis ended at `ended_s` of a steady clock, of a frame that was `age_s` old then."""
        self._since_s = ended_s if self._since_s is None else self._since_s
        self._looks.append(_Look(ended_s, max(0.0, age_s), max(0.0, waited_s)))

    def figures(self, now_s: float) -> PaceFigures:
        """What the last ten seconds were like; nought where nothing was looked at."""
        recent = [look for look in list(self._looks) if now_s - look.ended_s <= WINDOW_S]
        if not recent or self._since_s is None:
            return PaceFigures()
        ages = sorted(look.age_s for look in recent)
        waits = sorted(look.waited_s for look in recent)
        watched_s = max(min(WINDOW_S, now_s - self._since_s), 1.0)
        return PaceFigures(
            analysed_hz=round(len(recent) / watched_s, 2),
            age_s=round(percentile(ages, 0.5), 4),
            age_p95_s=round(percentile(ages, 0.95), 4),
            wait_p95_s=round(percentile(waits, 0.95), 4),
        )


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed (nearest rank)."""
    return ordered[max(0, ceil(share * len(ordered)) - 1)]
