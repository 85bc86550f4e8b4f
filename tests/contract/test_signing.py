"""Signatures: what was signed can be read again by whoever has the key, and nothing else passes for it."""

import base64
import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from edge.contract import signing
from edge.contract.downlink import Command, command_statement
from edge.contract.envelope import decode, encode
from edge.contract.incident import signature_of, signed_incident
from tests.contract.samples import INCIDENT

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
AT = datetime(2026, 3, 1, 2, 3, 4, 567890, tzinfo=UTC)
COMMAND = Command(
    command_id=UUID("019530b4-0000-7000-8000-00000000000c"),
    node="station-01",
    session=UUID("019530b4-0000-7000-8000-000000000001"),
    issued_at=AT,
    deadline=AT + timedelta(seconds=20),
    name="stop",
    device="pile-01",
    arguments={"connector": 1, "why": "过热", "limit": 60.5},
)

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 53), 1 << 53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(alphabet=st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


def test_the_bytes_are_those_that_another_language_would_write() -> None:
    signed = signing.statement("proof", {"b": AT, "a": [1, "门", None], "c": UUID(int=1), "d": b"\x00"})
    assert signed.decode() == (
        'gridward/1 proof\n{"a":[1,"门",null],"b":"2026-03-01T02:03:04.567890+00:00",'
        '"c":"00000000-0000-0000-0000-000000000001","d":"AA=="}'
    )
    east = AT.astimezone(timezone(timedelta(hours=8)))
    assert signing.statement("proof", {"b": east}) == signing.statement("proof", {"b": AT})


def test_what_has_no_canonical_form_is_not_signed() -> None:
    for value in (math.nan, math.inf):
        with pytest.raises(ValueError, match="JSON"):
            signing.statement("proof", {"a": value})
    with pytest.raises(TypeError):
        signing.statement("proof", {"a": object()})


def test_a_signature_is_of_one_key_one_purpose_and_one_content() -> None:
    signed = signing.statement("proof", {"a": 1})
    signature = signing.sign(KEY, signed)
    keys = [signing.public_bytes(OTHER), signing.public_bytes(KEY)]
    assert signing.is_signed(signed, signature, keys)
    assert not signing.is_signed(signed, signature, keys[:1])
    assert not signing.is_signed(signing.statement("command", {"a": 1}), signature, keys)
    assert not signing.is_signed(signing.statement("proof", {"a": 2}), signature, keys)


@given(st.text(max_size=200) | st.none())
def test_what_is_no_signature_is_none_and_breaks_nothing(signature: str | None) -> None:
    assert not signing.is_signed(b"gridward/1 proof\n{}", signature, [signing.public_bytes(KEY), b"short", b""])


def test_keys_travel_and_have_a_fingerprint() -> None:
    public = signing.public_bytes(KEY)
    assert signing.key_of(signing.key_text(public)) == public
    assert msgspec.convert(signing.key_text(public), signing.PublicKey) == signing.key_text(public)
    assert len(signing.fingerprint(public)) == 64
    for text in ("", "AA==", "!" * 44, base64.b64encode(bytes(33)).decode(), signing.key_text(public) + "\n"):
        with pytest.raises(ValueError, match="32 bytes"):
            signing.key_of(text)


@given(st.dictionaries(st.text(max_size=8), VALUES, max_size=4))
def test_a_command_is_the_same_statement_after_its_journey(arguments: dict[str, Any]) -> None:
    sent = msgspec.structs.replace(COMMAND, arguments=arguments)
    assert command_statement(decode(encode(sent), Command)) == command_statement(sent)


@pytest.mark.parametrize(
    "changed",
    [
        {"node": "station-02"},
        {"session": UUID(int=7)},
        {"command_id": UUID(int=7)},
        {"issued_at": AT + timedelta(microseconds=1)},
        {"deadline": AT + timedelta(days=7)},
        {"name": "reset"},
        {"device": None},
        {"arguments": {"connector": 2, "why": "过热", "limit": 60.5}},
    ],
    ids=str,
)
def test_no_part_of_a_command_can_be_changed(changed: dict[str, Any]) -> None:
    signature = signing.sign(KEY, command_statement(COMMAND))
    keys = [signing.public_bytes(KEY)]
    assert signing.is_signed(command_statement(COMMAND), signature, keys)
    assert not signing.is_signed(command_statement(msgspec.structs.replace(COMMAND, **changed)), signature, keys)


def test_an_incident_is_signed_as_it_travels_and_whoever_does_not_know_all_of_it_can_verify() -> None:
    bare = msgspec.structs.replace(INCIDENT, sig=None)
    signed = signed_incident(INCIDENT, lambda content: signing.sign(KEY, content))
    body = msgspec.json.encode(signed)
    content, signature = signature_of(body)
    assert content == b"gridward/1 incident\n" + msgspec.json.encode(bare)
    keys = [signing.public_bytes(KEY)]
    assert signing.is_signed(content, signature, keys)
    newer = body.replace(b'"kind":', b'"something_new":[1,"}"],"kind":', 1)
    newer_content, _ = signature_of(newer)
    resigned = newer.replace(str(signature).encode(), signing.sign(KEY, newer_content).encode())
    assert signing.is_signed(*signature_of(resigned), keys)
    assert not signing.is_signed(*signature_of(newer), keys)


def test_a_changed_byte_a_cut_signature_or_another_key_does_not_pass() -> None:
    body = msgspec.json.encode(signed_incident(INCIDENT, lambda content: signing.sign(KEY, content)))
    keys = [signing.public_bytes(KEY)]
    for place in range(len(body)):
        changed = bytearray(body)
        changed[place] ^= 1
        assert not signing.is_signed(*signature_of(bytes(changed)), keys)
    assert not signing.is_signed(*signature_of(body), [signing.public_bytes(OTHER)])
    assert signature_of(msgspec.json.encode(signed_incident(INCIDENT, None)))[1] is None


def test_the_signature_of_an_earlier_revision_is_never_kept() -> None:
    signed = signed_incident(INCIDENT, lambda content: signing.sign(KEY, content))
    assert signed_incident(signed, None).sig is None
