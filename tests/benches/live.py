"""Whether a live run finds what replay finds: the clip as an RTSP camera at its own pace, held against the same truth.

`python -m tests.benches.live [--json] [--encode] [--variant NAME] [--ungated]`

It goes through a gate as in a node; the clip has hardly any empty seconds, so that what the gate spares shows in `tests.benches.gate`.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from time import process_time

from edge.contract.incident import IncidentState
from edge.flow import Finding, Health
from edge.perception.audit import AuditedGate
from edge.perception.detector import OnnxDetector, open_detector
from edge.perception.pipeline import CameraPipeline
from edge.replay import ReplayIncident, replay
from edge.rules.registry import scene_rule
from edge.simulators.camera_process import CameraProcess
from edge.sources.camera import CameraSource
from edge.sources.mailbox import Mailbox
from models import catalogue
from tests.fakes.variants import VARIANTS, write_variant
from tests.fakes.visits import CLIP, compare, floor_camera


class LiveRun:
    """One pass of a camera through source, pipeline and rules."""

    def __init__(self, url: str, detector: OnnxDetector, *, gated: bool = True) -> None:
        self._camera = floor_camera().model_copy(update={"url": url})
        self._pipeline = CameraPipeline(self._camera, detector)
        self._rules = [scene_rule(settings, self._camera) for settings in self._camera.rules]
        self.mailbox = Mailbox()
        self.gate = AuditedGate() if gated else None
        self.source = CameraSource(self._camera, self.mailbox, self._hear, gate=self.gate)
        self.losses: list[str] = []
        self.findings: list[Finding] = []
        self.began_at: datetime | None = None

    def _hear(self, health: Health, reason: str | None) -> None:
        if health is Health.LOST:
            self.losses.append(reason or "")

    def watch(self, duration_s: float) -> None:
        """Watch so many seconds of the stream."""
        self.source.start()
        while not self.losses:
            frame = self.mailbox.take(10)
            if frame is None:
                break
            if frame.media_s > duration_s:
                break
            # the first frames come in a burst, whose event times are those of arrival: the later ones tell the beginning
            self.began_at = frame.captured_at - timedelta(seconds=frame.media_s)
            scene = self._pipeline.analyse(frame)
            self.source.attend(scene, followed=self._pipeline.followed)
            self.findings += [finding for rule in self._rules for finding in rule.observe(scene)]
        self.source.stop()

    def incidents(self) -> list[ReplayIncident]:
        """What was ended, in seconds since the beginning of the clip."""
        opened = {each.key: each.at for each in self.findings if each.state is IncidentState.OPEN}
        return [
            ReplayIncident(
                kind=each.kind,
                rule=each.rule,
                zone=each.zone,
                track_id=each.track_ids[0],
                started_s=self._since(each.started_at),
                reported_s=self._since(opened[each.key]),
                ended_s=self._since(each.ended_at or each.at),
                dwell_s=each.dwell_s,
                confidence=each.confidence,
            )
            for each in sorted(self.findings, key=lambda each: each.started_at)
            if each.state is IncidentState.ENDED
        ]

    def _since(self, at: datetime) -> float:
        return round((at - (self.began_at or at)).total_seconds(), 3)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench; the exit status is 0 when live and replay agree with the truth and with each other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--encode", action="store_true", help="let the camera encode anew, without B frames")
    parser.add_argument("--ungated", action="store_true", help="decode everything")
    parser.add_argument("--variant", choices=sorted(VARIANTS))
    options = parser.parse_args(arguments)
    detector = open_detector("yolox_nano_416")
    with tempfile.TemporaryDirectory() as folder:
        clip = catalogue.clip(CLIP)
        if options.variant:
            write_variant(clip, Path(folder) / "copy.mp4", VARIANTS[options.variant])
            clip = Path(folder) / "copy.mp4"
        replayed = replay(clip, floor_camera(), detector)
        with CameraProcess(clip, log=Path(folder) / "camera.log", encode=options.encode) as process:
            run = LiveRun(process.url, detector, gated=not options.ungated)
            cpu_s = process_time()
            run.watch(replayed.duration_s - 0.5)
            cpu_s = process_time() - cpu_s
    found = run.incidents()
    verdict = compare(found)
    apart_s = [abs(live.started_s - still.started_s) for live, still in zip(found, replayed.incidents, strict=False)]
    period_s = 1 / floor_camera().analysis_hz
    same = len(found) == len(replayed.incidents) and max(apart_s, default=0) <= period_s + 0.05
    report = {
        "right": not verdict.mistakes,
        "mistakes": verdict.mistakes,
        "same_as_replay": same,
        "worst_start_apart_s": round(max(apart_s, default=0), 3),
        "spared_packets": 0 if run.gate is None else run.gate.counters.spared,
        "skipped_frames": run.mailbox.skipped,
        "due_frames": run.source.counters.due,
        "starts_s": [[still.started_s, live.started_s] for still, live in zip(replayed.incidents, found, strict=False)],
        "losses": run.losses,
        "cpu_share": round(cpu_s / replayed.duration_s, 3),
    }
    print(
        json.dumps(report, indent=2) if options.json else "\n".join(f"{key}: {value}" for key, value in report.items())
    )
    return 0 if report["right"] and same else 1


if __name__ == "__main__":
    sys.exit(main())
