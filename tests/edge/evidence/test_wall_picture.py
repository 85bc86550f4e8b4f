"""Pictures for the wall: small, masked like evidence, and none where it is not known what to mask."""

import cv2
import numpy as np
import pytest

from edge.contract.wall import HIGHEST_PIXELS, LARGEST_PICTURE_BYTES, WIDEST_PIXELS
from edge.evidence.privacy import head_part
from edge.evidence.snapshot import SnapshotMaker
from edge.flow import Frame, Image, PrivateParts
from edge.video import ArrayPicture
from tests.fakes.scenes import at, standing_at

UPRIGHT = standing_at(0.5, 0.9, width=0.12, height=0.7)
CORNER = ((0.0, 0.0), (0.25, 0.0), (0.25, 0.5), (0.0, 0.5))


def frame(height: int, width: int) -> Frame:
    """A scene with fine detail that a JPEG can hold."""
    columns = np.arange(width, dtype=np.float32)
    rows = np.arange(height, dtype=np.float32)[:, None]
    wave = 128 + 100 * np.sin(columns / width * 120) * np.cos(rows / height * 80)
    image = np.repeat(wave[..., None], 3, axis=2).astype(np.uint8)
    return Frame("cam-1", 0, at(0), 0.0, ArrayPicture(image))


def decoded(content: bytes) -> Image:
    image = cv2.imdecode(np.frombuffer(content, dtype=np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image.astype(np.uint8)


@pytest.mark.parametrize(
    ("height", "width", "shape"),
    [(1080, 1920, (360, 640)), (432, 768, (360, 640)), (1920, 1080, (1138, 640)), (240, 320, (240, 320))],
)
def test_it_is_no_larger_than_a_tile(height: int, width: int, shape: tuple[int, int]) -> None:
    made = SnapshotMaker("cam-1").small(frame(height, width), PrivateParts(at(0)))
    assert made is not None
    image = decoded(made.content)
    assert image.shape[:2] == shape
    assert image.shape[1] <= WIDEST_PIXELS
    assert image.shape[0] <= HIGHEST_PIXELS
    assert (made.camera, made.captured_at) == ("cam-1", at(0))
    assert b"Exif" not in made.content


def test_heads_and_fixed_polygons_are_hidden() -> None:
    made = SnapshotMaker("cam-1", [CORNER]).small(frame(1080, 1920), PrivateParts(at(0), people=(UPRIGHT,)))
    assert made is not None
    image = decoded(made.content)
    left, top, right, bottom = head_part(UPRIGHT, 9 / 16)
    head = image[int(top * 360) + 2 : int(bottom * 360) - 2, int(left * 640) + 2 : int(right * 640) - 2]
    legs = image[int(0.7 * 360) : int(0.9 * 360), int(0.46 * 640) : int(0.54 * 640)]
    assert np.abs(np.diff(head.astype(int), axis=1)).mean() < 0.4 * np.abs(np.diff(legs.astype(int), axis=1)).mean()
    assert image[:170, :150].mean() < 4


def test_where_everything_is_private_nothing_is_seen() -> None:
    made = SnapshotMaker("cam-1").small(frame(1080, 1920), PrivateParts(at(0), moving=((0.0, 0.0, 1.0, 1.0),)))
    assert made is not None
    image = decoded(made.content).astype(int)
    assert (np.abs(np.diff(image, axis=1)) > 8).mean() < 0.05


@pytest.mark.parametrize(
    "parts",
    [
        PrivateParts(at(1), people=(UPRIGHT,)),
        PrivateParts(at(0), people=((float("nan"), 0.0, 1.0, 1.0),)),
        PrivateParts(at(0), moving=((0.0, 0.0, float("inf"), 1.0),)),
    ],
)
def test_what_can_not_be_placed_makes_no_picture(parts: PrivateParts) -> None:
    maker = SnapshotMaker("cam-1")
    assert maker.small(frame(360, 640), parts) is None
    assert maker.refused == 1


def test_a_picture_that_stays_too_large_is_none() -> None:
    noise = np.random.default_rng(3).integers(0, 256, (1280, 640, 3)).astype(np.uint8)
    made = SnapshotMaker("cam-1").small(Frame("cam-1", 0, at(0), 0.0, ArrayPicture(noise)), PrivateParts(at(0)))
    assert made is None or len(made.content) <= LARGEST_PICTURE_BYTES
