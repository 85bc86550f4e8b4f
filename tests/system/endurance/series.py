"""What is measured over hours, and whether it stays flat. Pure.

The rule. Time is that of the load (at 20× speed an hour takes three minutes). The reference of a series is the highest value of its
first ten minutes, in which all warming up has to be over. Each following ten minutes count by their median, so that one
peak between two samples decides nothing. A series is flat when no such level is more than 5 % above the reference, and when
that of the last ten minutes is not more than 5 % above that of the second ten: a leak can't hide below the peak of a start.

What rises and falls by itself has no level between two samples. A sawtooth (`Level.PEAK`: filled for ten minutes, then pruned) counts
in each ten minutes, which hold whole periods of it, by its highest value; what is opened and closed all the time (`Level.HIGH`: the
threads of a decoder) by the value that nine tenths of the samples do not pass. The bar is the same.

Two widenings, told with each series. `step`: a difference so small is none. Where things are counted (threads, descriptors) it is
one: of fifteen that would be 7 %. Where a size depends on a burst that waited or on when the database's vacuum came by, it is
a few hundred KiB; where events are counted it is what chance adds to them. `settled_s`: what is pruned only after some time can't be flat before; its reference is taken until then.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import median
from typing import Any

WINDOW_S = 600.0
"""The first ten minutes, and each ten after them."""

TOLERANCE = 0.05
HIGH_SHARE = 0.9


class Judgement(StrEnum):
    """How a series is judged."""

    FLAT = "flat"
    """Within 5 % of the first ten minutes."""
    CAPPED = "capped"
    """Never above `limit`, a quota that the configuration sets."""
    GROWS = "grows"
    """Grows with what people have to keep (readings, incidents, logs of who did what): told, not judged."""


class Level(StrEnum):
    """By which of its values a span of ten minutes counts."""

    MEDIAN = "median"
    HIGH = "high"
    """Nine tenths lie no higher."""
    PEAK = "peak"

    def of(self, values: Sequence[float]) -> float:
        """That value of some."""
        match self:
            case Level.MEDIAN:
                return median(values)
            case Level.HIGH:
                return sorted(values)[math.ceil(len(values) * HIGH_SHARE) - 1]
            case Level.PEAK:
                return max(values)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a series is: its unit, why it is bounded, and how it is judged.

    `limit` belongs to `CAPPED`. `step`: a difference so small is none. `settled_s`: until then the reference is taken. `level`: by
    which value ten minutes count.
    """

    unit: str
    bound: str
    judgement: Judgement = Judgement.FLAT
    limit: float | None = None
    step: float = 0.0
    settled_s: float = WINDOW_S
    level: Level = Level.MEDIAN

    def __post_init__(self) -> None:
        if (self.limit is None) == (self.judgement is Judgement.CAPPED):
            raise ValueError("a capped series has a limit, no other has one")


@dataclass(slots=True)
class Series:
    """Values over time; `at_s` are seconds of load since the beginning, in order."""

    kind: Kind
    at_s: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def add(self, at_s: float, value: float) -> None:
        """Append a value."""
        self.at_s.append(at_s)
        self.values.append(value)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome for one series. `growth` is the worst share above what is allowed to be compared with, 0.02 for 2 %."""

    passed: bool
    reason: str
    reference: float | None
    windows: tuple[float, ...]
    highest: float
    growth: float | None

    def to_json(self) -> dict[str, Any]:
        """For the report."""
        return {
            "passed": self.passed,
            "reason": self.reason,
            "reference": self.reference,
            "windows": list(self.windows),
            "highest": self.highest,
            "growth": None if self.growth is None else round(self.growth, 4),
        }


def windows(series: Series, *, window_s: float = WINDOW_S) -> list[list[float]]:
    """The values by tens of minutes; a last piece shorter than half of one belongs to the one before."""
    pieces: list[list[float]] = []
    for at_s, value in zip(series.at_s, series.values, strict=True):
        number = int(at_s // window_s)
        while len(pieces) <= number:
            pieces.append([])
        pieces[number].append(value)
    full = [piece for piece in pieces if piece]
    if len(full) > 2 and len(full[-1]) < len(full[-2]) / 2:
        last = full.pop()
        full[-1].extend(last)
    return full


def judge(series: Series, *, window_s: float = WINDOW_S, tolerance: float = TOLERANCE) -> Verdict:
    """Hold a series against its rule."""
    pieces = windows(series, window_s=window_s)
    if not pieces:
        return Verdict(False, "nothing was measured", None, (), 0.0, None)
    levels = tuple(series.kind.level.of(piece) for piece in pieces)
    highest = max(series.values)
    match series.kind.judgement:
        case Judgement.GROWS:
            return Verdict(True, "told, not judged", None, levels, highest, None)
        case Judgement.CAPPED:
            limit = series.kind.limit or 0.0
            passed = highest <= limit
            reason = f"at most {highest:g} of {limit:g}" if passed else f"{highest:g} is above {limit:g}"
            return Verdict(passed, reason, limit, levels, highest, None)
        case Judgement.FLAT:
            return _judge_flat(series, pieces, tolerance, window_s)


def _judge_flat(series: Series, pieces: Sequence[Sequence[float]], tolerance: float, window_s: float) -> Verdict:
    settling = math.ceil(series.kind.settled_s / window_s)
    levels = tuple(series.kind.level.of(piece) for piece in pieces)
    reference = max(value for piece in pieces[:settling] for value in piece)
    highest = max(series.values)
    if len(levels) < settling + 2:
        return Verdict(False, "too short: two tens of minutes have to follow", reference, levels, highest, None)
    step = series.kind.step
    above = max(_growth(level, reference, step) for level in levels[settling:])
    drift = _growth(levels[-1], levels[settling], step)
    growth = max(above, drift)
    if above > tolerance:
        reason = f"{above:+.1%} against the first {settling * window_s / 60:.0f} minutes"
    elif drift > tolerance:
        reason = f"{drift:+.1%} from the first ten minutes after them to the last"
    else:
        reason = f"at most {growth:+.1%}"
    return Verdict(growth <= tolerance, reason, reference, levels, highest, growth)


def _growth(level: float, reference: float, step: float) -> float:
    if level - reference <= step:
        return min(0.0, level - reference) / reference if reference > 0 else 0.0
    return level / reference - 1.0 if reference > 0 else float("inf")


def judge_all(series: Mapping[str, Series]) -> dict[str, Verdict]:
    """Every series by its name."""
    return {name: judge(one) for name, one in series.items()}
