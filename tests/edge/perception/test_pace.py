import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.perception.pace import WINDOW_S, Pace, PaceFigures, percentile


def test_looks_of_the_last_ten_seconds_count() -> None:
    pace = Pace()
    for number in range(200):
        pace.note(number / 5, age_s=0.1 if number < 100 else 0.3, waited_s=0.01)
    figures = pace.figures(199 / 5)
    assert figures.analysed_hz == pytest.approx(5.0, abs=0.2)
    assert (figures.age_s, figures.age_p95_s, figures.wait_p95_s) == (0.3, 0.3, 0.01)


def test_a_camera_that_is_away_is_not_analysed() -> None:
    pace = Pace()
    assert pace.figures(0) == PaceFigures()
    pace.note(1, age_s=0.1, waited_s=0)
    assert pace.figures(1 + WINDOW_S + 0.1) == PaceFigures()


def test_a_frame_from_the_future_is_new() -> None:
    pace = Pace()
    pace.note(1, age_s=-5, waited_s=0)
    assert pace.figures(1).age_s == 0


@given(st.lists(st.floats(0, 10), min_size=1), st.floats(0.01, 1))
def test_a_percentile_is_a_value_that_so_many_do_not_exceed(values: list[float], share: float) -> None:
    found = percentile(sorted(values), share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
