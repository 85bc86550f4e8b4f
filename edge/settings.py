"""The configuration of a node (`node.yaml`), as typed, validated values. Reading the file is `edge.configuration`'s work.

Unknown keys are mistakes. Coordinates are normalised (0–1 from the upper left corner), durations are seconds of event time.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AnyUrl, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, UrlConstraints

from edge.contract.incident import CameraTrouble, Severity

Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$")]
UnitInterval = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Vertex = tuple[UnitInterval, UnitInterval]
Polygon = Annotated[tuple[Vertex, ...], Field(min_length=3, max_length=100)]
Line = Annotated[tuple[Vertex, ...], Field(min_length=2, max_length=2)]
Seconds = Annotated[float, Field(ge=0, le=7 * 86_400, allow_inf_nan=False)]
MqttUrl = Annotated[AnyUrl, UrlConstraints(allowed_schemes=["mqtt", "mqtts"])]
HttpUrl = Annotated[AnyUrl, UrlConstraints(allowed_schemes=["http", "https"])]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NodeSettings(_Strict):
    """Who the node is. `district` is the six-digit code of its enrolment. With `http_port` the node answers `/healthz` and
    `/metrics` on the loopback address. With `district_key`, a file of the district's public keys (age1…), the unmasked original
    of each snapshot is kept as well, sealed so that only the district can open it. At most `wall_cameras` cameras are shown on
    picture walls at a time, masked; 0: none ever.
    """

    id: Identifier
    district: Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]
    name: str = Field(default="", max_length=200)
    data_directory: Path
    district_key: Path | None = None
    http_port: Annotated[int, Field(ge=1024, le=65_535)] | None = None
    wall_cameras: Annotated[int, Field(ge=0, le=64)] = 4


class CloudSettings(_Strict):
    """Where the cloud is. Secrets stand in files, never in the configuration."""

    mqtt: MqttUrl
    https: HttpUrl
    mqtt_user: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    mqtt_password_file: Path | None = None
    token_file: Path | None = None
    ca_file: Path | None = None


class BrokerSettings(_Strict):
    """The local broker that sensors and terminals talk to."""

    url: MqttUrl
    user: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    password_file: Path | None = None


Classes = Annotated[tuple[Annotated[str, Field(max_length=100)], ...], Field(max_length=100)]


def _sexagesimal(value: object) -> object:
    """YAML takes 22:30 without quotes for a number of base sixty; what was meant is the time of day."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 24 * 60:
        return f"{value // 60:02}:{value % 60:02}"
    return value


TimeOfDay = Annotated[
    str,
    StringConstraints(pattern=r"^(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"),
    BeforeValidator(_sexagesimal),
]


class Day(StrEnum):
    """A day of the week."""

    MONDAY = "mon"
    TUESDAY = "tue"
    WEDNESDAY = "wed"
    THURSDAY = "thu"
    FRIDAY = "fri"
    SATURDAY = "sat"
    SUNDAY = "sun"


class ScheduleWindow(_Strict):
    """Hours (Asia/Shanghai) of some days in which a rule is armed. One whose end lies before its start goes over midnight and
    belongs to the day on which it begins.
    """

    days: Annotated[tuple[Day, ...], Field(min_length=1, max_length=7)] = tuple(Day)
    start: TimeOfDay = "00:00"
    end: TimeOfDay = "24:00"


class _Rule(_Strict):
    """What all rules have: when they are armed (always, without a schedule), within how many seconds what follows is
    the same incident, and for how many seconds nothing new opens after one has ended.
    """

    id: Identifier | None = None
    schedule: Annotated[tuple[ScheduleWindow, ...], Field(max_length=32)] = ()
    fold_s: Seconds = 0.0
    cooldown_s: Seconds = 0.0


class IntrusionSettings(_Rule):
    """Someone of `classes` stands in the zone; a track counts once sure detections have confirmed it.

    Fire and smoke are a place for a model only: with one of one's own that knows them (`gridward-edge models import`), `classes: [fire,
    smoke]` and `category: fire_safety` tell of them. Nothing in this program finds them without, by colour or by movement.
    """

    kind: Literal["intrusion"]
    zone: Identifier
    classes: Classes = ("person",)
    severity: Severity = Severity.MEDIUM
    category: Identifier = "public_order"


class LoiteringSettings(_Rule):
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


class LineCrossingSettings(_Rule):
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


class CrowdSettings(_Rule):
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


class VehicleDwellSettings(_Rule):
    """A vehicle stands in the zone (a fire lane, an entrance) for `limit_s` seconds."""

    kind: Literal["vehicle_dwell"]
    zone: Identifier
    limit_s: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
    classes: Classes = ("car", "truck", "bus")
    severity: Severity = Severity.HIGH
    category: Identifier = "fire_safety"


class TwoWheelerSettings(_Rule):
    """A two-wheeler is in a zone where none may be: a corridor, a lift. No public model tells electric ones from others."""

    kind: Literal["two_wheeler"]
    zone: Identifier
    classes: Classes = ("bicycle", "motorcycle")
    severity: Severity = Severity.HIGH
    category: Identifier = "fire_safety"


class AbandonedObjectSettings(_Rule):
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


class CameraTroubleSettings(_Rule):
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
    | CameraTroubleSettings,
    Field(discriminator="kind"),
]


class Department(StrEnum):
    """Whose camera it is (归口部门): whoever else looks through it is a guest."""

    URBAN_MANAGEMENT = "urban_management"
    """城管"""
    TRAFFIC = "traffic"
    """交通"""
    PUBLIC_SECURITY = "public_security"
    """公安"""


class GatewaySettings(_Strict):
    """A video gateway (视频网关) that hands out GB/T 28181 channels: WVP-GB28181-pro with ZLMediaKit.

    One logs in with `user` and `password_file`, or with `api_key_file`, or not at all where the gateway asks for nothing.
    An invitation is given up after `play_timeout_s`, whatever the gateway waits for. `stream_host` stands in for the host that
    the gateway names in the addresses of streams, where that one can't be reached from here.
    """

    id: Identifier
    url: HttpUrl
    user: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    password_file: Path | None = None
    api_key_file: Path | None = None
    ca_file: Path | None = None
    play_timeout_s: Annotated[float, Field(gt=0, le=120, allow_inf_nan=False)] = 20.0
    stream_host: (
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9:](?:[A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?$")] | None
    ) = None


class CameraSettings(_Strict):
    """One camera: an RTSP address, a file (`file:///…` or a path), `loop` playing it for ever, or a channel of a gateway.

    A channel stands as `gb28181://GATEWAY`, or `gb28181://GATEWAY/DEVICE` with the code of its device, and has its own code of 20
    digits as its `id`. `department` is needed only where that code does not say it, or says it wrongly. A live camera is decoded
    only while something moves, as far as its stream lets that be seen; with `gate: false` always. With `clips` each incident of a
    live camera has what was sent from five seconds before to four after its beginning, as a masked film, and with `node.district_key`
    sealed as it was sent.
    """

    id: Identifier
    name: str = Field(default="", max_length=200)
    url: Annotated[str, Field(min_length=1, max_length=2000)]
    user: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    password_file: Path | None = None
    loop: bool = False
    spot: Identifier | None = None
    department: Department | None = None
    analysis_hz: Annotated[float, Field(gt=0, le=30, allow_inf_nan=False)] = 5.0
    gate: bool = True
    clips: bool = False
    model: Identifier | None = "yolox_nano_416"
    zones: Annotated[dict[Identifier, Polygon], Field(max_length=64)] = Field(default_factory=dict)
    lines: Annotated[dict[Identifier, Line], Field(max_length=64)] = Field(default_factory=dict)
    masks: Annotated[tuple[Polygon, ...], Field(max_length=64)] = ()
    rules: Annotated[tuple[SceneRuleSettings, ...], Field(max_length=64)] = ()
    simulated: bool = False


class ThresholdSettings(_Rule):
    """The point lies above (or below) a limit for `for_s` seconds; it ends once it has been past `clear` for `clear_for_s`."""

    kind: Literal["threshold"]
    point: Identifier
    above: Annotated[float, Field(allow_inf_nan=False)] | None = None
    below: Annotated[float, Field(allow_inf_nan=False)] | None = None
    clear: Annotated[float, Field(allow_inf_nan=False)] | None = None
    for_s: Seconds = 0.0
    clear_for_s: Seconds = 0.0
    severity: Severity = Severity.HIGH
    category: Identifier = "fire_safety"


class PointSettings(_Strict):
    """A declared point. `path` leads into the JSON message (`a.b.0`); the point's name is the default.

    `minimum` and `maximum` are the plausible range: a value outside of it is counted and refused, never stored.
    """

    name: Identifier
    path: str | None = Field(default=None, max_length=200)
    kind: Literal["number", "state"] = "number"
    unit: str | None = Field(default=None, max_length=40)
    minimum: Annotated[float, Field(allow_inf_nan=False)] | None = None
    maximum: Annotated[float, Field(allow_inf_nan=False)] | None = None
    period_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None


class SensorSettings(_Strict):
    """A device that publishes JSON on a topic of the local broker. `time` leads to its own time (ISO 8601, or seconds
    or milliseconds since 1970) in the message.
    """

    id: Identifier
    name: str = Field(default="", max_length=200)
    kind: Identifier = "sensor"
    topic: Annotated[str, Field(min_length=1, max_length=500)]
    spot: Identifier | None = None
    time: str | None = Field(default=None, max_length=200)
    points: Annotated[tuple[PointSettings, ...], Field(min_length=1, max_length=200)]
    rules: Annotated[tuple[ThresholdSettings, ...], Field(max_length=200)] = ()
    simulated: bool = False


class OutboxSettings(_Strict):
    """Disk that unsent records may take. Incidents have a reserve of their own and are never dropped."""

    quota_mib: Annotated[int, Field(ge=4, le=1_000_000)] = 512
    incident_reserve_mib: Annotated[int, Field(ge=1, le=100_000)] = 64
    evidence_quota_mib: Annotated[int, Field(ge=1, le=1_000_000)] = 1024
    historical_after_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 60.0


class MemorySettings(_Strict):
    """What the node remembers of what its cameras saw, so that zones and rules can be tried on it: ways of what was followed, and
    masked pictures of the background. The oldest goes when `quota_mib` is full, or after `keep_days`; with 0 MiB nothing is kept.
    """

    quota_mib: Annotated[int, Field(ge=0, le=1_000_000)] = 256
    keep_days: Annotated[int, Field(ge=1, le=366)] = 14


class NodeConfiguration(_Strict):
    """The whole file."""

    node: NodeSettings
    cloud: CloudSettings
    local_mqtt: BrokerSettings | None = None
    gateways: Annotated[tuple[GatewaySettings, ...], Field(max_length=16)] = ()
    cameras: Annotated[tuple[CameraSettings, ...], Field(max_length=64)] = ()
    sensors: Annotated[tuple[SensorSettings, ...], Field(max_length=400)] = ()
    outbox: OutboxSettings = OutboxSettings()
    memory: MemorySettings = MemorySettings()
