"""What each message of one transaction is told: taken, known already, waiting, or refused and why."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from psycopg import Connection

from cloud.ingest.model import Message, Reason, Refusal, Verdict
from cloud.ingest.quarantine import Quarantine
from cloud.ingest.receipts import Answer, Key, Receipts
from cloud.ingest.refused import Refused
from cloud.ingest.settled import Settled
from edge.contract.downlink import Outcome


class Verdicts:
    """Tells by `settled.verdicts`, and writes what has to be remembered of it: receipts, quarantine, dead letters."""

    def __init__(self, conn: Connection[Any], settled: Settled, refused: Refused, *, now: datetime) -> None:
        self._conn = conn
        self._settled = settled
        self._refused = refused
        self._now = now
        self._receipts = Receipts(conn, now)
        self._quarantine = Quarantine(conn, now)

    def first_time(self, messages: Iterable[Message]) -> list[Message]:
        """Those of enrolled nodes that count now; the others are told what they were told before."""
        fresh, answers = self._receipts.take((self._key(message), message) for message in messages)
        self._answer(answers)
        return fresh

    def tell(self, message: Message, outcome: Outcome, reason: str | None = None) -> None:
        """Tell what became of a message."""
        envelope = message.envelope
        self._settled.verdicts.append(Verdict(message.topic, envelope.id, outcome, reason, envelope.session))

    def refuse(self, refusal: Refusal) -> None:
        """Refuse what may be no message at all."""
        self._refused.add(refusal, enrolled=refusal.topic is not None and refusal.topic.node in self._settled.nodes)
        if refusal.topic is not None and refusal.message_id is not None:
            verdict = Verdict(
                refusal.topic, refusal.message_id, Outcome.REJECTED, f"{refusal.reason}: {refusal.detail}"
            )
            self._settled.verdicts.append(verdict)

    def reject(self, message: Message, reason: Reason, detail: str) -> None:
        """Refuse a message, and remember that, should its answer be lost."""
        if message.topic.node in self._settled.nodes and reason is not Reason.ID_REUSED:
            self._receipts.reject(self._key(message), f"{reason}: {detail}")
        self.refuse(Refusal(message.arrival, message.topic, message.envelope.id, reason, detail))

    def hold(self, message: Message, reason: Reason, subject: str, *, settled: bool) -> None:
        """Let a message wait in quarantine; without room it is rejected."""
        held = self._quarantine.hold(message, message.arrival.payload, reason=reason, subject=subject, settled=settled)
        if held:
            self.tell(message, Outcome.QUARANTINED, f"{reason}: {subject}")
        else:
            self.reject(message, Reason.QUARANTINE_FULL, f"{reason}: {subject}, and no room to wait")

    def hold_part(self, message: Message, payload: bytes, subject: str, *, taken: bool) -> bool:
        """Let the part of a batch wait that nobody declared, and tell whether the other part is `taken`.

        Without room all of the message is rejected, and the answer is False: a batch that is taken in part and refused would be
        counted on both sides.
        """
        reason = Reason.UNKNOWN_DEVICE
        if not self._quarantine.hold(message, payload, reason=reason, subject=subject, settled=True):
            self.reject(message, Reason.QUARANTINE_FULL, f"not declared: {subject}, and no room to wait")
            return False
        if taken:
            self.tell(message, Outcome.ACCEPTED, f"in part; not declared: {subject}")
        else:
            self.tell(message, Outcome.QUARANTINED, f"{reason}: {subject}")
        return True

    def write(self) -> None:
        """Write what is kept of refusals, once every message has been told."""
        self._answer(self._receipts.write())
        self._refused.write(self._conn, self._now)
        self._settled.refusals = self._refused.reasons
        self._settled.letters_left_out = self._refused.left_out

    def _key(self, message: Message) -> Key:
        return message.envelope.id, self._settled.nodes[message.topic.node].id

    def _answer(self, answers: Iterable[Answer]) -> None:
        for answer in answers:
            if answer.reused:
                detail = "a message of this id with another content was taken before"
                self.reject(answer.message, Reason.ID_REUSED, detail)
            else:
                self.tell(answer.message, answer.outcome, answer.reason)
