"""What a node must not send, by name, with the reason under which it has to be counted.

A reason of None means that the message is taken in: it looks bad and is not, or it is mended.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from edge.contract.birth import Device, Point
from edge.contract.envelope import MAXIMUM_BYTES, encode
from edge.contract.telemetry import StateChange, to_microseconds
from edge.contract.topics import Channel
from tests.fakes.node import AT, CHANNELS, FakeNode, batch, birth, column, gap, incident, new_id

DEVICE = Device(id="sensor-01", kind="sensor", points=(Point(name="temperature"),))
_BEHIND: dict[str, Any] = {"id": "sensor-01", "kind": "sensor", "points": [{"name": "temperature"}]}
AT_US = to_microseconds(AT)
WORDS = {
    "sql": "'; drop table node; --",
    "path": "../../../etc/passwd",
    "right_to_left": "\u202egnp.exe",
    "line_break": "fine\nERROR root logged in",
    "terminal": "\x1b]0;owned\x07\x1b[2J",
    "markup": "<img src=x onerror=alert(1)>",
    "format": "%s%n{0.__class__}${jndi:ldap://x}",
    "long": "x" * 10_000,
    "empty": "",
    "wildcard": "+/#",
}


@dataclass(frozen=True, slots=True)
class Hostile:
    """One message; `message_id` where the node can be told of it."""

    name: str
    channel: Channel
    payload: bytes
    reason: str | None
    message_id: UUID | None = None


def hostile_messages(node: FakeNode) -> list[Hostile]:
    """Everything here, freshly numbered."""
    return [*_bytes(node), *_envelopes(node), *_telemetry(node), *_others(node), *_names(node), *_answers(node)]


def _made(name: str, node: FakeNode, body: Any, change: tuple[str, Any], reason: str | None) -> Hostile:
    """A good message with another value in one place, as in `body.changes.0.value`."""
    document = json.loads(encode(node.envelope(body)))
    message_id = UUID(document["id"])
    place, value = change
    *way, last = place.split(".")
    holder = document
    for key in way:
        holder = holder[int(key) if isinstance(holder, list) else key]
    holder[last] = value
    payload = json.dumps(document, separators=(",", ":")).encode()
    return Hostile(name, CHANNELS[type(body)], payload, reason, message_id)


def _bytes(node: FakeNode) -> Iterator[Hostile]:
    payload = encode(node.envelope(batch(column([1.0]))))
    for name, changed, reason in (
        ("no bytes", b"", "malformed"),
        ("one brace", b"{", "malformed"),
        ("a byte order mark", b"\xef\xbb\xbf" + payload, "malformed"),
        ("UTF-16", payload.decode().encode("utf-16"), "malformed"),
        ("no UTF-8", b"\xff\xfe" * 200, "malformed"),
        ("zeros", bytes(5_000), "malformed"),
        ("cut", payload[:-3], "malformed"),
        ("twice in one", payload * 2, "malformed"),
        ("deep lists", b"[" * 100_000, "malformed"),
        ("deep objects", b'{"x":' * 40_000 + b"1" + b"}" * 40_000, "malformed"),
        ("deep in an unknown field", payload[:-1] + b',"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "malformed"),
        ("a number of 200,000 digits", payload[:-1] + b',"seq":' + b"9" * 200_000 + b"}", "malformed"),
        ("NaN", payload.replace(b"1.0", b"NaN"), "malformed"),
        ("infinity", payload.replace(b"1.0", b"Infinity"), "malformed"),
        ("beyond a double", payload.replace(b"1.0", b"1e999"), "malformed"),
        ("a lone surrogate", payload[:-1] + b',"x":"\\ud800"}', "malformed"),
        ("a raw surrogate", payload.replace(b"sensor-01", b"sensor-\xed\xa0\x80"), "malformed"),
        ("too long", payload + b" " * MAXIMUM_BYTES, "oversized"),
        ("another version", payload.replace(b'"v":1', b'"v":2'), "wrong_version"),
        ("another version of nothing", b'{"v":99}', "wrong_version"),
    ):
        yield Hostile(name, Channel.TELEMETRY, changed, reason)


def _envelopes(node: FakeNode) -> Iterator[Hostile]:
    for name, field, value, reason in (
        ("another node", "node", "somebody-else", "node_mismatch"),
        ("no node", "node", "", "malformed"),
        ("seq 0", "seq", 0, "malformed"),
        ("a negative seq", "seq", -1, "malformed"),
        ("seq 2^63", "seq", 2**63, "malformed"),
        ("a fraction as seq", "seq", 1.5, "malformed"),
        ("seq as text", "seq", "1", "malformed"),
        ("no lane", "lane", "express", "malformed"),
        ("no session", "session", "none", "malformed"),
        ("sent in the year 1", "sent_at", "0001-01-01T00:00:00+14:00", "malformed"),
        ("sent after the year 9999", "sent_at", "9999-12-31T23:59:59-14:00", "malformed"),
        ("sent at no zone", "sent_at", "2026-03-01T00:00:00", "malformed"),
        ("sent at a number", "sent_at", 1_772_330_584, "malformed"),
        ("no body", "body", None, "malformed"),
        ("a list as body", "body", [], "malformed"),
        ("an unknown field", "added_later", {"x": [1]}, None),
        ("seq 2^63 - 1", "seq", 2**63 - 1, None),
    ):
        yield _made(name, node, batch(column([1.0])), (field, value), reason)


def _telemetry(node: FakeNode) -> Iterator[Hostile]:
    def column_of(times: Any, values: Any, **more: Any) -> dict[str, Any]:
        return {"device": "sensor-01", "point": "temperature", "observed_at_us": times, "value": values, **more}

    stranger = {"device": "never-declared", "point": "p", "observed_at_us": [], "value": []}
    for name, series, reason in (
        ("columns of unequal length", [column_of([AT_US], [1.0, 2.0])], "malformed"),
        ("flags of another length", [column_of([AT_US], [1.0], flag=[0, 0])], "malformed"),
        ("a text as value", [column_of([AT_US], ["1"])], "malformed"),
        ("no value", [column_of([AT_US], [None])], "malformed"),
        ("a huge value", [column_of([AT_US], [1e308])], "malformed"),
        ("a time before 1970", [column_of([-1], [1.0])], "malformed"),
        ("a time after 9999", [column_of([10**18], [1.0])], "malformed"),
        ("a fraction of a microsecond", [column_of([0.5], [1.0])], "malformed"),
        ("too many readings", [column_of([AT_US] * 5_001, [1] * 5_001)], "malformed"),
        ("nothing at all", [], "malformed"),
        ("a million columns", [column_of([AT_US], [1])] * 20_000, "oversized"),
        ("an empty column of a stranger", [column_of([AT_US], [1.0]), stranger], None),
        ("times of a broken clock", [column_of([0, 253_402_300_799_999_999], [1.0, 2.0])], None),
        ("one time a thousand times", [column_of([AT_US] * 1_000, [1.0] * 1_000)], None),
    ):
        yield _made(name, node, batch(column([1.0])), ("body", {"series": series}), reason)


def _others(node: FakeNode) -> Iterator[Hostile]:
    for name, body, field, value, reason in (
        ("revision 0", incident(), "revision", 0, "malformed"),
        ("revision 2^63", incident(), "revision", 2**63, "malformed"),
        ("ended without an end", incident(), "state", "ended", "malformed"),
        ("an unknown state", incident(), "state", "maybe", "malformed"),
        ("an unknown severity", incident(), "severity", "apocalyptic", "malformed"),
        ("confidence of 2", incident(), "confidence", 2, "malformed"),
        ("a track without end", incident(), "track", [[AT_US, 0, 0, 1, 1]] * 601, "malformed"),
        ("a track outside of the picture", incident(), "track", [[AT_US, -1, 0, 1, 1]], "malformed"),
        ("a hash with a line break", incident(), "prev_hash", "a" * 64 + "\n", "malformed"),
        ("a note with NUL", incident(), "note", "fire\x00in the hall", None),
        ("views without end", incident(), "views", [{"camera": f"cam-{n}"} for n in range(9)], "malformed"),
        ("a view of no camera", incident(), "views", [{"captured_at": "2026-03-01T08:00:00Z"}], "malformed"),
        (
            "a view from before time",
            incident(),
            "views",
            [{"camera": "c", "captured_at": "0001-01-01T00:00:00Z"}],
            "malformed",
        ),
        ("a view of a file that is none", incident(), "views", [{"camera": "c", "evidence": ["x"]}], "malformed"),
        ("a view with a made up reason", incident(), "views", [{"camera": "c", "absence": "../.."}], "malformed"),
        (
            "fewer than nobody",
            incident(),
            "views",
            [{"camera": "c", "counts": [{"label": "person", "count": -1}]}],
            "malformed",
        ),
        (
            "counts without end",
            incident(),
            "views",
            [{"camera": "c", "counts": [{"label": "a", "count": 1}] * 65}],
            "malformed",
        ),
        (
            "a view that comes from the future",
            incident(),
            "views",
            [{"camera": "c", "captured_at": "9998-01-01T00:00:00Z"}],
            None,
        ),
        ("a view that names files of others", incident(), "views", [{"camera": "c", "evidence": ["ab" * 32]}], None),
        ("a code with NUL", incident(), "raw_code", "E\x00A", None),
        ("a device behind what is no name", birth(DEVICE), "devices", [_BEHIND | {"behind": "../.."}], "malformed"),
        ("a device behind itself", birth(DEVICE), "devices", [_BEHIND | {"behind": "sensor-01"}], None),
        ("an artifact without a hash", birth(DEVICE), "artifacts", [_RUNS | {"sha256": "zz"}], "malformed"),
        ("an artifact that runs twice", birth(DEVICE), "artifacts", [_RUNS, _RUNS], None),
        ("a version with NUL", birth(DEVICE), "artifacts", [_RUNS | {"version": "1\0"}], None),
        ("65 artifacts", birth(DEVICE), "artifacts", [_RUNS] * 65, "malformed"),
        ("a step in a state of its own", birth(DEVICE), "steps", [_STEP | {"state": "dancing", "code": "why"}], None),
        ("a step of nobody's order", birth(DEVICE), "steps", [_STEP | {"desired_id": str(new_id())}], None),
        ("a step of the year 1", birth(DEVICE), "steps", [_STEP | {"at": "0001-01-01T00:00:00+14:00"}], "malformed"),
        ("a profile with NUL", birth(DEVICE), "devices", [{"id": "d", "kind": "x", "profile": "a\0b"}], None),
        ("a count of 2^70", incident(), "count", 2**70, None),
        ("a gap that runs backwards", gap(), "to_at", "1990-01-01T00:00:00Z", "malformed"),
        ("a gap of 2^63", gap(), "count", 2**63, "malformed"),
        ("a gap for no reason", gap(), "reason", "dog ate it", "malformed"),
        ("501 devices", birth(DEVICE), "devices", [{"id": f"d{n}", "kind": "x"} for n in range(501)], "malformed"),
        (
            "201 points",
            birth(DEVICE),
            "devices",
            [{"id": "d", "kind": "x", "points": [{"name": "p"}] * 201}],
            "malformed",
        ),
    ):
        yield _made(name, node, body, (f"body.{field}", value), reason)
    change = StateChange(device="sensor-01", point="door", observed_at=AT, value="open")
    changed = batch(column([1.0]), changes=[change])
    for name, value in (
        ("a state after 9999", "9999-12-31T23:59:59-14:00"),
        ("a state of the year 1", "0001-01-01T00:00:00+14:00"),
    ):
        yield _made(name, node, changed, ("body.changes.0.observed_at", value), "malformed")


_RUNS = {"artifact": "profile", "name": "x", "version": "1.0.0", "sha256": "ab" * 32}
_STEP = _RUNS | {"state": "trying", "at": "2026-03-01T00:00:00Z"}


def _names(node: FakeNode) -> Iterator[Hostile]:
    """Words in the place of names are refused; in the place of texts they are texts, up to their length."""
    for kind, word in WORDS.items():
        for place in ("body.device", "body.kind", "node"):
            yield _made(f"{kind} as {place}", node, incident(), (place, word), "malformed")
        yield _made(f"{kind} as note", node, incident(), ("body.note", word), "malformed" if len(word) > 500 else None)


def _answers(node: FakeNode) -> Iterator[Hostile]:
    """Answers to commands that nobody gave, or of another shape than answers have."""
    good: dict[str, Any] = {
        "v": 1,
        "command_id": str(new_id()),
        "node": node.name,
        "session": str(node.session),
        "at": "2026-03-01T08:00:00Z",
        "outcome": "done",
        "result": {"lines": []},
    }
    for name, fields, reason in (
        ("an answer to nobody", {}, None),
        ("an answer with NUL", {"result": {"a\x00b": "c\x00d"}, "reason": "\x00"}, None),
        ("an answer of another session", {"session": str(new_id())}, None),
        ("an answer with a huge number", {"result": {"x": 10**40, "y": 1e308}}, None),
        ("an answer from the year 1", {"at": "0001-01-01T00:00:00+14:00"}, "malformed"),
        ("an answer in the name of another", {"node": "somebody-else"}, "node_mismatch"),
        ("an answer without outcome", {"outcome": "maybe"}, "malformed"),
        ("a list as result", {"result": [1]}, "malformed"),
        ("a long reason", {"reason": "x" * 501}, "malformed"),
        ("an answer that is too long", {"result": {"x": "y" * MAXIMUM_BYTES}}, "oversized"),
        ("an answer to no command", {"command_id": "none"}, "malformed"),
        ("an answer of another version", {"v": 2}, "wrong_version"),
    ):
        yield Hostile(name, Channel.ANSWER, json.dumps(good | fields, separators=(",", ":")).encode(), reason)
