"""Every decoder of the wire under fuzz: any bytes give a value or a WireError, and what was read can be written and read again."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge.contract.bodies import SHAPES
from edge.contract.envelope import MAXIMUM_BYTES, Envelope, decode, encode
from edge.contract.errors import Malformed, Oversized, UnknownTopic, WireError
from edge.contract.incident import Incident
from edge.contract.telemetry import TelemetryBatch
from edge.contract.topics import Channel, Topic, parse
from tests.contract.samples import SAMPLES

CHANNELS = st.sampled_from(list(Channel))
REASONS = {"malformed", "oversized", "wrong_version"}

_WORDS = (
    "",
    "a\x00b",
    "\u202eabc",
    "x\ny",
    "../../etc",
    "'; drop table node --",
    "💥" * 300,
    "x" * 10_000,
    "\x1b[31m",
    "%s%n{0}",
)
_NUMBERS = (0, -1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 2**64, 10**400, 1e308, -1e308, 5e-324, -0.0, 0.5)
_TIMES = (
    "0001-01-01T00:00:00+14:00",
    "1969-12-31T23:59:59Z",
    "1970-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999-14:00",
    "9999-12-30T23:59:59Z",
    "2026-02-30T00:00:00Z",
    "2026-03-01T00:00:00",
    "2016-12-31T23:59:60Z",
    "2026-03-01T24:00:00Z",
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from((*_WORDS, *_NUMBERS, *_TIMES))
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def golden(channel: Channel) -> bytes:
    return encode(SAMPLES[channel.value.replace("/", "-")])


def read_or_refuse(payload: bytes, channel: Channel) -> None:
    """A value that can be written and read again, or a WireError with a known reason; anything else fails the test."""
    try:
        message = decode(payload, SHAPES[channel])
    except WireError as error:
        refused = error
        message = None
    if message is None:
        assert refused.reason in REASONS
        assert str(refused)
        return
    try:
        written = encode(message)
    except Oversized:
        return  # compact JSON can be longer than what was sent: 1e15 becomes 1000000000000000.0
    assert decode(written, SHAPES[channel]) == message


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document, as the way that leads there."""
    found = [path] if path else []
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        found += places(item, (*path, key))
    return found


def mutated(document: Any, data: st.DataObject) -> Any:
    """The document with one place replaced, removed, doubled, or wrapped."""
    path = data.draw(st.sampled_from(places(document)))
    parent = document
    for key in path[:-1]:
        parent = parent[key]
    match data.draw(st.sampled_from(["replace", "remove", "double", "wrap"])):
        case "replace":
            parent[path[-1]] = data.draw(TREES)
        case "remove":
            del parent[path[-1]]
        case "double" if isinstance(parent, list):
            parent.extend([parent[path[-1]]] * data.draw(st.sampled_from([1, 40, 700])))
        case _:
            parent[path[-1]] = [parent[path[-1]]]
    return document


@given(
    CHANNELS, st.binary(max_size=2_000) | st.text(max_size=500).map(lambda text: text.encode("utf-8", "surrogatepass"))
)
def test_any_bytes(channel: Channel, payload: bytes) -> None:
    with pytest.raises(WireError):
        decode(payload, SHAPES[channel])


@given(CHANNELS, TREES)
def test_any_json(channel: Channel, document: Any) -> None:
    read_or_refuse(json.dumps(document).encode(), channel)


@given(CHANNELS, st.data())
def test_golden_messages_with_changed_places(channel: Channel, data: st.DataObject) -> None:
    document = json.loads(golden(channel))
    for _ in range(data.draw(st.integers(1, 3))):
        if places(document):
            document = mutated(document, data)
    read_or_refuse(json.dumps(document).encode(), channel)


@given(CHANNELS, st.data())
def test_golden_messages_with_changed_bytes(channel: Channel, data: st.DataObject) -> None:
    payload = bytearray(golden(channel))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(payload)))
        match data.draw(st.sampled_from(["flip", "cut", "insert", "repeat"])):
            case "flip" if at < len(payload):
                payload[at] ^= 1 << data.draw(st.integers(0, 7))
            case "cut":
                del payload[at : at + data.draw(st.integers(1, 200))]
            case "insert":
                payload[at:at] = data.draw(st.binary(min_size=1, max_size=20))
            case _:
                payload[at:at] = payload[at : at + 100] * 3
    read_or_refuse(bytes(payload), channel)


@given(st.text(max_size=80))
@example("gw/1/110105/station-01/up/birth\n")
@example("gw/1/١١٠١٠٥/station-01/up/birth")
@example("gw/1/110105/+/up/birth")
@example("gw/1/110105/#")
@example("$share/x/gw/1/110105/a/up/birth")
def test_any_text_is_no_topic(text: str) -> None:
    with pytest.raises(UnknownTopic):
        parse(text)


@given(
    st.from_regex(r"[0-9]{6}", fullmatch=True),
    st.from_regex(r"[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?", fullmatch=True),
    CHANNELS,
)
def test_topics_are_read_as_they_were_built(district: str, node: str, channel: Channel) -> None:
    if district.isascii():
        assert parse(str(Topic(district, node, channel))) == Topic(district, node, channel)


NINES = b"9" * 250_000


@pytest.mark.parametrize(
    "payload",
    [
        b"[" * MAXIMUM_BYTES,
        b'{"v":' * (MAXIMUM_BYTES // 5),
        b'{"v":1,"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"v":1,"x":' + b'{"x":' * 40_000 + b"1" + b"}" * 40_000 + b"}",
        b'{"v":' + NINES + b"}",
        b'{"v":1,"seq":' + NINES + b"}",
        b'{"v":1,"seq":' + b"9" * 4_300 + b"}",
        b'{"v":1,"seq":-' + b"9" * 5_000 + b"}",
        b'{"v":1e' + NINES + b"}",
        b'{"v":0.' + NINES + b"}",
        b'{"v":1,"id":"' + b"\\u0041" * 40_000 + b'"}',
        b'{"v":1,"node":"' + b"\\ud83d" * 40_000 + b'"}',
        b'{"' + b"k" * 250_000 + b'":1}',
        b"{" + b'"v":1,' * 40_000 + b'"v":1}',
        b"\xff" * MAXIMUM_BYTES,
        b"\x00" * MAXIMUM_BYTES,
        b" " * MAXIMUM_BYTES,
        b"\xef\xbb\xbf{}",
    ],
    ids=lambda payload: f"{payload[:16]!r}…",
)
@pytest.mark.parametrize("channel", list(Channel))
@pytest.mark.timeout(30)
def test_the_largest_nonsense_is_refused(channel: Channel, payload: bytes) -> None:
    with pytest.raises(WireError):
        decode(payload, SHAPES[channel])


def telemetry(**changes: Any) -> bytes:
    document = json.loads(golden(Channel.TELEMETRY))
    document["body"].update(changes)
    return json.dumps(document, separators=(",", ":")).encode()


def column(times: list[Any], values: list[Any], flags: list[Any] | None = None) -> dict[str, Any]:
    return {"device": "d", "point": "p", "observed_at_us": times, "value": values, "flag": flags or []}


@pytest.mark.parametrize(
    "series",
    [
        [column([1, 2], [1.0])],
        [column([1], [1.0, 2.0])],
        [column([1], [1.0], [0, 0])],
        [column([-1], [1.0])],
        [column([253_402_300_800_000_000], [1.0])],
        [column([1], [1e101])],
        [column([1], [-1e308])],
        [column([1], ["1"])],
        [column([1], [None])],
        [column([1], [True])],
        [column([1.5], [1.0])],
        [column([1], [1.0], [256])],
        [column([1] * 5_001, [1] * 5_001)],
        [],
        "series",
        {"device": "d"},
    ],
)
def test_impossible_columns_are_refused(series: Any) -> None:
    with pytest.raises(Malformed):
        decode(telemetry(series=series, changes=[]), Envelope[TelemetryBatch])


def test_as_many_columns_as_a_message_holds_are_read() -> None:
    series = [{"device": "d", "point": f"p{number}", "observed_at_us": [1], "value": [1]} for number in range(3_500)]
    payload = telemetry(series=series, changes=[])
    assert len(payload) < MAXIMUM_BYTES
    assert len(decode(payload, Envelope[TelemetryBatch]).body.series) == 3_500
    with pytest.raises(Oversized):
        decode(telemetry(series=series * 300, changes=[]), Envelope[TelemetryBatch])


@pytest.mark.parametrize("field", ["started_at", "updated_at", "sent_at"])
@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00"])
def test_times_without_a_date_in_some_zone_are_refused(field: str, time: str) -> None:
    document = json.loads(golden(Channel.INCIDENT))
    (document if field in document else document["body"])[field] = time
    with pytest.raises(Malformed):
        decode(json.dumps(document).encode(), Envelope[Incident])


@pytest.mark.parametrize(("field", "holder"), [("seq", None), ("revision", "body")])
def test_ordinals_stay_within_what_every_table_holds(field: str, holder: str | None) -> None:
    for value, taken in ((1, True), (2**63 - 1, True), (2**63, False), (0, False), (-1, False)):
        document = json.loads(golden(Channel.INCIDENT))
        (document if holder is None else document[holder])[field] = value
        payload = json.dumps(document).encode()
        if taken:
            decode(payload, Envelope[Incident])
        else:
            with pytest.raises(Malformed):
                decode(payload, Envelope[Incident])
