from hypothesis import given
from hypothesis import strategies as st

from tests.system.chaos.faults import INJURIES, Fault
from tests.system.chaos.runs import LONG_COUNT, LONG_S, SHORT_FAULTS, SHORT_S, SHORT_SEED
from tests.system.chaos.schedule import QUIET_S, Episode, Turn, draw, steps

SEEDS = st.integers(0, 2**32)


def test_every_fault_has_its_injury() -> None:
    assert set(INJURIES) == set(Fault)


@given(SEEDS, st.floats(10, 300), st.integers(1, 40))
def test_a_seed_is_a_schedule(seed: int, seconds: float, count: int) -> None:
    drawn = draw(seed, seconds=seconds, count=count)
    assert drawn == draw(seed, seconds=seconds, count=count)
    assert 0 < len(drawn) <= count
    for episode in drawn:
        assert episode.begin_s >= 0.0
        assert episode.end_s <= seconds + 0.02
    for one in drawn:
        for other in drawn:
            if one is not other and one.target == other.target and one.begin_s <= other.begin_s:
                assert other.begin_s >= one.end_s + QUIET_S


@given(SEEDS)
def test_what_is_inflicted_is_lifted(seed: int) -> None:
    present: set[str] = set()
    last_s = 0.0
    for step in steps(draw(seed, seconds=LONG_S, count=LONG_COUNT)):
        assert step.at_s >= last_s
        last_s = step.at_s
        target = INJURIES[step.fault].target
        if step.turn is Turn.INFLICT:
            assert target not in present
            present.add(target)
        else:
            present.remove(target)
    assert present == set()


def test_faults_overlap() -> None:
    drawn = draw(1, seconds=LONG_S, count=LONG_COUNT)
    assert any(other.begin_s < one.end_s for one in drawn for other in drawn if one.begin_s < other.begin_s)


def test_a_fault_that_does_not_last_is_inflicted_before_it_is_lifted() -> None:
    turns = [step.turn for step in steps([Episode(3.0, 0.0, Fault.KILL_EDGE)])]
    assert turns == [Turn.INFLICT, Turn.LIFT]


def test_the_short_seed_holds_all_that_it_has_to() -> None:
    drawn = draw(SHORT_SEED, seconds=SHORT_S, count=len(SHORT_FAULTS), faults=SHORT_FAULTS)
    assert {episode.fault for episode in drawn} == set(SHORT_FAULTS)
