"""Light and weather over a made scene, and what a camera's sensor makes of it."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, cast

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from edge.flow import Image
from edge.simulators.scene.place import FAR_M
from edge.simulators.scene.view import View

_NIGHT_BGR: Final = (0.20, 0.15, 0.13)
_LAMP_BGR: Final = (0.45, 0.72, 0.9)
_STEPS: Final = 40
"""The light of a dusk changes in so many steps."""


class Cover(StrEnum):
    """What a blind camera shows."""

    BLACK = "black"
    HAND = "hand"


@dataclass(frozen=True, slots=True)
class Conditions:
    """Light and weather of a scene.

    `daylight`: (second, 0 night … 1 day), linear between. `shadow`: 0 overcast … 0.6 bright sun. `noise`: grey levels. `tremble`: share of
    the height. `covered`: spans of seconds in which nothing is seen. `sun`: metres of shadow for each metre of height, along x and y.
    """

    daylight: tuple[tuple[float, float], ...] = ((0.0, 1.0),)
    infrared: bool = False
    shadow: float = 0.35
    sun: tuple[float, float] = (0.6, 0.2)
    rain: float = 0.0
    haze: float = 0.0
    noise: float = 2.0
    tremble: float = 0.0
    gain: float = 1.0
    warmth: float = 0.0
    blur_px: float = 0.0
    covered: tuple[tuple[float, float, Cover], ...] = field(default=())

    def daylight_at(self, at_s: float) -> float:
        """How light it is."""
        return float(np.interp(at_s, [at for at, _ in self.daylight], [share for _, share in self.daylight]))

    def cover_at(self, at_s: float) -> Cover | None:
        """What hides the view, if anything does."""
        return next((cover for begin_s, end_s, cover in self.covered if begin_s <= at_s < end_s), None)


def random_conditions(chance: Generator) -> Conditions:
    """Any weather at any hour; one in five at night, one in nine in infrared light."""
    drawn = chance.random()
    infrared = drawn < 0.11
    daylight = 1.0 if drawn > 0.42 else 0.0 if drawn < 0.2 else float(chance.uniform(0.1, 0.9))
    rain = float(chance.uniform(0.2, 1.0)) if chance.random() < 0.15 else 0.0
    bright = daylight > 0.8 and rain == 0 and chance.random() < 0.6
    return Conditions(
        daylight=((0.0, 0.0 if infrared else daylight),),
        infrared=infrared,
        shadow=float(chance.uniform(0.3, 0.6)) if bright else float(chance.uniform(0.0, 0.12)),
        sun=(float(chance.uniform(-1.3, 1.3)), float(chance.uniform(-0.9, 0.9))),
        rain=rain,
        haze=float(chance.uniform(0.2, 0.8)) if chance.random() < 0.15 else 0.0,
        noise=float(chance.uniform(0.5, 3.0)) + (1 - daylight) * float(chance.uniform(0.0, 6.0)),
        tremble=float(chance.uniform(0.0, 0.004)) if chance.random() < 0.15 else 0.0,
        gain=float(np.clip(chance.normal(1.0, 0.13), 0.65, 1.35)),
        warmth=float(chance.normal(0, 0.05)),
        blur_px=float(chance.uniform(0.4, 1.2)) if chance.random() < 0.2 else 0.0,
    )


class Weather:
    """Conditions before one camera, for pictures of one size. Keeps what it can use again; memory is some pictures."""

    def __init__(self, conditions: Conditions, view: View, size: tuple[int, int], seed: int) -> None:
        """`size`: width and height in pixels."""
        self.conditions = conditions
        self.view = view
        self._size = size
        chance = np.random.default_rng(seed)
        self._night = _night(view, size, chance, infrared=conditions.infrared)
        self._mixed: tuple[int, NDArray[np.uint8]] | None = None
        width, height = size
        self._noise = chance.standard_normal((height + 64, width + 64), np.float32)
        self._haze = _haze(view, size) if conditions.haze or conditions.rain > 0.3 else None

    def lit(self, canvas: Image, at_s: float) -> Image:
        """The canvas, drawn as by day, in the light of a moment."""
        light = self.conditions.daylight_at(at_s)
        if light >= 0.99:
            return canvas
        step = round(light * _STEPS)
        if self._mixed is None or self._mixed[0] != step:
            share = np.float32(step / _STEPS)
            dusk = np.array((0.98, 0.9, 0.92), np.float32) * share
            self._mixed = step, np.clip((dusk + (1 - share) * self._night) * 255, 0, 255).astype(np.uint8)
        return cast("Image", cv2.multiply(canvas, self._mixed[1], scale=1 / 255))

    def seen(self, canvas: Image, at_s: float, chance: Generator) -> Image:
        """What the camera makes of it: haze, rain, colours, noise."""
        conditions = self.conditions
        if (cover := conditions.cover_at(at_s)) is not None:
            canvas = _covered(cover, self._size)
        else:
            canvas = self._weathered(canvas, at_s, chance)
        if conditions.noise > 0.3:
            canvas = self._noisy(canvas, chance)
        return canvas

    def _weathered(self, canvas: Image, at_s: float, chance: Generator) -> Image:
        conditions = self.conditions
        if self._haze is not None:
            strength = max(conditions.haze, conditions.rain * 0.35)
            grey = round(60 + 150 * conditions.daylight_at(at_s))
            veil = np.full_like(canvas, grey)
            canvas = cast("Image", cv2.blendLinear(canvas, veil, 1 - self._haze * strength, self._haze * strength))
        if conditions.rain > 0:
            _rain(canvas, conditions.rain, chance)
        if conditions.infrared:
            grey_picture = cv2.cvtColor(canvas, cv2.COLOR_BGR2GRAY)
            canvas = cast("Image", cv2.cvtColor(grey_picture, cv2.COLOR_GRAY2BGR))
        if conditions.blur_px > 0:
            canvas = cast("Image", cv2.GaussianBlur(canvas, (0, 0), conditions.blur_px))
        if conditions.gain != 1.0 or (conditions.warmth and not conditions.infrared):
            warm = 0.0 if conditions.infrared else conditions.warmth
            levels = np.arange(256, dtype=np.float32)[:, None] * conditions.gain * np.array([1 - warm, 1.0, 1 + warm])
            canvas = cast("Image", cv2.LUT(canvas, np.clip(levels, 0, 255).astype(np.uint8)[None]))
        return canvas

    def _noisy(self, canvas: Image, chance: Generator) -> Image:
        width, height = self._size
        x, y = (int(value) for value in chance.integers(0, 64, 2))
        noise = self._noise[y : y + height, x : x + width] * np.float32(self.conditions.noise)
        grey = noise.astype(np.int8)
        return cast("Image", cv2.add(canvas, cv2.merge([grey, grey, grey]), dtype=cv2.CV_8U))


def _night(view: View, size: tuple[int, int], chance: Generator, *, infrared: bool) -> NDArray[np.float32]:
    """How much light each pixel gets without the sun, (height, width, 3): the camera's own lamp, or some on poles."""
    width, height = size
    x, y = np.meshgrid(np.linspace(0, 1, width, dtype=np.float32), np.linspace(0, 1, height, dtype=np.float32))
    if infrared:
        off = (x - 0.5) ** 2 * 2.2 + (y - 0.62) ** 2 * 2.4
        lit = 0.12 + 0.95 * np.exp(-off * 2.4)
        return np.repeat(lit[..., None], 3, axis=2).astype(np.float32, copy=False)
    light = np.ones((height, width, 3), np.float32) * np.array(_NIGHT_BGR, np.float32) * float(chance.uniform(0.7, 1.5))
    for _ in range(int(chance.integers(1, 5))):
        at = view.project(np.array([[chance.uniform(-7, 7), chance.uniform(6, 35), 0.0]]))
        (cx, cy), depth = at[0][0], float(at[1][0])
        reach = view.focal * 5.0 / max(depth, 3.0)
        off = ((x - np.float32(cx)) / reach) ** 2 + ((y - np.float32(cy)) / (reach * 0.7)) ** 2
        warm = np.array(_LAMP_BGR if chance.random() < 0.6 else (0.85, 0.85, 0.8), np.float32)
        light += np.exp(-off)[..., None] * warm * np.float32(chance.uniform(0.4, 0.85))
    return cast("NDArray[np.float32]", np.minimum(light, 1.1))


def _haze(view: View, size: tuple[int, int]) -> NDArray[np.float32]:
    """How much of each row is veiled, (height, width): the farther its ground, the more."""
    width, height = size
    column = np.ones(height, np.float32)
    for row in range(height):
        ground = view.ground_at((0.5, (row + 0.5) / height))
        if ground is not None and 0 < ground[1] < 2 * FAR_M:
            column[row] = 1 - np.exp(-ground[1] / 28.0)
    return np.repeat(column[:, None], width, axis=1)


def _rain(canvas: Image, strength: float, chance: Generator) -> None:
    height, width = canvas.shape[:2]
    count = int(strength * 160)
    xs, ys = chance.integers(0, width, count), chance.integers(-20, height, count)
    longs = chance.integers(max(3, height // 60), max(5, height // 16), count)
    streaks = canvas.copy()
    for x, y, long in zip(xs.tolist(), ys.tolist(), longs.tolist(), strict=True):
        cv2.line(streaks, (x, y), (x - long // 6, y + long), (205, 200, 195), 1, cv2.LINE_AA)
    cv2.addWeighted(streaks, 0.38, canvas, 0.62, 0, dst=canvas)


def _covered(cover: Cover, size: tuple[int, int]) -> Image:
    width, height = size
    if cover is Cover.BLACK:
        return np.full((height, width, 3), 6, np.uint8)
    x = np.linspace(0, 1, width, dtype=np.float32)[None, :, None]
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    return np.clip(np.array((28, 34, 52), np.float32) * (0.5 + 0.5 * x * (1 - 0.4 * y)), 0, 255).astype(np.uint8)
