"""Protection (保护动作): a charge is stopped because something is too hot, and the meter has to say that it really is. Pure.

Each connector has at most one stop, whatever many rules say that it is too hot. It is asked for once an acting rule is open and a live reading
says that it holds, and asked for again, ever more seldom, as long as it is not confirmed and the charge that was meant is under way. It is
confirmed by the meter alone: a reading of current (or power, where there is no ammeter) that was measured after the order, and is as
good as zero. A pile's own word counts for nothing, but for one thing: where it is known that no charge is under way, and no meter
says otherwise, there is nothing to stop. What is not confirmed in time is an incident of its own, worse than the first, until nothing
flows any more. What was confirmed is not asked for again; but where another charge begins, or current flows again, while it is still said to
be hot, that one is stopped as well, with its own time to be confirmed. A pile that begins again and again is told as worse at once, is asked
ever more seldom, and is believed only once nothing has flowed for a while.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
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

MOST_AGAIN: Final = 3
"""So often a charge may begin again, and be stopped again, before that is told as worse at once."""

AGAIN_WITHIN_S: Final = 600.0
"""What begins longer than this after a confirmed stop is counted anew."""

QUIET_S: Final = 120.0
"""So long nothing must flow where charges began again and again."""


class Stage(StrEnum):
    """How far a stop is."""

    IDLE = "idle"
    """as far as is known no charge is under way: there is nothing to stop"""
    ORDERED = "ordered"
    """asked for, and not confirmed yet"""
    CONFIRMED = "confirmed"
    """the meter says that nothing flows"""
    UNCONFIRMED = "unconfirmed"
    """in time no meter has said so, or charges begin again and again"""
    LEFT = "left"
    """it was not confirmed, but it is no longer too hot, and the charge that was meant is over"""


_ASKED_FOR: Final = frozenset({Stage.ORDERED, Stage.CONFIRMED, Stage.UNCONFIRMED})


@dataclass(frozen=True, slots=True)
class Stop:
    """The stop of one charge at one connector. All times are of the node's clock.

    `ordered_at` is the first order's time. `charge` is the one that the newest order meant, where that is known; it is meant since `meant_at`,
    or from the first: what is measured later counts. `followed` says that another one has begun since. `begun_again` counts the charges that
    were to be stopped one after the other; `asked_at` is when the newest order went out; `zero_at` is since when nothing flows where that has to last. `blind` says that nothing was known of
    the connector, and that the pile has not agreed. `answer` is what came of the newest order, in words; `pending` while one is under way.
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
    asked_at: datetime | None = None
    meant_at: datetime | None = None
    followed: bool = False
    begun_again: int = 0
    zero_at: datetime | None = None

    def asked(self, at: datetime, charge: str | None = None) -> "Stop":
        """An order goes out now, for a charge."""
        wait_s = min(LONGEST_AGAIN_S, FIRST_AGAIN_S * 2 ** min(self.attempts, 8))
        next_at = at + timedelta(seconds=wait_s)
        return replace(
            self,
            attempts=self.attempts + 1,
            pending=True,
            next_at=next_at,
            charge=charge or self.charge,
            asked_at=at,
        )

    def answered(self, words: str, *, agreed: bool = False) -> "Stop":
        """What came of it; it says nothing of what the pile does, but that one which agrees had something to stop."""
        return replace(self, pending=False, answer=words, blind=self.blind and not agreed)

    def unasked(self, at: datetime, words: str) -> "Stop":
        """It did not go out after all: that was no attempt."""
        next_at = at + timedelta(seconds=TURN_S)
        attempts = max(0, self.attempts - 1)
        asked_at = self.asked_at if attempts and not self.is_restless else None
        return replace(self, attempts=attempts, pending=False, next_at=next_at, answer=words, asked_at=asked_at)

    def begun(self, at: datetime, known: Connector) -> "Stop":
        """There is a charge to stop, now; nothing that was measured before says anything of it."""
        return Stop(self.connector, at, charge=known.charge, blind=known.is_unknown, pending=self.pending)

    def again(self, at: datetime, known: Connector) -> "Stop":
        """Another charge is to stop than the one that was meant, at once and with its own time; where that happens again and again, it is told
        as worse, and what is asked keeps its pace.
        """
        counts = self.confirmed_at is None or (at - self.confirmed_at).total_seconds() <= AGAIN_WITHIN_S
        count = self.begun_again + 1 if counts else 0
        is_restless, is_told = count > MOST_AGAIN, self.stage is Stage.UNCONFIRMED
        return Stop(
            self.connector,
            self.ordered_at if is_told else at,
            Stage.UNCONFIRMED if is_told or is_restless else Stage.ORDERED,
            charge=known.charge,
            blind=known.is_unknown,
            attempts=self.attempts if is_restless else 0,
            next_at=self.next_at if is_restless else None,
            pending=self.pending,
            answer=self.answer if is_restless else "",
            meant_at=at,
            begun_again=count,
        )

    def heard(self, before: Connector, known: Connector, at: datetime) -> "Stop":
        """A word of the device, dated in the node's time: whether a charge begins with it, or it only names the one that was meant."""
        if self.stage not in _ASKED_FOR:
            return self
        is_meant = at <= max(self.since, self.asked_at or self.since)
        if known.charge is not None:
            if known.charge == before.charge or (known.charge == self.charge and before.charging is None):
                return self
            if self.charge is None and is_meant:
                return replace(self, charge=known.charge)
            return replace(self, followed=True)
        return replace(self, followed=True) if known.has_begun_unnamed(before) and not is_meant else self

    @property
    def since(self) -> datetime:
        """What is measured after this counts."""
        return self.meant_at or self.ordered_at

    @property
    def is_owed(self) -> bool:
        """Whether no order has gone out yet for the charge that is meant."""
        return self.asked_at is None or self.asked_at < self.since

    @property
    def is_restless(self) -> bool:
        """Whether charges begin again and again."""
        return self.begun_again > MOST_AGAIN

    def is_needed_again(self, known: Connector, means: Means) -> bool:
        """Whether something is charged that the newest order did not mean: another charge is under way, or what had been zero flows."""
        if self.stage not in _ASKED_FOR or known.is_idle(means):
            return False
        was_zero = self.confirmed_at is not None or self.zero_at is not None
        if was_zero and known.flow.is_zero(means, self.since) is False:
            return True
        is_other = known.charge is not None and self.charge is not None and known.charge != self.charge
        return self.followed or is_other

    def is_due(self, at: datetime) -> bool:
        """Whether an order is to go out: at first, and again as long as nothing confirms it."""
        if self.stage not in {Stage.ORDERED, Stage.UNCONFIRMED} or self.pending:
            return False
        if self.zero_at is not None and not self.is_owed:
            return False
        return self.next_at is None or at >= self.next_at

    def looked(self, known: Connector, means: Means, at: datetime, *, over: bool = False) -> "Stop":
        """What the meter says by now, and whether its time is up. Once the reason is `over`, so is the stop of a charge that has ended."""
        zero = known.flow.is_zero(means, self.since)
        time_is_up = (at - self.ordered_at).total_seconds() >= means.confirm_s
        match self.stage:
            case Stage.ORDERED | Stage.UNCONFIRMED if zero:
                return self._at_zero(at, over=over)
            case Stage.ORDERED | Stage.UNCONFIRMED if self._was_for_nothing(known, means, over=over):
                return replace(self, stage=Stage.IDLE)
            case Stage.ORDERED | Stage.UNCONFIRMED if (
                over and known.has_left(self.charge, means) and (time_is_up or self.stage is Stage.UNCONFIRMED)
            ):
                return replace(self, stage=Stage.LEFT)
            case Stage.UNCONFIRMED if zero is False and self.zero_at is not None:
                return replace(self, zero_at=None)
            case Stage.ORDERED if time_is_up:
                return replace(self, stage=Stage.UNCONFIRMED)
            case _:
                return self

    def _at_zero(self, at: datetime, *, over: bool) -> "Stop":
        """Nothing flows: that confirms what was asked for, at once or once it has lasted."""
        zero_at = self.zero_at or at
        if self.is_restless and not over and (self.is_owed or (at - zero_at).total_seconds() < QUIET_S):
            return replace(self, zero_at=zero_at)
        if self.is_owed:
            return replace(self, stage=Stage.IDLE if over else Stage.ORDERED)
        return replace(self, stage=Stage.CONFIRMED, confirmed_at=zero_at, zero_at=None)

    def _was_for_nothing(self, known: Connector, means: Means, *, over: bool) -> bool:
        """It was asked for while nothing was known, or never, and by now it is known that there is no charge, and never was any flow."""
        if over and self.is_owed and self.stage is Stage.ORDERED:
            return True  # no order has gone out, and none is wanted any more
        is_nothing = self.is_owed or (self.blind and self.charge is None)
        return is_nothing and known.is_idle(means) and not known.flow.is_flowing(means)

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do once the reason is over."""
        return self.stage in {Stage.IDLE, Stage.CONFIRMED, Stage.LEFT} and not self.pending

    def words(self) -> str:
        """What was done, for people."""
        if self.stage is Stage.IDLE:
            return "no charge is known: nothing to stop"
        told = [f"stop asked for at {self.since:%H:%M:%S} UTC"]
        if self.attempts > 1:
            told.append(f"{self.attempts} times")
        if self.begun_again:
            told.append(f"charging began again {self.begun_again} times")
        if self.answer:
            told.append(self.answer)
        if self.stage is Stage.CONFIRMED and self.confirmed_at is not None:
            told.append(f"meter says zero since {self.confirmed_at:%H:%M:%S} UTC")
        elif self.stage is Stage.UNCONFIRMED:
            told.append("no meter says zero" if self.zero_at is None else f"zero since {self.zero_at:%H:%M:%S} UTC")
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
        known = {each.name: plain[each.name] for each in fields(cls) if each.name in plain}
        for name in ("ordered_at", "next_at", "confirmed_at", "asked_at", "meant_at", "zero_at"):
            if known.get(name) is not None:
                known[name] = datetime.fromisoformat(known[name])
        known["stage"] = Stage(known["stage"])
        if "asked_at" not in known and known["attempts"]:
            known["asked_at"] = known["ordered_at"]
        return cls(**known)
