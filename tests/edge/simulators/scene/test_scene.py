import hashlib
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.geometry import contains, foot_point, passage
from edge.simulators.scene import drawing
from edge.simulators.scene.events import Teller
from edge.simulators.scene.scene import Scene, random_scene
from edge.simulators.scene.story import Parameters, random_story
from edge.simulators.scene.truth import (
    LABELS,
    EventKind,
    Moment,
    Truth,
    TruthUnreadable,
    last_line,
    line_of,
    read_truth,
)
from edge.simulators.scene.weather import Conditions, Cover

SHORT = Parameters(duration_s=12.0, walkers=10.0, drivers=6.0, riders=5.0, falls=1.0, droppers=5.0, overflows=0.6)
seeds = st.integers(0, 1 << 20)


def truth_of(seed: int, parameters: Parameters = SHORT) -> Truth:
    return random_scene(seed, parameters, frame_period_s=0.2).truth()


def digest(scene: Scene) -> str:
    told = hashlib.sha256()
    for moment, _, image in scene.frames(stamped=True):
        told.update(line_of(moment) + image.tobytes())
    return told.hexdigest()


def test_the_same_seed_gives_the_same_bytes() -> None:
    few = replace(SHORT, duration_s=1.0)
    first, again, other = (digest(random_scene(seed, few, size=(320, 180), frame_period_s=0.2)) for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_a_truth_without_pictures_is_that_of_the_pictures() -> None:
    scene = random_scene(9, replace(SHORT, duration_s=2.0), size=(320, 180), frame_period_s=0.2)
    assert [moment for moment, _, _ in scene.frames()] == list(scene.truth().moments)


def test_what_is_drawn_lies_in_its_box() -> None:
    calm = Conditions(noise=0.0, shadow=0.0)
    for seed in range(4):
        story = random_story(seed, replace(SHORT, conditions=calm))
        moving = [actor for actor in story.actors if actor.label in {"person", "car"} and actor.at(6.0) is not None]
        for actor in moving[:3]:
            alone = Scene(replace(story, actors=(actor,)), size=(640, 360))
            moment, _ = alone.moment(6.0)
            if not moment.objects:
                continue
            empty = Scene(replace(story, actors=()), size=(640, 360)).picture(6.0)
            changed = np.abs(alone.picture(6.0).astype(int) - empty).max(axis=2) > 40
            left, top, right, bottom = np.array(moment.objects[0].visible) * (640, 360, 640, 360)
            rows, columns = np.nonzero(changed)
            near = (columns >= left - 3) & (columns <= right + 3) & (rows >= top - 3) & (rows <= bottom + 3)
            under = rows > top + 0.8 * (bottom - top)  # its shadow on the ground beside it
            assert (near | under).all()
            if len(rows) > 60:
                assert rows.min() <= top + 0.2 * (bottom - top) + 3


PLAIN = Conditions(noise=0.0, shadow=0.0)
WEATHER = {
    "sun and shadows": replace(PLAIN, shadow=0.5),
    "rain": replace(PLAIN, rain=0.8),
    "haze": replace(PLAIN, haze=0.5),
    "night": replace(PLAIN, daylight=((0.0, 0.1),)),
    "dusk": replace(PLAIN, daylight=((0.0, 1.0), (9.0, 0.0))),
    "infrared": replace(PLAIN, infrared=True),
    "noise": replace(PLAIN, noise=6.0),
    "blackout": replace(PLAIN, covered=((5.0, 8.0, Cover.BLACK),)),
}


@pytest.mark.parametrize("name", WEATHER)
def test_weather_changes_the_picture_and_no_box(name: str) -> None:
    story = random_story(3, replace(SHORT, conditions=PLAIN))
    plain, other = (
        Scene(replace(story, conditions=conditions), size=(320, 180)) for conditions in (PLAIN, WEATHER[name])
    )
    assert (np.abs(plain.picture(6.0).astype(int) - other.picture(6.0)) > 10).sum() > 100
    boxes = [
        [(thing.id, thing.full, thing.visible) for thing in each.moment(6.0)[0].objects] for each in (plain, other)
    ]
    assert boxes[0]
    assert boxes[0] == boxes[1]


def test_a_camera_that_shakes_moves_boxes_with_the_picture() -> None:
    story = random_story(3, replace(SHORT, conditions=PLAIN))
    still, shaking = (
        Scene(replace(story, conditions=replace(PLAIN, tremble=tremble)), size=(320, 180)) for tremble in (0.0, 0.02)
    )
    assert still.moment(6.0)[0].objects != shaking.moment(6.0)[0].objects
    assert (still.picture(6.0) != shaking.picture(6.0)).any()


def test_lamps_of_what_drives_shine_at_night(monkeypatch: pytest.MonkeyPatch) -> None:
    night = replace(PLAIN, daylight=((0.0, 0.1),))
    for seed in range(20):
        story = random_story(seed, replace(SHORT, conditions=night))
        cars = [
            actor for actor in story.actors if (there := actor.at(6.0)) and there[0] == "car" and there[2].speed_mps
        ]
        if any(Scene(replace(story, actors=(car,))).moment(6.0)[0].objects for car in cars):
            break
    lit = Scene(story, size=(320, 180)).picture(6.0)
    monkeypatch.setattr(drawing, "paint_lamps", lambda *_: None)
    assert lit.astype(int).sum() > Scene(story, size=(320, 180)).picture(6.0).astype(int).sum()


@settings(max_examples=15, deadline=None)
@given(seeds)
def test_boxes_are_in_the_picture_and_ids_are_unique(seed: int) -> None:
    truth = truth_of(seed)
    for moment in truth.moments:
        ids = [thing.id for thing in moment.objects]
        assert len(ids) == len(set(ids))
        for thing in moment.objects:
            left, top, right, bottom = thing.visible
            assert 0 <= left < right <= 1
            assert 0 <= top < bottom <= 1
            assert 0 <= thing.share <= 1
            assert thing.label in LABELS
            full = thing.full
            assert full[0] - 1e-9 <= left
            assert full[1] - 1e-9 <= top
            assert full[2] + 1e-9 >= right
            assert full[3] + 1e-9 >= bottom


@settings(max_examples=15, deadline=None)
@given(seeds)
def test_a_thing_goes_on_where_it_was(seed: int) -> None:
    truth = truth_of(seed)
    for before, after in pairwise(truth.moments):
        known = {thing.id: thing for thing in before.objects}
        for thing in after.objects:
            was = known.get(thing.id)
            if was is not None and was.label == thing.label != "fallen_person" and thing.full[3] < 1:
                (x1, y1), (x2, y2) = foot_point(was.full), foot_point(thing.full)
                height = thing.full[3] - thing.full[1]
                assert np.hypot(x2 - x1, y2 - y1) < max(0.12, 1.6 * height)


@settings(max_examples=15, deadline=None)
@given(seeds)
def test_events_agree_with_foot_points(seed: int) -> None:
    truth = truth_of(seed)
    feet = {(moment.at_s, thing.id): foot_point(thing.full) for moment in truth.moments for thing in moment.objects}
    times = [moment.at_s for moment in truth.moments]
    for event in truth.of(EventKind.STAY):
        until_s = event.end_s if event.end_s is not None else truth.head.duration_s
        polygon = truth.head.zones[event.where or ""]
        inside = [at for at in times if (at, event.id) in feet and contains(polygon, feet[at, event.id or 0])]
        assert all(at in inside for at in times if event.begin_s <= at < until_s)
    crossed = [
        (number, name)
        for before, after in pairwise(times)
        for (at, number), foot in feet.items()
        if at == after and (before, number) in feet
        for name, line in truth.head.lines.items()
        if passage(line, feet[before, number], foot) is not None
    ]
    assert len(crossed) == len(truth.of(EventKind.CROSSING))


def test_a_covered_lens_shows_nothing_and_is_told_of() -> None:
    story = random_story(2, replace(SHORT, conditions=Conditions(covered=((4.0, 7.0, Cover.BLACK),))))
    truth = Scene(story, frame_period_s=0.5).truth()
    (dark,) = truth.of(EventKind.BLACKOUT)
    assert (dark.begin_s, dark.end_s, dark.label) == (4.0, 7.0, "black")
    assert all(thing.share == 0 for moment in truth.moments if moment.cover for thing in moment.objects)
    assert Scene(story, size=(320, 180)).picture(5.0).mean() < 15


def test_somebody_falls_lies_and_gets_up() -> None:
    falls = [event for seed in range(12) for event in truth_of(seed, Parameters(falls=1.0)).of(EventKind.FALL)]
    assert len(falls) >= 8
    assert any(event.end_s is not None and event.end_s - event.begin_s > 5 for event in falls)
    assert any(event.end_s is None for event in falls)


def test_a_teller_without_moments_has_nothing_to_tell() -> None:
    teller = Teller({}, {})
    teller.take(Moment(0.0, None, ()), frozenset())
    assert teller.events() == ()


def test_a_truth_is_read_as_it_was_written(tmp_path: Path) -> None:
    truth = truth_of(1)
    file = tmp_path / "scene.jsonl"
    file.write_bytes(line_of(truth.head) + b"".join(map(line_of, truth.moments)) + last_line(truth.events))
    assert read_truth(file) == truth


@pytest.mark.parametrize("content", [b"", b"no json\n", b'{"version": 1}\n', b'{"version": "\xff"}\n'])
def test_what_is_no_truth_is_refused_with_its_name(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "scene.jsonl"
    file.write_bytes(content)
    with pytest.raises(TruthUnreadable, match=r"scene\.jsonl"):
        read_truth(file)


def test_another_version_is_refused(tmp_path: Path) -> None:
    truth = truth_of(1)
    file = tmp_path / "scene.jsonl"
    file.write_bytes(line_of(truth.head).replace(b'"version":1', b'"version":9'))
    with pytest.raises(TruthUnreadable, match="version 9"):
        read_truth(file)
