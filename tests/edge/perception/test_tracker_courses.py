"""The tracker against made courses: flicker, gaps, occlusion, people who cross; how many tracks they leave."""

from collections.abc import Callable
from random import Random

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from edge.flow import Box
from edge.perception.motion import Motion
from edge.perception.tracker import Tracker
from tests.fakes.scenes import at, detections, standing_at

HERTZ = st.sampled_from([3.0, 5.0, 10.0])
Course = Callable[[float], Box | None]


def followed(
    courses: list[Course],
    duration_s: float,
    hertz: float,
    *,
    missed: Callable[[int, int], bool] = lambda _frame, _who: False,
    score: Callable[[int, int], float] = lambda _frame, _who: 0.8,
    motion: Motion | None = None,
) -> tuple[set[int], int]:
    """The ids of the tracks that were told of, and how many of them have ended before the end."""
    tracker, ids, ended = Tracker(), set[int](), 0
    for frame in range(round(duration_s * hertz)):
        found = []
        for who, course in enumerate(courses):
            box = course(frame / hertz)
            if box is not None and not missed(frame, who):
                found.append((box, score(frame, who)))
        step = tracker.update(at(frame / hertz), detections(*found), motion)
        ids |= {track.track_id for track in step.seen}
        ended += len(step.ended)
    return ids, ended


@hypothesis_settings(deadline=None, max_examples=15)
@given(HERTZ, st.floats(0.0, 0.45), st.randoms(use_true_random=False))
def test_who_stands_is_one_track_however_often_he_flickers(hertz: float, share: float, chance: Random) -> None:
    """Up to nearly half of all sights are missed; three seconds without any come once in a thousand."""
    rolls = [chance.random() for _ in range(round(20 * hertz))]
    gaps = [rolls[index] < share for index in range(len(rolls))]
    for index in range(len(gaps)):  # what is waited for is three seconds: a longer gap is another matter
        if all(gaps[max(index - round(2.4 * hertz), 0) : index + 1]):
            gaps[index] = False
    place = standing_at(0.5, 0.8)
    ids, ended = followed([lambda _: place], 20, hertz, missed=lambda frame, _: gaps[frame])
    assert (len(ids), ended) == (1, 0)


@hypothesis_settings(deadline=None, max_examples=15)
@given(HERTZ, st.floats(0.05, 0.2), st.floats(0.55, 0.9), st.floats(0.6, 0.9))
def test_two_who_cross_are_two_and_neither_is_lost(hertz: float, speed: float, y: float, other_y: float) -> None:
    """They walk towards each other on different lines, the one behind hidden while they pass."""

    def one(second: float) -> Box:
        return standing_at(0.15 + speed * second, y, width=0.08)

    def other(second: float) -> Box | None:
        box = standing_at(0.85 - speed * second, other_y, width=0.08)
        hidden = other_y < y and abs((box[0] + box[2]) / 2 - (0.15 + speed * second)) < 0.04
        return None if hidden else box

    if abs(y - other_y) < 0.1:
        return
    ids, ended = followed([one, other], 0.7 / speed, hertz)
    assert (len(ids), ended) == (2, 0)


@hypothesis_settings(deadline=None, max_examples=15)
@given(HERTZ, st.floats(0.05, 0.15), st.floats(0.05, 0.12))
def test_who_passes_behind_a_pillar_is_one(hertz: float, speed: float, pillar: float) -> None:
    """Hidden for as long as the pillar and his speed make it, up to the time for which he is waited for."""

    def course(second: float) -> Box | None:
        x = 0.1 + speed * second
        return None if abs(x - 0.5) < pillar / 2 else standing_at(x, 0.8)

    ids, ended = followed([course], 0.8 / speed, hertz)
    assert (len(ids), ended) == (1, 0)


@hypothesis_settings(deadline=None, max_examples=15)
@given(HERTZ, st.lists(st.tuples(st.floats(0.1, 0.9), st.floats(0.4, 0.95)), min_size=60, max_size=60))
def test_what_a_detector_sees_for_one_picture_at_a_time_is_nothing(
    hertz: float, places: list[tuple[float, float]]
) -> None:
    def course(second: float) -> Box | None:
        frame = round(second * hertz)
        x, y = places[frame % 60]
        return standing_at(x, y, width=0.05, height=0.1) if frame % round(2 * hertz) == 0 else None

    ids, _ = followed([course], 20, hertz)
    assert ids == set()
