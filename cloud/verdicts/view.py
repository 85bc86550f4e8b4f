"""What the API and the command line tell of verdicts."""

from collections.abc import Iterable, Mapping
from typing import Any, Self

from pydantic import AwareDatetime, BaseModel

from cloud.access.model import Principal
from cloud.verdicts import service
from cloud.verdicts.advice import Alarm, Candidate, Hint, HintCode, Measure, Outcome, Side
from cloud.verdicts.model import Verdict
from cloud.verdicts.patch import setting_of
from cloud.verdicts.precision import Cell, Share
from cloud.verdicts.proposals import ProposalState, patch_of
from cloud.verdicts.service import RuleAdvice, Table
from edge.contract.birth import DeviceKind
from edge.contract.incident import Severity

MOST_ALARMS = 200


class ShareView(BaseModel):
    """`part` of `whole`; the true share lies between `low` and `high` (Wilson, 95 %). `few`: say so many of so many, no percentage."""

    part: int
    whole: int
    low: float
    high: float
    few: bool

    @classmethod
    def of(cls, share: Share) -> Self:
        """As it is told, in no more digits than it has."""
        return cls(
            part=share.part, whole=share.whole, low=round(share.low, 4), high=round(share.high, 4), few=share.is_few
        )


class VerdictCell(BaseModel):
    """What people found at one place; what is not told apart is null. `device_id` where the device is registered, which may be a
    simulated one.
    """

    node: str | None
    device: str | None
    device_id: int | None = None
    device_name: str | None = None
    simulated: bool = False
    rule: str | None
    rule_version: str | None
    rule_sha256: str | None
    kind: str | None
    model: str | None
    model_version: str | None
    model_sha256: str | None
    hour: int | None
    judgements: dict[Verdict, int]
    reasons: dict[str, int]
    incidents: int
    precision: ShareView

    @classmethod
    def of(cls, cell: Cell, devices: Mapping[tuple[str, str], Any]) -> Self:
        """With the title of its device."""
        place = cell.place
        known = devices.get((place.node or "", place.device or ""))
        return cls(
            **{name: getattr(place, name) for name in type(place).__dataclass_fields__},
            device_id=known.id if known is not None else None,
            device_name=known.title if known is not None else place.device,
            simulated=known is not None and known.simulated,
            judgements=cell.judgements,
            reasons=cell.reasons,
            incidents=cell.incidents,
            precision=ShareView.of(cell.precision),
        )


class VerdictTable(BaseModel):
    """Precision by place. Of `incidents` that came in the span only `judged` have a verdict: those that somebody went to see."""

    since: AwareDatetime
    until: AwareDatetime
    cells: list[VerdictCell]
    incidents: int
    judged: int
    cut: bool

    @classmethod
    def of(cls, table: Table, devices: Mapping[tuple[str, str], Any], **span: Any) -> Self:
        """Over a span."""
        return cls(
            cells=[VerdictCell.of(each, devices) for each in table.cells],
            incidents=table.incidents,
            judged=table.judged,
            cut=table.is_cut,
            **span,
        )


class HourCell(BaseModel):
    """What was found in one local hour."""

    hour: int
    precision: ShareView


class CandidateView(BaseModel):
    """A threshold: `lost` of the true alarms, `lost_severe` of them high or critical, `saved` of the false ones."""

    threshold: float
    lost: ShareView
    lost_severe: int
    saved: ShareView

    @classmethod
    def of(cls, candidate: Candidate) -> Self:
        """As it is told."""
        return cls(
            threshold=candidate.threshold,
            lost=ShareView.of(candidate.lost),
            lost_severe=candidate.lost_severe,
            saved=ShareView.of(candidate.saved),
        )


class TrueAlarm(BaseModel):
    """A case that was true, and how far it reached: any threshold beyond `reach` would have lost it."""

    case_id: int
    case_number: str
    severity: Severity
    reach: float

    @classmethod
    def of(cls, alarm: Alarm) -> Self:
        """As it is told."""
        return cls(case_id=alarm.case_id, case_number=alarm.case_number, severity=alarm.severity, reach=alarm.reach)


class HintView(BaseModel):
    """What else could be done: `schedule` names hours, the others the share of a reason among the false alarms."""

    code: HintCode
    share: ShareView
    hours: list[int]

    @classmethod
    def of(cls, hint: Hint) -> Self:
        """As it is told."""
        return cls(code=hint.code, share=ShareView.of(hint.share), hours=list(hint.hours))


class AdviceView(BaseModel):
    """What can be said of a rule's threshold from its own verdicts.

    `lowest` is the least that was ever told: of what lies before it there is no record. `brief`: the rule also asks that it lasts, which
    incidents do not tell, so that more may be lost. `missing`: so many judgements more are needed. `earlier`: judged incidents from when the
    rule was set otherwise, which do not count. `true_alarms` are those that would be lost first, at most 200.
    """

    node: str
    device: str
    rule: str
    kind: str
    zone: str | None
    outcome: Outcome
    setting: str | None
    measure: Measure | None
    becomes: str | None
    side: Side
    brief: bool
    lowest: float | None
    judgements: int
    missing: dict[str, int]
    unmeasured: int
    earlier: int
    cut: bool
    advised: CandidateView | None
    candidates: list[CandidateView]
    true_alarms: list[TrueAlarm]
    hours: list[HourCell]
    hints: list[HintView]

    @classmethod
    def of(cls, found: RuleAdvice) -> Self:
        """As it is told."""
        advice, knob = found.advice, found.advice.knob
        return cls(
            node=found.node,
            device=found.device,
            rule=found.rule,
            kind=found.told.kind,
            zone=found.told.zone,
            outcome=advice.outcome,
            setting=setting_of(knob.setting, advice.side) if knob else None,
            measure=knob.measure if knob else None,
            becomes=knob.becomes if knob else None,
            side=advice.side,
            brief=knob.brief if knob else False,
            lowest=advice.lowest,
            judgements=len({each.event_id for each in found.sightings}),
            missing={
                "judgements": advice.needed.judgements,
                "false_alarms": advice.needed.false_alarms,
                "true_alarms": advice.needed.true_alarms,
            },
            unmeasured=advice.unmeasured,
            earlier=found.earlier,
            cut=found.is_cut,
            advised=CandidateView.of(advice.advised) if advice.advised else None,
            candidates=[CandidateView.of(each) for each in advice.candidates],
            true_alarms=[TrueAlarm.of(each) for each in advice.true_alarms[:MOST_ALARMS]],
            hours=[
                HourCell(hour=each.place.hour or 0, precision=ShareView.of(each.precision))
                for each in service.hours_of(found.sightings)
            ],
            hints=[HintView.of(each) for each in found.hints],
        )


_PLAIN = (
    *(
        "id",
        "node",
        "device",
        "device_id",
        "device_name",
        "simulated",
        "rule",
        "kind",
        "becomes",
        "zone",
        "measure",
        "side",
        "from_value",
    ),
    *("to_value", "figures", "note", "proposed_at", "state", "answered_at", "answer"),
)


class Proposal(BaseModel):
    """A threshold for the next profile. `patch` is the piece of configuration; `triable`: the cloud's rules-try takes it for this device;
    `mine`: whoever asks has made it, and may withdraw it.
    """

    id: int
    node: str
    device: str
    device_id: int | None
    device_name: str
    simulated: bool
    rule: str
    kind: str
    becomes: str | None
    zone: str | None
    setting: str
    measure: Measure
    side: Side
    from_value: float | None
    to_value: float
    figures: dict[str, Any]
    note: str | None
    proposed_by: str
    proposed_at: AwareDatetime
    state: ProposalState
    answered_by: str | None
    answered_at: AwareDatetime | None
    answer: str | None
    patch: str
    triable: bool
    mine: bool

    @classmethod
    def of(cls, row: Any, reader: Principal) -> Self:
        """Of a row of `store.proposals`, for somebody's eyes."""
        return cls(
            **{name: getattr(row, name) for name in _PLAIN},
            setting=setting_of(row.setting, Side(row.side)),
            proposed_by=row.proposer,
            answered_by=row.answerer,
            patch=patch_of(row),
            triable=row.device_kind == DeviceKind.CAMERA and row.device_id is not None,
            mine=row.proposed_by == reader.user_id,
        )


def named(cells: Iterable[Cell]) -> set[tuple[str, str]]:
    """The devices of these cells."""
    places = (each.place for each in cells)
    return {(each.node, each.device) for each in places if each.node is not None and each.device is not None}
