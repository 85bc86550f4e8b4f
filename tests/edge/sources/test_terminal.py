import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.contract.incident import Severity
from edge.contract.telemetry import ReadingFlag
from edge.flow import Reading
from edge.settings import EventSettings, PointSettings, StateSettings, TerminalSettings
from edge.sources.mqtt_device import Said
from edge.sources.payload import LARGEST_PAYLOAD_BYTES, Refusal
from edge.sources.terminal import Terminal

NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


def terminal(kind: str = "sos", **more: Any) -> Terminal:
    return Terminal(TerminalSettings.model_validate({"id": "post-7", "kind": kind, **more}))


def said(payload: Any, *, retained: bool = False) -> Said:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Said("terminals/post-7", data, NOW, retained=retained)


def told(post: Terminal, payload: Any) -> dict[str, float | str]:
    return {reading.point: reading.value for reading in post.parse(said(payload)).readings}


def sos_of(post: Terminal, payload: Any, *, retained: bool = False) -> list[Reading]:
    readings = post.parse(said(payload, retained=retained)).readings
    return [reading for reading in readings if reading.point == "sos"]


def test_a_post_needs_its_id_and_kind_alone() -> None:
    post = terminal()
    assert post.topics == ("terminals/post-7",)
    assert post.patience_s == 180
    message = {
        "time": NOW.isoformat(),
        "heartbeat": 12,
        "battery_pct": 81,
        "network": "4g",
        "signal_dbm": -71,
        "sos": False,
    }
    assert told(post, message) == {"heartbeat": 12, "battery_pct": 81, "network": "4g", "signal_dbm": -71}
    parsed = post.parse(said(message))
    assert parsed.refusals == ()
    assert parsed.alive


@pytest.mark.parametrize(
    "pressed", [True, 1, "1", "pressed", "ALARM", "button-2", 17, {"button": 2}, [1], 0.5, "x" * 300]
)
def test_whatever_is_no_word_for_quiet_is_a_call_for_help(pressed: Any) -> None:
    (reading,) = sos_of(terminal(), {"sos": pressed})
    assert (reading.value, reading.is_event) == ("pressed", True)


@pytest.mark.parametrize("quiet", [False, 0, "", "0", "off", "None", " idle ", "released", 0.0, {}, [], None])
def test_quiet_is_no_call(quiet: Any) -> None:
    assert sos_of(terminal(), {"sos": quiet}) == []


def test_the_posts_own_word_stays_beside_it() -> None:
    (reading,) = sos_of(terminal(), {"sos": "button-2"})
    assert reading.raw_code == "button-2"


def test_states_of_alarm_have_one_word_whatever_the_maker_calls_them() -> None:
    gate = terminal("gate")
    assert told(gate, {"tamper": "case opened", "door_held_open": 1}) == {"tamper": "alarm", "door_held_open": "alarm"}
    assert told(gate, {"tamper": "OK", "door_held_open": False}) == {"tamper": "normal", "door_held_open": "normal"}
    assert told(gate, {"door": "open", "use_count": 9}) == {"door": "open", "use_count": 9}
    assert sos_of(gate, {"sos": True}) == []


def test_paths_and_points_follow_the_site() -> None:
    post = terminal(
        paths={"sos": "alarm.button", "battery_pct": "power.percent"},
        points=[{"name": "humidity_pct", "path": "env.h", "maximum": 100}],
    )
    message = {"alarm": {"button": 1}, "power": {"percent": 40}, "env": {"h": 55}}
    assert told(post, message) == {"sos": "pressed", "battery_pct": 40, "humidity_pct": 55}


def test_every_message_is_a_sign_of_life_and_a_heartbeat_need_not_count() -> None:
    post = terminal(heartbeat_s=30)
    for message in ({}, {"heartbeat": True}, {"heartbeat": "yes"}, {"anything": 1}):
        parsed = post.parse(said(message))
        assert parsed.alive
        assert (parsed.readings, parsed.refusals) == ((), ())
    assert post.patience_s == 90
    period = {point.name: point.period_s for point in post.settings.declared}
    assert period["heartbeat"] == 30


@pytest.mark.parametrize(
    ("payload", "refusal"),
    [
        (b"\xff", Refusal.MALFORMED),
        (b"[1]", Refusal.MALFORMED),
        (b"3", Refusal.MALFORMED),
        (b"[" * 9_000, Refusal.MALFORMED),
        (b'"' + b"x" * LARGEST_PAYLOAD_BYTES + b'"', Refusal.OVERSIZED),
    ],
)
def test_what_is_no_message_is_no_sign_of_life(payload: bytes, refusal: Refusal) -> None:
    parsed = terminal().parse(said(payload))
    assert not parsed.alive
    assert parsed.refusals == (refusal,)


def test_a_call_that_the_post_kept_for_an_hour_is_history_with_its_own_time() -> None:
    then = NOW - timedelta(hours=1)
    (reading,) = sos_of(terminal(), {"sos": True, "time": then.isoformat()})
    assert reading.observed_at == then
    assert ReadingFlag.REPLAYED in reading.flag


def test_a_call_that_the_broker_kept_is_history_where_nobody_knows_its_time() -> None:
    (unknown,) = sos_of(terminal(), {"sos": True}, retained=True)
    assert ReadingFlag.REPLAYED in unknown.flag
    (known,) = sos_of(terminal(), {"sos": True, "time": (NOW - timedelta(seconds=2)).timestamp()}, retained=True)
    assert ReadingFlag.REPLAYED not in known.flag


def test_a_call_is_answered_by_the_name_that_the_post_gave_it() -> None:
    post = terminal(message_id="seq")
    for name, expected in ((7, 7), ("a-7", "a-7"), (True, None), ("x" * 500, None), ({"x": 1}, None), (1 << 70, None)):
        message = said({"sos": 1, "seq": name})
        (answer,) = post.answers(message, post.parse(message).readings)
        assert answer.topic == "terminals/post-7/ack"
        assert json.loads(answer.payload) == {"acknowledged": "sos", "id": expected}
    beat = said({"heartbeat": 1, "seq": 8})
    assert post.answers(beat, post.parse(beat).readings) == ()
    kept = said({"sos": 1}, retained=True)
    assert post.answers(kept, post.parse(kept).readings) == ()


def test_a_kind_has_its_rules_and_a_configuration_may_have_others() -> None:
    rules = {rule.id: rule for rule in terminal().settings.standing_rules}
    assert set(rules) == {"sos", "tamper", "battery"}
    sos = rules["sos"]
    assert isinstance(sos, EventSettings)
    assert (sos.incident_kind, sos.severity) == ("sos", Severity.CRITICAL)
    gate = {rule.id: rule for rule in terminal("gate").settings.standing_rules}
    assert set(gate) == {"tamper", "door_held_open", "battery"}
    assert isinstance(gate["door_held_open"], StateSettings)
    assert terminal(rules=[]).settings.standing_rules == ()
    own = [{"kind": "event", "point": "sos", "severity": "high"}]
    assert len(terminal(rules=own).settings.standing_rules) == 1


def test_a_point_that_was_made_something_else_has_no_rule_by_itself() -> None:
    post = terminal(points=[PointSettings(name="sos", kind="state")])
    assert "sos" not in {rule.id for rule in post.settings.standing_rules}
    assert told(post, {"sos": "pressed"}) == {"sos": "pressed"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"paths": {"door": "x"}},
        {"points": [{"name": "a"}, {"name": "a"}]},
        {"points": [{"name": "presence", "kind": "state"}]},
        {"topic": "terminals/+/x"},
        {"topic": "a/ack", "ack_topic": "a/ack"},
        {"topic": "a", "further_topics": ["a/ack"]},
        {"kind": "toaster"},
        {"heartbeat_s": 0},
    ],
)
def test_a_terminal_that_contradicts_itself_is_a_mistake(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"terminal|TerminalSettings"):
        terminal(**{"kind": "sos", **wrong})


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
names = st.sampled_from([point.name for point in terminal("gate").settings.declared] + ["sos", "time", "id"])


@given(st.sampled_from(["kiosk", "sos", "gate"]), st.dictionaries(names, anything, max_size=8), st.booleans())
def test_whatever_a_terminal_says_is_a_declared_reading_or_a_reason(
    kind: str, message: dict[str, Any], kept: bool
) -> None:
    post = terminal(kind)
    data = json.dumps(message).encode(errors="surrogatepass")
    parsed = post.parse(said(data, retained=kept))
    declared = {point.name: point for point in post.settings.declared}
    for reading in parsed.readings:
        point = declared[reading.point]
        assert isinstance(reading.value, str) == (point.kind != "number")
        assert reading.is_event == (point.kind == "event")
        assert not isinstance(reading.value, str) or len(reading.value) <= 200
    assert len(parsed.readings) <= len(declared)
    for answer in post.answers(said(data, retained=kept), parsed.readings):
        assert len(answer.payload) < 1_500


@given(st.binary(max_size=200))
def test_bytes_that_are_no_json_raise_nothing(payload: bytes) -> None:
    post = terminal()
    parsed = post.parse(said(payload))
    post.answers(said(payload), parsed.readings)
