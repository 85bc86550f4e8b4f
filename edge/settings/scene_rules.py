"""What rules on a camera's picture are configured with."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from edge.contract.incident import CameraTrouble, Severity
from edge.settings.fields import Classes, Identifier, Seconds, UnitInterval
from edge.settings.rule import RuleSettings


class IntrusionSettings(RuleSettings):
    """Someone of `classes` stands in the zone; a track counts once sure detections have confirmed it.

    Fire and smoke are a place for a model only: with one of one's own that knows them (`gridward-edge models import`), `classes: [fire,
    smoke]` and `category: fire_safety` tell of them. Nothing in this program finds them without, by colour or by movement.
    """

    kind: Literal["intrusion"]
    zone: Identifier
    classes: Classes = ("person",)
    severity: Severity = Severity.MEDIUM
    category: Identifier = "public_order"


class LoiteringSettings(RuleSettings):
    """The same track stays in the zone for `limit_s` seconds, first to last sight."""

    kind: Literal["loitering"]
    zone: Identifier
    limit_s: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
    classes: Classes = ("person",)
    severity: Severity = Severity.HIGH
    category: Identifier = "public_order"


class Direction(StrEnum):
    """How a directed line is crossed, as seen by one who walks from its first to its second point."""

    IN = "in"
    """From the left hand to the right: downwards over a line that is drawn from left to right."""
    OUT = "out"


MOTION = "motion"
"""Of a line crossing's classes the one that no model has to know: whatever moves."""


class LineCrossingSettings(RuleSettings):
    """Tracks of `classes` are counted as they cross the line, per direction in intervals of `interval_s`; a direction that is
    `forbidden` is an incident as well. Who has not been `margin` (a share of the picture) beyond the line on both sides has
    not crossed it.
    """

    kind: Literal["line_crossing"]
    line: Identifier
    classes: Classes = ("person",)
    forbidden: Annotated[tuple[Direction, ...], Field(max_length=2)] = ()
    interval_s: Annotated[int, Field(ge=10, le=3600)] = 60
    margin: Annotated[float, Field(gt=0, le=0.25, allow_inf_nan=False)] = 0.015
    severity: Severity = Severity.MEDIUM
    category: Identifier = "public_order"


class CrowdSettings(RuleSettings):
    """At least `at_least` are in the zone for `for_s` seconds; it is over once there were fewer than `still_from` (as many, where
    nothing else is said) for `clear_for_s`.
    """

    kind: Literal["crowd"]
    zone: Identifier
    at_least: Annotated[int, Field(ge=2, le=100)]
    still_at_least: Annotated[int, Field(ge=1, le=100)] | None = None
    for_s: Seconds = 10.0
    clear_for_s: Seconds = 10.0
    classes: Classes = ("person",)
    severity: Severity = Severity.HIGH
    category: Identifier = "public_order"

    @property
    def still_from(self) -> int:
        """From how many on it is still a crowd."""
        return self.at_least if self.still_at_least is None else self.still_at_least


class VehicleDwellSettings(RuleSettings):
    """A vehicle stands in the zone (a fire lane, an entrance) for `limit_s` seconds."""

    kind: Literal["vehicle_dwell"]
    zone: Identifier
    limit_s: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
    classes: Classes = ("car", "truck", "bus")
    severity: Severity = Severity.HIGH
    category: Identifier = "fire_safety"


class TwoWheelerSettings(RuleSettings):
    """A two-wheeler is in a zone where none may be: a corridor, a lift. No model tells electric ones from others."""

    kind: Literal["two_wheeler"]
    zone: Identifier
    classes: Classes = ("bicycle", "motorcycle")
    severity: Severity = Severity.HIGH
    category: Identifier = "fire_safety"


class AbandonedObjectSettings(RuleSettings):
    """Something that was not there before stands in the zone for `for_s` seconds, and nobody of `classes` has been near it for `away_s`.
    Near is within `near` (a share of the picture). It is over once it has been gone for `clear_for_s`.
    """

    kind: Literal["abandoned_object"]
    zone: Identifier
    for_s: Annotated[float, Field(ge=5, le=3_600, allow_inf_nan=False)] = 60.0
    away_s: Annotated[float, Field(ge=0, le=3_600, allow_inf_nan=False)] = 15.0
    near: Annotated[float, Field(gt=0, le=0.5, allow_inf_nan=False)] = 0.08
    clear_for_s: Seconds = 5.0
    classes: Classes = ("person",)
    severity: Severity = Severity.HIGH
    category: Identifier = "public_safety"


class PlaceSettings(RuleSettings):
    """Something is seen at the same place for some time, whoever passes by. `share` of the looks at the place have to show it, each at least
    as sure as `least_score`; what is seen within `near` (a share of the picture) of a place is at it. It is over once it was not seen there
    for `clear_for_s`, and the same place opens nothing new for `rest_s` afterwards.
    """

    zone: Identifier
    share: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 0.5
    least_score: UnitInterval = 0.35
    near: Annotated[float, Field(gt=0, le=0.5, allow_inf_nan=False)] = 0.04
    clear_for_s: Seconds = 120.0
    rest_s: Seconds = 600.0

    @property
    def lasting_s(self) -> float:
        """How long it has to be seen, from the first sight to the last."""
        raise NotImplementedError


class BinOverflowSettings(PlaceSettings):
    """A bin in the zone (垃圾箱满溢) is too full for its lid, or things stand beside it, for `for_s` seconds."""

    kind: Literal["bin_overflow"]
    for_s: Annotated[float, Field(ge=5, le=86_400, allow_inf_nan=False)] = 120.0
    severity: Severity = Severity.LOW
    category: Identifier = "environment"

    @property
    def lasting_s(self) -> float:
        """How long it has to be seen, from the first sight to the last."""
        return self.for_s


class LitterSettings(PlaceSettings):
    """Rubbish lies in the zone (暴露垃圾) for `for_s` seconds: what is dropped and picked up again is none."""

    kind: Literal["litter"]
    for_s: Annotated[float, Field(ge=5, le=86_400, allow_inf_nan=False)] = 180.0
    severity: Severity = Severity.LOW
    category: Identifier = "environment"

    @property
    def lasting_s(self) -> float:
        """How long it has to be seen, from the first sight to the last."""
        return self.for_s


class FallenPersonSettings(PlaceSettings):
    """Somebody lies on the ground in the zone (人员倒地) and does not get up within `limit_s` seconds. Who is seen standing at that place for
    `up_s` has got up.
    """

    kind: Literal["fallen_person"]
    limit_s: Annotated[float, Field(ge=1, le=3_600, allow_inf_nan=False)] = 10.0
    up_s: Seconds = 3.0
    share: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 0.4
    clear_for_s: Seconds = 10.0
    rest_s: Seconds = 60.0
    severity: Severity = Severity.CRITICAL
    category: Identifier = "public_safety"

    @property
    def lasting_s(self) -> float:
        """How long it has to be seen, from the first sight to the last."""
        return self.limit_s


class CameraTroubleSettings(RuleSettings):
    """The camera is in one of `troubles` for `for_s` seconds; it is over once it has not been for `clear_for_s`. Needs no model."""

    kind: Literal["camera_trouble"]
    troubles: Annotated[tuple[CameraTrouble, ...], Field(min_length=1, max_length=10)] = tuple(CameraTrouble)
    for_s: Seconds = 5.0
    clear_for_s: Seconds = 10.0
    severity: Severity = Severity.MEDIUM
    category: Identifier = "maintenance"


SceneRuleSettings = Annotated[
    IntrusionSettings
    | LoiteringSettings
    | LineCrossingSettings
    | CrowdSettings
    | VehicleDwellSettings
    | TwoWheelerSettings
    | AbandonedObjectSettings
    | BinOverflowSettings
    | LitterSettings
    | FallenPersonSettings
    | CameraTroubleSettings,
    Field(discriminator="kind"),
]
