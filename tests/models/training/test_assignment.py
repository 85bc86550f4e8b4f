import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.datasets.labels import LABELS
from models.training.assignment import Things, assign
from models.training.loss import Truth, losses
from models.training.network import boxes_of, cells

SIZE = 64
CORNERS, STRIDES = cells(SIZE, SIZE)
CENTRES = (CORNERS + 0.5) * STRIDES
ALL = (1 << len(LABELS)) - 1
coordinates = st.floats(-20, 84, width=32)
things = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, len(LABELS) - 1), coordinates, coordinates, coordinates, coordinates),
    max_size=12,
)
Drawn = list[tuple[int, int, float, float, float, float]]


def things_of(drawn: Drawn) -> Things:
    boxes = [[min(a, c), min(b, d), max(a, c) + 1, max(b, d) + 1] for _, _, a, b, c, d in drawn]
    return Things(
        torch.tensor([one[0] for one in drawn], dtype=torch.long),
        torch.tensor([one[1] for one in drawn], dtype=torch.long),
        torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
    )


def rows_of(seed: int) -> torch.Tensor:
    return torch.randn(2, len(CORNERS), 4 + len(LABELS), generator=torch.Generator().manual_seed(seed))


def assigned(drawn: Drawn, seed: int) -> list[tuple[int, int, int, float]]:
    rows = rows_of(seed)
    found = assign(rows[..., 4:].sigmoid(), boxes_of(rows, CORNERS, STRIDES), CENTRES, STRIDES, things_of(drawn))
    columns = (found.picture.tolist(), found.cell.tolist(), found.thing.tolist(), found.goal.tolist())
    return list(zip(*columns, strict=True))


@settings(max_examples=40, deadline=None)
@given(things, st.integers(0, 99))
def test_a_cell_answers_for_one_thing_near_it_and_its_goal_is_a_share(drawn: Drawn, seed: int) -> None:
    found = assigned(drawn, seed)
    wanted = things_of(drawn)
    assert len({(picture, cell) for picture, cell, _, _ in found}) == len(found)
    for picture, cell, thing, goal in found:
        assert picture == drawn[thing][0]
        assert 0 <= goal <= 1 + 1e-5
        left, top, right, bottom = wanted.boxes[thing].tolist()
        stride = float(STRIDES[cell])
        assert abs(float(CENTRES[cell, 0]) - (left + right) / 2) <= max((right - left) / 2, stride)
        assert abs(float(CENTRES[cell, 1]) - (top + bottom) / 2) <= max((bottom - top) / 2, stride)


@settings(max_examples=30, deadline=None)
@given(things, st.integers(0, 99))
def test_the_order_of_things_changes_nothing(drawn: Drawn, seed: int) -> None:
    distinct = list(dict.fromkeys(drawn))
    turned = distinct[::-1]
    one = {(picture, cell): goal for picture, cell, thing, goal in assigned(distinct, seed)}
    other = {(picture, cell): goal for picture, cell, thing, goal in assigned(turned, seed)}
    assert one.keys() == other.keys()


def test_a_thing_that_no_cell_reaches_is_left_without_an_answer() -> None:
    assert assigned([(0, 0, -900.0, -900.0, -890.0, -890.0)], 1) == []
    assert assigned([], 1) == []


def truth_of(drawn: Drawn, known: int = ALL, ignored: Drawn | None = None) -> Truth:
    return Truth(things_of(drawn), torch.full((2, 8, 8), known, dtype=torch.long), things_of(ignored or []))


def gradient(truth: Truth) -> torch.Tensor:
    rows = rows_of(3).requires_grad_()
    losses(rows, truth, SIZE, SIZE).total.backward()
    assert rows.grad is not None
    return rows.grad


@pytest.mark.parametrize("number", [0, 5, len(LABELS) - 1])
def test_what_nobody_knows_teaches_nothing(number: int) -> None:
    learnt = gradient(truth_of([], known=ALL & ~(1 << number)))
    assert not learnt[..., 4 + number].any()
    others = [4 + other for other in range(len(LABELS)) if other != number]
    assert learnt[..., others].ne(0).all()


def test_beside_an_ignored_box_its_class_alone_teaches_nothing() -> None:
    learnt = gradient(truth_of([], ignored=[(0, 2, 0.0, 0.0, 31.0, 31.0)]))
    inside = ((CENTRES > 0) & (CENTRES < 32)).all(-1)
    assert not learnt[0, inside, 6].any()
    assert learnt[0, ~inside, 6].ne(0).all()
    assert learnt[1, :, 6].ne(0).all()
    assert learnt[0, inside, 5].ne(0).all()


def test_the_loss_falls_on_the_way_to_the_truth() -> None:
    truth = truth_of([(0, 2, 8.0, 8.0, 39.0, 31.0), (1, 0, 20.0, 12.0, 35.0, 55.0)])
    rows = (rows_of(5) * 0.1).requires_grad_()
    way = torch.optim.Adam([rows], lr=0.05)
    told = []
    for _ in range(80):
        total = losses(rows, truth, SIZE, SIZE).total
        way.zero_grad()
        total.backward()
        way.step()
        told.append(float(total.detach()))
    assert told[-1] < told[0] / 5
