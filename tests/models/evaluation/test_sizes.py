import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.evaluation.sizes import Size, of_size


def box(share: float) -> list[float]:
    return [0.0, 0.0, share**0.5, share**0.5]


def test_sizes_are_those_of_coco_in_a_picture_of_640_by_480() -> None:
    boxes = np.array([box(share) for share in (31**2 / 307200, 33**2 / 307200, 95**2 / 307200, 97**2 / 307200)])
    told = [of_size(boxes.astype(np.float32), size).tolist() for size in Size]
    assert told == [[True, False, False, False], [False, True, True, False], [False, False, False, True]]


@given(st.lists(st.floats(0, 1), max_size=6))
def test_each_box_is_of_one_size(shares: list[float]) -> None:
    boxes = np.array([box(share) for share in shares], np.float32).reshape(-1, 4)
    assert (np.sum([of_size(boxes, size) for size in Size], axis=0) == 1).all()
