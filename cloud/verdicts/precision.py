"""How often what is told is true (准确率), with what so few or so many judgements can say. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import sqrt
from typing import Final

from cloud.verdicts.model import RIGHT, Verdict

Z_95: Final = 1.959963984540054
FEW: Final = 20
"""Fewer decided judgements than this are told as so many of so many, not as a percentage."""


@dataclass(frozen=True, slots=True)
class Share:
    """`part` of `whole`, with the interval (Wilson, 95 %) in which the true share lies; 0 to 1 where there is nothing."""

    part: int
    whole: int
    low: float
    high: float

    @classmethod
    def of(cls, part: int, whole: int) -> "Share":
        """E. B. Wilson, Probable inference, JASA 22 (1927): holds near 0 and 1 and for small numbers, where the usual one does not."""
        if whole == 0:
            return cls(0, 0, 0.0, 1.0)
        p, squared = part / whole, Z_95 * Z_95
        middle = (p + squared / (2 * whole)) / (1 + squared / whole)
        half = Z_95 * sqrt(p * (1 - p) / whole + squared / (4 * whole * whole)) / (1 + squared / whole)
        low = 0.0 if part == 0 else max(0.0, middle - half)
        high = 1.0 if part == whole else min(1.0, middle + half)
        return cls(part, whole, low, high)

    @property
    def value(self) -> float | None:
        """The share itself; None of nothing."""
        return self.part / self.whole if self.whole else None

    @property
    def is_few(self) -> bool:
        """Whether a percentage would promise more than is known."""
        return self.whole < FEW


class Dimension(StrEnum):
    """By what judgements are told apart. `rule` is its name, `rule_version` version and hash of its configuration, `hour` the local one."""

    DEVICE = "device"
    RULE = "rule"
    RULE_VERSION = "rule_version"
    KIND = "kind"
    MODEL = "model"
    HOUR = "hour"


@dataclass(frozen=True, slots=True)
class Place:
    """Where judgements belong; what is not told apart is None. Of a device `node` and `device`."""

    node: str | None = None
    device: str | None = None
    rule: str | None = None
    rule_version: str | None = None
    rule_sha256: str | None = None
    kind: str | None = None
    model: str | None = None
    model_version: str | None = None
    model_sha256: str | None = None
    hour: int | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """So many judgements of one verdict and reason at one place, and the incidents that they cover."""

    place: Place
    verdict: Verdict
    reason: str | None
    judgements: int
    incidents: int


@dataclass(slots=True)
class Cell:
    """What was found at one place. Judgements are counted, not incidents: a case of fifty incidents was looked at once."""

    place: Place
    judgements: dict[Verdict, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    incidents: int = 0

    @property
    def precision(self) -> Share:
        """True ones, also those known already, of all that were decided."""
        right = sum(self.judgements.get(each, 0) for each in RIGHT)
        return Share.of(right, right + self.judgements.get(Verdict.FALSE_ALARM, 0))


def cells(tallies: Iterable[Tally]) -> list[Cell]:
    """One cell for each place, those with the most judgements first."""
    found: dict[Place, Cell] = {}
    for each in tallies:
        cell = found.setdefault(each.place, Cell(each.place))
        cell.judgements[each.verdict] = cell.judgements.get(each.verdict, 0) + each.judgements
        cell.incidents += each.incidents
        if each.reason is not None:
            cell.reasons[each.reason] = cell.reasons.get(each.reason, 0) + each.judgements
    return sorted(found.values(), key=lambda cell: (-sum(cell.judgements.values()), _words(cell.place)))


def _words(place: Place) -> tuple[str, ...]:
    values = (place.node, place.device, place.rule, place.rule_sha256, place.kind, place.model, place.hour)
    return tuple("" if value is None else f"{value:>03}" if isinstance(value, int) else value for value in values)


def dominant(reasons: Mapping[str, int]) -> tuple[str, Share] | None:
    """The most frequent reason with its share; None where there is none."""
    if not reasons:
        return None
    reason = max(reasons, key=lambda each: (reasons[each], each))
    return reason, Share.of(reasons[reason], sum(reasons.values()))
