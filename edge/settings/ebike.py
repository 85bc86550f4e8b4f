"""Piles for electric bicycles (电动自行车充电桩): no common standard, so that a vendor's map says what its JSON messages mean."""

from typing import Annotated, Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from edge.settings.charging_rules import EBIKE_HOT_C, EBIKE_LONGEST_S, charging_rules
from edge.settings.device import DeviceSettings, PointSettings
from edge.settings.ebike_map import RANGES, EbikeMap, EbikeMessage, Topic
from edge.settings.ebike_maps import EBIKE_MAPS
from edge.settings.fields import Strict
from edge.settings.reading_rules import ReadingRuleSettings

MOST_PILES: Final = 400
MOST_POINTS: Final = 200
"""A birth holds so many of one device."""

PILE_ITSELF: Final = ".0"
"""What a pile measures of itself (its housing) is told beside its sockets, so that a rule on the bare quantity stands for it too."""


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
    def _named(cls, value: object) -> object:
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
