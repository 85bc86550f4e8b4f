import itertools

from hypothesis import given
from hypothesis import strategies as st

from edge.flow import Health
from edge.sources.stations import Presence


def test_a_station_that_never_calls_is_lost_after_its_patience() -> None:
    presence = Presence(grace_s=10)
    presence.adopt({"pile-1": 120.0}, 0.0)
    assert presence.changes(119.0) == []
    assert presence.changes(121.0) == [("pile-1", Health.LOST, "it has not called yet")]
    assert presence.changes(500.0) == []


def test_it_comes_goes_and_a_short_gap_is_none() -> None:
    presence = Presence(grace_s=10)
    presence.adopt({"pile-1": 120.0}, 0.0)
    presence.heard("pile-1", 1.0)
    assert presence.changes(1.0) == [("pile-1", Health.OK, None)]
    presence.gone("pile-1", 5.0, "its connection was lost")
    presence.heard("pile-1", 9.0)
    assert presence.changes(16.0) == []
    presence.gone("pile-1", 20.0, "its connection was lost")
    assert presence.changes(31.0) == [("pile-1", Health.LOST, "its connection was lost")]


def test_a_connection_over_which_nothing_comes_is_lost_too() -> None:
    presence = Presence()
    presence.adopt({"pile-1": 120.0}, 0.0)
    presence.heard("pile-1", 1.0)
    presence.changes(1.0)
    assert presence.changes(122.0) == [("pile-1", Health.LOST, "it said nothing for 120 s")]
    presence.heard("pile-1", 130.0)
    assert presence.changes(130.0) == [("pile-1", Health.OK, None)]


def test_where_nothing_listens_everybody_is_lost_at_once_and_told_why() -> None:
    presence = Presence()
    presence.adopt({"pile-1": 120.0}, 0.0)
    presence.explain("the port is taken")
    assert presence.changes(1.0) == [("pile-1", Health.LOST, "the port is taken")]
    presence.explain(None)
    presence.heard("pile-1", 2.0)
    assert presence.changes(2.0) == [("pile-1", Health.OK, None)]


def test_who_is_not_configured_any_more_is_not_looked_for() -> None:
    presence = Presence()
    presence.adopt({"pile-1": 5.0}, 0.0)
    presence.adopt({"pile-2": 5.0}, 3.0)
    presence.heard("pile-1", 4.0)
    assert presence.changes(9.0) == [("pile-2", Health.LOST, "it has not called yet")]


@given(st.lists(st.tuples(st.sampled_from(["heard", "gone", "look"]), st.floats(0, 60)), max_size=60))
def test_it_is_told_in_turns(steps: list[tuple[str, float]]) -> None:
    presence, now_s, told = Presence(grace_s=10), 0.0, list[Health]()
    presence.adopt({"pile-1": 120.0}, now_s)
    for step, pause_s in steps:
        now_s += pause_s
        if step == "heard":
            presence.heard("pile-1", now_s)
        elif step == "gone":
            presence.gone("pile-1", now_s, "gone")
        else:
            told += [health for _, health, _ in presence.changes(now_s)]
    assert all(before is not after for before, after in itertools.pairwise(told))
