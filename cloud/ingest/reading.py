"""From bytes to messages. Pure: the same bytes always give the same answer."""

import re
from typing import Any
from uuid import UUID

from cloud.ingest.model import AnswerMessage, Arrival, HealthMessage, Item, Message, Reason, Refusal, StatusMessage
from edge.contract.answer import Answer
from edge.contract.birth import NodeStatus
from edge.contract.bodies import SHAPES
from edge.contract.envelope import decode
from edge.contract.errors import UnknownTopic, WireError
from edge.contract.health import NodeHealth
from edge.contract.topics import UPLINK, Channel, Topic, parse

_MESSAGE_ID = re.compile(rb'"id"\s*:\s*"([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})"')
_SEARCHED_BYTES = 1_024
_NUL, _REPLACEMENT = rb"\u0000", rb"\ufffd"
_STATES = frozenset({Channel.STATUS, Channel.HEALTH, Channel.ANSWER})


def read(arrival: Arrival) -> Item:
    """Decode and check what can be checked without the registry; never raises."""
    try:
        topic = parse(arrival.topic)
    except UnknownTopic as error:
        return Refusal(arrival, None, None, error.reason, "not a topic of a node")
    if topic.channel in _STATES:
        return _read_state(arrival, topic)
    if topic.channel not in UPLINK:
        return Refusal(arrival, topic, None, Reason.UNKNOWN_TOPIC, "nodes do not send on this channel")
    payload = without_nul(arrival.payload)
    try:
        envelope: Any = decode(payload, SHAPES[topic.channel])
    except WireError as error:
        return Refusal(arrival, topic, find_message_id(arrival.payload), error.reason, str(error)[:500])
    if envelope.node != topic.node:
        detail = f"the envelope names another node than the topic: {envelope.node}"
        return Refusal(arrival, topic, envelope.id, Reason.NODE_MISMATCH, detail)
    return Message(arrival, topic, envelope, mended=payload is not arrival.payload)


def _read_state(arrival: Arrival, topic: Topic) -> Item:
    """A state, or an answer to a command, has no envelope: nobody waits for an answer to it."""
    try:
        state: NodeStatus | NodeHealth | Answer = decode(without_nul(arrival.payload), SHAPES[topic.channel])
    except WireError as error:
        return Refusal(arrival, topic, None, error.reason, str(error)[:500])
    if state.node != topic.node:
        return Refusal(
            arrival, topic, None, Reason.NODE_MISMATCH, f"the message names another node than the topic: {state.node}"
        )
    if isinstance(state, NodeStatus):
        return StatusMessage(arrival, topic, state)
    if isinstance(state, Answer):
        return AnswerMessage(arrival, topic, state)
    return HealthMessage(arrival, topic, state)


def without_nul(payload: bytes) -> bytes:
    """The same JSON with U+FFFD in the place of each NUL: PostgreSQL holds none in a text, and no alarm is lost for one."""
    return payload.replace(_NUL, _REPLACEMENT) if _NUL in payload else payload


def find_message_id(payload: bytes) -> UUID | None:
    """The id near the beginning of a message that can't be read otherwise: without it the node would send it for ever."""
    match = _MESSAGE_ID.search(payload[:_SEARCHED_BYTES])
    return UUID(match[1].decode()) if match else None
