"""Which fault when and for how long, from a seed. Pure."""

import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tests.system.chaos.faults import INJURIES, Fault

QUIET_S = 1.0
"""Between two faults on one target."""

_TRIES = 40


@dataclass(frozen=True, slots=True, order=True)
class Episode:
    """One fault of a run; seconds since its beginning."""

    begin_s: float
    lasts_s: float
    fault: Fault

    @property
    def end_s(self) -> float:
        """When it is lifted."""
        return self.begin_s + self.lasts_s

    @property
    def target(self) -> str:
        """What it is done to."""
        return INJURIES[self.fault].target


class Turn(StrEnum):
    """What is done with a fault."""

    INFLICT = "inflict"
    LIFT = "lift"


@dataclass(frozen=True, slots=True)
class Step:
    """One deed of a run."""

    at_s: float
    turn: Turn
    fault: Fault


def draw(seed: int, *, seconds: float, count: int, faults: Collection[Fault] = tuple(Fault)) -> tuple[Episode, ...]:
    """`count` faults within `seconds` (fewer where they find no room), each of `faults` once before any comes again.

    Faults on different targets may overlap, those on one target never do.
    """
    source = random.Random(seed)  # noqa: S311  # the same every time, on purpose
    deck: list[Fault] = []
    drawn: list[Episode] = []
    for _ in range(count):
        if not deck:
            deck = sorted(faults)
            source.shuffle(deck)
        episode = _placed(deck.pop(), drawn, seconds, source.uniform)
        if episode is not None:
            drawn.append(episode)
    return tuple(sorted(drawn))


def _placed(
    fault: Fault, drawn: Sequence[Episode], seconds: float, uniform: Callable[[float, float], float]
) -> Episode | None:
    injury = INJURIES[fault]
    for _ in range(_TRIES):
        lasts_s = round(uniform(injury.shortest_s, min(injury.longest_s, max(injury.shortest_s, seconds / 3))), 2)
        begin_s = round(uniform(0.0, max(0.0, seconds - lasts_s)), 2)
        episode = Episode(begin_s, lasts_s, fault)
        if not any(_collide(episode, other) for other in drawn):
            return episode
    return None


def _collide(one: Episode, other: Episode) -> bool:
    if one.target != other.target:
        return False
    return one.begin_s < other.end_s + QUIET_S and other.begin_s < one.end_s + QUIET_S


def steps(episodes: Sequence[Episode]) -> list[Step]:
    """The deeds of a run in the order of time; what is lifted goes before what is inflicted at the same moment."""
    deeds = [Step(episode.begin_s, Turn.INFLICT, episode.fault) for episode in episodes]
    deeds += [Step(episode.end_s, Turn.LIFT, episode.fault) for episode in episodes]
    begun = {episode.fault: episode for episode in episodes if episode.lasts_s == 0}

    def order(step: Step) -> tuple[float, bool]:
        return step.at_s, (step.turn is Turn.INFLICT) != (step.fault in begun)

    return sorted(deeds, key=order)
