from bisect import bisect_left, bisect_right
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.perception.scheduler import Attention, FairSchedule

HERTZ = st.sampled_from((1.0, 2.0, 5.0, 10.0, 25.0))
WORK_S = st.floats(0.001, 0.5)


@dataclass
class Camera:
    """One that asks again as soon as its turn is over and its next frame has come."""

    name: str
    period_s: float
    work_s: float
    attention: Attention
    ready_s: float = 0.0


@dataclass(frozen=True)
class Given:
    """A turn: whose, when it was asked for, began and ended."""

    camera: str
    asked_s: float
    began_s: float
    ended_s: float


def play(cameras: list[Camera], places: int, until_s: float) -> list[Given]:
    """A machine with so many cores, in steps from one end of a turn, or arrival of a frame, to the next."""
    schedule, given, now_s = FairSchedule(places, overdue_s=1e9), list[Given](), 0.0
    by_name = {camera.name: camera for camera in cameras}
    asked: dict[str, float] = {}
    running: dict[str, Given] = {}
    while now_s < until_s:
        for name, turn in list(running.items()):
            if turn.ended_s <= now_s:
                schedule.done(name)
                del running[name]
        for camera in cameras:
            if camera.ready_s <= now_s and camera.name not in asked and camera.name not in running:
                asked[camera.name] = now_s
                schedule.ask(camera.name, period_s=camera.period_s, attention=camera.attention)
        while (chosen := schedule.next(now_s)) is not None:
            camera = by_name[chosen]
            turn = Given(chosen, asked.pop(chosen), now_s, now_s + camera.work_s)
            running[chosen] = turn
            given.append(turn)
            camera.ready_s = max(now_s + camera.period_s, turn.ended_s)
        assert len(running) <= places
        assert not asked or len(running) == places, "a core rests while somebody waits"
        moments = [turn.ended_s for turn in running.values()]
        moments += [camera.ready_s for camera in cameras if camera.name not in running and camera.name not in asked]
        now_s = max(min(moments), now_s)
    return given


@st.composite
def stations(draw: st.DrawFn) -> list[Camera]:
    count = draw(st.integers(1, 12))
    return [
        Camera(f"c{index}", 1 / draw(HERTZ), draw(WORK_S), draw(st.sampled_from(Attention))) for index in range(count)
    ]


@given(stations(), st.integers(1, 4))
def test_nobody_starves(cameras: list[Camera], places: int) -> None:
    """While one waits each other camera gets no more turns than fall into one and a half of its periods, and two."""
    turns = play(cameras, places, 5.0)
    periods_s = {camera.name: camera.period_s for camera in cameras}
    begun_s = {camera.name: [turn.began_s for turn in turns if turn.camera == camera.name] for camera in cameras}
    for turn in turns:
        for name, moments in begun_s.items():
            meanwhile = bisect_left(moments, turn.began_s) - bisect_right(moments, turn.asked_s)
            assert name == turn.camera or meanwhile <= 1.5 * periods_s[turn.camera] / periods_s[name] + 2


@given(st.integers(2, 10), st.integers(1, 3), WORK_S, st.lists(st.sampled_from(Attention), min_size=10, max_size=10))
def test_under_overload_all_slow_evenly(count: int, places: int, work_s: float, attentions: list[Attention]) -> None:
    """Equal cameras get equally many turns, however many there are and whatever they are in the middle of."""
    cameras = [Camera(f"c{index}", 0.001, work_s, attentions[index]) for index in range(count)]
    turns = play(cameras, places, 50 * work_s)
    counts = [sum(turn.camera == camera.name for turn in turns) for camera in cameras]
    assert max(counts) - min(counts) <= 2 or count <= places


@given(st.lists(st.tuples(HERTZ, st.sampled_from(Attention)), min_size=2, max_size=8))
def test_cameras_of_different_rates_slow_by_the_same_factor(cameras: list[tuple[float, Attention]]) -> None:
    schedule, had_s = FairSchedule(1), [0.0] * len(cameras)
    for turn in range(300):
        for number, (hertz, attention) in enumerate(cameras):
            schedule.ask(str(number), period_s=1 / hertz, attention=attention)
        name = schedule.next(turn)
        assert name is not None
        schedule.done(name)
        had_s[int(name)] += 1 / cameras[int(name)][0]
    longest_s = max(1 / hertz for hertz, _ in cameras)
    assert max(had_s) - min(had_s) <= 2 * longest_s + 1e-6


def test_what_is_new_goes_first_where_there_is_nearly_enough_for_all() -> None:
    schedule = FairSchedule(1)
    for name in ("followed", "new"):
        schedule.ask(name, period_s=0.2, attention=Attention.FOLLOWING)
    for now_s in (0.0, 0.01):
        chosen = schedule.next(now_s)
        assert chosen is not None
        schedule.done(chosen)
    schedule.ask("followed", period_s=0.2, attention=Attention.FOLLOWING)
    schedule.ask("new", period_s=0.2, attention=Attention.CONFIRMING)
    assert schedule.next(0.2) == "new"


def test_who_was_away_neither_saved_turns_up_nor_is_passed_over() -> None:
    schedule = FairSchedule(1)
    names = []
    for turn in range(120):
        for name in ("steady", "other", *(("back",) if turn >= 100 else ())):
            schedule.ask(name, period_s=0.2, attention=Attention.FOLLOWING)
        chosen = schedule.next(turn)
        assert chosen is not None
        schedule.done(chosen)
        names.append(chosen)
    assert "back" in names[100:103]
    assert 6 <= names[100:].count("back") <= 8


def test_a_place_that_hangs_keeps_nobody_from_theirs() -> None:
    schedule = FairSchedule(1, overdue_s=3.0)
    for name in ("hanging", "other"):
        schedule.ask(name, period_s=0.2, attention=Attention.QUIET)
    assert schedule.next(0) == "hanging"
    assert schedule.next(2.9) is None
    assert schedule.next(3.0) == "other"
    schedule.done("hanging")
    assert schedule.busy == 1


def test_who_waits_no_longer_gets_no_turn() -> None:
    schedule = FairSchedule(2)
    schedule.ask("a", period_s=0.2, attention=Attention.QUIET)
    schedule.ask("a", period_s=0.2, attention=Attention.CONFIRMING)
    assert schedule.waiting == 1
    schedule.withdraw("a")
    assert schedule.next(1) is None


def test_somebody_must_have_a_turn() -> None:
    with pytest.raises(ValueError, match="somebody"):
        FairSchedule(0)
