"""Single pictures of made scenes with their boxes, as varied as can be: what a detector learns from and is measured on."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from edge.flow import Image
from edge.simulators.scene import people, things, vehicles
from edge.simulators.scene.backdrop import backdrop
from edge.simulators.scene.drawing import Placed, drawn
from edge.simulators.scene.place import Place, facing, ground_between, random_place, random_view
from edge.simulators.scene.shapes import Pose, Shape
from edge.simulators.scene.view import View
from edge.simulators.scene.visible import Sight
from edge.simulators.scene.weather import Weather, random_conditions

KEPT_FROM: Final = 0.6
"""A box counts when at least this share of the thing is visible."""
SMALLEST_PX: Final = 6.0
PICTURES_OF_A_PLACE: Final = 4


def labelled_frames(
    seed: int, count: int, size: tuple[int, int] = (768, 432)
) -> Iterator[tuple[Image, NDArray[np.float32], list[str]]]:
    """`count` pictures (height, width, 3) with boxes (n, 4) in pixels, left top right bottom, and n labels.

    `size`: width and height. The same seed gives the same pictures. Labels are of `truth.LABELS`. As in the sets of real pictures the
    box of a two-wheeler holds its rider, who has a box of his own as well.
    """
    root = np.random.SeedSequence(seed)
    made = 0
    while made < count:
        chance = np.random.default_rng(root.spawn(1)[0])
        place, view = random_place(chance), random_view(chance, size[0] / size[1])
        behind = backdrop(place, view, size)
        for _ in range(min(PICTURES_OF_A_PLACE, count - made)):
            yield _picture(chance, place, view, behind, size)
            made += 1


def _picture(
    chance: Generator, place: Place, view: View, behind: Image, size: tuple[int, int]
) -> tuple[Image, NDArray[np.float32], list[str]]:
    placed = _crowd(chance, place)
    conditions = random_conditions(chance)
    image = drawn(placed, behind, Weather(conditions, view, size, int(chance.integers(1 << 31))), 0.0, chance)
    boxes: list[NDArray[np.float64]] = []
    labels: list[str] = []
    ridden: dict[int, int] = {}
    seen = Sight().extents([(shape, pose) for _, shape, pose in placed], view)
    for (label, shape, pose), extent in zip(placed, seen, strict=True):
        if extent is None or extent.share < KEPT_FROM:
            continue
        box = np.array(extent.visible) * (*size, *size)
        if min(box[2] - box[0], box[3] - box[1]) < SMALLEST_PX:
            continue
        if label == "two_wheeler":
            ridden[id(pose)] = len(boxes)
        elif isinstance(shape, people.Figure) and id(pose) in ridden:
            below = ridden[id(pose)]
            boxes[below] = np.concatenate(
                [np.minimum(boxes[below][:2], box[:2]), np.maximum(boxes[below][2:], box[2:])]
            )
        boxes.append(box)
        labels.append(label)
    return image, np.array(boxes, np.float32).reshape(-1, 4), labels


def _crowd(chance: Generator, place: Place) -> list[Placed]:
    """A random gathering; what is rare in a street is not rare here."""
    placed: list[Placed] = []
    left, right = place.strip
    reach = float(chance.uniform(14, 34))
    everywhere = (left + 0.4, 4.0, right - 0.4, reach)
    busy = float(chance.choice([0.0, 0.5, 1.0, 1.0, 2.2], p=[0.05, 0.2, 0.3, 0.3, 0.15]))

    def number(mean: float) -> int:
        return int(chance.poisson(mean * busy))

    for _ in range(number(2.8)):
        _place(placed, "person", *_person(chance, ground_between(chance, everywhere)), 0.4)
    for _ in range(int(chance.random() < 0.4) + int(chance.random() < 0.12)):
        _fallen(chance, placed, place, reach)
    for _ in range(number(1.2)):
        _vehicle(chance, placed, place, reach)
    if chance.random() < 0.2:
        _parked_row(chance, placed, place, reach)
    for _ in range(number(1.0)):
        _two_wheeler(chance, placed, place, reach)
    _rubbish(chance, placed, place, reach)
    return placed


def _person(chance: Generator, at: tuple[float, float]) -> tuple[Shape, Pose]:
    speed = 0.0 if chance.random() < 0.3 else float(chance.uniform(0.7, 1.7))
    heading = facing(chance.random() < 0.6, chance) if chance.random() < 0.6 else float(chance.uniform(-np.pi, np.pi))
    pose = Pose(*at, heading, float(chance.uniform(0, 2 * np.pi)), speed)
    return people.Figure(people.random_looks(chance)), pose


def _fallen(chance: Generator, placed: list[Placed], place: Place, reach: float) -> None:
    """Somebody who lies, as often near as far; beside some of them stands a two-wheeler, which is what they are taken for."""
    left, right = place.strip
    far = min(reach, 18) if chance.random() < 0.6 else 9.0
    x, y = ground_between(chance, (left + 0.4, 4.0, right - 0.4, far))
    shape, pose = _person(chance, (x, y))
    heading, tilt = float(chance.uniform(-np.pi, np.pi)), float(chance.uniform(0.85, 1))
    if _place(placed, "fallen_person", shape, Pose(x, y, heading, pose.phase, pose.speed_mps, tilt), 1.2):
        for _ in range(int(chance.integers(4)) * int(chance.random() < 0.4)):
            beside_x, beside_y = x + float(chance.uniform(-3, 3)), y + float(chance.uniform(-2.5, 4))
            if left < beside_x < right and beside_y > 4.0:
                parked = Pose(beside_x, beside_y, float(chance.uniform(-np.pi, np.pi)))
                _place(placed, "two_wheeler", vehicles.random_two_wheeler(chance), parked, 0.6)


def _parked_row(chance: Generator, placed: list[Placed], place: Place, reach: float) -> None:
    """Cars at the edge of the lane, one behind the other: what stands in a street hides a part of what stands behind it."""
    side = int(chance.choice([-1, 1]))
    x = (place.lane[0] + 1.1) if side < 0 else (place.lane[1] - 1.1)
    y, heading = float(chance.uniform(5.5, 12.0)), facing(True, chance)
    for _ in range(int(chance.integers(2, 7))):
        shape, long = vehicles.random_car(chance)
        if y + long / 2 > reach + 14:
            return
        pose = Pose(x + float(chance.normal(0, 0.1)), y + long / 2, heading + float(chance.normal(0, 0.03)))
        _place(placed, "car", shape, pose, 0.0)
        y += long + float(chance.uniform(0.5, 2.5))


def _vehicle(chance: Generator, placed: list[Placed], place: Place, reach: float) -> None:
    drawn_kind = chance.random()
    if drawn_kind < 0.62:
        label, (shape, long) = "car", vehicles.random_car(chance)
    elif drawn_kind < 0.84:
        label, (shape, long) = "truck", vehicles.random_lorry(chance)
    else:
        label, (shape, long) = "bus", vehicles.random_bus(chance)
    x, y = ground_between(chance, (place.lane[0] + 1.1, 5.0 + long / 2, place.lane[1] - 1.1, reach + 8))
    if label == "car" and chance.random() < 0.12:
        heading = float(chance.uniform(-np.pi, np.pi))
    else:
        heading = facing(True, chance)
    _place(placed, label, shape, Pose(x, y, heading, speed_mps=float(chance.integers(2))), long * 0.5)


def _two_wheeler(chance: Generator, placed: list[Placed], place: Place, reach: float) -> None:
    shape = vehicles.random_two_wheeler(chance)
    if chance.random() < 0.4:
        x1, y1, x2, y2 = place.charging
        for number in range(int(chance.integers(1, 6))):
            y = y1 + 0.8 * number + 0.4
            if y < y2:
                heading = np.pi / 2 * (1 if x1 > 0 else -1) + float(chance.normal(0, 0.12))
                _place(
                    placed, "two_wheeler", vehicles.random_two_wheeler(chance), Pose((x1 + x2) / 2, y, heading), 0.35
                )
        return
    x, y = ground_between(chance, (place.strip[0] + 0.5, 4.5, place.strip[1] - 0.5, reach))
    pose = Pose(x, y, facing(chance.random() < 0.75, chance), speed_mps=4.0)
    ridden = chance.random() < 0.7
    if not ridden and chance.random() < 0.5:
        pose = Pose(x, y, float(chance.uniform(-np.pi, np.pi)))
    if _place(placed, "two_wheeler", shape, pose, 0.8) and ridden:
        rider = people.Figure(people.random_looks(chance), people.Posture.RIDING)
        placed.append(("person", rider, pose))


def _rubbish(chance: Generator, placed: list[Placed], place: Place, reach: float) -> None:
    if chance.random() < 0.6:
        size = float(chance.uniform(0.8, 1.2))
        full = chance.random()
        at = place.bins if chance.random() < 0.6 else _row(chance, place, reach)
        turn = np.pi / 2 * (-1 if at[0][0] > 0 else 1) if chance.random() < 0.6 else np.pi
        for x, y in at:
            paint_colour = things.BIN_PAINTS[chance.integers(len(things.BIN_PAINTS))]
            over = chance.random() < full * 0.8
            shape = things.overflowing_bin(paint_colour, size, chance) if over else things.bin_body(paint_colour, size)
            pose = Pose(x, y, float(turn + chance.normal(0, 0.08)))
            _place(placed, "bin_overflow" if over else "bin", shape, pose, 0.38)
    for _ in range(int(chance.poisson(0.9))):
        at_once = ground_between(chance, (place.strip[0] + 0.4, 4.0, place.strip[1] - 0.4, min(reach, 20)))
        _place(placed, "litter", things.random_litter(chance), Pose(*at_once, float(chance.uniform(0, 6.28))), 0.4)


def _row(chance: Generator, place: Place, reach: float) -> tuple[tuple[float, float], ...]:
    x, y = ground_between(chance, (place.strip[0] + 0.5, 4.5, place.strip[1] - 0.5, min(reach, 18)))
    return tuple((x + 0.85 * number, y) for number in range(int(chance.integers(1, 4))))


def _place(placed: list[Placed], label: str, shape: Shape, pose: Pose, room_m: float) -> bool:
    """Add a thing unless something stands in its place."""
    for other, _, there in placed:
        taken = {"car": 2.2, "truck": 3.8, "bus": 4.6, "fallen_person": 0.9, "two_wheeler": 0.6}.get(other, 0.35)
        if np.hypot(there.x_m - pose.x_m, there.y_m - pose.y_m) < taken + room_m:
            return False
    placed.append((label, shape, pose))
    return True
