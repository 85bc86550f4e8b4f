"""Handing over (交接班): a note to the next, who takes it; before its end a shift passes in that moment, without a gap.

Takes the caller's transaction.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg import Connection

from cloud.access import audit
from cloud.access.model import Principal
from cloud.db.queries import load
from cloud.errors import Conflict, Invalid, NotFound
from cloud.organisation import duty
from cloud.organisation.duty import ShiftWish
from cloud.organisation.hours import Span, without
from cloud.organisation.model import Shift
from cloud.organisation.people import person

_queries = load("cloud.organisation")

STILL: Final = timedelta(hours=2)
"""So long after its end a shift can still be handed over in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """What one told the next. `taken_at` is None while the next has not taken it."""

    id: int
    shift_id: int
    handed_by: int
    handed_by_name: str
    handed_to: int
    handed_to_name: str
    note: str
    handed_at: datetime
    taken_at: datetime | None
    next_shift_id: int | None


def hand_over(conn: Connection[Any], actor: Principal, shift_id: int, *, to: int, note: str, now: datetime) -> Handover:
    """Tell the next. Nothing changes on the rota before he takes it.

    Raises NotFound for a shift of another, Invalid, Conflict for one that has not begun or is long over.
    """
    shift = duty.shift(conn, shift_id)
    if shift.account_id != actor.user_id:
        raise NotFound("there is no such shift")
    if shift.cancelled_at is not None or shift.from_at > now or shift.ends_at + STILL <= now:
        raise Conflict("a shift is handed over while it runs, or shortly after")
    if to == actor.user_id:
        raise Invalid("a shift is handed over to somebody else")
    _check_able(conn, shift, to)
    handover_id: int | None = _queries.insert_handover(
        conn, shift_id=shift_id, handed_by=actor.user_id, handed_to=to, note=note, now=now
    )
    if handover_id is None:
        raise Conflict("the shift is being handed over already")
    audit.write(conn, "shift.handed_over", f"shift:{shift_id}", actor=actor, area_path=shift.area_path)
    return find(conn, handover_id)


def take(conn: Connection[Any], actor: Principal, handover_id: int, *, now: datetime) -> Handover:
    """Take over: where the shift still runs it ends now, and whoever takes it is on duty in that moment, up to its end.

    Raises NotFound for what was told to another, Conflict where it was taken already.
    """
    present = find(conn, handover_id)
    if present.handed_to != actor.user_id:
        raise NotFound("there is no such hand-over")
    list(_queries.lock_shifts(conn, shift_ids=[present.shift_id]))
    if _queries.lock_handover(conn, handover_id=handover_id).taken_at is not None:
        raise Conflict("it was taken over already")
    shift = duty.shift(conn, present.shift_id)
    next_shift_id = None
    if shift.runs(now):
        _check_able(conn, shift, actor.user_id)
        next_shift_id = _go_on(conn, shift, actor, now)
        _queries.end_shift(conn, shift_id=shift.id, now=now)
    _queries.take_handover(conn, handover_id=handover_id, next_shift_id=next_shift_id, now=now)
    audit.write(conn, "shift.taken_over", f"shift:{shift.id}", actor=actor, area_path=shift.area_path)
    return find(conn, handover_id)


def find(conn: Connection[Any], handover_id: int) -> Handover:
    """Raises NotFound."""
    row = _queries.handover(conn, handover_id=handover_id)
    if row is None:
        raise NotFound("there is no such hand-over")
    return Handover(**{name: getattr(row, name) for name in Handover.__dataclass_fields__})


def page(conn: Connection[Any], user: Principal, *, before: int | None = None, count: int = 50) -> list[Handover]:
    """One's own and those of one's scope, the newest first."""
    rows = _queries.handovers(conn, scope=user.area_path, account_id=user.user_id, before=before, count=count)
    return [Handover(**{name: getattr(row, name) for name in Handover.__dataclass_fields__}) for row in rows]


def _check_able(conn: Connection[Any], shift: Shift, account_id: int) -> None:
    someone = person(conn, account_id)
    if shift.area_path is None or not shift.area_path.startswith(someone.scope):
        raise Invalid("the next one has to see the area of the shift")
    if someone.role != person(conn, shift.account_id).role:
        raise Invalid("the next one has to have the role of who hands over")


def _go_on(conn: Connection[Any], shift: Shift, actor: Principal, now: datetime) -> int | None:
    """The rest of a shift, less what the next one is on duty there anyway; the id of his shift of now."""
    _queries.lock_rota(conn, account_id=actor.user_id)
    own = list(
        _queries.overlapping(
            conn,
            account_id=actor.user_id,
            area_code=shift.area_code,
            kind=shift.kind,
            from_at=now,
            until_at=shift.until_at,
            but=[],
        )
    )
    running = next((row.id for row in own if row.from_at <= now), None)
    for span in without([Span(now, shift.until_at)], [Span(row.from_at, row.until) for row in own]):
        wish = ShiftWish(
            account_id=actor.user_id,
            area_code=shift.area_code,
            kind=shift.kind,
            from_at=span.from_at,
            until_at=span.until,
        )
        made = duty.insert(conn, wish, now=now, actor=actor)
        running = made if running is None else running
    return running
