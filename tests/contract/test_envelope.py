"""Reading hostile bytes, and writing what can be read back."""

import json
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.contract.bodies import SHAPES
from edge.contract.envelope import MAXIMUM_BYTES, Envelope, decode, encode
from edge.contract.errors import Malformed, Oversized, WireError, WrongVersion
from edge.contract.fields import uuid7
from edge.contract.incident import Incident, IncidentState
from edge.contract.telemetry import SeriesColumn, StateChange, TelemetryBatch, from_microseconds, to_microseconds
from edge.contract.topics import Channel
from tests.contract.samples import AT, INCIDENT, SAMPLES, enveloped

WIRE = encode(SAMPLES["up-incident"])


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        (b"", Malformed),
        (b"{", Malformed),
        (b"\xff\xfe", Malformed),
        (b"[" * 100_000, Malformed),
        (b'{"v":1}', Malformed),
        (WIRE.replace(b'"v":1', b'"v":2'), WrongVersion),
        (b'{"v":2}', WrongVersion),
        (WIRE.replace(b'"station-01"', b'"../etc"'), Malformed),
        (WIRE.replace(b'"station-01"', b'"a/b"'), Malformed),
        (WIRE.replace(b'"station-01"', b'"\'; drop table node"'), Malformed),
        (WIRE.replace(b'"station-01"', b'"station-01\\n"'), Malformed),
        (WIRE.replace(b'"loitering"', b'"loitering\\n"'), Malformed),
        (WIRE.replace(b'"image/jpeg"', b'"image/jpeg\\n"'), Malformed),
        (WIRE.replace(b"ab" * 32, b"ab" * 32 + b"\\n"), Malformed),
        (WIRE.replace(b'"seq":7', b'"seq":0'), Malformed),
        (WIRE.replace(b'"confidence":0.75', b'"confidence":1e999'), Malformed),
        (WIRE.replace(b"02:03:04.567890Z", b"02:03:04.567890"), Malformed),
        (b" " * (MAXIMUM_BYTES + 1), Oversized),
    ],
)
def test_bad_bytes_raise_their_own_error(payload: bytes, error: type[WireError]) -> None:
    with pytest.raises(error):
        decode(payload, Envelope[Incident])


@pytest.mark.parametrize("name", ["down-ack", "down-command", "down-desired", "status"])
def test_flat_messages_of_another_version_are_refused(name: str) -> None:
    payload = json.dumps(json.loads(encode(SAMPLES[name])) | {"v": 9}).encode()
    with pytest.raises(WrongVersion):
        decode(payload, type(SAMPLES[name]))


@given(st.binary(max_size=2_000))
def test_no_bytes_raise_anything_but_a_wire_error(payload: bytes) -> None:
    for shape in SHAPES.values():
        with pytest.raises(WireError):
            decode(payload, shape)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)


@given(st.sampled_from(list(Channel)), st.data())
def test_a_changed_field_is_read_or_refused_never_a_crash(channel: Channel, data: st.DataObject) -> None:
    document = json.loads(encode(SAMPLES[channel.value.replace("/", "-")]))
    target = document.get("body", document) if data.draw(st.booleans()) else document
    target[data.draw(st.sampled_from(sorted(target)))] = data.draw(JSON)
    try:
        decode(json.dumps(document).encode(), SHAPES[channel])
    except WireError as error:
        assert error.reason in {"malformed", "wrong_version", "oversized"}  # noqa: PT017


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9999, 1, 1)))  # noqa: DTZ001
def test_microseconds_are_exact_both_ways(naive: datetime) -> None:
    instant = naive.replace(tzinfo=UTC)
    assert from_microseconds(to_microseconds(instant)) == instant


def test_what_is_too_long_is_not_written() -> None:
    column = SeriesColumn(device="a", point="b", observed_at_us=[10**17] * 5_000, value=[-1e-300 / 3] * 5_000)
    assert len(encode(TelemetryBatch(series=[column]))) < MAXIMUM_BYTES
    change = StateChange(device="a", point="b", observed_at=AT, value="x" * 500)
    with pytest.raises(Oversized):
        encode(TelemetryBatch(changes=[change] * 1_000))


def test_impossible_incidents_are_refused() -> None:
    good = json.loads(encode(enveloped(INCIDENT, SAMPLES["up-incident"].lane)))
    for change in ({"state": "open"}, {"ended_at": "2020-01-01T00:00:00Z"}, {"ended_at": None}):
        bad = json.dumps(good | {"body": good["body"] | change}).encode()
        with pytest.raises(Malformed):
            decode(bad, Envelope[Incident])
    assert IncidentState.ENDED.value == "ended"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"series": [{"device": "a", "point": "b", "observed_at_us": [1, 2], "value": [1.0]}]},
        {"series": [{"device": "a", "point": "b", "observed_at_us": [1], "value": [1.0], "flag": [0, 0]}]},
        {"series": [{"device": "a", "point": "b", "observed_at_us": [-1], "value": [1.0]}]},
        {"series": [{"device": "a", "point": "b", "observed_at_us": [1], "value": [None]}]},
    ],
)
def test_crooked_batches_are_refused(body: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        decode(json.dumps(body).encode(), TelemetryBatch)


@given(st.integers(min_value=0, max_value=2**48 - 1), st.binary(min_size=10, max_size=10))
def test_uuid7_has_its_version_and_variant_and_sorts_by_time(unix_ms: int, noise: bytes) -> None:
    made = uuid7(unix_ms, random_bytes=lambda _: noise)
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert made.int >> 80 == unix_ms
    assert isinstance(UUID(str(made)), UUID)
    assert AT.tzinfo is UTC


def test_a_correction_of_the_clock_is_told_only_where_there_is_one() -> None:
    plain = SAMPLES["up-incident"]
    assert b"clock_correction_s" not in encode(plain)
    corrected = msgspec.structs.replace(plain, clock_correction_s=-86_400.25)
    assert decode(encode(corrected), Envelope[Incident]).clock_correction_s == -86_400.25
    with pytest.raises(Malformed):
        decode(encode(plain).replace(b'"historical"', b'"clock_correction_s":1e300,"historical"'), Envelope[Incident])
