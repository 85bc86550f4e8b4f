"""Spells (持续状态): since when a state has been told, and when that begins and ends to count. Pure.

A state holds until another one is told: unlike that of a number, its silence is no gap. Changes may come late, doubled and out of
order; what was decided stays decided. But how things stand now is never thrown away: a change that is newer than all that was told,
and older than a decision that was made while it was on its way, counts from just after that decision.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

_MOST_KEPT: Final = 64
_JUST_AFTER: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Change:
    """From a moment on a state is told: `label` names the spell that it belongs to, None is out of all of them. `raw_code` is the device's
    own word for it.
    """

    at: datetime
    label: str | None
    text: str = ""
    raw_code: str | None = None


@dataclass(frozen=True, slots=True)
class Spell:
    """What has lasted long enough: since when, and as what it was told."""

    label: str | None
    since: datetime
    text: str = ""
    raw_code: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """At a moment it was decided that a spell counts, or with `ended_at` that it is over."""

    spell: Spell
    at: datetime
    ended_at: datetime | None = None


@dataclass(slots=True)
class Spells:
    """The spells of one point: each counts once it has lasted for `for_s`, and is over once it has not been for `clear_for_s`."""

    for_s: float
    clear_for_s: float
    open: Spell | None = None
    _base: Change | None = None
    _changes: list[Change] | None = None
    _decided_at: datetime | None = None
    _passed_over: datetime | None = None
    _newest_at: datetime | None = None
    _now: datetime | None = None

    @property
    def current(self) -> Change | None:
        """What was told last, with the moment since when that has been so."""
        current = self._base
        for change in self._changes or ():
            if current is None or change.label != current.label:
                current = change
        return current

    def take_up(self, spell: Spell, decided_at: datetime) -> None:
        """Go on with a spell that counted before a restart; one without a label is whichever comes first."""
        self.open = spell
        if self._base is None:
            self._base = Change(spell.since, spell.label, spell.text, spell.raw_code)
        self._is_known(self._base.at)
        self.pass_over(decided_at)

    def recall(self, change: Change) -> None:
        """What was told last before a restart; its end will be told, and nothing before it."""
        self._base = change
        self._is_known(change.at)

    def pass_over(self, until: datetime) -> None:
        """Everything up to `until` was decided before a restart: of it only that counts which ends what is open."""
        self._passed_over = until if self._passed_over is None else max(until, self._passed_over)
        self._decide(until)

    def take(self, change: Change) -> Iterator[Decision]:
        """One change, or the same state once more."""
        if self._decided_at is not None and change.at <= self._decided_at:
            if not self._is_news(change.at):
                return
            latest = max([self._decided_at, *(kept.at for kept in self._changes or ())])
            self._is_known(change.at)
            change = replace(change, at=latest + _JUST_AFTER)
        else:
            self._is_known(change.at)
        if self._changes is None:
            self._changes = []
        place = bisect_left(self._changes, change.at, key=lambda kept: kept.at)
        if place < len(self._changes) and self._changes[place].at == change.at:
            return
        if self._base is not None and change.at <= self._base.at:
            return  # older than what is known to have been so since
        self._adopt_label(change)
        self._changes.insert(place, change)
        yield from self.passed(change.at)
        self._fold()

    def _is_news(self, at: datetime) -> bool:
        """Whether what was told of a time before the last decision is newer than all that was told."""
        if self._newest_at is not None and at <= self._newest_at:
            return False
        return self._passed_over is None or at > self._passed_over or self.open is not None

    def _is_known(self, at: datetime) -> None:
        self._newest_at = at if self._newest_at is None else max(at, self._newest_at)

    def _decide(self, at: datetime) -> None:
        self._decided_at = at if self._decided_at is None else max(at, self._decided_at)

    def passed(self, at: datetime) -> Iterator[Decision]:
        """Event time has gone on to a moment, as far as is known without a change since."""
        self._now = at if self._now is None else max(self._now, at)
        while (decision := self._next(self._now)) is not None:
            self._settle(decision)
            yield decision

    def _adopt_label(self, change: Change) -> None:
        """What was taken up without a label is the first that is told."""
        if self.open is not None and self.open.label is None and change.label is not None:
            self.open = Spell(change.label, self.open.since, self.open.text or change.text, self.open.raw_code)
            self._base = Change(self.open.since, change.label, self.open.text, self.open.raw_code)

    def _runs(self) -> Iterator[tuple[Change, datetime | None]]:
        """Stretches of one label: how each began, and when it was over (None: it goes on)."""
        current = self._base
        for change in self._changes or ():
            if current is None:
                current = change
            elif change.label != current.label:
                yield current, change.at
                current = change
        if current is not None:
            yield current, None

    def _next(self, now: datetime) -> Decision | None:
        """The earliest thing that can be decided by now, and is not yet."""
        if self.open is None:
            return self._opening(now)
        return self._ending(self.open, now)

    def _opening(self, now: datetime) -> Decision | None:
        for begun, over_at in self._runs():
            at = begun.at + timedelta(seconds=self.for_s)
            if begun.label is None or at > now or (over_at is not None and at > over_at):
                continue
            if self._is_decided(at) and self._is_decided(over_at):
                continue
            return Decision(Spell(begun.label, begun.at, begun.text, begun.raw_code), at)
        return None

    def _ending(self, spell: Spell, now: datetime) -> Decision | None:
        """The spell is over where it has been away for `clear_for_s` in one go, whatever was told instead."""
        away_since: datetime | None = None
        for begun, _ in self._runs():
            if begun.label != spell.label:
                away_since = away_since or max(begun.at, spell.since)
                continue
            if away_since is not None and begun.at >= away_since + timedelta(seconds=self.clear_for_s):
                break
            away_since = None
        if away_since is None or away_since + timedelta(seconds=self.clear_for_s) > now:
            return None
        return Decision(spell, away_since + timedelta(seconds=self.clear_for_s), ended_at=away_since)

    def _is_decided(self, at: datetime | None) -> bool:
        return at is not None and self._decided_at is not None and at <= self._decided_at

    def _settle(self, decision: Decision) -> None:
        """What lies before a decision is known by it."""
        self.open = decision.spell if decision.ended_at is None else None
        through = decision.spell.since if decision.ended_at is None else decision.ended_at
        kept = [change for change in self._changes or () if change.at > through]
        for change in self._changes or ():
            if change.at <= through and (self._base is None or change.label != self._base.label):
                self._base = change
        self._changes = kept
        self._decide(decision.at)

    def _fold(self) -> None:
        """Bound the memory: of the oldest changes what holds after them is kept."""
        changes = self._changes or []
        if len(changes) <= _MOST_KEPT:
            return
        for change in changes[: _MOST_KEPT // 2]:
            if self._base is None or change.label != self._base.label:
                self._base = change
        del changes[: _MOST_KEPT // 2]
