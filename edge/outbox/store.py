"""The tables of the outbox: what is accepted, what is sent, what is still open. No threads, no commits, no clock."""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
import structlog

from edge.contract.downlink import Outcome
from edge.contract.envelope import Lane
from edge.contract.fields import uuid7
from edge.contract.incident import EvidenceReference, Incident, IncidentState
from edge.contract.telemetry import Gap, GapReason, ReadingFlag, TelemetryBatch, from_microseconds, to_microseconds
from edge.contract.topics import Channel
from edge.flow import RECEIPTS_KEPT, OutboxRecord, Reading, Receipts
from edge.outbox.batches import BATCH_READINGS, StoredReading, bodies, ranges_of
from edge.outbox.books import Counter, DeadLetter, DeadLetterTally, DropTally
from edge.outbox.originals import OriginalRows
from edge.outbox.statements import QUERIES

__all__ = [
    "RECEIPTS_OVER",
    "Counter",
    "DeadLetter",
    "DeadLetterTally",
    "DropTally",
    "Store",
    "evidence_in",
]

_log = structlog.get_logger(__name__)

RECEIPTS_OVER = 500
"""So many more receipts than wanted may be kept before the oldest go: looking for them costs more than they do."""

_DELIVERED = {
    Channel.TELEMETRY: Counter.READINGS_DELIVERED,
    Channel.INCIDENT: Counter.INCIDENTS_DELIVERED,
    Channel.GAP: Counter.GAPS_DELIVERED,
}
_REJECTED = {Channel.TELEMETRY: Counter.READINGS_REJECTED, Channel.INCIDENT: Counter.INCIDENTS_REJECTED}

_DECIDED = "decided "
"""Names of facts: until when a rule has decided."""

_REMEMBERED = "rule "
"""Names of facts: what a rule, or what acts for one, has to know after a restart."""


class Store(OriginalRows):
    """The rows, through one connection that someone else commits. After a rollback call `forget`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self._series: dict[tuple[str, str], int] = {}
        self._names: dict[int, tuple[str, str]] = {}
        self._receipts_over: dict[str, int] = {}
        self.correction_us: Callable[[int | None], int] = lambda _timebase: 0
        """What has to be added to times of a timebase; whoever knows the clock puts it here."""
        self.forget()

    def forget(self) -> None:
        """Read again what is kept in memory."""
        self._series = {(device, point): number for number, device, point in self._all("series_all")}
        self._names = {number: name for name, number in self._series.items()}
        self._receipts_over.clear()

    # --- accepting ----------------------------------------------------------------------------------------------------

    def add_readings(
        self,
        readings: Sequence[Reading],
        *,
        now: datetime,
        receipts: Receipts | None = None,
        timebase: int | None = None,
    ) -> None:
        """Keep readings, and what their source wants to know after a crash. Those with a time of their device's own keep
        that one, whatever becomes known of the node's clock.
        """
        now_us = to_microseconds(now)
        self._connection.executemany(
            QUERIES["reading_add"],
            [
                (
                    self._series_number(reading.device, reading.point),
                    to_microseconds(reading.told_at),
                    reading.value,
                    int(reading.flag),
                    int(ReadingFlag.REPLAYED in reading.flag),
                    now_us,
                    None if reading.own_time else timebase,
                )
                for reading in readings
            ],
        )
        if receipts is not None:
            self._add_receipts(receipts)
        self.count(Counter.READINGS_ACCEPTED, len(readings))

    def _add_receipts(self, receipts: Receipts) -> None:
        """Keep marks, and every few hundred forget those that nobody will ask for."""
        self._connection.executemany(QUERIES["receipt_add"], [(receipts.source, mark) for mark in receipts.marks])
        over = self._receipts_over.get(receipts.source, RECEIPTS_OVER) + len(receipts.marks)
        if over >= RECEIPTS_OVER:
            self._do("receipt_trim", source=receipts.source, keep=RECEIPTS_KEPT)
            over = 0
        self._receipts_over[receipts.source] = over

    def add_incident(
        self,
        incident: Incident,
        evidence: Sequence[EvidenceReference],
        *,
        now: datetime,
        timebase: int | None = None,
        replayed: bool = False,
    ) -> None:
        """Keep one revision, the names of its new files, and what a restart has to know of it. It is `replayed` when it was found in
        what a device sent late.
        """
        body = msgspec.json.encode(incident)
        message_id = self._add_record(
            Channel.INCIDENT, Lane.INCIDENT, body, now=now, timebase=timebase, replayed=replayed
        )
        self.add_evidence(evidence, message_id.bytes)
        self.name_evidence(incident, evidence, body, timebase)
        if incident.state is IncidentState.ENDED:
            self._do("ongoing_remove", incident_id=incident.incident_id.bytes)
            self._note_decision(incident, timebase)
        else:
            self._do("ongoing_set", incident_id=incident.incident_id.bytes, body=body, timebase=timebase)
        self.set_fact("chain_head", hashlib.sha256(body).hexdigest())
        self.count(Counter.INCIDENTS_ACCEPTED, 1)

    def _note_decision(self, incident: Incident, timebase: int | None) -> None:
        """When a rule of readings ended something: what is delivered again after a crash must not open it a second time."""
        if incident.rule is not None and incident.point is not None:
            at_us = to_microseconds(incident.updated_at)
            self.set_fact(f"{_DECIDED}{incident.device}/{incident.rule.id}", json.dumps([at_us, timebase]))

    def remember(self, name: str, words: str | None) -> None:
        """Keep what somebody has to know after a restart, or forget it."""
        if words is None:
            self.remove_fact(f"{_REMEMBERED}{name}")
        else:
            self.set_fact(f"{_REMEMBERED}{name}", words)

    def remembered(self) -> dict[str, str]:
        """All that was kept so, by name."""
        last = _REMEMBERED[:-1] + chr(ord(_REMEMBERED[-1]) + 1)
        return {
            name.removeprefix(_REMEMBERED): value
            for name, value in self._all("fact_from", first=_REMEMBERED, last=last)
        }

    def send_again(
        self, incident: Incident, evidence: Sequence[EvidenceReference], *, now: datetime, timebase: int | None
    ) -> None:
        """Let a revision wait that may have been sent before: the cloud tells by its number whether it is new there."""
        body = msgspec.json.encode(incident)
        message_id = self._add_record(Channel.INCIDENT, Lane.INCIDENT, body, now=now, timebase=timebase)
        self.add_evidence(evidence, message_id.bytes)
        self.count(Counter.INCIDENTS_ACCEPTED, 1)

    def remove_senseless(self) -> None:
        """Forget rows that no node writes: a disk has changed them, and nothing could be formed of them."""
        self._do("reading_senseless_remove")
        self._do("record_senseless_remove")

    def drop_oldest(self, count: int) -> int:
        """Drop the `count` readings accepted first, and declare them. How many were dropped comes back."""
        last = self._one("reading_oldest_row", skip=count - 1) or self._one("reading_last_row")
        if last is None or last[0] is None:
            return 0
        ranges: dict[str, tuple[int, int, int]] = {}
        for device, timebase, from_us, to_us, number in self._all("reading_ranges_through", row=last[0]):
            by_us = self.correction_us(timebase)
            first_us, last_us, count = ranges.get(device, (from_us + by_us, to_us + by_us, 0))
            ranges[device] = min(first_us, from_us + by_us), max(last_us, to_us + by_us), count + number
        dropped = self._do("reading_remove_through", row=last[0])
        self.declare(ranges, GapReason.QUOTA)
        self.count(Counter.READINGS_DROPPED, dropped)
        return dropped

    def age_from(self, now: datetime, *, at_least: timedelta) -> bool:
        """What waits and claims to have been accepted after `now` was so under another clock: its true age is not known, so it
        counts as old, in its order. To be called at the start; whether there was any comes back.
        """
        now_us = to_microseconds(now)
        self._do("evidence_wake", final_us=now_us)
        last = self._one("accepted_last")
        if last is None or last[0] <= now_us:
            return False
        by_us = last[0] - now_us + at_least // timedelta(microseconds=1)
        self._do("reading_age", by_us=by_us)
        self._do("record_age", by_us=by_us)
        return True

    def _series_number(self, device: str, point: str) -> int:
        number = self._series.get((device, point))
        if number is None:
            number = self._connection.execute(QUERIES["series_add"], {"device": device, "point": point}).lastrowid
            assert number is not None  # noqa: S101 (an INSERT of one row has one)
            self._series[device, point] = number
            self._names[number] = (device, point)
        return number

    def _add_record(
        self,
        channel: Channel,
        lane: Lane,
        body: bytes,
        *,
        now: datetime,
        id_at: datetime | None = None,
        replayed: bool = False,
        readings: int = 0,
        timebase: int | None = None,
    ) -> UUID:
        message_id = uuid7(to_microseconds(id_at or now) // 1000)
        self._do(
            "record_add",
            message_id=message_id.bytes,
            channel=channel.value,
            lane=lane.value,
            accepted_at_us=to_microseconds(now),
            replayed=int(replayed),
            readings=readings,
            body=body,
            timebase=timebase,
        )
        return message_id

    # --- sending ------------------------------------------------------------------------------------------------------

    def pending(
        self, lane: Lane, *, fresh_since: datetime, old: bool, skip: Collection[int], limit: int
    ) -> list[OutboxRecord]:
        """Messages that wait, as `OutboxDrain.pending` says, without forming new ones."""
        query = "record_fresh" if not old else "record_old_newest_first" if lane is Lane.INCIDENT else "record_old"
        rows = self._all(
            query,
            lane=lane.value,
            fresh_us=to_microseconds(fresh_since),
            skip=json.dumps(list(skip)),
            limit=limit,
        )
        return [
            OutboxRecord(
                row=row,
                message_id=UUID(bytes=message_id),
                channel=channel,
                lane=Lane(kept_lane),
                accepted_at=from_microseconds(accepted_at_us),
                replayed=bool(replayed),
                body=body,
                correction=timedelta(microseconds=self.correction_us(timebase)),
            )
            for row, message_id, channel, kept_lane, accepted_at_us, replayed, body, timebase in rows
        ]

    def formable(self, lane: Lane, *, fresh_since: datetime, old: bool) -> bool:
        """Whether `form_messages` would find anything."""
        if lane is Lane.INCIDENT:
            return False
        which = "replayed" if lane is Lane.HISTORY else "old" if old else "fresh"
        row = self._one(f"formable_{which}", fresh_us=to_microseconds(fresh_since))
        return row is not None and bool(row[0])

    def form_messages(self, lane: Lane, *, fresh_since: datetime, old: bool, messages: int, now: datetime) -> int:
        """Turn the oldest waiting readings of a lane into about `messages` messages, and all declared gaps; the former are
        counted.
        """
        if lane is Lane.LIVE:
            self._form_gaps(now=now)
        formed = 0
        query = "reading_replayed" if lane is Lane.HISTORY else "reading_old" if old else "reading_fresh"
        while formed < messages:
            rows = self._all(query, fresh_us=to_microseconds(fresh_since), limit=BATCH_READINGS)
            for part, body in bodies(self._corrected(rows), self._names):
                self._add_record(
                    Channel.TELEMETRY,
                    lane,
                    body,
                    now=from_microseconds(part[0].accepted_at_us),
                    id_at=now,
                    replayed=bool(part[0].replayed),
                    readings=len(part),
                )
                self._connection.executemany(QUERIES["reading_remove"], [(reading.row,) for reading in part])
                formed += 1
            if len(rows) < BATCH_READINGS:
                break
        return formed

    def _corrected(self, rows: Sequence[tuple]) -> list[StoredReading]:  # type: ignore[type-arg]
        """Readings as they leave: the times of a clock that was wrong are put right."""
        readings = [StoredReading(*row) for row in rows]
        by_us = {timebase: self.correction_us(timebase) for timebase in {reading.timebase for reading in readings}}
        if not any(by_us.values()):
            return readings
        return [
            reading._replace(observed_at_us=max(0, reading.observed_at_us + by_us[reading.timebase]))
            for reading in readings
        ]

    def _form_gaps(self, *, now: datetime) -> None:
        for device, reason, from_us, to_us, count in self._all("gap_all", limit=100):
            gap = Gap(
                gap_id=uuid7(to_microseconds(now) // 1000),
                device=device,
                from_at=from_microseconds(from_us),
                to_at=from_microseconds(to_us),
                count=count,
                reason=GapReason(reason),
            )
            self._add_record(Channel.GAP, Lane.LIVE, msgspec.json.encode(gap), now=now)
            self._do("gap_remove", device=device, reason=reason)

    def settle(self, message_id: UUID, outcome: Outcome, reason: str | None, *, now: datetime) -> list[str]:
        """Apply one acknowledgement. An unknown id is one that came twice. Hashes of files that nobody waits for any more
        come back.
        """
        row = self._one("record_by_id", message_id=message_id.bytes)
        if row is None:
            return []
        lost: list[str] = []
        _, name, readings, body, timebase = row
        channel = Channel(name)
        amount = readings if channel is Channel.TELEMETRY else 1
        if outcome is Outcome.REJECTED:
            self.bury(str(message_id), channel.value, reason or "no reason given", body, now=now, timebase=timebase)
            lost = self.lose_evidence_of(message_id, now=now)
            if channel is Channel.TELEMETRY:
                self.declare(_ranges_in(body), GapReason.REJECTED)
            if channel in _REJECTED:
                self.count(_REJECTED[channel], amount)
        else:
            self.count(_DELIVERED[channel], amount)
            if outcome is Outcome.QUARANTINED:
                self.count(Counter.QUARANTINED, amount)
            self._do("evidence_release", message_id=message_id.bytes)
            for sha256 in evidence_in(body) if channel is Channel.INCIDENT else ():
                self._do("evidence_name", sha256=sha256)
        self._do("record_remove", message_id=message_id.bytes)
        return lost

    # --- looking ------------------------------------------------------------------------------------------------------

    def incidents_waiting(self) -> list[tuple[bytes, Incident]]:
        """Message id and revision of every incident that waits, oldest first."""
        return [
            (message_id, msgspec.json.decode(body, type=Incident)) for message_id, body in self._all("incident_bodies")
        ]

    def ongoing(self) -> list[tuple[Incident, int | None]]:
        """The newest revision of every incident that has not ended, and the timebase of its times."""
        return [(msgspec.json.decode(body, type=Incident), timebase) for body, timebase in self._all("ongoing_all")]

    def decided(self) -> dict[tuple[str, str], tuple[datetime, int | None]]:
        """(device, rule) → until when that rule had decided when it last ended something, and the timebase of that time."""
        found = {}
        for name, value in self._all("fact_from", first=_DECIDED, last=_DECIDED[:-1] + chr(ord(_DECIDED[-1]) + 1)):
            device, _, rule = name.removeprefix(_DECIDED).partition("/")
            at_us, timebase = json.loads(value)
            found[device, rule] = (from_microseconds(at_us), timebase)
        return found

    def receipts(self, source: str) -> list[bytes]:
        """The newest marks that a source left, oldest first."""
        return [mark for (mark,) in self._all("receipts_of", source=source, keep=RECEIPTS_KEPT)]

    def messages_waiting(self) -> dict[Channel, int]:
        """Messages that are formed and not acknowledged, by channel."""
        return {Channel(name): count for name, count in self._all("record_counts") if count}

    def oldest_waiting(self, present: int | None = None) -> datetime | None:
        """The true time, as far as it is known, at which the oldest thing that waits was accepted. `present` is the timebase
        of what has none of its own: a device's own time needs no correction, the time of its acceptance does.
        """
        rows = self._all("record_oldest_of_lanes")
        reading = self._one("reading_oldest")
        if reading is not None:
            rows.append((reading[0], reading[1]))
        times = [at_us + self.correction_us(present if timebase is None else timebase) for at_us, timebase in rows]
        return from_microseconds(max(0, min(times))) if times else None


def evidence_in(body: bytes) -> list[str]:
    """The hashes that an incident names; none where it can't be read any more."""
    try:
        return [reference.sha256 for reference in msgspec.json.decode(body, type=Incident).evidence]
    except msgspec.DecodeError:
        return []


def _ranges_in(body: bytes) -> dict[str, tuple[int, int, int]]:
    """As `ranges_of`; nothing where the batch can't be read any more, which must not hold up what else is settled."""
    try:
        return ranges_of(msgspec.json.decode(body, type=TelemetryBatch))
    except msgspec.DecodeError:
        _log.error("a rejected batch can't be read: its readings are counted as rejected, and no gap tells of them")
        return {}
