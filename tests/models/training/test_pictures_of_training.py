"""What becomes of a picture on its way to the network: taught, pasted, changed, put together into batches."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.datasets.labels import NUMBER, Label
from models.datasets.pictures import DataProblem, LabelledPicture
from models.training.augmentation import Example, example_of_four, example_of_one
from models.training.batches import batches, order_of
from models.training.degradation import CHANGES, degraded
from models.training.pasting import paste, patches_of
from models.training.recipe import Recipe, Stage
from models.training.samples import ALL_KNOWN, Sample, Taught, bits, sample_of

SIZE = 96
seeds = st.integers(0, 10_000)


def sample(seed: int, known: int = ALL_KNOWN, width: int = 120, height: int = 80) -> Sample:
    chance = np.random.default_rng(seed)
    low = chance.uniform(0, [width * 0.6, height * 0.6], (3, 2))
    boxes = np.concatenate([low, low + chance.uniform(26, 30, (3, 2))], 1).astype(np.float32)
    pixels = chance.integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Sample(pixels, boxes, np.array([0, 2, 5]), boxes[:1] + 1, np.array([3]), known)


def holds(example: Example) -> bool:
    every = np.concatenate([example.boxes, example.ignored])
    return bool(((every >= 0) & (every <= SIZE)).all()) and bool(
        (example.boxes[:, 2:] - example.boxes[:, :2] >= 3).all()
    )


@settings(max_examples=30, deadline=None)
@given(seeds, st.booleans(), st.booleans())
def test_boxes_stay_inside_and_are_worth_a_label(seed: int, four: bool, pasted: bool) -> None:
    random = np.random.default_rng(seed)
    patch = patches_of([sample(seed)], Label.FALLEN_PERSON)[0] if pasted else None
    if four:
        example = example_of_four([sample(seed + n) for n in range(4)], SIZE, random, patch=patch)
    else:
        example = example_of_one(sample(seed), SIZE, random, patch=patch)
    assert holds(example)
    assert example.pixels.shape == (SIZE, SIZE, 3)
    assert len(example.boxes) == len(example.classes)
    assert len(example.ignored) == len(example.ignored_classes)


@given(seeds)
@settings(max_examples=10, deadline=None)
def test_a_picture_that_does_not_know_a_class_says_so_where_it_lies(seed: int) -> None:
    known = ALL_KNOWN & ~(1 << NUMBER[Label.BIN])
    example = example_of_one(sample(seed, known), SIZE, np.random.default_rng(seed), degrade=False)
    assert set(np.unique(example.known).tolist()) <= {known, ALL_KNOWN}
    assert known in example.known


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_a_pasted_thing_lies_inside(seed: int) -> None:
    canvas = np.full((SIZE, SIZE, 3), 114, np.uint8)
    patch = patches_of([sample(seed)], Label.CAR)[0]
    left, top, right, bottom = paste(canvas, patch, np.random.default_rng(seed))
    assert 0 <= left < right <= SIZE
    assert 0 <= top < bottom <= SIZE
    assert (canvas != 114).any()


def test_what_is_pasted_was_taken_by_a_camera() -> None:
    taken, made = sample(1), replace(sample(2), made=True)
    assert len(patches_of([taken, made], Label.CAR)) == len(patches_of([taken], Label.CAR)) > 0


@pytest.mark.parametrize("place", range(len(CHANGES)))
def test_each_change_alone_keeps_the_form_and_repeats_itself(place: int) -> None:
    change = CHANGES[place][0]
    before = sample(1, width=96, height=64).pixels
    kept = before.copy()
    one, other = (change(before, np.random.default_rng(4)) for _ in range(2))
    assert (one.shape, one.dtype) == (before.shape, before.dtype)
    np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(before, kept)


def test_all_changes_together_repeat_themselves() -> None:
    pixels = sample(1, width=96, height=64).pixels
    for seed in range(5):
        one, other = (degraded(pixels, np.random.default_rng(seed)) for _ in range(2))
        np.testing.assert_array_equal(one, other)


@given(st.lists(st.floats(1, 4), min_size=1, max_size=20), seeds)
def test_each_picture_comes_at_least_once(weights: list[float], seed: int) -> None:
    order = order_of(weights, np.random.default_rng(seed))
    assert set(order) == set(range(len(weights)))
    assert all(order.count(index) <= weight + 1 for index, weight in enumerate(weights))


def test_the_same_seed_gives_the_same_batches_whoever_makes_them() -> None:
    samples = [sample(number) for number in range(5)]
    recipe = Recipe(stages=(Stage(1, 64, 0.5),), batch=2)
    alone, helped = (list(batches(samples, recipe, 0, workers=workers)) for workers in (0, 1))
    assert len(alone) == len(helped) > 1
    for one, other in zip(alone, helped, strict=True):
        assert one.pictures.equal(other.pictures)
        assert one.truth.things.boxes.equal(other.truth.things.boxes)
        assert one.truth.known.equal(other.truth.known)
    again = next(batches(samples, replace(recipe, seed=2), 0, workers=0))
    assert not again.pictures.equal(alone[0].pictures)


def labelled(folder: Path, set_name: str) -> LabelledPicture:
    file = folder / "one.png"
    cv2.imwrite(str(file), np.zeros((50, 100, 3), np.uint8))
    boxes = np.array([[0.1, 0.1, 0.3, 0.5]], np.float32)
    return LabelledPicture(set_name, "one", file, "one.png", boxes, np.array([NUMBER[Label.PERSON]]))


def test_a_teacher_adds_what_it_is_sure_of_and_what_it_doubts_is_ignored(tmp_path: Path) -> None:
    boxes = np.array([[0.5, 0.5, 0.7, 0.9], [0.7, 0.1, 0.9, 0.3], [0.1, 0.1, 0.3, 0.5], [0, 0.8, 0.1, 0.9]], np.float32)
    car, person = NUMBER[Label.CAR], NUMBER[Label.PERSON]
    taught = Taught(boxes, np.array([car, car, car, person]), np.array([0.9, 0.2, 0.9, 0.9], np.float32))
    made = sample_of(labelled(tmp_path, "persons_capston2"), taught)
    np.testing.assert_allclose(made.boxes, [[10, 5, 30, 25], [50, 25, 70, 45]], atol=1e-3)
    assert made.classes.tolist() == [person, car]
    np.testing.assert_allclose(made.ignored, [[70, 5, 90, 15]], atol=1e-3)
    assert made.known == ALL_KNOWN
    assert sample_of(labelled(tmp_path, "persons_capston2"), None).known == ALL_KNOWN & ~bits(
        (Label.TWO_WHEELER, Label.CAR, Label.TRUCK, Label.BUS)
    )


def test_a_picture_of_a_large_camera_is_made_smaller_and_its_boxes_with_it(tmp_path: Path) -> None:
    file = tmp_path / "large.jpg"
    cv2.imwrite(str(file), np.zeros((3_000, 4_000, 3), np.uint8))
    boxes = np.array([[0.25, 0.5, 0.75, 1.0]], np.float32)
    large = LabelledPicture("persons_capston2", "large", file, "large", boxes, np.array([0], np.intp))
    made = sample_of(large, None)
    assert made.pixels.shape == (960, 1_280, 3)
    np.testing.assert_allclose(made.boxes, [[320, 480, 960, 960]])


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    picture = labelled(tmp_path, "persons_capston2")
    picture.file.write_bytes(b"none")
    with pytest.raises(DataProblem, match=r"one\.png is no picture"):
        sample_of(picture, None)
