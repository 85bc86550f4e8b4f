"""Clocks in the database. Takes a connection, never commits."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb

from cloud.db.queries import load
from cloud.deadlines.clock import WHOLE, Clock, ClockState, Firing, FiringKind, next_firing
from cloud.deadlines.rulebook import RuleBook, Ruling

_queries = load("cloud.deadlines")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptClock:
    """A clock with its row, and whom it is about."""

    id: int
    case_id: int
    area_path: str
    category: str
    severity: str
    clock: Clock
    makeshift: bool
    department_id: int | None = None
    worker_id: int | None = None
    next_at: datetime | None = None
    stale_since: datetime | None = None

    def at(self, clock: Clock) -> "KeptClock":
        """The same row, its clock further on."""
        return replace(self, clock=clock)

    def ruling(self, book: RuleBook) -> Ruling:
        """What holds for it: the rules in force when it began."""
        return book.ruling(self.area_path, self.category, self.severity, self.clock.stage, at=self.clock.started_at)


@dataclass(frozen=True, slots=True)
class TouchedClock:
    """A running clock that a change would reach, and what is told of its case."""

    number: str
    simulated: bool
    kept: KeptClock


def unended(conn: Connection[Any], case_id: int) -> list[KeptClock]:
    """The clocks of a case that run or rest, in the order in which they began; locked."""
    return [kept(row) for row in _queries.unended_clocks(conn, case_id=case_id)]


def of_case(conn: Connection[Any], case_id: int) -> list[KeptClock]:
    """All clocks that a case had."""
    return [kept(row) for row in _queries.clocks_of(conn, case_id=case_id)]


def of_cases(conn: Connection[Any], case_ids: Sequence[int]) -> dict[int, KeptClock]:
    """Of each case the clock that runs, or the last that rests; a case whose clocks have all ended has none here."""
    if not case_ids:
        return {}
    return {row.case_id: kept(row) for row in _queries.clocks_of_cases(conn, case_ids=list(case_ids))}


def firings_of(conn: Connection[Any], case_id: int) -> list[Any]:
    """What the clocks of a case have fired, in order."""
    return list(_queries.firings_of(conn, case_id=case_id))


def due(conn: Connection[Any], *, now: datetime, count: int) -> list[KeptClock]:
    """Running clocks that have something to fire, the longest due first, locked with their cases; none that others hold."""
    return [kept(row) for row in _queries.due_clocks(conn, now=now, count=count)]


def stale(conn: Connection[Any], *, count: int) -> list[KeptClock]:
    """Clocks that have to be worked out again; locked with their cases, none that others hold."""
    return [kept(row) for row in _queries.stale_clocks(conn, count=count)]


def running(
    conn: Connection[Any],
    *,
    scope: str,
    department_id: int | None,
    case_ids: Sequence[int] | None,
    light: str | None,
    now: datetime,
    after: tuple[datetime, int] | None,
    count: int,
) -> list[tuple[str, KeptClock]]:
    """Running clocks of a scope with the numbers of their cases, those first that are due first."""
    due_after, id_after = after if after is not None else (None, None)
    rows = _queries.running_clocks(
        conn,
        scope=scope,
        department=department_id,
        case_ids=list(case_ids) if case_ids is not None else None,
        light=light,
        now=now,
        due_after=due_after,
        id_after=id_after,
        count=count,
    )
    return [(row.number, kept(row)) for row in rows]


def touched(
    conn: Connection[Any], *, scope: str, stage: str | None, since: datetime | None, count: int
) -> list[TouchedClock]:
    """Running clocks that a change for a scope and a stage would reach, the first due first.

    Those of whole cases too, unless a stage is named.
    """
    rows: list[Any] = []
    if stage != WHOLE:
        rows += _queries.clocks_touched(conn, scope=scope, stage=stage, since=since, count=count)
    if stage in {None, WHOLE}:
        rows += _queries.wholes_touched(conn, scope=scope, since=since, count=count)
    rows.sort(key=lambda row: (row.due_at, row.stage, row.id))
    return [TouchedClock(row.number, row.simulated, kept(row)) for row in rows[:count]]


def insert(
    conn: Connection[Any], case_id: int, clock: Clock, ruling: Ruling, *, area_path: str, category: str, severity: str
) -> None:
    """Keep a new clock."""
    _queries.insert_clock(
        conn,
        case_id=case_id,
        area_path=area_path,
        category=category,
        severity=severity,
        stage=clock.stage,
        started_at=clock.started_at,
        **moving(clock, ruling),
    )


def update(conn: Connection[Any], clock_id: int, clock: Clock, ruling: Ruling) -> None:
    """Keep what has become of a clock."""
    _queries.update_clock(conn, id=clock_id, **moving(clock, ruling))


def add_firing(conn: Connection[Any], kept_clock: KeptClock, firing: Firing, *, fired_at: datetime) -> bool:
    """Note that something fired; False when that stands there already."""
    added: int = _queries.insert_firing(
        conn,
        clock_id=kept_clock.id,
        deadline=firing.deadline,
        number=firing.number,
        kind=firing.kind.value,
        level=firing.level,
        due_at=firing.due_at,
        fired_at=fired_at,
    )
    return added > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptWeek:
    """Hours that are set, as they were written."""

    area: str | None
    timezone: str
    effective_from: date
    hours: list[str]
    makeup: str
    holidays: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptDay:
    """A special day."""

    area: str | None
    day: date
    worked: bool
    name: str


def weeks(conn: Connection[Any]) -> list[KeptWeek]:
    """All hours that are set, by when they begin."""
    return [
        KeptWeek(
            area=row.area_code,
            timezone=row.timezone,
            effective_from=row.effective_from,
            hours=row.hours,
            makeup=row.makeup,
            holidays=row.holidays,
        )
        for row in _queries.calendars(conn)
    ]


def days(conn: Connection[Any]) -> list[KeptDay]:
    """All special days."""
    return [
        KeptDay(area=row.area_code, day=row.day, worked=row.worked, name=row.name)
        for row in _queries.special_days(conn)
    ]


def mark_stale(
    conn: Connection[Any],
    *,
    at: datetime,
    since: datetime | None = None,
    stage: str | None = None,
    area_code: str | None = None,
) -> int:
    """Have clocks worked out again for what changed `at`: those that began at `since` or later, of a stage, in an area."""
    marked = 0
    if stage != WHOLE:
        marked += int(_queries.mark_stale(conn, at=at, since=since, stage=stage, area_code=area_code))
    if stage in {None, WHOLE}:
        marked += int(_queries.mark_wholes_stale(conn, at=at, since=since, area_code=area_code))
    return marked


def count_stale(conn: Connection[Any]) -> int:
    """How many clocks have to be worked out again."""
    count: int = _queries.count_stale(conn)
    return count


def forget_stale(conn: Connection[Any], clock_id: int) -> None:
    """A clock that rests is worked out when it goes on."""
    _queries.not_stale(conn, id=clock_id)


def kept(row: Any) -> KeptClock:
    """A row as a clock."""
    clock = Clock(
        stage=row.stage,
        state=ClockState(row.state),
        started_at=row.started_at,
        since=row.since,
        used=row.used,
        due_at=row.due_at,
        amber_at=row.amber_at,
        extended_until=row.extended_until,
        stopped_at=row.stopped_at,
        deadline=row.deadline,
        fired=row.fired,
        owed=tuple(_owed(each) for each in getattr(row, "owed", ())),
        ladder_from=getattr(row, "ladder_from", None),
    )
    return KeptClock(
        id=row.id,
        case_id=row.case_id,
        area_path=row.area_path,
        category=row.category,
        severity=row.severity,
        clock=clock,
        makeshift=row.makeshift,
        department_id=getattr(row, "department_id", None),
        worker_id=getattr(row, "worker_id", None),
        next_at=getattr(row, "next_at", None),
        stale_since=getattr(row, "stale_since", None),
    )


def moving(clock: Clock, ruling: Ruling) -> dict[str, Any]:
    """What a row keeps of a clock that moves."""
    upcoming = next_firing(clock, ruling.rungs)
    return {
        "state": clock.state.value,
        "since": clock.since,
        "used": clock.used,
        "due_at": clock.due_at,
        "amber_at": clock.amber_at,
        "extended_until": clock.extended_until,
        "stopped_at": clock.stopped_at,
        "deadline": clock.deadline,
        "fired": clock.fired,
        "owed": Jsonb([_written(each) for each in clock.owed]),
        "ladder_from": clock.ladder_from,
        "next_at": upcoming.due_at if upcoming is not None else None,
        "rule_id": ruling.rule.id if ruling.rule is not None else None,
        "makeshift": ruling.makeshift,
    }


def _written(firing: Firing) -> dict[str, Any]:
    return {
        "number": firing.number,
        "kind": firing.kind.value,
        "due_at": firing.due_at.isoformat(),
        "level": firing.level,
        "deadline": firing.deadline,
    }


def _owed(written: dict[str, Any]) -> Firing:
    return Firing(
        written["number"],
        FiringKind(written["kind"]),
        datetime.fromisoformat(written["due_at"]),
        written["level"],
        written["deadline"],
    )
