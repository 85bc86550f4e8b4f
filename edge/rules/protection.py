"""Protection (保护动作): a charge is stopped because something is too hot, and the meter has to say that it really is. Pure.

Each connector has at most one stop, whatever many rules say that it is too hot. It is asked for once an acting rule is open and a live reading
says that it holds, and asked for again, ever more seldom, as long as it is not confirmed and the charge that was meant is under way. It is
confirmed by the meter alone: a reading of current (or power, where there is no ammeter) that was measured after the order, and is as
good as zero. A pile's own word counts for nothing, but for one thing: where it is known that no charge is under way, and no meter
says otherwise, there is nothing to stop. What is not confirmed in time is an incident of its own, worse than the first, until nothing
flows any more. What was confirmed is never asked for again, for the same opening; where current flows again while it is
still said to be hot, that is told and no order.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from edge.rules.connector import Connector, Means

OLDEST_S: Final = 60.0
"""What was measured longer ago is no reason to act."""

FIRST_AGAIN_S: Final = 5.0
LONGEST_AGAIN_S: Final = 60.0

TURN_S: Final = 1.0
"""So soon an order is given again that did not go out because others stood before it."""


class Stage(StrEnum):
    """How far a stop is."""

    IDLE = "idle"
    """as far as is known no charge is under way: there is nothing to stop"""
    ORDERED = "ordered"
    """asked for, and not confirmed yet"""
    CONFIRMED = "confirmed"
    """the meter says that nothing flows"""
    UNCONFIRMED = "unconfirmed"
    """in time no meter has said so, or it says that something flows again"""
    LEFT = "left"
    """it was not confirmed, but it is no longer too hot, and the charge that was meant is over"""


@dataclass(frozen=True, slots=True)
class Stop:
    """The stop of one charge at one connector. All times are of the node's clock.

    `ordered_at` is the first order's time: what is measured later counts. `charge` is the one that the newest order meant, where that is
    known; `blind` says that nothing was known of the connector, and that the pile has not agreed. `answer` is what came of the newest order, in words; `pending` while one is under way.
    """

    connector: int | None
    ordered_at: datetime
    stage: Stage = Stage.ORDERED
    charge: str | None = None
    blind: bool = False
    attempts: int = 0
    next_at: datetime | None = None
    pending: bool = False
    answer: str = ""
    confirmed_at: datetime | None = None

    def asked(self, at: datetime, charge: str | None = None) -> "Stop":
        """An order goes out now, for a charge."""
        wait_s = min(LONGEST_AGAIN_S, FIRST_AGAIN_S * 2 ** min(self.attempts, 8))
        next_at = at + timedelta(seconds=wait_s)
        return replace(self, attempts=self.attempts + 1, pending=True, next_at=next_at, charge=charge or self.charge)

    def answered(self, words: str, *, agreed: bool = False) -> "Stop":
        """What came of it; it says nothing of what the pile does, but that one which agrees had something to stop."""
        return replace(self, pending=False, answer=words, blind=self.blind and not agreed)

    def unasked(self, at: datetime, words: str) -> "Stop":
        """It did not go out after all: that was no attempt."""
        next_at = at + timedelta(seconds=TURN_S)
        return replace(self, attempts=max(0, self.attempts - 1), pending=False, next_at=next_at, answer=words)

    def begun(self, at: datetime, known: Connector) -> "Stop":
        """There is a charge to stop, now; nothing that was measured before says anything of it."""
        return Stop(self.connector, at, charge=known.charge, blind=known.is_unknown, pending=self.pending)

    def meant_for(self, charge: str) -> "Stop":
        """It is still too hot, and another charge is under way than the one that was meant: that one has to stop, and at once."""
        return replace(self, charge=charge, next_at=None)

    def is_due(self, at: datetime) -> bool:
        """Whether an order is to go out: at first, and again as long as nothing confirms it."""
        if self.stage not in {Stage.ORDERED, Stage.UNCONFIRMED} or self.confirmed_at is not None or self.pending:
            return False
        return self.next_at is None or at >= self.next_at

    def looked(self, known: Connector, means: Means, at: datetime, *, hot: bool, over: bool = False) -> "Stop":
        """What the meter says by now, and whether its time is up. Whether current may flow again is another question once it is no longer
        `hot`: the next charge is nobody's fault. Once the reason is `over`, so is the stop of a charge that has ended.
        """
        zero = known.flow.is_zero(means, self.ordered_at)
        time_is_up = (at - self.ordered_at).total_seconds() >= means.confirm_s
        match self.stage:
            case Stage.ORDERED | Stage.UNCONFIRMED if zero:
                return replace(self, stage=Stage.CONFIRMED, confirmed_at=self.confirmed_at or at)
            case Stage.ORDERED | Stage.UNCONFIRMED if self._was_for_nothing(known, means):
                return replace(self, stage=Stage.IDLE)
            case Stage.UNCONFIRMED if over and known.has_left(self.charge, means):
                return replace(self, stage=Stage.LEFT)
            case Stage.ORDERED if time_is_up:
                left = over and known.has_left(self.charge, means)
                return replace(self, stage=Stage.LEFT if left else Stage.UNCONFIRMED)
            case Stage.CONFIRMED if zero is False and hot:
                return replace(self, stage=Stage.UNCONFIRMED)
            case _:
                return self

    def _was_for_nothing(self, known: Connector, means: Means) -> bool:
        """It was asked for while nothing was known, and by now it is known that there is no charge, and never was any flow."""
        return self.blind and self.charge is None and known.is_idle(means) and not known.flow.is_flowing(means)

    def still_counts(self, known: Connector, means: Means) -> bool:
        """Whether a confirmed stop is that of whatever is there now: nothing has flowed since, and no other charge has begun."""
        other = known.charge is not None and known.charge != self.charge
        return known.flow.is_zero(means, self.ordered_at) is not False and not other

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do once the reason is over."""
        return self.stage in {Stage.IDLE, Stage.CONFIRMED, Stage.LEFT} and not self.pending

    def words(self) -> str:
        """What was done, for people."""
        if self.stage is Stage.IDLE:
            return "no charge is known: nothing to stop"
        told = [f"stop asked for at {self.ordered_at:%H:%M:%S} UTC"]
        if self.attempts > 1:
            told.append(f"{self.attempts} times")
        if self.answer:
            told.append(self.answer)
        if self.stage is Stage.CONFIRMED and self.confirmed_at is not None:
            told.append(f"meter says zero since {self.confirmed_at:%H:%M:%S} UTC")
        elif self.stage is Stage.UNCONFIRMED:
            told.append("current flows again" if self.confirmed_at is not None else "no meter says zero")
        elif self.stage is Stage.LEFT:
            told.append("no meter says zero; the charge is over, as the pile says")
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
        for name in ("ordered_at", "next_at", "confirmed_at"):
            if known[name] is not None:
                known[name] = datetime.fromisoformat(known[name])
        known["stage"] = Stage(known["stage"])
        return cls(**known)
