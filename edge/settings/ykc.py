"""Charging piles that speak 云快充 (YKC) V1.6: where the node listens for them, which ones it knows, and what is read of them."""

from ipaddress import ip_network
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from edge.settings.charging_rules import VEHICLE_HOT_C, VEHICLE_LONGEST_S, charging_rules
from edge.settings.device import DeviceSettings, PointSettings
from edge.settings.fields import Strict
from edge.settings.reading_rules import ReadingRuleSettings

MOST_PILES = 400
MOST_GUNS = 12
"""A birth holds 200 points of a device, a gun has fourteen."""

PileNumber = Annotated[str, StringConstraints(pattern=r"^[0-9]{14}$")]
"""桩编号: 14 digits, given by the platform (§3.3 of the text)."""


def _is_network(text: str) -> str:
    try:
        ip_network(text)
    except ValueError:
        raise ValueError(f"`{text[:60]}` is no network such as 10.20.0.0/16") from None
    return text


Network = Annotated[str, AfterValidator(_is_network)]

Price = Annotated[float, Field(ge=0, le=42_949, allow_inf_nan=False)]
"""Yuan per kWh, to five places."""

_IDLE_PERIOD_S = 300.0

_NUMBERS: dict[str, tuple[str, float, float]] = {
    "temperature_c": ("°C", -40.0, 200.0),
    "battery_temperature_c": ("°C", -40.0, 200.0),
    "current_a": ("A", 0.0, 2_000.0),
    "voltage_v": ("V", 0.0, 2_000.0),
    "power_w": ("W", 0.0, 2_000_000.0),
    "energy_wh": ("Wh", 0.0, 1e9),
    "soc_pct": ("%", 0.0, 100.0),
}
"""Plausible ranges. A raw temperature of 0 is -50 °C, which no cable has: it is refused where it does not mean "not measured"."""

_STATES = ("status", "faults", "raw_code", "charging", "plugged")
_EVENTS = ("stop_reason", "stop_code")


class YkcPileSettings(DeviceSettings):
    """A pile with the `number` that it logs in with, and as many `guns` (枪). Only with `allow_stop` may the node stop a charge by
    itself.
    """

    number: PileNumber
    guns: Annotated[int, Field(ge=1, le=MOST_GUNS)] = 1
    allow_stop: bool = False

    @property
    def device_kind(self) -> str:
        """As the registry calls it."""
        return "charging_pile"

    @property
    def declared(self) -> tuple[PointSettings, ...]:
        """What the pile itself tells, and what each of its guns does."""
        return (
            PointSettings(name="firmware", kind="state"),
            PointSettings(name="firmware_status", kind="state"),
            *(point for gun in range(1, self.guns + 1) for point in _of_gun(gun)),
        )

    @property
    def default_rules(self) -> tuple[ReadingRuleSettings, ...]:
        """What watches over a pile for vehicles."""
        return charging_rules(
            [point.name for point in self.declared],
            hot_c=VEHICLE_HOT_C,
            longest_s=VEHICLE_LONGEST_S,
            may_be_stopped=self.may_be_stopped,
        )


def _of_gun(gun: int) -> tuple[PointSettings, ...]:
    return (
        *(
            PointSettings(name=f"{name}.{gun}", unit=unit, minimum=low, maximum=high, period_s=_IDLE_PERIOD_S)
            for name, (unit, low, high) in _NUMBERS.items()
        ),
        *(PointSettings(name=f"{name}.{gun}", kind="state") for name in _STATES),
        *(PointSettings(name=f"{name}.{gun}", kind="event") for name in _EVENTS),
    )


class TariffSettings(Strict):
    """What a pile shows as its price: energy and service of four tariffs (尖峰平谷), and which of them (0 to 3) holds in which of a
    day's half hours. A pile does not charge before it has been told one; this node bills nobody.
    """

    number: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}$")] = "0100"
    energy_yuan: Annotated[tuple[Price, ...], Field(min_length=4, max_length=4)] = (0.0, 0.0, 0.0, 0.0)
    service_yuan: Annotated[tuple[Price, ...], Field(min_length=4, max_length=4)] = (0.0, 0.0, 0.0, 0.0)
    slots: Annotated[tuple[Annotated[int, Field(ge=0, le=3)], ...], Field(min_length=48, max_length=48)] = (2,) * 48


class YkcSettings(Strict):
    """The node as a platform (运营平台) of YKC V1.6. The protocol knows no password: whoever reaches the port and knows a pile's number
    is that pile. So `networks` says from where piles may call (anywhere, where none is named). With `accept_starts` whoever asks at a
    pile may charge.
    """

    host: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:_-]{1,253}$")] = "0.0.0.0"  # noqa: S104 (piles are on the network)
    port: Annotated[int, Field(ge=0, le=65_535)] = 8_767
    networks: Annotated[tuple[Network, ...], Field(max_length=64)] = ()
    accept_starts: bool = True
    tariff: TariffSettings = TariffSettings()
    piles: Annotated[tuple[YkcPileSettings, ...], Field(max_length=MOST_PILES)] = ()

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        numbers = [pile.number for pile in self.piles]
        doubled = sorted({each for each in numbers if numbers.count(each) > 1})
        if doubled:
            raise ValueError(f"more than one pile has the number {', '.join(doubled)}")
        return self
