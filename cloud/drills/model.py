"""What belongs to a drill (演练) and what does not. Pure.

In doubt it is real: that somebody comes for nothing costs less than that nobody comes.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from cloud.errors import Conflict, Invalid
from edge.contract.incident import Incident, IncidentState, Severity

LONGEST: Final = timedelta(hours=24)
"""How far ahead a drill may be planned to end, at its start and at each prolongation."""

LONGEST_ALTOGETHER: Final = timedelta(hours=72)
WEEK: Final = timedelta(days=7)
WEEKLY: Final = timedelta(hours=72)
"""So long at most, within any seven days, may the same source be exercised with: for most of each week it is real."""

SOURCES_MOST: Final = 500
DEPARTMENTS_MOST: Final = 50


class DrillAction(StrEnum):
    """What happened to a drill. 开始, 延长, 结束; a case of it turned out to be real (转为实战)."""

    STARTED = "started"
    PROLONGED = "prolonged"
    ENDED = "ended"
    MADE_REAL = "made_real"


@dataclass(frozen=True, slots=True, order=True)
class ChosenSource:
    """What is exercised with: a node, of it one device, of that one rule; empty: all of them."""

    node: str
    device: str = ""
    rule: str = ""

    def covers(self, found_by: "ChosenSource") -> bool:
        """Whether it is chosen who found something."""
        return self.node == found_by.node and self.device in {"", found_by.device} and self.rule in {"", found_by.rule}

    def meets(self, other: "ChosenSource") -> bool:
        """Whether both choose something that is the same."""
        return (
            self.node == other.node
            and (self.device == other.device or "" in {self.device, other.device})
            and (self.rule == other.rule or "" in {self.rule, other.rule})
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Exercise:
    """A drill as correlation takes it. It lasts from `started_at` until before `until`; `left` are devices that found real danger."""

    drill_id: int
    area_path: str
    started_at: datetime
    until: datetime
    sources: frozenset[ChosenSource]
    left: frozenset[tuple[str, str]] = frozenset()

    def lasts(self, at: datetime) -> bool:
        """Whether it runs at a time."""
        return self.started_at <= at < self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A new incident: by whom, where, when it began, and when it came. `historical`: it had waited on its node."""

    source: ChosenSource
    area_path: str
    started_at: datetime
    received_at: datetime
    historical: bool = False


def drill_of(found: Found, exercises: Iterable[Exercise]) -> int | None:
    """The drill that an incident belongs to, None for what is real.

    It began while the drill lasted, a chosen source found it inside of the drill's area, and it came while the drill lasted: only what
    had waited on its node may come later. So a clock that is slow hides nothing real that happens after the end.
    """
    belongs_to = [
        each.drill_id
        for each in exercises
        if each.lasts(found.started_at)
        and (found.historical or each.lasts(found.received_at))
        and found.area_path.startswith(each.area_path)
        and (found.source.node, found.source.device) not in each.left
        and any(source.covers(found.source) for source in each.sources)
    ]
    return max(belongs_to, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exercised:
    """What was found for a drill, as it was last told; `until` is the end of that drill."""

    revision: int
    severity: Severity
    until: datetime


def outlasts(known: Exercised, incident: Incident, *, received_at: datetime, historical: bool) -> bool:
    """Whether a newer revision tells that what began in a drill is there, or worse, after its end: from then on it is real.

    That it is over is no news of anything real. What had waited on its node may still tell of the time of the drill.
    """
    if received_at < known.until or incident.revision <= known.revision:
        return False
    if historical and max(incident.updated_at, incident.ended_at or incident.updated_at) < known.until:
        return False
    return incident.state is not IncidentState.ENDED or incident.severity.rank > known.severity.rank


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillWish:
    """A drill to start. `reports`: people may report into it; `channels`: they are told outside of the page too."""

    name: str
    purpose: str
    area_code: str
    planned_end_at: datetime
    sources: tuple[ChosenSource, ...] = ()
    reports: bool = False
    channels: bool = False
    departments: tuple[int, ...] = ()


def check_wish(wish: DrillWish, *, now: datetime) -> None:
    """Raise Invalid for a drill without anything to exercise with, or one that ends too late or has ended."""
    if not wish.sources and not wish.reports:
        raise Invalid("choose what is exercised with: nodes, devices, or reports by people")
    if len(wish.sources) > SOURCES_MOST or len(wish.departments) > DEPARTMENTS_MOST:
        raise Invalid(f"a drill has at most {SOURCES_MOST} sources and {DEPARTMENTS_MOST} departments")
    if any(source.rule and not source.device for source in wish.sources):
        raise Invalid("a rule is chosen of a device")
    check_end(wish.planned_end_at, started_at=now, now=now)


def check_end(planned_end_at: datetime, *, started_at: datetime, now: datetime) -> None:
    """Raise Invalid for an end that has passed or lies too far ahead."""
    if planned_end_at <= now:
        raise Invalid("the end of a drill lies ahead")
    if planned_end_at - now > LONGEST:
        raise Invalid(
            f"a drill is planned to end within {LONGEST // timedelta(hours=1)} hours; it can be prolonged later"
        )
    if planned_end_at - started_at > LONGEST_ALTOGETHER:
        raise Invalid(f"no drill lasts for more than {LONGEST_ALTOGETHER // timedelta(hours=1)} hours; start another")


@dataclass(frozen=True, slots=True)
class Drilled:
    """When something took part in another drill, or will until its planned end."""

    source: ChosenSource
    started_at: datetime
    until: datetime


def check_week(
    sources: Iterable[ChosenSource], others: Iterable[Drilled], *, started_at: datetime, until: datetime, now: datetime
) -> None:
    """Raise Conflict where a drill would leave too little of the seven days before its end that is real, with what is left from now on.

    The window that ends with the drill is the fullest: what a later one gains of this drill, it loses at most of those before.
    """
    by_node: dict[str, list[Drilled]] = defaultdict(list)
    for other in others:
        by_node[other.source.node].append(other)
    for source in sources:
        met = [(each.started_at, each.until) for each in by_node[source.node] if source.meets(each.source)]
        if _together([*met, (started_at, until)], until - WEEK, until) <= WEEKLY:
            continue
        left = max(timedelta(0), WEEKLY - _together([*met, (started_at, now)], now - WEEK, now))
        of = f"{source.node} {source.device}".rstrip()
        raise Conflict(
            f"{of} may take part in drills for {WEEKLY // timedelta(hours=1)} hours within seven days;"
            f" left from now on: {left // timedelta(hours=1)} h {left % timedelta(hours=1) // timedelta(minutes=1)} min"
        )


def _together(spans: Iterable[tuple[datetime, datetime]], from_at: datetime, to_at: datetime) -> timedelta:
    """How much of a window is covered by spans that may overlap."""
    covered, reached = timedelta(0), from_at
    for begin, end in sorted(spans):
        until = min(end, to_at)
        if until > max(begin, reached):
            covered += until - max(begin, reached)
            reached = until
    return covered


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillBounds:
    """Whom the cases of a drill may reach: nobody outside of its area, of the departments those that take part.

    `channels`: outside of the page too. `started_by` hears of it wherever he belongs.
    """

    area_path: str
    departments: frozenset[int] = frozenset()
    channels: bool = False
    started_by: int | None = None
