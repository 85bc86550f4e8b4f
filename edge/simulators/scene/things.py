"""Bins and litter of a made scene. Pure."""

from typing import Final

import numpy as np
from numpy.random import Generator

from edge.simulators.scene.shapes import Builder, Colour, Rigid, shaded

BIN_PAINTS: Final[tuple[Colour, ...]] = (
    (60, 110, 40),
    (150, 90, 40),
    (45, 45, 180),
    (75, 72, 70),
    (90, 140, 60),
    (40, 140, 190),
)
_BAGS: Final[tuple[Colour, ...]] = (
    (38, 36, 36),
    (60, 58, 58),
    (215, 218, 220),
    (70, 70, 190),
    (200, 160, 120),
    (90, 150, 90),
)
_CARTON: Final[Colour] = (95, 135, 175)


def bin_body(paint: Colour, size: float) -> Rigid:
    """A wheeled bin with its lid closed; `size` 1 is one of 240 litres."""
    build = Builder()
    _body(build, paint, size)
    build.box((-0.3 * size, 0.3 * size), (-0.36 * size, 0.37 * size), (1.0 * size, 1.07 * size), shaded(paint, 1.12))
    return build.built()


def overflowing_bin(paint: Colour, size: float, chance: Generator) -> Rigid:
    """The same with its lid up, full beyond the rim, bags beside it."""
    build = Builder()
    for _ in range(int(chance.integers(0, 4))):
        side = 1 if chance.random() < 0.5 else -1
        _bag(build, (side * float(chance.uniform(0.35, 0.6)), float(chance.uniform(-0.1, 0.5))), 0.0, chance)
    _body(build, paint, size)
    lid = shaded(paint, 1.1)
    hinge, up = -0.36 * size, float(chance.uniform(1.25, 1.55)) * size
    back = float(chance.uniform(-0.62, -0.4)) * size
    corners = [
        (-0.3 * size, hinge, 1.0 * size),
        (-0.3 * size, back, up),
        (0.3 * size, back, up),
        (0.3 * size, hinge, 1.0 * size),
    ]
    build.face(corners, lid, closed=False)
    for _ in range(int(chance.integers(3, 7))):
        x, y = chance.uniform(-0.2, 0.2) * size, chance.uniform(-0.24, 0.26) * size
        if chance.random() < 0.25:
            high = float(chance.uniform(1.15, 1.4)) * size
            build.box((x - 0.14, x + 0.14), (y - 0.1, y + 0.1), (0.95 * size, high), _CARTON)
        else:
            _bag(build, (float(x), float(y)), float(chance.uniform(0.92, 1.12)) * size, chance)
    return build.built()


def _body(build: Builder, paint: Colour, size: float) -> None:
    for side in (-0.24, 0.24):
        build.rod((side * size, -0.3 * size, 0.1), (side * size, -0.3 * size, 0.1), 0.1 * size, (30, 28, 28))
    low, high = 0.22 * size, 0.285 * size
    deep_low, deep_high = 0.26 * size, 0.35 * size
    z1, z2 = 0.06, 1.0 * size
    bottom = [(-low, -deep_low, z1), (low, -deep_low, z1), (low, deep_low, z1), (-low, deep_low, z1)]
    top = [(-high, -deep_high, z2), (high, -deep_high, z2), (high, deep_high, z2), (-high, deep_high, z2)]
    for first, second, light in ((0, 1, 0.78), (1, 2, 0.86), (2, 3, 0.96), (3, 0, 0.86)):
        build.face([bottom[first], top[first], top[second], bottom[second]], shaded(paint, light))
    build.face([top[0], top[3], top[2], top[1]], shaded(paint, 0.35))
    y = deep_high * 0.9
    mark = [
        (0.1 * size, y, 0.5 * size),
        (0.1 * size, y, 0.72 * size),
        (-0.1 * size, y, 0.72 * size),
        (-0.1 * size, y, 0.5 * size),
    ]
    build.face(mark, (225, 230, 230))


def _bag(build: Builder, at: tuple[float, float], ground_m: float, chance: Generator) -> None:
    colour = _BAGS[chance.integers(len(_BAGS))]
    radius = float(chance.uniform(0.12, 0.24))
    x, y = at
    z = ground_m + radius * 0.85
    build.ball(x, y, z, radius, shaded(colour, 0.85))
    build.ball(x + radius * 0.35, y - radius * 0.2, z - radius * 0.1, radius * 0.75, colour)
    build.ball(x - radius * 0.3, y, z + radius * 0.3, radius * 0.5, shaded(colour, 1.2))
    build.rod((x, y, z + radius * 0.7), (x + 0.02, y, z + radius * 1.35), radius * 0.16, shaded(colour, 0.7))


def random_litter(chance: Generator) -> Rigid:
    """Something that was left on the ground: bags, a carton, a heap of both, bottles and paper."""
    build = Builder()
    kind = chance.choice(4, p=[0.4, 0.2, 0.25, 0.15])
    if kind == 0:
        _bag(build, (0.0, 0.0), 0.0, chance)
    elif kind == 1:
        _carton(build, (0.0, 0.0), chance)
    elif kind == 2:
        for _ in range(int(chance.integers(3, 8))):
            at = (float(chance.normal(0, 0.35)), float(chance.normal(0, 0.3)))
            if chance.random() < 0.3:
                _carton(build, at, chance)
            else:
                _bag(build, at, 0.0, chance)
    else:
        for _ in range(int(chance.integers(5, 14))):
            x, y = (float(value) for value in chance.normal(0, 0.22, 2))
            colour = ((225, 228, 230), (190, 200, 120), (70, 90, 200), (60, 150, 200), (90, 160, 90))[
                chance.integers(5)
            ]
            turn, long = float(chance.uniform(0, np.pi)), float(chance.uniform(0.04, 0.12))
            dx, dy = float(np.cos(turn)) * long, float(np.sin(turn)) * long
            build.rod((x - dx, y - dy, 0.035), (x + dx, y + dy, 0.035), 0.035, colour)
    return build.built(sorted_by_depth=kind != 1)


def _carton(build: Builder, at: tuple[float, float], chance: Generator) -> None:
    half, deep, tall = (float(value) for value in chance.uniform((0.15, 0.12, 0.15), (0.3, 0.25, 0.4)))
    x, y = at
    paint = shaded(_CARTON, float(chance.uniform(0.75, 1.15)))
    build.box((x - half, x + half), (y - deep, y + deep), (0.0, tall), paint)
    build.face(
        [(x - half, y - 0.03, tall + 0.002), (x - half, y + 0.03, tall + 0.002), (x + half, y + 0.03, tall + 0.002), (x + half, y - 0.03, tall + 0.002)],
        shaded(paint, 1.25), closed=False,
    )  # fmt: skip
