"""A made scene as a film of H.264 with its truth beside it."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import IO, Final

import av.error
from av.codec.codec import UnknownCodecError

from edge.errors import MediaUnusable
from edge.flow import Image
from edge.simulators.encoding import Encoding, write_pictures
from edge.simulators.scene.events import Teller
from edge.simulators.scene.scene import Scene
from edge.simulators.scene.truth import Event, last_line, line_of

ENCODING: Final = Encoding(options={"crf": "26", "threads": "1"})


@dataclass(frozen=True, slots=True)
class Film:
    """What was written."""

    film: Path
    truth: Path
    frames: int
    events: tuple[Event, ...]


def write_film(
    scene: Scene,
    directory: Path,
    *,
    name: str | None = None,
    stamped: bool = True,
    encoding: Encoding = ENCODING,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> Film:
    """Write `NAME.mp4` and `NAME.truth.jsonl` into a directory, which is made; the name is `scene-SEED` unless it is given. Raises
    MediaUnusable when that can't be.

    What is there under these names is only replaced once both are whole. `progress` is told frames done and all of them.
    """
    name = name or f"scene-{scene.head.seed}"
    film, truth = directory / f"{name}.mp4", directory / f"{name}.truth.jsonl"
    parts = film.with_suffix(".mp4.part"), truth.with_suffix(".jsonl.part")
    teller = Teller(scene.head.zones, scene.head.lines)
    rate = Fraction(1 / scene.head.frame_period_s).limit_denominator(1000)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with parts[1].open("wb") as lines:
            lines.write(line_of(scene.head))
            write_pictures(_pictures(scene, lines, teller, progress, stamped=stamped), parts[0], rate, encoding)
            lines.write(last_line(teller.events()))
        parts[0].replace(film)
        parts[1].replace(truth)
    except (OSError, av.error.FFmpegError, UnknownCodecError) as error:
        raise MediaUnusable(f"the scene can't be written into {directory}: {error}") from error
    finally:
        for part in parts:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
    return Film(film, truth, scene.count, teller.events())


def _pictures(
    scene: Scene, lines: IO[bytes], teller: Teller, progress: Callable[[int, int], None], *, stamped: bool
) -> Iterator[Image]:
    """The pictures, while their truth is written."""
    for number, (moment, still, image) in enumerate(scene.frames(stamped=stamped), 1):
        lines.write(line_of(moment))
        teller.take(moment, still)
        progress(number, scene.count)
        yield image
