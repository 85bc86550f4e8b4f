"""Situations with a known number of things in them: real footage, and footage made of real parts."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from math import pi, sin

import numpy as np

from edge.flow import Image
from edge.settings import MOTION
from edge.video import Video
from models import catalogue
from tests.fakes.compositions import Mask, Shot, background, lit, patch, shots, to_and_fro
from tests.fakes.occurrences import CARS, EMPTY_CARS_S, EMPTY_VISITS_S
from tests.fakes.visits import CLIP

HERTZ = 5.0

Taken = Callable[[], Iterator[Shot]]
"""Pictures, made anew each time that they are asked for."""

STANDS_S = (30.0, 40.0)
"""A stretch of the visits in which somebody stands at the table."""


@dataclass(frozen=True, slots=True)
class Situation:
    """Pictures, and how many tracks of each kind they should leave."""

    name: str
    wanted: Mapping[str, int]
    shown: Taken


def situations() -> Iterator[Situation]:
    """All of them."""
    floor = [image for _, image in shots(catalogue.clip(CLIP), HERTZ, *EMPTY_VISITS_S[0])]
    lane = [image for _, image in shots(catalogue.clip(CARS), HERTZ, *EMPTY_CARS_S[1])]
    bare = background(floor)
    visits = partial(of_clip, CLIP)
    nobody = {"person": 0, "car": 0, "truck": 0, "bus": 0, "bicycle": 0, "motorcycle": 0, MOTION: 0}
    yield Situation("six visits", {"person": 6}, visits)
    yield Situation("six visits, every fifth picture empty", {"person": 6}, partial(flickering, visits, bare, 5))
    yield Situation("six visits behind a pillar", {"person": 6}, partial(behind, visits, bare, 0.62, 0.72))
    yield Situation("four cars from above", {MOTION: 4, "person": 0}, partial(of_clip, CARS))
    yield from _standing(bare)
    for name, ground in (("floor", floor), ("lane", lane)):

        def quiet(ground: list[Image] = ground) -> Iterator[Shot]:
            return to_and_fro(ground, 60.0, HERTZ)

        yield Situation(f"empty {name}", nobody, quiet)
        yield Situation(f"headlights on the {name}", nobody, partial(sweeping, quiet, 1.9))
        yield Situation(f"a shadow over the {name}", nobody, partial(sweeping, quiet, 0.55))
        yield Situation(f"clouds over the {name}", nobody, partial(clouded, quiet))


def _standing(bare: Image) -> Iterator[Situation]:
    stands = [image for _, image in shots(catalogue.clip(CLIP), HERTZ, *STANDS_S)]

    def long() -> Iterator[Shot]:
        return to_and_fro(stands, 120.0, HERTZ)

    def arriving() -> Iterator[Shot]:
        """What stands comes into view all at once, and a second somebody passes close by before it."""
        return ((at_s, bare if at_s < 5 or 60 <= at_s < 62 else image) for at_s, image in long())

    yield Situation("stands for two minutes", {"person": 1}, long)
    yield Situation("stands, hidden for two seconds", {"person": 1}, arriving)
    yield Situation("stands in night gain", {"person": 1}, partial(dimmed, long, 0.4, 12.0))
    yield Situation("stands while headlights pass", {"person": 1}, partial(sweeping, long, 1.6))


def of_clip(name: str) -> Iterator[Shot]:
    """A clip at the rate of analysis."""
    taken = 0
    with Video(catalogue.clip(name)) as video:
        for decoded in video.frames():
            at_s = decoded.pts_s or 0.0
            if at_s + 1e-6 >= taken / HERTZ:
                taken += 1
                yield at_s, decoded.picture.image


def flickering(taken: Taken, bare: Image, every: int) -> Iterator[Shot]:
    """Nobody is there in every n-th picture."""
    return ((at_s, bare if index % every == 0 else image) for index, (at_s, image) in enumerate(taken()))


def behind(taken: Taken, bare: Image, left: float, right: float) -> Iterator[Shot]:
    """A strip of the background hides whoever passes behind it."""
    columns = slice(int(left * bare.shape[1]), int(right * bare.shape[1]))
    for at_s, image in taken():
        made = image.copy()
        made[:, columns] = bare[:, columns]
        yield at_s, made


def sweeping(taken: Taken, gain: float) -> Iterator[Shot]:
    """A beam (or a shadow, below 1) crosses the picture every ten seconds in four."""
    for at_s, image in taken():
        share = at_s % 10.0 / 4.0
        yield at_s, lit(image, _beam(image.shape, share * 1.4 - 0.2), gain) if share < 1 else image


def clouded(taken: Taken) -> Iterator[Shot]:
    """The whole picture becomes darker and lighter by a third, once in twelve seconds."""
    return (
        (at_s, np.clip(image * (0.8 + 0.2 * sin(2 * pi * at_s / 12)), 0, 255).astype(np.uint8))
        for at_s, image in taken()
    )


def dimmed(taken: Taken, gain: float, noise: float) -> Iterator[Shot]:
    """A dark picture with the noise of high gain."""
    chance = np.random.default_rng(3)
    for at_s, image in taken():
        grain = chance.normal(0.0, noise, (*image.shape[:2], 1)).astype(np.float32)
        yield at_s, np.clip(image * np.float32(gain) + grain, 0, 255).astype(np.uint8)


def _beam(shape: tuple[int, ...], x: float) -> Mask:
    """Two soft cones of light side by side."""
    first = patch(shape, ((x - 0.02, 0.55), (x + 0.02, 0.55), (x + 0.09, 0.95), (x - 0.09, 0.95)), 31)
    second = patch(shape, ((x + 0.1, 0.55), (x + 0.14, 0.55), (x + 0.21, 0.95), (x + 0.03, 0.95)), 31)
    return np.maximum(first, second)
