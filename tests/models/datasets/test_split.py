from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.datasets.labels import LABELS
from models.datasets.pictures import DataProblem, LabelledPicture
from models.datasets.sets import SETS
from models.datasets.split import Part, clusters, compute_split, part_of, read_split


def picture(folder: Path, name: str, scene: int, noise: int = 0, original: str | None = None) -> LabelledPicture:
    """A picture of a made-up scene; other noise is another look at the same."""
    coarse = np.random.default_rng(scene).integers(0, 256, (6, 6), np.uint8)
    seen = cv2.resize(coarse, (48, 48), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    seen += np.random.default_rng(1000 + noise).normal(0, 4, seen.shape)
    file = folder / f"{name}.png"
    cv2.imwrite(str(file), np.clip(seen, 0, 255).astype(np.uint8))
    boxes = np.array([[0.1, 0.1, 0.4, 0.4]], np.float32)
    return LabelledPicture("persons_capston2", name, file, original or name, boxes, np.array([0], np.intp))


def test_looks_at_the_same_scene_are_one_cluster_and_other_scenes_are_not(tmp_path: Path) -> None:
    pictures = [picture(tmp_path, f"{scene}-{look}", scene, look) for scene in range(4) for look in range(3)]
    found = {frozenset(each.name[0] for each in cluster) for cluster in clusters(pictures)}
    assert found == {frozenset("0"), frozenset("1"), frozenset("2"), frozenset("3")}


def test_pictures_of_one_camera_are_one_cluster_whatever_they_show(tmp_path: Path) -> None:
    pictures = [picture(tmp_path, f"p{scene}", scene, original=f"cam_{scene % 2}_{scene}.jpg") for scene in range(6)]
    assert sorted(len(cluster) for cluster in clusters(pictures, r"(cam_\d+)_")) == [3, 3]


def test_copies_of_one_photograph_are_one_cluster_however_they_were_turned(tmp_path: Path) -> None:
    names = [f"IMG{photograph}_jpg.rf.{copy}.jpg" for copy in "abc" for photograph in range(4)]
    pictures = [picture(tmp_path, f"p{scene}", scene, original=name) for scene, name in enumerate(names)]
    found = {frozenset(each.original.partition(".rf.")[0] for each in cluster) for cluster in clusters(pictures)}
    assert found == {frozenset({f"IMG{photograph}_jpg"}) for photograph in range(4)}
    assert sorted(len(cluster) for cluster in clusters(pictures, r"()")) == [12], "all of one place"


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 4), min_size=12, max_size=40), st.randoms(use_true_random=False))
def test_clusters_stay_whole_in_any_order_of_files(tmp_path: Path, looks: list[int], chance: object) -> None:
    pictures = [
        picture(tmp_path, f"{scene:03}-{look}", scene, look)
        for scene, count in enumerate(looks)
        for look in range(count)
    ]
    split = compute_split(pictures)
    shuffled = list(pictures)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert compute_split(shuffled) == split
    for scene in range(len(looks)):
        assert len({part for key, part in split.items() if f"/{scene:03}-" in key}) == 1
    shares = Counter(split.values())
    assert shares[Part.TRAINING] > shares[Part.HELD_OUT]


def test_the_written_split_knows_all_parts_of_all_sets() -> None:
    split = read_split()
    parts = {name: Counter(part for key, part in split.items() if key.startswith(f"{name}/")) for name in SETS}
    one_place = parts.pop("modes_of_transport")
    assert set(one_place) == {Part.TRAINING}
    assert all(set(counter) == set(Part) for counter in parts.values())
    assert sum(part is Part.HELD_OUT for part in split.values()) > len(split) / 8


def test_a_picture_that_the_split_does_not_know_names_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(DataProblem, match=r"python -m models\.training split"):
        part_of([picture(tmp_path, "new", 1)], Part.TRAINING)


def test_classes_have_the_order_of_the_weights() -> None:
    assert [label.value for label in LABELS] == (
        ["person", "two_wheeler", "car", "truck", "bus", "fallen_person", "litter", "bin", "bin_overflow"]
    )
