"""The answer to a trial, the same for the command line and the cloud: JSON of a bounded size, the same bytes for the same memory."""

import json
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from edge.errors import ConfigurationError
from edge.geometry import foot_point
from edge.recollection.block import Watched
from edge.recollection.courses import LARGEST_ERROR
from edge.recollection.scenes import from_ms
from edge.recollection.store import MemoryReader, backgrounds
from edge.rules.identity import rule_id, subject
from edge.settings import MOTION, CameraSettings, PlaceSettings, SceneRuleSettings
from edge.trial.comparison import Compared, Verdict, compared
from edge.trial.run import RUN_UP, CameraTrial, Hole, TrialIncident, tried

LARGEST_BYTES: Final = 200 << 10
"""Of the answer as JSON: incidents that find no room are counted, and left out from the end."""

LARGEST_BACKGROUND_BYTES: Final = 100 << 10
"""Of that for pictures of backgrounds, all together."""

HOLES_MOST: Final = 100
WAY_POINTS: Final = 12
SEEN_LEAST_S: Final = 3_600.0
"""Less than an hour tells nothing of a day."""

_DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Trial:
    """The trials of all cameras, and the span that they share."""

    since: datetime
    until: datetime
    cameras: tuple[CameraTrial, ...]
    damaged: int


def try_cameras(
    directory: Path,
    cameras: Sequence[CameraSettings],
    *,
    since: timedelta | datetime,
    until: datetime | None = None,
    go_on: Callable[[], None] = lambda: None,
) -> Trial:
    """Run the rules of these cameras over what the node of a data directory remembers.

    A `since` that is a length of time counts back from the newest that is remembered of them, so that the same memory gives the same
    answer at any time. `go_on` is called often and may raise. Raises ConfigurationError where nothing is remembered.
    """
    reader = MemoryReader(directory)
    span = reader.span_ms(each.id for each in cameras)
    if span is None:
        names = ", ".join(each.id for each in cameras)
        raise ConfigurationError(f"nothing is remembered yet of {names} in {directory}")
    end = from_ms(span[1]) if until is None else until
    begin = end - since if isinstance(since, timedelta) else since
    if begin >= end:
        raise ConfigurationError(f"the span begins at {_told(begin)}, and ends at {_told(end)} already")
    trials = []
    for camera in cameras:
        blocks = reader.blocks(camera.id, from_ms=_ms(begin - RUN_UP), to_ms=_ms(end))
        trials.append(tried(camera, blocks, since=begin, until=end, go_on=go_on))
    return Trial(begin, end, tuple(trials), reader.damaged)


def answer(trial: Trial, directory: Path, *, background: bool = False) -> dict[str, Any]:
    """Ready for JSON, of at most `LARGEST_BYTES`; with the masked picture of each `background` where it is asked for and fits."""
    room_bytes = LARGEST_BACKGROUND_BYTES // len(trial.cameras) if background else 0
    cameras = [_camera(each, trial, directory, room_bytes) for each in trial.cameras]
    told: dict[str, Any] = {
        "since": _told(trial.since),
        "until": _told(trial.until),
        "largest_error": LARGEST_ERROR,
        "damaged_blocks": trial.damaged,
        "cameras": cameras,
    }
    excess = len(as_json(told).encode()) - LARGEST_BYTES
    while excess > 0:
        fullest = max(cameras, key=lambda each: len(each["incidents"]))
        if not fullest["incidents"]:
            break
        while excess > 0 and fullest["incidents"]:
            excess -= len(as_json(fullest["incidents"].pop()).encode())
            fullest["incidents_left_out"] += 1
        excess = len(as_json(told).encode()) - LARGEST_BYTES
    return told


def as_json(told: Any) -> str:
    """The bytes that are compared."""
    return json.dumps(told, ensure_ascii=False, indent=2)


def _camera(trial: CameraTrial, whole: Trial, directory: Path, room_bytes: int) -> dict[str, Any]:
    camera = trial.camera
    pairs = compared(trial.now, trial.then, until=whole.until)
    return {
        "camera": camera.id,
        "begins_at": _told(trial.begins_at),
        "ends_at": _told(trial.ends_at),
        "seen_s": trial.seen_s,
        "holes": [_hole(each) for each in _longest(trial.holes)],
        "holes_left_out": max(len(trial.holes) - HOLES_MOST, 0),
        "warnings": list(_warnings(trial, whole)),
        "background": _background(camera.id, whole, directory, room_bytes),
        "zones": {name: [list(point) for point in polygon] for name, polygon in camera.zones.items()},
        "lines": {name: [list(point) for point in line] for name, line in camera.lines.items()},
        "rules": [_rule(name, trial, pairs) for name in _rule_names(trial)],
        "incidents": [_incident(each) for each in pairs],
        "incidents_left_out": 0,
    }


def _background(camera: str, whole: Trial, directory: Path, room_bytes: int) -> dict[str, Any] | None:
    """The newest picture of the camera's background in the span, masked as all that leaves the node."""
    kept = [each for each in backgrounds(directory, camera) if each.at_ms <= _ms(whole.until)]
    if not kept:
        return None
    told: dict[str, Any] = {"sha256": kept[-1].sha256, "captured_at": _told(from_ms(kept[-1].at_ms))}
    if room_bytes:
        try:
            encoded = b64encode(kept[-1].file.read_bytes()).decode()
        except OSError:  # it was let go of meanwhile
            encoded = ""
        told["jpeg_base64"] = encoded if 0 < len(encoded) <= room_bytes else None
    return told


def _longest(holes: Sequence[Hole]) -> list[Hole]:
    """The longest ones, in the order of their times."""
    chosen = sorted(holes, key=lambda hole: (hole.begins_at - hole.ends_at, hole.begins_at))[:HOLES_MOST]
    return sorted(chosen, key=lambda hole: hole.begins_at)


def _hole(hole: Hole) -> dict[str, Any]:
    return {"begins_at": _told(hole.begins_at), "ends_at": _told(hole.ends_at), "why": hole.why}


def _rule_names(trial: CameraTrial) -> list[str]:
    configured = [rule_id(settings) for settings in trial.camera.rules]
    return list(dict.fromkeys([*configured, *sorted({each.rule for each in trial.then})]))


def _rule(name: str, trial: CameraTrial, pairs: Sequence[Compared]) -> dict[str, Any]:
    settings = next((each for each in trial.camera.rules if rule_id(each) == name), None)
    own = [each for each in pairs if each.told.rule == name or (each.then is not None and each.then.rule == name)]
    now = [each for each in own if each.now is not None and each.now.rule == name]
    then = [each for each in own if each.then is not None and each.then.rule == name]
    days = trial.seen_s / _DAY_S if trial.seen_s >= SEEN_LEAST_S else 0.0
    return {
        "rule": name,
        "kind": settings.kind if settings is not None else next((each.told.kind for each in own), None),
        "subject": None if settings is None else subject(settings),
        "tried": settings is not None,
        "now": len(now),
        "then": len(then),
        **{verdict.value: sum(each.verdict is verdict for each in own) for verdict in Verdict},
        "now_per_day": round(len(now) / days, 2) if days else None,
        "then_per_day": round(len(then) / days, 2) if days else None,
        "counts": {point: count for point, count in trial.counts.items() if point.startswith(f"{name}.")},
    }


def _incident(pair: Compared) -> dict[str, Any]:
    then = pair.then
    return {
        "verdict": pair.verdict.value,
        **_plain(pair.told),
        "way": _way(pair.now),
        "then": None if then is None else _as_told(then),
    }


def _as_told(then: TrialIncident) -> dict[str, Any]:
    """What was told at the time, and on which background."""
    return {
        "rule": then.rule,
        "started_at": _told(then.started_at),
        "dwell_s": then.dwell_s,
        "background": then.background,
    }


def _way(incident: TrialIncident | None) -> str | None:
    """Where it went, as few foot points as show it: `x,y x,y …`, so that a page can draw it as it stands."""
    path = () if incident is None else incident.path
    if not path:
        return None
    step = max((len(path) - 1) / (WAY_POINTS - 1), 1.0)
    chosen = dict.fromkeys([round(index * step) for index in range(min(len(path), WAY_POINTS))])
    feet = (
        foot_point((point.left, point.top, point.right, point.bottom)) for point in (path[index] for index in chosen)
    )
    return " ".join(f"{x:.3f},{y:.3f}" for x, y in feet)


def _plain(incident: TrialIncident) -> dict[str, Any]:
    told = {
        "rule": incident.rule,
        "kind": incident.kind,
        "zone": incident.zone,
        "severity": incident.severity,
        "started_at": _told(incident.started_at),
        "ended_at": _told(incident.ended_at),
        "dwell_s": incident.dwell_s,
    }
    further = {"direction": incident.direction, "count": incident.count, "point": incident.point}
    return told | {key: value for key, value in further.items() if value is not None}


def _warnings(trial: CameraTrial, whole: Trial) -> list[dict[str, Any]]:
    """What one has to know before one takes silence for peace: a code for pages, words for people."""
    found = []
    if trial.begins_at is None:
        found.append(_warning("nothing", "nothing is remembered of this camera within the span"))
    elif (trial.begins_at - whole.since).total_seconds() > RUN_UP.total_seconds() / 15:
        found.append(_warning("begins_later", f"the memory begins at {_told(trial.begins_at)}, later than the span"))
    span_s = (whole.until - whole.since).total_seconds()
    if trial.begins_at is not None and trial.seen_s < 0.9 * span_s:
        share = f"{100 * trial.seen_s / span_s:.0f} %"
        found.append(_warning("seen_in_part", f"the camera was seen for {share} of the span"))
    for settings in trial.camera.rules:
        missed = _unwatched(settings, trial.watched)
        if missed is not None:
            found.append(_warning("not_looked_for", f"rule {rule_id(settings)}: {missed}", rule=rule_id(settings)))
    return found


def _warning(code: str, words: str, *, rule: str | None = None) -> dict[str, Any]:
    return {"code": code, "rule": rule, "words": words}


def _unwatched(settings: SceneRuleSettings, watched: Sequence[Watched]) -> str | None:
    """Why a rule can't find all that there was: a node looks only for what its rules ask for."""
    if settings.kind == "camera_trouble":
        blind = any(not each.troubles for each in watched)
        return "trouble with the picture was not looked for all the time" if blind else None
    if settings.kind == "abandoned_object" and any(not each.objects for each in watched):
        return "things left behind were not looked for all the time"
    if isinstance(settings, PlaceSettings) and any(not each.places for each in watched):
        return "what stays at its place was not looked for all the time"
    if settings.kind == "line_crossing" and MOTION in settings.classes and any(not each.motion for each in watched):
        return "what moves was not followed all the time"
    if settings.kind == "line_crossing" and tuple(settings.classes) == (MOTION,):
        return None
    return "no model looked for some of the time" if any(each.model is None for each in watched) else None


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _told(at: datetime | None) -> Any:
    return None if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
