"""The stop of one connector as protection (保护动作) goes on with it: for which reasons, by which rule it is told, and how it is kept."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from edge.rules.connector import Connector, Means
from edge.rules.identity import stop_key
from edge.rules.protection import OLDEST_S, Stage, Stop


@dataclass(slots=True)
class Reason:
    """Why a charge has to stop: an incident that is open. `lasts`: it is a state, and holds until another one is told."""

    rule: str
    means: Means
    lasts: bool
    hot: bool = False
    holds_at: datetime | None = None

    def is_fresh(self, at: datetime) -> bool:
        """Whether it was said just now that it is too hot."""
        if not self.hot or self.holds_at is None:
            return False
        return self.lasts or (at - self.holds_at).total_seconds() <= OLDEST_S


@dataclass(slots=True)
class Case:
    """One connector of one device. `rule` is the one by which it is told that a stop is not confirmed: the first of all reasons; `means` are
    its.
    """

    device: str
    rule: str
    means: Means
    stop: Stop
    reasons: dict[str, Reason] = field(default_factory=dict)
    said: str = ""

    @property
    def place(self) -> tuple[str, int | None]:
        """Where it is: there is one stop at a place, whatever the reasons."""
        return self.device, self.stop.connector

    @property
    def key(self) -> str:
        """The key of what is told of a stop that is not confirmed."""
        return stop_key(self.device, self.rule, self.stop.connector)

    @property
    def holds_at(self) -> datetime | None:
        """When that was said last."""
        return max((reason.holds_at for reason in self._hot() if reason.holds_at is not None), default=None)

    def is_fresh(self, at: datetime) -> bool:
        """Whether it was said just now that it is too hot."""
        return any(reason.is_fresh(at) for reason in self._hot())

    def _hot(self) -> Iterator[Reason]:
        return (reason for reason in self.reasons.values() if reason.hot)

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        return not self.reasons and self.stop.is_done

    def looked(self, known: Connector, at: datetime) -> Stop:
        """The stop as it is by what is known now."""
        return self.stop.looked(known, self.means, at, over=not self.reasons)

    def goes_on_from(self, at: datetime) -> None:
        """A charge begins while a state says that it is too hot: what lasts counts from now on."""
        for reason in self._hot():
            if reason.lasts:
                reason.holds_at = at

    def confirmed(self) -> None:
        """What was measured once counts no more until it is said again; a state says so until there is another one."""
        for reason in self.reasons.values():
            reason.hot = reason.hot and reason.lasts

    def goes_on_by(self, rule: str) -> bool:
        """Whether the reasons of another rule are left, now that this one is gone; it is told by another one then."""
        self.reasons = {key: reason for key, reason in self.reasons.items() if reason.rule != rule}
        first = next(iter(self.reasons.values()), None)
        if self.rule == rule and first is not None:
            self.rule, self.means = first.rule, first.means
        return self.rule != rule

    @property
    def is_kept(self) -> bool:
        """Whether it has to be known after a restart."""
        return self.stop.stage is not Stage.IDLE

    def kept(self) -> str:
        """Ready to be kept; what is hot has to be said again after a restart."""
        reasons = {
            key: {"rule": reason.rule, "lasts": reason.lasts, "means": _plain(reason.means)}
            for key, reason in self.reasons.items()
        }
        words: dict[str, Any] = {"device": self.device, "rule": self.rule, "means": _plain(self.means)}
        return json.dumps(words | {"stop": self.stop.plain(), "reasons": reasons}, sort_keys=True)

    @classmethod
    def of(cls, words: str) -> "Case | None":
        """What `kept` gave; None for anything else."""
        try:
            plain = json.loads(words)
            reasons = {
                str(key): Reason(str(each["rule"]), Means(**each["means"]), bool(each["lasts"]))
                for key, each in plain["reasons"].items()
            }
            return cls(
                str(plain["device"]), str(plain["rule"]), Means(**plain["means"]), Stop.of(plain["stop"]), reasons
            )
        except (ValueError, TypeError, KeyError, AttributeError):
            return None


def _plain(means: Means) -> dict[str, float]:
    return {"confirm_s": means.confirm_s, "zero_a": means.zero_a, "zero_w": means.zero_w}
