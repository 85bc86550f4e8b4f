"""Deadlines: the clocks of cases, what is due when, and what limits, ladders, hours and days are set."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Query, Request, status
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from cloud.access import areas
from cloud.access.model import Principal, Role
from cloud.api.cases import CaseId
from cloud.api.dependencies import Conn, Parts, User, client_address, require
from cloud.api.paging import LARGEST_ID, After, Limit, decode_due, encode_due
from cloud.api.parameters import Code, Name
from cloud.api.problems import RESPONSES
from cloud.cases.model import Stage
from cloud.deadlines import administration, rulebook, store, trial, whole
from cloud.deadlines.administration import RuleWish, RungWish, WeekWish
from cloud.deadlines.clock import WHOLE, ClockState, Firing, FiringKind, Light
from cloud.deadlines.holidays import covered_until
from cloud.deadlines.rules import ARRIVAL, Unit
from cloud.deadlines.rules import Limit as TimeLimit
from cloud.deadlines.store import KeptClock
from cloud.deadlines.trial import Trial
from cloud.escalation import service as escalation
from edge.contract.incident import Severity

router = APIRouter(prefix="/api/v1", tags=["deadlines"], responses=RESPONSES)

Administrator = Annotated[Principal, Depends(require(Role.ADMINISTRATOR))]
StageWord = Annotated[str, Field(pattern=f"^({'|'.join([*Stage, ARRIVAL, WHOLE])})$")]
Amount = Annotated[int, Field(ge=0, le=1_000_000)]
HoursText = Annotated[str, StringConstraints(max_length=200)]
Title = Annotated[str, StringConstraints(max_length=200, strip_whitespace=True, pattern=r"^[^\x00]*$")]
_EARLIEST = datetime(2004, 1, 1, tzinfo=UTC)
_SPAN = timedelta(days=2 * 366)


class ClockView(BaseModel):
    """A clock. `remaining_s` on the wall, negative once it is past its time; None for one that has stopped."""

    id: int
    case_id: int
    stage: str
    state: ClockState
    light: Light
    started_at: datetime
    amber_at: datetime
    due_at: datetime
    stopped_at: datetime | None
    extended: bool
    makeshift: bool = Field(description="No rule, or no working time: counted on the wall")
    remaining_s: float | None

    @classmethod
    def of(cls, kept: KeptClock, *, now: datetime) -> Self:
        """The clock as it is told."""
        clock = kept.clock
        return cls(
            id=kept.id,
            case_id=kept.case_id,
            stage=clock.stage,
            state=clock.state,
            light=clock.light(now),
            started_at=clock.started_at,
            amber_at=clock.amber_at,
            due_at=clock.due_at,
            stopped_at=clock.stopped_at,
            extended=clock.extended_until is not None,
            makeshift=kept.makeshift,
            remaining_s=(clock.due_at - now).total_seconds() if clock.runs else None,
        )


class FiringView(BaseModel):
    """What a clock fired: when it was due, and when that was noticed."""

    clock_id: int
    kind: FiringKind
    level: str | None
    due_at: datetime
    fired_at: datetime


class CaseClocks(BaseModel):
    """All clocks of a case, in the order in which they began; `whole` is that of the whole case (办结时限), whatever its stages take."""

    now: datetime
    current: ClockView | None
    whole: ClockView | None = None
    clocks: list[ClockView]
    firings: list[FiringView]


class NumberedClock(ClockView):
    """A clock with the number of its case."""

    number: str


class ClockPage(BaseModel):
    """Running clocks, those first that are due first; `next` continues."""

    items: list[NumberedClock]
    next: str | None


class LimitBody(BaseModel):
    """An amount of time."""

    model_config = ConfigDict(extra="forbid")

    amount: Amount
    unit: Unit


class RuleBody(LimitBody):
    """A limit for clocks that begin at `effective_from` (now, unless told) or later; null stands for any."""

    area: Code | None = None
    category: Name | None = None
    severity: Severity | None = None
    stage: StageWord
    amber_percent: Annotated[int, Field(ge=1, le=100)] = 80
    effective_from: AwareDatetime | None = None


class RuleView(BaseModel):
    """A limit that is set."""

    id: int
    area: str | None
    category: str | None
    severity: str | None
    stage: str
    amount: int
    unit: Unit
    amber_percent: int
    effective_from: datetime


class RungBody(LimitBody):
    """A level that is told so long after a deadline."""

    level: Name


class LadderBody(BaseModel):
    """Who is told after what time, for a severity; in an area it replaces the ladder of the areas above."""

    model_config = ConfigDict(extra="forbid")

    area: Code | None = None
    severity: Severity
    rungs: Annotated[list[RungBody], Field(max_length=administration.RUNGS_MOST)]


class RungView(BaseModel):
    """A rung that is set."""

    area: str | None
    severity: str
    level: str
    amount: int
    unit: Unit


class WeekBody(BaseModel):
    """Hours from a day on, Monday first, each like `08:30-12:00 14:00-17:30`; `makeup` for weekend days that are worked (调休)."""

    model_config = ConfigDict(extra="forbid")

    area: Code | None = None
    timezone: Annotated[str, StringConstraints(max_length=64, pattern=r"^[A-Za-z0-9_+/-]+$")] = "Asia/Shanghai"
    effective_from: date
    hours: Annotated[list[HoursText], Field(min_length=7, max_length=7)]
    makeup: HoursText
    holidays: bool = True


class DayBody(BaseModel):
    """A day that is worked or not, against the rule."""

    model_config = ConfigDict(extra="forbid")

    area: Code | None = None
    day: date
    worked: bool
    name: Title


class DeadlineRules(BaseModel):
    """All that is set. Holidays are known up to `known_until`; after it a week is a plain week."""

    rules: list[RuleView]
    rungs: list[RungView]
    weeks: list[WeekBody]
    days: list[DayBody]
    known_until: date


class MovedClockView(BaseModel):
    """A running clock that would have another time."""

    case_id: int
    number: str
    simulated: bool
    stage: str
    due_at: datetime
    would_be_due_at: datetime


class DeadlineTrial(BaseModel):
    """What a change would do to the running clocks that it reaches (`examined`; with `more` only those that are due first).

    `overdue` would be past their time at once and are not now; `relieved` are past it now and would not be.
    """

    examined: int
    more: bool
    later: int
    sooner: int
    overdue: int
    relieved: int
    moved: list[MovedClockView]

    @classmethod
    def of(cls, found: Trial) -> Self:
        """The trial as it is told."""
        return cls(
            examined=found.examined,
            more=found.more,
            later=found.later,
            sooner=found.sooner,
            overdue=found.overdue,
            relieved=found.relieved,
            moved=[
                MovedClockView(
                    case_id=each.kept.case_id,
                    number=each.number,
                    simulated=each.simulated,
                    stage=each.kept.clock.stage,
                    due_at=each.kept.clock.due_at,
                    would_be_due_at=each.would_be_due_at,
                )
                for each in found.moved
            ],
        )


class PreviewFiring(BaseModel):
    """What a clock would fire, and when."""

    kind: FiringKind
    level: str | None
    due_at: datetime

    @classmethod
    def of(cls, firing: Firing) -> Self:
        """The firing as it is told."""
        return cls(kind=firing.kind, level=firing.level, due_at=firing.due_at)


class DeadlinePreview(BaseModel):
    """What would be due when."""

    begins_at: datetime
    amber_at: datetime
    due_at: datetime
    firings: list[PreviewFiring]
    rule_id: int | None
    makeshift: bool


@router.get("/cases/{case_id}/clock", summary="The clocks of a case")
def read_clock(case_id: CaseId, user: User, conn: Conn, parts: Parts) -> CaseClocks:
    """The one that runs, those before it, and what they fired."""
    escalation.check_seen(conn, user, case_id)
    now = parts.clock()
    clocks = [ClockView.of(kept, now=now) for kept in store.of_case(conn, case_id)]
    return CaseClocks(
        now=now,
        current=next((clock for clock in clocks if clock.state is ClockState.RUNNING), None),
        whole=ClockView.of(kept, now=now) if (kept := whole.seen(conn, case_id)) is not None else None,
        clocks=clocks,
        firings=[
            FiringView(clock_id=row.clock_id, kind=row.kind, level=row.level, due_at=row.due_at, fired_at=row.fired_at)
            for row in store.firings_of(conn, case_id)
        ],
    )


@router.get("/clocks", summary="What is due in my scope")
def list_clocks(
    *,
    user: User,
    conn: Conn,
    parts: Parts,
    light: Light | None = None,
    area: Annotated[Code | None, Query(description="Code of an area of any level")] = None,
    case: Annotated[list[Annotated[int, Field(ge=1, le=LARGEST_ID)]] | None, Query(max_length=200)] = None,
    limit: Limit = 50,
    after: After = None,
) -> ClockPage:
    """Those first that are due first; `case` picks those of some cases, for a list of them."""
    now = parts.clock()
    rows = store.running(
        conn,
        scope=areas.scope_path(conn, user, area),
        department_id=user.department_id,
        case_ids=case,
        light=light.value if light is not None else None,
        now=now,
        after=decode_due(after),
        count=limit + 1,
    )
    items = [NumberedClock(number=number, **ClockView.of(kept, now=now).model_dump()) for number, kept in rows[:limit]]
    return ClockPage(items=items, next=encode_due(items[-1].due_at, items[-1].id) if len(rows) > limit else None)


@router.get("/deadline-rules", summary="Limits, ladders, hours and days")
def read_rules(_user: User, conn: Conn) -> DeadlineRules:
    """As they are set; the nearest rule counts."""
    book = rulebook.read(conn)
    return DeadlineRules(
        rules=[
            RuleView(
                id=rule.id,
                area=rule.area_code,
                category=rule.category,
                severity=rule.severity,
                stage=rule.stage,
                amount=rule.limit.amount,
                unit=rule.limit.unit,
                amber_percent=rule.amber_percent,
                effective_from=rule.effective_from,
            )
            for rule in book.rules
        ],
        rungs=[
            RungView(
                area=rung.area_code,
                severity=rung.severity,
                level=rung.level,
                amount=rung.after.amount,
                unit=rung.after.unit,
            )
            for rung in book.rungs
        ],
        weeks=[WeekBody.model_validate(row, from_attributes=True) for row in store.weeks(conn)],
        days=[DayBody.model_validate(row, from_attributes=True) for row in store.days(conn)],
        known_until=covered_until(),
    )


@router.post("/deadline-rules", status_code=status.HTTP_201_CREATED, summary="Set a limit")
def add_rule(body: RuleBody, user: Administrator, conn: Conn, request: Request, parts: Parts) -> DeadlineRules:
    """What has begun since `effective_from` is worked out anew within seconds."""
    now = parts.clock()
    administration.add_rule(conn, user, _rule_wish(body, now), now=now, address=client_address(request))
    return read_rules(user, conn)


@router.post("/deadline-rules/try", summary="What a limit would do to what runs")
def try_rule(body: RuleBody, user: Administrator, conn: Conn, parts: Parts) -> DeadlineTrial:
    """Nothing is changed."""
    now = parts.clock()
    return DeadlineTrial.of(trial.try_rule(conn, user, _rule_wish(body, now), now=now))


@router.put("/deadline-ladders", summary="Set who is told after a deadline")
def set_ladder(body: LadderBody, user: Administrator, conn: Conn, request: Request, parts: Parts) -> DeadlineRules:
    """For a severity, everywhere or in an area."""
    administration.set_ladder(
        conn,
        user,
        area_code=body.area,
        severity=body.severity.value,
        rungs=[RungWish(rung.level, TimeLimit(rung.amount, rung.unit)) for rung in body.rungs],
        now=parts.clock(),
        address=client_address(request),
    )
    return read_rules(user, conn)


@router.put("/work-calendars", summary="Set the hours of a week")
def set_week(body: WeekBody, user: Administrator, conn: Conn, request: Request, parts: Parts) -> DeadlineRules:
    """From a day on, everywhere or in an area."""
    administration.set_week(conn, user, _week_wish(body), now=parts.clock(), address=client_address(request))
    return read_rules(user, conn)


@router.post("/work-calendars/try", summary="What other hours would do to what runs")
def try_week(body: WeekBody, user: Administrator, conn: Conn, parts: Parts) -> DeadlineTrial:
    """Nothing is changed."""
    return DeadlineTrial.of(trial.try_week(conn, user, _week_wish(body), now=parts.clock()))


@router.put("/special-days", summary="Have a day worked or not")
def set_special_day(body: DayBody, user: Administrator, conn: Conn, request: Request, parts: Parts) -> DeadlineRules:
    """Against the week and the country's calendar; what runs is worked out anew within seconds."""
    administration.set_special_day(
        conn,
        user,
        area_code=body.area,
        day=body.day,
        worked=body.worked,
        name=body.name,
        now=parts.clock(),
        address=client_address(request),
    )
    return read_rules(user, conn)


@router.post("/special-days/try", summary="What a special day would do to what runs")
def try_special_day(body: DayBody, user: Administrator, conn: Conn, parts: Parts) -> DeadlineTrial:
    """Nothing is changed."""
    found = trial.try_special_day(conn, user, area_code=body.area, day=body.day, worked=body.worked, now=parts.clock())
    return DeadlineTrial.of(found)


@router.get("/deadline-preview", summary="What would be due when")
def preview_deadline(
    *,
    user: User,
    conn: Conn,
    parts: Parts,
    stage: Annotated[StageWord, Query()] = Stage.HANDLING.value,
    severity: Severity = Severity.MEDIUM,
    category: Annotated[Name, Query()] = "public_order",
    area: Annotated[Code | None, Query(description="Code of an area of any level")] = None,
    at: Annotated[AwareDatetime | None, Query(description="When it begins; now, unless told")] = None,
) -> DeadlinePreview:
    """For a stage that begins at a time, by the rules as they stand."""
    now = parts.clock()
    begins_at = min(max(at or now, _EARLIEST), now + _SPAN).astimezone(UTC)
    found = administration.preview(
        conn,
        areas.scope_path(conn, user, area),
        category=category,
        severity=severity.value,
        stage=stage,
        at=begins_at,
    )
    return DeadlinePreview(
        begins_at=begins_at,
        amber_at=found.amber_at,
        due_at=found.due_at,
        firings=[PreviewFiring.of(firing) for firing in found.firings],
        rule_id=found.rule_id,
        makeshift=found.makeshift,
    )


def _rule_wish(body: RuleBody, now: datetime) -> RuleWish:
    return RuleWish(
        area_code=body.area,
        category=body.category,
        severity=body.severity.value if body.severity is not None else None,
        stage=body.stage,
        limit=TimeLimit(body.amount, body.unit),
        amber_percent=body.amber_percent,
        effective_from=max(body.effective_from or now, _EARLIEST),
    )


def _week_wish(body: WeekBody) -> WeekWish:
    return WeekWish(
        area_code=body.area,
        timezone=body.timezone,
        effective_from=max(body.effective_from, _EARLIEST.date()),
        hours=body.hours,
        makeup=body.makeup,
        holidays=body.holidays,
    )
