"""What the status file and the metrics tell of a running node."""

import os
from datetime import datetime
from typing import TYPE_CHECKING, Any

from edge.node.declaration import software

if TYPE_CHECKING:
    from edge.node.assembly import Node
    from edge.node.watch import CameraWatch


def status_of(node: "Node") -> dict[str, Any]:
    """How everything stands, ready for JSON."""
    outbox = node.outbox.figures()
    uplink = node.publisher.figures
    return {
        "node": node.identity.node,
        "district": node.identity.district,
        "software": software(),
        "session": str(node.identity.session),
        "pid": os.getpid(),
        "started_at": _text(node.started_at),
        "written_at": _text(node.clock()),
        "degraded": [
            {"subject": one.subject, "reason": one.reason, "detail": one.detail, "since": _text(one.since)}
            for one in node.standing.degradations()
        ],
        "uplink": {
            "connected": uplink.connected,
            "connected_since": _text(uplink.connected_since),
            "connections": uplink.connections,
            "sent": uplink.sent,
            "resent": uplink.resent,
            "acknowledged": uplink.acknowledged,
            "in_flight": uplink.in_flight,
        },
        "outbox": {
            **{counter.value: count for counter, count in outbox.counters.items()},
            "readings_waiting": outbox.readings_waiting,
            "messages_waiting": {channel.value: count for channel, count in outbox.messages_waiting.items()},
            "oldest_waiting": _text(outbox.oldest_waiting),
            "used_bytes": outbox.used_bytes,
            "quota_bytes": outbox.quota_bytes,
            "evidence_bytes": outbox.evidence_bytes,
        },
        "cameras": {watch.camera.id: _camera(watch) for watch in node.watches},
        "readings": [dict(source.tally()) for source in node.reading_sources],
        "faults": {"rules": dict(node.desk.faults), "incidents": node.book.faults},
    }


def _camera(watch: "CameraWatch") -> dict[str, int]:
    source, pipeline = watch.source.counters, watch.pipeline.counters
    return {
        "connections": source.connections,
        "losses": source.losses,
        "decoded": source.decoded,
        "due": source.due,
        "skipped": watch.mailbox.skipped,
        "analysed": pipeline.frames,
        "moving": pipeline.moving,
        "inferences": pipeline.inferences,
        "faults": source.faults + watch.faults,
    }


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
