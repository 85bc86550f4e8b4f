"""What a pile of the tests says."""

import dataclasses
from datetime import UTC, datetime
from typing import Any

from edge.settings import YkcPileSettings, YkcSettings
from edge.sources.ykc import messages

NUMBER = "55031412782305"
NOW = datetime(2026, 3, 16, 9, 14, 47, tzinfo=UTC)
TRANSACTION = f"{NUMBER}01" + "260316170000" + "0001"
"""Began at 17:00:00 Beijing time, 09:00:00 UTC: a quarter of an hour before `NOW`."""


def settings(*, guns: int = 2, **more: Any) -> YkcSettings:
    pile = YkcPileSettings(id="pile-1", number=NUMBER, guns=guns)
    return YkcSettings(**{"host": "127.0.0.1", "port": 0, "piles": (pile,), **more})


def login(number: str = NUMBER) -> messages.Login:
    return messages.Login(number, 0, 2, 16, "V1.2", 1, "0" * 20, 4)


def data(**changes: Any) -> messages.RealTimeData:
    """An idle gun; `charging=True` one that charges at 38 °C."""
    idle = messages.RealTimeData(messages.NO_TRANSACTION, NUMBER, 1, 2, 1, 0, 0, 0, 0, "0" * 16, 0, 0, 0, 0, 0, 0, 0, 0)
    if changes.pop("charging", False):
        idle = dataclasses.replace(
            idle,
            transaction=TRANSACTION,
            state=3,
            plugged=1,
            voltage_tenths_v=3_800,
            current_tenths_a=320,
            cable_temperature_raw=88,
            soc_pct=40,
            battery_temperature_raw=80,
            charging_min=14,
            energy_tenths_wh=30_000,
        )
    return dataclasses.replace(idle, **changes)


def record(**changes: Any) -> messages.TransactionRecord:
    plain = messages.TransactionRecord(
        TRANSACTION, NUMBER, 1, datetime(2026, 3, 16, 9, tzinfo=UTC), NOW, (0,) * 16, 0, 50_000, 50_000, 50_000, 0,
        bytes(17), 1, NOW, 0x74, "0" * 16,
    )  # fmt: skip
    return dataclasses.replace(plain, **changes)
