"""Advice for a rule from its own verdicts (阈值建议): what another threshold would have cost and saved. Pure.

Only what was told is known: of what lay below the present threshold there is no record, so that no lower one is advised. A judgement is
a case, and its alarm would have been spared only if none of its incidents of this rule had reached the threshold.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import ceil, floor, log10
from typing import Final

from cloud.verdicts.model import RIGHT, Verdict
from cloud.verdicts.precision import Share
from edge.contract.incident import IncidentKind, Severity

LEAST_JUDGEMENTS: Final = 20
LEAST_FALSE: Final = 5
LEAST_TRUE: Final = 3
"""Fewer say too little of what would be lost."""

MOST_CANDIDATES: Final = 40
LEAST_IN_HOUR: Final = 8
HOPELESS: Final = 0.25
"""An hour is named where even the upper end of the interval of its precision lies below this."""

_SEVERE = frozenset({Severity.HIGH, Severity.CRITICAL})


class Measure(StrEnum):
    """What an incident says of how long, how many or how far; a column of it."""

    DWELL_S = "dwell_s"
    COUNT = "count"
    VALUE = "value"


class Side(StrEnum):
    """On which side of its limit a rule tells."""

    ABOVE = "above"
    BELOW = "below"


@dataclass(frozen=True, slots=True)
class Knob:
    """What of a rule can be turned: its setting, the incidents' measure that it is compared with. `becomes`: the kind of rule that has such
    a setting, where this one has none. `brief`: the rule also asks that it lasts, which the measure does not tell: more may be lost.
    """

    measure: Measure
    setting: str
    becomes: str | None = None
    brief: bool = False


KNOBS: Final[dict[str, Knob]] = {
    IncidentKind.LOITERING: Knob(Measure.DWELL_S, "limit_s"),
    IncidentKind.VEHICLE_DWELL: Knob(Measure.DWELL_S, "limit_s"),
    IncidentKind.ABANDONED_OBJECT: Knob(Measure.DWELL_S, "for_s"),
    IncidentKind.BIN_OVERFLOW: Knob(Measure.DWELL_S, "for_s"),
    IncidentKind.LITTER: Knob(Measure.DWELL_S, "for_s"),
    IncidentKind.INTRUSION: Knob(Measure.DWELL_S, "limit_s", becomes=IncidentKind.LOITERING.value),
    IncidentKind.CROWD: Knob(Measure.COUNT, "at_least", brief=True),
    IncidentKind.THRESHOLD: Knob(Measure.VALUE, "above", brief=True),
}
"""By kind of rule. Others have nothing that an incident could be compared with; and nobody is to lie longer because of false alarms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A judged incident of the rule. `severity` is the higher one of the incident's and its case's."""

    event_id: int
    case_id: int
    case_number: str
    verdict: Verdict
    reason: str | None
    severity: Severity
    measured: float | None
    hour: int


@dataclass(frozen=True, slots=True)
class Alarm:
    """One judgement with the measure of the incident that reached farthest; a true one that is `severe` is never given up."""

    case_id: int
    case_number: str
    is_right: bool
    severity: Severity
    reach: float

    @property
    def is_severe(self) -> bool:
        """True, and high or critical."""
        return self.is_right and self.severity in _SEVERE


@dataclass(frozen=True, slots=True)
class Candidate:
    """A threshold: of all true alarms so many would have been lost, of all false ones so many spared."""

    threshold: float
    lost: Share
    lost_severe: int
    saved: Share


class Outcome(StrEnum):
    """What the advice comes to."""

    ADVISED = "advised"
    NOT_ENOUGH = "not_enough"
    NOTHING_SAFE = "nothing_safe"
    NO_THRESHOLD = "no_threshold"


@dataclass(frozen=True, slots=True)
class Needed:
    """How many judgements are still missing before anything is advised."""

    judgements: int
    false_alarms: int
    true_alarms: int

    @property
    def is_nothing(self) -> bool:
        """Whether there are enough."""
        return not (self.judgements or self.false_alarms or self.true_alarms)


@dataclass(frozen=True, slots=True)
class Advice:
    """What can be said of a rule's threshold. `lowest` is the least that was ever told: nothing is known of what lies below (above, with
    `Side.BELOW`). `unmeasured` alarms carry no figure and are left out.
    """

    outcome: Outcome
    knob: Knob | None
    side: Side
    lowest: float | None
    needed: Needed
    unmeasured: int
    candidates: tuple[Candidate, ...]
    advised: Candidate | None
    true_alarms: tuple[Alarm, ...]


def advise(kind: str, sightings: Sequence[Sighting], side: Side = Side.ABOVE) -> Advice:
    """Weigh the thresholds of a rule of this kind. Advised is the one that spares the most false alarms and would have lost no true one."""
    knob = KNOBS.get(kind)
    if knob is None:
        return Advice(Outcome.NO_THRESHOLD, None, side, None, Needed(0, 0, 0), 0, (), None, ())
    alarms, unmeasured = alarms_of(sightings, side)
    needed = _needed(alarms)
    reaches = [each.reach for each in alarms]
    lowest = (min(reaches) if side is Side.ABOVE else max(reaches)) if reaches else None
    candidates = tuple(_candidates(alarms, knob.measure, side))
    safe = [each for each in candidates if each.lost.part == 0 and each.saved.part > 0]
    # of those that spare as many the mildest: nothing more is given up than has to be
    best = max(safe, key=lambda each: each.saved.part, default=None)
    outcome = Outcome.ADVISED if best is not None else Outcome.NOTHING_SAFE
    if not needed.is_nothing:
        outcome, best = Outcome.NOT_ENOUGH, None
    true = sorted(
        (each for each in alarms if each.is_right), key=lambda each: (_signed(each.reach, side), each.case_id)
    )
    return Advice(outcome, knob, side, lowest, needed, unmeasured, candidates, best, tuple(true))


def alarms_of(sightings: Iterable[Sighting], side: Side) -> tuple[list[Alarm], int]:
    """One alarm for each decided judgement, and how many have no figure at all."""
    by_event: dict[int, list[Sighting]] = {}
    for each in sightings:
        if each.verdict in RIGHT or each.verdict is Verdict.FALSE_ALARM:
            by_event.setdefault(each.event_id, []).append(each)
    alarms, unmeasured = [], 0
    for _, group in sorted(by_event.items()):
        measured = [each.measured for each in group if each.measured is not None]
        if not measured:
            unmeasured += 1
            continue
        first = group[0]
        worst = max((each.severity for each in group), key=lambda severity: severity.rank)
        reach = max(measured) if side is Side.ABOVE else min(measured)
        alarms.append(Alarm(first.case_id, first.case_number, first.verdict in RIGHT, worst, reach))
    return alarms, unmeasured


def weigh(alarms: Iterable[Alarm], threshold: float, side: Side = Side.ABOVE) -> Candidate:
    """What a threshold would have cost and saved: an alarm stays that reaches it."""
    lost = severe = saved = true = false = 0
    for each in alarms:
        gone = _signed(each.reach, side) < _signed(threshold, side)
        true, false = true + each.is_right, false + (not each.is_right)
        lost += gone and each.is_right
        severe += gone and each.is_severe
        saved += gone and not each.is_right
    return Candidate(threshold, Share.of(lost, true), severe, Share.of(saved, false))


def _signed(value: float, side: Side) -> float:
    return value if side is Side.ABOVE else -value


def _needed(alarms: Sequence[Alarm]) -> Needed:
    right = sum(each.is_right for each in alarms)
    return Needed(
        max(0, LEAST_JUDGEMENTS - len(alarms)),
        max(0, LEAST_FALSE - (len(alarms) - right)),
        max(0, LEAST_TRUE - right),
    )


def _candidates(alarms: Sequence[Alarm], measure: Measure, side: Side) -> list[Candidate]:
    """What lies just past each false alarm, mildest first; a part of them where there are many.

    Of thresholds that would have done the same the roundest one stands for all: nobody sets 60.001 s where 61 s does.
    """
    reaches = {each.reach for each in alarms if not each.is_right}
    thresholds = {past(each, measure, side) for each in reaches for past in (_past, _just_past)}
    by_effect: dict[tuple[int, int], Candidate] = {}
    for threshold in sorted(thresholds, key=lambda each: (_decimals(each), _signed(each, side))):
        candidate = weigh(alarms, threshold, side)
        by_effect.setdefault((candidate.lost.part, candidate.saved.part), candidate)
    ordered = sorted(by_effect.values(), key=lambda each: _signed(each.threshold, side))
    if len(ordered) <= MOST_CANDIDATES:
        return ordered
    step = (len(ordered) - 1) / (MOST_CANDIDATES - 1)
    return [ordered[round(place * step)] for place in range(MOST_CANDIDATES)]


def _decimals(value: float) -> int:
    return next((digits for digits in range(7) if round(value, digits) == value), 7)


def _just_past(reach: float, measure: Measure, side: Side) -> float:
    """The nearest figure that this alarm does not reach: the next whole one of a count, else a thousandth on."""
    if measure is Measure.COUNT:
        return reach + 1 if side is Side.ABOVE else reach - 1
    return round(reach + (0.001 if side is Side.ABOVE else -0.001), 3)


def _past(reach: float, measure: Measure, side: Side) -> float:
    """A figure as people set it that this alarm does not reach."""
    if measure is Measure.COUNT:
        return _just_past(reach, measure, side)
    step = _step(reach, measure)
    if side is Side.ABOVE:
        return round((floor(reach / step) + 1) * step, 6)
    return round((ceil(reach / step) - 1) * step, 6)


def _step(reach: float, measure: Measure) -> float:
    """How finely people set it: whole seconds up to five minutes, then in fives, in halves of a minute from an hour; values in two digits."""
    size = abs(reach)
    if measure is Measure.DWELL_S:
        return 1.0 if size < 300 else 5.0 if size < 3_600 else 30.0
    return float(10.0 ** (floor(log10(size)) - 1)) if size >= 1e-6 else 0.1


class HintCode(StrEnum):
    """What else could be done."""

    SCHEDULE = "schedule"
    """In these hours it is hardly ever true: arm it for the others."""
    MASK = "mask"
    """Weather or light: cover the part of the picture, or draw the zone anew."""
    ANIMALS = "animals"
    PERMISSION = "permission"
    """People who may be there: a schedule, or a smaller zone."""
    MODEL = "model"
    """Seen what was not there: pictures for training."""


_HINT_OF_REASON = {
    "weather": HintCode.MASK,
    "light": HintCode.MASK,
    "animal": HintCode.ANIMALS,
    "authorised": HintCode.PERMISSION,
    "misdetection": HintCode.MODEL,
}


@dataclass(frozen=True, slots=True)
class Hint:
    """A hint with the figures that it rests on: of false alarms the share of its reasons, or of the hours the precision."""

    code: HintCode
    share: Share
    hours: tuple[int, ...] = ()


def hints(sightings: Sequence[Sighting]) -> tuple[Hint, ...]:
    """What the hours and the reasons suggest; nothing where there is too little, or where a severe one was true in an hour."""
    decided: dict[int, Sighting] = {
        each.event_id: each for each in sightings if each.verdict in RIGHT or each.verdict is Verdict.FALSE_ALARM
    }
    return (*_by_hour(list(decided.values())), *_by_reason(list(decided.values())))


def _by_hour(decided: Sequence[Sighting]) -> list[Hint]:
    hopeless: list[int] = []
    total = right = 0
    for hour in range(24):
        here = [each for each in decided if each.hour == hour]
        true = [each for each in here if each.verdict in RIGHT]
        share = Share.of(len(true), len(here))
        if len(here) >= LEAST_IN_HOUR and share.high < HOPELESS and not any(each.severity in _SEVERE for each in true):
            hopeless.append(hour)
            total, right = total + len(here), right + len(true)
    return [Hint(HintCode.SCHEDULE, Share.of(right, total), tuple(hopeless))] if hopeless else []


def _by_reason(decided: Sequence[Sighting]) -> list[Hint]:
    false = [each for each in decided if each.verdict is Verdict.FALSE_ALARM]
    if len(false) < LEAST_FALSE:
        return []
    counts: dict[HintCode, int] = {}
    for each in false:
        code = _HINT_OF_REASON.get(each.reason or "")
        if code is not None:
            counts[code] = counts.get(code, 0) + 1
    found = [Hint(code, Share.of(count, len(false))) for code, count in counts.items()]
    return sorted((each for each in found if each.share.low >= 0.2), key=lambda each: -each.share.part)
