"""Who calls and is not configured."""

from hypothesis import given
from hypothesis import strategies as st

from edge.sources.knocks import MOST_KNOCKED, Knocks


def test_each_is_counted_and_the_oldest_gives_way() -> None:
    knocks = Knocks()
    for number in range(200):
        assert knocks.knock(f"pile-{number}") == 1
    assert knocks.knock("pile-199") == 2
    assert len(knocks.by_name) == MOST_KNOCKED
    assert list(knocks.by_name.items())[-1] == ("pile-199", 2)
    assert knocks.total == 201


@given(st.lists(st.sampled_from("abcdef"), max_size=300))
def test_whatever_names_somebody_invents_lines_grow_ever_more_seldom(names: list[str]) -> None:
    knocks, lines = Knocks(), 0
    for name in names:
        knocks.knock(name)
        lines += knocks.is_worth_a_line
    assert lines == len(names).bit_length()
