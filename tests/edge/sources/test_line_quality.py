import itertools
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from edge.flow import Reading
from edge.settings import LeasedLineSettings, StateSettings
from edge.sources.line_quality import LineQuality, Outcome

START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


def line(**more: object) -> LeasedLineSettings:
    return LeasedLineSettings.model_validate(
        {"id": "line-1", "target": "192.0.2.1", "port": 80, "period_s": 5, "report_s": 30, "window": 10, **more}
    )


def told(latencies_ms: list[float | None], **more: object) -> list[Reading]:
    quality, found = LineQuality(line(**more)), list[Reading]()
    for index, latency_ms in enumerate(latencies_ms):
        at = START + timedelta(seconds=5 * index)
        found += quality.take(Outcome(at, at + timedelta(milliseconds=latency_ms or 2_000), latency_ms))
    return found


def states(readings: list[Reading]) -> list[float | str]:
    return [reading.value for reading in readings if reading.point == "reachable"]


def numbers(readings: list[Reading], point: str) -> list[float | str]:
    return [reading.value for reading in readings if reading.point == point]


def test_the_first_answer_is_believed_and_silence_is_not_at_once() -> None:
    assert states(told([7.0])) == ["up"]
    assert states(told([None, None])) == []
    assert states(told([None, None, None])) == ["down"]
    assert states(told([None, None, 7.0])) == ["up"]


def test_single_losses_do_not_make_a_line_go_up_and_down() -> None:
    assert states(told([5.0, None, None, 5.0, None, None, 5.0])) == ["up"]
    assert states(told([5.0, None, None, None, 5.0, None, 5.0, 5.0])) == ["up", "down", "up"]


def test_loss_and_median_latency_are_told_now_and_then_and_with_each_change() -> None:
    readings = told([10.0, 30.0, 20.0, None, 40.0, 50.0, 60.0])
    assert numbers(readings, "loss_pct") == [0.0, 14.3]
    assert numbers(readings, "latency_ms") == [10.0, 40.0]


def test_without_an_answer_there_is_a_loss_and_no_latency() -> None:
    readings = told([None, None, None])
    assert numbers(readings, "loss_pct") == [100.0, 100.0]
    assert numbers(readings, "latency_ms") == []


@given(st.lists(st.none() | st.floats(0.01, 2_000), max_size=200), st.integers(1, 5), st.integers(1, 5))
def test_states_alternate_and_each_change_stands_on_its_row(
    latencies_ms: list[float | None], lost_after: int, back_after: int
) -> None:
    quality = LineQuality(line(lost_after=lost_after, back_after=back_after))
    seen: list[bool] = []
    changes: list[str] = []
    for index, latency_ms in enumerate(latencies_ms):
        at = START + timedelta(seconds=5 * index)
        seen.append(latency_ms is not None)
        readings = quality.take(Outcome(at, at, latency_ms))
        for reading in readings:
            if reading.point == "reachable":
                row = lost_after if reading.value == "down" else back_after if changes else 1
                assert seen[-row:] == [reading.value == "up"] * row
                changes.append(str(reading.value))
            if reading.point == "loss_pct":
                window = seen[-10:]
                assert reading.value == round(100 * window.count(False) / len(window), 1)
        assert len(readings) <= 3
    assert all(one != other for one, other in itertools.pairwise(changes))


@given(st.lists(st.none() | st.floats(0.01, 2_000), max_size=60), st.integers(2, 20))
def test_other_limits_change_nothing_that_is_known(latencies_ms: list[float | None], window: int) -> None:
    quality = LineQuality(line())
    for index, latency_ms in enumerate(latencies_ms):
        at = START + timedelta(seconds=5 * index)
        quality.take(Outcome(at, at, latency_ms))
    before = quality.state
    quality.adopt(line(window=window, lost_after=7))
    assert quality.state == before


def test_what_holds_without_rules_is_for_the_maintenance_staff() -> None:
    lost, loss = line().standing_rules
    assert isinstance(lost, StateSettings)
    assert (lost.incident_kind, lost.category, loss.category) == ("line_lost", "maintenance", "maintenance")
