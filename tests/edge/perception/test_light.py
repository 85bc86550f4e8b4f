"""Light against things: what shows the same ground, brighter or darker, is light."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.perception.light import in_the_light_of, is_only_light, is_smooth_light, shows_the_same, small_picture

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


def asphalt(seed: int = 5) -> NDArray[np.float32]:
    """Ground that is nearly plain, with the grain of an average of several pictures."""
    return np.random.default_rng(seed).normal(110.0, 1.2, GROUND.shape).astype(np.float32)


def seen(ground: NDArray[np.float32]) -> NDArray[np.float32]:
    """One look at it, with grain of its own."""
    return (ground + np.random.default_rng(6).normal(0.0, 0.4, ground.shape)).astype(np.float32)


@pytest.mark.parametrize("gain", [0.55, 1.3, 1.9])
def test_light_on_asphalt_is_smooth_and_the_ground_shows_through(gain: float) -> None:
    ground = asphalt()
    lit = seen(ground)
    lit[CELLS] *= np.float32(gain)
    assert not shows_the_same(lit, ground, CELLS)
    assert is_smooth_light(lit, ground, CELLS)


def test_a_plain_roof_hides_the_asphalt() -> None:
    ground = asphalt()
    roof = seen(ground)
    roof[CELLS] = seen(asphalt(seed=8))[CELLS] * np.float32(1.8)
    assert not is_smooth_light(roof, ground, CELLS)


def test_a_car_is_not_smooth() -> None:
    ground = asphalt()
    car = seen(ground)
    car[CELLS] = (car + np.random.default_rng(7).normal(40.0, 8.0, ground.shape))[CELLS]
    assert not is_smooth_light(car, ground, CELLS)


def test_a_patch_that_is_too_small_tells_nothing() -> None:
    ground = asphalt()
    small = np.zeros_like(CELLS)
    small[30:40, 40:50] = True
    lit = seen(ground)
    lit[small] *= np.float32(1.5)
    assert not is_smooth_light(lit, ground, small)
