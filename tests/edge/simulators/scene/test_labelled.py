import hashlib
from collections import Counter

import numpy as np

from edge.simulators.scene.labelled import SMALLEST_PX, labelled_frames

SIZE = (384, 216)
LABELS = {"person", "two_wheeler", "car", "truck", "bus", "fallen_person", "litter", "bin", "bin_overflow"}


def digest(seed: int) -> str:
    told = hashlib.sha256()
    for image, boxes, labels in labelled_frames(seed, 3, SIZE):
        told.update(image.tobytes() + boxes.tobytes() + repr(labels).encode())
    return told.hexdigest()


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert digest(5) == digest(5)
    assert digest(5) != digest(6)


def test_boxes_lie_in_the_picture_and_all_classes_come() -> None:
    seen: Counter[str] = Counter()
    frames = 0
    for image, boxes, labels in labelled_frames(11, 64, SIZE):
        frames += 1
        assert image.shape == (SIZE[1], SIZE[0], 3)
        assert image.dtype == np.uint8
        assert boxes.dtype == np.float32
        assert boxes.shape == (len(labels), 4)
        assert (boxes >= 0).all()
        assert (boxes[:, [0, 2]] <= SIZE[0]).all()
        assert (boxes[:, [1, 3]] <= SIZE[1]).all()
        assert (boxes[:, 2:] - boxes[:, :2] >= SMALLEST_PX).all()
        seen.update(labels)
    assert frames == 64
    assert set(seen) == LABELS
