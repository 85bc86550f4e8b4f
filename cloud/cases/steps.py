"""Taking a step: the one place where a case's status changes. Takes the caller's transaction.

Whatever follows a change of status (its clock, its history, its petitions) is done here, so that no way to move a case misses it.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from psycopg import Connection

from cloud.access import audit, departments, independence
from cloud.access.model import Principal, scope_of
from cloud.cases import merging, store
from cloud.cases.life import Asked, Life, Order, Step, after, at_work_again, begun_anew
from cloud.cases.model import (
    CHECKERS,
    FOUND_AGAIN,
    ON_THE_SPOT,
    STAGE_OF,
    CaseAction,
    CaseOrigin,
    CaseStatus,
    HistoryAction,
    Petition,
)
from cloud.cases.standing import Standing, goes_on, rated_by_requester, transition
from cloud.db.queries import load
from cloud.deadlines import service as deadlines
from cloud.drills import store as drills
from cloud.errors import Invalid, NotFound, StaleVersion

_queries = load("cloud.cases")


def standing(conn: Connection[Any], case_id: int) -> Standing:
    """How a case stands, read only: by the time somebody acts it may stand elsewhere. Raises NotFound."""
    row = _queries.life_of(conn, case_id=case_id)
    if row is None:
        raise NotFound("there is no such case")
    return _standing(conn, row)


def take(
    conn: Connection[Any], user: Principal, case_id: int, order: Order, *, now: datetime, address: str
) -> Sequence[int]:
    """Take a step for a person who may see the case; the cases that changed come back.

    Raises NotFound, StaleVersion, TransitionRefused, Forbidden, Invalid.
    """
    other = _other(conn, case_id, order)
    case = _locked(conn, case_id, other)
    before = _standing(conn, case)
    if case.version != order.version or (order.action is CaseAction.UNMERGE and before.life.merged_into != other):
        raise StaleVersion(f"the case has changed (version {case.version}); read it again")
    row = transition(before, user, order, now=now)
    step = Step(row, order, user, now, before.petitions)
    touched = [case_id]
    if order.department is not None:
        departments.check_usable(conn, order.department, area_path=case.area_path)
        drills.check_department(conn, case_id, order.department)
        _queries.tell_department(conn, department_id=order.department, case_id=case_id, told_at=now)
    if order.action is CaseAction.PUBLISH:
        for each in drills.taking_part(
            conn, case_id, departments.in_area(conn, case.area_path, kinds=departments.MEMBERS)
        ):
            _queries.tell_department(conn, department_id=each.id, case_id=case_id, told_at=now)
    if order.person is not None:
        _check_person(conn, order.person, order.action, case.area_path)
    if order.action is CaseAction.MERGE and order.target is not None:
        merging.merge(conn, user, case_id, into=order.target, now=now)
        touched.append(order.target)
    if order.action is CaseAction.UNMERGE and before.life.merged_into is not None:
        merging.unmerge(conn, user, case_id, out_of=before.life.merged_into, now=now)
        touched.append(before.life.merged_into)
    life = after(before.life, step)
    set_life(conn, case_id, life, at=now)
    if order.action is CaseAction.ALLOW_EXTENSION and (until := before.petitions[Petition.EXTENSION].until) is not None:
        deadlines.extend(conn, case_id, until, at=now)
    _keep_petitions(conn, case_id, step)
    _note(conn, case_id, step, before.life, life)
    _tell_former(conn, case_id, step, before.life, life)
    audit.write(
        conn,
        f"case.{order.action}",
        f"case:{case_id}",
        actor=user,
        area_path=case.area_path,
        address=address,
        detail={"from": row.from_status, "to": life.status, "reason": order.reason},
    )
    if order.action is CaseAction.RATE:
        _go_on(conn, case, life, now=now)
    return touched


def rate_by_requester(
    conn: Connection[Any], case_id: int, rating: int, *, rated_at: datetime | None, now: datetime, address: str
) -> None:
    """Take the rating of one who asked for what the case is about, and has no account; `rated_at` is when he did so last.

    Raises NotFound, TransitionRefused.
    """
    case = _locked(conn, case_id)
    before = Life.of(case)
    life = rated_by_requester(before, rating, rated_at=rated_at)
    set_life(conn, case_id, life, at=now)
    store.add_event(
        conn,
        case_id,
        HistoryAction.REQUEST_RATED,
        at=now,
        from_status=before.status.value,
        to_status=life.status.value,
        named=store.Named(rating=rating),
    )
    audit.write(
        conn,
        "case.request_rated",
        f"case:{case_id}",
        actor_name="requester",
        area_path=case.area_path,
        address=address,
        detail={"rating": rating},
    )
    _go_on(conn, case, life, now=now)


def resume_due(conn: Connection[Any], *, now: datetime, count: int) -> list[int]:
    """Bring suspended cases whose date has come back to work, at most so many; their ids."""
    due = list(_queries.suspended_until(conn, now=now, count=count))
    for case in due:
        _move_by_itself(conn, case, HistoryAction.RESUMED, at_work_again(Life.of(case)), now=now, by="calendar")
    return [case.id for case in due]


def come_again(conn: Connection[Any], case_id: int, *, at: datetime) -> None:
    """What a case is about was found again though it was resolved: it is filed anew. Where it is not resolved nothing is done."""
    case = _locked(conn, case_id)
    before = Life.of(case)
    if before.status in FOUND_AGAIN:
        again = begun_anew(before, CaseStatus.FILED)
        _move_by_itself(conn, case, HistoryAction.CAME_AGAIN, again, now=at, by="correlation", before=before.status)


def _go_on(conn: Connection[Any], case: Any, life: Life, *, now: datetime) -> None:
    if goes_on(life, now=now):
        again = begun_anew(life, CaseStatus.FILED)
        named = store.Named(rating=life.rating)
        _move_by_itself(
            conn, case, HistoryAction.REOPENED, again, now=now, by="rating", before=life.status, named=named
        )


def _move_by_itself(
    conn: Connection[Any],
    case: Any,
    action: HistoryAction,
    life: Life,
    *,
    now: datetime,
    by: str,
    before: CaseStatus = CaseStatus.SUSPENDED,
    named: store.Named = store.NOBODY,
) -> None:
    """A move that nobody makes: see `OWN_MOVES`."""
    named = replace(named, department_id=_taken_from(Life.of(case), life))
    set_life(conn, case.id, life, at=now)
    _queries.drop_petitions(conn, case_id=case.id)
    store.add_event(conn, case.id, action, at=now, from_status=before.value, to_status=life.status.value, named=named)
    audit.write(
        conn,
        f"case.{action}",
        f"case:{case.id}",
        actor_name=by,
        area_path=case.area_path,
        detail={"from": before, "to": life.status},
    )


def set_life(conn: Connection[Any], case_id: int, life: Life, *, at: datetime) -> None:
    """Write how a case stands now, and since when; its version grows, its clock follows."""
    case = _queries.take_step(conn, case_id=case_id, **life.columns)
    stage = STAGE_OF[life.status]
    deadlines.follow(
        conn,
        case_id,
        area_path=case.area_path,
        category=case.category,
        severity=case.severity,
        stage=stage.value if stage is not None else None,
        at=at,
        since=life.dispatched_at if life.status is CaseStatus.DISPATCHED else None,
        until=life.suspended_until,
        rests=life.merged_into is not None,
    )


def _keep_petitions(conn: Connection[Any], case_id: int, step: Step) -> None:
    row, order = step.row, step.order
    if row.asks is not None:
        _queries.ask(
            conn,
            case_id=case_id,
            petition=row.asks.value,
            asked_by=step.person.user_id,
            asked_at=step.at,
            until=order.until,
            note=order.note,
        )
    elif row.moves:
        _queries.drop_petitions(conn, case_id=case_id)  # what was asked for in one place means nothing in another
    elif row.answers is not None:
        _queries.settle_petition(conn, case_id=case_id, petition=row.answers.value)


def _note(conn: Connection[Any], case_id: int, step: Step, before: Life, life: Life) -> None:
    order = step.order
    answered = step.petitions[step.row.answers] if step.row.answers is not None else None
    person_id = order.person
    if step.row.action in {CaseAction.VERIFY, CaseAction.TAKE, CaseAction.CHECK}:
        person_id = person_id or step.person.user_id
    store.add_event(
        conn,
        case_id,
        order.action.value,
        at=step.at,
        actor_id=step.person.user_id,
        from_status=before.status.value,
        to_status=life.status.value,
        reason=order.reason.value if order.reason is not None else None,
        note=order.note,
        named=store.Named(
            person_id=person_id,
            department_id=order.department or _taken_from(before, life),
            case_id=order.target or (before.merged_into if order.action is CaseAction.UNMERGE else None),
            until=order.until or (answered.until if answered is not None else None),
            rating=order.rating,
        ),
    )


def _tell_former(conn: Connection[Any], case_id: int, step: Step, before: Life, life: Life) -> None:
    """Tell the department that had a case before it was given to another one (改派)."""
    if before.department_id is None or life.department_id in {None, before.department_id}:
        return
    store.add_event(
        conn,
        case_id,
        HistoryAction.TAKEN_AWAY.value,
        at=step.at,
        actor_id=step.person.user_id,
        named=store.Named(department_id=before.department_id),
    )


def _taken_from(before: Life, life: Life) -> int | None:
    """The department that a move takes a case from without giving it to another: it is to hear of it."""
    return before.department_id if life.department_id is None else None


def _other(conn: Connection[Any], case_id: int, order: Order) -> int | None:
    """The second case that a step concerns; before it merges or parts the two it is alone with that."""
    if order.action in {CaseAction.MERGE, CaseAction.UNMERGE}:
        store.lock_mergers(conn, alone=True)
    if order.action is CaseAction.UNMERGE:
        target: int | None = _queries.merge_target(conn, case_id=case_id)
        return target
    return order.target


def _locked(conn: Connection[Any], case_id: int, other: int | None = None) -> Any:
    ids = [case_id] if other is None else [case_id, other]
    rows = {row.id: row for row in _queries.cases_for_action(conn, case_ids=ids)}
    if case_id not in rows:
        raise NotFound("there is no such case in your scope")
    return rows[case_id]


def _standing(conn: Connection[Any], row: Any) -> Standing:
    waiting = list(_queries.petitions_of(conn, case_id=row.id))
    petitions = {Petition(asked.petition): Asked(asked.asked_by, asked.until) for asked in waiting}
    acted = {asked.asked_by: asked.asked_at for asked in waiting if asked.asked_by is not None}
    if row.resolved_by is not None and row.resolved_at is not None:
        acted[row.resolved_by] = min(row.resolved_at, acted.get(row.resolved_by, row.resolved_at))
    return Standing(Life.of(row), petitions, CaseOrigin(row.origin), independence.in_same_hands(conn, acted))


_NAMED = {CaseAction.VERIFY: ON_THE_SPOT, CaseAction.CHECK: CHECKERS}
"""Whom an order may name."""


def _check_person(conn: Connection[Any], account_id: int, action: CaseAction, area_path: str) -> None:
    person = _queries.person(conn, account_id=account_id)
    if person is None or not area_path.startswith(scope_of(person.area_code, person.area_path)):
        raise Invalid("nobody who could go there has this account")
    if person.role not in _NAMED.get(action, frozenset()):
        raise Invalid(f"the role {person.role} does not {action} cases")
