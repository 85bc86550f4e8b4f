from pathlib import Path

import pytest

from models import catalogue
from models.datasets.labels import LABELS, Label
from models.evaluation.false_alarms import SURE, Alarms, alarms_in, together
from models.evaluation.stretches import QUIET, Quiet
from tests.fakes.footage import write_clip
from tests.fakes.own_model import own_detector

EVERYTHING = frozenset(LABELS)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mp4", frames=80, rate=10, width=128, height=192)


def test_what_is_seen_where_nothing_is_counts_once_as_a_track_and_in_each_picture(tmp_path: Path, clip: Path) -> None:
    alarms = {one.label: one for one in alarms_in(own_detector(tmp_path), EVERYTHING, Quiet("made", (), ()), clip)}
    fallen, litter, car = alarms[Label.FALLEN_PERSON], alarms[Label.LITTER], alarms[Label.CAR]
    assert fallen.tracks == 1
    assert fallen.frames == fallen.frames_with == fallen.boxes == 40
    assert fallen.per_hour == pytest.approx(450)
    assert (litter.tracks, litter.incidents, litter.per_hour, litter.frames_with) == (None, 0, 0, 40), (
        "8 s are not 10 s"
    )
    assert (car.tracks, car.boxes, car.per_hour) == (0, 0, 0)
    assert car.interval_per_hour is not None
    assert car.interval_per_hour == pytest.approx((0, 3.689 / 8 * 3600), rel=1e-3)


def test_what_is_there_is_no_alarm(tmp_path: Path, clip: Path) -> None:
    quiet = Quiet("made", (Label.FALLEN_PERSON,), ((100.0, 101.0),))
    [one] = alarms_in(own_detector(tmp_path), frozenset({Label.FALLEN_PERSON}), quiet, clip)
    assert (one.tracks, one.frames, one.seconds) == (0, 0, 1.0)


def test_clips_add_up() -> None:
    def of(clip: str, tracks: int | None, label: Label) -> Alarms:
        return Alarms("m", label, clip, 10.0, tracks, 2 if label is Label.LITTER else None, 50, 2, 3)

    clips = [of("a", 1, Label.BUS), of("b", 2, Label.BUS), of("a", None, Label.BIN)]
    bus, bin_, litter = together([*clips, *(of(clip, None, Label.LITTER) for clip in "ab")])
    assert (bus.tracks, bus.seconds, bus.frames, bus.boxes) == (3, 20.0, 100, 6)
    assert bus.per_hour == pytest.approx(540)
    assert (bin_.tracks, bin_.incidents, bin_.per_hour) == (None, None, None)
    assert (litter.tracks, litter.incidents) == (None, 4)
    assert litter.per_hour == pytest.approx(720)


def test_what_stays_where_nothing_is_would_have_been_told_of_once(tmp_path: Path) -> None:
    longer = write_clip(tmp_path / "longer.mp4", frames=140, rate=10, width=128, height=192)
    quiet = Quiet("made", (), ())
    alarms = {one.label: one for one in alarms_in(own_detector(tmp_path), EVERYTHING, quiet, longer)}
    told = [alarms[label].incidents for label in (Label.LITTER, Label.BIN_OVERFLOW, Label.BIN)]
    assert told == [1, 1, None]
    assert alarms[Label.LITTER].per_hour == pytest.approx(3600 / 14)


def test_scores_are_those_of_the_tracker_and_of_rules_on_places() -> None:
    assert SURE[Label.PERSON] == 0.5
    assert SURE[Label.LITTER] == 0.35


@pytest.mark.parametrize("quiet", QUIET, ids=lambda quiet: quiet.clip)
def test_stretches_are_in_order_and_within_their_clip(quiet: Quiet) -> None:
    footage = catalogue.footage()[quiet.clip]
    edges = [edge for stretch in quiet.stretches for edge in stretch]
    assert edges == sorted(edges)
    assert all(0 <= edge <= footage.frames / footage.fps for edge in edges)
    assert bool(quiet.present) == bool(quiet.stretches)
