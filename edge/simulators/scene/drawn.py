"""A made scene as what a camera plays: drawn while it is played for the first time, and kept as H.264 from then on."""

import asyncio
from collections.abc import Iterator
from fractions import Fraction
from threading import Condition, Thread
from typing import Final, Self

import av
import av.error
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from edge.errors import MediaUnusable
from edge.simulators.codec import LAYOUTS, Codec, kind_of, parameter_sets_of, split
from edge.simulators.encoding import GOP_S
from edge.simulators.footage import LARGEST_BYTES, Sample
from edge.simulators.scene.film import ENCODING
from edge.simulators.scene.scene import Scene

AHEAD_S: Final = 10.0
"""So far ahead of what was asked for it is drawn: a machine that starts much else has time for that."""


class DrawnFootage:
    """Plays like footage. A thread draws, `AHEAD_S` before what was asked for; each picture is drawn once. Memory is the film's as H.264, of
    at most 512 MiB.
    """

    def __init__(self, scene: Scene, *, stamped: bool = True) -> None:
        self.name = f"scene-{scene.head.seed}"
        self.codec = Codec.H264
        self.count = scene.count
        self.frame_rate = float(_rate(scene))
        self.duration_s = self.count / self.frame_rate
        self.parameter_sets: tuple[bytes, ...] = ()
        self._scene = scene
        self._stamped = stamped
        self._samples: list[Sample] = []
        self._wanted = 0
        self._closed = False
        self._problem: Exception | None = None
        self._changed = Condition()
        self._thread = Thread(target=self._draw, name="scene-drawing", daemon=True)

    @property
    def drawn(self) -> int:
        """How many pictures there are by now."""
        with self._changed:
            return len(self._samples)

    def __enter__(self) -> Self:
        """Begin to draw; wait for the first picture. Raises MediaUnusable when it can't be encoded."""
        self._thread.start()
        try:
            self._wait_for(0)
        except MediaUnusable:
            self.close()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Draw no more; who waits for a picture is told."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    async def sample(self, number: int) -> Sample:
        """The sample of this number, from 0; waits until it is drawn. Raises MediaUnusable when it won't be."""
        self._want(number)
        if number >= len(self._samples):
            await asyncio.to_thread(self._wait_for, number)
        return self._samples[number]

    def wait_until_drawn(self) -> None:
        """Wait for all of it, or for `close`. Raises MediaUnusable when it can't be drawn."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._problem or len(self._samples) == self.count)
            if self._problem is not None:
                raise MediaUnusable(f"{self.name} can't be drawn: {self._problem}")

    def _want(self, number: int) -> None:
        if number > self._wanted:
            with self._changed:
                self._wanted = number
                self._changed.notify_all()

    def _wait_for(self, number: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._problem or number < len(self._samples))
            if number >= len(self._samples):
                raise MediaUnusable(f"{self.name} is not drawn any further: {self._problem or 'it was closed'}")

    def _draw(self) -> None:
        try:
            for sample in self._encoded():
                self._take(sample)
                if self._closed:
                    return
        except Exception as error:  # noqa: BLE001 (the top of the thread: whoever waits for a picture raises it)
            with self._changed:
                self._problem = error
                self._changed.notify_all()

    def _take(self, sample: Sample) -> None:
        ahead = AHEAD_S * self.frame_rate
        with self._changed:
            if not self._samples:
                self.parameter_sets = parameter_sets_of(sample.nals, self.codec)
            self._samples.append(sample)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._closed or len(self._samples) <= self._wanted + ahead)

    def _encoded(self) -> Iterator[Sample]:
        """All of it, sample by sample: no frame waits for a later one, so that each picture gives one."""
        encoder = _encoder(self._scene)
        number = size = 0
        for _, _, image in self._scene.frames(stamped=self._stamped):
            for packet in encoder.encode(VideoFrame.from_ndarray(image, format="bgr24")):
                nals = tuple(split(bytes(packet), 0))
                size += packet.size
                if size > LARGEST_BYTES:
                    raise MediaUnusable(
                        f"it is larger than {LARGEST_BYTES >> 20} MiB; ask for a shorter or smaller one"
                    )
                yield self._sample(number, nals)
                number += 1

    def _sample(self, number: int, nals: tuple[bytes, ...]) -> Sample:
        layout = LAYOUTS[self.codec]
        at_s = number / self.frame_rate
        kept = tuple(nal for nal in nals if kind_of(nal, self.codec) != layout.delimiter)
        return Sample(number, at_s, at_s, any(kind_of(nal, self.codec) in layout.keys for nal in nals), kept)


def _rate(scene: Scene) -> Fraction:
    return Fraction(1 / scene.head.frame_period_s).limit_denominator(1000)


def _encoder(scene: Scene) -> VideoCodecContext:
    """An encoder that gives each picture at once, with a key frame every two seconds."""
    rate = _rate(scene)
    encoder = av.CodecContext.create("libx264", "w")
    if not isinstance(encoder, VideoCodecContext):
        raise MediaUnusable("there is no encoder of H.264")
    encoder.width, encoder.height = scene.head.size
    encoder.pix_fmt, encoder.framerate, encoder.time_base = "yuv420p", rate, 1 / rate
    encoder.options = {
        "preset": "veryfast",
        "tune": "zerolatency",
        "x264-params": "threads=1",
        "g": str(round(GOP_S * rate)),
        **ENCODING.options,
    }
    return encoder
