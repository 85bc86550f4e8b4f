"""What is to be seen in a picture at this moment."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.contract.view import MOST_COUNTS, SightCount
from edge.flow import Detections, Track
from edge.perception.sighting import SURE, counted
from tests.fakes.scenes import at, detections, standing_at

LANE = ((0.0, 0.5), (0.5, 0.5), (0.5, 1.0), (0.0, 1.0))
NOTHING = detections()


def track(number: int, label: str, x: float, y: float) -> Track:
    return Track(number, label, standing_at(x, y), 0.9, at(0), at(1), 0.9)


def told(counts: tuple[SightCount, ...]) -> dict[tuple[str | None, str], int]:
    return {(each.zone, each.label): each.count for each in counts}


def test_that_nobody_is_there_is_told_too() -> None:
    assert told(counted((), NOTHING, {"lane": LANE})) == {
        (None, "person"): 0,
        (None, "vehicle"): 0,
        ("lane", "person"): 0,
        ("lane", "vehicle"): 0,
    }


def test_who_is_followed_and_found_is_one_and_who_is_only_found_counts_if_that_is_sure() -> None:
    tracks = (track(1, "person", 0.2, 0.9), track(2, "truck", 0.7, 0.9), track(3, "motion", 0.5, 0.5))
    found = Detections(
        boxes=np.array([standing_at(0.21, 0.9), standing_at(0.4, 0.8), standing_at(0.9, 0.4)], dtype=np.float32),
        scores=np.array([0.9, SURE, SURE - 0.01], dtype=np.float32),
        labels=("person", "person", "person"),
    )
    assert told(counted(tracks, found, {"lane": LANE})) == {
        (None, "person"): 2,
        (None, "vehicle"): 1,
        ("lane", "person"): 2,
        ("lane", "vehicle"): 0,
    }


def test_a_car_that_is_called_a_truck_as_well_is_one_vehicle() -> None:
    box = standing_at(0.5, 0.9)
    found = Detections(np.array([box, box], dtype=np.float32), np.array([0.8, 0.7], dtype=np.float32), ("car", "truck"))
    assert told(counted((), found, {}))[None, "vehicle"] == 1


def test_what_a_model_of_ones_own_knows_is_told_by_its_name() -> None:
    fire = replace(detections((standing_at(0.5, 0.9), 0.9)), labels=("fire",))
    assert told(counted((), fire, {}))[None, "fire"] == 1


@given(
    st.lists(st.tuples(st.floats(allow_nan=True, width=32), st.floats(0, 1, width=32)), max_size=30),
    st.integers(0, 70),
)
def test_whatever_a_detector_says_the_counts_are_bounded_and_no_zone_has_more_than_the_picture(
    rows: list[tuple[float, float]], zones: int
) -> None:
    found = Detections(
        boxes=np.array([(x, x, x + 0.1, x + 0.2) for x, _ in rows], dtype=np.float32).reshape(-1, 4),
        scores=np.array([score for _, score in rows], dtype=np.float32),
        labels=("person",) * len(rows),
    )
    counts = counted((), found, {f"zone-{number}": LANE for number in range(zones)})
    assert len(counts) <= MOST_COUNTS
    whole = told(counts)[None, "person"]
    assert whole <= len(rows)
    assert all(each.count <= whole for each in counts if each.label == "person")
