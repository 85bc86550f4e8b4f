"""Light against things: what shows the same ground, brighter or darker, is light."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.perception.light import in_the_light_of, is_only_light, shows_the_same, small_picture

GROUND = small_picture(
    np.kron(np.random.default_rng(4).integers(60, 160, (30, 53)), np.ones((12, 12))).astype(np.uint8)
)
CELLS = np.zeros(GROUND.shape, dtype=np.bool_)
CELLS[30:60, 40:80] = True


@given(st.floats(0.6, 1.6), st.floats(-20, 20))
def test_the_same_place_in_another_light_is_brought_back(gain: float, offset: float) -> None:
    fitted = in_the_light_of(GROUND, (gain * GROUND + offset).astype(np.float32))
    assert float(np.abs(fitted - GROUND).mean()) < 2.0


@given(st.floats(0.6, 1.7), st.floats(-10, 10))
def test_ground_in_another_light_shows_the_same(gain: float, offset: float) -> None:
    lit = GROUND.copy()
    lit[CELLS] = gain * lit[CELLS] + offset
    assert shows_the_same(lit, GROUND, CELLS)
    assert is_only_light(lit, GROUND, CELLS)


def test_another_thing_does_not() -> None:
    other = GROUND.copy()
    other[CELLS] = np.random.default_rng(9).uniform(20, 230, int(CELLS.sum())).astype(np.float32)
    assert not shows_the_same(other, GROUND, CELLS)
    assert not is_only_light(other, GROUND, CELLS)


def test_on_plain_ground_nobody_can_tell() -> None:
    plain = np.full(GROUND.shape, 100.0, dtype=np.float32)
    beam = plain.copy()
    beam[CELLS] = 200.0
    assert not shows_the_same(beam, plain, CELLS)
    assert not is_only_light(beam, plain, CELLS)


def test_ground_that_trembles_is_no_thing() -> None:
    shaken = np.roll(GROUND, (0, 1), axis=(0, 1))
    assert is_only_light(shaken, GROUND, CELLS)


def test_few_cells_tell_nothing() -> None:
    few = np.zeros_like(CELLS)
    few[0, :3] = True
    assert not shows_the_same(GROUND, GROUND, few)
    assert not is_only_light(GROUND, GROUND, few)
