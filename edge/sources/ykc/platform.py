"""What a node knows of its YKC piles, over all of their connections. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from edge.settings.ykc import TariffSettings, YkcPileSettings, YkcSettings
from edge.sources.knocks import Knocks
from edge.sources.ykc.answers import Tariff
from edge.sources.ykc.fields import PILE_TIME
from edge.sources.ykc.kept_records import KeptRecords
from edge.sources.ykc.readings import PileReadings

_MOST_TRANSACTIONS: Final = 10_000
_PRICE_PARTS: Final = 100_000
"""Prices travel in 0.00001 yuan."""


@dataclass(slots=True)
class YkcFigures:
    """What was heard since the start; bounded by the numbers of piles, guns and types."""

    frames: int = 0
    readings: int = 0
    logins: int = 0
    records: int = 0
    doubled: int = 0
    replayed: int = 0
    before_login: int = 0
    encrypted: int = 0
    malformed: Counter[str] = field(default_factory=Counter)
    unknown_type: Counter[str] = field(default_factory=Counter)
    clamped: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    skew_s: dict[str, float] = field(default_factory=dict)


class Platform:
    """What is known of all piles, over all connections."""

    def __init__(self, settings: YkcSettings, *, receipts: Sequence[bytes] = ()) -> None:
        self.figures = YkcFigures()
        self.knocks = Knocks()
        self.records = KeptRecords(receipts)
        self._readings: dict[str, PileReadings] = {}
        self._transactions = 0
        self.adopt(settings)

    def adopt(self, settings: YkcSettings) -> None:
        """Go on with other piles; what is known of those that stay stays known."""
        self.settings = settings
        self.piles = {pile.number: pile for pile in settings.piles}
        known, self._readings = self._readings, {}
        for number, pile in self.piles.items():
            readings = known.get(number)
            if readings is None:
                readings = PileReadings(pile)
            else:
                readings.adopt(pile)
            self._readings[number] = readings

    def pile(self, number: str) -> YkcPileSettings | None:
        """The pile with that number; None where none is configured."""
        return self.piles.get(number)

    def readings(self, number: str) -> PileReadings | None:
        """What makes readings of what it says."""
        return self._readings.get(number)

    def refused(self) -> dict[str, int]:
        """Values that were not taken, `device: reason`."""
        found = Counter(self.figures.refused)
        for number, readings in self._readings.items():
            for point, count in dict(readings.refused).items():
                found[f"{self.piles[number].id}: out_of_range {point}"] += count
        return dict(found)

    def transaction(self, number: str, gun: int, now: datetime) -> str:
        """A new transaction number (§3.3)."""
        self._transactions = self._transactions % (_MOST_TRANSACTIONS - 1) + 1
        return f"{number}{gun:02}{now.astimezone(PILE_TIME):%y%m%d%H%M%S}{self._transactions:04}"


def tariff_of(pile: str, settings: TariffSettings) -> Tariff:
    """As it is told to a pile."""
    pairs = [price for pair in zip(settings.energy_yuan, settings.service_yuan, strict=True) for price in pair]
    return Tariff(pile, settings.number, tuple(round(price * _PRICE_PARTS) for price in pairs), 0, settings.slots)
