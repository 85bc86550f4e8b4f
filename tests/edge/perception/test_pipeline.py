"""The pipeline on made-up pictures and a made-up detector; the real one is held against real footage in test_replay."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from edge.contract.incident import IncidentState
from edge.flow import Box, Detections, Finding, Frame, Image, PrivateParts, Scene
from edge.geometry import contains, foot_point
from edge.perception import pipeline as pipeline_module
from edge.perception.pipeline import (
    LONG_QUIET_PROBES,
    LONG_QUIET_S,
    MOST_HELD,
    PROBE_S,
    STILL_MASKED_S,
    WATCHED_S,
    WHOLE_S,
    CameraPipeline,
)
from edge.perception.scheduler import Attention
from edge.perception.views import around, holds
from edge.rules.intrusion import IntrusionRule
from edge.settings import CameraSettings, IntrusionSettings
from edge.video import ArrayPicture
from tests.fakes.scenes import at, detections, seconds, standing_at

CAMERA = CameraSettings(id="c", url="c.mp4")
ROOM = np.random.default_rng(1).integers(60, 200, (54, 96, 3)).repeat(4, axis=0).repeat(4, axis=1).astype(np.uint8)


def room_with(*boxes: Box) -> Image:
    image = ROOM.copy()
    for left, top, right, bottom in boxes:
        image[int(top * 216) : int(bottom * 216), int(left * 384) : int(right * 384)] = 5
    return image


class Eyes:
    """A detector that sees every black box that it is told of, and counts its looks."""

    labels: tuple[str, ...] = ("person",)

    def __init__(self, *, parts: bool = False) -> None:
        self.looks = 0
        self.parts = parts
        self.regions: list[Box | None] = []
        self.sees: Callable[[], Detections] = detections

    def detect(self, image: Image, things: Sequence[Box] = ()) -> Detections:
        assert image.shape == ROOM.shape
        self.looks += 1
        region = around(things)
        self.regions.append(region)
        return _in(region, self.sees()) if self.parts else self.sees()


def _in(region: Box | None, found: Detections) -> Detections:
    boxes = [tuple(box) for box in found.boxes.tolist()]
    inside = [index for index, box in enumerate(boxes) if region is None or holds(region, box)]
    labels = tuple(found.labels[index] for index in inside)
    return Detections(found.boxes[inside], found.scores[inside], labels, region)


class Filmed:
    """A pipeline that is shown pictures at five a second."""

    def __init__(self, eyes: Eyes | None) -> None:
        self.pipeline = CameraPipeline(CAMERA, eyes)
        self.eyes = eyes or Eyes()
        self.index = 0
        self.frame = Frame("c", 0, at(0), 0.0, ArrayPicture(ROOM))

    def begin_anew(self, eyes: Eyes | None) -> None:
        """Another pipeline in the place of this one, as after a fault or without the model."""
        self.pipeline, former = CameraPipeline(CAMERA, eyes, memory=self.pipeline.memory), self.pipeline
        former.interrupt(self.frame.captured_at)
        self.eyes = eyes or Eyes()

    def parts(self) -> PrivateParts:
        """What is private in the last picture."""
        return self.pipeline.private_parts(self.frame)

    def show(
        self,
        image: Image,
        duration_s: float = 0.2,
        found: Detections | None = None,
        *,
        hurried: bool = False,
    ) -> list[Scene]:
        self.eyes.sees = lambda: found if found is not None else detections()
        scenes = []
        for _ in range(round(duration_s * 5)):
            self.frame = Frame("c", self.index, at(self.index / 5), self.index / 5, ArrayPicture(image))
            scenes.append(self.pipeline.analyse(self.frame, hurried=hurried))
            self.index += 1
        return scenes


def test_an_empty_room_is_looked_at_only_now_and_then() -> None:
    filmed = Filmed(Eyes())
    scenes = filmed.show(ROOM, 60)
    assert filmed.eyes.looks == 60 / PROBE_S
    assert not any(scene.moving or scene.tracks for scene in scenes)


def test_where_nothing_has_moved_for_a_minute_it_is_looked_at_less_often_until_something_does() -> None:
    filmed = Filmed(Eyes())
    filmed.show(ROOM, LONG_QUIET_S)
    before = filmed.eyes.looks
    filmed.show(ROOM, 180)
    assert filmed.eyes.looks - before <= 1 + 180 / (LONG_QUIET_PROBES * PROBE_S)
    box = standing_at(0.5, 0.9)
    scenes = filmed.show(room_with(box), 2, detections((box, 0.9)))
    assert any(scene.tracks for scene in scenes)
    filmed.show(ROOM, 10)
    before = filmed.eyes.looks
    filmed.show(ROOM, 45)
    assert filmed.eyes.looks - before >= 4


def test_motion_wakes_the_detector_and_who_stands_still_keeps_it_awake() -> None:
    filmed = Filmed(Eyes())
    filmed.show(ROOM, 5)
    box = standing_at(0.5, 0.9)
    someone = room_with(box)
    scenes = filmed.show(someone, 30, detections((box, 0.9)))
    assert 150 / 3 <= filmed.eyes.looks <= 150 / 2
    assert {track.track_id for scene in scenes for track in scene.tracks} == {1}
    assert seconds(scenes[-1].tracks[0].first_seen_at) == pytest.approx(5.0)
    assert not scenes[-1].moving
    gone = filmed.show(ROOM, 8)
    assert [track.track_id for scene in gone for track in scene.ended] == [1]
    looks = filmed.eyes.looks
    filmed.show(ROOM, 5)
    assert filmed.eyes.looks - looks <= 1


def test_who_goes_as_expected_is_looked_at_every_third_time_and_is_there_in_between() -> None:
    filmed = Filmed(Eyes())
    filmed.show(ROOM, 2)
    scenes, looks = [], []
    for step in range(20):
        box = standing_at(0.3 + 0.01 * step, 0.9)
        before = filmed.eyes.looks
        scenes += filmed.show(room_with(box), 0.2, detections((box, 0.9)))
        looks.append(filmed.eyes.looks - before)
    told = [scene.tracks[0] for scene in scenes if scene.tracks]
    assert len(told) >= 18
    assert {track.track_id for track in told} == {1}
    assert 5 <= sum(looks[5:]) <= 8
    for scene in scenes[6:]:
        (track,) = scene.tracks
        index = round((seconds(scene.at) - 2.0) * 5)
        assert track.box[0] == pytest.approx(standing_at(0.3 + 0.01 * index, 0.9)[0], abs=0.01)
        assert track.last_seen_at == scene.at


def test_who_stops_before_a_zone_opens_nothing_though_he_was_expected_in_it() -> None:
    """Whichever look is the last before he stops: some are followed by moments in which nobody looks."""
    expected = 0
    for steps in range(8, 14):
        stop = 0.3 + 0.01 * steps
        zone = ((stop + 0.004, 0.0), (1.0, 0.0), (1.0, 1.0), (stop + 0.004, 1.0))
        rule = IntrusionRule(IntrusionSettings(kind="intrusion", zone="z"), zone, "c")
        filmed = Filmed(Eyes())
        said: list[Finding] = []
        filmed.show(ROOM, 2)
        for step in range(24):
            box = standing_at(min(0.3 + 0.01 * step, stop), 0.9)
            for scene in filmed.show(room_with(box), 0.2, detections((box, 0.9))):
                said += rule.observe(scene)
                expected += any(contains(zone, foot_point(track.box)) for track in scene.tracks)
        assert said == []
        box = standing_at(stop + 0.05, 0.9)
        for scene in filmed.show(room_with(box), 2, detections((box, 0.9))):
            said += rule.observe(scene)
        assert [finding.state for finding in said] == [IncidentState.OPEN]
    assert expected


def test_who_comes_beside_one_who_goes_as_expected_is_looked_at_at_once() -> None:
    filmed = Filmed(Eyes())
    filmed.show(ROOM, 2)
    known, new = standing_at(0.2, 0.9), standing_at(0.8, 0.9)
    filmed.show(room_with(known), 5, detections((known, 0.9)))
    while not _looks(filmed, known):
        pass
    before = filmed.eyes.looks
    filmed.show(room_with(known, new), 0.2, detections((known, 0.9), (new, 0.9)))
    assert filmed.eyes.looks == before + 1


def test_where_others_wait_who_is_known_is_looked_at_every_third_time_however_he_goes() -> None:
    filmed = Filmed(Eyes())
    filmed.show(ROOM, 2)
    box = standing_at(0.3, 0.9)
    filmed.show(room_with(box), 2, detections((box, 0.9)))
    looks, ids = filmed.eyes.looks, set()
    for step in range(30):
        box = standing_at(0.3 + 0.02 * (step % 2) + 0.01 * step, 0.9)  # never where he is expected
        scenes = filmed.show(room_with(box), 0.2, detections((box, 0.9)), hurried=True)
        ids |= {track.track_id for scene in scenes for track in scene.tracks}
    assert ids == {1}
    assert 9 <= filmed.eyes.looks - looks <= 11
    assert filmed.pipeline.counters.put_off >= 15


def test_where_others_wait_who_is_new_is_looked_at_at_once_and_every_second_time_until_he_counts() -> None:
    filmed = Filmed(Eyes())
    filmed.show(ROOM, 2)
    box, looks = standing_at(0.5, 0.9), []
    for _ in range(3):
        before = filmed.eyes.looks
        filmed.show(room_with(box), 0.2, detections((box, 0.9)), hurried=True)
        looks.append(filmed.eyes.looks - before)
    assert looks == [1, 0, 1]
    assert not filmed.pipeline._tracker.confirming


def test_who_was_not_seen_in_the_last_look_is_not_carried_on() -> None:
    filmed = Filmed(Eyes())
    filmed.show(ROOM, 2)
    box = standing_at(0.5, 0.9)
    filmed.show(room_with(box), 2, detections((box, 0.9)))
    scenes = filmed.show(ROOM, 1.2, detections(), hurried=True)
    assert [len(scene.tracks) for scene in scenes[2:]] == [0] * 4


def _looks(filmed: Filmed, box: Box) -> bool:
    """Show one more picture; whether the detector looked at it, so that it need not look at the next."""
    before = filmed.eyes.looks
    filmed.show(room_with(box), 0.2, detections((box, 0.9)))
    return filmed.eyes.looks > before


def test_without_a_detector_there_is_motion_and_no_track() -> None:
    filmed = Filmed(None)
    filmed.show(ROOM, 2)
    scenes = filmed.show(room_with(standing_at(0.5, 0.9)), 2)
    assert any(scene.moving for scene in scenes)
    assert not any(scene.tracks for scene in scenes)


def test_a_frame_that_is_not_later_is_counted_and_left_out() -> None:
    filmed = Filmed(Eyes())
    filmed.show(ROOM, 2)
    filmed.index -= 5
    filmed.show(ROOM, 0.4)
    assert filmed.pipeline.counters.disordered == 2
    assert filmed.pipeline.counters.frames == 10


def test_a_camera_that_goes_away_ends_what_was_followed() -> None:
    filmed = Filmed(Eyes())
    box = standing_at(0.5, 0.9)
    filmed.show(ROOM, 1)
    filmed.show(room_with(box), 4, detections((box, 0.9)))
    scene = filmed.pipeline.interrupt(at(9))
    assert [seconds(track.last_seen_at) for track in scene.ended] == [pytest.approx(4.8)]
    assert scene.at == at(9)
    assert filmed.pipeline.interrupt(at(0)).at >= at(4.8)


def test_nothing_is_private_before_there_is_a_picture() -> None:
    with pytest.raises(ValueError, match="no frame"):
        Filmed(None).parts()


def test_everyone_is_private_however_unsure() -> None:
    filmed = Filmed(Eyes())
    sure, unsure, car = standing_at(0.2, 0.9), standing_at(0.6, 0.9), standing_at(0.85, 0.9)
    filmed.show(ROOM, 2)
    found = detections((sure, 0.9), (unsure, 0.12))
    filmed.show(room_with(sure, unsure), 2, found)
    parts = filmed.parts()
    assert parts.at == at(3.8)
    for box in (sure, unsure):
        assert any(np.allclose(box, other, atol=0.01) for other in parts.people)
    filmed.show(room_with(car), 1, detections((car, 0.8), label="car"))
    assert any(np.allclose(car, other, atol=0.01) for other in filmed.parts().vehicles)


def test_what_moves_and_has_no_name_is_private() -> None:
    filmed = Filmed(Eyes())
    filmed.show(ROOM, WATCHED_S + 1)
    unknown = (0.6, 0.2, 0.7, 0.8)
    filmed.show(room_with(unknown))
    ((left, top, right, bottom),) = filmed.parts().moving
    assert left <= 0.6
    assert top <= 0.2
    assert right >= 0.7
    assert bottom >= 0.8


def test_until_a_camera_has_been_watched_for_a_while_nothing_of_it_is_shown() -> None:
    filmed = Filmed(Eyes())
    filmed.show(ROOM, 0.2)
    assert filmed.parts().moving == EVERYWHERE
    filmed.show(ROOM, WATCHED_S)
    assert filmed.parts().moving == ()
    filmed.index += 60 * 5  # nobody has seen who came meanwhile
    filmed.show(ROOM, 0.2)
    assert filmed.parts().moving == EVERYWHERE


@pytest.mark.parametrize(("box", "masked"), [(standing_at(0.5, 0.9), True), (standing_at(0.03, 0.9), False)])
def test_who_is_lost_within_the_picture_stays_private_and_who_leaves_it_does_not(box: Box, masked: bool) -> None:
    filmed = Filmed(Eyes())
    filmed.show(ROOM, WATCHED_S)
    filmed.show(room_with(box), 5, detections((box, 0.9)))
    filmed.show(room_with(box), 60)  # he stands there, and the detector has forgotten him
    assert any(np.allclose(box, other, atol=0.01) for other in filmed.parts().people) == masked
    filmed.begin_anew(Eyes())
    filmed.show(room_with(box), 0.2)
    assert any(np.allclose(box, other, atol=0.01) for other in filmed.parts().people) == masked
    filmed.index += round(STILL_MASKED_S * 5)
    filmed.show(room_with(box), 0.2)
    assert filmed.parts().people == ()


def test_without_a_detector_who_stands_still_stays_private() -> None:
    filmed = Filmed(None)
    filmed.show(ROOM, STILL_MASKED_S)
    filmed.show(room_with((0.4, 0.2, 0.5, 0.9)), 60)
    ((left, top, right, bottom),) = filmed.parts().moving
    assert left <= 0.4
    assert top <= 0.2
    assert right >= 0.5
    assert bottom >= 0.88


def test_where_something_moves_or_is_followed_a_part_is_looked_at_and_everything_now_and_then() -> None:
    filmed = Filmed(Eyes(parts=True))
    filmed.show(ROOM, 2)
    box = standing_at(0.2, 0.9)
    filmed.show(room_with(box), 2, detections((box, 0.9)))
    before = len(filmed.eyes.regions)
    filmed.show(room_with(box), 12, detections((box, 0.9)))
    followed = filmed.eyes.regions[before:]
    wholes = sum(region is None for region in followed)
    assert 12 / WHOLE_S - 1 <= wholes <= 12 / WHOLE_S + 1
    assert len(followed) >= 4 * wholes
    for region in followed:
        assert region is None or (region[0] < box[0] and region[2] > box[2] and region[2] < 0.5)
    assert filmed.pipeline.counters.parts == sum(region is not None for region in filmed.eyes.regions)


def test_who_was_seen_beside_the_part_that_is_looked_at_stays_private() -> None:
    filmed = Filmed(Eyes(parts=True))
    mover, bystander = standing_at(0.2, 0.9), standing_at(0.8, 0.9)
    filmed.show(ROOM, 2)
    filmed.show(room_with(mover), 1, detections((mover, 0.9)))
    filmed.show(room_with(mover), WHOLE_S, detections((mover, 0.9), (bystander, 0.12)))
    assert filmed.eyes.regions[-1] is not None
    filmed.show(room_with(mover), 0.2, detections((mover, 0.9)))
    people = filmed.parts().people
    assert any(np.allclose(bystander, other, atol=0.01) for other in people)


def test_what_is_new_makes_a_camera_urgent() -> None:
    filmed = Filmed(Eyes())
    box = standing_at(0.5, 0.9)
    found = []
    for image, duration_s, seen in (
        (ROOM, 2.0, detections()),
        (room_with(box), 0.2, detections()),
        (room_with(box), 0.2, detections((box, 0.9))),
        (room_with(box), 2.0, detections((box, 0.9))),
    ):
        filmed.show(image, duration_s, seen)
        found.append(filmed.pipeline.attention)
    assert found == [Attention.QUIET, Attention.CONFIRMING, Attention.CONFIRMING, Attention.FOLLOWING]


def test_in_a_quiet_scene_the_picture_itself_is_looked_at_once_and_who_stands_there_unsurely_is_private() -> None:
    filmed = Filmed(Eyes())
    still = standing_at(0.5, 0.9)
    filmed.show(room_with(still), 1)
    filmed.show(room_with(still), 5, detections((still, 0.12)))
    looks = filmed.eyes.looks
    for _ in range(2):
        assert any(np.allclose(still, other, atol=0.01) for other in filmed.parts().people)
    assert filmed.eyes.looks == looks + 1 == filmed.pipeline.counters.inferences
    assert not filmed.pipeline.followed
    filmed.show(room_with(still), 20)
    assert filmed.parts().people == ()


def test_who_was_seen_unsurely_by_the_last_look_stays_private_until_the_next() -> None:
    filmed = Filmed(Eyes())
    still = standing_at(0.5, 0.9)
    filmed.show(room_with(still), 0.2, detections((still, 0.12)))
    filmed.show(room_with(still), 5)
    assert any(np.allclose(still, other, atol=0.01) for other in filmed.parts().people)


def test_who_is_new_beside_the_part_that_is_looked_at_is_private_at_once() -> None:
    filmed = Filmed(Eyes(parts=True))
    mover, newcomer = standing_at(0.2, 0.9), standing_at(0.8, 0.9)
    filmed.show(ROOM, 2)
    filmed.show(room_with(mover), WHOLE_S + 1, detections((mover, 0.9)))
    filmed.show(room_with(mover), 0.2, detections((mover, 0.9), (newcomer, 0.3)))
    while filmed.eyes.regions[-1] is None:
        filmed.show(room_with(mover), 0.2, detections((mover, 0.9), (newcomer, 0.3)))
    assert any(np.allclose(newcomer, other, atol=0.01) for other in filmed.parts().people)
    assert filmed.eyes.regions[-1] is None


def test_where_all_of_a_picture_was_looked_at_it_is_not_looked_at_again() -> None:
    filmed = Filmed(Eyes())
    filmed.show(ROOM, 0.2)
    filmed.parts()
    assert filmed.eyes.looks == 1


def test_the_look_for_a_picture_changes_nothing_that_is_found() -> None:
    def told(*, pictures: bool) -> list[Scene]:
        filmed, scenes = Filmed(Eyes(parts=True)), []
        box = standing_at(0.5, 0.9)
        for image, frames, found in ((ROOM, 15, detections()), (room_with(box), 60, detections((box, 0.9)))):
            for _ in range(frames):
                scenes += filmed.show(image, 0.2, found)
                if pictures:
                    filmed.eyes.sees = lambda: detections((standing_at(0.2, 0.9), 0.9))
                    filmed.parts()
        return scenes

    assert told(pictures=True) == told(pictures=False)


EVERYWHERE = ((0.0, 0.0, 1.0, 1.0),)


def lose(filmed: Filmed, people: int) -> list[Box]:
    """So many stand there one after another, and are not seen any more where they stood."""
    boxes = [standing_at(0.2 + 0.6 * number / people, 0.9) for number in range(people)]
    for box in boxes:
        filmed.show(room_with(box), 1.4, detections((box, 0.9)))
        filmed.show(ROOM, 4)
    return boxes


def knows(parts: PrivateParts, box: Box) -> bool:
    return any(np.allclose(box, other, atol=0.01) for other in parts.people)


def test_where_many_were_lost_sight_of_they_are_masked_in_a_film_and_not_everything() -> None:
    filmed = Filmed(Eyes())
    filmed.show(ROOM, WATCHED_S)
    boxes = lose(filmed, MOST_HELD + 4)
    present = standing_at(0.9, 0.9)
    filmed.show(room_with(present), 2, detections((present, 0.9)))
    known = filmed.pipeline.known_parts(filmed.frame.captured_at)
    assert all(knows(known, box) for box in (*boxes, present))
    assert EVERYWHERE[0] not in known.moving
    filmed.begin_anew(Eyes())
    filmed.show(ROOM, 0.2)
    assert all(knows(filmed.parts(), box) for box in (*boxes, present))
    assert EVERYWHERE[0] not in filmed.parts().moving


def test_where_more_were_lost_than_can_be_remembered_everything_is_masked_for_some_minutes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pipeline_module, "MOST_LOST", 2)
    filmed = Filmed(Eyes())
    filmed.show(ROOM, WATCHED_S)
    lose(filmed, 2)
    assert EVERYWHERE[0] not in filmed.parts().moving
    watched = [filmed.pipeline.watched]
    lose(filmed, 1)
    assert EVERYWHERE[0] in filmed.parts().moving
    assert EVERYWHERE[0] in filmed.pipeline.known_parts(filmed.frame.captured_at).moving
    watched.append(filmed.pipeline.watched)
    assert len(filmed.pipeline.memory.lost) == 2
    filmed.index += round(STILL_MASKED_S * 5)
    filmed.show(ROOM, WATCHED_S + 1)
    assert EVERYWHERE[0] not in filmed.parts().moving
    assert [*watched, filmed.pipeline.watched] == [True, False, True]


def test_who_was_there_when_the_camera_went_away_stays_private() -> None:
    filmed = Filmed(Eyes())
    box = standing_at(0.5, 0.9)
    filmed.show(ROOM, WATCHED_S)
    filmed.show(room_with(box), 4, detections((box, 0.9)))
    filmed.pipeline.interrupt(filmed.frame.captured_at)
    assert knows(filmed.pipeline.known_parts(filmed.frame.captured_at), box)
    filmed.index += round((STILL_MASKED_S - 10) * 5)
    filmed.show(room_with(box))  # he stands there, and the detector does not find him any more
    assert knows(filmed.parts(), box)
    filmed.show(room_with(box), 12)
    assert not knows(filmed.parts(), box)


def test_a_film_shows_nothing_until_the_camera_was_watched_for_a_while() -> None:
    filmed = Filmed(Eyes())
    known = filmed.pipeline.known_parts
    assert known(at(0)).moving == EVERYWHERE
    filmed.show(ROOM, WATCHED_S)
    assert known(filmed.frame.captured_at).moving == EVERYWHERE
    watched = filmed.pipeline.watched
    filmed.show(ROOM)
    assert known(filmed.frame.captured_at).moving == ()
    assert (watched, filmed.pipeline.watched) == (False, True)


def test_without_a_detector_the_whole_picture_is_private_until_it_is_known_what_moved() -> None:
    filmed = Filmed(None)
    filmed.show(ROOM, STILL_MASKED_S)
    assert filmed.parts().moving == EVERYWHERE
    filmed.show(ROOM)
    assert filmed.parts().moving == ()
    filmed.index += 5 * 60
    filmed.show(ROOM)
    assert filmed.parts().moving == EVERYWHERE


def test_without_its_detector_a_camera_goes_on_to_mask_whom_it_saw_and_what_moved() -> None:
    filmed = Filmed(Eyes())
    unsure, mover = standing_at(0.2, 0.9), (0.7, 0.2, 0.8, 0.8)
    filmed.show(room_with(unsure), STILL_MASKED_S, detections((unsure, 0.12)))
    filmed.show(room_with(unsure, mover), 20, detections((unsure, 0.12)))
    filmed.begin_anew(None)
    filmed.show(room_with(unsure, mover), 60)
    parts = filmed.parts()
    assert parts.moving != EVERYWHERE
    assert any(np.allclose(unsure, other, atol=0.01) for other in parts.people)
    assert any(
        left <= 0.7 and top <= 0.2 and right >= 0.8 and bottom >= 0.8 for left, top, right, bottom in parts.moving
    )
    filmed.show(room_with(unsure, mover), STILL_MASKED_S)
    assert filmed.parts() == PrivateParts(filmed.frame.captured_at)


def test_whom_a_former_pipeline_followed_stays_private_and_explains_nothing_that_moves() -> None:
    filmed = Filmed(Eyes())
    box = standing_at(0.5, 0.9)
    filmed.show(ROOM, 2)
    filmed.show(room_with(box), 4, detections((box, 0.9)))
    filmed.begin_anew(Eyes())
    filmed.show(room_with(box), 2)
    assert any(np.allclose(box, other, atol=0.01) for other in filmed.parts().people)
    filmed.show(ROOM)
    assert filmed.parts().moving


def test_a_pipeline_that_is_begun_anew_all_the_time_shows_nothing() -> None:
    filmed = Filmed(Eyes())
    box = standing_at(0.5, 0.9)
    for _ in range(MOST_HELD + 1):
        filmed.show(room_with(box), 1, detections((box, 0.9)))
        filmed.begin_anew(Eyes())
    filmed.show(room_with(box), 1)
    assert EVERYWHERE[0] in filmed.parts().moving


# --- places, and who lies ------------------------------------------------------------------------------------------

WATCHING_PLACES = CameraSettings.model_validate(
    {
        "id": "c",
        "url": "c.mp4",
        "zones": {"a": [[0, 0], [1, 0], [1, 1], [0, 1]]},
        "rules": [{"kind": "fallen_person", "zone": "a"}, {"kind": "litter", "zone": "a"}],
    }
)
LYING = standing_at(0.5, 0.8, width=0.3, height=0.15)


def watching_places(eyes: Eyes) -> Filmed:
    filmed = Filmed(eyes)
    filmed.pipeline = CameraPipeline(WATCHING_PLACES, eyes)
    return filmed


def test_rules_on_places_are_told_what_each_look_saw_and_others_nothing() -> None:
    litter = detections((standing_at(0.5, 0.8), 0.8), (standing_at(0.2, 0.8), 0.1), label="litter")
    (scene,) = watching_places(Eyes()).show(ROOM, found=litter)
    assert scene.look is not None
    assert [(each.label, round(each.score, 2)) for each in scene.look.spotted] == [("litter", 0.8)]
    assert scene.look.region is None
    assert Filmed(Eyes()).show(ROOM, found=litter)[0].look is None


def test_a_moment_without_a_look_tells_nothing_of_places() -> None:
    scenes = watching_places(Eyes()).show(ROOM, 4.0)
    assert [scene.look is not None for scene in scenes] == [True, *[False] * 19]


def test_what_has_a_place_is_not_followed() -> None:
    filmed = watching_places(Eyes())
    scenes = filmed.show(ROOM, 20.0, detections((standing_at(0.5, 0.8), 0.9), label="litter"))
    assert not any(scene.tracks for scene in scenes)
    assert filmed.pipeline.attention is Attention.QUIET


def test_who_lies_still_and_is_seen_unsurely_is_looked_at_every_second() -> None:
    filmed = watching_places(Eyes())
    scenes = filmed.show(ROOM, 20.0, detections((LYING, 0.4), label="fallen_person"))
    assert sum(scene.look is not None for scene in scenes) in {20, 21}
    assert filmed.pipeline.followed
    filmed.show(ROOM, 60.0)
    assert not filmed.pipeline.followed


def test_who_lies_is_one_person_with_who_stood_there() -> None:
    filmed = watching_places(Eyes())
    filmed.show(ROOM, 1.0)
    scenes = filmed.show(room_with(LYING), 4.0, detections((LYING, 0.9)))
    scenes += filmed.show(room_with(LYING), 4.0, detections((LYING, 0.9), label="fallen_person"))
    assert len({track.track_id for scene in scenes for track in scene.tracks}) == 1


def test_who_lies_is_masked_as_a_whole_and_still_is_when_the_next_look_calls_him_a_person() -> None:
    filmed = watching_places(Eyes())
    filmed.show(ROOM, WATCHED_S + 2)
    filmed.show(ROOM, 2.0, detections((LYING, 0.9), label="fallen_person"))
    parts = filmed.parts()
    assert any(np.allclose(box, LYING, atol=0.01) for box in parts.moving)
    assert any(np.allclose(box, LYING, atol=0.01) for box in parts.people)
    filmed.show(ROOM, 2.0, detections((LYING, 0.9)))
    assert any(np.allclose(box, LYING, atol=0.01) for box in filmed.parts().moving)


class OwnEyes(Eyes):
    """Those of a model that tells a rider and what he rides as one."""

    labels = ("person", "two_wheeler")


@pytest.mark.parametrize(("eyes", "label", "hidden"), [(OwnEyes, "two_wheeler", True), (Eyes, "bicycle", False)])
def test_a_rider_is_somebody_where_the_model_tells_him_with_what_he_rides(
    eyes: type[Eyes], label: str, hidden: bool
) -> None:
    filmed = Filmed(eyes())
    filmed.show(ROOM, WATCHED_S + 2)
    ridden = standing_at(0.5, 0.8, width=0.2)
    filmed.show(room_with(ridden), 4.0, detections((ridden, 0.9), label=label))
    parts = filmed.parts()
    assert any(np.allclose(box, ridden, atol=0.01) for box in parts.vehicles)
    assert any(np.allclose(box, ridden, atol=0.01) for box in parts.people) is hidden
    filmed.show(ROOM, 12.0)
    kept = [box for each in filmed.pipeline._lost for box in each.people]
    assert any(np.allclose(box, ridden, atol=0.01) for box in kept) is hidden
