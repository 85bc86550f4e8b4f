"""Losses of a camera by the hour: whatever happens, the last hour counts and memory is bounded."""

from hypothesis import given
from hypothesis import strategies as st

from edge.contract.health import CAMERAS_TOLD
from edge.node.steadiness import HOUR_S, Steadiness, SteadinessFigures, links_of

STEPS = st.lists(st.tuples(st.floats(0.5, 900.0), st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=200)


def test_nothing_is_known_at_first() -> None:
    assert Steadiness().figures == SteadinessFigures()


@given(STEPS)
def test_what_the_last_hour_brought_is_told_to_a_minute(steps: list[tuple[float, int, int]]) -> None:
    found, now_s, reconnects, stalls = Steadiness(), 0.0, 0, 0
    told = [(0.0, 0)]
    found.note(now_s, reconnects=0, stalls=0)
    for step_s, more, still in steps:
        now_s, reconnects, stalls = now_s + step_s, reconnects + more, stalls + still
        found.note(now_s, reconnects=reconnects, stalls=stalls)
        told.append((now_s, reconnects))
        longest = max(total for at_s, total in told if at_s <= max(0.0, now_s - HOUR_S))
        widest = max([total for at_s, total in told if at_s <= max(0.0, now_s - HOUR_S - 60.0 - 900.0)], default=0)
        assert reconnects - longest <= found.figures.reconnects_per_hour <= reconnects - widest
        assert 0 <= found.figures.stalls_per_hour <= stalls
        assert len(found._minutes) <= 62


def test_an_hour_later_all_is_forgotten() -> None:
    found = Steadiness()
    found.note(0.0, reconnects=0, stalls=0)
    found.note(10.0, reconnects=4, stalls=2)
    assert found.figures == SteadinessFigures(4, 2)
    for minute in range(1, 63):
        found.note(10.0 + 60.0 * minute, reconnects=4, stalls=2)
    assert found.figures == SteadinessFigures(0, 0)


@given(
    st.dictionaries(st.from_regex(r"cam-[0-9]{1,3}", fullmatch=True), st.tuples(st.integers(0, 9), st.integers(0, 9)))
)
def test_the_cloud_is_told_of_the_least_steady_first(cameras: dict[str, tuple[int, int]]) -> None:
    links = links_of({name: SteadinessFigures(*figures) for name, figures in cameras.items()})
    told = {link.camera: (link.reconnects_per_hour, link.stalls_per_hour) for link in links}
    assert told == {name: figures for name, figures in cameras.items() if name in told}
    assert len(told) == min(len(cameras), CAMERAS_TOLD)
    trouble = [sum(told[link.camera]) for link in links]
    assert trouble == sorted(trouble, reverse=True)
    left_out = [sum(figures) for name, figures in cameras.items() if name not in told]
    assert not left_out or max(left_out) <= min(trouble)
