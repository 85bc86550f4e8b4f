from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from edge.sources.timing import AnalysisGrid, EventClock, PacketClock
from tests.fakes.scenes import at, seconds


def test_ten_frames_a_second_at_five_hertz_is_every_second_one() -> None:
    grid = AnalysisGrid(5)
    assert [index for index in range(20) if grid.takes(index / 10)] == list(range(0, 20, 2))


@pytest.mark.parametrize("rate", [8, 10, 12.5, 15, 23.976, 25, 30])
def test_the_first_frame_of_each_period_is_taken(rate: float) -> None:
    grid = AnalysisGrid(5)
    taken = [index / rate for index in range(int(60 * rate)) if grid.takes(index / rate)]
    assert len(taken) == 300
    assert all(slot / 5 - 1e-3 <= time_s < slot / 5 + 1 / rate for slot, time_s in enumerate(taken))


def test_a_slow_camera_is_taken_whole() -> None:
    grid = AnalysisGrid(5)
    assert all(grid.takes(index / 2) for index in range(20))


def test_event_time_is_the_streams_and_not_that_of_arrival() -> None:
    clock = EventClock()
    arrivals = [0.0, 0.5, 0.5, 0.5, 0.52, 0.6, 0.7]
    times = [clock.time_of(100 + index / 10, at(arrived_s)) for index, arrived_s in enumerate(arrivals)]
    assert [seconds(time.captured_at) for time in times] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    assert [time.media_s for time in times] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    assert clock.anchored == 1


def test_a_burst_at_the_start_is_not_taken_for_the_future() -> None:
    clock = EventClock()
    for index in range(20):
        time = clock.time_of(index / 10, at(index / 1000))
        assert time.captured_at <= at(index / 1000)
    for index in range(20, 60):
        time = clock.time_of(index / 10, at((index - 19) / 10 + 0.019))
        assert seconds(time.captured_at) == pytest.approx((index - 19) / 10 + 0.019, abs=0.002)
    assert time.media_s == pytest.approx(5.9)


@pytest.mark.parametrize("jump_s", [-50.0, -0.2, 7.0, 86_400.0])
def test_a_jump_of_the_streams_clock_is_bridged_by_arrival(jump_s: float) -> None:
    clock = EventClock()
    for index in range(50):
        before = clock.time_of(index / 10, at(index / 10))
    for index in range(50, 100):
        after = clock.time_of(index / 10 + jump_s, at(index / 10))
        assert seconds(after.captured_at) == pytest.approx(index / 10, abs=0.01)
        assert after.media_s > before.media_s
        before = after


@pytest.mark.parametrize("pace", [0.98, 1.02])
def test_drift_is_followed(pace: float) -> None:
    clock = EventClock()
    for index in range(20_000):
        now_s = index / 10
        time = clock.time_of(now_s * pace, at(now_s))
    assert abs(seconds(time.captured_at) - now_s) < 1.5


def test_a_stall_is_no_drift() -> None:
    clock = EventClock()
    for index in range(600):
        stalled = 100 <= index < 120
        clock.time_of(index / 10, at(12.0 if stalled else index / 10))
    assert clock.anchored == 1


def test_a_stream_without_times_goes_by_arrival() -> None:
    clock = EventClock()
    times = [clock.time_of(None, at(index / 10)) for index in range(10)]
    assert [seconds(time.captured_at) for time in times] == pytest.approx([index / 10 for index in range(10)])
    assert times[-1].media_s == pytest.approx(0.9)


def test_a_step_too_small_to_count_is_none() -> None:
    clock = EventClock()
    times = [clock.time_of(pts_s, at(0.0)).media_s for pts_s in (None, 0.0, 1e-67, 2e-67)]
    assert times == sorted(set(times))


def test_the_first_frame_may_have_no_time() -> None:
    clock = EventClock()
    times = [clock.time_of(None if index == 0 else index / 10, at(index / 10)) for index in range(10)]
    assert [seconds(time.captured_at) for time in times] == pytest.approx([index / 10 for index in range(10)])


def test_the_next_connection_is_later_than_the_last_one() -> None:
    clock = EventClock(not_before=at(10))
    assert clock.time_of(0.0, at(9)).captured_at > at(10)
    assert clock.time_of(5.0, at(14)).captured_at == at(14)


def test_while_the_wall_clock_is_behind_durations_stay_right() -> None:
    clock = EventClock()
    for index in range(50):
        clock.time_of(index / 10, at(index / 10))
    set_back = [clock.time_of(index / 10, at(index / 10 - 3600)) for index in range(50, 100)]
    assert (set_back[-1].captured_at - set_back[0].captured_at).total_seconds() == pytest.approx(4.9, abs=0.01)


STEPS = st.tuples(st.one_of(st.none(), st.floats(-20, 20)), st.floats(-10, 10))


@hypothesis_settings(deadline=None)
@given(st.lists(STEPS, min_size=1, max_size=60))
def test_event_time_and_media_time_never_run_back(steps: list[tuple[float | None, float]]) -> None:
    clock, grid = EventClock(), AnalysisGrid(5)
    pts_s, arrived_s = 0.0, 100.0
    last_at, last_media_s = at(-1_000_000), -1.0
    for pts_step_s, arrival_step_s in steps:
        pts_s += pts_step_s or 0.0
        arrived_s += arrival_step_s
        time = clock.time_of(None if pts_step_s is None else pts_s, at(arrived_s))
        assert time.captured_at > last_at
        assert time.media_s > last_media_s
        assert time.captured_at <= at(arrived_s) + timedelta(seconds=700)
        grid.takes(time.media_s)
        last_at, last_media_s = time.captured_at, time.media_s


def test_a_stream_whose_first_packet_has_no_time_begins_with_it_all_the_same() -> None:
    """As libav tells an RTSP stream with B frames: the key frame without a time, then those that are shown after others first."""
    clock = PacketClock(EventClock())
    times = [clock.time_of(pts_s, at(0.0)) for pts_s in (None, 0.4, 0.1, 0.2, 0.3, 0.8)]
    assert [round(each.media_s, 6) for each in times] == [0.0, 0.4, 0.1, 0.2, 0.3, 0.8]


def test_a_stream_clock_that_did_not_begin_at_nought_is_counted_from_arrival() -> None:
    clock = PacketClock(EventClock())
    times = [clock.time_of(pts_s, at(wall_s)) for pts_s, wall_s in ((None, 0.0), (77.4, 0.1), (77.5, 0.2))]
    assert [round(each.media_s, 6) for each in times] == [0.0, 0.1, 0.2]
