"""Light and weather as somebody asks for them, over what a seed has drawn: the same people do the same in the rain. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from typing import Final

from edge.errors import ConfigurationError
from edge.simulators.scene.weather import Conditions, Cover

_SPAN: Final = re.compile(r"(\d{1,4}(?:\.\d{1,3})?)-(\d{1,4}(?:\.\d{1,3})?)(?::([a-z]{1,16}))?")
_NIGHT_NOISE: Final = 3.0
"""Grey levels: a sensor in the dark has at least so much."""


class Light(StrEnum):
    """What a scene is lit by."""

    DAY = "day"
    DUSK = "dusk"
    NIGHT = "night"
    INFRARED = "infrared"


_DAYLIGHT: Final[dict[Light, float]] = {Light.DAY: 1.0, Light.DUSK: 0.35, Light.NIGHT: 0.0, Light.INFRARED: 0.0}


@dataclass(frozen=True, slots=True)
class Wanted:
    """None: as the seed has it. `rain`: 0 none … 1 heavy. `shake`: how far the camera sways, in parts of a hundred of the picture's height.
    `covered`: spans of seconds in which nothing is seen.
    """

    light: Light | None = None
    rain: float | None = None
    shake: float | None = None
    covered: tuple[tuple[float, float, Cover], ...] = ()

    def applied(self, drawn: Conditions) -> Conditions:
        """What was drawn, with what is wanted."""
        made = drawn
        if self.light is not None:
            daylight = _DAYLIGHT[self.light]
            made = replace(
                made,
                daylight=((0.0, daylight),),
                infrared=self.light is Light.INFRARED,
                shadow=made.shadow if self.light is Light.DAY else 0.0,
                noise=made.noise if daylight else max(made.noise, _NIGHT_NOISE),
            )
        if self.rain is not None:
            made = replace(made, rain=self.rain, shadow=0.0 if self.rain else made.shadow)
        if self.shake is not None:
            made = replace(made, tremble=self.shake / 100)
        return replace(made, covered=self.covered or made.covered)

    def check(self, duration_s: float) -> None:
        """Raises ConfigurationError where something is wanted after the end of a scene of that length."""
        for begin_s, _, _ in self.covered:
            if begin_s >= duration_s:
                raise ConfigurationError(f"--covered {begin_s:g}: the scene is over after {duration_s:g} seconds")

    @property
    def words(self) -> tuple[str, ...]:
        """For the name of a film, so that none is written over another one of the same seed."""
        named = [
            ("" if self.light is None else self.light.value),
            ("" if self.rain is None else f"rain{self.rain:g}"),
            ("" if self.shake is None else f"shake{self.shake:g}"),
            *(f"{cover.value}{begin_s:g}-{end_s:g}" for begin_s, end_s, cover in self.covered),
        ]
        return tuple(word for word in named if word)


def spans_of(told: Sequence[str]) -> tuple[tuple[float, float, Cover], ...]:
    """Spans of words like 20-30 (black) or 20-30:hand, in the order of time. Raises ConfigurationError."""
    spans = []
    for words in told:
        found = _SPAN.fullmatch(words.strip())
        cover = None if found is None else found[3] or Cover.BLACK.value
        if found is None or cover not in set(Cover) or not float(found[1]) < float(found[2]):
            raise ConfigurationError(
                f"--covered {words[:40]}: seconds FROM-TO are expected, as in 20-30, or 20-30:hand for a hand before the lens"
            )
        spans.append((float(found[1]), float(found[2]), Cover(cover)))
    spans.sort()
    for (_, end_s, _), (begin_s, _, _) in pairwise(spans):
        if begin_s < end_s:
            raise ConfigurationError(
                f"--covered: two spans share the seconds from {begin_s:g} to {end_s:g}; make one of them"
            )
    return tuple(spans)
