"""Piles for electric bicycles (电动自行车充电桩): no common standard, so that a vendor's map says what its JSON messages mean."""

from typing import Annotated, Final, Literal, Self

from pydantic import Field, JsonValue, StringConstraints, ValidationInfo, field_validator, model_validator

from edge.contract.safety import SafetyFault
from edge.settings.charging_rules import EBIKE_HOT_C, EBIKE_LONGEST_S, charging_rules
from edge.settings.device import DeviceSettings, PointSettings
from edge.settings.fields import Strict
from edge.settings.reading_rules import ReadingRuleSettings

MOST_PILES: Final = 400
MOST_POINTS: Final = 200
"""A birth holds so many of one device."""

PILE_ITSELF: Final = ".0"
"""What a pile measures of itself (its housing) is told beside its sockets, so that a rule on the bare quantity stands for it too."""

Path = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f]{1,200}$")]
"""Into a JSON message: `a.b.0`."""

Topic = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f+#]{1,500}$")]
Code = Annotated[str, Field(min_length=1, max_length=100)]
Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{0,39}$")]
Finite = Annotated[float, Field(allow_inf_nan=False)]

Status = Literal[
    "available", "preparing", "charging", "suspended", "finishing", "reserved", "unavailable", "faulted", "offline"
]
Quantity = Literal["power_w", "current_a", "voltage_v", "energy_wh", "temperature_c", "charging_s"]

RANGES: Final[dict[Quantity, tuple[str, float, float]]] = {
    "power_w": ("W", 0.0, 10_000.0),
    "current_a": ("A", 0.0, 100.0),
    "voltage_v": ("V", 0.0, 500.0),
    "energy_wh": ("Wh", 0.0, 1e7),
    "temperature_c": ("°C", -40.0, 200.0),
    "charging_s": ("s", 0.0, 7 * 86_400.0),
}


class EbikeValue(Strict):
    """A measured value: what stands at `path`, times `scale`, plus `offset`. Texts that hold a number are numbers."""

    path: Path
    scale: Finite = 1.0
    offset: Finite = 0.0


class EbikeCodes(Strict):
    """Fault codes at `path`: one code or a list of them, or a number whose `bits` (from 0) are faults. What `quiet` names is no fault, what
    `codes` does not name is `other`.
    """

    path: Path
    codes: Annotated[dict[Code, SafetyFault], Field(max_length=500)]
    quiet: Annotated[tuple[Annotated[str, Field(max_length=100)], ...], Field(max_length=50)] = ("0", "", "none", "ok")
    bits: bool = False


class EbikeStop(Strict):
    """Why a charge ended: the code at `path`, with the faults that `codes` names and the plain ends that `words` names."""

    path: Path
    codes: Annotated[dict[Code, SafetyFault], Field(max_length=500)]
    words: Annotated[dict[Code, Word], Field(max_length=500)] = Field(default_factory=dict)


class EbikeStatus(Strict):
    """The state of a socket: the vendor's word at `path`, and what it means. An unknown one is `unavailable`."""

    path: Path
    words: Annotated[dict[Code, Status], Field(min_length=1, max_length=100)]


class EbikeMessage(Strict):
    """One kind of message. `when` tells it from others: each path holds that code. `sockets` leads to the list of sockets, where one message
    tells of several; `number` (in an item of it) says which socket it is, and is left out where the place in the list does. A message
    with neither is about the pile itself.

    `charge` is the name of the present charge; a `stop` is an occurrence, so the message should be one that is sent once.
    """

    when: Annotated[dict[Path, Code], Field(max_length=10)] = Field(default_factory=dict)
    time: Path | None = None
    sockets: Path | None = None
    number: Path | None = None
    values: Annotated[dict[Quantity, EbikeValue], Field(max_length=20)] = Field(default_factory=dict)
    status: EbikeStatus | None = None
    faults: EbikeCodes | None = None
    stop: EbikeStop | None = None
    charge: Path | None = None

    @property
    def is_of_sockets(self) -> bool:
        """Whether it tells of sockets, not of the pile."""
        return self.sockets is not None or self.number is not None


class EbikeOrder(Strict):
    """How a charge is stopped: a JSON `payload` on `topic`. A text in it that is exactly `{socket}` becomes the vendor's number of the socket,
    `{order}` a name of this order; `{id}` in the topic becomes the pile's id. What the pile answers to it is told by `answer`: under
    these paths it holds these codes, with the order's name under `order` where it repeats that.
    """

    topic: Topic
    payload: dict[str, JsonValue]
    answer_when: Annotated[dict[Path, Code], Field(max_length=10)] = Field(default_factory=dict)
    answer_order: Path | None = None
    answer_result: Path | None = None
    accepted: Annotated[tuple[Code, ...], Field(max_length=20)] = ("0",)

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.answer_result is not None and not self.answer_when and self.answer_order is None:
            raise ValueError("an answer has to be told from other messages: by `answer_when` or `answer_order`")
        return self


class EbikeMap(Strict):
    """What a vendor's messages mean. `first_socket` is the vendor's number of the first one; here they count from 1."""

    first_socket: Literal[0, 1] = 1
    messages: Annotated[tuple[EbikeMessage, ...], Field(min_length=1, max_length=20)]
    stop: EbikeOrder | None = None


class EbikePileSettings(DeviceSettings):
    """A pile with so many `sockets`, that publishes on `topics` of the local broker. `map` is a vendor's map, or the name of one that this
    program brings (`EBIKE_MAPS`). Only with `allow_stop` may the node stop a charge by itself. One that says nothing for `silent_s` is lost.
    """

    topics: Annotated[tuple[Topic, ...], Field(min_length=1, max_length=20)]
    sockets: Annotated[int, Field(ge=1, le=32)] = 10
    map: EbikeMap
    allow_stop: bool = False
    silent_s: Annotated[float, Field(ge=10, le=86_400, allow_inf_nan=False)] = 180.0

    @field_validator("map", mode="before")
    @classmethod
    def _named(cls, value: object, _info: ValidationInfo) -> object:
        if not isinstance(value, str):
            return value
        known = EBIKE_MAPS.get(value)
        if known is None:
            raise ValueError(f"no map is called {value}; there are {', '.join(EBIKE_MAPS)}")
        return known

    @model_validator(mode="after")
    def _fits(self) -> Self:
        count = len(self.declared)
        if count > MOST_POINTS:
            raise ValueError(
                f"{self.sockets} sockets have {count} points with this map, a device has {MOST_POINTS} at most"
            )
        return self

    @property
    def device_kind(self) -> str:
        """As the registry calls it."""
        return "ebike_pile"

    @property
    def declared(self) -> tuple[PointSettings, ...]:
        """What the map's messages tell of the pile and of each socket."""
        own = [message for message in self.map.messages if not message.is_of_sockets]
        each = [message for message in self.map.messages if message.is_of_sockets]
        numbers = range(1, self.sockets + 1)
        return (*_points(own, ""), *(point for number in numbers for point in _points(each, f".{number}")))

    @property
    def default_rules(self) -> tuple[ReadingRuleSettings, ...]:
        """What watches over a pile for electric bicycles."""
        return charging_rules(
            [point.name for point in self.declared],
            hot_c=EBIKE_HOT_C,
            longest_s=EBIKE_LONGEST_S,
            may_be_stopped=self.may_be_stopped,
        )


def _points(messages: list[EbikeMessage], suffix: str) -> list[PointSettings]:
    quantities = sorted({quantity for message in messages for quantity in message.values})
    points = [
        PointSettings(name=f"{quantity}{suffix or PILE_ITSELF}", unit=unit, minimum=low, maximum=high)
        for quantity in quantities
        for unit, low, high in (RANGES[quantity],)
    ]
    kinds: list[tuple[str, Literal["state", "event"], bool]] = [
        ("status", "state", any(message.status for message in messages)),
        ("faults", "state", any(message.faults for message in messages)),
        ("raw_code", "state", any(message.faults for message in messages)),
        ("charging", "state", any(message.charge for message in messages)),
        ("stop_reason", "event", any(message.stop for message in messages)),
        ("stop_code", "event", any(message.stop for message in messages)),
    ]
    return points + [PointSettings(name=f"{name}{suffix}", kind=kind) for name, kind, told in kinds if told]


class EbikeSettings(Strict):
    """The piles for electric bicycles; they speak over `local_mqtt`."""

    piles: Annotated[tuple[EbikePileSettings, ...], Field(max_length=MOST_PILES)] = ()


PUBLIC_STOP_FAULTS: Final[dict[str, SafetyFault]] = {
    "6": SafetyFault.OVER_TEMPERATURE,
    "7": SafetyFault.POWER_ABNORMAL,
    "10": SafetyFault.INSULATION,
    "16": SafetyFault.SHORT_CIRCUIT,
    "21": SafetyFault.SMOKE,
    "29": SafetyFault.FUSE,
    "44": SafetyFault.OVER_CURRENT,
}
PUBLIC_STOP_WORDS: Final[dict[str, str]] = {"4": "unplugged", "25": "limit"}
"""Stop reasons that several vendors share in public documents: 4 unplugged, 6 overheat, 7 power abnormal, 10 leakage, 16 short
circuit, 21 smoke, 25 longest time reached, 29 fuse, 44 over-current.
"""

EBIKE_MAPS: Final[dict[str, EbikeMap]] = {
    "shedwatt": EbikeMap.model_validate(
        {
            "first_socket": 1,
            "messages": [
                {
                    "when": {"cmd": "status"},
                    "time": "ts",
                    "sockets": "ports",
                    "number": "no",
                    "values": {
                        "power_w": {"path": "p", "scale": 0.1},
                        "current_a": {"path": "i", "scale": 0.001},
                        "energy_wh": {"path": "e", "scale": 10.0},
                        "temperature_c": {"path": "t", "offset": -40.0},
                    },
                    "status": {
                        "path": "st",
                        "words": {
                            "0": "available",
                            "1": "charging",
                            "2": "finishing",
                            "3": "faulted",
                            "4": "unavailable",
                        },
                    },
                    "faults": {"path": "err", "codes": PUBLIC_STOP_FAULTS},
                    "charge": "order",
                },
                {
                    "when": {"cmd": "stopped"},
                    "time": "ts",
                    "number": "no",
                    "values": {"energy_wh": {"path": "e", "scale": 10.0}},
                    "stop": {
                        "path": "reason",
                        "codes": PUBLIC_STOP_FAULTS,
                        "words": PUBLIC_STOP_WORDS | {"1": "local"},
                    },
                },
                {
                    "when": {"cmd": "box"},
                    "time": "ts",
                    "values": {"temperature_c": {"path": "t", "offset": -40.0}},
                    "faults": {"path": "smoke", "codes": {"1": "smoke"}},
                },
            ],
            "stop": {
                "topic": "ebike/{id}/down",
                "payload": {"cmd": "stop", "no": "{socket}", "sn": "{order}"},
                "answer_when": {"cmd": "stop_ack"},
                "answer_order": "sn",
                "answer_result": "code",
                "accepted": ["0"],
            },
        }
    ),
    "plugrow": EbikeMap.model_validate(
        {
            "first_socket": 0,
            "messages": [
                {
                    "when": {"type": "socket"},
                    "time": "data.time",
                    "number": "data.index",
                    "values": {
                        "power_w": {"path": "data.watt"},
                        "voltage_v": {"path": "data.volt"},
                        "current_a": {"path": "data.amp"},
                        "charging_s": {"path": "data.minutes", "scale": 60.0},
                    },
                    "status": {
                        "path": "data.state",
                        "words": {"idle": "available", "plugged": "preparing", "busy": "charging", "error": "faulted"},
                    },
                    "faults": {
                        "path": "data.alarm",
                        "bits": True,
                        "codes": {
                            "0": "over_current",
                            "1": "over_temperature",
                            "2": "smoke",
                            "3": "insulation",
                            "4": "short_circuit",
                            "5": "contactor",
                        },
                    },
                },
                {
                    "when": {"type": "end"},
                    "time": "data.time",
                    "number": "data.index",
                    "stop": {
                        "path": "data.why",
                        "codes": {
                            "OVERLOAD": "over_current",
                            "OVERHEAT": "over_temperature",
                            "SMOKE": "smoke",
                            "LEAK": "insulation",
                            "SHORT": "short_circuit",
                            "FUSE": "fuse",
                        },
                        "words": {
                            "FULL": "full",
                            "UNPLUG": "unplugged",
                            "TIMEOUT": "limit",
                            "USER": "local",
                            "APP": "remote",
                        },
                    },
                },
            ],
            "stop": {
                "topic": "plugrow/{id}/set",
                "payload": {"type": "stop", "data": {"index": "{socket}", "ref": "{order}"}},
                "answer_when": {"type": "reply"},
                "answer_order": "data.ref",
                "answer_result": "data.ok",
                "accepted": ["true"],
            },
        }
    ),
}
"""Maps of two vendors that do not exist, as patterns: one that counts in small units and tells of all sockets at once, and one
that tells of each in words. A site writes the one of its own vendor beside them.
"""
