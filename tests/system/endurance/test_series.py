import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.system.endurance.series import Judgement, Kind, Level, Series, judge, windows

FLAT = Kind("bytes", "nothing is kept")


def series(values: list[float], *, step_s: float = 60.0, kind: Kind = FLAT) -> Series:
    made = Series(kind)
    for number, value in enumerate(values):
        made.add(number * step_s, value)
    return made


@given(level=st.floats(1, 1e9), noise=st.lists(st.floats(-0.02, 0.02), min_size=60, max_size=60))
def test_a_level_that_trembles_is_flat(level: float, noise: list[float]) -> None:
    assert judge(series([level * (1 + share) for share in noise])).passed


@given(level=st.floats(1, 1e9), share_per_hour=st.floats(0.1, 5))
def test_whatever_grows_steadily_by_a_tenth_an_hour_is_found(level: float, share_per_hour: float) -> None:
    verdict = judge(series([level * (1 + share_per_hour * minute / 60) for minute in range(60)]))
    assert not verdict.passed
    assert verdict.growth is not None
    assert verdict.growth > 0.05


def test_warming_up_belongs_to_the_first_ten_minutes() -> None:
    assert judge(series([50.0 + 5 * minute for minute in range(10)] + [96.0] * 50)).passed
    assert not judge(series([50.0 + 5 * minute for minute in range(20)] + [146.0] * 40)).passed


def test_a_leak_does_not_hide_below_the_peak_of_the_start() -> None:
    verdict = judge(series([300.0] + [100.0 + 2 * minute for minute in range(59)]))
    assert not verdict.passed
    assert "to the last" in verdict.reason


def test_one_peak_later_on_decides_nothing() -> None:
    values = [100.0] * 60
    values[35] = 180.0
    verdict = judge(series(values))
    assert verdict.passed
    assert verdict.highest == 180.0


def test_one_descriptor_more_is_no_growth_and_two_of_twenty_are() -> None:
    counts = Kind("descriptors", "they are closed", step=1.0)
    assert judge(series([15.0] * 20 + [16.0] * 40, kind=counts)).passed
    assert not judge(series([15.0] * 20 + [17.0] * 40, kind=counts)).passed
    assert not judge(series([15.0] * 20 + [16.0] * 40, kind=FLAT)).passed


def sawtooth(*, phase_s: float = 0.0, share_later: float = 0.0, kind: Kind) -> Series:
    """An hour, every twenty seconds, of what is filled for ten minutes and emptied then; by so much more after half an hour."""
    values = [
        1_000.0 * ((at_s + phase_s) % 600.0) / 600.0 * (1.0 + (share_later if at_s >= 1_800.0 else 0.0))
        for at_s in range(0, 3_600, 20)
    ]
    return series(values, step_s=20.0, kind=kind)


PRUNED = Kind("rows", "pruned every ten minutes", level=Level.PEAK)


@given(phase_s=st.floats(0, 600))
def test_a_sawtooth_is_flat_whenever_it_is_looked_at(phase_s: float) -> None:
    assert judge(sawtooth(phase_s=phase_s, kind=PRUNED)).passed


@given(phase_s=st.floats(0, 600), share=st.floats(0.1, 3))
def test_a_sawtooth_whose_teeth_grow_is_none(phase_s: float, share: float) -> None:
    assert not judge(sawtooth(phase_s=phase_s, share_later=share, kind=PRUNED)).passed


@pytest.mark.parametrize("level", list(Level))
def test_six_percent_more_are_found_and_four_are_not(level: Level) -> None:
    kind = Kind("bytes", "nothing is kept", level=level)
    assert not judge(series([100.0] * 20 + [106.0] * 40, kind=kind)).passed
    assert not judge(series([300.0] + [100.0] * 29 + [106.0] * 30, kind=kind)).passed
    assert judge(series([100.0] * 20 + [104.0] * 40, kind=kind)).passed
    teeth = [100.0 - 10 * (minute % 10) for minute in range(60)]
    grown = [value * (1.06 if minute >= 30 else 1.0) for minute, value in enumerate(teeth)]
    assert judge(series(teeth, kind=kind)).passed
    assert not judge(series(grown, kind=kind)).passed


def test_what_opens_and_closes_counts_by_what_it_mostly_reaches() -> None:
    kind = Kind("threads", "those of a decoder", step=1.0, level=Level.HIGH)
    trembling = [19.0, 22.0, 19.0, 21.0, 19.0] * 6 + [22.0, 21.0, 22.0, 19.0, 22.0] * 6
    assert judge(series(trembling, kind=kind)).passed
    assert not judge(series([*trembling[:30], *(value + 2 for value in trembling[30:])], kind=kind)).passed
    once = [19.0] * 35 + [30.0] + [19.0] * 24
    assert judge(series(once, kind=kind)).passed


def test_what_is_pruned_after_a_time_settles_in_that_time() -> None:
    pruned = Kind("bytes", "pruned after half an hour", settled_s=1_800.0)
    rising = [min(30.0, minute) for minute in range(60)]
    assert judge(series(rising, kind=pruned)).passed
    assert not judge(series(rising)).passed
    assert not judge(series([float(minute) for minute in range(60)], kind=pruned)).passed
    assert not judge(series(rising[:35], kind=pruned)).passed


def test_falling_is_flat() -> None:
    assert judge(series([100.0 - minute for minute in range(60)])).passed


def test_what_was_nothing_must_stay_nothing() -> None:
    assert judge(series([0.0] * 60)).passed
    assert not judge(series([0.0] * 10 + [1.0] * 50)).passed


def test_a_quota_is_never_passed() -> None:
    quota = Kind("bytes", "the quota", Judgement.CAPPED, limit=100.0)
    assert judge(series([float(minute) for minute in range(60)], kind=quota)).passed
    assert not judge(series([50.0] * 59 + [101.0], kind=quota)).passed


def test_what_has_to_be_kept_is_told_and_not_judged() -> None:
    verdict = judge(series([float(minute) for minute in range(60)], kind=Kind("bytes", "kept", Judgement.GROWS)))
    assert verdict.passed
    assert verdict.highest == 59.0


def test_too_short_a_run_proves_nothing() -> None:
    assert not judge(series([1.0] * 15)).passed
    assert not judge(Series(FLAT)).passed


def test_a_short_rest_belongs_to_the_window_before() -> None:
    assert [len(piece) for piece in windows(series([1.0] * 33))] == [10, 10, 13]
    assert [len(piece) for piece in windows(series([1.0] * 36))] == [10, 10, 10, 6]


def test_a_limit_belongs_to_a_quota_alone() -> None:
    with pytest.raises(ValueError, match="limit"):
        Kind("bytes", "the quota", Judgement.CAPPED)
    with pytest.raises(ValueError, match="limit"):
        Kind("bytes", "none", limit=1.0)
