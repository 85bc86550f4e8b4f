"""Rules on readings, one by one: what opens, what ends, and what a late, doubled or missing reading does to it."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from edge.contract.incident import Incident, IncidentState, Severity
from edge.contract.safety import SafetyFault, category_of, severity_of
from edge.flow import Finding, Reading, ReadingRule
from edge.rules.registry import reading_rule
from edge.settings import ReadingRuleSettings, SensorSettings
from tests.fakes.scenes import at, seconds

OPEN, UPDATE, ENDED = IncidentState.OPEN, IncidentState.UPDATE, IncidentState.ENDED

POINTS: list[dict[str, object]] = [
    {"name": "t", "unit": "°C"},
    {"name": "temperature_c.1"},
    {"name": "power_w.1"},
    {"name": "door", "kind": "state"},
    {"name": "sos", "kind": "event"},
    {"name": "charging.1", "kind": "state"},
    {"name": "status.2", "kind": "state"},
    {"name": "faults.1", "kind": "state"},
    {"name": "faults.2", "kind": "state"},
    {"name": "stop_reason.1", "kind": "event"},
]


def made(**rule: Any) -> ReadingRule:
    parsed: ReadingRuleSettings = TypeAdapter(ReadingRuleSettings).validate_python(rule)
    device = SensorSettings.model_validate({"id": "pile-1", "topic": "piles/1", "points": POINTS})
    return reading_rule(parsed, device)


def heard(point: str, time_s: float, value: float | str, *, raw_code: str | None = None) -> Reading:
    return Reading("pile-1", point, at(time_s), value, at(time_s), raw_code=raw_code)


def told(rule: ReadingRule, point: str, readings: Iterable[tuple[float, float | str]]) -> list[Finding]:
    return [each for time_s, value in readings for each in rule.observe(heard(point, time_s, value))]


def lines(said: Sequence[Finding]) -> list[tuple[IncidentState, float]]:
    return [(each.state, seconds(each.ended_at or each.started_at)) for each in said]


def incident(said: Finding, **changed: Any) -> Incident:
    """What the book keeps of an open finding."""
    kept = Incident(
        incident_id=UUID(int=1),
        revision=2,
        state=UPDATE,
        kind=said.kind,
        category=said.category,
        severity=said.severity,
        started_at=said.started_at,
        updated_at=said.at,
        device=said.device,
        point=said.point,
        value=said.value,
        note=said.note,
        fault=said.fault,
        raw_code=said.raw_code,
    )
    return msgspec.structs.replace(kept, **changed)


# --- rate of change -----------------------------------------------------------------------------------------------


def test_a_rise_within_the_time_opens_and_a_slow_one_does_not() -> None:
    slow = [(10.0 * index, 20.0 + index) for index in range(30)]
    assert told(made(kind="rate_of_change", point="t", rise=10, over_s=60), "t", slow) == []
    fast = [(0.0, 20.0), (10.0, 24.0), (20.0, 30.0), (30.0, 31.0), (90.0, 31.5), (100.0, 31.5)]
    said = told(made(kind="rate_of_change", point="t", rise=10, over_s=60), "t", fast)
    assert [each.state for each in said] == [OPEN, ENDED]
    assert (said[0].value, said[0].unit) == (10.0, "°C/60s")


def test_a_fall_is_the_mirror_and_a_silence_is_no_change() -> None:
    rule = made(kind="rate_of_change", point="t", fall=10, over_s=60)
    assert lines(told(rule, "t", [(0, 30.0), (30, 19.0)])) == [(OPEN, 30)]
    assert told(made(kind="rate_of_change", point="t", rise=10, over_s=60), "t", [(0, 20.0), (3600, 90.0)]) == []


def test_a_late_reading_counts_for_those_that_follow() -> None:
    rule = made(kind="rate_of_change", point="t", rise=10, over_s=60)
    assert lines(told(rule, "t", [(0, 25.0), (20, 26.0), (10, 15.0), (30, 26.0)])) == [(OPEN, 30)]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-40, 120, width=32), min_size=1, max_size=60), st.data())
def test_a_rate_is_the_same_with_doubled_readings(values: list[float], data: st.DataObject) -> None:
    readings = [(10.0 * index, value) for index, value in enumerate(values)]
    doubled = [again for each in readings for again in [each] * data.draw(st.integers(1, 3))]
    once = told(made(kind="rate_of_change", point="t", rise=10, over_s=60), "t", readings)
    assert told(made(kind="rate_of_change", point="t", rise=10, over_s=60), "t", doubled) == once
    window = [(now, value - min(old for then, old in readings if now - 60 <= then <= now)) for now, value in readings]
    assert bool(once) == any(change >= 10 - 1e-6 for _, change in window) or any(
        abs(change - 10) < 1e-5 for _, change in window
    )


def test_a_fast_sensor_over_a_long_time_takes_little_memory() -> None:
    rule = made(kind="rate_of_change", point="t", rise=10, over_s=3600)
    for index in range(4000):
        rule.observe(heard("t", float(index), 20.0 + (index % 7)))
    assert len(vars(rule)["_window"]) <= 520
    assert lines(told(rule, "t", [(4001.0, 30.0)])) == [(OPEN, 4001)]


# --- stale --------------------------------------------------------------------------------------------------------


def test_silence_and_standing_still_are_told_apart() -> None:
    rule = made(kind="stale", point="t", silent_s=60, frozen_s=120)
    said = told(rule, "t", [(0, 20.0), (30, 20.0), (60, 20.0), (90, 20.0), (120, 20.0)])
    assert [(each.state, each.note) for each in said] == [(OPEN, "frozen: its value stands still")]
    said = list(rule.passed(at(200)))
    assert [(each.state, each.note) for each in said] == [(UPDATE, "silent: nothing is heard of it")]
    assert lines(told(rule, "t", [(210, 20.0)])) == [(ENDED, 210)]


def test_a_gap_is_a_silence_whether_a_clock_has_ticked_in_it_or_not() -> None:
    rule = made(kind="stale", point="t", silent_s=60)
    assert lines(told(rule, "t", [(0, 20.0), (100, 20.0)])) == [(OPEN, 0), (ENDED, 100)]
    rule = made(kind="stale", point="t", silent_s=60)
    told(rule, "t", [(0, 20.0)])
    assert not rule.passed(at(59))
    assert lines(list(rule.passed(at(60)))) == [(OPEN, 0)]
    assert lines(told(rule, "t", [(100, 20.0)])) == [(ENDED, 100)]


def test_what_was_stale_before_a_restart_ends_with_the_first_news() -> None:
    rule = made(kind="stale", point="t", silent_s=60, frozen_s=600)
    told(rule, "t", [(0, 20.0)])
    (opened,) = rule.passed(at(60))
    again = made(kind="stale", point="t", silent_s=60, frozen_s=600)
    assert again.resume(incident(opened))
    assert lines(told(again, "t", [(500, 21.0)])) == [(ENDED, 500)]


def test_what_was_never_heard_since_the_start_is_silent_from_then_on() -> None:
    rule = made(kind="stale", point="t", silent_s=60)
    assert not rule.passed(at(1000))
    assert not rule.passed(at(1059))
    (opened,) = rule.passed(at(1061))
    assert (opened.state, seconds(opened.started_at), seconds(opened.at), opened.value) == (OPEN, 1000, 1060, None)
    assert not rule.passed(at(5000))
    assert lines(told(rule, "t", [(5010, 20.0)])) == [(ENDED, 5010)]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 40_000), min_size=1, max_size=40), st.integers(0, 40_000))
def test_a_long_silence_is_known_over_restarts_and_what_was_heard_is_never_called_silent_too_soon(
    heard_at: list[int], restart_s: int
) -> None:
    rule = made(kind="stale", point="t", silent_s=86_400)
    said = [float(each) for each in sorted(heard_at) if each <= restart_s]
    kept = []
    for time_s in said:
        rule.observe(heard("t", time_s, 20.0))
        kept.append(rule.memory())
    again = made(kind="stale", point="t", silent_s=86_400)
    again.recall(rule.memory() or {})
    last_s = max(said, default=float(restart_s))
    assert not again.passed(at(restart_s))
    assert not again.passed(at(last_s + 86_399))
    (opened,) = again.passed(at(max(last_s, restart_s) + 86_401 + 86_400 / 8))
    assert last_s <= seconds(opened.started_at) <= last_s + 86_400 / 8 or seconds(opened.started_at) == restart_s
    changes = [one for one, other in zip([None, *kept], kept, strict=False) if one != other]
    assert len(changes) <= 1 + 40_000 / (86_400 / 8)  # not kept anew with each reading


def test_a_silence_since_before_a_restart_is_folded_like_any_other() -> None:
    rule = made(kind="stale", point="t", silent_s=60, fold_s=30)
    assert not rule.passed(at(0))
    assert [each.state for each in rule.passed(at(60))] == [OPEN]
    assert not rule.passed(at(90))
    assert [each.state for each in told(rule, "t", [(100, 20.0), (110, 20.0), (140, 20.0)])] == [ENDED]


# --- state --------------------------------------------------------------------------------------------------------


def test_a_state_holds_until_another_one_is_told() -> None:
    rule = made(kind="state", point="door", states=["open", "forced"], for_s=60, clear_for_s=10)
    assert told(rule, "door", [(0, "closed"), (10, "open")]) == []
    assert not rule.passed(at(69))
    (opened,) = rule.passed(at(75))
    assert (opened.state, seconds(opened.started_at), seconds(opened.at), opened.note) == (OPEN, 10, 70, "open")
    assert told(rule, "door", [(80, "forced"), (90, "closed"), (95, "open"), (100, "closed")]) == []
    assert lines(list(rule.passed(at(120)))) == [(ENDED, 100)]


def test_a_state_that_was_short_is_none_and_one_that_is_told_late_is() -> None:
    rule = made(kind="state", point="door", states=["open"], for_s=60)
    assert told(rule, "door", [(0, "open"), (50, "closed")]) == []
    rule = made(kind="state", point="door", states=["open"], for_s=60)
    assert lines(told(rule, "door", [(100, "closed"), (20, "open")])) == [(OPEN, 20), (ENDED, 100)]


def test_since_when_a_state_holds_is_known_after_a_restart() -> None:
    rule = made(kind="state", point="door", states=["open"], for_s=600)
    told(rule, "door", [(0, "open")])
    again = made(kind="state", point="door", states=["open"], for_s=600)
    again.recall(rule.memory() or {})
    assert told(again, "door", [(300, "open")]) == []
    assert lines(list(again.passed(at(601)))) == [(OPEN, 0)]


def test_what_stood_before_a_restart_counts_though_nothing_more_is_told() -> None:
    rule = made(kind="state", point="door", states=["open"], for_s=600)
    told(rule, "door", [(0, "open")])
    again = made(kind="state", point="door", states=["open"], for_s=600)
    again.recall(rule.memory() or {})
    assert not again.passed(at(300))  # the node is back
    assert not again.passed(at(599))
    assert lines(list(again.passed(at(601)))) == [(OPEN, 0)]
    assert lines(told(again, "door", [(700, "closed")])) == [(ENDED, 700)]


def test_a_node_that_was_away_listens_before_it_believes_what_it_remembers() -> None:
    rule = made(kind="state", point="door", states=["open"], for_s=600)
    told(rule, "door", [(0, "open")])
    again = made(kind="state", point="door", states=["open"], for_s=600)
    again.recall(rule.memory() or {})
    back = 8 * 3_600
    assert not again.passed(at(back))
    assert not again.passed(at(back + 119))
    silent = made(kind="state", point="door", states=["open"], for_s=600)
    silent.recall(rule.memory() or {})
    assert not silent.passed(at(back))
    assert lines(list(silent.passed(at(back + 120)))) == [(OPEN, 0)]


def test_a_node_that_was_away_calls_nothing_silent_before_it_has_listened() -> None:
    rule = made(kind="stale", point="t", silent_s=300)
    told(rule, "t", [(0, 20.0)])
    again = made(kind="stale", point="t", silent_s=300)
    again.recall(rule.memory() or {})
    back = 8 * 3_600
    assert not again.passed(at(back))
    assert not again.passed(at(back + 119))
    assert told(again, "t", [(back + 119, 21.0)]) == []
    assert not again.passed(at(back + 400))
    lost = made(kind="stale", point="t", silent_s=300)
    lost.recall(rule.memory() or {})
    assert not lost.passed(at(back))
    assert [each.state for each in lost.passed(at(back + 120))] == [OPEN]


def test_what_stood_at_another_point_before_a_restart_is_nothing() -> None:
    rule = made(kind="state", id="hatch", point="door", states=["open"], for_s=600)
    told(rule, "door", [(0, "open")])
    again = made(kind="state", id="hatch", point="status.2", states=["open"], for_s=600)
    again.recall(rule.memory() or {})
    assert not again.passed(at(5000))


def test_an_end_that_is_heard_after_it_was_decided_is_an_end() -> None:
    rule = made(kind="state", point="door", states=["open"], for_s=30)
    told(rule, "door", [(0, "open")])
    assert lines(list(rule.passed(at(31)))) == [(OPEN, 0)]
    assert [each.state for each in told(rule, "door", [(20, "closed")])] == [ENDED]
    assert told(rule, "door", [(10, "open"), (20, "closed")]) == []


def test_a_beginning_that_is_heard_after_the_end_was_decided_is_a_beginning() -> None:
    rule = made(kind="state", point="door", states=["open"], clear_for_s=60)
    assert lines(told(rule, "door", [(0, "open"), (10, "closed")])) == [(OPEN, 0)]
    assert lines(list(rule.passed(at(71)))) == [(ENDED, 10)]
    assert [each.state for each in told(rule, "door", [(69, "open")])] == [OPEN]


def test_an_end_from_before_a_restart_ends_what_is_open_and_what_was_told_before_opens_nothing() -> None:
    rule = made(kind="state", point="door", states=["open"])
    (opened,) = told(rule, "door", [(0, "open")])
    again = made(kind="state", point="door", states=["open"])
    again.recall(rule.memory() or {})
    again.pass_over(at(40))
    assert again.resume(incident(opened, updated_at=at(40)))
    assert [each.state for each in told(again, "door", [(30, "closed")])] == [ENDED]
    assert told(again, "door", [(35, "open")]) == []


@pytest.mark.parametrize(
    ("rule", "value", "over"),
    [
        ({"kind": "state", "point": "door", "states": ["open"], "clear_for_s": 60}, "open", "closed"),
        ({"kind": "overlong_charge", "point": "door", "limit_s": 60}, "17", "none"),
    ],
)
def test_what_is_over_after_a_restart_ends_though_nothing_is_known_but_the_incident(
    rule: dict[str, object], value: str, over: str
) -> None:
    before = made(**rule)
    (opened,) = [*told(before, "door", [(0, value)]), *before.passed(at(100))]
    again = made(**rule)
    assert again.resume(incident(opened, updated_at=at(100)))
    assert again.holding()
    assert told(again, "door", [(110, value)]) == []
    said = [*told(again, "door", [(120, over)]), *again.passed(at(200))]
    assert lines(said) == [(ENDED, 120)]
    third = made(**rule)
    assert third.resume(incident(opened, updated_at=at(100)))
    said = [*told(third, "door", [(120, over)]), *third.passed(at(200))]
    assert lines(said) == [(ENDED, 120)]


DELAYED = st.lists(
    st.tuples(st.integers(1, 60), st.integers(0, 59), st.sampled_from(["none", "smoke"])), min_size=1, max_size=12
)


@settings(max_examples=200, deadline=None)
@given(DELAYED, st.sampled_from([0, 20]), st.sampled_from([0, 15]))
def test_however_late_it_is_heard_what_was_told_last_holds_in_the_end(
    words: list[tuple[int, int, str]], for_s: int, clear_for_s: int
) -> None:
    """Each word comes up to a minute late, so that some overtake others, and the node's clock decides meanwhile."""
    time_s, heard_at = 0, dict[int, list[Reading]]()
    for step_s, delay_s, value in words:
        time_s += step_s
        said = Reading("pile-1", "faults.1", at(time_s), value, at(time_s + delay_s))
        heard_at.setdefault(time_s + delay_s, []).append(said)
    for rule in (
        made(kind="state", point="faults.1", states=["smoke"], for_s=for_s, clear_for_s=clear_for_s),
        made(kind="device_fault", clear_for_s=clear_for_s),
    ):
        found: list[Finding] = []
        for now_s in range(time_s + 200):
            for said in heard_at.get(now_s, ()):
                found += rule.observe(said)
            found += rule.passed(at(now_s))
        last_said, last = words[-1][2], found[-1].state if found else ENDED
        assert (last is not ENDED) == (last_said == "smoke")
        assert bool(rule.holding()) == (last_said == "smoke")
        opened = [each.state is OPEN for each in found if each.state is not UPDATE]
        assert opened == [index % 2 == 0 for index in range(len(opened))]


CHANGES = st.lists(st.tuples(st.integers(0, 300), st.sampled_from(["open", "closed"])), min_size=1, max_size=25)


@settings(max_examples=200, deadline=None)
@given(CHANGES, st.sampled_from([0, 20]), st.sampled_from([0, 15]), st.randoms(use_true_random=False))
def test_states_in_any_order_alternate_and_in_order_are_found_whenever_a_clock_ticks(
    changes: list[tuple[int, str]], for_s: int, clear_for_s: int, chance: Any
) -> None:
    once = dict(reversed(changes))
    shuffled = list(changes)
    chance.shuffle(shuffled)
    rule = made(kind="state", point="door", states=["open"], for_s=for_s, clear_for_s=clear_for_s)
    said = told(rule, "door", [(float(time_s), state) for time_s, state in shuffled]) + list(rule.passed(at(1000)))
    wanted = OPEN
    for each in said:
        assert each.state is wanted
        assert each.started_at <= (each.ended_at or each.at)
        wanted = ENDED if wanted is OPEN else OPEN

    def in_order(ticks: bool) -> list[tuple[IncidentState, float]]:
        rule = made(kind="state", point="door", states=["open"], for_s=for_s, clear_for_s=clear_for_s)
        found: list[Finding] = []
        for time_s in range(301):
            if time_s in once:
                found += rule.observe(heard("door", float(time_s), once[time_s]))
            if ticks:
                found += rule.passed(at(time_s))
        return lines([*found, *rule.passed(at(1000))])

    assert in_order(ticks=True) == in_order(ticks=False)


# --- events -------------------------------------------------------------------------------------------------------


def test_each_occurrence_is_an_incident_and_the_same_one_again_is_not() -> None:
    rule = made(kind="event", point="sos", hold_s=60, incident_kind="sos", severity="critical")
    (opened,) = told(rule, "sos", [(0, "pressed"), (0, "pressed")])
    assert (opened.kind, opened.severity, opened.note) == ("sos", Severity.CRITICAL, "pressed")
    assert [each.state for each in told(rule, "sos", [(30, "pressed")])] == [OPEN]
    assert lines(list(rule.passed(at(61)))) == [(ENDED, 60)]
    assert [each.state for each in told(rule, "sos", [(10, "pressed")])] == [OPEN]
    assert lines(list(rule.passed(at(95)))) == [(ENDED, 70), (ENDED, 90)]


def test_what_follows_within_the_fold_is_counted() -> None:
    rule = made(kind="event", point="sos", hold_s=10, fold_s=60)
    said = told(rule, "sos", [(0, "pressed"), (30, "pressed"), (95, "pressed")])
    assert [(each.state, each.count) for each in said if each.state is not ENDED] == [
        (OPEN, None),
        (UPDATE, 2),
        (UPDATE, 3),
    ]
    assert len({each.key for each in said}) == 1


def test_values_that_were_not_asked_for_are_left_out() -> None:
    assert told(made(kind="event", point="sos", values=["help"]), "sos", [(0, "test"), (1, "help")])[0].note == "help"


def test_a_flood_of_events_takes_little_memory() -> None:
    rule = made(kind="event", point="sos", hold_s=86_400)
    said = told(rule, "sos", [(float(index), "pressed") for index in range(2000)])
    assert sum(each.state is OPEN for each in said) == 2000
    assert len(vars(rule)["_open"]) <= 65


# --- faults -------------------------------------------------------------------------------------------------------


def test_each_fault_of_each_connector_is_one_incident_with_the_devices_own_code() -> None:
    rule = made(kind="device_fault")
    said = list(rule.observe(heard("faults.1", 0, "lock+over_temperature", raw_code="E47")))
    assert {each.fault for each in said} == {"lock", "over_temperature"}
    assert {each.raw_code for each in said} == {"E47"}
    said += rule.observe(heard("faults.2", 1, "lock"))
    assert len({each.key for each in said}) == 3
    for each in said:
        fault = SafetyFault(each.fault or "")
        assert (each.severity, each.category) == (severity_of(fault), category_of(fault))
    over = told(rule, "faults.1", [(60, "over_temperature"), (90, "none")])
    assert [(each.fault, *line) for each, line in zip(over, lines(over), strict=True)] == [
        ("lock", ENDED, 60),
        ("over_temperature", ENDED, 90),
    ]


def test_a_stop_for_a_fault_is_that_fault_and_a_plain_stop_is_none() -> None:
    rule = made(kind="device_fault", hold_s=60)
    assert told(rule, "stop_reason.1", [(0, "remote"), (1, "full")]) == []
    (opened,) = rule.observe(heard("stop_reason.1", 10, "insulation", raw_code="0x57"))
    assert (opened.state, opened.fault, opened.raw_code, opened.point) == (OPEN, "insulation", "0x57", "stop_reason.1")
    assert told(rule, "stop_reason.1", [(10, "insulation"), (20, "insulation")]) == []
    assert lines(list(rule.passed(at(100)))) == [(ENDED, 80)]


def test_a_stop_for_a_fault_that_is_told_as_a_state_too_is_one_incident() -> None:
    rule = made(kind="device_fault", hold_s=60)
    said = told(rule, "stop_reason.1", [(0, "over_temperature")]) + told(rule, "faults.1", [(5, "over_temperature")])
    assert [each.state for each in said] == [OPEN]
    assert list(rule.passed(at(500))) == []
    assert lines(told(rule, "faults.1", [(600, "none")])) == [(ENDED, 600)]


def test_what_is_ignored_or_not_asked_for_is_left_out_and_severity_can_be_another_one() -> None:
    rule = made(kind="device_fault", faults=["lock", "fuse"], ignored=["fuse"], severity="low", category="maintenance")
    (found,) = told(rule, "faults.1", [(0, "fuse+lock+smoke")])
    assert (found.fault, found.severity, found.category) == ("lock", Severity.LOW, "maintenance")


def test_an_unknown_code_is_told_as_other_with_its_own_word() -> None:
    (found,) = made(kind="device_fault").observe(heard("faults.1", 0, "warp_core", raw_code="W-9"))
    assert (found.fault, found.raw_code) == ("other", "W-9")


def test_a_fault_that_was_open_before_a_restart_ends_when_it_is_gone() -> None:
    rule = made(kind="device_fault")
    (opened,) = rule.observe(heard("faults.1", 0, "lock", raw_code="E1"))
    again = made(kind="device_fault")
    assert again.resume(incident(opened))
    assert told(again, "faults.1", [(50, "lock")]) == []
    (ended,) = told(again, "faults.1", [(60, "none")])
    assert (ended.key, ended.state, ended.raw_code) == (opened.key, ENDED, "E1")
    assert not made(kind="device_fault", ignored=["lock"]).resume(incident(opened))


# --- charges ------------------------------------------------------------------------------------------------------


def test_a_charge_is_overlong_from_its_own_start_over_restarts_and_ends_with_it() -> None:
    rule = made(kind="overlong_charge", point="charging.1", limit_s=600)
    told(rule, "charging.1", [(0, "none"), (100, "17")])
    again = made(kind="overlong_charge", point="charging.1", limit_s=600)
    again.recall(rule.memory() or {})
    assert told(again, "charging.1", [(500, "17")]) == []
    (opened,) = again.passed(at(701))
    assert (seconds(opened.started_at), seconds(opened.at), opened.note) == (100, 700, "17")
    assert lines(told(again, "charging.1", [(900, "none")])) == [(ENDED, 900)]


def test_one_charge_after_another_is_not_one_long_charge() -> None:
    rule = made(kind="overlong_charge", point="charging.1", limit_s=600)
    assert told(rule, "charging.1", [(0, "17"), (400, "18"), (900, "none")]) == []


def contact(time_s: float, presence: str) -> Reading:
    return heard("presence", time_s, presence)


def test_contact_that_is_lost_while_charging_is_told_until_it_is_back() -> None:
    rule = made(kind="lost_while_charging", for_s=30)
    told(rule, "charging.1", [(0, "17")])
    assert not rule.observe(contact(10, "lost"))
    assert not rule.passed(at(39))
    (opened,) = rule.passed(at(40))
    assert (opened.state, opened.severity, seconds(opened.started_at)) == (OPEN, Severity.HIGH, 10)
    assert opened.note == "charging at 1"
    assert lines(list(rule.observe(contact(300, "online")))) == [(ENDED, 300)]


@pytest.mark.parametrize(
    ("said", "severity"),
    [
        ([("temperature_c.1", 75.0), ("power_w.1", 5.0)], Severity.CRITICAL),
        ([("temperature_c.1", 30.0), ("power_w.1", 5.0)], Severity.MEDIUM),
        ([("power_w.1", 6600.0)], Severity.HIGH),
    ],
)
def test_how_bad_it_is_follows_from_what_was_known_last(said: list[tuple[str, float]], severity: Severity) -> None:
    rule = made(kind="lost_while_charging", for_s=0)
    told(rule, "charging.1", [(0, "17")])
    for point, value in said:
        rule.observe(heard(point, 5, value))
    rule.observe(contact(10, "lost"))
    (opened,) = rule.passed(at(10))
    assert opened.severity is severity


def test_contact_that_is_lost_while_nothing_is_charged_or_is_soon_back_is_none() -> None:
    rule = made(kind="lost_while_charging", for_s=30)
    told(rule, "charging.1", [(0, "17"), (5, "none")])
    rule.observe(contact(10, "lost"))
    assert not rule.passed(at(500))
    rule.observe(contact(510, "online"))
    rule.observe(heard("status.2", 520, "charging"))
    rule.observe(contact(530, "lost"))
    rule.observe(contact(540, "online"))
    assert not rule.passed(at(900))


def test_what_was_charged_is_known_after_a_restart() -> None:
    rule = made(kind="lost_while_charging", for_s=30)
    told(rule, "charging.1", [(0, "17")])
    again = made(kind="lost_while_charging", for_s=30)
    again.recall(rule.memory() or {})
    again.observe(contact(100, "lost"))
    (opened,) = again.passed(at(130))
    third = made(kind="lost_while_charging", for_s=30)
    assert third.resume(incident(opened))
    assert lines(list(third.observe(contact(200, "online")))) == [(ENDED, 200)]


@pytest.mark.parametrize("memory", [{}, {"at": "yesterday", "text": "x"}, {"at": "2026-01-01T00:00:00", "text": "x"}])
def test_a_memory_that_makes_no_sense_is_left_out(memory: dict[str, str]) -> None:
    rule = made(kind="overlong_charge", point="charging.1", limit_s=600)
    rule.recall(memory)
    assert rule.memory() is None
    lost = made(kind="lost_while_charging")
    lost.recall({"charging.1": "nonsense"})
    assert lost.memory() is None


def test_readings_of_other_devices_and_points_are_left_out() -> None:
    for rule in (
        made(kind="state", point="door", states=["open"]),
        made(kind="event", point="sos"),
        made(kind="device_fault"),
        made(kind="stale", point="t", silent_s=60),
        made(kind="lost_while_charging"),
    ):
        for point in ("t", "door", "sos", "faults.1", "charging.1"):
            assert not rule.concerns(replace(heard(point, 0, "open"), device="pile-2"))
            assert not rule.observe(replace(heard(point, 0, "open"), device="pile-2"))
