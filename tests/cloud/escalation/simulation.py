"""A year of cases and their clocks: people who are quick, slow or away, sweepers that die, come twice or sleep for days, wall clocks that jump.

What must come of it is worked out beside it, by walking through a plain list of open hours. The world's own time passes here in steps,
from one thing that happens to the next: a sweep that would find nothing is left out.
"""

import bisect
import heapq
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import chinese_calendar
import psycopg
from psycopg import Connection, Cursor

from cloud.access import departments
from cloud.access.model import Principal, Role
from cloud.cases import service as case_service
from cloud.cases.life import Order
from cloud.cases.model import CaseAction
from cloud.deadlines import service as deadlines
from cloud.escalation import sweeps, whistles
from cloud.escalation.roster import LevelArea, Person
from edge.contract.incident import Severity
from tests.cloud.escalation.town import open_case
from tests.cloud.samples import take_in_areas

SHANGHAI = ZoneInfo("Asia/Shanghai")
BEGIN = datetime(2026, 1, 1, tzinfo=SHANGHAI).astimezone(UTC)
YEAR = timedelta(days=365)
HOURS = ((time(8, 30), time(12)), (time(14), time(17, 30)))
WORKING_DAY = timedelta(hours=7)
LEVELS = ("grid", "community", "street", "district")
ORDER = ("verifying", "dispatching", "receipt", "handling", "checking")
STATUS = {
    "verifying": "reported",
    "dispatching": "filed",
    "receipt": "dispatched",
    "handling": "in_progress",
    "suspension": "suspended",
    "checking": "resolved",
    None: "closed",
}
STATUSES: dict[str | None, frozenset[str]] = {stage: frozenset({status}) for stage, status in STATUS.items()} | {
    "verifying": frozenset({"reported", "verifying"}),
    "checking": frozenset({"resolved", "checking"}),
}
CRASH_AT_MOST = 40

Deed = tuple[Principal, CaseAction, dict[str, Any]]
"""Who does what, and what he gives."""


class CrashError(Exception):
    """The process is gone."""


class Fuse:
    """Ends a transaction before its n-th statement."""

    def __init__(self) -> None:
        self.left: int | None = None

    def burn(self) -> None:
        """One statement more."""
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise CrashError


FUSE = Fuse()


class FusedCursor(Cursor[Any]):
    """A cursor whose process may be gone before each of its statements."""

    def execute(self, *given: Any, **named: Any) -> Any:
        """As usual, unless the fuse has burnt down."""
        FUSE.burn()
        return super().execute(*given, **named)


def open_spans() -> list[tuple[datetime, datetime]]:
    """The open hours of two years, one after the other: what the country says of each day, and a plain week where it says nothing."""
    spans = []
    day = date(2025, 12, 1)
    while day < date(2027, 12, 31):
        try:
            worked = chinese_calendar.is_workday(day)
        except NotImplementedError:
            worked = day.isoweekday() < 6  # Saturday
        if worked:
            spans += [
                tuple(datetime.combine(day, moment, SHANGHAI).astimezone(UTC) for moment in pair) for pair in HOURS
            ]
        day += timedelta(days=1)
    return [(opens, closes) for opens, closes in spans]


SPANS = open_spans()
OPENS = [opens for opens, _ in SPANS]
ENDS = [closes for _, closes in SPANS]


def after(start: datetime, amount: timedelta, *, working: bool) -> datetime:
    """When `amount` has passed."""
    if not working or not amount:
        return start + amount
    place = bisect.bisect_right(ENDS, start)
    while True:
        opens, closes = max(start, SPANS[place][0]), SPANS[place][1]
        if amount <= closes - opens:
            return opens + amount
        amount -= closes - opens
        place += 1


def before(end: datetime, amount: timedelta, *, working: bool) -> datetime:
    """When `amount` had yet to pass until `end`: of all such instants the first, a day's end and not the next one's beginning."""
    if not working:
        return end - amount
    place = bisect.bisect_left(OPENS, end) - 1
    while True:
        opens, closes = SPANS[place][0], min(end, SPANS[place][1])
        if amount < closes - opens:
            return closes - amount
        amount -= closes - opens
        place -= 1


def passes(start: datetime, end: datetime, *, working: bool) -> timedelta:
    """How much passes."""
    if not working:
        return max(end - start, timedelta(0))
    total, place = timedelta(0), bisect.bisect_right(ENDS, start)
    while SPANS[place][0] < end:
        total += max(timedelta(0), min(end, SPANS[place][1]) - max(start, SPANS[place][0]))
        place += 1
    return total


@dataclass
class Spell:
    """A clock as it ought to be: its segments, and how it is counted."""

    case_id: int
    stage: str
    severity: str
    segments: list[list[datetime | None]]
    until: datetime | None = None
    set_back: bool = False
    granted: datetime | None = None
    """Until when time was given (延时); whoever has that does not rest afterwards."""

    @property
    def ended_at(self) -> datetime | None:
        return self.segments[-1][1]


Amounts = dict[tuple[str, str], tuple[timedelta, bool]]


@dataclass
class Book:
    """The rules as the database holds them, read by a query of our own."""

    limits: Amounts
    rungs: dict[str, list[tuple[str, timedelta, bool]]]

    @classmethod
    def read(cls, conn: Connection[Any]) -> "Book":
        def amount(number: int, unit: str) -> tuple[timedelta, bool]:
            length = number * WORKING_DAY if unit == "working_days" else timedelta(minutes=number)
            return length, unit != "minutes"

        limits: Amounts = {}
        for severity, stage, number, unit in conn.execute(
            "select severity, stage, amount, unit from deadline_rule order by severity nulls first"
        ):
            for each in [severity] if severity is not None else list(Severity):
                limits[each, stage] = amount(number, unit)
        rungs: dict[str, list[tuple[str, timedelta, bool]]] = {}
        for severity, level, number, unit in conn.execute("select severity, level, amount, unit from escalation_rung"):
            rungs.setdefault(severity, []).append((level, *amount(number, unit)))
        for ladder in rungs.values():
            ladder.sort(key=lambda rung: LEVELS.index(rung[0]))
        return cls(limits, rungs)

    def expected(self, spell: Spell) -> list[datetime]:
        """When this clock is amber, red, and told to each level; a suspension until a date never is.

        A rest counts for nothing: what was due before it stays due when it was, noticed or not. What was not moves on with it, also the
        levels of a time that is over, and nothing falls due in it.
        """
        if spell.until is not None:
            return []
        limit, working = self.limits[spell.severity, spell.stage]
        fixed: list[datetime] = []
        used = timedelta(0)
        for start, stop in spell.segments:
            assert start is not None
            whole = limit
            due_at = self._reach(start, limit - used, working=working)
            if spell.granted is not None and spell.granted > due_at:  # given once nothing rests any more
                whole, due_at = used + passes(start, spell.granted, working=working), spell.granted
            found = [self._reach(start, whole * 80 / 100 - used, working=working), due_at]
            for _, amount, on_hours in self.rungs[spell.severity]:
                found.append(max(found[-1], start, after(due_at, amount, working=on_hours)))
            found = fixed + found[len(fixed) :]
            if stop is None or start is spell.segments[-1][0]:
                return found
            fixed = [each for number, each in enumerate(found) if number < len(fixed) or each <= stop]
            used += passes(start, stop, working=working)
        return fixed

    @staticmethod
    def _reach(start: datetime, amount: timedelta, *, working: bool) -> datetime:
        later = amount > timedelta(0)
        return after(start, amount, working=working) if later else before(start, -amount, working=working)


@dataclass
class Report:
    """What a year brought."""

    cases: int = 0
    clocks: int = 0
    steps: int = 0
    sweeps: int = 0
    crashes: int = 0
    doubled: int = 0
    clock_changes: int = 0
    firings: int = 0
    whistles: int = 0
    acts: int = 0
    wholes: int = 0
    whole_firings: int = 0
    missed: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def right(self) -> bool:
        return not self.missed and not self.twice and not self.wrong


@dataclass(frozen=True)
class Staff:
    """Those who take the steps of cases, as a route would see them, and two departments that cases are sent to."""

    by_role: dict[Role, Principal]
    handlers: dict[int, Principal]


def staff(conn: Connection[Any]) -> Staff:
    """Somebody of each role that a case's life needs; nobody can sign in."""
    by_role = {role: _account(conn, role, None) for role in (Role.GRID_WORKER, Role.DISPATCHER, Role.DUTY_CHIEF)}
    ids = [departments.add(conn, code=f"year-{name}", name=name, now=BEGIN) for name in ("water", "waste")]
    return Staff(by_role, {each: _account(conn, Role.DEPARTMENT, each) for each in ids})


def _account(conn: Connection[Any], role: Role, department_id: int | None) -> Principal:
    name = f"year-{role}-{department_id or 0}"
    row = conn.execute(
        "insert into account (name, display_name, role, department_id, password_hash, created_at, password_changed_at)"
        " values (%s, %s, %s, %s, 'x', %s, %s) returning id",
        [name, name, role.value, department_id, BEGIN, BEGIN],
    ).fetchone()
    assert row is not None
    return Principal(row[0], name, name, role, None, "", department_id)


def people(url: str) -> list[int]:
    """The sample district, and somebody for each level of it; nobody can sign in."""
    with psycopg.connect(url, options="-c timezone=UTC") as conn:
        take_in_areas(conn, now=BEGIN - timedelta(days=30))
        return [
            row[0]
            for level in LEVELS
            for row in conn.execute(
                "insert into account (name, display_name, role, password_hash, created_at, password_changed_at)"
                " values (%s, %s, 'duty_chief', 'x', now(), now()) returning id",
                [level, level],
            )
        ]


class Shifts:
    """Somebody on each level, at most hours."""

    def __init__(self, people: Sequence[int], seed: int) -> None:
        self._people = people
        self._seed = seed

    def answering(self, _conn: Connection[Any], area: LevelArea, *, at: datetime) -> list[Person]:
        away = random.Random(f"{self._seed}{area.level}{at:%Y%m%d}").random() < 0.2  # noqa: S311
        return [] if away else [Person(self._people[LEVELS.index(area.level)], area.level)]


class Simulation:
    """One year; the same seed gives the same one. Every second case is lived by real people, step for step of the table of cases."""

    def __init__(self, url: str, people: Sequence[int], *, seed: int, cases: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311
        self._url = url
        self._roster = Shifts(people, seed)
        self._count = cases
        self._offset = timedelta(0)
        self._agenda: list[tuple[datetime, int, Callable[[datetime], None]]] = []
        self._number = 0
        self._asleep_until = BEGIN
        self._running: dict[int, Spell] = {}
        self.spells: list[Spell] = []
        self.wholes: dict[int, Spell] = {}
        self._acted: set[int] = set()
        self._planned: set[tuple[int, datetime]] = set()
        self.report = Report(cases=cases)

    def run(self) -> Report:
        """Live through it, then look at what is in the database."""
        with self._connection() as conn, self._connection() as other:
            self._conn, self._other = conn, other
            self._book = Book.read(conn)
            self._staff = staff(conn)
            conn.commit()
            for number in range(self._count):
                self._plan(BEGIN + self._chance.random() * YEAR, partial(self._arrive, number=number))
            for _ in range(12):
                self._plan(BEGIN + self._chance.random() * YEAR, self._fall_asleep)
                self._plan(BEGIN + self._chance.random() * YEAR, self._change_clock)
            now = BEGIN
            while self._agenda:
                now, _, happens = heapq.heappop(self._agenda)
                happens(now)
            self._asleep_until, self._offset = BEGIN, max(self._offset, timedelta(0))
            self._whole_sweep(conn, now + YEAR / 2)
            self._judge()
        return self.report

    def _plan(self, at: datetime, happens: Callable[[datetime], None]) -> None:
        self._number += 1
        heapq.heappush(self._agenda, (at, self._number, happens))

    # what happens

    def _arrive(self, now: datetime, *, number: int) -> None:
        severity = self._chance.choices(list(Severity), (4, 4, 2, 1))[0]
        told = now + self._offset
        case_id = self._surely(lambda conn: open_case(conn, number + 1, at=told, severity=severity))
        self._begin(case_id, "verifying", severity.value, told)
        self.wholes[case_id] = Spell(case_id, "whole", severity.value, [[told, None]])
        if number % 2:
            self._acted.add(case_id)
        self._plan_next(case_id, now)

    def _plan_next(self, case_id: int, now: datetime) -> None:
        """People take a part of their time, or several times as much; a sweep comes some time later than it should."""
        spell = self._running[case_id]
        limit, working = self._book.limits[spell.severity, spell.stage]
        if spell.until is not None:
            done = spell.until + timedelta(minutes=self._chance.randint(-600, 600)) - self._offset
        else:
            share = self._chance.choice((0.1, 0.5, 0.79, 0.9, 1.0, 1.3, 4.0, 12.0))
            done = after(now, limit * share, working=working)
        self._plan(max(done, now), lambda at: self._move(case_id, at))
        whole = [each for each in self._book.expected(self.wholes[case_id]) if (case_id, each) not in self._planned]
        self._planned.update((case_id, each) for each in whole)
        for due_at in self._book.expected(spell) + whole:
            delay = timedelta(seconds=self._chance.choice((0, 1, 10, 600, 20_000)))
            self._plan(max(due_at - self._offset + delay, now), self._sweep)

    def _move(self, case_id: int, now: datetime) -> None:
        if case_id in self._acted:
            self._act(case_id, now)
            return
        spell, told = self._running[case_id], now + self._offset
        stage: str | None
        until = None
        if spell.stage == "suspension":
            stage = "handling"
        elif spell.stage == "handling" and told < self._book.expected(spell)[1] and self._chance.random() < 0.3:
            stage, until = "suspension", told + timedelta(hours=self._chance.randint(1, 400))
        elif spell.stage == "checking":
            stage = "handling" if self._chance.random() < 0.1 else None
        else:
            stage = ORDER[ORDER.index(spell.stage) + 1]
        self._surely(lambda conn: self._follow(conn, spell, stage=stage, told=told, until=until))
        self._moved(spell, stage, now=now, told=told, until=until)

    def _moved(
        self, spell: Spell, stage: str | None, *, now: datetime, told: datetime, until: datetime | None = None
    ) -> None:
        """What has to become of the clocks."""
        case_id = spell.case_id
        self.report.steps += 1
        spell.segments[-1][1] = told
        whole = self.wholes[case_id]
        if stage in {None, "suspension"} and whole.segments[-1][1] is None:
            whole.segments[-1][1] = told
        elif stage not in {None, "suspension"} and whole.segments[-1][1] is not None:
            whole.segments.append([told, None])
        if stage is None:
            del self._running[case_id]
            return
        resting = [each for each in self.spells if each.case_id == case_id and each.stage == stage == "handling"]
        if spell.stage == "suspension" and resting:
            resting[-1].segments.append([told, None])
            self._running[case_id] = resting[-1]
        else:
            self._begin(case_id, stage, spell.severity, told, until)
        self._plan_next(case_id, now)

    def _act(self, case_id: int, now: datetime) -> None:
        """Somebody acts over the service of cases, as a route does."""
        spell, told = self._running[case_id], now + self._offset
        whole, until = self.wholes[case_id], told + timedelta(hours=self._chance.randint(1, 400))
        expected = self._book.expected(spell)
        in_time = bool(expected) and told < min(expected[0], self._book.expected(whole)[0])
        fresh = in_time and not spell.set_back and not whole.set_back and whole.granted is None
        deeds = self._deeds(spell, told, until, fresh=fresh)
        self._surely(lambda conn: self._take(conn, case_id, deeds, told))
        self.report.acts += len(deeds)
        row = self._conn.execute("select status from grid_case where id = %s", [case_id]).fetchone()
        self._conn.commit()
        assert row is not None
        if deeds[-1][1] is CaseAction.ALLOW_EXTENSION:
            spell.granted = whole.granted = until
            self._plan_next(case_id, now)
            return
        stage = next(stage for stage, status in STATUSES.items() if row[0] in status)
        self._moved(spell, stage, now=now, told=told, until=until if stage == "suspension" else None)

    def _deeds(self, spell: Spell, told: datetime, until: datetime, *, fresh: bool) -> list[Deed]:
        """Who does what next: mostly what the stage is there for."""
        worker, dispatcher, chief = (
            self._staff.by_role[role] for role in (Role.GRID_WORKER, Role.DISPATCHER, Role.DUTY_CHIEF)
        )
        mine, other = self._of_case(spell.case_id)
        handler, draw = self._staff.handlers[mine], self._chance.random()
        asked = {"note": "so", "until": until}
        returned: list[Deed] = [
            (handler, CaseAction.ASK_RETURN, {"note": "no"}),
            (dispatcher, CaseAction.ALLOW_RETURN, {}),
        ]
        rested: list[Deed] = [
            (handler, CaseAction.ASK_SUSPENSION, asked),
            (dispatcher, CaseAction.ALLOW_SUSPENSION, {}),
        ]
        given: list[Deed] = [(handler, CaseAction.ASK_EXTENSION, asked), (dispatcher, CaseAction.ALLOW_EXTENSION, {})]
        resolved: list[Deed] = [(handler, CaseAction.RESOLVE, {})]
        due_at = next(iter(self._book.expected(spell)[1:]), told)
        handled = resolved
        if draw < 0.2 and fresh and until > due_at:
            handled = given
        elif draw < 0.5 and self.wholes[spell.case_id].granted is None:
            handled = rested if told < due_at else returned
        closed: list[Deed] = [(chief, CaseAction.CLOSE, {})]
        again: list[Deed] = [*closed, (chief, CaseAction.REOPEN, {"note": "it is there again"})]
        half: list[Deed] = [(chief, CaseAction.REWORK, {"note": "half of it"})]
        sent_on: list[Deed] = [(dispatcher, CaseAction.DISPATCH, {"department": other})]
        usual: dict[str, list[Deed]] = {
            "verifying": [(worker, CaseAction.CONFIRM, {})],
            "dispatching": [(dispatcher, CaseAction.DISPATCH, {"department": mine})],
            "receipt": sent_on if draw < 0.2 else [(handler, CaseAction.ACCEPT, {})],
            "handling": handled,
            "suspension": [(handler, CaseAction.RESUME, {})],
            "checking": half if draw < 0.2 else again if draw < 0.4 else closed,
        }
        return usual[spell.stage]

    def _of_case(self, case_id: int) -> tuple[int, int]:
        """The department that has a case, or is to have it, and the other one."""
        first, second = self._staff.handlers
        row = self._conn.execute("select department_id from grid_case where id = %s", [case_id]).fetchone()
        self._conn.commit()
        assert row is not None
        return (second, first) if row[0] == second else (first, second)

    @staticmethod
    def _take(conn: Connection[Any], case_id: int, deeds: Sequence[Deed], told: datetime) -> None:
        for person, action, given in deeds:
            row = conn.execute("select version from grid_case where id = %s", [case_id]).fetchone()
            assert row is not None
            case_service.act(
                conn, person, case_id, Order(action=action, version=row[0], **given), now=told, address="test"
            )

    def _fall_asleep(self, now: datetime) -> None:
        self._asleep_until = now + timedelta(hours=self._chance.randint(1, 200))

    def _change_clock(self, _now: datetime) -> None:
        """Seconds, as for a leap second; hours, as by somebody's hand."""
        before = self._offset
        self._offset = timedelta(seconds=self._chance.choice((-1, 0, 1, 27, -3_600, 7_200, 0)))
        self.report.clock_changes += self._offset != before
        if self._offset < before:
            for spell in [*self._running.values(), *self.wholes.values()]:
                spell.set_back = True

    def _begin(self, case_id: int, stage: str, severity: str, told: datetime, until: datetime | None = None) -> None:
        spell = Spell(case_id, stage, severity, [[told, None]], until)
        self.spells.append(spell)
        self._running[case_id] = spell

    # the program

    def _follow(
        self,
        conn: Connection[Any],
        spell: Spell,
        *,
        stage: str | None,
        told: datetime,
        until: datetime | None,
    ) -> None:
        case_id = spell.case_id
        row = conn.execute("select area_path from grid_case where id = %s for update", [case_id]).fetchone()
        assert row is not None
        conn.execute(
            "update grid_case set status = %s, suspended_until = %s where id = %s", [STATUS[stage], until, case_id]
        )
        deadlines.follow(
            conn,
            case_id,
            area_path=row[0],
            category="public_order",
            severity=spell.severity,
            stage=stage,
            at=told,
            until=until,
        )

    def _sweep(self, now: datetime) -> None:
        if now < self._asleep_until:
            self._plan(self._asleep_until, self._sweep)
            return
        self._fire(now + self._offset)

    def _fire(self, told: datetime) -> None:
        """A sweep, sometimes one that dies and is followed by the next one minutes later, sometimes two at once."""
        self.report.sweeps += 1
        fate = self._chance.random()
        if fate < 0.25:
            self._mortal(lambda conn: self._whole_sweep(conn, told))
            self._plan(told - self._offset + timedelta(seconds=self._chance.randint(1, 600)), self._sweep)
            return
        other = None
        if fate < 0.35:
            self.report.doubled += 1
            other = self._other
            sweeps.fire_due(other, self._roster, now=told, count=1)
        self._whole_sweep(self._conn, told)
        if other is not None:
            (other.commit if self._chance.random() < 0.5 else other.rollback)()

    def _whole_sweep(self, conn: Connection[Any], told: datetime) -> None:
        """As `sweeps.sweep` does: each batch a transaction."""
        batches: tuple[Callable[[], int], ...] = (
            lambda: whistles.end_idle(conn, now=told, count=50),
            lambda: sweeps.fire_due(conn, self._roster, now=told, count=50),
            lambda: whistles.fall_due(conn, self._roster, now=told, count=50),
        )
        for batch in batches:
            while batch():
                conn.commit()
            conn.commit()

    def _surely(self, step: Callable[[Connection[Any]], Any]) -> Any:
        """A step of a person, who presses again when the program died meanwhile."""
        if self._chance.random() < 0.1:
            self._mortal(step, dies=True)
        made = step(self._conn)
        self._conn.commit()
        return made

    def _mortal(self, work: Callable[[Connection[Any]], Any], *, dies: bool = False) -> None:
        """As a process that may be gone before any statement; what it had committed by then stays. `dies`: before it commits."""
        FUSE.left = self._chance.randint(0, CRASH_AT_MOST)
        try:
            work(self._other)
            if not dies:
                self._other.commit()
        except CrashError:
            self.report.crashes += 1
        finally:
            FUSE.left = None
        self._other.rollback()

    @contextmanager
    def _connection(self) -> Iterator[Connection[Any]]:
        with psycopg.connect(self._url, options="-c timezone=UTC", cursor_factory=FusedCursor) as conn:
            yield conn

    # the judgement

    def _judge(self) -> None:
        rows: dict[int, list[tuple[int, str]]] = {}
        for clock_id, case_id, stage in self._conn.execute("select id, case_id, stage from case_clock order by id"):
            rows.setdefault(case_id, []).append((clock_id, stage))
        fired: dict[int, list[tuple[int, int, datetime, datetime]]] = {}
        for clock_id, deadline, number, due_at, fired_at in self._conn.execute(
            "select clock_id, deadline, number, due_at, fired_at from clock_firing order by fired_at, due_at, number"
        ):
            fired.setdefault(clock_id, []).append((deadline, number, due_at, fired_at))
        told: dict[tuple[int, str], int] = {}
        for case_id, action, count in self._conn.execute(
            "select case_id, action, count(*) from case_event where action like 'deadline_%%' and reason <> 'whole' group by 1, 2"
        ):
            told[case_id, action] = count
        for case_id, clocks in rows.items():
            spells = [spell for spell in self.spells if spell.case_id == case_id]
            if [stage for _, stage in clocks] != [spell.stage for spell in spells]:
                self.report.wrong.append(f"case {case_id} has the clocks {clocks}")
                continue
            numbers = [number for clock_id, _ in clocks for _, number, _, _ in fired.get(clock_id, [])]
            for action, wanted in (("deadline_amber", 0), ("deadline_red", 1)):
                if told.get((case_id, action), 0) != numbers.count(wanted):
                    self.report.twice.append(f"case {case_id}: {action} told {told.get((case_id, action), 0)} times")
            for (clock_id, _), spell in zip(clocks, spells, strict=True):
                self._judge_clock(clock_id, spell, fired.get(clock_id, []))
        self._judge_wholes()
        self.report.clocks = len(self.spells)
        self.report.firings = sum(len(each) for each in fired.values())
        self._judge_whistles()

    def _judge_wholes(self) -> None:
        """Each case has one clock of its whole, begun with it, and what that fires is told once."""
        fired: dict[int, list[tuple[int, int, datetime, datetime]]] = {}
        for case_id, *each in self._conn.execute(
            "select case_id, deadline, number, due_at, fired_at from whole_firing order by fired_at, due_at, number"
        ):
            fired.setdefault(case_id, []).append(tuple(each))
        told = {
            (case_id, action): count
            for case_id, action, count in self._conn.execute(
                "select case_id, action, count(*) from case_event where action like 'deadline_%%' and reason = 'whole' group by 1, 2"
            )
        }
        begun = dict(self._conn.execute("select case_id, started_at from whole_clock").fetchall())
        for case_id, spell in self.wholes.items():
            if begun.get(case_id) != spell.segments[0][0]:
                self.report.wrong.append(f"the whole of case {case_id} began at {begun.get(case_id)}")
            numbers = [number for _, number, _, _ in fired.get(case_id, [])]
            for action, wanted in (("deadline_amber", 0), ("deadline_red", 1)):
                if told.get((case_id, action), 0) != numbers.count(wanted):
                    self.report.twice.append(f"case {case_id} as a whole: {action}")
            self._judge_clock(0, spell, fired.get(case_id, []))
        self.report.wholes, self.report.whole_firings = len(self.wholes), sum(map(len, fired.values()))

    def _judge_clock(self, clock_id: int, spell: Spell, fired: list[tuple[int, int, datetime, datetime]]) -> None:
        expected, name = self._book.expected(spell), f"clock {clock_id} ({spell.stage}, case {spell.case_id})"
        numbers = [number for _, number, _, _ in fired]
        if numbers != list(range(len(numbers))) or any(deadline != 1 for deadline, _, _, _ in fired):
            self.report.wrong.append(f"{name} fired {numbers}")
        for _, number, due_at, fired_at in fired:
            if abs(due_at - expected[number]) > timedelta(microseconds=1) or fired_at < due_at:
                self.report.wrong.append(f"{name} fired {number} of {due_at} at {fired_at}, not {expected[number]}")
            if spell.ended_at is not None and due_at > spell.ended_at and not spell.set_back:
                self.report.wrong.append(f"{name} fired {number} after it had ended")
        for number, due_at in enumerate(expected):
            if (spell.ended_at is None or due_at <= spell.ended_at) and number not in numbers:
                self.report.missed.append(f"{name}: {number} of {due_at}")

    def _judge_whistles(self) -> None:
        """Whoever had to be told while the clock ran was called: on that level or above, or it was said that nobody was there."""
        self.report.whistles = self._conn.execute("select count(*) from whistle").fetchone()[0]  # type: ignore[index]
        unheard = self._conn.execute(
            """
            select f.clock_id, f.level
            from clock_firing f
            join case_clock k on k.id = f.clock_id
            join area_level l on l.level = f.level
            where f.kind = 'escalate' and (k.stopped_at is null or f.fired_at < k.stopped_at)
              and not exists (
                select from whistle w join area_level h on h.level = w.level
                where w.case_id = k.case_id and h.position <= l.position and w.blown_at <= f.fired_at
              )
              and not exists (
                select from case_event e
                where e.case_id = k.case_id and e.action = 'nobody_on_duty' and e.at = f.fired_at
              )
            """
        ).fetchall()
        self.report.missed += [f"clock {clock_id}: nobody of {level} was called" for clock_id, level in unheard]
        doubled = self._conn.execute(
            "select whistle_id, count(*) from whistle_call group by whistle_id, department_id, account_id having count(*) > 1"
        ).fetchall()
        self.report.twice += [f"whistle {whistle_id} called somebody twice" for whistle_id, _ in doubled]
