"""What the platform says (the even types of YKC V1.6). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from edge.sources.ykc.frame import Frame
from edge.sources.ykc.layout import GUN, PILE, TARIFF, TIME, TRANSACTION, U8, U16, U32, Digits, Layout, Row, Words

TARIFF_SLOTS: Final = 48
"""Half hours of a day."""


@dataclass(frozen=True, slots=True)
class LoginAnswer:
    """0x02 (§6.2): `result` 0 welcome, 1 not."""

    pile: str
    result: int


@dataclass(frozen=True, slots=True)
class HeartbeatAnswer:
    """0x04 (§6.4)."""

    pile: str
    gun: int
    answer: int = 0


@dataclass(frozen=True, slots=True)
class TariffCheckAnswer:
    """0x06 (§6.6): `result` 0 the same tariff, 1 another."""

    pile: str
    tariff: str
    result: int


@dataclass(frozen=True, slots=True)
class Tariff:
    """0x0A (§6.8): energy and service price of four tariffs in 0.00001 yuan per kWh, and which of them holds in which half hour."""

    pile: str
    tariff: str
    prices: tuple[int, ...]
    loss_pct: int
    slots: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DataRequest:
    """0x12 (§7.1): tell how a gun is."""

    pile: str
    gun: int


@dataclass(frozen=True, slots=True)
class StartPermission:
    """0x32 (§8.2): `result` 1 may charge, 0 not; the `reason` then."""

    transaction: str
    pile: str
    gun: int
    card: str
    balance_hundredths: int
    result: int
    reason: int


@dataclass(frozen=True, slots=True)
class StopOrder:
    """0x36 (§8.5): stop the charge."""

    pile: str
    gun: int


@dataclass(frozen=True, slots=True)
class RecordAnswer:
    """0x40 (§8.8): `result` 0 taken, 1 not a record."""

    transaction: str
    result: int


@dataclass(frozen=True, slots=True)
class ClockOrder:
    """0x56 (§9.3): set the clock."""

    pile: str
    time: datetime


@dataclass(frozen=True, slots=True)
class RebootOrder:
    """0x92 (§11.1): `when` 1 at once, 2 when idle."""

    pile: str
    when: int


@dataclass(frozen=True, slots=True)
class UpdateOrder:
    """0x94 (§11.3): fetch a program over FTP and install it. `when` 1 at once, 2 when idle."""

    pile: str
    model: int
    power: int
    host: str
    port: int
    user: str = field(repr=False)
    word: str = field(repr=False)
    path: str
    when: int
    download_min: int


Answer = (
    LoginAnswer
    | HeartbeatAnswer
    | TariffCheckAnswer
    | Tariff
    | DataRequest
    | StartPermission
    | StopOrder
    | RecordAnswer
    | ClockOrder
    | RebootOrder
    | UpdateOrder
)

LAYOUTS: Final[Mapping[int, Layout[Any]]] = MappingProxyType(
    {
        0x02: Layout(LoginAnswer, (PILE, U8)),
        0x04: Layout(HeartbeatAnswer, (PILE, GUN, U8)),
        0x06: Layout(TariffCheckAnswer, (PILE, TARIFF, U8)),
        0x0A: Layout(Tariff, (PILE, TARIFF, Row(U32, 8), U8, Row(U8, TARIFF_SLOTS))),
        0x12: Layout(DataRequest, (PILE, GUN)),
        0x32: Layout(StartPermission, (TRANSACTION, PILE, GUN, Digits(8), U32, U8, U8)),
        0x36: Layout(StopOrder, (PILE, GUN)),
        0x40: Layout(RecordAnswer, (TRANSACTION, U8)),
        0x56: Layout(ClockOrder, (PILE, TIME)),
        0x92: Layout(RebootOrder, (PILE, U8)),
        0x94: Layout(UpdateOrder, (PILE, U8, U16, Words(16), U16, Words(16), Words(16), Words(32), U8, U8)),
    }
)
"""By type."""

KINDS: Final[Mapping[type[Any], int]] = MappingProxyType({layout.message: kind for kind, layout in LAYOUTS.items()})


def frame_of(answer: Answer, sequence: int) -> Frame:
    """As it is sent. Raises ValueError or OverflowError for a value that does not fit."""
    kind = KINDS[type(answer)]
    return Frame(sequence, kind, LAYOUTS[kind].written(answer))


def answer_of(frame: Frame) -> Answer | None:
    """What a frame of the platform says, as a pile reads it; None for a type that is not known. Raises MalformedBody."""
    layout = LAYOUTS.get(frame.kind)
    if layout is None:
        return None
    answer: Answer = layout.read(frame.body)
    return answer
