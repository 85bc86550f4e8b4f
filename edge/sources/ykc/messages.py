"""What a pile says (the odd types of YKC V1.6), in the units of the wire: `_tenths_v` counts 0.1 V. Pure.

A temperature that ends in `_raw` is degrees Celsius plus 50; what a value means beyond its unit stands in `readings`. Who charges (cards,
vehicles, passwords) shows in no repr.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from edge.sources.ykc.frame import Frame
from edge.sources.ykc.layout import (
    GUN,
    PILE,
    TARIFF,
    TIME,
    TRANSACTION,
    U8,
    U16,
    U32,
    U40,
    Bytes,
    Digits,
    Layout,
    Row,
    Words,
)

NO_TRANSACTION: Final = "0" * 32


@dataclass(frozen=True, slots=True)
class Login:
    """0x01 (§6.1): the first word after power-up or a lost connection. `protocol_tenths` 16 is V1.6."""

    pile: str
    kind: int
    guns: int
    protocol_tenths: int
    program: str
    link: int
    sim: str
    carrier: int


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """0x03 (§6.3): every 10 s, for each gun; `state` 0 in order, 1 faulted."""

    pile: str
    gun: int
    state: int


@dataclass(frozen=True, slots=True)
class TariffCheck:
    """0x05 (§6.5): which tariff the pile has; zeros where it has none."""

    pile: str
    tariff: str


@dataclass(frozen=True, slots=True)
class TariffRequest:
    """0x09 (§6.7): the pile asks for the tariff, and may not charge before it has one."""

    pile: str


@dataclass(frozen=True, slots=True)
class RealTimeData:
    """0x13 (§7.2): how a gun is. It carries no time of its own."""

    transaction: str
    pile: str
    gun: int
    state: int
    homed: int
    plugged: int
    voltage_tenths_v: int
    current_tenths_a: int
    cable_temperature_raw: int
    cable: str
    soc_pct: int
    battery_temperature_raw: int
    charging_min: int
    left_min: int
    energy_tenths_wh: int
    energy_with_loss_tenths_wh: int
    money: int
    hardware_faults: int


@dataclass(frozen=True, slots=True)
class ChargeEnd:
    """0x19 (§7.5): the statistics of a charge at its end."""

    transaction: str
    pile: str
    gun: int
    soc_pct: int
    cell_minimum_hundredths_v: int
    cell_maximum_hundredths_v: int
    battery_minimum_raw: int
    battery_maximum_raw: int
    charging_min: int
    energy_tenths_kwh: int
    charger: int


@dataclass(frozen=True, slots=True)
class ChargeError:
    """0x1B (§7.6): which words of the vehicle or the charger failed to come, as pairs of bits."""

    transaction: str
    pile: str
    gun: int
    errors: bytes


@dataclass(frozen=True, slots=True)
class BmsAbort:
    """0x1D (§7.7): the vehicle's battery management ended the charge. Pairs of bits: 01 is so, 10 is not to be trusted."""

    transaction: str
    pile: str
    gun: int
    reasons: int
    faults: int
    errors: int


@dataclass(frozen=True, slots=True)
class ChargerAbort:
    """0x21 (§7.8): the charger ended the charge."""

    transaction: str
    pile: str
    gun: int
    reasons: int
    faults: int
    errors: int


@dataclass(frozen=True, slots=True)
class ChargeOutput:
    """0x23 (§7.9): what the vehicle asks for and the charger gives. Currents count from -400 A."""

    transaction: str
    pile: str
    gun: int
    wanted_tenths_v: int
    wanted_tenths_a: int
    mode: int
    measured_tenths_v: int
    measured_tenths_a: int
    highest_cell: int
    soc_pct: int
    left_min: int
    output_tenths_v: int
    output_tenths_a: int
    charging_min: int


@dataclass(frozen=True, slots=True)
class BatteryState:
    """0x25 (§7.10): the battery as its management sees it. `states` are pairs of bits."""

    transaction: str
    pile: str
    gun: int
    highest_cell: int
    battery_maximum_raw: int
    maximum_at: int
    battery_minimum_raw: int
    minimum_at: int
    states: int


@dataclass(frozen=True, slots=True)
class StartRequest:
    """0x31 (§8.1): somebody wants to charge at the pile. `word` is a hash of a password and shows nowhere."""

    pile: str
    gun: int
    way: int
    asks_password: int
    card: str = field(repr=False)
    word: bytes = field(repr=False)
    vin: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class StartAnswer:
    """0x33 (§8.4)."""

    transaction: str
    pile: str
    gun: int
    result: int
    reason: int


@dataclass(frozen=True, slots=True)
class StopAnswer:
    """0x35 (§8.6): `result` 1 stopped, 0 not; `reason` 1 wrong number, 2 not charging, 3 other."""

    pile: str
    gun: int
    result: int
    reason: int


@dataclass(frozen=True, slots=True)
class TransactionRecord:
    """0x3B (§8.7): a charge that has ended. `periods` holds price, energy, energy with loss and money of the four tariffs."""

    transaction: str
    pile: str
    gun: int
    started_at: datetime | None
    ended_at: datetime | None
    periods: tuple[int, ...]
    meter_start_tenths_wh: int
    meter_end_tenths_wh: int
    energy_tenths_wh: int
    energy_with_loss_tenths_wh: int
    money: int
    vin: bytes = field(repr=False)
    way: int
    recorded_at: datetime | None
    stop_reason: int
    card: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ClockAnswer:
    """0x55 (§9.4): the time that the pile has now."""

    pile: str
    time: datetime | None


@dataclass(frozen=True, slots=True)
class RebootAnswer:
    """0x91 (§11.2): `result` 1 accepted, 0 not."""

    pile: str
    result: int


@dataclass(frozen=True, slots=True)
class UpdateAnswer:
    """0x93 (§11.4): `result` 0 done, 1 wrong number, 2 another program, 3 download timed out."""

    pile: str
    result: int


Message = (
    Login
    | Heartbeat
    | TariffCheck
    | TariffRequest
    | RealTimeData
    | ChargeEnd
    | ChargeError
    | BmsAbort
    | ChargerAbort
    | ChargeOutput
    | BatteryState
    | StartRequest
    | StartAnswer
    | StopAnswer
    | TransactionRecord
    | ClockAnswer
    | RebootAnswer
    | UpdateAnswer
)

_OF_CHARGE = (TRANSACTION, PILE, GUN)
_CARD = Digits(8)
_VIN = Bytes(17)

LAYOUTS: Final[Mapping[int, Layout[Any]]] = MappingProxyType(
    {
        0x01: Layout(Login, (PILE, U8, U8, U8, Words(8), U8, Digits(10), U8)),
        0x03: Layout(Heartbeat, (PILE, GUN, U8)),
        0x05: Layout(TariffCheck, (PILE, TARIFF)),
        0x09: Layout(TariffRequest, (PILE,)),
        0x13: Layout(
            RealTimeData,
            (*_OF_CHARGE, U8, U8, U8, U16, U16, U8, Digits(8), U8, U8, U16, U16, U32, U32, U32, U16),
        ),
        0x19: Layout(ChargeEnd, (*_OF_CHARGE, U8, U16, U16, U8, U8, U16, U16, U32)),
        0x1B: Layout(ChargeError, (*_OF_CHARGE, Bytes(8))),
        0x1D: Layout(BmsAbort, (*_OF_CHARGE, U8, U16, U8)),
        0x21: Layout(ChargerAbort, (*_OF_CHARGE, U8, U16, U8)),
        0x23: Layout(ChargeOutput, (*_OF_CHARGE, U16, U16, U8, U16, U16, U16, U8, U16, U16, U16, U16)),
        0x25: Layout(BatteryState, (*_OF_CHARGE, U8, U8, U8, U8, U8, U16)),
        0x31: Layout(StartRequest, (PILE, GUN, U8, U8, _CARD, Bytes(16), _VIN)),
        0x33: Layout(StartAnswer, (*_OF_CHARGE, U8, U8)),
        0x35: Layout(StopAnswer, (PILE, GUN, U8, U8)),
        0x3B: Layout(
            TransactionRecord,
            (*_OF_CHARGE, TIME, TIME, Row(U32, 16), U40, U40, U32, U32, U32, _VIN, U8, TIME, U8, _CARD),
        ),
        0x55: Layout(ClockAnswer, (PILE, TIME)),
        0x91: Layout(RebootAnswer, (PILE, U8)),
        0x93: Layout(UpdateAnswer, (PILE, U8)),
    }
)
"""By type. What a pile may say and no row knows is counted and left alone."""

KINDS: Final[Mapping[type[Any], int]] = MappingProxyType({layout.message: kind for kind, layout in LAYOUTS.items()})


def message_of(frame: Frame) -> Message | None:
    """What a frame says; None for a type that is not known. Raises MalformedBody."""
    layout = LAYOUTS.get(frame.kind)
    if layout is None:
        return None
    message: Message = layout.read(frame.body)
    return message


def frame_of(message: Message, sequence: int) -> Frame:
    """A message as a pile would send it. Raises ValueError or OverflowError for a value that does not fit."""
    kind = KINDS[type(message)]
    return Frame(sequence, kind, LAYOUTS[kind].written(message))
