"""A camera with a rule that is often wrong: cases that people have judged."""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

from cloud.access.model import Principal
from cloud.cases import service as cases
from cloud.cases.life import Order
from cloud.cases.model import CaseAction, DismissalReason
from cloud.correlate import service as correlate
from cloud.evidence import store as evidence
from cloud.verdicts import settling
from edge.contract.fields import uuid7
from edge.contract.incident import (
    EvidenceKind,
    EvidenceReference,
    Incident,
    IncidentState,
    ModelReference,
    RuleReference,
    Severity,
    TrackPoint,
)
from edge.contract.telemetry import to_microseconds
from tests.cloud.samples import report

RULE = RuleReference(id="loitering-floor", version="1", sha256="a" * 64)
MODEL = ModelReference(id="yolox_nano_416", version="1.0.0", sha256="b" * 64)


class JudgedCamera:
    """Makes cases of a camera, one every seven hours (more often, and false ones would be folded), and judges them."""

    def __init__(self, conn: Connection[Any], judge: Principal, *, at: datetime, node: str = "node-1") -> None:
        self.conn, self.judge, self.at, self.node = conn, judge, at, node
        self._number = 0

    def case(
        self,
        dwell_s: float,
        reason: DismissalReason | None = None,
        *,
        picture: bytes | None = None,
        kind: EvidenceKind = EvidenceKind.SNAPSHOT,
        **of: Any,
    ) -> int:
        """A case that was true, or dismissed with a reason; its id."""
        self._number += 1
        self.at += timedelta(hours=7)
        found = self._incident(dwell_s, picture, kind, of)
        received_at = self.at + timedelta(seconds=dwell_s + 1)
        correlate.receive(self.conn, report(found, node=self.node, received_at=received_at))
        case_id, version = self._newest()
        action = CaseAction.CONFIRM if reason is None else CaseAction.DISMISS
        order = Order(action=action, version=version, reason=reason)
        judged_at = received_at + timedelta(minutes=10)
        cases.act(self.conn, self.judge, case_id, order, now=judged_at, address="test")
        if picture is not None:
            evidence.mark_stored(self.conn, self.node, hashlib.sha256(picture).hexdigest(), now=judged_at)
        return case_id

    def settle(self) -> None:
        """Make what is due."""
        while settling.settle(self.conn)[0]:
            pass

    def _incident(self, dwell_s: float, picture: bytes | None, kind: EvidenceKind, of: Mapping[str, Any]) -> Incident:
        start = self.at
        files: tuple[EvidenceReference, ...] = ()
        if picture is not None:
            files = (
                EvidenceReference(
                    sha256=hashlib.sha256(picture).hexdigest(),
                    kind=kind,
                    mime="image/jpeg",
                    bytes=len(picture),
                    captured_at=start + timedelta(seconds=1),
                ),
            )
        given: dict[str, Any] = {
            "incident_id": uuid7(int(start.timestamp() * 1000) + self._number),
            "kind": "loitering",
            "category": "public_order",
            "severity": Severity.MEDIUM,
            "device": "cam-1",
            "zone": "floor",
            "rule": RULE,
            "model": MODEL,
            "track": (TrackPoint(to_microseconds(start + timedelta(seconds=1)), 0.25, 0.25, 0.5, 0.75),),
        }
        return Incident(
            revision=1,
            state=IncidentState.ENDED,
            started_at=start,
            updated_at=start + timedelta(seconds=dwell_s),
            ended_at=start + timedelta(seconds=dwell_s),
            dwell_s=dwell_s,
            evidence=files,
            **(given | dict(of)),
        )

    def _newest(self) -> tuple[int, int]:
        row = self.conn.execute("select id, version from grid_case order by id desc limit 1").fetchone()
        assert row is not None
        return row[0], row[1]
