"""Times that add up, and how far off what they tell can be."""

from bisect import bisect_right
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from cloud.figures.histogram import BOUNDS_S, LONGEST_S, RELATIVE_ERROR, packed, percentile_s, told_s, unpacked
from cloud.figures.tally import Fact, Tally, Time, total

seconds = st.lists(st.floats(1.0, LONGEST_S), min_size=1, max_size=60)
shares = st.sampled_from([0.0, 0.01, 0.5, 0.9, 0.99, 1.0])


def kept(times: list[float]) -> dict[int, int]:
    found: dict[int, int] = {}
    for each in times:
        bucket = bisect_right(BOUNDS_S, each)
        found[bucket] = found.get(bucket, 0) + 1
    return found


@given(times=seconds, share=shares)
def test_a_percentile_is_off_by_five_per_cent_at_most(times: list[float], share: float) -> None:
    exact = sorted(times)[max(1, -int(-share * len(times) // 1)) - 1]
    told = percentile_s(kept(times), share)
    assert told is not None
    assert abs(told - exact) <= exact * RELATIVE_ERROR * 1.000001
    assert RELATIVE_ERROR <= 0.05


@given(parts=st.lists(seconds, min_size=1, max_size=4), share=shares)
def test_percentiles_of_sums_are_those_of_all(parts: list[list[float]], share: float) -> None:
    tallies = [Tally({}, {Time.TO_CLOSE: kept(each)}) for each in parts]
    together = kept([each for part in parts for each in part])
    assert percentile_s(total(tallies).times[Time.TO_CLOSE], share) == percentile_s(together, share)


@given(counts=st.dictionaries(st.integers(0, len(BOUNDS_S)), st.integers(1, 2**31), max_size=20))
def test_what_is_packed_comes_out_again(counts: dict[int, int]) -> None:
    assert unpacked(packed(counts)) == counts
    assert all(-(2**63) <= number < 2**63 for number in packed(counts))


def test_of_nothing_there_is_no_percentile() -> None:
    assert percentile_s({}, 0.5) is None
    assert told_s(0) == 1.0


@given(
    ours=st.dictionaries(st.sampled_from(Fact), st.integers(1, 9), max_size=5),
    theirs=st.dictionaries(st.sampled_from(Fact), st.integers(1, 9), max_size=5),
    buckets=st.dictionaries(st.integers(0, 9), st.integers(1, 9), min_size=1, max_size=5),
)
def test_what_is_added_and_taken_away_was_never_there(
    ours: dict[Fact, int], theirs: dict[Fact, int], buckets: dict[int, int]
) -> None:
    tally, other = Tally(dict(ours)), Tally(dict(theirs), {Time.TO_VERIFY: dict(buckets)})
    tally.add(other)
    tally.add(other, -1)
    assert tally == Tally(ours)


@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.sampled_from(Fact), st.integers(1, 9)),
            st.dictionaries(st.sampled_from(Time), st.dictionaries(st.integers(0, 150), st.integers(1, 9), min_size=1)),
        ),
        max_size=5,
    )
)
def test_rows_add_up_as_their_tallies_do(parts: list[tuple[dict[Fact, int], dict[Time, dict[int, int]]]]) -> None:
    tallies = [Tally(dict(counts), {time: dict(one) for time, one in times.items()}) for counts, times in parts]
    rows = [SimpleNamespace(**tally.columns) for tally in tallies]
    assert Tally.of(*rows) == total(tallies)
