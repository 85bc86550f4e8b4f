"""One life of an outbox from its first reading to the last acknowledgement, told so that it can be begun anew anywhere."""

import hashlib
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

import msgspec

from edge.contract.downlink import Outcome
from edge.contract.envelope import Lane
from edge.contract.incident import Incident, IncidentState
from edge.flow import EvidenceFile, Receipts
from edge.outbox.outbox import Outbox
from edge.outbox.retention import Quota
from edge.settings import OutboxSettings
from tests.edge.records import START, SteppedClock, incident, reading, snapshot
from tests.system.crash.counterpart import JournalCloud, JournalSource
from tests.system.crash.fuse import Fuse, Point

SETTINGS = OutboxSettings(quota_mib=4, incident_reserve_mib=1, evidence_quota_mib=1)
PARCEL, PARCELS = 6, 5
SQUEEZED = Quota(total_bytes=0, reserve_bytes=0)
FIRST, SECOND, THIRD, FOURTH = (snapshot(content) for content in (b"first", b"second", b"third", b"fourth"))
OPEN, UPDATE, ENDED = IncidentState.OPEN, IncidentState.UPDATE, IncidentState.ENDED


class Defect(StrEnum):
    """What a life does wrong on purpose, to show that its judge would see it."""

    ACK_BEFORE_COMMIT = "ack_before_commit"
    DELETE_BEFORE_ACK = "delete_before_ack"
    NO_RECEIPTS = "no_receipts"


class Life:
    """Runs the whole scenario; what an earlier life has done is found out as a node does, and not done again."""

    def __init__(
        self,
        directory: Path,
        fuse: Fuse,
        defect: Defect | None = None,
        *,
        on_commit: Callable[[], None] = lambda: None,
    ) -> None:
        self._fuse, self._defect = fuse, defect
        self._source, self._cloud = JournalSource(directory), JournalCloud(directory)
        self.outbox = Outbox(
            directory, SETTINGS, devices=["pile-1"], clock=SteppedClock(), on_commit=on_commit, window_s=0.0
        )
        self._kept_before = set(self.outbox.receipts("source"))

    def run(self) -> None:
        """Everything, up to an outbox that is empty."""
        self.receive(0)
        self.receive(1)
        self.find(1, 1, OPEN, FIRST)
        self.squeeze()
        self.receive(2)
        self.deliver()
        self.receive(3, device="odd")
        self.find(1, 2, UPDATE, SECOND)
        self.find(2, 1, OPEN, THIRD, device="odd")
        self.deliver()
        self.receive(4)
        self.find(1, 3, ENDED, FOURTH)
        for _ in range(3):  # what was refused is declared, and the declaration is delivered
            self.deliver()
        self.upload()
        self.deliver()

    def receive(self, parcel: int, *, device: str = "pile-1") -> None:
        """One parcel of the source: kept, then acknowledged."""
        if self._source.is_acknowledged(parcel):
            return
        mark = f"parcel {parcel}".encode()
        if self._defect is Defect.ACK_BEFORE_COMMIT:
            self._source.acknowledge(parcel)
        if mark not in self._kept_before or self._defect is Defect.NO_RECEIPTS:
            numbers = range(parcel * PARCEL, (parcel + 1) * PARCEL)
            readings = [reading(number, device=device) for number in numbers]
            self.outbox.readings(readings, receipts=Receipts("source", (mark,)))
        self._fuse.burn(Point.SOURCE_ACK)
        self._source.acknowledge(parcel)
        self._fuse.burn(Point.SOURCE_ACKED)

    def find(
        self, number: int, revision: int, state: IncidentState, file: EvidenceFile, *, device: str = "cam-1"
    ) -> None:
        """One revision, unless the outbox knows it already."""
        known = {each.incident_id.int: each for each in self.outbox.ongoing()}.get(number)
        made = 0 if known is None else known.revision
        if made >= revision or (known is None and self._is_over(number)):
            return
        found = incident(number, revision, state, prev_hash=self.outbox.chain_head())
        earlier = () if known is None else known.evidence
        found = msgspec.structs.replace(found, device=device, evidence=(*earlier, file.reference))
        self.outbox.incident(found, [file])

    def _is_over(self, number: int) -> bool:
        """Whether an incident that is not open was there before: its end is in the outbox, or with the cloud."""
        since = START
        waiting = self.outbox.pending(Lane.INCIDENT, fresh_since=since, old=False, skip=(), limit=50)
        bodies = [msgspec.json.decode(record.body, type=Incident) for record in waiting]
        told = [each for _, each, _ in self._cloud.incidents()]
        return any(each.incident_id.int == number and each.state is ENDED for each in [*bodies, *told])

    def squeeze(self) -> None:
        """The quota is used up for a moment: what waits as readings is dropped and declared."""
        if self._is_over(9):
            return
        quota, self.outbox._quota = self.outbox._quota, SQUEEZED
        self.outbox.incident(incident(9, 1, ENDED, prev_hash=self.outbox.chain_head()))
        self.outbox._quota = quota

    def deliver(self) -> None:
        """Send what waits and settle what the cloud answers."""
        for lane in Lane:
            for record in self.outbox.pending(lane, fresh_since=START, old=lane is Lane.HISTORY, skip=(), limit=50):
                if self._defect is Defect.DELETE_BEFORE_ACK:
                    self.outbox.settle({record.message_id: (Outcome.ACCEPTED, None)})
                self._fuse.burn(Point.PUBLISH)
                outcome, reason = self._cloud.take(record)
                self._fuse.burn(Point.PUBLISHED)
                self._fuse.burn(Point.ACKNOWLEDGED)
                self.outbox.settle({record.message_id: (outcome, reason)})
                self._fuse.burn(Point.SETTLED)

    def upload(self) -> None:
        """Send the files that may go."""
        while (upload := self.outbox.next_upload()) is not None:
            self._fuse.burn(Point.UPLOAD)
            content = upload.path.read_bytes()
            assert hashlib.sha256(content).hexdigest() == upload.sha256
            self._cloud.upload(upload.sha256, content)
            self._fuse.burn(Point.UPLOADED)
            self.outbox.uploaded(upload.sha256)
