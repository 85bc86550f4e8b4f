"""A picture of a made scene: who is there, before a backdrop, in a light."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.random import Generator

from edge.flow import Image
from edge.simulators.scene.painting import paint, paint_lamps, paint_shadow
from edge.simulators.scene.shapes import Pose, Shape
from edge.simulators.scene.view import View
from edge.simulators.scene.weather import Weather

Placed = tuple[str, Shape, Pose]
"""A label, and what stands where."""


def drawn(
    placed: Sequence[Placed],
    behind: Image,
    weather: Weather,
    at_s: float,
    chance: Generator,
    *,
    shaken: View | None = None,
) -> Image:
    """Everything before the backdrop, the farthest first, in the light and weather of a moment. `shaken` is the camera where it trembles."""
    view = shaken or weather.view
    canvas = _moved(behind, view)
    order = sorted(placed, key=lambda item: -np.hypot(item[2].x_m, item[2].y_m))
    conditions = weather.conditions
    light = conditions.daylight_at(at_s)
    for _, shape, pose in order:
        paint_shadow(canvas, view, (shape, pose), (0.1, 0.05), 0.35)
        if conditions.shadow * light > 0.03:
            paint_shadow(canvas, view, (shape, pose), conditions.sun, conditions.shadow * light)
    for _, shape, pose in order:
        paint(canvas, view, shape, pose)
    canvas = weather.lit(canvas, at_s)
    if light < 0.5 and not conditions.infrared:
        _shine(canvas, view, order)
    return weather.seen(canvas, at_s, chance)


def _shine(canvas: Image, view: View, order: list[Placed]) -> None:
    """Lamps of vehicles, and the light around them."""
    height, width = canvas.shape[:2]
    glow = np.zeros((height // 4, width // 4, 3), np.uint8)
    for label, shape, pose in order:
        if label in {"car", "truck", "bus"} and pose.speed_mps > 0:
            paint_lamps(canvas, glow, view, shape, pose)
    if glow.any():
        soft = cv2.GaussianBlur(glow, (0, 0), max(2.0, width / 160))
        cv2.add(canvas, cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR), dst=canvas)


def _moved(behind: Image, view: View) -> Image:
    """The backdrop as a camera sees it that trembles."""
    if view.shift == (0.0, 0.0):
        return behind.copy()
    height, width = behind.shape[:2]
    by = np.array([[1, 0, view.shift[0] * width], [0, 1, view.shift[1] * height]], np.float32)
    moved = cv2.warpAffine(behind, by, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.uint8)
