"""What rules on readings are configured with. All durations are seconds of event time."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from edge.contract.incident import Severity
from edge.contract.safety import SafetyFault
from edge.settings.fields import Identifier, Seconds, Strict
from edge.settings.rule import RuleSettings

Limit = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, le=1e12, allow_inf_nan=False)]
Lasting = Annotated[float, Field(gt=0, le=7 * 86_400, allow_inf_nan=False)]


class ReadingRuleBase(RuleSettings):
    """What all rules on readings have. `incident_kind` is what an incident of it is called, where that is not the rule's own kind: the
    event of a button `sos`.
    """

    incident_kind: Identifier | None = None


class Act(StrEnum):
    """What a node does by itself when a rule opens (保护动作)."""

    STOP_CHARGE = "stop_charge"
    """停止充电"""


class ActingSettings(Strict):
    """What a rule does besides telling. With `act: stop_charge` the charge is stopped at once, where the device allows it, and its meter
    has to say within `confirm_s` that nothing flows any more: at most `zero_a` ampere, or `zero_w` watt where it has no ammeter. Such a
    rule has no schedule, folding or cool-down: what is too hot and not told would not be stopped.
    """

    act: Act | None = None
    confirm_s: Annotated[float, Field(ge=1, le=600, allow_inf_nan=False)] = 30.0
    zero_a: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] = 0.2
    zero_w: Annotated[float, Field(ge=0, le=500, allow_inf_nan=False)] = 20.0


class ThresholdSettings(ReadingRuleBase, ActingSettings):
    """The point lies above (or below) a limit for `for_s` seconds; it ends once it has been past `clear` for `clear_for_s`."""

    kind: Literal["threshold"]
    point: Identifier
    above: Limit | None = None
    below: Limit | None = None
    clear: Limit | None = None
    for_s: Seconds = 0.0
    clear_for_s: Seconds = 0.0
    severity: Severity = Severity.HIGH
    category: Identifier = "fire_safety"


class RateOfChangeSettings(ReadingRuleBase):
    """The point rises (or falls) by at least so much within `over_s` seconds; it ends once it has changed by less than `clear` (the half,
    where nothing is said) for `clear_for_s`.
    """

    kind: Literal["rate_of_change"]
    point: Identifier
    rise: Positive | None = None
    fall: Positive | None = None
    over_s: Annotated[float, Field(ge=1, le=86_400, allow_inf_nan=False)]
    clear: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    clear_for_s: Seconds = 0.0
    severity: Severity = Severity.HIGH
    category: Identifier = "fire_safety"


class StaleSettings(ReadingRuleBase):
    """A number that says nothing new: nothing is heard of it for `silent_s` seconds, or it has stood still for `frozen_s` though it is
    told. One of both is needed; the incident's note tells them apart.
    """

    kind: Literal["stale"]
    point: Identifier
    silent_s: Lasting | None = None
    frozen_s: Lasting | None = None
    severity: Severity = Severity.MEDIUM
    category: Identifier = "maintenance"


States = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=200)], ...], Field(max_length=64)]


class StateSettings(ReadingRuleBase):
    """A state has been one of `states` for `for_s` seconds; it is over once it has been none of them for `clear_for_s`. A state holds until
    another one is told.
    """

    kind: Literal["state"]
    point: Identifier
    states: Annotated[States, Field(min_length=1)]
    for_s: Seconds = 0.0
    clear_for_s: Seconds = 0.0
    severity: Severity = Severity.MEDIUM
    category: Identifier = "maintenance"


class EventSettings(ReadingRuleBase):
    """Something has happened: each occurrence (of one of `values`, where those are given) is an incident, open for `hold_s` seconds; what
    follows within `fold_s` after that joins it and is counted.
    """

    kind: Literal["event"]
    point: Identifier
    values: States = ()
    hold_s: Seconds = 60.0
    severity: Severity = Severity.HIGH
    category: Identifier = "public_safety"


class DeviceFaultSettings(ReadingRuleBase, ActingSettings):
    """The device says that something is wrong with it, in its states `faults` or as the reason for which a charge was stopped. Each member
    of the taxonomy is an incident for each connector; severity and category are those of the taxonomy where none are given.

    `faults` are all that count (none: every one), `ignored` do not. A fault is over once it has been gone for `clear_for_s`; one that
    is told as a stop's reason only is over `hold_s` later.
    """

    kind: Literal["device_fault"]
    faults: Annotated[tuple[SafetyFault, ...], Field(max_length=64)] = ()
    ignored: Annotated[tuple[SafetyFault, ...], Field(max_length=64)] = ()
    clear_for_s: Seconds = 0.0
    hold_s: Seconds = 120.0
    severity: Severity | None = None
    category: Identifier | None = None


class OverlongChargeSettings(ReadingRuleBase):
    """A charge (超时充电) has lasted for `limit_s` seconds from its own start; it is over when the charge is."""

    kind: Literal["overlong_charge"]
    point: Identifier = "charging"
    limit_s: Lasting = 10 * 3600.0
    severity: Severity = Severity.HIGH
    category: Identifier = "fire_safety"


class LostWhileChargingSettings(ReadingRuleBase):
    """Contact with the device was lost for `for_s` seconds while something was charged at it; it is over when it is back.

    Where the last temperature was at least `hot_c` it is critical, and where all that was drawn at the end was at most
    `idle_w` watt it is one severity less bad than `severity`.
    """

    kind: Literal["lost_while_charging"]
    for_s: Seconds = 60.0
    hot_c: Annotated[float, Field(ge=-50, le=500, allow_inf_nan=False)] = 60.0
    idle_w: Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)] = 10.0
    severity: Severity = Severity.HIGH
    category: Identifier = "fire_safety"


ReadingRuleSettings = Annotated[
    ThresholdSettings
    | RateOfChangeSettings
    | StaleSettings
    | StateSettings
    | EventSettings
    | DeviceFaultSettings
    | OverlongChargeSettings
    | LostWhileChargingSettings,
    Field(discriminator="kind"),
]
"""Every rule on the readings of one device."""
