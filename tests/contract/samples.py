"""One full sample of every message, with every optional field filled: what the golden files are written from."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from edge.contract.answer import Answer, AnswerOutcome
from edge.contract.artifacts import DeviceFirmware, RunningArtifact, StepCode, StepReport, StepState
from edge.contract.birth import (
    Birth,
    Degradation,
    Device,
    DeviceKind,
    ModelVersion,
    NodeStatus,
    Point,
    PointKind,
    PresenceState,
    Spot,
)
from edge.contract.downlink import Ack, Command, DesiredProfile, Outcome, Result
from edge.contract.envelope import Body, Envelope, Lane
from edge.contract.health import (
    Backlog,
    CameraLink,
    DeadLetters,
    DroppedReadings,
    EvidenceBacklog,
    GateRecall,
    Knock,
    Level,
    LinkQuality,
    NodeHealth,
)
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
from edge.contract.telemetry import Gap, GapReason, ReadingFlag, SeriesColumn, StateChange, TelemetryBatch
from edge.contract.view import CameraView, SightCount, ViewAbsence

AT = datetime(2026, 3, 1, 2, 3, 4, 567890, tzinfo=UTC)
AT_US = 1_772_330_584_567_890
SESSION = UUID("019530b4-0000-7000-8000-000000000001")
HASH = "ab" * 32


def enveloped(body: Body, lane: Lane) -> Envelope[Body]:
    return Envelope(
        id=UUID("019530b4-0000-7000-8000-0000000000ff"),
        node="station-01",
        session=SESSION,
        lane=lane,
        seq=7,
        sent_at=AT,
        historical=True,
        body=body,
    )


INCIDENT = Incident(
    incident_id=UUID("019530b4-0000-7000-8000-00000000000a"),
    revision=3,
    state=IncidentState.ENDED,
    kind="loitering",
    category="public_order",
    severity=Severity.HIGH,
    started_at=AT,
    updated_at=AT,
    ended_at=AT,
    device="camera-hall",
    spot="hall",
    zone="floor",
    confidence=0.75,
    dwell_s=22.5,
    direction="in",
    count=1,
    point="temperature_c",
    value=71.5,
    unit="°C",
    fault="over_temperature",
    raw_code="E-17",
    track=(TrackPoint(AT_US, 0.125, 0.25, 0.5, 0.75),),
    model=ModelReference(id="yolox_nano_416", version="1", sha256=HASH),
    rule=RuleReference(id="loitering-floor", version="1", sha256=HASH),
    evidence=(
        EvidenceReference(sha256=HASH, kind=EvidenceKind.SNAPSHOT, mime="image/jpeg", bytes=34_567, captured_at=AT),
    ),
    views=(
        CameraView(
            camera="camera-hall",
            captured_at=AT,
            counts=(SightCount(label="person", count=2), SightCount(label="vehicle", count=1, zone="fire-lane")),
            evidence=(HASH,),
            trouble="dark",
        ),
        CameraView(camera="camera-gate", absence=ViewAbsence.CAMERA_LOST),
    ),
    simulated=True,
    note="门口徘徊",
    prev_hash=HASH,
    sig="c2lnbmF0dXJl",
)

TELEMETRY = TelemetryBatch(
    series=[
        SeriesColumn(
            device="pile-01",
            point="temperature_c",
            observed_at_us=[AT_US, AT_US + 1],
            value=[41.5, -3.0],
            flag=[ReadingFlag.NONE, ReadingFlag.CLAMPED | ReadingFlag.SIMULATED],
        )
    ],
    changes=[StateChange(device="camera-hall", point="presence", observed_at=AT, value="online")],
    skew_s=-0.25,
)

BIRTH = Birth(
    name="东门驿站",
    software="0.1.0",
    profile="node-station@1.0.0",
    models=(ModelVersion(id="yolox_nano_416", version="1", sha256=HASH, problem="the file is missing"),),
    devices=(
        Device(
            id="pile-01",
            kind=DeviceKind.CHARGING_PILE,
            name="1号充电桩",
            spot="bay",
            department="urban_management",
            profile="ocpp16_pile/1.0.0",
            behind="line-03",
            points=(
                Point(
                    name="temperature_c",
                    kind=PointKind.NUMBER,
                    unit="°C",
                    minimum=-40.0,
                    maximum=150.0,
                    period_s=5.0,
                ),
                Point(name="presence", kind=PointKind.STATE),
                Point(name="sos", kind=PointKind.STATE, event=True),
            ),
            simulated=True,
        ),
    ),
    degraded=(Degradation(subject="camera-hall", reason="stream_lost", detail="no route to host", since=AT),),
    spots=(Spot(id="bay", name="东侧车棚", cameras=("camera-hall",)),),
    artifacts=(RunningArtifact(artifact="profile", name="ocpp16_pile", version="1.0.0", sha256=HASH),),
    steps=(
        StepReport(
            desired_id=UUID("019530b4-0000-7000-8000-00000000000d"),
            artifact="profile",
            name="ocpp16_pile",
            version="1.1.0",
            sha256=HASH,
            state=StepState.ROLLED_BACK,
            code=StepCode.UNHEALTHY,
            reason="pile-01 told nothing for 60 s",
            at=AT,
        ),
    ),
    firmware=(DeviceFirmware(device="pile-01", name="teld.dc-120", version="V1.9"),),
    firmware_steps=(
        StepReport(
            desired_id=UUID("019530b4-0000-7000-8000-00000000000e"),
            artifact="firmware",
            name="teld.dc-120",
            version="V1.10",
            sha256=HASH,
            state=StepState.TRYING,
            at=AT,
            device="pile-01",
        ),
    ),
)

HEALTH = NodeHealth(
    node="station-01",
    session=SESSION,
    seq=7,
    at=AT,
    backlog=Backlog(
        level=Level.WARNING,
        share=0.625,
        used_bytes=293_601_280,
        quota_bytes=536_870_912,
        readings=1_000_000,
        incidents=3,
        messages=4,
        unsaved=1,
        oldest_at=AT,
    ),
    evidence=EvidenceBacklog(
        level=Level.NORMAL,
        files=2,
        bytes=69_134,
        quota_bytes=1_073_741_824,
        refused=1,
        left_out=1,
        oldest_at=AT,
        originals=12,
        originals_bytes=8_345_600,
        originals_since=AT,
    ),
    link=LinkQuality(connected_since=AT, connections=3, sent=120, resent=2, acknowledged=117),
    dropped_total=12,
    dropped=(DroppedReadings(device="pile-01", reason=GapReason.QUOTA, count=12, from_at=AT, to_at=AT),),
    lost_readings=4,
    lost_incidents=1,
    rejected_incidents=1,
    dead_letters=(DeadLetters(subject="incident", reason="data", count=1, first_at=AT, last_at=AT),),
    cameras=(
        CameraLink(
            camera="camera-hall",
            reconnects_per_hour=3,
            stalls_per_hour=1,
            gate=GateRecall(state="watching", reason="still", audited_s=864, found=5, missed=1),
        ),
    ),
    knocks=(Knock(protocol="ocpp", name="CP-0815", count=7),),
)

SAMPLES: dict[str, Any] = {
    "up-birth": enveloped(BIRTH, Lane.LIVE),
    "up-telemetry": enveloped(TELEMETRY, Lane.HISTORY),
    "up-incident": enveloped(INCIDENT, Lane.INCIDENT),
    "up-gap": enveloped(
        Gap(
            gap_id=UUID("019530b4-0000-7000-8000-00000000000b"),
            device="pile-01",
            from_at=AT,
            to_at=AT,
            count=12,
            reason=GapReason.QUOTA,
        ),
        Lane.LIVE,
    ),
    "up-health": HEALTH,
    "up-answer": Answer(
        command_id=UUID("019530b4-0000-7000-8000-00000000000c"),
        node="station-01",
        session=SESSION,
        at=AT,
        outcome=AnswerOutcome.DONE,
        reason="in part",
        result={"lines": [{"at": "2026-03-01T02:03:04Z", "level": "info", "text": "node started"}], "cut": True},
    ),
    "down-ack": Ack(
        node="station-01",
        session=SESSION,
        sent_at=AT,
        results=(
            Result(id=UUID("019530b4-0000-7000-8000-0000000000ff"), outcome=Outcome.ACCEPTED),
            Result(id=UUID("019530b4-0000-7000-8000-0000000000fe"), outcome=Outcome.REJECTED, reason="malformed"),
        ),
    ),
    "down-command": Command(
        command_id=UUID("019530b4-0000-7000-8000-00000000000c"),
        node="station-01",
        session=SESSION,
        issued_at=AT,
        deadline=AT,
        name="snapshot",
        device="camera-hall",
        arguments={"quality": 80},
        sig="c2lnbmF0dXJl",
    ),
    "down-desired": DesiredProfile(
        node="station-01",
        profile="node-station",
        version="1.0.1",
        sha256=HASH,
        sig="c2ln",
        artifact="profile",
        size_bytes=1_234,
        key=HASH,
        signed_at=datetime(2026, 3, 1, 2, 3, 4, tzinfo=UTC),
        desired_id=UUID("019530b4-0000-7000-8000-00000000000d"),
        issued_at=AT,
        roll_back=True,
        order_sig="c2lnbmF0dXJl",
        device="pile-01",
        deadline=AT,
    ),
    "status": NodeStatus(node="station-01", session=SESSION, state=PresenceState.OFFLINE, at=AT),
}
