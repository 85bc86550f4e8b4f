"""A clip played through the gate without threads or sockets, packet by packet, beside the same clip decoded whole."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from edge.contract.incident import IncidentState
from edge.flow import Encoded, Finding, Frame, GateOrder, GateState, Packet, Picture, Scene
from edge.perception.audit import AuditedGate
from edge.perception.detector import OnnxDetector
from edge.perception.gate import PacketGate
from edge.perception.pipeline import CameraPipeline
from edge.replay import ReplayIncident
from edge.rules.registry import scene_rule
from edge.settings import CameraSettings
from edge.sources.intake import Intake
from edge.sources.packets import PacketRing
from edge.sources.timing import AnalysisGrid, EventClock, PacketClock
from edge.video import Video

START = datetime(2026, 1, 1, tzinfo=UTC)


def looped(video: Video, times: int, clip: Path) -> Iterator[Encoded]:
    """The packets of a clip, again and again on one clock; the caller's `video` serves the first round and decodes all."""
    period = 0
    ahead = 0
    for turn in range(times):
        last = 0
        with Video(clip) as again:
            for encoded in video.packets() if turn == 0 else again.packets():
                pts, dts = encoded.pts or 0, encoded.dts or 0
                period = encoded.duration or period
                last = max(last, pts + period)
                yield replace(
                    encoded, pts=pts + ahead, dts=dts + ahead, pts_s=float((pts + ahead) * video.format.time_base)
                )
        ahead += last


@dataclass
class GatedRun:
    """One camera behind a gate, or without one (`gate` None: everything is decoded). Times are event times; `heard_s` is the time of the
    packet with which a finding was told first, by its key.
    """

    camera: CameraSettings
    detector: OnnxDetector | None
    gate: PacketGate | AuditedGate | None
    scenes: list[Scene] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    heard_s: dict[str, float] = field(default_factory=dict)
    packets: int = 0
    decoded: int = 0
    unsuited: int = 0
    _arrived_s: float = 0.0

    def play(self, clip: Path, *, times: int = 1) -> "GatedRun":
        """Play a clip so many times in a row."""
        pipeline = CameraPipeline(self.camera, self.detector)
        rules = [scene_rule(settings, self.camera) for settings in self.camera.rules]
        grid = AnalysisGrid(self.camera.analysis_hz)
        for sequence, (at, media_s, pts_s, picture) in enumerate(self._pictures(clip, times)):
            if not grid.takes(media_s if pts_s is None else pts_s):
                continue
            scene = pipeline.analyse(Frame(self.camera.id, sequence, at, media_s, picture))
            self.scenes.append(scene)
            found = [finding for rule in rules for finding in rule.observe(scene)]
            self.findings += found
            for finding in found:
                self.heard_s.setdefault(finding.key, self._arrived_s)
            if self.gate is not None:
                self.gate.attend(scene, followed=pipeline.followed)
        scene = pipeline.interrupt(self.scenes[-1].at)
        self.findings += [found for rule in rules for found in (*rule.observe(scene), *rule.finish(scene.at))]
        return self

    def told(self) -> list[tuple[ReplayIncident, float]]:
        """What was ended, in seconds since the beginning, each with when its beginning was told."""
        ended = sorted(
            (each for each in self.findings if each.state is IncidentState.ENDED), key=lambda each: each.started_at
        )
        return [(incident, self.heard_s[each.key]) for each, incident in zip(ended, self.incidents(), strict=True)]

    def incidents(self) -> list[ReplayIncident]:
        """What was ended, in seconds since the beginning."""
        opened = {each.key: each.at for each in self.findings if each.state is IncidentState.OPEN}
        return [
            ReplayIncident(
                kind=each.kind,
                rule=each.rule,
                zone=each.zone,
                track_id=each.track_ids[0] if each.track_ids else None,
                started_s=_since(each.started_at),
                reported_s=_since(opened[each.key]),
                ended_s=_since(each.ended_at or each.at),
                dwell_s=each.dwell_s,
                confidence=each.confidence,
                direction=each.direction,
                count=each.count,
                point=each.point,
            )
            for each in sorted(self.findings, key=lambda each: each.started_at)
            if each.state is IncidentState.ENDED
        ]

    def _pictures(self, clip: Path, times: int) -> Iterator[tuple[datetime, float, float | None, Picture]]:
        with Video(clip) as video:
            clock, ring = PacketClock(EventClock()), PacketRing()
            ring.begin(video.format)
            gate = self.gate or _Open()
            gate.begin()
            intake = Intake(gate, ring, video)
            for encoded in looped(video, times, clip):
                self.packets += 1
                arrived_at = START + timedelta(seconds=float((encoded.dts or 0) * video.format.time_base))
                self._arrived_s = _since(arrived_at)
                time = clock.time_of(encoded.pts_s, arrived_at)
                for taken in intake.take(Packet(encoded, time.captured_at, time.media_s)):
                    yield taken.captured_at, taken.media_s, taken.pts_s, taken.picture
                self.unsuited += gate.state is GateState.UNSUITED
            self.decoded = intake.counters.decoded


class _Open(PacketGate):
    """Has everything decoded."""

    def take(self, packet: Packet) -> GateOrder:  # noqa: ARG002
        """Whatever it is."""
        return GateOrder.DECODE


def _since(at: datetime) -> float:
    return round((at - START).total_seconds(), 3)
