"""Deliberate defects: each replaces one behaviour of the real program from outside, so that the harness shows what it can see.

`python -m tests.system.chaos.defects NAME edge|cloud ARGUMENT…` runs `gridward-edge` or `gridward-cloud` with it.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any

import cloud.cli
import edge.cli
from cloud.ingest.acknowledgement import acknowledgements
from cloud.ingest.handover import Batch
from cloud.ingest.model import Message, Verdict
from cloud.ingest.service import IngestService
from edge.contract.downlink import Outcome
from edge.contract.envelope import Lane
from edge.flow import EvidenceUpload
from edge.sources.mqtt_devices import MqttDeviceSource
from edge.uplink.evidence import EvidenceUploader, UploadResult
from edge.uplink.publisher import Publisher
from edge.uplink.window import InFlight, Sequences
from tests.system.chaos.faults import Fault
from tests.system.chaos.schedule import Episode
from tests.system.chaos.world import Commands

_OWN = "tests.system.chaos.defects"
_SLOW_DISK_S = 0.5

TELLING = (
    Episode(0.5, 9.0, Fault.KILL_API_IN_UPLOAD),
    Episode(1.0, 7.0, Fault.CUT_CLOUD_DATABASE),
    Episode(7.0, 0.5, Fault.KILL_INGEST),
    Episode(9.0, 3.0, Fault.BLACK_HOLE_EDGE_BROKER),
    Episode(12.5, 0.0, Fault.KILL_EDGE),
)
"""What was answered and not written dies with ingest, which has waited for the database with it for seconds; what was sent and
deleted falls into the black hole; what was acknowledged to a sensor and not written dies with the node. Pictures that were under way when the API died have to come again.
"""


class Defect(StrEnum):
    """What is done wrong."""

    EDGE_ACK_BEFORE_COMMIT = "edge_ack_before_commit"
    CLOUD_ACK_BEFORE_COMMIT = "cloud_ack_before_commit"
    DELETE_BEFORE_ACK = "delete_before_ack"
    SHARED_SEQUENCE = "shared_sequence"
    UPLOADED_BEFORE_ANSWER = "uploaded_before_answer"


def telling(defect: Defect | None) -> Sequence[Episode]:
    """The schedule that shows the defect; without one it has all of them."""
    if defect in {None, Defect.EDGE_ACK_BEFORE_COMMIT}:  # the node may die just between two batches: it does so twice
        return (*TELLING[:2], Episode(4.5, 0.0, Fault.KILL_EDGE), *TELLING[2:])
    return TELLING  # a node that starts again for long sends nothing into the black hole


def commands(defect: Defect) -> Commands:
    """Both programs with the defect."""
    return Commands(edge=("-m", _OWN, defect.value, "edge"), cloud=("-m", _OWN, defect.value, "cloud"))


def edge_ack_before_commit() -> None:
    """A sensor hears that its reading is kept before it is: half a second sooner, as where the disk is slow."""
    keep = MqttDeviceSource._keep_and_acknowledge

    def hasty(self: MqttDeviceSource, batch: Any) -> bool:
        for delivery in batch.deliveries:
            self._link.acknowledge(delivery)
        time.sleep(_SLOW_DISK_S)  # while readings come without a pause, the node dies within it whenever it dies
        return keep(self, replace(batch, deliveries=[]))

    MqttDeviceSource._keep_and_acknowledge = hasty  # type: ignore[method-assign]


def cloud_ack_before_commit() -> None:
    """A node hears that its message is stored before it is."""

    def hasty(self: IngestService, batch: Batch) -> None:
        messages = [item for item in batch.items if isinstance(item, Message)]
        verdicts = [
            Verdict(item.topic, item.envelope.id, Outcome.ACCEPTED, session=item.envelope.session) for item in messages
        ]
        for topic, payload in acknowledgements(verdicts, self._clock()):
            self._intake[batch.precedence].publish(topic, payload)
        self._acknowledge(batch)
        self._writer.settle(batch.items)

    IngestService._settle = hasty  # type: ignore[method-assign]


def delete_before_ack() -> None:
    """What is sent leaves the outbox at once."""
    publish = Publisher._publish

    def hasty(self: Publisher, entry: InFlight) -> None:
        publish(self, entry)
        self._outbox.settle({entry.record.message_id: (Outcome.ACCEPTED, None)})
        self._window.settle([entry.record.message_id], self._monotonic())

    Publisher._publish = hasty  # type: ignore[method-assign]


def shared_sequence() -> None:
    """All lanes are numbered together."""
    number = Sequences.next

    def together(self: Sequences, lane: Lane) -> int:
        del lane
        return number(self, Lane.LIVE)

    Sequences.next = together  # type: ignore[method-assign]


def uploaded_before_answer() -> None:
    """A picture leaves the node before the cloud has said that it has it."""
    attempt = EvidenceUploader.attempt

    def hasty(self: EvidenceUploader, upload: EvidenceUpload) -> UploadResult:
        result = attempt(self, upload)
        self._evidence.uploaded(upload.sha256)
        return result

    EvidenceUploader.attempt = hasty  # type: ignore[method-assign]


DEFECTS: Mapping[Defect, Callable[[], None]] = {
    Defect.EDGE_ACK_BEFORE_COMMIT: edge_ack_before_commit,
    Defect.CLOUD_ACK_BEFORE_COMMIT: cloud_ack_before_commit,
    Defect.DELETE_BEFORE_ACK: delete_before_ack,
    Defect.SHARED_SEQUENCE: shared_sequence,
    Defect.UPLOADED_BEFORE_ANSWER: uploaded_before_answer,
}


def main(arguments: Sequence[str]) -> None:
    """Run one of the programs with a defect."""
    name, program, *rest = arguments
    if program == "edge" and rest[0] == "run":  # as the program does it, with this module in its place
        node = [sys.executable, "-m", _OWN, name, "edge", "run-node", "--supervised", *rest[1:]]
        os.execv(sys.executable, [sys.executable, "-m", "edge.supervisor", *node])  # noqa: S606
    DEFECTS[Defect(name)]()
    sys.argv = [f"gridward-{program}", *rest]
    (edge.cli.main if program == "edge" else cloud.cli.main)()


if __name__ == "__main__":
    main(sys.argv[1:])
