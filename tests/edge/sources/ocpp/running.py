"""A listener for piles that runs, and what it hands over."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edge.errors import OutboxFull
from edge.flow import Health, Parcel, Reading
from edge.settings.ocpp import OcppPileSettings, OcppSettings
from edge.sources.ocpp.server import Limits
from edge.sources.ocpp.source import OcppSource, Timing
from edge.sources.ocpp.station import Patience
from tests.edge.waiting import wait_until

FAST = Timing(
    limits=Limits(handshake_s=20.0, after_denial_s=0.0),
    patience=Patience(keep_s=0.3, again_s=0.05),
    grace_s=0.3,
    look_s=0.05,
    introduce_s=0.05,
    answer_s=5.0,
    meter_s=(0.0, 0.05),
    listen_s=0.1,
)
QUIET = Timing(limits=FAST.limits, patience=FAST.patience, look_s=0.05, introduce_s=3_600.0, meter_s=(), grace_s=0.3)
"""Asks nothing by itself but what follows a start."""


class Keeper:
    """Keeps readings in memory, unless told that it can't."""

    def __init__(self) -> None:
        self.kept: list[Reading] = []
        self.again: list[Reading] = []
        self.marks: list[bytes] = []
        self.parcels = 0
        self.refusing = False
        self.refused = 0
        self.failing_on: str | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.statuses: list[tuple[str, Health, str | None]] = []

    def keep(self, parcel: Parcel) -> None:
        self.gate.wait(20)
        if self.refusing:
            self.refused += 1
            raise OutboxFull("no room in this test")
        if self.failing_on is not None and any(reading.device == self.failing_on for reading in parcel.readings):
            raise ValueError("nothing that is tried again by itself")
        self.parcels += 1
        self.kept += parcel.readings
        self.again += parcel.again
        if parcel.receipts is not None:
            self.marks += parcel.receipts.marks

    def on_status(self, device: str, health: Health, reason: str | None) -> None:
        self.statuses.append((device, health, reason))

    def values(self, point: str, device: str = "pile-1") -> list[float | str]:
        return [reading.value for reading in self.kept if reading.point == point and reading.device == device]

    def health(self, device: str = "pile-1") -> Health | None:
        return next((health for name, health, _ in reversed(self.statuses) if name == device), None)


def piles(*names: str, **more: Any) -> tuple[OcppPileSettings, ...]:
    return tuple(OcppPileSettings(id=name, **more) for name in names)


def settings(*configured: OcppPileSettings, **more: Any) -> OcppSettings:
    known: dict[str, Any] = {"host": "127.0.0.1", "port": 0, "security_profile": 0, **more}
    return OcppSettings(piles=configured or piles("pile-1"), **known)


@contextmanager
def source(
    keeper: Keeper,
    configured: OcppSettings | None = None,
    *,
    receipts: Sequence[bytes] = (),
    timing: Timing = QUIET,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    secret: Callable[[Path | None], str | None] = lambda _file: "secret",
) -> Iterator[OcppSource]:
    made = OcppSource(
        configured or settings(),
        keeper.keep,
        keeper.on_status,
        secret=secret,
        receipts=receipts,
        clock=clock,
        timing=timing,
    )
    made.start()
    try:
        wait_until(lambda: made.port is not None, "the listener")
        yield made
    finally:
        made.stop()


def address(made: OcppSource, *, scheme: str = "ws") -> str:
    return f"{scheme}://127.0.0.1:{made.port}/ocpp"
