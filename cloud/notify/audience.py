"""Who is told of a fact: from those who could be, those in whose hands it is. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from cloud.access.model import Role
from cloud.cases.model import STAGE_OF, Stage
from cloud.notify.model import Audience, Called, Candidate, Happening, Urgency
from cloud.notify.rules import RULES, Call, Rule
from edge.contract.incident import Severity

_ROLES = {
    Audience.DISPATCHER: (Role.DISPATCHER, Role.DUTY_CHIEF),
    Audience.CLERK: (Role.INTAKE_CLERK,),
    Audience.WORKER: (Role.GRID_WORKER, Role.GRID_LEAD, Role.DUTY_CHIEF),
    Audience.LEAD: (Role.GRID_LEAD,),
}
"""Of which role those are who are meant, and who hears of it where nobody has that role."""
_LEVELS = {Severity.LOW: 1, Severity.MEDIUM: 1, Severity.HIGH: 2, Severity.CRITICAL: 99}
"""How many levels of duty chiefs hear of it, from the nearest up: the community, the street, the district."""


def rule_of(happening: Happening) -> Rule | None:
    """The rule for a fact; None where it tells nobody."""
    rule = RULES.get(happening.word)
    if rule is None or (happening.late and not rule.rings_if_late):
        return None
    return rule


def called(happening: Happening, candidates: Iterable[Candidate]) -> list[Called]:
    """Who is told, each once, at the loudest that any of his capacities asks for; never the one who did it.

    Nobody is told of a case outside of his scope: he could not open it.
    """
    rule = rule_of(happening)
    if rule is None:
        return []
    found: dict[int, Called] = {}
    for call, candidate in _meant(rule, happening, candidates):
        urgency = _urgency(call.urgency, rule, happening)
        known = found.get(candidate.account_id)
        if candidate.account_id == happening.actor_id or (known and known.urgency.rank >= urgency.rank):
            continue
        found[candidate.account_id] = Called(candidate.account_id, call.to, urgency, candidate.on_duty)
    return [found[account_id] for account_id in sorted(found)]


def is_unheard(happening: Happening, candidates: Iterable[Candidate]) -> bool:
    """Whether a fact about a running case that ought to ring has nobody at all whom it could be told to.

    Whoever did it himself and has the next step himself knows of it.
    """
    rule = rule_of(happening)
    if rule is None or STAGE_OF[happening.status] is None:
        return False
    rings = any(call.urgency.rank >= Urgency.RING.rank for call in rule.calls)
    return rings and next(_meant(rule, happening, candidates), None) is None


def _meant(rule: Rule, happening: Happening, candidates: Iterable[Candidate]) -> Iterator[tuple[Call, Candidate]]:
    within = [each for each in candidates if happening.area_path.startswith(each.area_path)]
    return ((call, each) for call in rule.calls for each in select(call.to, happening, within))


def _urgency(urgency: Urgency, rule: Rule, happening: Happening) -> Urgency:
    if rule.by_severity and urgency is Urgency.RING and happening.severity is Severity.LOW:
        return Urgency.DIGEST
    return urgency


def select(audience: Audience, happening: Happening, within: Sequence[Candidate]) -> list[Candidate]:
    """Those whom an audience means, of people in whose scope the case lies."""
    match audience:
        case Audience.RESPONSIBLE:
            return _responsible(happening, within)
        case Audience.NAMED | Audience.HOLDER:
            return _one(happening.person_id if audience is Audience.NAMED else happening.holder_id, within)
        case Audience.DEPARTMENT:
            ids = {happening.department_id, happening.handler_id}
            return [person for each in ids if each is not None for person in _department(each, within)]
        case Audience.OFFERED | Audience.FORMER:
            meant = happening.offered_ids if audience is Audience.OFFERED else {happening.department_id}
            return [each for each in within if each.department_id is not None and each.department_id in meant]
        case Audience.CHIEF:
            return _nearest(Role.DUTY_CHIEF, within, levels=_LEVELS[happening.severity])
        case _:
            return _first(_ROLES[audience], within)


def _first(roles: Sequence[Role], within: Sequence[Candidate]) -> list[Candidate]:
    """The nearest of the first of these roles that anybody has: a role may have come after those who are here."""
    return next((found for role in roles if (found := _nearest(role, within, levels=1))), [])


def _department(department_id: int, within: Sequence[Candidate]) -> list[Candidate]:
    """The people of a department; where it has no account here, those who can call it or give the case to another."""
    people = [each for each in within if each.department_id == department_id]
    return people or _first(_ROLES[Audience.DISPATCHER], within)


def _one(account_id: int | None, within: Sequence[Candidate]) -> list[Candidate]:
    return [each for each in within if each.account_id == account_id]


def _responsible(happening: Happening, within: Sequence[Candidate]) -> list[Candidate]:
    """Whose turn it is. Where that is one person who can't be told, the group that could do it instead."""
    match STAGE_OF[happening.status]:
        case Stage.VERIFYING:
            return _one(happening.holder_id, within) or _first(_ROLES[Audience.WORKER], within)
        case Stage.DISPATCHING:
            return _first(_ROLES[Audience.DISPATCHER], within)
        case Stage.CHECKING:
            return _one(happening.checker_id, within) or _nearest(Role.DUTY_CHIEF, within, levels=1)
        case None:
            return []
        case _:
            if happening.handler_id is not None:
                return _department(happening.handler_id, within)
            return _one(happening.holder_id, within) or _first(_ROLES[Audience.DISPATCHER], within)


def _nearest(role: Role, within: Sequence[Candidate], *, levels: int) -> list[Candidate]:
    """Those of a role on the nearest levels that have any; on each level those on duty, or all where nobody is."""
    of_role = [each for each in within if each.role is role]
    paths = sorted({each.area_path for each in of_role}, key=len, reverse=True)[:levels]
    chosen: list[Candidate] = []
    for path in paths:
        here = [each for each in of_role if each.area_path == path]
        chosen += [each for each in here if each.on_duty] or here
    return chosen
