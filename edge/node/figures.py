"""What the status file, the metrics and the health report tell of a running node."""

import os
from collections import Counter as Tally
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from edge.contract.health import (
    KNOCKS_TOLD,
    Backlog,
    DeadLetters,
    DroppedReadings,
    EvidenceBacklog,
    GateRecall,
    Knock,
    LinkQuality,
    NodeHealth,
)
from edge.contract.topics import Channel
from edge.faults import FAULTS
from edge.node.alarms import EVIDENCE_RULE, OUTBOX_RULE
from edge.node.declaration import software
from edge.node.gateways import gateway_figures
from edge.node.steadiness import links_of
from edge.outbox.outbox import Figures
from edge.outbox.store import Counter, DeadLetterTally, DropTally
from edge.perception.gate import GateCounters

if TYPE_CHECKING:
    from edge.node.assembly import Node
    from edge.node.watch import CameraWatch
    from edge.uplink.publisher import UplinkFigures

DROPS_TOLD = 50
DEAD_LETTERS_TOLD = 20
"""What a report and the metrics name one by one; the sums hold all of it."""


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
        "written_at": datetime.now(UTC).isoformat(),
        "clock": {"told_at": _text(node.clock.told()), **asdict(node.clock.figures)},
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
            "level": node.alarms.level(OUTBOX_RULE).value,
            "readings_waiting": outbox.readings_waiting,
            "messages_waiting": {channel.value: count for channel, count in outbox.messages_waiting.items()},
            "incidents_unsaved": node.book.unsaved,
            "oldest_waiting": _text(outbox.oldest_waiting),
            "used_bytes": outbox.used_bytes,
            "room_bytes": outbox.room_bytes,
            "quota_bytes": outbox.quota_bytes,
            "evidence_bytes": outbox.evidence_bytes,
            "share": round(outbox.share, 4),
            "dropped": [_drop(tally) for tally in outbox.dropped],
            "dead_letters": [_dead_letters(tally) for tally in outbox.dead_letters],
        },
        "commands": {
            "answered": {f"{name} {outcome}": count for (name, outcome), count in dict(node.commands.outcomes).items()},
            "refused": dict(node.command_desk.refusals),
        },
        "memory": asdict(node.recollection.figures),
        "wall": {"shown": list(node.wall.shown), **asdict(node.wall.figures)},
        "protection": node.protection.figures(),
        "provisioning": _provisioning(node),
        "linkage": {"waiting": node.linkage.waiting, **asdict(node.linkage.figures)},
        "evidence": {
            "level": node.alarms.level(EVIDENCE_RULE).value,
            "files_waiting": outbox.evidence_waiting,
            "oldest_waiting": _text(outbox.oldest_evidence),
            "used_bytes": outbox.evidence_bytes,
            "quota_bytes": outbox.evidence_quota_bytes,
            "originals": outbox.originals,
            "originals_bytes": outbox.originals_bytes,
            "oldest_original": _text(outbox.oldest_original),
            "left_out": node.book.evidence_left_out,
        },
        "gates": {
            watch.camera.id: {
                "state": watch.gate.state.value,
                "reason": watch.gate.reason.value,
                **asdict(watch.gate.audit),
                "audited_s": round(watch.gate.audit.audited_s, 1),
            }
            for watch in node.cameras.watches
            if watch.gate is not None
        },
        "films": asdict(node.cameras.clips.figures),
        "cameras": {watch.camera.id: _camera(node, watch) for watch in node.cameras.watches},
        "gateways": gateway_figures(node.cameras.gateways, node.configuration.cameras),
        "models": {
            name: {"withdrawn": node.shelf.failures.get(name, 0), **choice}
            for name, choice in node.shelf.choices().items()
        },
        "crashes": {
            "total": node.cameras.quarantine.ledger.crashes,
            "without_suspect": node.cameras.quarantine.ledger.without_suspect,
        },
        "readings": [{"protocol": name, **source.tally()} for name, source in node.reading_sources.items()],
        "faults": {
            "rules": dict(node.desk.faults),
            "incidents": node.book.faults,
            "housekeeping": node.housekeeping_faults,
            "caught": FAULTS.counts(),
            "credentials_unkept": node.renewal.unkept if node.renewal is not None else 0,
        },
        "rules": {
            "set_back": node.desk.set_back(),
            "history_waiting": node.desk.waiting,
            "incidents_lost": node.book.lost,
        },
    }


def health_of(node: "Node", figures: Figures, uplink: "UplinkFigures", *, seq: int) -> NodeHealth:
    """The report for the cloud. The node has its link: `uplink.connected_since` is known."""
    now = node.clock.told()
    waiting = Tally(dict(figures.messages_waiting))
    counters = figures.counters
    return NodeHealth(
        node=node.identity.node,
        session=node.identity.session,
        seq=seq,
        at=now,
        backlog=Backlog(
            level=node.alarms.level(OUTBOX_RULE),
            share=round(figures.share, 4),
            used_bytes=figures.used_bytes,
            quota_bytes=figures.quota_bytes,
            readings=max(0, figures.readings_waiting),
            incidents=waiting[Channel.INCIDENT],
            messages=waiting.total() - waiting[Channel.INCIDENT],
            unsaved=node.book.unsaved,
            oldest_at=figures.oldest_waiting,
        ),
        evidence=EvidenceBacklog(
            level=node.alarms.level(EVIDENCE_RULE),
            files=figures.evidence_waiting,
            bytes=max(0, figures.evidence_bytes - figures.originals_bytes),
            quota_bytes=figures.evidence_quota_bytes,
            refused=counters[Counter.EVIDENCE_REFUSED],
            left_out=node.book.evidence_left_out,
            oldest_at=figures.oldest_evidence,
            originals=figures.originals,
            originals_bytes=figures.originals_bytes,
            originals_since=figures.oldest_original,
        ),
        link=LinkQuality(
            connected_since=uplink.connected_since or now,
            connections=uplink.connections,
            sent=uplink.sent,
            resent=uplink.resent,
            acknowledged=uplink.acknowledged,
        ),
        dropped_total=sum(tally.count for tally in figures.dropped),
        dropped=tuple(
            DroppedReadings(
                device=tally.device, reason=tally.reason, count=tally.count, from_at=tally.from_at, to_at=tally.to_at
            )
            for tally in figures.dropped[:DROPS_TOLD]
        ),
        lost_readings=counters[Counter.READINGS_LOST],
        lost_incidents=counters[Counter.INCIDENTS_LOST],
        rejected_incidents=counters[Counter.INCIDENTS_REJECTED],
        dead_letters=tuple(
            DeadLetters(
                subject=subject_of(tally),
                reason=tally.reason[:500],
                count=tally.count,
                first_at=tally.first_at,
                last_at=tally.last_at,
            )
            for tally in figures.dead_letters[:DEAD_LETTERS_TOLD]
        ),
        knocks=knocks_of({protocol: source.tally() for protocol, source in node.reading_sources.items()}),
        cameras=links_of({watch.camera.id: watch.steadiness for watch in node.cameras.watches}, _recalls(node)),
    )


def knocks_of(tallies: Mapping[str, Mapping[str, Any]]) -> tuple[Knock, ...]:
    """Who has called and is not configured, the most frequent first; `knocked` of a source has names and counts."""
    found = [
        Knock(protocol=protocol, name=name[:500], count=count)
        for protocol, tally in tallies.items()
        for name, count in tally.get("knocked", {}).items()
        if count > 0
    ]
    return tuple(sorted(found, key=lambda each: (-each.count, each.protocol, each.name))[:KNOCKS_TOLD])


def _recalls(node: "Node") -> dict[str, GateRecall]:
    """What the gates do, and what their audits found."""
    gates = {watch.camera.id: watch.gate for watch in node.cameras.watches if watch.gate is not None}
    return {
        camera: GateRecall(
            state=gate.state.value,
            reason=gate.reason.value,
            audited_s=round(gate.audit.audited_s),
            found=gate.audit.found,
            missed=gate.audit.missed,
        )
        for camera, gate in gates.items()
    }


def subject_of(tally: DeadLetterTally) -> str:
    """The last word of a channel, or `evidence`."""
    return tally.channel.rpartition("/")[2]


def _provisioning(node: "Node") -> dict[str, Any]:
    """What the node was given to run, how far it is with what it shall run, and what it did not listen to."""
    record = node.provisioning.record
    return {
        "running": {f"{each.artifact}/{each.name}": each.version for each in record.running()},
        "steps": [
            {
                "name": f"{step.artifact}/{step.name}",
                "version": step.version,
                "state": step.state,
                "code": step.code,
                "reason": step.reason,
                "at": _text(step.at),
            }
            for step in record.steps()
        ],
        "ignored": dict(node.provisioning.ignored),
        "faults": node.provisioning.faults,
        "firmware": {
            "running": {each.device: f"{each.name}/{each.version}" for each in node.firmware.book.running()},
            "steps": [
                {"device": step.device, "version": step.version, "state": step.state, "code": step.code}
                for step in node.firmware.book.steps()
            ],
            "ignored": dict(node.firmware.ignored),
            "faults": node.firmware.faults,
        },
    }


def _drop(tally: DropTally) -> dict[str, Any]:
    return {
        "device": tally.device,
        "reason": tally.reason.value,
        "count": tally.count,
        "from_at": _text(tally.from_at),
        "to_at": _text(tally.to_at),
    }


def _dead_letters(tally: DeadLetterTally) -> dict[str, Any]:
    return {
        "subject": subject_of(tally),
        "reason": tally.reason,
        "count": tally.count,
        "first_at": _text(tally.first_at),
        "last_at": _text(tally.last_at),
    }


def _camera(node: "Node", watch: "CameraWatch") -> dict[str, float]:
    source, pipeline = watch.source.counters, watch.pipeline.counters
    known = node.cameras.quarantine.ledger.record(watch.camera.id)
    return {
        "connections": source.connections,
        "losses": source.losses,
        "stalls": source.stalls,
        "decoded": source.decoded,
        "due": source.due,
        "damaged": source.damaged,
        "changes": source.changes,
        "jumps": source.jumps,
        "skipped": watch.mailbox.skipped,
        "analysed": pipeline.frames,
        "moving": pipeline.moving,
        "inferences": pipeline.inferences,
        "parts": pipeline.parts,
        "put_off": pipeline.put_off,
        "refused": watch.refused_pictures,
        "faults": source.faults + watch.faults,
        "crashes": 0 if known is None else len(known.crashes),
        "quarantined": int(known is not None and known.held is not None),
        **asdict(watch.pace),
        **asdict(watch.steadiness),
        **_gate(watch),
    }


def _gate(watch: "CameraWatch") -> dict[str, float]:
    """What the gate does and has done; a camera without one decodes everything."""
    gate = watch.gate
    counters = GateCounters() if gate is None else gate.counters
    return {
        "dropped": watch.source.counters.dropped,
        "spared": counters.spared,
        "looks": counters.looks,
        "openings": counters.openings,
        "openings_told": counters.told,
        "openings_missed": counters.missed,
        "ring_bytes": watch.source.ring.size_bytes,
        "ring_seconds": round(watch.source.ring.seconds, 1),
    }


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
