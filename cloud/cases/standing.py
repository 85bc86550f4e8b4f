"""Which row of the table applies to one case, one person and what he wants. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from cloud.access.model import Principal, Role
from cloud.cases.life import Asked, Life, Order
from cloud.cases.model import (
    IN_CHARGE,
    TRANSITIONS,
    CaseAction,
    CaseOrigin,
    CaseStatus,
    Guard,
    Need,
    Petition,
    Transition,
)
from cloud.errors import Forbidden, Invalid, TransitionRefused

REOPEN_WINDOW = timedelta(days=15)
BEST_RATING = 5
BAD_RATING = 2
"""At most so many of five stars: the case goes on."""

LONGEST_REST = timedelta(days=366)
"""No case is laid aside, or given more time, for longer at once."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the table needs to know of a case: its life, what was asked for and has no answer yet, and who found it.

    `hands`: of who acted on it, the accounts that count as the same person (`cloud.access.independence`).
    """

    life: Life
    petitions: Mapping[Petition, Asked] = field(default_factory=dict)
    origin: CaseOrigin = CaseOrigin.MACHINE
    hands: Mapping[int, frozenset[int]] = field(default_factory=dict)

    @property
    def status(self) -> CaseStatus:
        """Where it stands."""
        return self.life.status

    def is_same(self, account_id: int, acted: int | None) -> bool:
        """Whether an account is the one that acted, or counts as the same person."""
        return acted is not None and (account_id == acted or account_id in self.hands.get(acted, ()))


_NOTE_ALWAYS = frozenset({Need.NOTE})
_SAME_HANDS = "a second person is needed: the password of one of you was issued by the other, or of both by a third, too short a time ago"
_BY_PLACE = {(row.action, row.from_status): row for row in TRANSITIONS}


def actions_of(standing: Standing, person: Principal, *, now: datetime) -> tuple[CaseAction, ...]:
    """What a person may do to a case as it stands, in the order of the table."""
    return tuple(
        row.action
        for row in TRANSITIONS
        if row.from_status is standing.status and _hindrance(row, standing, person, now) is None
    )


def check_role(action: CaseAction, role: Role) -> None:
    """Raise Forbidden when a role may never do this, whatever the status."""
    if not any(row.action is action and role in row.roles for row in TRANSITIONS):
        raise Forbidden(f"the role {role} may not {action} cases")


def transition(standing: Standing, person: Principal, order: Order, *, now: datetime) -> Transition:
    """The row that applies.

    Raises Forbidden when the role or the person may not do it, TransitionRefused when the status or what was asked for does
    not allow it now, Invalid when something that it needs is missing, or something came that it does not take.
    """
    check_role(order.action, person.role)
    row = _BY_PLACE.get((order.action, standing.status))
    if row is None:
        raise TransitionRefused(f"a case that is {standing.status} can't be moved by {order.action}")
    hindrance = _hindrance(row, standing, person, now)
    if hindrance is not None:
        raise hindrance
    _check_given(row, order, now)
    _check_person(row, standing, order, person)
    if row.action is CaseAction.DISPATCH and order.department == standing.life.department_id:
        raise Invalid("this department has the case already; urge it instead")
    return row


def goes_on(life: Life, *, now: datetime) -> bool:
    """Whether a closed case has to be opened again, for it was rated badly while that could be."""
    return (
        life.status is CaseStatus.CLOSED
        and life.rating is not None
        and life.rating <= BAD_RATING
        and _is_recent(life, now)
    )


def rated_by_requester(life: Life, rating: int, *, rated_at: datetime | None) -> Life:
    """A case with the rating of one who asked for it; of several the worst counts, and the desk's own makes way.

    `rated_at` is when he rated it last. Raises TransitionRefused when it is not closed, or he has rated it since it was.
    """
    if life.status is not CaseStatus.CLOSED:
        raise TransitionRefused("a case is rated once it is closed")
    if has_rated(life.ended_at, rated_at):
        raise TransitionRefused("it has been rated already")
    if life.rated_by_requester and life.rating is not None:
        rating = min(rating, life.rating)
    return replace(life, rating=rating, rated_by_requester=True)


def has_rated(ended_at: datetime | None, rated_at: datetime | None) -> bool:
    """Whether somebody has rated a case since it was closed."""
    return rated_at is not None and (ended_at is None or rated_at >= ended_at)


def has(standing: Standing, person: Principal) -> bool:
    """Whether a case is this person's to handle: his department's, or his own."""
    if standing.life.department_id is not None:
        return standing.life.department_id == person.department_id
    return standing.life.worker_id == person.user_id


def _hindrance(
    row: Transition, standing: Standing, person: Principal, now: datetime
) -> Forbidden | TransitionRefused | None:
    """Why a row does not apply; None when it does."""
    life = standing.life
    if person.role not in row.roles:
        return Forbidden(f"the role {person.role} may not {row.action} a case that is {standing.status}")
    if Guard.HANDLER in row.guards and not _may_stand_in(row, person) and not has(standing, person):
        return Forbidden("this case is somebody else's to handle")
    if Guard.ANOTHER_PERSON in row.guards and standing.is_same(person.user_id, life.resolved_by):
        itself = life.resolved_by == person.user_id
        return Forbidden("who resolved a case does not check it himself; ask another person" if itself else _SAME_HANDS)
    refusal = _refusal(row, standing, now)
    return TransitionRefused(refusal) if refusal is not None else _petition_hindrance(row, standing, person, now)


def _refusal(row: Transition, standing: Standing, now: datetime) -> str | None:
    """What of the case stands against a row, whoever takes it."""
    life = standing.life
    if Guard.RECENT in row.guards and not _is_recent(life, now):
        return f"a case is opened again within {REOPEN_WINDOW.days} days; report a new one"
    if Guard.UNRATED in row.guards and life.rating is not None:
        return "it has been rated already"
    if Guard.REQUEST in row.guards and standing.origin is not CaseOrigin.REQUEST:
        return "only what a resident asked for is published"
    if Guard.PUBLISHED in row.guards and life.published_at is None:
        return "it is not published"
    return None


def _is_recent(life: Life, now: datetime) -> bool:
    return now - (life.ended_at or now) <= REOPEN_WINDOW


def _petition_hindrance(
    row: Transition, standing: Standing, person: Principal, now: datetime
) -> Forbidden | TransitionRefused | None:
    if row.asks in standing.petitions:
        return TransitionRefused(f"a {row.asks} has been asked for already and waits for an answer")
    if row.answers is None:
        return None
    asked = standing.petitions.get(row.answers)
    if asked is None:
        return TransitionRefused(f"nobody has asked for a {row.answers}")
    if standing.is_same(person.user_id, asked.by):
        return Forbidden("who asked for it does not answer it himself" if asked.by == person.user_id else _SAME_HANDS)
    if Need.NOTE not in row.needs and asked.until is not None and asked.until <= now:
        return TransitionRefused("the date that was asked for has passed; refuse it, and let a later one be asked for")
    return None


def _may_stand_in(row: Transition, person: Principal) -> bool:
    """Whoever is in charge does it in the handler's stead; a dispatcher where the row names him."""
    return person.role in IN_CHARGE or (person.role is Role.DISPATCHER and Role.DISPATCHER in row.roles)


def _check_given(row: Transition, order: Order, now: datetime) -> None:
    missing = row.needs - order.given
    if missing:
        raise Invalid(f"{row.action} needs a {', a '.join(sorted(missing))}")
    out_of_place = order.given - row.needs - _NOTE_ALWAYS
    if Need.REASON in out_of_place:
        raise Invalid(f"{row.action} takes no reason; say it in the note")
    if out_of_place:
        raise Invalid(f"{row.action} takes no {', no '.join(sorted(out_of_place))}")
    if order.until is not None and order.until <= now:
        raise Invalid("the date lies in the past")
    if order.until is not None and order.until - now > LONGEST_REST:
        raise Invalid(f"the date lies more than {LONGEST_REST.days} days ahead")
    if order.rating is not None and not 1 <= order.rating <= BEST_RATING:
        raise Invalid(f"a rating is 1 to {BEST_RATING}")


def _check_person(row: Transition, standing: Standing, order: Order, person: Principal) -> None:
    """Whom the order names: who verifies, who checks."""
    named = order.person
    if named is not None and row.action not in {CaseAction.VERIFY, CaseAction.CHECK}:
        raise Invalid(f"{row.action} takes no person")
    if row.action is CaseAction.VERIFY and named is None and person.role in {Role.INTAKE_CLERK, Role.DISPATCHER}:
        raise Invalid("say who verifies it: person")
    if named not in {None, person.user_id} and person.role is Role.GRID_WORKER:
        raise Forbidden("a grid worker goes himself; the grid lead or the desk sends others")
    if row.action is CaseAction.CHECK and standing.is_same(named or person.user_id, standing.life.resolved_by):
        raise Invalid("who resolved a case does not check it himself; name another person")
