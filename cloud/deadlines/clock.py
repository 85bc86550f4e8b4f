"""The clock of one stage (计时): when it is amber and red, what a pause and an extension make of it, and what fires when. Pure.

A clock counts what was used of its limit before `since`, and runs from there; so a pause, and hours that change in between, cost
nobody a minute. `deadline` numbers the deadlines that a clock had: what fires, fires once for each.

What is told and recorded must not depend on when a sweep ran. So whoever lays a clock aside or gives it time first has it `settled`:
what has fallen due by then is `owed`, with the instant at which it was due. A deadline that has passed stays where it was; a rest
after it moves on only the levels that had not been reached, by as much as their clock rested.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from cloud.deadlines.calendar import Timeline

SUSPENSION = "suspension"
"""The stage that rests until a date (挂账); the clock before it is paused meanwhile."""


WHOLE = "whole"
"""The stage of a clock that runs from a case's first opening to its end (办结), beside those of its stages."""


class ClockState(StrEnum):
    """Whether time passes."""

    RUNNING = "running"
    PAUSED = "paused"
    ENDED = "ended"


class Light(StrEnum):
    """绿灯, 黄灯 (80 % of the limit), 红灯 (past it)."""

    GREEN = "green"
    AMBER = "amber"
    RED = "red"


class FiringKind(StrEnum):
    """What a clock does when its time has come."""

    AMBER = "amber"
    RED = "red"
    ESCALATE = "escalate"


@dataclass(frozen=True, slots=True)
class Firing:
    """Something that a clock does at its time: `number` counts from 0 in the order in which they are due, for each `deadline`."""

    number: int
    kind: FiringKind
    due_at: datetime
    level: str | None = None
    deadline: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Where a clock stands. `used` of its limit had passed at `since`, when it began or went on.

    `fired` firings of its present deadline are behind it, of which `owed` have yet to be told. `ladder_from` is from when its levels are
    counted once it has rested after `due_at`; before that they are counted from there.
    """

    stage: str
    state: ClockState
    started_at: datetime
    since: datetime
    used: timedelta = timedelta(0)
    due_at: datetime
    amber_at: datetime
    extended_until: datetime | None = None
    stopped_at: datetime | None = None
    deadline: int = 1
    fired: int = 0
    owed: tuple[Firing, ...] = ()
    ladder_from: datetime | None = None

    @property
    def runs(self) -> bool:
        """Whether time passes."""
        return self.state is ClockState.RUNNING

    def light(self, now: datetime) -> Light:
        """Its colour; one that has stopped keeps the colour that it had."""
        at = now if self.stopped_at is None else min(now, self.stopped_at)
        if at >= self.due_at:
            return Light.RED
        return Light.AMBER if at >= self.amber_at else Light.GREEN


@dataclass(frozen=True, slots=True)
class Measure:
    """What a clock is measured by: the time line of its rule, how much of it there is, and at what share it is amber."""

    timeline: Timeline
    limit: timedelta
    amber_percent: int = 80


@dataclass(frozen=True, slots=True)
class Rung:
    """A level that is told when a clock is so long past its time."""

    level: str
    after: timedelta
    timeline: Timeline


def started(stage: str, measure: Measure, *, at: datetime, until: datetime | None = None) -> Clock:
    """A clock that begins; with `until` it ends there, whatever the limit. Raises NoWorkingTime."""
    clock = Clock(
        stage=stage,
        state=ClockState.RUNNING,
        started_at=at,
        since=at,
        due_at=at,
        amber_at=at,
        extended_until=until,
    )
    return _set(clock, measure)


def recomputed(clock: Clock, measure: Measure) -> Clock:
    """The clock with the rules and hours as they are now.

    A later deadline than one that has fired is a new one, which fires anew; what is earlier than before fires no second time.
    """
    moved = _gone_on(clock, measure)
    if clock.fired and moved.due_at > clock.due_at:
        return _gone_on(replace(clock, deadline=clock.deadline + 1, fired=0), measure)
    return moved


def retimed(
    clock: Clock, measure: Measure, rungs: Sequence[Rung], *, changed_at: datetime, next_at: datetime | None
) -> Clock:
    """The clock with what holds from `changed_at` on; what had fallen due by then stays due when it was.

    `next_at` is when the next was due by what held before. Of the levels after it only the present ladder is known.
    """
    if next_at is not None and next_at <= changed_at:
        left = firings(clock, rungs)[clock.fired :]
        if left and left[0].kind is FiringKind.ESCALATE and not clock.owed:
            clock = replace(clock, fired=clock.fired + 1, owed=(replace(left[0], due_at=next_at),))
        clock = settled(clock, rungs, at=changed_at)
    return recomputed(clock, measure)


def extended(clock: Clock, measure: Measure, until: datetime) -> Clock:
    """The clock with more time (延时), never with less."""
    if until <= clock.due_at:
        return clock
    return recomputed(replace(clock, extended_until=until), measure)


def settled(clock: Clock, rungs: Sequence[Rung], *, at: datetime) -> Clock:
    """The clock with all that has fallen due by now owed, so that nothing that is done to it afterwards changes when that was."""
    left = firings(clock, rungs)[clock.fired :]
    end = at if clock.stopped_at is None else min(at, clock.stopped_at)
    owed = tuple(itertools.takewhile(lambda firing: firing.due_at <= end, left))
    return replace(clock, fired=clock.fired + len(owed), owed=clock.owed + owed)


def paused(clock: Clock, measure: Measure, *, at: datetime) -> Clock:
    """The clock at rest: what was used so far is kept, the more the later. A clock that was set back takes nothing away."""
    if not clock.runs:
        return clock
    used = clock.used + max(timedelta(0), measure.timeline.between(clock.since, at))
    return replace(clock, state=ClockState.PAUSED, used=used, stopped_at=at)


def resumed(clock: Clock, measure: Measure, *, at: datetime) -> Clock:
    """The clock goes on with what was left of it, whatever it was measured by before."""
    if clock.state is not ClockState.PAUSED:
        return clock
    until = clock.extended_until
    if until is not None and clock.stopped_at is not None:
        until = measure.timeline.add(at, measure.timeline.between(clock.stopped_at, until))
    running = replace(clock, state=ClockState.RUNNING, since=at, extended_until=until, stopped_at=None)
    return _gone_on(running, measure)


def ended(clock: Clock, *, at: datetime) -> Clock:
    """The clock has done its duty. A paused one keeps the time at which it stopped."""
    if clock.state is ClockState.ENDED:
        return clock
    stopped_at = clock.stopped_at if clock.state is ClockState.PAUSED else at
    return replace(clock, state=ClockState.ENDED, stopped_at=stopped_at)


def firings(clock: Clock, rungs: Sequence[Rung]) -> tuple[Firing, ...]:
    """All that this clock's present deadline fires, in its order; none is due before the one that stands before it.

    A suspension fires nothing: on its date the case comes back to work, and that is no delay of anybody's.
    """
    if clock.stage == SUSPENSION:
        return ()
    found = [
        Firing(0, FiringKind.AMBER, clock.amber_at, deadline=clock.deadline),
        Firing(1, FiringKind.RED, clock.due_at, deadline=clock.deadline),
    ]
    begins_at, earliest = clock.due_at, clock.due_at
    if clock.ladder_from is not None:  # what was not reached before the rest was not reached in it
        begins_at, earliest = clock.ladder_from, clock.since
    for rung in rungs:
        due_at = max(found[-1].due_at, earliest, rung.timeline.add(begins_at, rung.after))
        found.append(Firing(len(found), FiringKind.ESCALATE, due_at, rung.level, clock.deadline))
    return tuple(found)


def next_firing(clock: Clock, rungs: Sequence[Rung]) -> Firing | None:
    """What comes next, None when nothing does any more; first what is owed.

    A clock that has stopped still fires what fell due before, so that nothing is missed that nobody noticed in time.
    """
    if clock.owed:
        return clock.owed[0]
    left = firings(clock, rungs)[clock.fired :]
    if not left or (clock.stopped_at is not None and left[0].due_at > clock.stopped_at):
        return None
    return left[0]


def passed(clock: Clock) -> Clock:
    """The clock with what comes next told."""
    if clock.owed:
        return replace(clock, owed=clock.owed[1:])
    return replace(clock, fired=clock.fired + 1)


def _set(clock: Clock, measure: Measure) -> Clock:
    """The clock with its times worked out from `since`, what was used, and the limit or the date that it was given."""
    timeline = measure.timeline
    due_at = clock.extended_until or timeline.add(clock.since, measure.limit - clock.used)
    whole = clock.used + timeline.between(clock.since, due_at)
    amber_at = timeline.add(clock.since, whole * measure.amber_percent / 100 - clock.used)
    return replace(clock, due_at=due_at, amber_at=min(amber_at, due_at), ladder_from=None)


def _gone_on(clock: Clock, measure: Measure) -> Clock:
    """The clock with its times worked out again; what it had behind it when it went on stays where it was.

    What was used up before `since` has no instant that could be told from `since` and `used`: the last minute of a working day and the
    first of the next are the same working time, and a rest lies between. So an instant that has passed is kept, not worked out again,
    and one that has come only because the limit is shorter now came at `since`.
    """
    moved = _set(clock, measure)
    if clock.stage == SUSPENSION or not clock.used:
        return moved
    amber_at = moved.amber_at
    if amber_at <= moved.since:
        amber_at = clock.amber_at if clock.fired else moved.since
    if moved.due_at > moved.since:
        return replace(moved, amber_at=amber_at)
    if clock.fired > 1 and clock.due_at < moved.since:  # red is behind it
        return replace(moved, amber_at=clock.amber_at, due_at=clock.due_at, ladder_from=_first(moved.due_at, measure))
    return replace(moved, amber_at=amber_at, due_at=moved.since)


def _first(at: datetime, measure: Measure) -> datetime:
    """The first of all instants that are the same on this time line: where a working day ends, not where the next one begins.

    `add` always gives that one; going back from `since` gives the last of them, hours later for levels that the wall's clock counts.
    """
    tick = timedelta(microseconds=1)
    return measure.timeline.add(measure.timeline.add(at, -tick), tick)
