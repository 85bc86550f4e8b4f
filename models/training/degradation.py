"""What cameras and lines do to a picture: low light, infra-red, noise, blur, rain, coarse JPEG and H.264."""

import io
from collections.abc import Callable
from typing import Final

import av
import cv2
import numpy as np
from numpy.random import Generator

from models.training.samples import Pixels

Change = Callable[[Pixels, Generator], Pixels]


def degraded(pixels: Pixels, random: Generator) -> Pixels:
    """The picture after a few changes drawn at random; the same generator state gives the same picture."""
    for change, chance in CHANGES:
        if random.random() < chance:
            pixels = change(pixels, random)
    return pixels


def _coloured(pixels: Pixels, random: Generator) -> Pixels:
    """Hue, saturation, brightness and gamma: other cameras, another time of day."""
    turned = cv2.cvtColor(pixels, cv2.COLOR_BGR2HSV)
    shift = int(random.integers(-8, 9))
    saturation, value = random.uniform(0.5, 1.5), random.uniform(0.6, 1.4)
    steps = np.arange(256, dtype=np.float32)
    hue = ((np.arange(256) + shift) % 180).astype(np.uint8)
    gamma = random.uniform(0.7, 1.5)
    bright = np.clip(255 * (np.clip(steps * value, 0, 255) / 255) ** gamma, 0, 255).astype(np.uint8)
    table = np.stack([hue, np.clip(steps * saturation, 0, 255).astype(np.uint8), bright], -1)[None]
    return np.asarray(cv2.cvtColor(cv2.LUT(turned, table), cv2.COLOR_HSV2BGR), np.uint8)


def _low_light(pixels: Pixels, random: Generator) -> Pixels:
    """Little light, raised by gain: grain that grows with the signal, and some that does not."""
    gain = random.uniform(0.15, 0.6)
    grain = np.asarray(random.standard_normal(pixels.shape[:2], np.float32))[..., None]
    light = pixels.astype(np.float32) * gain
    noisy = light + grain * (2.0 + np.sqrt(light) * random.uniform(0.2, 1.0))
    return np.clip(noisy * random.uniform(1.0, 1.0 / gain), 0, 255).astype(np.uint8)


def _infra_red(pixels: Pixels, random: Generator) -> Pixels:
    """Grey as a camera's own infra-red lamp shows it: bright in the middle, dark at the corners."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY).astype(np.float32)
    rows, columns = grey.shape
    across = (np.arange(columns) - random.uniform(0.3, 0.7) * columns)[None] / columns
    down = (np.arange(rows) - random.uniform(0.3, 0.7) * rows)[:, None] / rows
    lamp = 1.25 - random.uniform(0.4, 1.4) * (across**2 + down**2)
    grey = np.clip(grey * lamp * random.uniform(0.6, 1.2), 0, 255)
    return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)


def _noise(pixels: Pixels, random: Generator) -> Pixels:
    grain = random.standard_normal(pixels.shape, np.float32) * np.float32(random.uniform(2, 14))
    return np.clip(pixels + grain, 0, 255).astype(np.uint8)


def _blur(pixels: Pixels, random: Generator) -> Pixels:
    """Out of focus, or moved while the shutter was open."""
    if random.random() < 0.5:
        return np.asarray(cv2.GaussianBlur(pixels, (0, 0), random.uniform(0.5, 1.8)), np.uint8)
    length = int(random.integers(3, 9))
    kernel = np.zeros((length, length), np.float32)
    angle = random.uniform(0, np.pi)
    reach = np.array([np.cos(angle), np.sin(angle)]) * (length - 1) / 2
    middle = (length - 1) / 2
    first, last = np.rint(middle - reach).astype(int), np.rint(middle + reach).astype(int)
    cv2.line(kernel, tuple(map(int, first)), tuple(map(int, last)), 1.0)
    return np.asarray(cv2.filter2D(pixels, -1, kernel / kernel.sum()), np.uint8)


def _rain(pixels: Pixels, random: Generator) -> Pixels:
    """Streaks of one direction, and less contrast behind them."""
    rows, columns = pixels.shape[:2]
    streaks = np.zeros((rows, columns), np.uint8)
    slant, length = random.uniform(-0.3, 0.3), random.integers(6, 22)
    starts = random.uniform(0, 1, (int(random.integers(40, 220)), 2)) * [columns, rows]
    for x, y in starts:
        cv2.line(
            streaks, (int(x), int(y)), (int(x + slant * length), int(y + length)), int(random.integers(60, 200)), 1
        )
    veil = pixels.astype(np.float32) * random.uniform(0.7, 0.95) + random.uniform(5, 40)
    return np.clip(veil + streaks[..., None] * random.uniform(0.2, 0.6), 0, 255).astype(np.uint8)


def _small(pixels: Pixels, random: Generator) -> Pixels:
    """A picture that was sent small and is shown large."""
    rows, columns = pixels.shape[:2]
    part = random.uniform(0.4, 0.9)
    small = cv2.resize(pixels, (max(int(columns * part), 8), max(int(rows * part), 8)), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (columns, rows), interpolation=cv2.INTER_LINEAR), np.uint8)


def _jpeg(pixels: Pixels, random: Generator) -> Pixels:
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(15, 70))]
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", pixels, quality)[1], cv2.IMREAD_COLOR), np.uint8)


def _h264(pixels: Pixels, random: Generator) -> Pixels:
    """Through a real encoder at a coarse step, as a camera with little bandwidth sends it."""
    held = io.BytesIO()
    step = str(int(random.integers(28, 44)))
    with av.open(held, mode="w", format="h264") as film:
        stream = film.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = pixels.shape[1], pixels.shape[0], "yuv420p"
        stream.options = {"preset": "ultrafast", "tune": "zerolatency", "qp": step, "threads": "1"}
        for packet in (*stream.encode(av.VideoFrame.from_ndarray(pixels, format="bgr24")), *stream.encode()):
            film.mux(packet)
    held.seek(0)
    with av.open(held, mode="r", format="h264") as sent:
        for frame in sent.decode(video=0):
            return np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
    return pixels


CHANGES: Final[tuple[tuple[Change, float], ...]] = (
    (_coloured, 0.7),
    (_rain, 0.05),
    (_low_light, 0.08),
    (_infra_red, 0.12),
    (_blur, 0.12),
    (_noise, 0.12),
    (_small, 0.1),
    (_jpeg, 0.15),
    (_h264, 0.06),
)
"""Each change and how often it comes, in the order in which light, lens, sensor and line work."""
