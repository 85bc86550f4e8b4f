import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from edge.contract.incident import EvidenceKind
from edge.evidence.privacy import head_part, masked, plate_part
from edge.evidence.snapshot import SnapshotMaker
from edge.flow import Box, Frame, Image, PrivateParts
from edge.video import ArrayPicture
from tests.fakes.scenes import at, standing_at

UPRIGHT = standing_at(0.5, 0.9, width=0.12, height=0.7)
SIXTEEN_TO_NINE = 9 / 16


def noise(height: int = 360, width: int = 640, seed: int = 3) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def colours_in(image: Image, box: Box) -> int:
    rows, columns = image.shape[:2]
    left, top, right, bottom = (min(max(edge, 0.0), 1.0) for edge in box)
    region = image[int(top * rows) : int(np.ceil(bottom * rows)), int(left * columns) : int(np.ceil(right * columns))]
    return len(np.unique(region.reshape(-1, 3), axis=0))


def test_of_someone_upright_the_head_part_is_hidden_and_the_legs_are_not() -> None:
    image = noise()
    picture = masked(image, PrivateParts(at(0), people=(UPRIGHT,)), ())
    head = head_part(UPRIGHT, SIXTEEN_TO_NINE)
    assert head[1] < UPRIGHT[1]
    assert head[0] < UPRIGHT[0]
    assert colours_in(picture, head) <= 30
    legs = slice(int(0.7 * 360), int(0.9 * 360)), slice(int(0.45 * 640), int(0.55 * 640))
    assert np.array_equal(picture[legs], image[legs])


@pytest.mark.parametrize("box", [(0.3, 0.8, 0.5, 1.0), (0.2, 0.7, 0.6, 0.9)])
def test_of_someone_cut_off_or_lying_all_is_hidden(box: Box) -> None:
    assert head_part(box, SIXTEEN_TO_NINE)[3] == pytest.approx(box[3])
    picture = masked(noise(), PrivateParts(at(0), people=(box,)), ())
    assert colours_in(picture, box) <= 60


def test_of_a_vehicle_the_lower_part_is_hidden() -> None:
    car = (0.2, 0.3, 0.6, 0.7)
    image = noise()
    picture = masked(image, PrivateParts(at(0), vehicles=(car,)), ())
    assert colours_in(picture, plate_part(car)) <= 60
    assert np.array_equal(picture[: int(0.45 * 360)], image[: int(0.45 * 360)])


def test_fixed_polygons_are_black() -> None:
    picture = masked(noise(), PrivateParts(at(0)), [((0.0, 0.0), (0.25, 0.0), (0.25, 0.5), (0.0, 0.5))])
    assert not picture[:170, :150].any()
    assert picture[:, 200:].any()


def test_the_original_is_left_as_it_was() -> None:
    image = noise()
    before = image.copy()
    masked(image, PrivateParts(at(0), people=(UPRIGHT,), moving=((0, 0, 1, 1),)), ())
    assert np.array_equal(image, before)


def test_what_two_faces_have_in_common_is_all_that_is_left() -> None:
    """Pictures that differ only inside of a square's mean come out the same: nothing finer can be computed back."""
    one = np.full((400, 400, 3), 100, dtype=np.uint8)
    other = one.copy()
    other[::2] += 50
    other[1::2] -= 50
    parts = PrivateParts(at(0), moving=((0.0, 0.0, 1.0, 1.0),))
    assert np.abs(masked(one, parts, ()).astype(int) - masked(other, parts, ())).max() <= 1


EDGES = st.floats(-1, 2)
BOXES = st.tuples(EDGES, EDGES, EDGES, EDGES)


@hypothesis_settings(deadline=None, max_examples=60)
@given(st.lists(BOXES, max_size=4), st.lists(BOXES, max_size=3), st.lists(BOXES, max_size=3))
def test_any_boxes_can_be_masked(people: list[Box], vehicles: list[Box], moving: list[Box]) -> None:
    parts = PrivateParts(at(0), tuple(people), tuple(vehicles), tuple(moving))
    assert masked(noise(48, 64), parts, ()).shape == (48, 64, 3)


def frame(image: Image) -> Frame:
    return Frame("c", 0, at(0), 0.0, ArrayPicture(image))


def test_a_snapshot_is_a_jpeg_without_metadata_that_carries_its_own_hash() -> None:
    evidence = SnapshotMaker("c").take(frame(noise()), PrivateParts(at(0), people=(UPRIGHT,)))
    assert evidence is not None
    assert evidence.kind is EvidenceKind.SNAPSHOT
    assert evidence.reference.mime == "image/jpeg"
    assert evidence.reference.captured_at == at(0)
    assert evidence.reference.bytes == len(evidence.content)
    assert evidence.content[:3] == b"\xff\xd8\xff"
    assert b"Exif" not in evidence.content
    again = SnapshotMaker("c").take(frame(noise()), PrivateParts(at(0), people=(UPRIGHT,)))
    assert again == evidence


def test_a_large_picture_is_made_smaller_after_it_was_masked() -> None:
    evidence = SnapshotMaker("c").take(frame(noise(1080, 1920)), PrivateParts(at(0)))
    assert evidence is not None
    decoded = cv2.imdecode(np.frombuffer(evidence.content, dtype=np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    assert decoded.shape == (720, 1280, 3)


@pytest.mark.parametrize(
    "parts",
    [
        PrivateParts(at(1), people=(UPRIGHT,)),
        PrivateParts(at(0), people=((float("nan"), 0.0, 1.0, 1.0),)),
        PrivateParts(at(0), moving=((0.0, 0.0, float("inf"), 1.0),)),
    ],
)
def test_what_can_not_be_masked_is_no_picture(parts: PrivateParts) -> None:
    maker = SnapshotMaker("c")
    assert maker.take(frame(noise()), parts) is None
    assert maker.refused == 1
