"""Duty: who is on duty, shifts and patterns, swaps, hand-over, where nobody is; and where workers on duty are."""

from datetime import date, datetime, time, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from cloud.access import areas
from cloud.access.model import Principal, Role
from cloud.api.cases import CaseId
from cloud.api.dependencies import Conn, Insider, Parts, User, require
from cloud.api.paging import LARGEST_ID, After, Limit, decode_cursor, decode_id, encode_cursor
from cloud.api.parameters import Code
from cloud.api.problems import RESPONSES
from cloud.cases import service as cases
from cloud.errors import Invalid
from cloud.organisation import duty, handover, patterns, positions, swaps
from cloud.organisation.duty import CoverRow, ShiftWish
from cloud.organisation.handover import Handover
from cloud.organisation.hours import Span
from cloud.organisation.model import DutyKind, Gap, OnDuty, Shift, SwapAction
from cloud.organisation.patterns import PatternWish
from cloud.organisation.positions import NearWorker, Place
from cloud.organisation.rota import Pattern
from cloud.organisation.swaps import Swap

router = APIRouter(prefix="/api/v1", tags=["duty"], responses=RESPONSES)

PLANNERS = (Role.GRID_LEAD, Role.ADMINISTRATOR)
Planner = Annotated[Principal, Depends(require(*PLANNERS))]
Sender = Annotated[Principal, Depends(require(Role.DUTY_CHIEF, Role.DISPATCHER, Role.GRID_LEAD, Role.ADMINISTRATOR))]
"""Who sends people somewhere (指挥调度)."""

Id = Annotated[int, Path(ge=1, le=LARGEST_ID)]
PersonId = Annotated[int, Field(ge=1, le=LARGEST_ID)]
EARLIEST, LATEST = 2000, 2200


def _in_our_times(at: datetime) -> datetime:
    if not EARLIEST <= at.year < LATEST:
        raise ValueError(f"a time lies in the years {EARLIEST} to {LATEST}")
    return at


Moment = Annotated[AwareDatetime, AfterValidator(_in_our_times)]


def without_nul(text: str) -> str:
    """Raise ValueError for a text that no column takes."""
    if "\x00" in text:
        raise ValueError("a text has no NUL")
    return text


Words = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500), AfterValidator(without_nul)
]
LongWords = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000), AfterValidator(without_nul)
]


class OnDutyList(BaseModel):
    """`above`: on duty for an area in which this one lies, the nearest first; `items`: here and in what lies below, by place."""

    items: list[OnDuty]
    above: list[OnDuty]


class GapList(BaseModel):
    """Where nobody will be on duty though somebody has to be, by time."""

    items: list[Gap]


class ShiftPage(BaseModel):
    """A page of shifts by when they begin."""

    items: list[Shift]
    next: str | None


class ShiftRequest(BaseModel):
    """A shift to plan."""

    model_config = ConfigDict(extra="forbid")

    account_id: PersonId
    area_code: Code
    kind: DutyKind
    from_at: Moment
    until_at: Moment


class PatternFields(BaseModel):
    """When a shift comes: `weekdays` (1 is Monday) of each `every_weeks`th week, counted from that of `first_day`; local time."""

    weekdays: Annotated[list[Annotated[int, Field(ge=1, le=7)]], Field(min_length=1, max_length=7)]
    begins_at: Annotated[str, StringConstraints(pattern=r"^(?:[01][0-9]|2[0-3]):[0-5][0-9]$")]
    lasts_min: Annotated[int, Field(ge=15, le=1440)]
    first_day: date
    last_day: date | None = None
    every_weeks: Annotated[int, Field(ge=1, le=12)] = 1


class PatternRequest(PatternFields):
    """A shift that comes again each week."""

    model_config = ConfigDict(extra="forbid")

    account_id: PersonId
    area_code: Code
    kind: DutyKind


class PatternItem(PatternFields):
    """A pattern as it stands."""

    id: int
    account_id: int
    display_name: str
    area_code: str
    kind: DutyKind


class PatternList(BaseModel):
    """Patterns that go on."""

    items: list[PatternItem]


class CoverRequest(BaseModel):
    """Somebody has to be on duty in every area of a level inside of an area, at hours such as `1-5 08:00-20:00` or `24/7`."""

    model_config = ConfigDict(extra="forbid")

    area_code: Code
    level: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,32}$")]
    kind: DutyKind
    hours: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[0-9:;,/ -]+$")]


class CoverList(BaseModel):
    """Where somebody has to be on duty."""

    items: list[CoverRow]


class SwapRequest(BaseModel):
    """Ask `asked_of` to take one's shift, for one of his own where `return_shift_id` says which."""

    model_config = ConfigDict(extra="forbid")

    asked_of: PersonId
    return_shift_id: PersonId | None = None
    note: Words | None = None


class SwapActionRequest(BaseModel):
    """What to do with a swap."""

    model_config = ConfigDict(extra="forbid")

    action: SwapAction


class SwapPage(BaseModel):
    """A page of swaps, the newest first."""

    items: list[Swap]
    next: str | None


class HandoverRequest(BaseModel):
    """What to tell the next one."""

    model_config = ConfigDict(extra="forbid")

    handed_to: PersonId
    note: LongWords


class HandoverPage(BaseModel):
    """A page of what was handed over, the newest first."""

    items: list[Handover]
    next: str | None


class PositionReport(BaseModel):
    """Where one is, WGS 84 in degrees, as the phone measured it."""

    model_config = ConfigDict(extra="forbid")

    longitude: Annotated[float, Field(ge=-180, le=180)]
    latitude: Annotated[float, Field(ge=-90, le=90)]
    accuracy_m: Annotated[float, Field(ge=0, le=100_000)] | None = None
    measured_at: Moment


class PositionKept(BaseModel):
    """Until when it is kept at most: the end of the shift."""

    kept_until: AwareDatetime


class NearWorkers(BaseModel):
    """Who is on duty and near, the nearest first."""

    items: list[NearWorker]


AreaFilter = Annotated[Code | None, Query(description="Code of an area of any level")]


@router.get("/duty/now", summary="Who is on duty now")
def list_on_duty(
    user: Insider,
    conn: Conn,
    parts: Parts,
    area: AreaFilter = None,
    kind: Annotated[list[DutyKind] | None, Query(max_length=10)] = None,
) -> OnDutyList:
    """In an area or my scope, and for it."""
    path, at = areas.scope_path(conn, user, area), parts.clock()
    above = [each for each in duty.on_duty(conn, path, at=at, kinds=kind) if each.area_path != path]
    return OnDutyList(items=duty.on_duty_within(conn, path, at=at, kinds=kind), above=above)


@router.get("/duty/gaps", summary="Where nobody will be on duty")
def list_duty_gaps(
    user: Insider,
    conn: Conn,
    parts: Parts,
    area: AreaFilter = None,
    hours: Annotated[int, Query(ge=1, le=24 * 14, description="So far ahead")] = 48,
) -> GapList:
    """Against what has to be covered."""
    path = areas.scope_path(conn, user, area)
    ahead = timedelta(hours=hours)
    return GapList(items=duty.gaps(conn, now=parts.clock(), ahead=ahead, zone=parts.settings.zone, area_path=path))


@router.get("/duty/shifts", summary="Shifts of a time")
def list_shifts(
    *,
    user: Insider,
    conn: Conn,
    parts: Parts,
    area: AreaFilter = None,
    mine: Annotated[bool, Query(description="Only my own")] = False,
    from_at: Annotated[Moment | None, Query()] = None,
    until_at: Annotated[Moment | None, Query()] = None,
    limit: Limit = 50,
    after: After = None,
) -> ShiftPage:
    """From twelve hours ago to a week ahead where nothing else is asked for."""
    now = parts.clock()
    span = Span(from_at or now - timedelta(hours=12), until_at or now + timedelta(days=7))
    found = duty.shifts(
        conn,
        areas.scope_path(conn, user, area),
        span,
        account_id=user.user_id if mine else None,
        after=_shift_key(after),
        count=limit + 1,
    )
    items = found[:limit]
    last = encode_cursor(items[-1].from_at.isoformat(), items[-1].id) if len(found) > limit else None
    return ShiftPage(items=items, next=last)


def _shift_key(cursor: str | None) -> tuple[datetime, int] | None:
    if cursor is None:
        return None
    told, shift_id = decode_cursor(cursor, str, int)
    try:
        at = _in_our_times(datetime.fromisoformat(str(told)))
    except ValueError as error:
        raise Invalid("this is no cursor of ours") from error
    if at.tzinfo is None:
        raise Invalid("this is no cursor of ours")
    return at, int(shift_id)


@router.post("/duty/shifts", summary="Plan a shift", status_code=201)
def plan_shift(wanted: ShiftRequest, user: Planner, conn: Conn, parts: Parts) -> Shift:
    """409 where the person is on duty there at that time already."""
    return duty.add_shift(conn, ShiftWish(**wanted.model_dump()), now=parts.clock(), actor=user)


@router.delete("/duty/shifts/{shift_id}", summary="Take a shift off the rota")
def cancel_shift(shift_id: Id, user: Planner, conn: Conn, parts: Parts) -> Shift:
    """One that runs ends now; where the person was is forgotten."""
    return duty.cancel_shift(conn, shift_id, now=parts.clock(), actor=user)


@router.get("/duty/patterns", summary="Shifts that come again")
def list_patterns(user: Insider, conn: Conn, area: AreaFilter = None) -> PatternList:
    """Those that go on."""
    rows = patterns.in_scope(conn, areas.scope_path(conn, user, area))
    return PatternList(
        items=[
            PatternItem(
                id=row.id,
                account_id=row.account_id,
                display_name=row.display_name,
                area_code=row.area_code,
                kind=row.kind,
                weekdays=sorted(row.pattern.weekdays),
                begins_at=f"{row.pattern.begins_at:%H:%M}",
                lasts_min=row.pattern.lasts_min,
                first_day=row.pattern.first_day,
                last_day=row.pattern.last_day,
                every_weeks=row.pattern.every_weeks,
            )
            for row in rows
        ]
    )


class Made(BaseModel):
    """The id of what was made."""

    id: int


@router.post("/duty/patterns", summary="Plan a shift that comes again", status_code=201)
def add_pattern(wanted: PatternRequest, user: Planner, conn: Conn, parts: Parts) -> Made:
    """Its shifts are made within a minute, two weeks ahead."""
    pattern = Pattern(
        weekdays=frozenset(wanted.weekdays),
        begins_at=time.fromisoformat(wanted.begins_at),
        lasts_min=wanted.lasts_min,
        first_day=wanted.first_day,
        last_day=wanted.last_day,
        every_weeks=wanted.every_weeks,
    )
    wish = PatternWish(account_id=wanted.account_id, area_code=wanted.area_code, kind=wanted.kind, pattern=pattern)
    return Made(id=patterns.add(conn, wish, now=parts.clock(), actor=user))


class Ended(BaseModel):
    """How many shifts to come were cancelled."""

    cancelled: int


@router.delete("/duty/patterns/{pattern_id}", summary="End a shift that comes again")
def end_pattern(pattern_id: Id, user: Planner, conn: Conn, parts: Parts) -> Ended:
    """What of it is to come is cancelled."""
    return Ended(cancelled=patterns.end(conn, pattern_id, now=parts.clock(), actor=user))


@router.get("/duty/covers", summary="Where somebody has to be on duty")
def list_covers(user: Insider, conn: Conn, area: AreaFilter = None) -> CoverList:
    """Against these rules gaps are found."""
    return CoverList(items=duty.covers(conn, areas.scope_path(conn, user, area)))


@router.put("/duty/covers", summary="Say where somebody has to be on duty")
def require_cover(wanted: CoverRequest, user: Planner, conn: Conn, parts: Parts) -> Made:
    """For the same area, level and kind the new hours replace the old."""
    return Made(
        id=duty.require_cover(
            conn, wanted.area_code, wanted.level, wanted.kind, wanted.hours, now=parts.clock(), actor=user
        )
    )


@router.delete("/duty/covers/{cover_id}", summary="Nobody has to be on duty there any more", status_code=204)
def end_cover(cover_id: Id, user: Planner, conn: Conn, parts: Parts) -> None:
    """The rule ends."""
    duty.end_cover(conn, cover_id, now=parts.clock(), actor=user)


@router.get("/duty/swaps", summary="Swaps of mine, and those that I decide")
def list_swaps(user: Insider, conn: Conn, limit: Limit = 50, after: After = None) -> SwapPage:
    """The newest first."""
    found = swaps.page(conn, user, decides=user.role in PLANNERS, before=decode_id(after), count=limit + 1)
    items = found[:limit]
    return SwapPage(items=items, next=encode_cursor(items[-1].id) if len(found) > limit else None)


@router.post("/duty/shifts/{shift_id}/swaps", summary="Ask another to take my shift", status_code=201)
def ask_for_swap(shift_id: Id, wanted: SwapRequest, user: Insider, conn: Conn, parts: Parts) -> Swap:
    """Nothing changes on the rota before it was accepted and approved."""
    return swaps.ask(
        conn,
        user,
        shift_id,
        asked_of=wanted.asked_of,
        return_shift_id=wanted.return_shift_id,
        note=wanted.note,
        now=parts.clock(),
    )


@router.post("/duty/swaps/{swap_id}/actions", summary="Answer, withdraw or decide a swap")
def act_on_swap(swap_id: Id, wanted: SwapActionRequest, user: Insider, conn: Conn, parts: Parts) -> Swap:
    """On approval both shifts change hands at once."""
    return swaps.act(conn, user, swap_id, wanted.action, decides=user.role in PLANNERS, now=parts.clock())


@router.get("/duty/handovers", summary="What was handed over")
def list_handovers(user: Insider, conn: Conn, limit: Limit = 50, after: After = None) -> HandoverPage:
    """Mine and those of my scope, the newest first."""
    found = handover.page(conn, user, before=decode_id(after), count=limit + 1)
    items = found[:limit]
    return HandoverPage(items=items, next=encode_cursor(items[-1].id) if len(found) > limit else None)


@router.post("/duty/shifts/{shift_id}/handover", summary="Hand my shift over", status_code=201)
def hand_shift_over(shift_id: Id, wanted: HandoverRequest, user: Insider, conn: Conn, parts: Parts) -> Handover:
    """I stay on duty until the next one has taken it."""
    return handover.hand_over(conn, user, shift_id, to=wanted.handed_to, note=wanted.note, now=parts.clock())


@router.post("/duty/handovers/{handover_id}/taken", summary="Take over")
def take_over(handover_id: Id, user: Insider, conn: Conn, parts: Parts) -> Handover:
    """Where the shift still runs, I am on duty from now on."""
    return handover.take(conn, user, handover_id, now=parts.clock())


@router.post("/me/position", summary="Where I am while on duty")
def report_position(wanted: PositionReport, user: User, conn: Conn, parts: Parts) -> PositionKept:
    """Only the newest is kept, and only for the shift. 409 for whoever is not on duty."""
    place = Place(
        longitude=wanted.longitude,
        latitude=wanted.latitude,
        accuracy_m=wanted.accuracy_m,
        measured_at=wanted.measured_at,
    )
    return PositionKept(kept_until=positions.report(conn, user, place, now=parts.clock()))


@router.delete("/me/position", summary="Forget where I am", status_code=204)
def withdraw_position(user: User, conn: Conn) -> None:
    """At once."""
    positions.withdraw(conn, user)


@router.get("/cases/{case_id}/nearest-workers", summary="Who is on duty near a case")
def list_nearest_workers(
    case_id: CaseId, user: Sender, conn: Conn, parts: Parts, count: Annotated[int, Query(ge=1, le=50)] = 5
) -> NearWorkers:
    """Of my scope, with the distance and the age of each position."""
    now = parts.clock()
    cases.detail(conn, user, case_id, now=now)  # whether it is there for this person
    return NearWorkers(items=positions.near_case(conn, case_id, at=now, count=count, area_path=user.area_path))
