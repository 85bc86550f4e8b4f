"""What comes down and should not: nothing of it stops the node, moves what waits, or acts."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.contract.downlink import Ack, Command, DesiredProfile, Outcome, Result
from edge.contract.envelope import MAXIMUM_BYTES, encode
from edge.contract.errors import WireError
from edge.contract.fields import uuid7
from edge.contract.topics import Channel
from edge.outbox.store import Counter
from edge.uplink.downlink import CommandDesk
from tests.edge.records import reading
from tests.edge.uplink.test_publisher import NODE, Rig, rig
from tests.edge.waiting import wait_until

__all__ = ["rig"]

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
SESSION = uuid7(1)
ACK = Ack(node=NODE, sent_at=AT, results=(Result(id=uuid7(2), outcome=Outcome.ACCEPTED),))
COMMAND = Command(
    command_id=uuid7(3), node=NODE, session=SESSION, issued_at=AT, deadline=AT + timedelta(minutes=1), name="reboot"
)
DESIRED = DesiredProfile(node=NODE, profile="node-station", version="2", sha256="ab" * 32, sig="x")
SHAPES = {Channel.ACK: ACK, Channel.COMMAND: COMMAND, Channel.DESIRED: DESIRED}


def changed(message: Any, **fields: Any) -> bytes:
    return json.dumps(json.loads(encode(message)) | fields).encode()


def unreadable() -> Iterator[tuple[Channel, bytes]]:
    for channel, message in SHAPES.items():
        good = encode(message)
        yield from (
            (channel, payload)
            for payload in (
                b"{",
                good[:-1],
                good * 2,
                b"\xff" * 100,
                bytes(1_000),
                b"[" * 100_000,
                b'{"x":' * 40_000,
                good + b" " * MAXIMUM_BYTES,
                changed(message, v=2),
                changed(message, v="1"),
                changed(message, node="../x"),
                changed(message, node=None),
            )
        )
    yield Channel.ACK, changed(ACK, node="another")
    yield Channel.ACK, changed(ACK, results=[])
    yield Channel.ACK, changed(ACK, results=[{"id": str(uuid7(1)), "outcome": "accepted"}] * 1_001)
    yield Channel.ACK, changed(ACK, results=[{"id": str(uuid7(1)), "outcome": "perhaps"}])
    yield Channel.ACK, changed(ACK, sent_at="0001-01-01T00:00:00+14:00")
    yield Channel.COMMAND, changed(COMMAND, deadline="9999-12-31T23:59:59-14:00")
    yield Channel.COMMAND, changed(COMMAND, name="rm -rf /")


def test_hostile_messages_from_above_change_nothing(rig: Rig) -> None:
    rig.cloud.answer = lambda _envelope: None
    publisher = rig.publish()
    rig.outbox.readings([reading(number) for number in range(10)])
    wait_until(lambda: rig.cloud.sent, "a message under way")
    sent_id = rig.cloud.sent[0].id
    bad = list(unreadable())
    for channel, payload in bad:
        rig.cloud.send_down(payload, channel.value)
    rig.cloud.send_down(b"", Channel.ACK.value)
    for outcome in Outcome:
        rig.cloud.acknowledge([uuid7(number) for number in range(100)], outcome, "no such message")
    rig.cloud.send_down(encode(COMMAND), Channel.COMMAND.value)
    rig.cloud.send_down(encode(DESIRED), Channel.DESIRED.value)
    wait_until(lambda: publisher.figures.unreadable >= len(bad) + 1, "each counted")
    assert rig.count(Counter.READINGS_DELIVERED) == 0
    assert not rig.settled()
    rig.cloud.answer = lambda _envelope: Outcome.ACCEPTED
    rig.cloud.acknowledge([sent_id], Outcome.ACCEPTED)
    wait_until(rig.settled, "what was good is settled")
    assert rig.count(Counter.READINGS_DELIVERED) == 10
    assert rig.outbox.dead_letters() == []


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"node": "another"}, "other_node"),
        ({"session": str(uuid7(99))}, "other_session"),
        ({"deadline": "2026-03-01T11:59:59Z"}, "too_late"),
        ({"deadline": "1970-01-01T00:00:00Z"}, "too_late"),
        ({"arguments": {"x": [None, {"y": "\u0000"}]}}, "unsupported"),
        ({}, "unsupported"),
    ],
)
def test_commands_are_refused_with_their_reason(fields: dict[str, Any], reason: str) -> None:
    desk = CommandDesk(NODE, SESSION, clock=lambda: AT)
    desk.receive(Channel.COMMAND, changed(COMMAND, **fields))
    assert desk.refusals == {reason: 1}


@given(st.sampled_from([Channel.COMMAND, Channel.DESIRED]), st.binary(max_size=300))
def test_no_bytes_make_the_desk_fail(channel: Channel, payload: bytes) -> None:
    with pytest.raises(WireError):
        CommandDesk(NODE, UUID(int=0), clock=lambda: AT).receive(channel, payload)
