"""Vehicles of a made scene: cars, vans, lorries, buses and two-wheelers as bodies in perspective. Pure."""

import itertools
import math
from dataclasses import dataclass
from typing import Final

from numpy.random import Generator

from edge.simulators.scene.shapes import Builder, Colour, Rigid, shaded

PAINTS: Final[tuple[Colour, ...]] = (
    (235, 235, 235), (225, 228, 230), (30, 28, 28), (42, 40, 40), (150, 150, 152), (185, 186, 188), (95, 92, 90), (40, 40, 160),
    (130, 70, 40), (60, 40, 30), (90, 110, 60), (60, 120, 150), (200, 180, 150), (50, 150, 210), (70, 60, 110),
)  # fmt: skip
_GLASS: Final[Colour] = (62, 54, 48)
_DARK: Final[Colour] = (38, 36, 36)
_LAMP: Final[Colour] = (235, 245, 250)
_TAIL: Final[Colour] = (40, 35, 205)


@dataclass(frozen=True, slots=True)
class Profile:
    """A car's outline as (share of length from the rear −0.5 … 0.5, share of height), from the rear over the top to the front."""

    length_m: float
    width_m: float
    height_m: float
    body: tuple[tuple[float, float], ...]
    cabin: tuple[tuple[float, float], ...]
    wheel_m: float


SEDAN: Final = Profile(
    4.75, 1.82, 1.46,
    ((-0.5, 0.2), (-0.497, 0.56), (-0.48, 0.67), (-0.33, 0.69), (0.2, 0.66), (0.44, 0.56), (0.49, 0.47), (0.5, 0.2)),
    ((-0.37, 0.68), (-0.21, 0.96), (-0.02, 1.0), (0.04, 0.98), (0.22, 0.655)), 0.33,
)  # fmt: skip
HATCH: Final = Profile(
    3.9, 1.7, 1.52,
    ((-0.5, 0.2), (-0.495, 0.62), (-0.46, 0.66), (0.22, 0.64), (0.45, 0.54), (0.49, 0.46), (0.5, 0.2)),
    ((-0.485, 0.65), (-0.4, 0.95), (-0.1, 1.0), (0.04, 0.97), (0.24, 0.635)), 0.31,
)  # fmt: skip
SUV: Final = Profile(
    4.65, 1.88, 1.7,
    ((-0.5, 0.22), (-0.495, 0.6), (-0.47, 0.63), (0.24, 0.62), (0.46, 0.55), (0.49, 0.45), (0.5, 0.22)),
    ((-0.48, 0.625), (-0.42, 0.95), (-0.15, 1.0), (0.06, 0.98), (0.26, 0.615)), 0.37,
)  # fmt: skip
VAN: Final = Profile(
    4.7, 1.78, 1.95,
    ((-0.5, 0.17), (-0.497, 0.52), (-0.48, 0.54), (0.36, 0.53), (0.47, 0.44), (0.495, 0.36), (0.5, 0.17)),
    ((-0.49, 0.535), (-0.47, 0.95), (-0.3, 1.0), (0.2, 0.99), (0.38, 0.525)), 0.32,
)  # fmt: skip
CARS: Final = (SEDAN, SEDAN, HATCH, SUV, SUV, VAN)


def random_car(chance: Generator) -> tuple[Rigid, float]:
    """A car and its length in metres."""
    profile = CARS[chance.integers(len(CARS))]
    return car(profile, PAINTS[chance.integers(len(PAINTS))], taxi=bool(chance.random() < 0.08)), profile.length_m


def car(profile: Profile, paint: Colour, *, taxi: bool = False) -> Rigid:
    """A car's body: sides, wheels, bonnet, then the cabin with its panes."""
    build = Builder()
    long, half, tall = profile.length_m, profile.width_m / 2, profile.height_m
    body = [(y * long, z * tall) for y, z in profile.body]
    cabin = [(y * long, z * tall) for y, z in profile.cabin]
    build.sides(body, half, half * 0.97, paint)
    sill = [(body[0][0] * 0.99, 0.2 * tall), (body[0][0] * 0.99, 0.3 * tall), (body[-1][0] * 0.99, 0.3 * tall)]
    build.sides([*sill, (body[-1][0] * 0.99, 0.2 * tall)], half * 1.001, half * 1.001, shaded(paint, 0.55))
    for side in (-half * 1.005, half * 1.005):
        for y in (-0.29 * long, 0.3 * long):
            build.wheel(side, y, profile.wheel_m, closed=True)
    for number, (begin, end) in enumerate(itertools.pairwise(body)):
        light = 0.72 if number == 0 else 0.86 if number == len(body) - 2 else 1.05
        build.strip(begin, end, (half, half), shaded(paint, light))
    _ends(build, body, half, tall)
    _cabin(build, cabin, half, paint)
    if taxi:
        y, z = cabin[2]
        build.box((-0.28, 0.28), (y - 0.08, y + 0.08), (z, z + 0.14), (60, 190, 230))
    return build.built()


def _ends(build: Builder, body: list[tuple[float, float]], half: float, tall: float) -> None:
    """Lamps, plates and the grille, just before front and rear."""
    rear, front = body[0][0] - 0.012, body[-1][0] + 0.012
    high, low = 0.52 * tall, 0.42 * tall
    for x1, x2 in ((-half * 0.96, -half * 0.6), (half * 0.6, half * 0.96)):
        build.face([(x1, rear, low), (x1, rear, high), (x2, rear, high), (x2, rear, low)], _TAIL, glow=True)
        head = [(x2, front, low - 0.03), (x2, front, high - 0.1), (x1, front, high - 0.1), (x1, front, low - 0.03)]
        build.face(head, _LAMP, glow=True)
    wide = half * 0.5
    grille = [
        (wide, front, 0.27 * tall),
        (wide, front, 0.4 * tall),
        (-wide, front, 0.4 * tall),
        (-wide, front, 0.27 * tall),
    ]
    build.face(grille, _DARK)
    for y, turn in ((rear, 1), (front + 0.004, -1)):
        x = 0.22 * turn
        z = 0.42 * tall if turn > 0 else 0.3 * tall
        build.face([(-x, y, z - 0.07), (-x, y, z + 0.07), (x, y, z + 0.07), (x, y, z - 0.07)], (190, 110, 40))


def _cabin(build: Builder, cabin: list[tuple[float, float]], half: float, paint: Colour) -> None:
    low, high = half * 0.97, half * 0.76
    bottom, top = min(z for _, z in cabin), max(z for _, z in cabin)
    build.sides(cabin, low, high, paint)
    middle_y = sum(y for y, _ in cabin) / len(cabin)
    middle_z = (bottom + top) / 2
    pane = [(middle_y + (y - middle_y) * 0.87, middle_z + (z - middle_z) * 0.74) for y, z in cabin]
    build.sides(pane, low * 0.985, high * 1.04, _GLASS)
    post = (cabin[0][0] + cabin[-1][0]) / 2
    build.sides(
        [(post - 0.05, bottom + 0.03), (post - 0.05, top - 0.02), (post + 0.05, top - 0.02), (post + 0.05, bottom + 0.03)],
        low * 0.99, high * 1.045, shaded(paint, 0.9),
    )  # fmt: skip

    def width(z: float) -> float:
        return low + (high - low) * (z - bottom) / (top - bottom)

    last = len(cabin) - 2
    for number, (begin, end) in enumerate(itertools.pairwise(cabin)):
        widths = width(begin[1]), width(end[1])
        build.strip(begin, end, widths, shaded(paint, 1.08 if 0 < number < last else 0.9))
        if number in {0, last}:
            lifted = [(y * 1.004, z + 0.012) for y, z in _inner(begin, end, 0.1)]
            build.strip(lifted[0], lifted[1], (widths[0] * 0.88, widths[1] * 0.88), (88, 78, 70))


def _inner(begin: tuple[float, float], end: tuple[float, float], share: float) -> list[tuple[float, float]]:
    (y1, z1), (y2, z2) = begin, end
    return [(y1 + (y2 - y1) * part, z1 + (z2 - z1) * part) for part in (share, 1 - share)]


def random_lorry(chance: Generator) -> tuple[Rigid, float]:
    """A lorry with a box or with low boards, and its length in metres."""
    build = Builder()
    long = float(chance.uniform(5.6, 8.8))
    half = float(chance.uniform(0.98, 1.22))
    tall = float(chance.uniform(2.5, 3.4))
    paint = PAINTS[chance.integers(len(PAINTS))]
    cargo = ((228, 230, 232), (200, 205, 205), (150, 110, 60), (90, 130, 70), (60, 90, 170))[chance.integers(5)]
    rear, front = -long / 2, long / 2
    cab_from = front - 1.75
    cab_top = min(tall - 0.15, 2.35 + 0.2 * half)
    build.box((-half * 0.9, half * 0.9), (rear, front - 0.2), (0.45, 0.85), _DARK)
    for side in (-half * 0.98, half * 0.98):
        for y in (rear + 1.1, rear + 1.95) if long > 7 else (rear + 1.2,):
            build.wheel(side, y, 0.46, closed=True)
    boxed = chance.random() < 0.7
    build.box((-half, half), (rear, cab_from - 0.12), (0.85, tall if boxed else 1.45), cargo)
    if boxed:
        for side in (-half * 1.002, half * 1.002):
            _side_pane(build, side, (rear + 0.6, cab_from - 0.8), (tall * 0.5, tall * 0.72), shaded(paint, 0.9))
    build.box((-half * 0.97, half * 0.97), (cab_from, front), (0.42, cab_top), paint)
    for side in (-half * 0.975, half * 0.975):
        build.wheel(side * 1.01, front - 0.95, 0.46, closed=True)
        _side_pane(build, side, (cab_from + 0.55, front - 0.3), (cab_top * 0.6, cab_top * 0.88), _GLASS)
    _flat_front(build, front, half * 0.97, cab_top, 0.58)
    _flat_rear(build, rear, half, 0.75)
    return build.built(), long


def random_bus(chance: Generator) -> tuple[Rigid, float]:
    """A bus and its length in metres."""
    build = Builder()
    long = float(chance.uniform(6.8, 11.5))
    half, tall = 1.2, float(chance.uniform(2.75, 3.15))
    paint = ((60, 140, 60), (190, 110, 40), (60, 60, 190), (230, 232, 232), (60, 190, 220), (150, 160, 60))[
        chance.integers(6)
    ]
    rear, front = -long / 2, long / 2
    build.box((-half, half), (rear, front), (0.32, tall), paint)
    for side in (-half * 1.003, half * 1.003):
        for y in (rear + 1.9, front - 2.2):
            build.wheel(side, y, 0.48, closed=True)
        _side_pane(build, side, (rear + 0.3, front - 0.3), (tall * 0.48, tall * 0.86), _GLASS)
        count = int(long // 1.3)
        for number in range(1, count):
            y = rear + 0.3 + (long - 0.6) * number / count
            _side_pane(build, side * 1.001, (y - 0.05, y + 0.05), (tall * 0.48, tall * 0.86), shaded(paint, 0.7))
        _side_pane(build, side * 1.001, (rear + 0.1, front - 0.1), (tall * 0.28, tall * 0.34), (235, 235, 235))
    _flat_front(build, front, half, tall, 0.38)
    _flat_rear(build, rear, half, 0.8)
    build.face([(-half * 0.8, rear - 0.01, tall * 0.55), (-half * 0.8, rear - 0.01, tall * 0.85),
                (half * 0.8, rear - 0.01, tall * 0.85), (half * 0.8, rear - 0.01, tall * 0.55)], _GLASS)  # fmt: skip
    return build.built(), long


def _side_pane(build: Builder, x: float, along: tuple[float, float], up: tuple[float, float], colour: Colour) -> None:
    (y1, y2), (z1, z2) = along, up
    corners = [(x, y1, z1), (x, y1, z2), (x, y2, z2), (x, y2, z1)]
    build.face(corners if x > 0 else corners[::-1], colour)


def _flat_front(build: Builder, front: float, half: float, tall: float, from_share: float) -> None:
    y = front + 0.012
    pane = [(half * 0.9, y, tall * from_share), (half * 0.88, y, tall * 0.92)]
    build.face([*pane, (-half * 0.88, y, tall * 0.92), (-half * 0.9, y, tall * from_share)], (70, 62, 56))
    for x1, x2 in ((-half * 0.92, -half * 0.62), (half * 0.62, half * 0.92)):
        build.face([(x2, y, 0.6), (x2, y, 0.82), (x1, y, 0.82), (x1, y, 0.6)], _LAMP, glow=True)
    build.face([(0.25, y, 0.5), (0.25, y, 0.64), (-0.25, y, 0.64), (-0.25, y, 0.5)], (60, 180, 220))


def _flat_rear(build: Builder, rear: float, half: float, low: float) -> None:
    y = rear - 0.012
    for x1, x2 in ((-half * 0.96, -half * 0.72), (half * 0.72, half * 0.96)):
        build.face([(x1, y, low), (x1, y, low + 0.2), (x2, y, low + 0.2), (x2, y, low)], _TAIL, glow=True)


def random_two_wheeler(chance: Generator) -> Rigid:
    """A scooter or a bicycle, without who rides it."""
    paint = PAINTS[chance.integers(len(PAINTS))]
    return _bicycle(paint) if chance.random() < 0.3 else _scooter(paint, chance)


def _scooter(paint: Colour, chance: Generator) -> Rigid:
    build = Builder()
    radius = float(chance.uniform(0.21, 0.27))
    for y in (-0.58, 0.62):
        build.wheel(0.035, y, radius, closed=False)
    build.rod((0, 0.62, radius), (0, 0.46, 0.95), 0.045, _DARK)
    build.rod((0, -0.5, 0.34), (0, 0.4, 0.3), 0.09, shaded(paint, 0.8))
    build.rod((0, -0.62, 0.5), (0, -0.05, 0.42), 0.13, paint)
    build.rod((0, 0.5, 0.38), (0, 0.42, 0.86), 0.12, paint)
    build.rod((0, -0.6, 0.72), (0, -0.02, 0.7), 0.085, (35, 33, 33))
    build.rod((-0.33, 0.4, 1.0), (0.33, 0.4, 1.0), 0.025, _DARK)
    build.ball(0, 0.52, 0.86, 0.065, (220, 230, 235))
    build.ball(0, -0.75, 0.52, 0.05, _TAIL)
    if chance.random() < 0.4:
        colour = ((40, 190, 240), (220, 150, 40), (50, 50, 55), (60, 60, 200))[chance.integers(4)]
        build.box((-0.23, 0.23), (-0.92, -0.5), (0.78, 1.2), colour)
    for side in (-0.33, 0.33):
        build.rod((side * 0.8, 0.42, 1.0), (side * 0.9, 0.4, 1.16), 0.018, _DARK)
    return build.built(sorted_by_depth=False)


def _bicycle(paint: Colour) -> Rigid:
    build = Builder()
    for y in (-0.52, 0.52):
        spokes = 12
        for number in range(spokes):
            first, second = (2 * math.pi * (number + step) / spokes for step in (0, 1))
            build.rod(_on_rim(y, first), _on_rim(y, second), 0.02, _DARK)
    hub_rear, hub_front, pedals = (0.0, -0.52, 0.33), (0.0, 0.52, 0.33), (0.0, -0.08, 0.32)
    saddle, head = (0.0, -0.25, 0.82), (0.0, 0.37, 0.8)
    for begin, end in (
        (hub_rear, pedals),
        (pedals, saddle),
        (pedals, head),
        (saddle, head),
        (hub_rear, saddle),
        (hub_front, head),
    ):
        build.rod(begin, end, 0.022, paint)
    build.rod((0, -0.36, 0.92), (0, -0.14, 0.92), 0.05, _DARK)
    build.rod((-0.27, 0.36, 1.0), (0.27, 0.36, 1.0), 0.018, _DARK)
    build.box((-0.16, 0.16), (0.4, 0.66), (0.75, 0.98), (110, 115, 118))
    return build.built()


def _on_rim(y: float, angle: float) -> tuple[float, float, float]:
    return 0.0, y + 0.31 * math.cos(angle), 0.33 + 0.31 * math.sin(angle)
