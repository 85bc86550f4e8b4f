"""Smart terminals (智慧社区服务终端) on the station's local broker: service kiosks, SOS posts and gates, by kind."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from edge.contract.birth import DeviceKind
from edge.contract.incident import IncidentKind, Severity
from edge.settings.device import DeviceSettings, PointSettings
from edge.settings.fields import Identifier
from edge.settings.reading_rules import EventSettings, ReadingRuleSettings, StateSettings, ThresholdSettings

SOS: Final = "sos"
TAMPER: Final = "tamper"
DOOR_HELD_OPEN: Final = "door_held_open"
HEARTBEAT: Final = "heartbeat"
BATTERY: Final = "battery_pct"

PRESSED: Final = "pressed"
NORMAL: Final = "normal"
ALARM: Final = "alarm"

ALARM_STATES: Final = frozenset({TAMPER, DOOR_HELD_OPEN})
"""States that are `normal` or `alarm`, whatever word or number a terminal has for it."""

Topic = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^+#\x00]+$")]


class TerminalKind(StrEnum):
    """What a terminal is for."""

    KIOSK = "kiosk"
    """服务终端: residents look things up and hand things in"""
    SOS = "sos"
    """一键求助: a post or button with which one calls for help"""
    GATE = "gate"
    """门禁/道闸: a door or a barrier"""


_HEARTBEAT: Final = PointSettings(name=HEARTBEAT, minimum=0)
_COMMON: Final = (
    _HEARTBEAT,
    PointSettings(name=TAMPER, kind="state"),
    PointSettings(name="network", kind="state"),
    PointSettings(name="signal_dbm", unit="dBm", minimum=-150, maximum=0),
    PointSettings(name=BATTERY, unit="%", minimum=0, maximum=100),
)
_USE_COUNT: Final = PointSettings(name="use_count", minimum=0)

POINTS: Final[Mapping[TerminalKind, tuple[PointSettings, ...]]] = MappingProxyType(
    {
        TerminalKind.KIOSK: (*_COMMON, PointSettings(name=SOS, kind="event"), _USE_COUNT),
        TerminalKind.SOS: (*_COMMON, PointSettings(name=SOS, kind="event"), _USE_COUNT),
        TerminalKind.GATE: (
            *_COMMON,
            PointSettings(name="door", kind="state"),
            PointSettings(name=DOOR_HELD_OPEN, kind="state"),
            _USE_COUNT,
        ),
    }
)
"""What a terminal of a kind may tell; what it never tells stays empty."""

_RULES: Final[Mapping[str, ReadingRuleSettings]] = MappingProxyType(
    {
        SOS: EventSettings(
            kind="event",
            id=SOS,
            point=SOS,
            incident_kind=IncidentKind.SOS.value,
            hold_s=120.0,
            fold_s=60.0,
            severity=Severity.CRITICAL,
            category="public_safety",
        ),
        TAMPER: StateSettings(
            kind="state",
            id=TAMPER,
            point=TAMPER,
            states=(ALARM,),
            incident_kind=IncidentKind.TAMPER.value,
            fold_s=60.0,
            severity=Severity.HIGH,
            category="public_safety",
        ),
        DOOR_HELD_OPEN: StateSettings(
            kind="state",
            id=DOOR_HELD_OPEN,
            point=DOOR_HELD_OPEN,
            states=(ALARM,),
            incident_kind=IncidentKind.DOOR_HELD_OPEN.value,
            fold_s=60.0,
            severity=Severity.MEDIUM,
            category="public_safety",
        ),
        BATTERY: ThresholdSettings(
            kind="threshold",
            id="battery",
            point=BATTERY,
            below=15,
            clear=25,
            for_s=60.0,
            severity=Severity.LOW,
            category="maintenance",
        ),
    }
)


class TerminalSettings(DeviceSettings):
    """A terminal that publishes JSON on `topic` (`terminals/<id>` where nothing is said) and on `further_topics`. Each of its messages is a
    sign of life; one is due every `heartbeat_s`.

    What its kind tells is read at the top of the message under the point's own name; `paths` (point → path, as `alarm.button`) says
    where it stands otherwise, and `points` declares more of them, or others under the same names. `time` leads to the terminal's own
    time, `message_id` to what it calls the message: it stands in the acknowledgement that a call for help gets on `ack_topic`
    (`<topic>/ack`) as soon as it is kept.
    """

    kind: TerminalKind
    topic: Topic | None = None
    further_topics: Annotated[tuple[Topic, ...], Field(max_length=8)] = ()
    ack_topic: Topic | None = None
    heartbeat_s: Annotated[float, Field(ge=1, le=86_400, allow_inf_nan=False)] = 60.0
    time: Annotated[str, Field(min_length=1, max_length=200)] = "time"
    message_id: Annotated[str, Field(min_length=1, max_length=200)] = "id"
    paths: Annotated[dict[Identifier, Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=100)] = (
        Field(default_factory=dict)
    )
    points: Annotated[tuple[PointSettings, ...], Field(max_length=100)] = ()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        names = [point.name for point in self.declared]
        for name in self.paths:
            if name not in names:
                raise ValueError(f"`paths`: a {self.kind} has no point `{name}`; it has {', '.join(names)}")
        own = [point.name for point in self.points]
        for name in own:
            if own.count(name) > 1:
                raise ValueError(f"a point `{name}` is there twice")
        if "presence" in own:
            raise ValueError("`presence` is told by the node itself; choose another name")
        if self.acknowledged_on in self.topics:
            raise ValueError(
                f"`{self.acknowledged_on}` would be answered and heard at once: choose another `ack_topic`"
            )
        return self

    @property
    def topics(self) -> tuple[str, ...]:
        """Where it speaks."""
        return (self._topic, *self.further_topics)

    @property
    def acknowledged_on(self) -> str:
        """Where it hears that a call for help is kept."""
        return self.ack_topic or f"{self._topic}/ack"

    @property
    def _topic(self) -> str:
        return self.topic or f"terminals/{self.id}"

    @property
    def device_kind(self) -> str:
        """A terminal, whatever it is for."""
        return DeviceKind.TERMINAL.value

    @property
    def declared(self) -> tuple[PointSettings, ...]:
        """The points of its kind, at the paths that were said, and what the configuration adds."""
        points = {point.name: self._usual(point) for point in POINTS[self.kind]}
        points.update({point.name: point for point in self.points})
        return tuple(points.values())

    def _usual(self, point: PointSettings) -> PointSettings:
        changed: dict[str, object] = {"path": self.paths[point.name]} if point.name in self.paths else {}
        if point is _HEARTBEAT:
            changed["period_s"] = self.heartbeat_s
        return point.model_copy(update=changed) if changed else point

    @property
    def default_rules(self) -> tuple[ReadingRuleSettings, ...]:
        """A call for help at once and critical; somebody at the housing; a door that stays open; a battery that runs down."""
        kinds = {point.name: point.kind for point in self.declared}
        usual = {point.name: point.kind for point in POINTS[self.kind]}
        return tuple(rule for name, rule in _RULES.items() if kinds.get(name, "") == usual.get(name))
