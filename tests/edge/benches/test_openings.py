from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from edge.benches.busy import busy_camera, openings_in_truth
from edge.benches.films import made_scene
from edge.benches.openings import Opening, Tally, hits, plain_detector
from edge.flow import Frame, Health
from edge.video import ArrayPicture

BEGAN_AT = datetime(2026, 5, 1, tzinfo=UTC)


def frame(media_s: float, arrived_s: float) -> Frame:
    picture = ArrayPicture(np.zeros((4, 4, 3), dtype=np.uint8))
    return Frame("c0", 0, BEGAN_AT + timedelta(seconds=arrived_s), media_s, picture)


def test_each_opening_found_counts_for_one_that_was_expected() -> None:
    expected = [Opening("intrusion", 2.0), Opening("intrusion", 3.0), Opening("loitering", 9.0)]
    assert hits(expected, expected) == 3
    assert hits(expected, [Opening("intrusion", 2.4)]) == 1
    assert hits(expected, [Opening("loitering", 11.0), Opening("intrusion", 9.0)]) == 0
    assert hits([], expected) == 0


def test_times_in_the_film_count_from_the_earliest_beginning_that_a_frame_speaks_of() -> None:
    tally = Tally()
    tally.see(frame(0.0, 0.3))
    tally.see(frame(1.0, 1.1))
    tally.see(frame(2.0, 2.2))
    tally.found("c0", "intrusion", BEGAN_AT + timedelta(seconds=4.1))
    opening = tally.all_openings(["c0", "c1"])["c0"][0]
    assert (opening.rule, opening.at_s) == ("intrusion", 4.0)
    assert tally.all_openings(["c0", "c1"])["c1"] == ()


def test_each_loss_is_noted() -> None:
    tally = Tally()
    tally.hear("c0")(Health.OK, None)
    assert not tally.losses
    tally.hear("c0")(Health.LOST, "gone")
    tally.hear("c1")(Health.LOST, "gone too")
    assert tally.losses == ["c0", "c1"]


def test_a_plain_loop_looks_at_all_of_each_picture(model: Callable[[str], Path]) -> None:
    model("yolox_nano_416")
    assert not plain_detector("yolox_nano_416").looks_at_parts


def test_what_a_made_scene_has_to_bring_follows_from_its_truth() -> None:
    """People who are there from the beginning are told at once, and who stays is told to loiter after as long as the rule says."""
    camera = busy_camera("c", "rtsp://made/scene", "gridward_nano_320")
    openings = openings_in_truth(made_scene(0, 12.0), camera)
    assert openings == openings_in_truth(made_scene(0, 12.0), camera)
    began = [each.at_s for each in openings if each.rule == "intrusion-floor"]
    stayed = [each.at_s for each in openings if each.rule == "loitering-floor"]
    assert began
    assert stayed
    assert all(any(2.0 <= at_s - begin_s <= 4.0 for begin_s in began) for at_s in stayed)
