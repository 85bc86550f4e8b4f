"""When a program that was well is left for the one before, and when it is not."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from edge.provisioning.retreat import MOST_IN_A_ROW, SHORT_LIFE_S, Retreat
from edge.provisioning.slots import Chosen, Filled, Selection, choose, write_selection
from tests.edge.provisioning.test_slots import filled

OLD = Filled("a", "1.0.0", "a" * 64, "a" * 64)
NEW = Filled("b", "2.0.0", "b" * 64, "b" * 64)

ends = st.lists(st.tuples(st.sampled_from([0.5, 59.0, 60.0, 3_600.0]), st.booleans()), max_size=60)


def started(retreat: Retreat) -> Chosen:
    return Chosen(OLD if retreat.left == NEW else NEW)


def left_by(retreat: Retreat) -> Filled | None:
    return retreat.left


def test_a_program_that_ends_again_and_again_is_left_and_both_that_do_are_not() -> None:
    retreat = Retreat()
    for _ in range(MOST_IN_A_ROW):
        assert left_by(retreat) is None
        retreat.ended(Chosen(NEW), lived_s=1.0)
    assert left_by(retreat) == NEW
    for _ in range(MOST_IN_A_ROW):
        assert left_by(retreat) == NEW
        retreat.ended(Chosen(OLD), lived_s=1.0)
    for _ in range(3 * MOST_IN_A_ROW):
        assert left_by(retreat) is None, "the older one did no better: the newer one is what runs"
        retreat.ended(Chosen(NEW), lived_s=1.0)


def test_what_ran_before_and_can_not_be_started_any_more_gives_way_at_once() -> None:
    retreat = Retreat()
    for _ in range(MOST_IN_A_ROW):
        retreat.ended(Chosen(NEW), lived_s=1.0)
    retreat.ended(Chosen(OLD), lived_s=1.0, is_startable=False)
    assert left_by(retreat) is None


def test_a_trial_begins_anew() -> None:
    retreat = Retreat()
    for _ in range(MOST_IN_A_ROW):
        retreat.ended(Chosen(NEW), lived_s=1.0)
    retreat.ended(Chosen(Filled("a", "3.0.0", "c" * 64, "c" * 64), is_trial=True), lived_s=1.0)
    assert left_by(retreat) is None
    for _ in range(MOST_IN_A_ROW):
        retreat.ended(Chosen(NEW), lived_s=1.0)
    assert left_by(retreat) == NEW


@given(ends)
def test_only_short_lives_in_a_row_change_what_is_started_and_only_twice(told: list[tuple[float, bool]]) -> None:
    retreat, changes, in_a_row = Retreat(), 0, 0
    for lived_s, is_startable in told:
        before = retreat.left
        in_a_row = in_a_row + 1 if lived_s < SHORT_LIFE_S else 0
        retreat.ended(started(retreat), lived_s=lived_s, is_startable=is_startable or before is None)
        if retreat.left != before:
            assert in_a_row >= MOST_IN_A_ROW or not is_startable
            changes, in_a_row = changes + 1, 0
    assert changes <= 2


@given(st.integers(0, 40))
def test_the_installed_program_is_left_for_nothing(times: int) -> None:
    retreat = Retreat()
    for _ in range(times):
        retreat.ended(Chosen(), lived_s=0.1)
    assert left_by(retreat) is None


def test_what_is_passed_over_gives_way_to_what_ran_before_it(tmp_path: Path) -> None:
    old, new = filled(tmp_path, "a", "1.0.0"), filled(tmp_path, "b", "2.0.0")
    write_selection(tmp_path, Selection(current=new, previous=old, installed="x"))
    assert choose(tmp_path, lambda: "x") == Chosen(new)
    assert choose(tmp_path, lambda: "x", but_not=new) == Chosen(old)
    write_selection(tmp_path, Selection(current=new, installed="x"))
    assert choose(tmp_path, lambda: "x", but_not=new) == Chosen()
    trial = filled(tmp_path, "a", "3.0.0")
    write_selection(tmp_path, Selection(current=new, trial=trial, installed="x"))
    assert choose(tmp_path, lambda: "x", but_not=new) == Chosen(trial, is_trial=True)
