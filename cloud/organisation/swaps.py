"""Swapping shifts (换班): asked, answered by the other, decided by who plans; both shifts change hands at once or not at all.

Takes the caller's transaction. Whoever changes a swap locks its shifts first, in the order of their ids, and the swap then.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from cloud.access import audit, independence
from cloud.access.model import Principal
from cloud.db.queries import load
from cloud.errors import Conflict, Forbidden, Invalid, NotFound, TransitionRefused
from cloud.organisation import duty
from cloud.organisation.hours import Span
from cloud.organisation.model import SWAP_STEPS, Shift, SwapAction, SwapParty, SwapStatus
from cloud.organisation.people import person

_queries = load("cloud.organisation")

AT_ONCE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """A swap as it stands."""

    id: int
    shift: Shift
    return_shift: Shift | None
    asked_by: int
    asked_by_name: str
    asked_of: int
    asked_of_name: str
    status: SwapStatus
    note: str | None
    asked_at: datetime
    answered_at: datetime | None
    decided_by: int | None
    decided_at: datetime | None


def ask(
    conn: Connection[Any],
    actor: Principal,
    shift_id: int,
    *,
    asked_of: int,
    return_shift_id: int | None = None,
    note: str | None = None,
    now: datetime,
) -> Swap:
    """Ask another to take one's shift, for one of his own where `return_shift_id` says which.

    Raises NotFound, Invalid, Conflict where a shift has begun, is no more, or is asked about already.
    """
    given = [shift_id] if return_shift_id is None else sorted({shift_id, return_shift_id})
    locked = {row.id: row for row in _queries.lock_shifts(conn, shift_ids=given)}
    if shift_id not in locked or locked[shift_id].account_id != actor.user_id:
        raise NotFound("there is no such shift")
    if return_shift_id is not None and (
        return_shift_id not in locked or locked[return_shift_id].account_id != asked_of
    ):
        raise NotFound("the other has no such shift")
    if asked_of == actor.user_id:
        raise Invalid("a swap is with somebody else")
    _check_to_come(locked.values(), now)
    if list(_queries.open_swaps_of_shifts(conn, shift_ids=given)):
        raise Conflict("a swap of that shift is asked for already")
    _check_able(conn, {shift_id: asked_of} | ({return_shift_id: actor.user_id} if return_shift_id is not None else {}))
    swap_id: int = _queries.insert_swap(
        conn,
        shift_id=shift_id,
        return_shift_id=return_shift_id,
        asked_by=actor.user_id,
        asked_of=asked_of,
        note=note,
        now=now,
    )
    found = find(conn, swap_id)
    audit.write(conn, "swap.asked", f"swap:{swap_id}", actor=actor, area_path=found.shift.area_path)
    return found


def act(
    conn: Connection[Any], actor: Principal, swap_id: int, action: SwapAction, *, decides: bool, now: datetime
) -> Swap:
    """Answer, withdraw or decide. `decides`: the person's role plans shifts.

    Raises NotFound, Forbidden, TransitionRefused, and Conflict where it can't be done any more; then nobody's shift has changed.
    """
    present = find(conn, swap_id)
    parties = _parties(present, actor, decides=decides)
    if not parties:
        raise NotFound("there is no such swap")
    step = SWAP_STEPS[action]
    if step.party not in parties:
        raise Forbidden(f"{action.value} is for others")
    held = {row.id: row for row in _queries.lock_shifts(conn, shift_ids=_shift_ids(present))}
    status = SwapStatus(_queries.lock_swap(conn, swap_id=swap_id).status)
    if status not in step.before:
        raise TransitionRefused(f"a swap that is {status.value} can't be changed by {action.value}")
    if action in {SwapAction.ACCEPT, SwapAction.APPROVE}:
        _check_to_come(held.values(), now)
        _check_unchanged(present, held)
        takers = _takers(present)
        _check_able(conn, takers)
        if action is SwapAction.APPROVE:
            for party in (present.asked_by, present.asked_of):
                independence.check_independent(conn, party, actor.user_id, now, acted_at=present.asked_at)
            _exchange(conn, held, takers)
    if step.party is SwapParty.DECIDER:
        _queries.decide_swap(conn, swap_id=swap_id, status=step.after.value, decided_by=actor.user_id, now=now)
    else:
        _queries.answer_swap(conn, swap_id=swap_id, status=step.after.value, now=now)
    audit.write(conn, f"swap.{step.after.value}", f"swap:{swap_id}", actor=actor, area_path=present.shift.area_path)
    return find(conn, swap_id)


def find(conn: Connection[Any], swap_id: int) -> Swap:
    """Raises NotFound."""
    row = _queries.swap(conn, swap_id=swap_id)
    if row is None:
        raise NotFound("there is no such swap")
    return _swap(conn, row)


def page(
    conn: Connection[Any], user: Principal, *, decides: bool, before: int | None = None, count: int = 50
) -> list[Swap]:
    """One's own, and for who decides those of his scope; the newest first."""
    rows = _queries.swaps(
        conn, scope=user.area_path, account_id=user.user_id, decides=decides, before=before, count=count
    )
    return [_swap(conn, row) for row in list(rows)]


def lapse(conn: Connection[Any], *, now: datetime, count: int = AT_ONCE) -> int:
    """Swaps that nobody has decided before a shift began are void; how many."""
    lapsed = 0
    for row in list(_queries.swaps_begun(conn, now=now, count=count)):
        shift_ids = [each for each in (row.shift_id, row.return_shift_id) if each is not None]
        list(_queries.lock_shifts(conn, shift_ids=sorted(shift_ids)))
        lapsed += duty.lapse_swaps(conn, shift_ids, now=now)
    return lapsed


def _parties(swap: Swap, actor: Principal, *, decides: bool) -> set[SwapParty]:
    found = set()
    if actor.user_id == swap.asked_by:
        found.add(SwapParty.ASKER)
    if actor.user_id == swap.asked_of:
        found.add(SwapParty.ASKED)
    in_scope = all(actor.sees(each.area_path or "") for each in (swap.shift, swap.return_shift) if each is not None)
    if decides and in_scope and not found:  # nobody decides about his own
        found.add(SwapParty.DECIDER)
    return found


def _shift_ids(swap: Swap) -> list[int]:
    return sorted(each.id for each in (swap.shift, swap.return_shift) if each is not None)


def _takers(swap: Swap) -> dict[int, int]:
    takers = {swap.shift.id: swap.asked_of}
    return takers if swap.return_shift is None else takers | {swap.return_shift.id: swap.asked_by}


def _check_to_come(rows: Any, now: datetime) -> None:
    if any(row.cancelled_at is not None or row.from_at <= now for row in rows):
        raise Conflict("only shifts that are still to come can be swapped")


def _check_unchanged(swap: Swap, held: dict[int, Any]) -> None:
    owners = {swap.shift.id: swap.asked_by}
    if swap.return_shift is not None:
        owners[swap.return_shift.id] = swap.asked_of
    if any(held[shift_id].account_id != owner for shift_id, owner in owners.items()):
        raise Conflict("a shift has changed hands since the swap was asked for")


def _check_able(conn: Connection[Any], takers: dict[int, int]) -> None:
    """Whoever takes a shift sees its area, has the role of who gives it, and is not on duty there at that time already."""
    for account_id in sorted(set(takers.values())):
        _queries.lock_rota(conn, account_id=account_id)
    for shift_id, taker in takers.items():
        shift, someone = duty.shift(conn, shift_id), person(conn, taker)
        if shift.area_path is None or not shift.area_path.startswith(someone.scope):
            raise Invalid("who takes a shift has to see its area")
        if someone.role != person(conn, shift.account_id).role:
            raise Invalid("who takes a shift has to have the role of who gives it")
        span = Span(shift.from_at, shift.until_at)
        duty.check_free(conn, taker, shift.area_code, shift.kind, span, but=takers)


def _exchange(conn: Connection[Any], held: dict[int, Any], takers: dict[int, int]) -> None:
    shift_ids = sorted(held)
    _queries.give_shifts(conn, shift_ids=shift_ids, account_ids=[takers[each] for each in shift_ids])


def _swap(conn: Connection[Any], row: Any) -> Swap:
    return Swap(
        id=row.id,
        shift=duty.shift(conn, row.shift_id),
        return_shift=duty.shift(conn, row.return_shift_id) if row.return_shift_id is not None else None,
        asked_by=row.asked_by,
        asked_by_name=row.asked_by_name,
        asked_of=row.asked_of,
        asked_of_name=row.asked_of_name,
        status=SwapStatus(row.status),
        note=row.note,
        asked_at=row.asked_at,
        answered_at=row.answered_at,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
    )
