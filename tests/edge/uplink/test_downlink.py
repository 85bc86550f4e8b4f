"""What comes down and should not: nothing of it stops the node, moves what waits, or acts."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contract.answer import Answer, AnswerOutcome, Refusal
from edge.contract.downlink import Ack, Command, DesiredProfile, Outcome, Result, command_statement
from edge.contract.envelope import MAXIMUM_BYTES, encode
from edge.contract.errors import WireError
from edge.contract.fields import uuid7
from edge.contract.signing import public_bytes, sign
from edge.contract.topics import Channel
from edge.outbox.store import Counter
from edge.uplink.downlink import REMEMBERED, CommandDesk, Finish
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


class Worker:
    """Takes commands and carries them out when the test says so."""

    def __init__(self, places: int = 2) -> None:
        self.places = places
        self.waiting: list[tuple[Command, Finish]] = []
        self.carried_out: list[UUID] = []

    def take(self, command: Command, finish: Finish) -> bool:
        if len(self.waiting) == self.places:
            return False
        self.waiting.append((command, finish))
        return True

    def work(self, size: int = 3) -> None:
        if self.waiting:
            command, finish = self.waiting.pop(0)
            self.carried_out.append(command.command_id)
            finish(AnswerOutcome.DONE, None, {"x": "y" * size, "n": len(self.carried_out)})


class Told:
    """A desk with its clock, its worker and what it says."""

    def __init__(self) -> None:
        self.now, self.linked = AT, True
        self.worker = Worker()
        self.answers: list[Answer] = []
        self.desk = CommandDesk(
            NODE, SESSION, clock=lambda: self.now, names=["log_tail"], start=self.worker.take, tell=self._hear
        )

    def _hear(self, answer: Answer) -> bool:
        if self.linked:
            self.answers.append(answer)
        return self.linked

    def ask(self, number: int = 3, **fields: Any) -> list[tuple[str, str | None]]:
        """Let a command arrive; what is said to it at once."""
        before = len(self.answers)
        asked = {"name": "log_tail", "command_id": str(uuid7(number, random_bytes=bytes))} | fields
        self.desk.receive(Channel.COMMAND, changed(COMMAND, **asked))
        return [(answer.outcome.value, answer.reason) for answer in self.answers[before:]]


def test_a_command_is_carried_out_once_and_answered_the_same_again() -> None:
    told = Told()
    assert told.ask() == [("taken", None)]
    assert told.ask() == [("taken", None)]
    told.worker.work()
    first = told.answers[-1]
    assert (first.outcome, first.session, first.result) == (AnswerOutcome.DONE, SESSION, {"x": "yyy", "n": 1})
    assert told.ask() == [("done", None)]
    assert told.answers[-1] == first
    assert len(told.worker.carried_out) == 1


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"session": str(uuid7(99))}, Refusal.OTHER_SESSION),
        ({"deadline": "2026-03-01T11:59:59Z"}, Refusal.TOO_LATE),
        ({"deadline": "2026-03-01T12:10:01Z"}, Refusal.TOO_FAR),
        ({"name": "reboot"}, Refusal.UNSUPPORTED),
    ],
)
def test_what_is_refused_is_answered_with_the_reason(fields: dict[str, Any], reason: Refusal) -> None:
    told = Told()
    assert told.ask(**fields) == [("refused", reason.value)]
    assert told.answers[-1].session == SESSION
    assert told.worker.waiting == []


def test_a_command_for_another_node_is_not_answered() -> None:
    told = Told()
    assert told.ask(node="another") == []
    assert told.desk.refusals == {"other_node": 1}


def test_who_finds_no_place_hears_that_the_node_is_busy_and_is_not_served_later() -> None:
    told = Told()
    assert [told.ask(number)[-1] for number in (1, 2)] == [("taken", None)] * 2
    assert told.ask(3) == [("taken", None), ("refused", "busy")]
    told.worker.work()
    assert told.ask(3) == [("refused", "busy")]


def test_a_second_last_word_and_one_that_is_too_long_are_not_told() -> None:
    told = Told()
    told.ask()
    [(_, finish)] = told.worker.waiting
    finish(AnswerOutcome.DONE, None, {"x": "y" * MAXIMUM_BYTES})
    assert (told.answers[-1].outcome, told.answers[-1].result) == (AnswerOutcome.FAILED, None)
    finish(AnswerOutcome.DONE, None, {})
    assert told.ask() == [("failed", told.answers[-1].reason)]


@settings(max_examples=60)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("ask"), st.integers(1, 6), st.integers(-5, 700)),
            st.tuples(st.just("work"), st.integers(1, 200_000), st.just(0)),
            st.tuples(st.just("pass"), st.integers(1, 400), st.just(0)),
            st.tuples(st.just("link"), st.booleans(), st.just(0)),
        ),
        max_size=40,
    )
)
def test_whatever_comes_again_and_however_late_an_id_runs_once_and_has_one_last_word(
    steps: list[tuple[str, int, int]],
) -> None:
    told, deadlines = Told(), dict[int, datetime]()
    for step, value, ahead_s in steps:
        if step == "ask":
            deadline = deadlines.setdefault(value, told.now + timedelta(seconds=ahead_s))
            said = told.ask(value, deadline=deadline.isoformat())
            assert bool(said) == told.linked
        elif step == "work":
            told.worker.work(value)
        elif step == "pass":
            told.now += timedelta(seconds=value)
        else:
            told.linked = bool(value)
        assert len(told.worker.carried_out) == len(set(told.worker.carried_out))
    last: dict[UUID, set[tuple[str, str]]] = {}
    for answer in told.answers:
        if answer.outcome is not AnswerOutcome.TAKEN and answer.reason not in {"answered_before", "too_late"}:
            last.setdefault(answer.command_id, set()).add((answer.outcome.value, str(answer.result)[:80]))
    assert all(len(words) == 1 for words in last.values())


def test_what_is_remembered_is_bounded_and_what_was_forgotten_is_too_late() -> None:
    told = Told()
    told.worker.places = 10_000
    for number in range(REMEMBERED):
        assert told.ask(number) == [("taken", None)]
    assert told.ask(REMEMBERED) == [("refused", "busy")]
    for _ in range(REMEMBERED):
        told.worker.work(10_000)
    assert told.ask(0) == [("refused", "answered_before")]
    assert told.ask(REMEMBERED - 1) == [("done", None)]
    told.now += timedelta(minutes=2)
    later = (told.now + timedelta(minutes=1)).isoformat()
    assert told.ask(REMEMBERED + 1, deadline=later) == [("taken", None)]
    assert told.ask(0) == [("refused", "too_late")]


@given(st.sampled_from([Channel.COMMAND, Channel.DESIRED]), st.binary(max_size=300))
def test_no_bytes_make_the_desk_fail(channel: Channel, payload: bytes) -> None:
    with pytest.raises(WireError):
        CommandDesk(NODE, UUID(int=0), clock=lambda: AT).receive(channel, payload)


CLOUD_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))


@pytest.mark.parametrize("is_known", [False, True], ids=["node without a key", "enrolled node"])
def test_a_node_that_knows_its_cloud_takes_signed_commands_alone(is_known: bool) -> None:
    worker, answers = Worker(places=9), list[Answer]()

    def hear(answer: Answer) -> bool:
        answers.append(answer)
        return True

    keys = [public_bytes(CLOUD_KEY)] if is_known else []
    desk = CommandDesk(NODE, SESSION, clock=lambda: AT, names=["stop"], start=worker.take, tell=hear, cloud_keys=keys)

    def ask(number: int, key: Ed25519PrivateKey | None, **changed_since: Any) -> tuple[str, str | None]:
        asked = msgspec.structs.replace(COMMAND, command_id=uuid7(number), name="stop", arguments={"connector": 1})
        signature = None if key is None else sign(key, command_statement(asked))
        desk.receive(Channel.COMMAND, encode(msgspec.structs.replace(asked, sig=signature, **changed_since)))
        return answers[-1].outcome.value, answers[-1].reason

    taken = ("taken", None)
    assert ask(1, CLOUD_KEY) == taken
    assert ask(2, None) == (("refused", "unsigned") if is_known else taken)
    assert ask(3, STRANGER) == (("refused", "bad_signature") if is_known else taken)
    assert ask(4, CLOUD_KEY, arguments={"connector": 2}) == (("refused", "bad_signature") if is_known else taken)
    assert len(worker.waiting) == (1 if is_known else 4)


def test_who_can_not_sign_learns_nothing_of_what_was_asked_before() -> None:
    told = Told()
    told.desk.cloud_keys = (public_bytes(CLOUD_KEY),)
    signed = msgspec.structs.replace(COMMAND, name="log_tail")
    signed = msgspec.structs.replace(signed, sig=sign(CLOUD_KEY, command_statement(signed)))
    told.desk.receive(Channel.COMMAND, encode(signed))
    told.worker.work()
    done = told.answers[-1]
    assert done.result is not None
    told.desk.receive(Channel.COMMAND, encode(msgspec.structs.replace(signed, sig=None)))
    refused = told.answers[-1]
    assert (refused.reason, refused.result) == ("unsigned", None)
