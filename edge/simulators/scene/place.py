"""The place of a made scene: a lane through a gate with pavements, a fire lane, bins and a bay for charging. Pure.

All that moves stays between the outer edges of the pavements, and so does the camera: what stands outside hides nobody.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator

from edge.simulators.scene.view import View

Rectangle = tuple[float, float, float, float]
"""Least x, least y, greatest x, greatest y, in metres."""

FAR_M: Final = 60.0


@dataclass(frozen=True, slots=True)
class House:
    """A building: its ground, its height, and the seed of its face."""

    ground: Rectangle
    height_m: float
    seed: int


@dataclass(frozen=True, slots=True)
class Place:
    """What is where, in metres. `seed` gives surfaces their grain."""

    seed: int
    lane: tuple[float, float]
    strip: tuple[float, float]
    fire_lane: Rectangle
    charging: Rectangle
    bins: tuple[tuple[float, float], ...]
    gate_y_m: float
    houses: tuple[House, ...]
    trees: tuple[tuple[float, float, float], ...]


def random_place(chance: Generator, near_m: float = 6.0) -> Place:
    """A gate as there are many; what matters lies farther away than `near_m`."""
    off = max(0.0, near_m - 6.0)
    left, right = -float(chance.uniform(2.8, 4.2)), float(chance.uniform(2.8, 4.2))
    outer_left, outer_right = left - float(chance.uniform(2.5, 5.0)), right + float(chance.uniform(2.8, 5.0))
    fire_from = off + float(chance.uniform(6.0, 10.0))
    charge_from = off + float(chance.uniform(8.0, 16.0))
    bins_from = off + float(chance.uniform(7.0, 14.0))
    on_left = chance.random() < 0.5
    bins_x = outer_left + 0.7 if on_left else outer_right - 0.7
    charging_x = (outer_right - 2.1, outer_right - 0.2) if on_left else (outer_left + 0.2, outer_left + 2.1)
    count = int(chance.integers(1, 5))
    return Place(
        seed=int(chance.integers(1 << 31)),
        lane=(left, right),
        strip=(outer_left, outer_right),
        fire_lane=(right - 2.4, fire_from, right, fire_from + float(chance.uniform(7.0, 10.0))),
        charging=(charging_x[0], charge_from, charging_x[1], charge_from + float(chance.uniform(4.0, 8.0))),
        bins=tuple((bins_x, bins_from + 0.85 * number) for number in range(count)),
        gate_y_m=float(chance.uniform(20.0, 30.0)),
        houses=_houses(chance, outer_left, outer_right),
        trees=_trees(chance, outer_left, outer_right),
    )


def _houses(chance: Generator, left: float, right: float) -> tuple[House, ...]:
    houses = []
    for side, edge in ((-1, left), (1, right)):
        y = float(chance.uniform(-4.0, 10.0))
        while y < FAR_M:
            long, off = float(chance.uniform(8.0, 22.0)), float(chance.uniform(1.5, 9.0))
            near, far = edge + side * off, edge + side * (off + 12.0)
            ground = (min(near, far), y, max(near, far), y + long)
            houses.append(House(ground, float(chance.choice([3.2, 6.0, 9.0, 18.0])), int(chance.integers(1 << 31))))
            y += long + float(chance.uniform(2.0, 10.0))
    if chance.random() < 0.6:
        end = 2 * FAR_M - 10.0
        houses.append(House((-30.0, end, 30.0, end + 8), float(chance.uniform(8, 30)), int(chance.integers(1 << 31))))
    return tuple(houses)


def _trees(chance: Generator, left: float, right: float) -> tuple[tuple[float, float, float], ...]:
    trees = []
    for _ in range(int(chance.integers(0, 12))):
        x = left - chance.uniform(0.8, 3.0) if chance.random() < 0.5 else right + chance.uniform(0.8, 3.0)
        trees.append((float(x), float(chance.uniform(7.0, FAR_M)), float(chance.uniform(3.0, 8.0))))
    return tuple(sorted(trees, key=lambda tree: -tree[1]))


def random_view(chance: Generator, aspect: float = 16 / 9) -> View:
    """A camera on a wall or a pole above the lane."""
    height = float(chance.uniform(2.8, 6.5))
    return View(
        height_m=height,
        yaw=float(chance.normal(0, 0.2)),
        pitch=float(chance.uniform(0.16, 0.34)) + 0.02 * (height - 2.8),
        roll=float(chance.normal(0, 0.012)),
        focal=float(chance.uniform(0.62, 1.15)),
        aspect=aspect,
    )


def ground_between(chance: Generator, area: Rectangle) -> tuple[float, float]:
    """A point of an area, all alike."""
    x, y = chance.uniform(area[:2], area[2:])
    return float(x), float(y)


def facing(along: bool, chance: Generator) -> float:
    """A heading along the lane, to or from the camera, or across it."""
    base = (0.0 if chance.random() < 0.5 else np.pi) if along else np.pi / 2 * (1 if chance.random() < 0.5 else -1)
    return float(base + chance.normal(0, 0.06))
