"""What stands still behind everything in a made scene: sky, ground, houses and trees, drawn once for a camera."""

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from edge.flow import Image
from edge.simulators.scene.painting import paint, paint_plane
from edge.simulators.scene.place import FAR_M, House, Place
from edge.simulators.scene.shapes import Builder, Colour, Pose, shaded
from edge.simulators.scene.view import View

_GROUND_PX_PER_M: Final = 22
_SIDE_M: Final = 30.0
_WALLS: Final[tuple[Colour, ...]] = (
    (165, 185, 200), (150, 160, 170), (120, 140, 175), (190, 200, 205), (110, 125, 150), (140, 170, 190), (175, 175, 170)
)  # fmt: skip


def grain(chance: Generator, height: int, width: int, coarsest: int = 6) -> NDArray[np.float32]:
    """Uneven noise around 0, about −1 … 1: blots of several sizes."""
    noise: NDArray[np.float32] = np.zeros((height, width), np.float32)
    for octave in range(coarsest):
        cells = max(2, height >> octave), max(2, width >> octave)
        rough = chance.standard_normal(cells, np.float32)
        noise += cv2.resize(rough, (width, height), interpolation=cv2.INTER_LINEAR) * (0.25 + 0.1 * octave)
    return noise / np.float32(1.2)


def backdrop(place: Place, view: View, size: tuple[int, int]) -> Image:
    """The place without anybody, by day. `size`: width and height in pixels."""
    width, height = size
    chance = np.random.default_rng(place.seed)
    canvas = _sky(chance, width, height)
    ground = ground_texture(place, chance)
    origin = np.array([-_SIDE_M, 2 * FAR_M, 0.0])
    paint_plane(canvas, view, (origin, np.array([2 * _SIDE_M, 0, 0]), np.array([0, -2 * FAR_M, 0])), ground)
    standing: list[tuple[float, House | tuple[float, float, float]]] = [
        (_distance(house.ground), house) for house in place.houses
    ]
    standing += [(float(np.hypot(x, y)), (x, y, tall)) for x, y, tall in place.trees]
    for _, what in sorted(standing, key=lambda item: -item[0]):
        if isinstance(what, House):
            _house(canvas, view, what)
        else:
            _tree(canvas, view, what, chance)
    _gate(canvas, view, place)
    return canvas


def _distance(ground: tuple[float, float, float, float]) -> float:
    x1, y1, x2, y2 = ground
    return float(np.hypot(min(abs(x1), abs(x2)), max(y1, min(0.0, y2))))


def _sky(chance: Generator, width: int, height: int) -> Image:
    top, low = (
        ((215, 170, 120), (235, 220, 205)),
        ((205, 200, 195), (225, 222, 220)),
        ((190, 180, 170), (230, 215, 195)),
    )[chance.integers(3)]
    share = np.linspace(0, 1, height, dtype=np.float32)[:, None, None] ** 0.7
    sky = np.array(top, np.float32) * (1 - share) + np.array(low, np.float32) * share
    clouds = cv2.GaussianBlur(grain(chance, height, width), (0, 0), max(2.0, width / 90))
    return np.clip(sky + clouds[..., None] * 22, 0, 255).astype(np.uint8)


def ground_texture(place: Place, chance: Generator) -> Image:
    """The ground from above, far end first: lane, pavements, markings, worn and stained."""
    tall, wide = int(2 * FAR_M * _GROUND_PX_PER_M) // 2, int(2 * _SIDE_M * _GROUND_PX_PER_M)
    ground = np.empty((tall, wide, 3), np.uint8)
    grass = ((70, 110, 85), (95, 120, 110), (130, 145, 150))[chance.integers(3)]
    ground[:] = grass

    def spot(x: float, y: float) -> tuple[int, int]:
        return round((x + _SIDE_M) * _GROUND_PX_PER_M), round((2 * FAR_M - y) * _GROUND_PX_PER_M / 2)

    def area(x1: float, y1: float, x2: float, y2: float, colour: Colour) -> None:
        cv2.rectangle(ground, spot(x1, y2), spot(x2, y1), colour, -1)

    pavement = ((150, 160, 168), (135, 140, 150), (130, 150, 175), (165, 168, 170))[chance.integers(4)]
    area(place.strip[0], 0, place.strip[1], 2 * FAR_M, pavement)
    step = float(chance.choice([0.4, 0.6, 1.0]))
    seam = shaded(pavement, 0.88)
    for x in np.arange(place.strip[0], place.strip[1], step):
        cv2.line(ground, spot(x, 0), spot(x, 2 * FAR_M), seam, 1)
    for y in np.arange(0, 2 * FAR_M, step):
        cv2.line(ground, spot(place.strip[0], y), spot(place.strip[1], y), seam, 1)
    asphalt = int(chance.integers(72, 130))
    area(place.lane[0], 0, place.lane[1], 2 * FAR_M, (asphalt, asphalt, asphalt - 3))
    for x in place.lane:
        area(x - 0.12, 0, x + 0.12, 2 * FAR_M, shaded(pavement, 1.12))
    if chance.random() < 0.6:
        for y in np.arange(0, 2 * FAR_M, 5.0):
            area(-0.07, y, 0.07, y + 2.4, (205, 210, 212))
    _markings(ground, place, spot)
    rough = grain(chance, tall // 2, wide // 2, 7)
    worn = cv2.resize(rough, (wide, tall), interpolation=cv2.INTER_LINEAR)
    return np.clip(ground + worn[..., None] * float(chance.uniform(4, 12)), 0, 255).astype(np.uint8)


def _markings(ground: Image, place: Place, spot: Callable[[float, float], tuple[int, int]]) -> None:
    x1, y1, x2, y2 = place.fire_lane
    yellow, red, white = (50, 190, 225), (60, 60, 190), (220, 222, 222)
    cv2.rectangle(
        ground,
        spot(x1, y2),
        spot(x2, y1),
        red if place.seed % 2 else shaded(yellow, 0.9),
        -1 if place.seed % 3 == 0 else 5,
    )
    for number in range(round((y2 - y1) / 0.9)):
        y = y1 + number * 0.9
        cv2.line(ground, spot(x1, y), spot(x2, min(y + 1.1, y2)), yellow, 4)
    for number in range(4):  # strokes like the four characters of a fire lane
        y = y1 + (number + 0.5) * (y2 - y1) / 4
        cx = (x1 + x2) / 2
        for k in range(3):
            cv2.line(ground, spot(cx - 0.4, y - 0.35 + 0.35 * k), spot(cx + 0.4, y - 0.35 + 0.35 * k), white, 3)
        cv2.line(ground, spot(cx, y - 0.5), spot(cx, y + 0.5), white, 3)
    x1, y1, x2, y2 = place.charging
    for y in np.arange(y1, y2 + 0.01, 0.8):
        cv2.line(ground, spot(x1, y), spot(x2, y), white, 2)
    cv2.rectangle(ground, spot(x1, y2), spot(x2, y1), (200, 150, 60), 3)


def _house(canvas: Image, view: View, house: House) -> None:
    x1, y1, x2, y2 = house.ground
    chance = np.random.default_rng(house.seed)
    paint_colour = _WALLS[chance.integers(len(_WALLS))]
    up = np.array([0.0, 0.0, -house.height_m])
    faces = []
    if y1 > 0:
        faces.append((np.array([x1, y1, house.height_m]), np.array([x2 - x1, 0.0, 0.0]), 1.0))
    if x2 < 0:
        faces.append((np.array([x2, y1, house.height_m]), np.array([0.0, y2 - y1, 0.0]), 0.84))
    elif x1 > 0:
        faces.append((np.array([x1, y2, house.height_m]), np.array([0.0, y1 - y2, 0.0]), 0.84))
    for origin, along, light in faces:
        texture = _facade(chance, float(np.linalg.norm(along)), house.height_m, shaded(paint_colour, light))
        paint_plane(canvas, view, (origin, along, up), texture)


def _facade(chance: Generator, long_m: float, tall_m: float, colour: Colour) -> Image:
    px = 16
    wide, tall = max(8, round(long_m * px)), max(8, round(tall_m * px))
    face = np.empty((tall, wide, 3), np.float32)
    face[:] = colour
    face += grain(chance, tall, wide, 5)[..., None] * 7
    face = np.clip(face, 0, 255)
    pitch, storey = float(chance.uniform(2.0, 3.6)) * px, 3.0 * px
    pane = (chance.uniform(0.4, 0.7) * pitch, chance.uniform(0.4, 0.6) * storey)
    for row in range(int(tall // storey)):
        for column in range(int(wide // pitch)):
            x, y = column * pitch + (pitch - pane[0]) / 2, tall - (row + 0.82) * storey
            shade = float(chance.uniform(0.5, 1.2))
            corner, other = (round(x), round(y)), (round(x + pane[0]), round(y + pane[1]))
            cv2.rectangle(face, corner, other, shaded((95, 85, 75), shade), -1)
            cv2.rectangle(face, corner, other, shaded(colour, 1.2), 2)
    if chance.random() < 0.5:
        cv2.rectangle(face, (0, tall - round(0.6 * px)), (wide, tall), shaded(colour, 0.6), -1)
    return face.astype(np.uint8)


def _tree(canvas: Image, view: View, tree: tuple[float, float, float], chance: Generator) -> None:
    x, y, tall = tree
    build = Builder()
    build.rod((0, 0, 0), (0, 0, tall * 0.6), 0.12, (45, 60, 75))
    green = ((50, 100, 60), (45, 85, 50), (60, 120, 90), (70, 110, 80))[chance.integers(4)]
    for _ in range(70):
        dx, dy, dz = chance.normal(0, tall * 0.15, 3)
        build.ball(float(dx), float(dy), tall * 0.72 + float(dz), tall * float(chance.uniform(0.04, 0.1)),
                   shaded(green, float(chance.uniform(0.65, 1.25)) + float(dz) * 0.12))  # fmt: skip
    paint(canvas, view, build.built(sorted_by_depth=True), Pose(x, y, 0.0))


def _gate(canvas: Image, view: View, place: Place) -> None:
    """The gate house beside the lane, just outside of the strip, with its window towards the lane."""
    build = Builder()
    build.box((-1.3, 1.3), (-1.5, 1.5), (0, 2.7), (185, 195, 200))
    build.box((-1.5, 1.5), (-1.7, 1.7), (2.7, 2.95), (120, 90, 70))
    build.face([(-1.0, -1.52, 1.1), (-1.0, -1.52, 2.1), (1.0, -1.52, 2.1), (1.0, -1.52, 1.1)], (110, 98, 85))
    paint(canvas, view, build.built(), Pose(place.strip[1] + 1.7, place.gate_y_m, 0.0))
    posts = Builder()
    for x in (place.strip[0] - 0.4, place.strip[1] + 0.35):
        posts.box((x - 0.3, x + 0.3), (-0.3, 0.3), (0, 3.1), (150, 155, 165))
    paint(canvas, view, posts.built(), Pose(0.0, place.gate_y_m - 2.0, 0.0))
