"""Protection (保护动作): a charge is stopped because something is too hot, and the meter has to say that it really is. Pure.

A stop is asked for once an acting rule is open and a live reading says that it holds, and asked for again, ever more seldom, as long as it is
not confirmed. It is confirmed by the meter alone: a reading of current (or power, where there is no ammeter) that was measured after the
order, and is as good as zero. A pile's own word counts for nothing. What is not confirmed in time is an incident of its own, worse
than the first, until nothing flows any more. What was confirmed is never asked for again, for the same opening; where current flows
again while it is still said to be hot, that is told and no order.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

OLDEST_S: Final = 60.0
"""What was measured longer ago is no reason to act."""

FIRST_AGAIN_S: Final = 5.0
LONGEST_AGAIN_S: Final = 60.0


class Stage(StrEnum):
    """How far a stop is."""

    ORDERED = "ordered"
    """asked for, and not confirmed yet"""
    CONFIRMED = "confirmed"
    """the meter says that nothing flows"""
    UNCONFIRMED = "unconfirmed"
    """in time no meter has said so, or it says that something flows again"""


@dataclass(frozen=True, slots=True)
class Means:
    """When a stop counts as confirmed."""

    confirm_s: float
    zero_a: float
    zero_w: float


@dataclass(frozen=True, slots=True)
class Flow:
    """What a meter said of a connector: of its current and of its power, and when each was measured."""

    current_a: float | None = None
    current_at: datetime | None = None
    power_w: float | None = None
    power_at: datetime | None = None

    def said(self, quantity: str, value: float, at: datetime) -> "Flow":
        """With one more reading; an older one changes nothing."""
        if quantity == "current_a" and (self.current_at is None or at >= self.current_at):
            return replace(self, current_a=value, current_at=at)
        if quantity == "power_w" and (self.power_at is None or at >= self.power_at):
            return replace(self, power_w=value, power_at=at)
        return self

    def is_zero(self, means: Means, since: datetime) -> bool | None:
        """Whether nothing flows, as far as was measured after a moment; None where nothing was."""
        current = self.current_a if self.current_at is not None and self.current_at > since else None
        power = self.power_w if self.power_at is not None and self.power_at > since else None
        if current is not None:
            return abs(current) <= means.zero_a
        return None if power is None else abs(power) <= means.zero_w


@dataclass(frozen=True, slots=True)
class Stop:
    """The stop of one charge: `key` and `opened_at` name the opening that it answers. All times are of the node's clock.

    `ordered_at` is the first order's time: what is measured later counts. `answer` is what came of the newest order, in words;
    `pending` while one is under way.
    """

    key: str
    opened_at: datetime
    connector: int | None
    ordered_at: datetime
    stage: Stage = Stage.ORDERED
    attempts: int = 0
    next_at: datetime | None = None
    pending: bool = False
    answer: str = ""
    confirmed_at: datetime | None = None
    over: bool = False

    def asked(self, at: datetime) -> "Stop":
        """An order goes out now."""
        wait_s = min(LONGEST_AGAIN_S, FIRST_AGAIN_S * 2 ** min(self.attempts, 8))
        return replace(self, attempts=self.attempts + 1, pending=True, next_at=at + timedelta(seconds=wait_s))

    def answered(self, words: str) -> "Stop":
        """What came of it; it says nothing of what the pile does."""
        return replace(self, pending=False, answer=words)

    def is_due(self, at: datetime) -> bool:
        """Whether an order is to go out: at first, and again as long as nothing confirms it and the reason for it holds."""
        if self.stage is Stage.CONFIRMED or self.confirmed_at is not None or self.pending or self.over:
            return False
        return self.next_at is None or at >= self.next_at

    def looked(self, flow: Flow, means: Means, at: datetime, *, hot: bool) -> "Stop":
        """What the meter says by now, and whether its time is up. Whether current may flow again is another question once it is no longer
        `hot`: the next charge is nobody's fault.
        """
        zero = flow.is_zero(means, self.ordered_at)
        match self.stage:
            case Stage.ORDERED if zero:
                return replace(self, stage=Stage.CONFIRMED, confirmed_at=at)
            case Stage.ORDERED if (at - self.ordered_at).total_seconds() >= means.confirm_s:
                return replace(self, stage=Stage.UNCONFIRMED)
            case Stage.UNCONFIRMED if zero:
                return replace(self, stage=Stage.CONFIRMED, confirmed_at=self.confirmed_at or at)
            case Stage.CONFIRMED if zero is False and hot and not self.over:
                return replace(self, stage=Stage.UNCONFIRMED)
            case _:
                return self

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do: the reason is over, and so is the stop."""
        return self.over and self.stage is Stage.CONFIRMED and not self.pending

    def words(self) -> str:
        """What was done, for people."""
        told = [f"stop asked for at {self.ordered_at:%H:%M:%S} UTC"]
        if self.attempts > 1:
            told.append(f"{self.attempts} times")
        if self.answer:
            told.append(self.answer)
        if self.stage is Stage.CONFIRMED and self.confirmed_at is not None:
            told.append(f"meter says zero since {self.confirmed_at:%H:%M:%S} UTC")
        elif self.stage is Stage.UNCONFIRMED:
            told.append("current flows again" if self.confirmed_at is not None else "no meter says zero")
        return "; ".join(told)

    def plain(self) -> dict[str, Any]:
        """Ready to be kept; an order that is under way is not known to have arrived."""
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in asdict(replace(self, pending=False)).items()
        }

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> "Stop":
        """What `plain` gave. Raises ValueError, TypeError or KeyError for anything else."""
        known = dict(plain)
        for name in ("opened_at", "ordered_at", "next_at", "confirmed_at"):
            if known[name] is not None:
                known[name] = datetime.fromisoformat(known[name])
        known["stage"] = Stage(known["stage"])
        return cls(**known)
