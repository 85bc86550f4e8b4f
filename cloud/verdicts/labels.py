"""What a labelled picture says (标注): class, box, split. Pure.

Boxes are those of the track at the time of the picture. Splits are drawn by camera and day, so that no two pictures of the same minute
stand on both sides.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from zoneinfo import ZoneInfo

from cloud.verdicts.model import Sight, Verdict, sight_of
from edge.contract.telemetry import to_microseconds

FORMAT: Final = "gridward-verdicts/1"
NEAR_US: Final = 1_000_000
"""A track point farther from the picture than this is none of it."""

_TRAIN, _VALIDATE = 80, 90


class Split(StrEnum):
    """Which part of the set: eight tenths of all camera days, one, and one."""

    TRAIN = "train"
    VALIDATE = "val"
    TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """A masked picture of a judged incident."""

    sha256: str
    size_bytes: int
    captured_at: datetime
    incident_row_id: int
    case_id: int
    case_number: str
    area_path: str
    node: str
    device: str
    kind: str
    severity: str
    verdict: Verdict
    reason: str | None
    judged_at: datetime
    track: Sequence[Sequence[float]]
    rule: dict[str, Any] | None
    model: dict[str, Any] | None
    simulated: bool
    drill: bool


def split_of(node: str, device: str, at: datetime, zone: ZoneInfo) -> Split:
    """The part to which a camera's day belongs, the same in every export."""
    key = f"{node}\n{device}\n{at.astimezone(zone):%Y-%m-%d}".encode()
    place = int.from_bytes(hashlib.sha256(key).digest()[:4], "big") % 100
    return Split.TRAIN if place < _TRAIN else Split.VALIDATE if place < _VALIDATE else Split.TEST


def box_of(track: Sequence[Sequence[float]], captured_at: datetime) -> tuple[float, float, float, float] | None:
    """Left, top, right, bottom (shares of the picture) at the time of the picture; None where the track is not known then."""
    at_us = to_microseconds(captured_at)
    near = min(track, key=lambda point: abs(point[0] - at_us), default=None)
    if near is None or abs(near[0] - at_us) > NEAR_US:
        return None
    _, left, top, right, bottom = near
    return (left, top, right, bottom) if right > left and bottom > top else None


def image(label: Labelled, number: int, size: tuple[int, int], zone: ZoneInfo) -> dict[str, Any]:
    """An image of COCO, with what people found beside it."""
    width, height = size
    return {
        "id": number,
        "file_name": file_name(label, zone),
        "width": width,
        "height": height,
        "date_captured": label.captured_at.isoformat(),
        "sha256": label.sha256,
        "split": split_of(label.node, label.device, label.captured_at, zone).value,
        "node": label.node,
        "device": label.device,
        "case": label.case_number,
        "incident_kind": label.kind,
        "severity": label.severity,
        "verdict": label.verdict.value,
        "reason": label.reason,
        "sight": sight_of(label.verdict, label.reason).value,
        "judged_at": label.judged_at.isoformat(),
        "rule": label.rule,
        "model": label.model,
        "simulated": label.simulated,
        "drill": label.drill,
    }


def annotation(label: Labelled, number: int, size: tuple[int, int], category: int) -> dict[str, Any] | None:
    """The box of COCO (left, top, width, height in pixels); None where there is no box. Where nothing was there, it is what the model
    took for something: `ignore` 0 and `hard_negative` true.
    """
    box = box_of(label.track, label.captured_at)
    if box is None:
        return None
    width, height = size
    left, top, right, bottom = box[0] * width, box[1] * height, box[2] * width, box[3] * height
    sight = sight_of(label.verdict, label.reason)
    return {
        "id": number,
        "image_id": number,
        "category_id": category,
        "bbox": [round(left, 1), round(top, 1), round(right - left, 1), round(bottom - top, 1)],
        "area": round((right - left) * (bottom - top), 1),
        "iscrowd": 0,
        "hard_negative": sight is Sight.NOT_THERE,
        "ignore": int(sight is Sight.UNKNOWN),
    }


def file_name(label: Labelled, zone: ZoneInfo) -> str:
    """Where the picture lies in the archive."""
    return f"images/{split_of(label.node, label.device, label.captured_at, zone).value}/{label.sha256}-{label.incident_row_id}.jpg"
