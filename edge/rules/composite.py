"""Composite (复合告警): different signs that lie near each other in time at one spot are worse than each of them. Pure.

What comes of it is an incident of its own beside the single ones, which stay as they are: one worse thing for whoever has to act, and
nothing lost. It opens with the sign that completes it, takes up those that follow, and is over once none of its signs is there any
more. Time is that of the signs; they may come late, doubled and in any order.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from edge.contract.incident import Incident, IncidentKind, IncidentState, Severity
from edge.contract.telemetry import to_microseconds
from edge.flow import Finding
from edge.rules.identity import quantity_of
from edge.settings import CompositeSettings, SignSettings

_MOST_KEPT: Final = 128
_LONGEST_NOTE: Final = 200


@dataclass(frozen=True, slots=True)
class _Seen:
    """One sign, as long as it was there; `ended_at` None: it still is. One that is `spent` was part of a composite that is over."""

    name: str
    what: str
    device: str
    started_at: datetime
    ended_at: datetime | None
    severity: Severity
    replayed: bool
    spent: bool = False

    def is_near(self, other: "_Seen", within: timedelta) -> bool:
        """Whether not more than so much time lies between the two."""
        apart = other.started_at - self.ended_at if self.ended_at is not None else timedelta(0)
        before = self.started_at - other.ended_at if other.ended_at is not None else timedelta(0)
        return max(apart, before) <= within


@dataclass(frozen=True, slots=True)
class _Open:
    key: str
    device: str
    since: datetime
    severity: Severity
    members: frozenset[str]
    note: str


def matches(sign: SignSettings, finding: Finding) -> bool:
    """Whether a finding is this sign."""
    if sign.sees:
        return False
    point = finding.point or ""
    return (
        (not sign.kinds or finding.kind in sign.kinds)
        and (not sign.points or point in sign.points or quantity_of(point) in sign.points)
        and (not sign.faults or finding.fault in sign.faults)
        and (not sign.devices or finding.device in sign.devices)
    )


class CompositeRule:
    """One composite at one spot."""

    def __init__(self, settings: CompositeSettings, spot: str) -> None:
        self.settings, self.spot = settings, spot
        self._within = timedelta(seconds=settings.within_s)
        self._seen: dict[str, _Seen] = {}
        self._open: _Open | None = None

    def observe(self, finding: Finding) -> Sequence[Finding]:
        """A finding of a device at the spot."""
        return list(self._decide(finding.at)) if self.take(finding) else ()

    def take(self, finding: Finding) -> bool:
        """The same, without deciding anything yet; whether it is a sign at all."""
        if finding.kind == IncidentKind.COMPOSITE:
            return False
        names = {sign.name for sign in self.settings.signs if matches(sign, finding)}
        ended_at = (finding.ended_at or finding.at) if finding.state is IncidentState.ENDED else None
        what = " ".join(part for part in (finding.device, finding.fault or finding.point or finding.kind) if part)
        for name in sorted(names):
            key = self._key(name, finding)
            seen = _Seen(name, what, finding.device, finding.started_at, ended_at, finding.severity, finding.replayed)
            known = self._seen.get(key)
            if known is not None:
                seen = replace(
                    seen,
                    started_at=known.started_at,
                    ended_at=known.ended_at or ended_at,
                    severity=max(known.severity, seen.severity, key=lambda severity: severity.rank),
                    replayed=known.replayed and seen.replayed,
                    spent=known.spent,
                )
            self._seen[key] = seen
        return bool(names)

    def _key(self, name: str, finding: Finding) -> str:
        """The sign that goes on with this finding, or a new one."""
        of = f"{name} {finding.key} "
        going_on = (key for key, seen in self._seen.items() if key.startswith(of) and seen.ended_at is None)
        return next(going_on, f"{of}{to_microseconds(finding.started_at)}")

    def saw(self, camera: str, labels: Sequence[str], at: datetime) -> Sequence[Finding]:
        """What a camera of the spot saw at a moment."""
        names = {sign.name for sign in self.settings.signs if set(sign.sees) & set(labels)}
        for name in sorted(names):
            what = f"{camera} sees {', '.join(sorted(labels))}"
            self._seen[f"{name} {camera} {to_microseconds(at)}"] = _Seen(
                name, what, camera, at, at, Severity.LOW, replayed=False
            )
        return list(self._decide(at)) if names else ()

    def resume(self, incident: Incident) -> None:
        """Go on with what was open before a restart; its signs are told once more after this."""
        self._open = _Open(
            f"{incident.device}/{self.settings.id}",
            incident.device,
            incident.started_at,
            incident.severity,
            frozenset(),
            incident.note or "",
        )

    def settle(self, at: datetime) -> Sequence[Finding]:
        """All signs that are still open have been told after a restart: one without any is over."""
        return list(self._decide(at))

    def ended(self, at: datetime) -> Sequence[Finding]:
        """It is no part of the configuration any more."""
        if self._open is None:
            return ()
        return (self._told(self._open, IncidentState.ENDED, at, ended_at=at),)

    def leave(self, staying: Collection[str], at: datetime) -> Sequence[Finding]:
        """Only these devices are at the spot from now on: what the others said last holds no longer here."""
        members = frozenset[str]() if self._open is None else self._open.members
        for key, seen in list(self._seen.items()):
            if seen.device in staying:
                continue
            if key not in members:
                del self._seen[key]
            elif seen.ended_at is None:
                self._seen[key] = replace(seen, ended_at=max(at, seen.started_at))
        return list(self._decide(at))

    def _decide(self, at: datetime) -> Iterator[Finding]:
        meeting = self._meeting()
        if self._open is None and meeting:
            self._open = self._made(meeting)
            over = all(seen.ended_at is not None for seen in meeting.values())
            replayed = all(seen.replayed for seen in meeting.values())
            if not (over and replayed):
                yield self._told(self._open, IncidentState.OPEN, max(at, self._open.since), replayed=replayed)
        elif self._open is not None and meeting.keys() - self._open.members:
            before, self._open = self._open, self._grown(self._open, meeting)
            if before.note != self._open.note or before.severity is not self._open.severity:
                yield self._told(self._open, IncidentState.UPDATE, max(at, self._open.since))
        if self._open is not None:
            yield from self._over(self._open, at)
        self._forget()

    def _over(self, open_: _Open, at: datetime) -> Iterator[Finding]:
        """It is over once none of its signs is there any more."""
        members = [self._seen[key] for key in open_.members if key in self._seen]
        if any(seen.ended_at is None for seen in members):
            return
        ended_at = max((seen.ended_at for seen in members if seen.ended_at is not None), default=at)
        replayed = bool(members) and all(seen.replayed for seen in members)
        yield self._told(
            open_, IncidentState.ENDED, max(at, ended_at), ended_at=max(ended_at, open_.since), replayed=replayed
        )
        for key in open_.members & self._seen.keys():
            self._seen[key] = replace(self._seen[key], spent=True)
        self._open = None

    def _meeting(self) -> dict[str, _Seen]:
        """The signs that meet: those near the one that has most others near it; none where too few differ, or one is missing."""
        best: dict[str, _Seen] = {}
        unspent = {key: seen for key, seen in self._seen.items() if not seen.spent}
        for anchor in unspent.values():
            near = {key: seen for key, seen in unspent.items() if seen.is_near(anchor, self._within)}
            names = {seen.name for seen in near.values()}
            if len(names) >= self.settings.at_least and names >= self.settings.required and len(near) > len(best):
                best = near
        if self._open is not None and not self._open.members:  # taken up after a restart
            best |= {key: seen for key, seen in unspent.items() if seen.ended_at is None}
        elif self._open is not None:
            best |= {key: self._seen[key] for key in self._open.members if key in self._seen}
            for key, seen in unspent.items():
                if any(seen.is_near(member, self._within) for member in list(best.values())):
                    best[key] = seen
        return best

    def _made(self, meeting: dict[str, _Seen]) -> _Open:
        ordered = sorted(meeting.values(), key=lambda seen: (seen.started_at, seen.what))
        first = next((seen for seen in ordered if seen.name in self.settings.required), ordered[0])
        names: set[str] = set()
        since = ordered[0].started_at
        for seen in ordered:
            names.add(seen.name)
            since = seen.started_at
            if len(names) >= self.settings.at_least and names >= self.settings.required:
                break
        empty = _Open(
            f"{first.device}/{self.settings.id}", first.device, since, self.settings.severity, frozenset(), ""
        )
        return self._grown(empty, meeting)

    def _grown(self, open_: _Open, meeting: dict[str, _Seen]) -> _Open:
        ordered = sorted(meeting.values(), key=lambda seen: (seen.started_at, seen.what))
        words = "; ".join(dict.fromkeys(f"{seen.name}: {seen.what}" for seen in ordered))
        worst = max((seen.severity for seen in ordered), key=lambda severity: severity.rank, default=open_.severity)
        return replace(
            open_,
            members=open_.members | meeting.keys(),
            severity=max(open_.severity, worst, key=lambda severity: severity.rank),
            note=words[:_LONGEST_NOTE],
        )

    def _forget(self) -> None:
        """Bound the memory: the oldest that are over and part of nothing go."""
        if len(self._seen) <= _MOST_KEPT:
            return
        members = frozenset[str]() if self._open is None else self._open.members
        idle = [key for key, seen in self._seen.items() if seen.ended_at is not None and key not in members]
        for key in sorted(idle or list(self._seen), key=lambda key: self._seen[key].started_at)[: _MOST_KEPT // 2]:
            del self._seen[key]

    def _told(
        self,
        open_: _Open,
        state: IncidentState,
        at: datetime,
        *,
        ended_at: datetime | None = None,
        replayed: bool = False,
    ) -> Finding:
        names = {self._seen[key].name for key in open_.members if key in self._seen}
        return Finding(
            key=open_.key,
            state=state,
            rule=self.settings.id,
            kind=IncidentKind.COMPOSITE.value,
            category=self.settings.category,
            severity=open_.severity,
            device=open_.device,
            started_at=open_.since,
            at=at,
            ended_at=ended_at,
            dwell_s=max(0.0, round(((ended_at or at) - open_.since).total_seconds(), 3)),
            count=len(names) or None,
            note=open_.note or None,
            replayed=replayed,
        )
