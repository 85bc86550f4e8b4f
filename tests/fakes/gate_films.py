"""Films for the gate: real footage with long pauses, as many kinds of encoders would send it, and a camera that freezes in it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from itertools import chain, islice
from pathlib import Path

import av
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext

from edge.flow import Image
from edge.settings import CameraSettings
from edge.simulators.encoding import CONSTANT_RATE, Encoding, write_pictures
from edge.video import Video
from models import catalogue
from tests.fakes.encodings import ENCODINGS
from tests.fakes.occurrences import CARS, VEHICLES, left_behind, watching_all
from tests.fakes.visits import CLIP, VISIBLE_S

FIRST_EMPTY_S = 35.0
PAUSE_S = 15.0
MARGIN_S = 0.5
FROZEN_FROM_S = 60.0
FROZEN_FOR_S = 25.0

_CRF: Mapping[str, str] = {"crf": "23"}
_QUIET: Mapping[str, str] = {"crf": "26", "x265-params": "log-level=error"}

SENT: Mapping[str, Encoding] = {
    "camera": Encoding(None, _CRF),
    **ENCODINGS,
    "h265": Encoding(None, _QUIET, codec="libx265"),
    "h265-low": Encoding(0.02, {"x265-params": "log-level=error"}, codec="libx265"),
    "b-frames": Encoding(None, {**_CRF, "bf": "3"}),
    "gop-1s": Encoding(None, {**_CRF, "g": "10"}),
    "gop-4s": Encoding(None, {**_CRF, "g": "40"}),
    "gop-8s": Encoding(None, {**_CRF, "g": "80"}),
    "gop-varies": Encoding(None, {**_CRF, "g": "45", "keyint_min": "3", "sc_threshold": "80"}),
    "cbr-4s": Encoding(0.05, {**CONSTANT_RATE, "g": "40"}),
}
"""By name; `camera` is x264's own default quality."""

DAY_AND_NIGHT = "day-and-night"
_DAY, _NIGHT = "27", "19"


@dataclass(frozen=True, slots=True)
class Film:
    """Footage as one encoder sends it. `write` makes the file; `frozen_s`: from then on the camera sends one picture again and again."""

    name: str
    camera: CameraSettings
    rate: Fraction
    write: Callable[[Path], None] = field(repr=False)
    frozen_s: float | None = None


def with_pauses(
    images: Sequence[Image], busy_s: Sequence[tuple[float, float]], rate: Fraction, *, first_s: float = FIRST_EMPTY_S
) -> Iterator[Image]:
    """A clip with more of its empty scene, played forwards and backwards, before each time that something is in it."""
    ends_s = [0.0, *(to_s + 2 * MARGIN_S for _, to_s in busy_s[:-1])]
    shown = 0
    for number, (end_s, (from_s, _)) in enumerate(zip(ends_s, busy_s, strict=True)):
        first, last = round((end_s + 0.3) * rate), round((from_s - MARGIN_S) * rate)
        yield from images[shown:last]
        shown = last
        there_and_back = [*range(last - 1, first, -1), *range(first, last)]
        for turn in range(round((PAUSE_S if number else first_s) * rate)):
            yield images[there_and_back[turn % len(there_and_back)]]
    yield from images[shown:]


def films() -> Iterator[Film]:
    """All of them, by what is in them and how they are sent."""
    for sent, encoding in SENT.items():
        yield _film(f"visits/{sent}", watching_all(), Fraction(10), _visits, encoding)
    yield Film(f"visits/{DAY_AND_NIGHT}", watching_all(), Fraction(10), _day_and_night)
    crossed = watching_all("line_crossing:half:in+out:motion")
    for sent in ("camera", "cbr-low", "vbr-low", "noisy-cbr", "night-gain", "h265", "b-frames"):
        yield _film(f"cars/{sent}", crossed, Fraction(25, 2), _cars, SENT[sent])
    for sent in ("camera", "cbr-low", "h265", "b-frames", "gop-1s", "gop-4s", "cbr-4s"):
        film = _film(f"frozen/{sent}", watching_all(), Fraction(10), _frozen, SENT[sent])
        yield Film(film.name, film.camera, film.rate, film.write, frozen_s=FROZEN_FROM_S)
    thing = next(iter(left_behind()))
    for sent in ("camera", "cbr-low", "h265"):
        yield _film(f"thing/{sent}", thing.camera, thing.rate, partial(_after_the_empty, thing.shown), SENT[sent])


def _film(
    name: str,
    camera: CameraSettings,
    rate: Fraction,
    pictures: Callable[[], Iterable[Image]],
    encoding: Encoding,
) -> Film:
    return Film(name, camera, rate, lambda path: write_pictures(pictures(), path, rate, encoding))


def _images(clip: str) -> list[Image]:
    with Video(catalogue.clip(clip)) as video:
        return [decoded.picture.image for decoded in video.frames()]


def _visits() -> Iterator[Image]:
    return with_pauses(_images(CLIP), VISIBLE_S, Fraction(10))


def _cars() -> Iterator[Image]:
    """The second and the third car are in the picture together."""
    busy_s = [VEHICLES[0][:2], (VEHICLES[1][0], VEHICLES[2][1]), VEHICLES[3][:2]]
    return with_pauses(_images(CARS), busy_s, Fraction(25, 2))


def _frozen() -> Iterator[Image]:
    """The empty room, and from one picture on only that one."""
    shown = list(islice(with_pauses(_images(CLIP), VISIBLE_S, Fraction(10), first_s=FROZEN_FROM_S), 601))
    return chain(shown, (shown[-1] for _ in range(round(FROZEN_FOR_S * 10))))


def _after_the_empty(shown: Callable[[], Iterator[Image]]) -> Iterator[Image]:
    """Half a minute of the empty room before what is shown: its first twelve seconds are empty too."""
    empty = list(islice(shown(), 100))
    return chain((image for _ in range(3) for image in (*empty, *empty[::-1])), shown())


def _day_and_night(path: Path) -> None:
    """Three visits twice, the second time with three times the bits for the same room: the encoder is another, the stream goes on."""
    rate, images = Fraction(10), _images(CLIP)
    with av.open(str(path), mode="w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=rate, options=_options(_DAY))
        stream.width, stream.height, stream.pix_fmt = images[0].shape[1], images[0].shape[0], "yuv420p"
        shown = list(with_pauses(images, VISIBLE_S[:3], rate))
        for packet in _encoded(stream.codec_context, shown, 1 / rate):
            packet.stream = stream
            container.mux(packet)
        night = av.VideoCodecContext.create("libx264", "w")
        night.width, night.height, night.pix_fmt = stream.width, stream.height, "yuv420p"
        night.time_base, night.framerate, night.options = 1 / rate, rate, _options(_NIGHT)
        for packet in _encoded(night, shown, 1 / rate):
            packet.pts, packet.dts = (packet.pts or 0) + len(shown), (packet.dts or 0) + len(shown)
            packet.stream = stream
            container.mux(packet)


def _options(crf: str) -> dict[str, str]:
    return {"preset": "veryfast", "bf": "0", "g": "20", "crf": crf}


def _encoded(context: VideoCodecContext, images: Sequence[Image], period: Fraction) -> "Iterator[Packet[Stream]]":
    for number, image in enumerate(images):
        frame = av.VideoFrame.from_ndarray(image, format="bgr24")
        frame.pts, frame.time_base = number, period
        yield from context.encode(frame)
    yield from context.encode(None)
