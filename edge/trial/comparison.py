"""What was told then and what would be told now, held against each other: kept, new or gone. Pure.

Two are one where rule and kind agree (the rule may have another name now, if none has the old one) and their times overlap; of several the one that
begins nearest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from edge.trial.run import TrialIncident

SLACK: Final = timedelta(seconds=1)


class Verdict(StrEnum):
    """What becomes of an incident."""

    KEPT = "kept"
    NEW = "new"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Compared:
    """An incident now, or then, or both."""

    now: TrialIncident | None
    then: TrialIncident | None

    @property
    def verdict(self) -> Verdict:
        """What becomes of it."""
        if self.then is None:
            return Verdict.NEW
        return Verdict.GONE if self.now is None else Verdict.KEPT

    @property
    def told(self) -> TrialIncident:
        """As it is now, else as it was."""
        incident = self.now or self.then
        assert incident is not None  # noqa: S101 (one of them is there)
        return incident


def compared(now: Sequence[TrialIncident], then: Sequence[TrialIncident], *, until: datetime) -> tuple[Compared, ...]:
    """All of both, in the order of their beginnings."""
    left, pairs = list(now), []
    waiting = list(then)
    for alike in (_same_rule, _same_kind):
        unmatched = []
        for was in waiting:
            candidates = [each for each in left if alike(each, was) and _overlap(each, was, until)]
            if not candidates:
                unmatched.append(was)
                continue
            nearest = min(candidates, key=lambda each: abs(each.started_at - was.started_at))
            left.remove(nearest)
            pairs.append(Compared(nearest, was))
        waiting = unmatched
    pairs += [Compared(each, None) for each in left]
    pairs += [Compared(None, each) for each in waiting]
    return tuple(sorted(pairs, key=lambda pair: (pair.told.started_at, pair.told.rule, pair.verdict)))


def _same_rule(now: TrialIncident, then: TrialIncident) -> bool:
    return (now.rule, now.kind, now.point, now.direction) == (then.rule, then.kind, then.point, then.direction)


def _same_kind(now: TrialIncident, then: TrialIncident) -> bool:
    return (now.kind, now.point) == (then.kind, then.point)


def _overlap(now: TrialIncident, then: TrialIncident, until: datetime) -> bool:
    return now.started_at <= (then.ended_at or until) + SLACK and then.started_at <= (now.ended_at or until) + SLACK
