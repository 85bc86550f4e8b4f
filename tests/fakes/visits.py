"""What happens in the clip `one_by_one_person_detection`, looked at frame by frame, and how a replay is held against it.

Six people come one at a time, stand at a table and leave. Times are seconds of clip time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from edge.configuration.words import camera_from_words
from edge.replay import ReplayIncident
from edge.settings import CameraSettings

CLIP = "one_by_one_person_detection"
VISIBLE_S = ((6.0, 20.2), (22.8, 45.2), (50.5, 70.3), (74.5, 87.2), (92.5, 120.3), (123.5, 136.0))
LOITERING_LIMIT_S = 16.5
LOITERERS = (1, 2, 4)
START_TOLERANCE_S = 0.9
END_TOLERANCE_S = 1.3


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a replay compares: every deviation in words, and the largest errors of start and end in seconds."""

    mistakes: tuple[str, ...]
    worst_start_s: float
    worst_end_s: float
    least_loitering_margin_s: float


def floor_camera(analysis_hz: float = 5.0, *, upper: float = 0.25) -> CameraSettings:
    """The camera of the clip: one zone below `upper`, the rules intrusion and loitering."""
    outline = f"0,{upper} 1,{upper} 1,1 0,1"
    rules = ["intrusion:floor", f"loitering:floor:{LOITERING_LIMIT_S}"]
    return camera_from_words([f"floor={outline}"], rules, model="yolox_nano_416", analysis_hz=analysis_hz)


def compare(incidents: Sequence[ReplayIncident]) -> Verdict:
    """Hold incidents against the truth."""
    mistakes: list[str] = []
    starts, ends, margins = [0.0], [0.0], []
    for kind, visits in (("intrusion", range(len(VISIBLE_S))), ("loitering", LOITERERS)):
        found = [incident for incident in incidents if incident.kind == kind]
        if len(found) != len(visits):
            mistakes.append(f"{len(found)} × {kind} instead of {len(visits)}")
            continue
        for visit, incident in zip(visits, found, strict=True):
            from_s, to_s = VISIBLE_S[visit]
            start_error_s, end_error_s = incident.started_s - from_s, (incident.ended_s or 0) - to_s
            starts.append(abs(start_error_s))
            ends.append(abs(end_error_s))
            if abs(start_error_s) > START_TOLERANCE_S or abs(end_error_s) > END_TOLERANCE_S:
                mistakes.append(f"{kind} of visit {visit + 1}: start {start_error_s:+.1f} s, end {end_error_s:+.1f} s")
            if kind == "intrusion":
                margins.append(abs((incident.dwell_s or 0) - LOITERING_LIMIT_S))
    kinds = {incident.kind for incident in incidents} - {"intrusion", "loitering"}
    mistakes += [f"unexpected kind {kind}" for kind in sorted(kinds)]
    return Verdict(tuple(mistakes), max(starts), max(ends), min(margins, default=0.0))
