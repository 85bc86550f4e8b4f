"""Sensors that are read over Modbus TCP: which registers hold what, and what the usual kinds of sensors measure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Final, Self

from pydantic import Field, StringConstraints, model_validator

from edge.settings.device import DeviceSettings, PointSettings
from edge.settings.fields import Identifier, Strict
from edge.settings.modbus_kinds import KINDS, MODBUS_KIND_RULES
from edge.settings.reading_rules import ReadingRuleSettings

DEFAULT_PERIOD_S: Final = 10.0

GatewayAddress = Annotated[
    str,
    StringConstraints(
        pattern=r"^(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)(?::[0-9]{1,5})?$"
    ),
]
MODBUS_PORT: Final = 502


class RegisterTable(StrEnum):
    """The four tables of a Modbus server (Modbus Application Protocol V1.1b3, 4.3)."""

    HOLDING = "holding"
    INPUT = "input"
    COIL = "coil"
    DISCRETE = "discrete"

    @property
    def of_bits(self) -> bool:
        """Whether each address holds one bit, not sixteen."""
        return self in (RegisterTable.COIL, RegisterTable.DISCRETE)


class RegisterType(StrEnum):
    """What the registers of a value hold; within a register the high byte comes first, always."""

    INT16 = "int16"
    UINT16 = "uint16"
    INT32 = "int32"
    UINT32 = "uint32"
    FLOAT32 = "float32"

    @property
    def registers(self) -> int:
        """How many registers it takes."""
        return 1 if self in (RegisterType.INT16, RegisterType.UINT16) else 2


class WordOrder(StrEnum):
    """Which of two registers stands first."""

    BIG = "big"
    """The more significant one."""
    LITTLE = "little"


class ModbusPointSettings(Strict):
    """A point and where it stands: `address` counts from 0 as on the wire (holding register 40001 is 0). The number is what the
    registers hold times `scale` plus `offset`.

    With `states` (number → word) it is a state, and so is a single bit: of a table of bits, or `bit` (0: the lowest) of a register. What
    nothing is said of follows from the device's kind, where that knows a point of this name.
    """

    name: Identifier
    address: Annotated[int, Field(ge=0, le=65_535)]
    table: RegisterTable = RegisterTable.HOLDING
    type: RegisterType = RegisterType.UINT16
    word_order: WordOrder = WordOrder.BIG
    bit: Annotated[int, Field(ge=0, le=15)] | None = None
    scale: Annotated[float, Field(allow_inf_nan=False)] = 1.0
    offset: Annotated[float, Field(allow_inf_nan=False)] = 0.0
    states: Annotated[dict[int, Annotated[str, Field(min_length=1, max_length=40)]], Field(max_length=64)] | None = None
    unit: str | None = Field(default=None, max_length=40)
    minimum: Annotated[float, Field(allow_inf_nan=False)] | None = None
    maximum: Annotated[float, Field(allow_inf_nan=False)] | None = None
    period_s: Annotated[float, Field(ge=0.1, le=86_400, allow_inf_nan=False)] | None = None

    @property
    def is_state(self) -> bool:
        """Whether a word is told, not a number."""
        return self.states is not None or self.bit is not None or self.table.of_bits

    @property
    def addresses(self) -> int:
        """How many addresses of its table it takes."""
        return 1 if self.table.of_bits else self.type.registers

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.scale == 0:
            raise ValueError("`scale` 0 would make every value the same")
        if self.table.of_bits and (self.bit is not None or "type" in self.model_fields_set):
            raise ValueError(f"the table `{self.table}` holds single bits: neither `type` nor `bit` is possible")
        if self.bit is not None and self.type.registers != 1:
            raise ValueError(f"`bit` is one of a single register, and `{self.type}` takes two")
        if self.is_state and {"scale", "offset", "minimum", "maximum", "unit"} & self.model_fields_set:
            raise ValueError("a state has no `scale`, `offset`, `unit`, `minimum` or `maximum`")
        if self.states is not None and self.type is RegisterType.FLOAT32:
            raise ValueError("`states` are words for whole numbers, and `float32` is none")
        if self.address + self.addresses > 65_536:
            raise ValueError("its second register would lie behind the last one")
        if self.minimum is not None and self.maximum is not None and self.minimum >= self.maximum:
            raise ValueError(f"the minimum {self.minimum} is not below the maximum {self.maximum}")
        return self


@dataclass(frozen=True, slots=True)
class RegisterPoint:
    """A point as it is read: what the configuration says, and where it is silent what the device's kind says."""

    settings: ModbusPointSettings
    declared: PointSettings
    states: Mapping[int, str]
    period_s: float


class ModbusDeviceSettings(DeviceSettings):
    """One server (`unit`) behind the address `gateway` (`host` or `host:port`). With no answer within `timeout_s` a read has failed; of
    devices behind one gateway the longest of their time-outs counts.

    Of the kinds `smoke_detector`, `gas_detector`, `water_level`, `temperature_sensor` and `current_transformer` units, plausible ranges and rules are known; any
    other name is possible, with everything said in its points.
    """

    kind: Identifier = "sensor"
    gateway: GatewayAddress
    unit: Annotated[int, Field(ge=0, le=255)] = 1
    timeout_s: Annotated[float, Field(ge=0.1, le=30, allow_inf_nan=False)] = 3.0
    points: Annotated[tuple[ModbusPointSettings, ...], Field(min_length=1, max_length=100)]

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [point.name for point in self.points]
        for name in names:
            if name == "presence":
                raise ValueError("`presence` is told by the node itself; choose another name")
            if names.count(name) > 1:
                raise ValueError(f"a point `{name}` is there twice")
        host, port = self.host_and_port
        if not 0 < port < 65_536 or not host:
            raise ValueError(f"`{self.gateway}` is no address: host or host:port")
        return self

    @property
    def host_and_port(self) -> tuple[str, int]:
        """Where its gateway listens; an IPv6 address stands in brackets when a port follows."""
        host, _, port = self.gateway.rpartition(":")
        if not host or self.gateway.endswith("]"):
            host, port = self.gateway, str(MODBUS_PORT)
        return host.strip("[]"), int(port)

    @property
    def device_kind(self) -> str:
        """As configured."""
        return self.kind

    @property
    def register_points(self) -> tuple[RegisterPoint, ...]:
        """The points as they are read."""
        return tuple(self._point(point) for point in self.points)

    @property
    def declared(self) -> tuple[PointSettings, ...]:
        """The points as they are told."""
        return tuple(point.declared for point in self.register_points)

    @property
    def default_rules(self) -> tuple[ReadingRuleSettings, ...]:
        """Those of its kind, for the points that it has."""
        names = {point.name for point in self.points}
        return tuple(rule for rule in MODBUS_KIND_RULES.get(self.kind, ()) if rule.point in names)

    def _point(self, point: ModbusPointSettings) -> RegisterPoint:
        usual = KINDS.get(self.kind, {}).get(point.name)
        period_s = point.period_s or (usual.period_s if usual else None) or DEFAULT_PERIOD_S
        if point.is_state:
            words = usual.states if usual else None
            states = point.states or words or (_BIT_STATES if point.table.of_bits or point.bit is not None else {})
            return RegisterPoint(
                point, PointSettings(name=point.name, kind="state", period_s=period_s), states, period_s
            )
        declared = PointSettings(
            name=point.name,
            unit=point.unit or (usual.unit if usual else None),
            minimum=usual.minimum if point.minimum is None and usual else point.minimum,
            maximum=usual.maximum if point.maximum is None and usual else point.maximum,
            period_s=period_s,
        )
        return RegisterPoint(point, declared, {}, period_s)


_BIT_STATES: Final[Mapping[int, str]] = MappingProxyType({0: "off", 1: "on"})
