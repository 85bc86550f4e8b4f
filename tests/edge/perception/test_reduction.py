import cv2
import numpy as np
import pytest

from edge.perception.reduction import reduced


@pytest.mark.parametrize(
    ("rows", "columns"), [(432, 768), (1080, 1920), (431, 767), (90, 160), (540, 961), (2160, 3840)]
)
def test_each_cell_is_the_average_of_what_it_covers(rows: int, columns: int) -> None:
    grain = np.random.default_rng(7).integers(0, 256, (rows, columns), dtype=np.uint8)
    smooth = np.asarray(
        cv2.GaussianBlur(grain, (0, 0), 4.0), dtype=np.uint8
    )  # what is finer than a cell is shared out a little differently
    exact = cv2.resize(smooth.astype(np.float32), (160, 90), interpolation=cv2.INTER_AREA)
    assert np.abs(reduced(smooth, 160, 90) - exact).max() <= 2.0


def test_an_edge_stays_where_it_is() -> None:
    luma = np.zeros((432, 768), dtype=np.uint8)
    luma[:, 384:] = 200
    small = reduced(luma, 160, 90)
    assert (small[:, :80] == 0).all()
    assert (small[:, 80:] == 200).all()


def test_a_part_of_a_larger_array_will_do() -> None:
    padded = np.full((450, 800), 9, dtype=np.uint8)
    padded[:432, :768] = 100
    assert (reduced(padded[:432, :768], 160, 90) == 100).all()
