"""Proposals (调参建议): a threshold that somebody wants in the next profile, with the figures that he saw, and what a maintainer says to it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from math import isfinite
from typing import Any, Final

from psycopg import Connection
from psycopg.types.json import Jsonb

from cloud.access import audit
from cloud.access.model import Principal, Role
from cloud.errors import Conflict, Forbidden, Invalid, NotFound, TransitionRefused
from cloud.verdicts import service, store
from cloud.verdicts.advice import Knob, Measure, Outcome, Side, alarms_of, weigh
from cloud.verdicts.patch import Change, fragment
from cloud.verdicts.service import RuleAdvice
from cloud.verdicts.store import VerdictFilter

ANSWERING: Final = frozenset({Role.MAINTAINER, Role.ADMINISTRATOR})
PROPOSING: Final = ANSWERING | {Role.DUTY_CHIEF}


class ProposalState(StrEnum):
    """What became of a proposal. 待定, 采纳, 不采纳, 撤回."""

    OPEN = "open"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A threshold for a rule of a device."""

    node: str
    device: str
    rule: str
    threshold: float
    side: Side = Side.ABOVE
    note: str | None = None


def propose(
    conn: Connection[Any],
    user: Principal,
    chosen: VerdictFilter,
    wish: Wish,
    *,
    zone: str,
    now: datetime,
    address: str,
) -> int:
    """Propose a threshold; its id comes back. The figures are counted now and kept.

    Raises NotFound; Invalid where there are too few judgements, where the threshold lies outside of what was recorded, or where it would have
    lost a true alarm that was high or critical; Conflict while a proposal for the same setting is open.
    """
    found = service.advice(conn, chosen, node=wish.node, device=wish.device, rule=wish.rule, side=wish.side, zone=zone)
    knob = _checked(found, wish.threshold)
    told = found.told
    proposal_id = store.insert_proposal(
        conn,
        node=wish.node,
        device=wish.device,
        device_kind=told.device_kind,
        area_path=told.area_path,
        rule=wish.rule,
        kind=told.kind,
        becomes=knob.becomes,
        zone=told.zone,
        point=told.point,
        severity=told.severity,
        category=told.category,
        setting=knob.setting,
        measure=knob.measure.value,
        side=wish.side.value,
        from_value=found.advice.lowest,
        to_value=wish.threshold,
        figures=Jsonb(service.frozen(found, chosen, wish.threshold)),
        note=wish.note or None,
        proposed_by=user.user_id,
        proposed_at=now,
    )
    if proposal_id is None:
        raise Conflict("a proposal for this setting is open already; answer it first")
    audit.write(
        conn,
        "rule.proposed",
        f"proposal:{proposal_id}",
        actor=user,
        area_path=told.area_path,
        address=address,
        detail={"node": wish.node, "device": wish.device, "rule": wish.rule, "to": wish.threshold},
    )
    return proposal_id


def _checked(found: RuleAdvice, threshold: float) -> Knob:
    advice = found.advice
    if advice.knob is None or advice.lowest is None or advice.outcome is Outcome.NO_THRESHOLD:
        raise Invalid("this kind of rule has no threshold that incidents could be compared with")
    if advice.outcome is Outcome.NOT_ENOUGH:
        raise Invalid("there are too few verdicts to propose anything")
    is_whole = threshold == int(threshold) if isfinite(threshold) else False
    if not isfinite(threshold) or (advice.knob.measure is Measure.COUNT and not is_whole):
        raise Invalid("a threshold is a number, and that of a count a whole one")
    alarms, _ = alarms_of(found.sightings, advice.side)
    reaches = [each.reach for each in alarms]
    sign = 1 if advice.side is Side.ABOVE else -1
    if sign * threshold <= sign * advice.lowest:
        raise Invalid("of what lies before the least that was told there is no record")
    candidate = weigh(alarms, threshold, advice.side)
    if candidate.lost_severe:
        raise Invalid(f"it would have lost {candidate.lost_severe} true alarms that were high or critical")
    if candidate.lost.part + candidate.saved.part == len(reaches):
        raise Invalid("nothing that was recorded reaches it")
    return advice.knob


def answer(
    conn: Connection[Any],
    user: Principal,
    proposal_id: int,
    state: ProposalState,
    *,
    note: str | None,
    now: datetime,
    address: str,
) -> None:
    """Accept or decline a proposal, or withdraw one's own. Raises NotFound, Forbidden, TransitionRefused."""
    if state is not ProposalState.WITHDRAWN and user.role not in ANSWERING:
        raise Forbidden("whether it goes into the next profile is a maintainer's to say")
    row = store.lock_proposal(conn, proposal_id, user.area_path)
    if row is None:
        raise NotFound("there is no such proposal in your scope")
    if row.state != ProposalState.OPEN or state is ProposalState.OPEN:
        raise TransitionRefused(f"a proposal that is {row.state} is not {state} any more")
    if state is ProposalState.WITHDRAWN and row.proposed_by != user.user_id:
        raise TransitionRefused("a proposal is withdrawn by whoever made it; decline it")
    store.answer_proposal(conn, proposal_id, state=state.value, by=user.user_id, at=now, answer=note or None)
    audit.write(
        conn,
        f"rule.{state}",
        f"proposal:{proposal_id}",
        actor=user,
        area_path=row.area_path,
        address=address,
        detail={"note": note},
    )


def patch_of(row: Any) -> str:
    """A proposal's row as a piece of configuration."""
    return fragment(
        Change(
            device=row.device,
            device_kind=row.device_kind,
            rule=row.rule,
            kind=row.becomes or row.kind,
            zone=row.zone,
            point=row.point,
            severity=row.severity,
            category=row.category,
            setting=row.setting,
            measure=Measure(row.measure),
            side=Side(row.side),
            threshold=row.to_value,
        )
    )
