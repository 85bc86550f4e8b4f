"""Composites, and rules of all kinds on readings, in a configuration."""

from pathlib import Path

import pytest

from edge.configuration.reading import examine_text

BEFORE = """
node: {id: n, district: "110105", data_directory: d}
cloud: {mqtt: "mqtt://cloud:1883", https: "https://cloud"}
local_mqtt: {url: "mqtt://127.0.0.1"}
"""

POINTS = "[{name: t}, {name: door, kind: state}, {name: sos, kind: event}, {name: charging, kind: state}]"


def sensor(rule: str = "", spot: str = "shed") -> str:
    rules = f"rules: [{{{rule}}}]" if rule else "rules: []"
    return f"""
sensors:
  - {{id: s-1, topic: t/1, spot: {spot}, points: {POINTS}, {rules}}}
"""


def mistakes(text: str, folder: Path) -> list[tuple[str, str]]:
    _, found = examine_text(BEFORE + text, folder=folder)
    return [(each.where, each.reason) for each in found]


@pytest.mark.parametrize(
    "rule",
    [
        "kind: rate_of_change, point: t, rise: 10, over_s: 60",
        "kind: stale, point: t, silent_s: 60, frozen_s: 3600",
        "kind: state, point: door, states: [open], for_s: 60",
        "kind: event, point: sos, incident_kind: sos, severity: critical",
        "kind: overlong_charge, limit_s: 36000",
        "kind: lost_while_charging",
    ],
)
def test_rules_of_every_kind_are_read(tmp_path: Path, rule: str) -> None:
    assert mistakes(sensor(rule), tmp_path) == []


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("kind: rate_of_change, point: t, over_s: 60", "takes one of `rise` and `fall`"),
        ("kind: rate_of_change, point: t, rise: 5, clear: 5, over_s: 60", "`clear` is as much"),
        ("kind: rate_of_change, point: door, rise: 5, over_s: 60", "needs a numeric point, `door` is none; there is t"),
        ("kind: stale, point: t", "takes `silent_s` or `frozen_s`"),
        ("kind: state, point: t, states: [open]", "needs a state, `t` is none; there is charging, door"),
        ("kind: event, point: door", "needs an event, `door` is none; there is sos"),
        ("kind: device_fault", "there is no `faults` and no `stop_reason`"),
        ('kind: state, point: door, states: [open], schedule: [{start: "08:00", end: "08:00"}]', ""),
        ("kind: threshold, point: t, above: 60, act: stop_charge", "does not allow it"),
    ],
)
def test_rules_that_make_no_sense_are_told_in_words(tmp_path: Path, rule: str, reason: str) -> None:
    assert any(reason in told for _, told in mistakes(sensor(rule), tmp_path))


SIGNS = "[{name: heat, kinds: [threshold]}, {name: smoke, faults: [smoke]}]"


@pytest.mark.parametrize(
    ("composite", "where", "reason"),
    [
        (f"id: fire, signs: {SIGNS}, spots: [shd]", "composites[0].spots[0]", "there is no spot `shd`; possible: shed"),
        (f"id: door, signs: {SIGNS}", "composites[0].id", "a rule `door` is there already"),
        (
            "id: fire, signs: [{name: a, devices: [s-2]}, {name: b, kinds: [sos]}]",
            "composites[0].signs[0].devices[0]",
            "there is no device or camera `s-2`; possible: s-1",
        ),
        ("id: fire, signs: [{name: a, kinds: [sos]}, {name: b}]", "composites[0].signs[1]", "a sign needs one of"),
        (f"id: fire, at_least: 3, signs: {SIGNS}", "composites[0]", "more than there are different signs"),
    ],
)
def test_composites_that_make_no_sense_are_told_in_words(
    tmp_path: Path, composite: str, where: str, reason: str
) -> None:
    text = sensor("id: door, kind: state, point: door, states: [open]") + f"composites: [{{{composite}}}]\n"
    assert any(place == where and reason in told for place, told in mistakes(text, tmp_path))


def test_a_composite_is_read(tmp_path: Path) -> None:
    assert mistakes(sensor() + f"composites: [{{id: fire, signs: {SIGNS}}}]\n", tmp_path) == []
