"""The birth: what a node is, sent at each start and whenever something of it changed; and its retained presence."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from edge.contract.artifacts import ARTIFACTS_TOLD, DEVICES_TOLD, DeviceFirmware, RunningArtifact, StepReport
from edge.contract.envelope import VERSION
from edge.contract.fields import Instant, Name, Sha256, Text, require_possible

MOST_DEVICES = 500
"""Of one node, itself included."""


class PointKind(StrEnum):
    """Numbers are samples; states are told when they change."""

    NUMBER = "number"
    STATE = "state"


class Point(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What can be read of a device: unit, range and period are declared, how to talk is the source's matter. Of a state that is an
    `event` each telling is an occurrence: a call for help, the end of a charge.
    """

    name: Name
    kind: PointKind = PointKind.NUMBER
    event: bool = False
    unit: Text | None = None
    minimum: float | None = None
    maximum: float | None = None
    period_s: Annotated[float, Meta(gt=0)] | None = None


class DeviceKind(StrEnum):
    """Kinds that this version knows; the wire takes any name."""

    CAMERA = "camera"
    CHARGING_PILE = "charging_pile"
    TERMINAL = "terminal"
    SENSOR = "sensor"
    LEASED_LINE = "leased_line"
    NODE = "node"


class Device(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A device that the node reads; its area is resolved in the cloud's registry, never here. `department`: whose it is, where
    that is known (归口部门): `urban_management`, `traffic`, `public_security`, or a name that comes later. `profile`: which version of
    which profile (配置档) it is set up with, as `ocpp16_pile/1.0.0`. `behind`: the leased line (专线) that it is reached over: what is wrong
    with the line explains that it is silent.
    """

    id: Name
    kind: Name
    name: Text | None = None
    spot: Name | None = None
    department: Name | None = None
    profile: Text | None = None
    behind: Name | None = None
    points: Annotated[tuple[Point, ...], Meta(max_length=200)] = ()
    simulated: bool = False


class Spot(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A place (点位) that devices name as theirs; `cameras` are those that show it, from wherever they stand."""

    id: Name
    name: Text | None = None
    cameras: Annotated[tuple[Name, ...], Meta(max_length=16)] = ()


class ModelVersion(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A model that the node has loaded, or could not load (`problem`)."""

    id: Name
    version: Text
    sha256: Sha256
    problem: Text | None = None


class Degradation(Struct, frozen=True, kw_only=True):
    """Something that does not work while the rest goes on. `subject` is a device, a model or a part of the node."""

    subject: Name
    reason: Name
    detail: Text
    since: Instant

    def __post_init__(self) -> None:
        """Refuse a time that can't be."""
        require_possible(self.since)


class Birth(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that the registry keeps of a node; a later birth of the same session replaces an earlier one. `profile` is that of the node
    itself; `artifacts` are the signed ones that it runs and has found to be well, `steps` how far it is with those it was told to run.
    `firmware` and `firmware_steps` say the same of its devices, each by its name.
    """

    name: Text | None = None
    software: Text
    profile: Text | None = None
    models: Annotated[tuple[ModelVersion, ...], Meta(max_length=32)] = ()
    devices: Annotated[tuple[Device, ...], Meta(max_length=MOST_DEVICES)] = ()
    degraded: Annotated[tuple[Degradation, ...], Meta(max_length=500)] = ()
    artifacts: Annotated[tuple[RunningArtifact, ...], Meta(max_length=ARTIFACTS_TOLD)] = ()
    steps: Annotated[tuple[StepReport, ...], Meta(max_length=ARTIFACTS_TOLD)] = ()
    spots: Annotated[tuple[Spot, ...], Meta(max_length=200)] = ()
    firmware: Annotated[tuple[DeviceFirmware, ...], Meta(max_length=DEVICES_TOLD)] = ()
    firmware_steps: Annotated[tuple[StepReport, ...], Meta(max_length=DEVICES_TOLD)] = ()


class PresenceState(StrEnum):
    """Whether a node has its link to the broker."""

    ONLINE = "online"
    OFFLINE = "offline"


class NodeStatus(Struct, frozen=True, kw_only=True):
    """The retained status, also the last will. It carries the session: a late will of an old one changes nothing."""

    v: int = VERSION
    node: Name
    session: UUID
    state: PresenceState
    at: Instant

    def __post_init__(self) -> None:
        """Refuse a time that can't be."""
        require_possible(self.at)
