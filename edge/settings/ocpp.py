"""Charging piles that speak OCPP 1.6J (充电桩): where the node listens for them, how they prove who they are, and what is read of them."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from edge.contract.safety import SafetyFault
from edge.settings.charging_rules import VEHICLE_HOT_C, VEHICLE_LONGEST_S, charging_rules
from edge.settings.device import DeviceSettings, PointSettings
from edge.settings.fields import Strict
from edge.settings.reading_rules import EventSettings, ReadingRuleSettings

ChargePointId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9*_=:+|@.-]{1,48}$")]
"""An identity of the standard (OCPP-J 1.6 §3.1.1, OCPP 2.0.1 `identifierString`): safe in an address and in a log."""

ConfigurationKey = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,50}$")]
ConfigurationValue = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{0,500}$")]
IdTag = Annotated[str, StringConstraints(min_length=1, max_length=20)]

MOST_PILES = 400
MOST_POINTS = 200
"""Of one device, as the wire holds it."""


class Quantity(StrEnum):
    """What a meter of a pile may tell (OCPP 1.6 §7.31), in one unit each."""

    TEMPERATURE_C = "temperature_c"
    CURRENT_A = "current_a"
    VOLTAGE_V = "voltage_v"
    POWER_W = "power_w"
    ENERGY_WH = "energy_wh"
    SOC_PCT = "soc_pct"
    CURRENT_EXPORT_A = "current_export_a"
    CURRENT_OFFERED_A = "current_offered_a"
    POWER_EXPORT_W = "power_export_w"
    POWER_OFFERED_W = "power_offered_w"
    POWER_REACTIVE_VAR = "power_reactive_var"
    POWER_FACTOR = "power_factor"
    ENERGY_EXPORT_WH = "energy_export_wh"
    ENERGY_REACTIVE_VARH = "energy_reactive_varh"
    FREQUENCY_HZ = "frequency_hz"
    FAN_RPM = "fan_rpm"


MATTERING = (
    Quantity.TEMPERATURE_C,
    Quantity.CURRENT_A,
    Quantity.VOLTAGE_V,
    Quantity.POWER_W,
    Quantity.ENERGY_WH,
    Quantity.SOC_PCT,
)

_RANGES: dict[Quantity, tuple[str | None, float, float]] = {
    Quantity.TEMPERATURE_C: ("°C", -60.0, 400.0),
    Quantity.CURRENT_A: ("A", 0.0, 2_000.0),
    Quantity.VOLTAGE_V: ("V", 0.0, 2_000.0),
    Quantity.POWER_W: ("W", 0.0, 2_000_000.0),
    Quantity.ENERGY_WH: ("Wh", 0.0, 1e13),
    Quantity.SOC_PCT: ("%", 0.0, 100.0),
    Quantity.CURRENT_EXPORT_A: ("A", 0.0, 2_000.0),
    Quantity.CURRENT_OFFERED_A: ("A", 0.0, 2_000.0),
    Quantity.POWER_EXPORT_W: ("W", 0.0, 2_000_000.0),
    Quantity.POWER_OFFERED_W: ("W", 0.0, 2_000_000.0),
    Quantity.POWER_REACTIVE_VAR: ("var", -2_000_000.0, 2_000_000.0),
    Quantity.POWER_FACTOR: (None, -1.0, 1.0),
    Quantity.ENERGY_EXPORT_WH: ("Wh", 0.0, 1e13),
    Quantity.ENERGY_REACTIVE_VARH: ("varh", -1e13, 1e13),
    Quantity.FREQUENCY_HZ: ("Hz", 0.0, 400.0),
    Quantity.FAN_RPM: ("rpm", 0.0, 100_000.0),
}


class OcppPileSettings(DeviceSettings):
    """A pile. `charge_point` is the identity in the address that it calls (its `id`, where nothing is said), `password_file` holds
    what it logs in with under security profiles 1 and 2. Of what its meter tells `quantities` are kept, sampled every `meter_period_s`.

    `vendor_codes` maps the vendor's own error codes to the safety taxonomy. `configure` is set on the pile after each of its
    starts. `id_tags` are the cards that may charge (any, where none is named): this node keeps watch and bills nobody. Only with
    `allow_stop` may the node stop a charge by itself.
    """

    charge_point: ChargePointId | None = None
    password_file: Path | None = None
    connectors: Annotated[int, Field(ge=1, le=16)] = 1
    quantities: Annotated[tuple[Quantity, ...], Field(min_length=1, max_length=len(Quantity))] = MATTERING
    meter_period_s: Annotated[int, Field(ge=1, le=3_600)] = 15
    vendor_codes: Annotated[
        dict[Annotated[str, Field(min_length=1, max_length=50)], SafetyFault], Field(max_length=500)
    ] = Field(default_factory=dict)
    configure: Annotated[dict[ConfigurationKey, ConfigurationValue], Field(max_length=50)] = Field(default_factory=dict)
    id_tags: Annotated[tuple[IdTag, ...], Field(max_length=10_000)] = ()
    allow_stop: bool = False

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.declared) > MOST_POINTS:
            raise ValueError(
                f"{self.connectors} connectors with {len(self.quantities)} quantities are {len(self.declared)} points, "
                f"{MOST_POINTS} are possible: name fewer `quantities`"
            )
        return self

    @property
    def identity(self) -> str:
        """What it calls itself."""
        return self.charge_point or self.id

    @property
    def device_kind(self) -> str:
        """As the registry calls it."""
        return "charging_pile"

    @property
    def declared(self) -> tuple[PointSettings, ...]:
        """What the pile itself tells, and what each of its connectors does."""
        return (
            *(PointSettings(name=name, kind="state") for name in _STATES),
            *(PointSettings(name=name, kind="event") for name in _EVENTS),
            *(self._measured(Quantity.TEMPERATURE_C, 0) for _ in range(self._tells_its_own_heat)),
            *(point for number in range(1, self.connectors + 1) for point in self._of_connector(number)),
        )

    @property
    def default_rules(self) -> tuple[ReadingRuleSettings, ...]:
        """What watches over a pile for vehicles, and that nobody opens it."""
        charging = charging_rules(
            [point.name for point in self.declared],
            hot_c=VEHICLE_HOT_C,
            longest_s=VEHICLE_LONGEST_S,
            may_be_stopped=self.may_be_stopped,
        )
        return (*charging, _OPENED)

    @property
    def _tells_its_own_heat(self) -> bool:
        """Whether `temperature_c.0` is the housing's: with one connector, what the pile says of itself is said of that one."""
        return self.connectors > 1 and Quantity.TEMPERATURE_C in self.quantities

    def _measured(self, quantity: Quantity, number: int) -> PointSettings:
        unit, low, high = _RANGES[quantity]
        period_s = float(self.meter_period_s) if number else None
        return PointSettings(name=f"{quantity}.{number}", unit=unit, minimum=low, maximum=high, period_s=period_s)

    def _of_connector(self, number: int) -> tuple[PointSettings, ...]:
        measured = (self._measured(quantity, number) for quantity in self.quantities)
        states = (
            PointSettings(name=f"{name}.{number}", kind="state")
            for name in ("status", "faults", "raw_code", "charging")
        )
        return (*measured, *states, PointSettings(name=f"stop_reason.{number}", kind="event"))


_STATES = ("status", "faults", "raw_code", "firmware", "firmware_status", "diagnostics_status")
_EVENTS = ("stop_reason", "security_event")


_OPENED = EventSettings(
    kind="event",
    id="opened",
    point="security_event",
    values=("tamper_detection_activated",),
    fold_s=600.0,
    category="public_order",
)


class OcppSettings(Strict):
    """The node as a central system (中心系统) of OCPP 1.6J: `ws://HOST:PORT/PATH/IDENTITY`, with TLS `wss://`.

    Security profiles as the standard numbers them: 0 asks for nothing, which is for a closed network only; 1 for the pile's name
    and password; 2 for both over TLS, with `certificate_file` and `key_file`. A pile that says nothing for two `heartbeat_s` is lost.
    On `firmware_port` piles fetch the firmware that they are given (HTTP, only while they do); without it they are given none.
    `firmware_host` is the node's name for them, where that is not the address that they call.
    """

    host: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:_-]{1,253}$")] = "0.0.0.0"  # noqa: S104 (piles are on the network)
    port: Annotated[int, Field(ge=0, le=65_535)] = 9_000
    path: Annotated[str, StringConstraints(pattern=r"^(?:/[A-Za-z0-9._~-]{1,50}){0,4}$")] = "/ocpp"
    security_profile: Literal[0, 1, 2] = 1
    certificate_file: Path | None = None
    key_file: Path | None = None
    firmware_port: Annotated[int, Field(ge=0, le=65_535)] | None = None
    firmware_host: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:_-]{1,253}$")] | None = None
    heartbeat_s: Annotated[int, Field(ge=5, le=86_400)] = 60
    piles: Annotated[tuple[OcppPileSettings, ...], Field(max_length=MOST_PILES)] = ()

    @field_validator("security_profile", mode="before")
    @classmethod
    def _refuse_client_certificates(cls, value: object) -> object:
        if value == 3:
            raise ValueError(
                "security profile 3 (a certificate of the pile's own) is not supported: take 2, TLS with name and password"
            )
        return value

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.security_profile == 2 and (self.certificate_file is None or self.key_file is None):
            raise ValueError("security profile 2 needs `certificate_file` and `key_file`")
        if self.security_profile != 2 and (self.certificate_file is not None or self.key_file is not None):
            raise ValueError("`certificate_file` and `key_file` are for security profile 2")
        for pile in self.piles:
            if self.security_profile > 0 and pile.password_file is None:
                raise ValueError(
                    f"pile {pile.id} needs a `password_file` under security profile {self.security_profile}"
                )
        identities = [pile.identity for pile in self.piles]
        doubled = sorted({each for each in identities if identities.count(each) > 1})
        if doubled:
            raise ValueError(f"more than one pile calls itself {', '.join(doubled)}")
        return self
