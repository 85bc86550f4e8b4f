"""What the cameras of a measurement show: stretches of a real film, or a made scene each, encoded as cameras send them, kept in the cache of
this machine.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path
from typing import Final

import cv2

from edge.errors import MediaUnusable
from edge.flow import Image
from edge.simulators.encoding import CONSTANT_RATE, Encoding, write_pictures
from edge.simulators.scene.scene import Scene, random_scene
from edge.simulators.scene.story import Parameters
from edge.video import Video
from models import catalogue
from models.manifest import ModelProblem

CLIP: Final = "one_by_one_person_detection"
"""A room in which six people come one at a time, stand at a table and leave: 139 s at ten pictures a second."""

EMPTY_S: Final = (0.3, 5.3)
"""Nobody is in the clip's room then."""

BEGINNINGS_S: Final = (5.0, 22.0, 49.0, 73.5, 91.0, 112.0)
"""From here on somebody is in the clip's room for most of the time."""

IDLE_FILM_S: Final = 20.0
MOST_STRETCHES: Final = len(BEGINNINGS_S)

AS_A_CAMERA: Final = Encoding(None, {"crf": "23"})
"""x264's own default quality: 0.2 Mbit/s at 768×432, 1.2 Mbit/s at 1080p in the empty room."""

NOISY: Final = Encoding(0.1, CONSTANT_RATE, noise=12.0)
"""Strong noise at a constant bit rate: the sizes of packets tell nothing."""

CLEAR: Final = Encoding(None, {"crf": "18"})

SCENES: Final = 24
"""So many made scenes differ; further cameras show one of these again."""

_SCENE_SIZE: Final = (768, 432)
_SCENE_HZ: Final = 10
_BUSY: Final = Parameters(walkers=8.0, crossers=3.0, lingerers=3.0, riders=2.0, drivers=2.0)


@dataclass(frozen=True, slots=True)
class Film:
    """What stretches are cut from. `own`: one that was given, and not the clip; `made`: no film, but made scenes; `sha256` names what is
    made of it.
    """

    path: Path
    sha256: str
    own: bool
    made: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of stream."""

    width: int
    height: int
    rate: int
    encoding: Encoding


MADE: Final = Film(Path("made-scenes"), "made scenes, first edition", own=False, made=True)
"""A scene for each camera. Needs nothing but the software itself."""


def film_of(given: Path | None) -> Film:
    """The film that was given, else the clip. Raises MediaUnusable, naming the way out."""
    if given is not None:
        try:
            with given.open("rb") as opened:
                digest = hashlib.file_digest(opened, "sha256").hexdigest()
        except OSError as error:
            raise MediaUnusable(f"{given} can't be read: {error.strerror}") from error
        return Film(given, digest, own=digest != catalogue.footage()[CLIP].sha256)
    try:
        path = catalogue.clip(CLIP)
    except ModelProblem as problem:
        raise MediaUnusable(
            f"{problem}. Or measure with a film of your own: `--idle --film FILE` with one of an empty scene, "
            "`--busy --film FILE` with one in which people come and go, or `--busy --scenes` on made ones"
        ) from problem
    return Film(path, catalogue.footage()[CLIP].sha256, own=False)


def idle_film(film: Film, kind: Kind, say: Callable[[str], None] = lambda _line: None) -> Path:
    """The empty scene, forwards and backwards with its own noise, to be played in a loop."""

    def make(path: Path) -> None:
        say(f"encoding {IDLE_FILM_S:.0f} s of the empty scene, {kind.width}×{kind.height} at {kind.rate} Hz")
        pictures = islice(_there_and_back(film, kind), round(IDLE_FILM_S * kind.rate))
        write_pictures(pictures, path, Fraction(kind.rate), kind.encoding)

    return _cached(film, f"idle {kind} {IDLE_FILM_S}", make)


def stretch(film: Film, number: int, length_s: float, say: Callable[[str], None] = lambda _line: None) -> Path:
    """The stretch of this number, in which people move; from `beginnings`, or a scene of its own."""
    if film.made:
        return _scene(film, number, length_s, say)
    begin_s = beginnings(film, length_s)[number]

    def make(path: Path) -> None:
        say(f"encoding {length_s:.0f} s from second {begin_s:g} on, with people in them")
        with Video(film.path) as video:
            rate = Fraction(1 / video.frame_period_s).limit_denominator(1000)
            write_pictures(_between(video, begin_s, begin_s + length_s), path, rate, CLEAR)

    return _cached(film, f"busy {begin_s} {length_s} {CLEAR}", make)


def stretches(film: Film, length_s: float) -> int:
    """How many stretches of this length differ. Raises MediaUnusable when the film is too short for one."""
    return SCENES if film.made else len(beginnings(film, length_s))


def beginnings(film: Film, length_s: float) -> tuple[float, ...]:
    """Where stretches of this length begin. Raises MediaUnusable when the film is too short for one."""
    if not film.own:
        return BEGINNINGS_S
    with Video(film.path) as video:
        duration_s = video.duration_s
        if duration_s is None:
            duration_s = max((decoded.pts_s or 0.0 for decoded in video.frames()), default=0.0)
    count = min(MOST_STRETCHES, int(duration_s / length_s))
    if count == 0:
        raise MediaUnusable(
            f"{film.path} lasts {duration_s:.0f} s and {length_s:.0f} s are needed: give a longer film, or measure for fewer --seconds"
        )
    return tuple(round(place * duration_s / count, 3) for place in range(count))


def made_scene(number: int, length_s: float) -> Scene:
    """The scene that the stretch of this number shows, with its truth."""
    parameters = replace(_BUSY, duration_s=length_s)
    return random_scene(number, parameters, size=_SCENE_SIZE, frame_period_s=1 / _SCENE_HZ)


def _scene(film: Film, number: int, length_s: float, say: Callable[[str], None]) -> Path:
    def make(path: Path) -> None:
        say(f"drawing scene {number + 1}, {length_s:.0f} s")
        pictures = (image for _, _, image in made_scene(number, length_s).frames(stamped=True))
        write_pictures(pictures, path, Fraction(_SCENE_HZ), CLEAR)

    return _cached(film, f"scene {number} {length_s} {_BUSY} {CLEAR}", make)


def _there_and_back(film: Film, kind: Kind) -> Iterator[Image]:
    with Video(film.path) as video:
        begin_s, end_s = (0.0, 10.0) if film.own else EMPTY_S
        images = [_of_size(image, kind) for image in _between(video, begin_s, end_s)]
    if not images:
        raise MediaUnusable(f"there is no picture in {film.path}")
    yield from cycle([*images, *images[-2:0:-1]])


def _between(video: Video, begin_s: float, end_s: float) -> Iterator[Image]:
    for decoded in video.frames():
        at_s = decoded.pts_s or 0.0
        if at_s >= end_s:
            return
        if at_s >= begin_s:
            image = decoded.picture.image
            yield image[: image.shape[0] & ~1, : image.shape[1] & ~1]


def _of_size(image: Image, kind: Kind) -> Image:
    if image.shape[:2] == (kind.height, kind.width):
        return image
    resized: Image = cv2.resize(image, (kind.width, kind.height), interpolation=cv2.INTER_CUBIC)  # type: ignore[assignment]
    return resized


def _cached(film: Film, what: str, make: Callable[[Path], None]) -> Path:
    """A file by the film and what is made of it; it appears whole or not at all."""
    folder = catalogue.cache_directory() / "benches"
    name = hashlib.sha256(f"{film.sha256} {what}".encode()).hexdigest()[:24]
    path = folder / f"{name}.mp4"
    if path.exists():
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, part = tempfile.mkstemp(dir=folder, prefix=".part-", suffix=".mp4")
    except OSError as error:
        raise MediaUnusable(
            f"the cache {folder} can't be written ({error.strerror}); set GRIDWARD_CACHE to a folder that can"
        ) from error
    os.close(descriptor)
    try:
        make(Path(part))
        Path(part).replace(path)
    finally:
        Path(part).unlink(missing_ok=True)
    return path
