"""Vehicle dwell: what stands in the zone for the limit; who drives through slowly does not stand."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from edge.contract.incident import IncidentState
from edge.flow import Box, Finding
from edge.rules.intrusion import IntrusionRule
from edge.rules.vehicle_dwell import VehicleDwellRule
from edge.settings import TwoWheelerSettings, VehicleDwellSettings
from tests.fakes.scenes import at, findings, seconds, standing_at, walk

LANE = ((0.0, 0.5), (1.0, 0.5), (1.0, 1.0), (0.0, 1.0))
OPEN, UPDATE, ENDED = IncidentState.OPEN, IncidentState.UPDATE, IncidentState.ENDED


def made(limit_s: float = 20.0) -> VehicleDwellRule:
    return VehicleDwellRule(VehicleDwellSettings(kind="vehicle_dwell", zone="lane", limit_s=limit_s), LANE, "c")


def car(x: float, *, y: float = 0.8) -> Box:
    return standing_at(x, y, width=0.2, height=0.2)


def drive(*stretches: tuple[float, float, float], hertz: float = 5.0, offset_s: float = 0.0) -> list[tuple[float, Box]]:
    """Seconds, and x at the beginning and the end of each stretch."""
    places: list[tuple[float, Box]] = []
    begun_s = 0.0
    total_s = sum(duration_s for duration_s, _, _ in stretches)
    moments = [offset_s + index / hertz for index in range(int((total_s - offset_s) * hertz) + 1)]
    for duration_s, from_x, to_x in stretches:
        places += [
            (moment, car(from_x + (to_x - from_x) * (moment - begun_s) / duration_s))
            for moment in moments
            if begun_s <= moment < begun_s + duration_s
        ]
        begun_s += duration_s
    return places


def told(said: list[Finding]) -> list[tuple[IncidentState, float]]:
    return [(finding.state, seconds(finding.at)) for finding in said]


def test_it_opens_when_the_vehicle_has_stood_for_the_limit_and_began_when_it_stopped() -> None:
    said = findings(made(), walk(1, drive((4, 0.0, 0.5), (30, 0.5, 0.5), (4, 0.5, 1.0)), label="car"))
    assert [finding.state for finding in said] == [OPEN, ENDED]
    assert seconds(said[0].started_at) == pytest.approx(4, abs=1)
    assert seconds(said[0].at) == pytest.approx(24, abs=1)
    assert said[1].started_at == said[0].started_at
    assert said[1].key == said[0].key
    assert (said[0].kind, said[0].category, said[0].zone) == ("vehicle_dwell", "fire_safety", "lane")


def test_it_opens_with_a_look_and_not_where_the_vehicle_is_only_expected_to_stand() -> None:
    rule = made(20)
    *scenes, _ = walk(1, [(step, car(0.5)) for step in range(20)], label="car")
    last = scenes[-1]
    moment = last.at + timedelta(seconds=1.5)
    expected = replace(last, at=moment, tracks=tuple(replace(track, last_seen_at=moment) for track in last.tracks))
    assert findings(rule, iter([*scenes, expected])) == []
    *again, _ = walk(1, [(step, car(0.5)) for step in range(22)], label="car")
    assert told(findings(rule, iter(again[-1:]))) == [(OPEN, 21.0)]


def test_who_drives_slowly_or_stops_twice_for_a_short_time_does_not_stand() -> None:
    assert findings(made(), walk(1, drive((60, 0.0, 1.0)), label="car")) == []
    assert findings(made(), walk(1, drive((15, 0.2, 0.2), (3, 0.2, 0.7), (15, 0.7, 0.7)), label="truck")) == []


def test_people_and_other_places_are_none_of_its_business() -> None:
    assert findings(made(), walk(1, drive((40, 0.5, 0.5)), label="person")) == []
    elsewhere = [(float(second), car(0.5, y=0.4)) for second in range(40)]
    assert findings(made(), walk(1, elsewhere, label="car")) == []


@hypothesis_settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(3, 40), st.sampled_from([0.2, 0.5, 0.8])), min_size=1, max_size=5),
    st.sampled_from([3.0, 5.0, 10.0]),
    st.floats(-0.02, 0.02),
)
def test_the_frame_rate_and_trembling_boxes_do_not_change_what_is_found(
    stops: list[tuple[int, float]], hertz: float, tremor: float
) -> None:
    merged: list[tuple[float, float]] = []
    for duration_s, x in stops:
        if merged and merged[-1][1] == x:
            merged[-1] = merged[-1][0] + duration_s, x
        else:
            merged.append((float(duration_s), x))
    if any(abs(duration_s - 20) <= 1 for duration_s, _ in merged):
        return
    boxes = [
        (time_s, (left + tremor * (index % 2), top, right + tremor * (index % 2), bottom))
        for index, (time_s, (left, top, right, bottom)) in enumerate(
            drive(*((duration_s, x, x) for duration_s, x in merged), hertz=hertz)
        )
    ]
    said = findings(made(), walk(1, boxes, label="car"), finish_s=1000)
    opened = [finding for finding in said if finding.state is OPEN]
    # once told, a vehicle that goes on in the zone is the same incident until it leaves
    first = next((index for index, (duration_s, _) in enumerate(merged) if duration_s > 20), None)
    assert len(opened) == (first is not None)
    assert len([finding for finding in said if finding.state is ENDED]) == len(opened)
    if first is not None:
        begun_s = sum(duration_s for duration_s, _ in merged[:first])
        assert seconds(opened[0].started_at) == pytest.approx(begun_s, abs=1 / hertz + 0.01)
        assert seconds(opened[0].at) == pytest.approx(begun_s + 20, abs=2 / hertz + 0.01)


def test_a_two_wheeler_in_a_forbidden_place_is_told_at_once() -> None:
    rule = IntrusionRule(TwoWheelerSettings(kind="two_wheeler", zone="lift"), LANE, "c")
    places = [(float(second), car(0.5)) for second in range(4)]
    said = findings(rule, walk(1, places, label="bicycle"))
    assert [(finding.kind, finding.category, finding.state) for finding in said] == [
        ("two_wheeler", "fire_safety", OPEN),
        ("two_wheeler", "fire_safety", ENDED),
    ]
    assert said[0].at == at(0)
    assert findings(rule, walk(2, places, label="person")) == []
