"""A picture of a trial: the camera's background, zones and lines, and the ways of what was followed and found."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from edge.contract.incident import TrackPoint
from edge.errors import EdgeError
from edge.flow import Image
from edge.geometry import Point, foot_point
from edge.recollection.store import backgrounds
from edge.trial.answer import Trial
from edge.trial.comparison import Verdict, compared
from edge.trial.run import CameraTrial

_SIZE: Final = (960, 540)
_GREY: Final = (150, 150, 150)
_ZONE: Final = (0, 200, 255)
_LINE: Final = (255, 200, 0)
_COLOURS: Final = {Verdict.KEPT: (80, 200, 80), Verdict.NEW: (60, 60, 255), Verdict.GONE: _GREY}
_WHITE: Final = (255, 255, 255)
_DARK: Final = (30, 30, 30)
_FONT_SCALE: Final = 0.5


def write_picture(trial: Trial, directory: Path, file: Path) -> None:
    """All cameras one below the other, as a PNG. Raises EdgeError where the file can't be written.

    Ways of what was followed are grey, those of incidents that stay green, of new ones red.
    """
    pictures = [drawn(each, trial, directory) for each in trial.cameras]
    done, content = cv2.imencode(".png", np.vstack(pictures))
    if not done:
        raise EdgeError(f"{file}: the picture can't be encoded")
    try:
        file.write_bytes(content.tobytes())
    except OSError as error:
        raise EdgeError(f"{file}: {error.strerror}") from error


def drawn(trial: CameraTrial, whole: Trial, directory: Path) -> Image:
    """One camera's picture, shape (height, width, 3)."""
    picture = _background(trial.camera.id, directory)
    for way in trial.ways:
        _way(picture, way, _GREY, 1)
    for name, polygon in trial.camera.zones.items():
        _outline(picture, polygon, _ZONE, closed=True)
        _words(picture, name, polygon[0])
    for name, line in trial.camera.lines.items():
        _outline(picture, line, _LINE, closed=False)
        _words(picture, name, line[0])
    pairs = compared(trial.now, trial.then, until=whole.until)
    for pair in pairs:
        if pair.now is not None:
            _way(picture, pair.now.path, _COLOURS[pair.verdict], 2)
    counts = {verdict: sum(pair.verdict is verdict for pair in pairs) for verdict in Verdict}
    told = ", ".join(f"{count} {verdict.value}" for verdict, count in counts.items())
    _words(picture, f"{trial.camera.id}: {told}", (0.01, 0.05))
    return picture


def _background(camera: str, directory: Path) -> Image:
    kept = backgrounds(directory, camera)
    if kept:
        try:
            content = np.frombuffer(kept[-1].file.read_bytes(), dtype=np.uint8)
        except OSError:
            content = np.zeros(0, dtype=np.uint8)
        found = cv2.imdecode(content, cv2.IMREAD_COLOR) if len(content) else None
        if found is not None:
            return np.asarray(cv2.resize(found, _SIZE, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return np.full((_SIZE[1], _SIZE[0], 3), 40, dtype=np.uint8)


def _pixels(points: Sequence[Point]) -> "np.ndarray[tuple[int, ...], np.dtype[np.int32]]":
    return np.array([[round(x * (_SIZE[0] - 1)), round(y * (_SIZE[1] - 1))] for x, y in points], dtype=np.int32)


def _outline(picture: Image, points: Sequence[Point], colour: tuple[int, int, int], *, closed: bool) -> None:
    pixels = _pixels(points)
    if closed:
        cv2.polylines(picture, [pixels], isClosed=True, color=colour, thickness=2, lineType=cv2.LINE_AA)
        return
    start, end = (int(pixels[0][0]), int(pixels[0][1])), (int(pixels[1][0]), int(pixels[1][1]))
    cv2.arrowedLine(picture, start, end, colour, 2, cv2.LINE_AA, tipLength=0.03)


def _way(picture: Image, path: Sequence[TrackPoint], colour: tuple[int, int, int], thickness: int) -> None:
    feet = [foot_point((point.left, point.top, point.right, point.bottom)) for point in path]
    if len(feet) > 1:
        cv2.polylines(picture, [_pixels(feet)], isClosed=False, color=colour, thickness=thickness, lineType=cv2.LINE_AA)


def _words(picture: Image, words: str, place: Point) -> None:
    (x, y), font = _pixels([place])[0].tolist(), cv2.FONT_HERSHEY_SIMPLEX
    (width, height), below = cv2.getTextSize(words, font, _FONT_SCALE, 1)
    left, bottom = max(min(x, _SIZE[0] - width - 4), 4), max(y, height + 6)
    cv2.rectangle(picture, (left - 3, bottom - height - 4), (left + width + 3, bottom + below), _DARK, cv2.FILLED)
    cv2.putText(picture, words, (left, bottom), font, _FONT_SCALE, _WHITE, 1, cv2.LINE_AA)
