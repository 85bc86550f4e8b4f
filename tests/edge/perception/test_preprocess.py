import cv2
import numpy as np
import pytest

from edge.flow import Image
from edge.perception.preprocess import CALMED, GRAINY, grain, prepared
from models.catalogue import models
from models.manifest import Input


def picture(noise: float, seed: int = 5) -> Image:
    """A lane with edges and texture, and as much noise as asked for."""
    chance = np.random.default_rng(seed)
    texture = cv2.GaussianBlur(chance.normal(0, 60, (416, 416)).astype(np.float32), (0, 0), 6)
    plain = np.clip(110 + texture, 0, 255)
    plain[200:260, 100:300] = 30
    noisy = plain[:, :, None] + chance.normal(0, noise, (416, 416))[:, :, None]
    return np.asarray(np.clip(noisy, 0, 255).repeat(3, axis=2), dtype=np.uint8)


@pytest.mark.parametrize("noise", [2.0, 4.0, 8.0, 12.0, 16.0])
def test_noise_is_estimated_whatever_the_picture_shows(noise: float) -> None:
    assert grain(picture(noise)) == pytest.approx(noise, rel=0.15, abs=0.5)


def test_a_picture_without_rows_has_no_grain() -> None:
    assert grain(np.zeros((1, 1, 3), dtype=np.uint8)) == 0.0


def test_a_clear_picture_is_left_as_it_is_and_a_grainy_one_is_smoothed() -> None:
    wanted = given()
    clear, grainy = picture(GRAINY - 2), picture(GRAINY + 4)
    assert np.array_equal(shown(clear, wanted), clear)
    assert np.array_equal(shown(grainy, wanted), cv2.GaussianBlur(grainy, (0, 0), CALMED))


def given() -> Input:
    return models()["yolox_nano_416"].input


def shown(image: Image, wanted: Input) -> Image:
    """The input of the network as a picture again."""
    tensor, _ = prepared(image, wanted)
    return np.asarray(tensor[0].transpose(1, 2, 0), dtype=np.uint8)
