"""How long a stream without pictures is borne with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import MediaUnusable, SourceSilent
from edge.video.patience import DOUBT_S, LIVE_PATIENCE_S, UNSEEN_S, Hope


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def given_up_after_s(hope: Hope, clock: Clock, *, step_s: float) -> float:
    """So long packets come without a picture until it is given up."""
    began_s = clock.now_s
    while clock.now_s < began_s + 60.0:
        try:
            hope.barren()
        except SourceSilent:
            break
        clock.now_s += step_s
    return clock.now_s - began_s


def test_before_the_first_picture_a_key_frame_is_waited_for() -> None:
    clock = Clock()
    assert given_up_after_s(Hope(live=True, monotonic_s=clock), clock, step_s=0.1) == pytest.approx(
        LIVE_PATIENCE_S, abs=0.3
    )


def test_a_stream_that_showed_pictures_and_is_decoded_in_vain_is_given_up_soon() -> None:
    """As when the camera goes on in another codec."""
    clock = Clock()
    hope = Hope(live=True, monotonic_s=clock)
    hope.fulfilled()
    assert given_up_after_s(hope, clock, step_s=0.1) == pytest.approx(DOUBT_S, abs=0.3)


def test_behind_a_gate_the_time_since_the_last_picture_counts() -> None:
    clock = Clock()
    hope = Hope(live=True, monotonic_s=clock)
    hope.fulfilled()
    clock.now_s += UNSEEN_S - 1.0  # nothing was tried
    assert given_up_after_s(hope, clock, step_s=0.1) == pytest.approx(1.0, abs=0.3)


@given(st.lists(st.tuples(st.floats(0.0, DOUBT_S - 0.1), st.booleans()), max_size=40))
def test_pictures_now_and_then_are_enough(steps: list[tuple[float, bool]]) -> None:
    """Whatever comes between them, a picture is never longer away than one doubts."""
    clock = Clock()
    hope = Hope(live=True, monotonic_s=clock)
    for wait_s, barren in steps:
        clock.now_s += wait_s
        if barren:
            hope.barren()
        hope.fulfilled()


def test_packets_of_another_stream_are_no_doubt_of_this_one() -> None:
    clock = Clock()
    hope = Hope(live=True, monotonic_s=clock)
    hope.fulfilled()
    clock.now_s += UNSEEN_S + 1.0
    hope.strange()
    clock.now_s += LIVE_PATIENCE_S
    with pytest.raises(SourceSilent):
        hope.strange()


def test_a_file_is_given_up_by_what_it_holds_and_never_by_time() -> None:
    clock = Clock()
    hope = Hope(live=False, monotonic_s=clock)
    for _ in range(1_000):
        clock.now_s += 60.0
        hope.barren()
    with pytest.raises(MediaUnusable, match="without a picture"):
        hope.barren()
