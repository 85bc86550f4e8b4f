"""A made-up site: a labelled export as the platform writes it, from made scenes. To see how fine-tuning goes without anybody's pictures.

The site looks like none that the detector knows: its cameras give a grey picture in which bright is dark, as those do that see heat. Its
detector told of litter, overflowing bins and fallen people; people went to see, and some of it was something else.
"""

import hashlib
import json
import zipfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from edge.simulators.scene.labelled import labelled_frames
from models.datasets.verdict_form import FORMAT

NODE: Final = "made-up-node"
_SIZE: Final = (640, 360)
_CAMERAS: Final = 6
_DAYS: Final = 12
_FIRST_DAY: Final = datetime(2026, 3, 1, tzinfo=UTC)
_TRAIN, _VALIDATE = 80, 90
_TAKEN_FOR: Final = {"bin": "bin_overflow", "person": "fallen_person"}
"""What stands there, and what it was taken for where it was a false alarm."""
_TOLD: Final = ("bin_overflow", "fallen_person", "litter", "two_wheeler")
_UNCLEAR_SHARE: Final = 0.05
_JITTER: Final = 0.03
"""Boxes of tracks are as far off, in parts of their size."""
_WARNING: Final = "Made up: nobody has seen this site."


def write_made_site(path: Path, seed: int, pictures: int) -> None:
    """Write an export with about so many pictures as a zip; the same seed gives the same verdicts."""
    images: list[dict[str, Any]] = []
    boxes: list[dict[str, Any]] = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for content, image, box in _entries(seed, pictures):
            archive.writestr(image["file_name"], content)
            images.append(image)
            boxes.append(box)
        categories = [
            {"id": number, "name": name, "supercategory": "incident"} for number, name in enumerate(_TOLD, start=1)
        ]
        info = {"description": "Verdicts of Gridward", "version": FORMAT, "warning": _WARNING}
        annotations = {"info": info, "images": images, "annotations": boxes, "categories": categories}
        archive.writestr("annotations.json", json.dumps(annotations))
        archive.writestr("manifest.json", json.dumps(_manifest(seed, images)))


def _entries(seed: int, pictures: int) -> Iterator[tuple[bytes, dict[str, Any], dict[str, Any]]]:
    chance = np.random.default_rng([seed, 1])
    number = 0
    for pixels, corners, names in labelled_frames(seed, 4 * pictures, _SIZE):
        told = [index for index, name in enumerate(names) if name in _TOLD or name in _TAKEN_FOR]
        if not told:
            continue
        number += 1
        content = cv2.imencode(".jpg", as_seen(pixels), [cv2.IMWRITE_JPEG_QUALITY, 82])[1].tobytes()
        index = told[int(chance.integers(len(told)))]
        image, box = _judged(chance, number, pictures, names[index], corners[index])
        digest = hashlib.sha256(content).hexdigest()
        image |= {"sha256": digest, "file_name": f"images/{image['split']}/{digest}-{number}.jpg"}
        yield content, image, box
        if number == pictures:
            return


def as_seen(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture as the site's cameras give it: grey, and dark where it is bright."""
    grey = cv2.GaussianBlur(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), (3, 3), 0)
    return np.asarray(cv2.cvtColor(255 - grey, cv2.COLOR_GRAY2BGR), np.uint8)


def _judged(
    chance: Generator, number: int, of: int, name: str, corners: NDArray[np.float32]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """An image and a box of COCO, as the platform's export has them, but for the file."""
    device = f"cam-{1 + number % _CAMERAS}"
    taken = _FIRST_DAY + timedelta(days=_DAYS * (number - 1) / of)
    kind = _TAKEN_FOR.get(name, name)
    is_false, is_unclear = name in _TAKEN_FOR, bool(chance.random() < _UNCLEAR_SHARE)
    verdict = "unsure" if is_unclear else "false_alarm" if is_false else "true"
    sides = np.tile(corners[2:] - corners[:2], 2) * chance.normal(0, _JITTER, 4)
    left, top, right, bottom = (
        float(side) for side in np.clip(corners + sides, 0, [_SIZE[0], _SIZE[1], _SIZE[0], _SIZE[1]])
    )
    model = {"id": "gridward_nano_320", "version": "0.1.0", "sha256": "0" * 64}
    image = {
        "id": number,
        "file_name": "",
        "width": _SIZE[0],
        "height": _SIZE[1],
        "date_captured": taken.isoformat(),
        "sha256": "",
        "split": _split(device, taken),
        "node": NODE,
        "device": device,
        "case": f"MADE-{number:05d}",
        "incident_kind": kind,
        "severity": "medium",
        "verdict": verdict,
        "reason": "misdetection" if verdict == "false_alarm" else None,
        "sight": "unknown" if is_unclear else "not_there" if is_false else "there",
        "judged_at": (taken + timedelta(minutes=20)).isoformat(),
        "rule": {"id": f"{kind}-1", "version": "1", "sha256": "0" * 64},
        "model": model,
        "simulated": True,
        "drill": False,
    }
    box = {
        "id": number,
        "image_id": number,
        "category_id": 1 + _TOLD.index(kind),
        "bbox": [round(left, 1), round(top, 1), round(right - left, 1), round(bottom - top, 1)],
        "area": round((right - left) * (bottom - top), 1),
        "iscrowd": 0,
        "hard_negative": is_false and not is_unclear,
        "ignore": int(is_unclear),
    }
    return image, box


def _split(device: str, taken: datetime) -> str:
    """As the platform draws it: by node, camera and day."""
    key = f"{NODE}\n{device}\n{taken:%Y-%m-%d}".encode()
    place = int.from_bytes(hashlib.sha256(key).digest()[:4], "big") % 100
    return "train" if place < _TRAIN else "val" if place < _VALIDATE else "test"


def _manifest(seed: int, images: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "export": f"made-up-{seed}",
        "exported_at": _FIRST_DAY.isoformat(),
        "exported_by": "nobody",
        "purpose": "to show how fine-tuning goes",
        "asked_for": {},
        "warning": _WARNING,
        "pictures": len(images),
        "size_bytes": 0,
        "by_verdict": dict(Counter(image["verdict"] for image in images)),
        "by_split": dict(Counter(image["split"] for image in images)),
        "left_out": {},
        "cut": False,
    }
