"""Clips that lie: pictures larger than any memory, films in films, other sizes and codecs half-way, times that jump."""

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
from av.audio.frame import AudioFrame
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from tests.fakes.footage import picture

ENDINGS = ("mp4", "mkv", "ts", "avi")


def write_film(
    path: Path,
    *,
    frames: int = 10,
    width: int = 160,
    height: int = 96,
    codec: str = "libx264",
    times: Sequence[int] | None = None,
    rate: Fraction = Fraction(10),
) -> Path:
    """Numbered pictures by any codec, in a container by the name's ending. `times`: when each is shown, in periods."""
    with av.open(str(path), mode="w") as container:
        stream = _film(container, codec, (width, height), rate=rate)
        packets: list[Packet[Any]] = []
        for index in range(frames):
            frame = VideoFrame.from_ndarray(picture(index, width=width, height=height), format="bgr24")
            packets += stream.encode(frame)
        packets += stream.encode()
        for index, packet in enumerate(packets):
            if times is not None:
                packet.dts = packet.pts = round(times[index] / rate / (packet.time_base or 1))
            container.mux(packet)
    return path


def _film(
    container: OutputContainer, codec: str, size: tuple[int, int], *, rate: Fraction, colours: str = "yuv420p"
) -> VideoStream:
    stream = cast("VideoStream", container.add_stream(codec, rate=rate, options={"bf": "0", "g": "5"}))
    stream.width, stream.height = size
    stream.pix_fmt = colours
    return stream


def write_sound(path: Path, *, cover: bool = False) -> Path:
    """A second of silence without a picture, or with that of a record's cover alone."""
    with av.open(str(path), mode="w") as container:
        sound = container.add_stream("aac", rate=8000)
        if cover:
            still = _film(container, "mjpeg", (160, 96), rate=Fraction(1), colours="yuvj420p")
            still.disposition = Disposition.attached_pic
            frame = VideoFrame.from_ndarray(picture(3), format="bgr24").reformat(format="yuvj420p")
            for packet in (*still.encode(frame), *still.encode()):
                container.mux(packet)
        silence = AudioFrame(format="fltp", layout="mono", samples=1024)
        silence.sample_rate = 8000
        for plane in silence.planes:
            plane.update(bytes(plane.buffer_size))
        for index in range(8):
            silence.pts = index * 1024
            for packet in sound.encode(silence):
                container.mux(packet)
        for packet in sound.encode():
            container.mux(packet)
    return path


def write_streams(path: Path, *, films: int) -> Path:
    """Many films in one file, one picture each."""
    with av.open(str(path), mode="w") as container:
        streams = [_film(container, "mpeg4", (64, 48), rate=Fraction(10)) for _ in range(films)]
        frame = VideoFrame.from_ndarray(picture(5, width=64, height=48), format="bgr24")
        for stream in streams:
            for packet in (*stream.encode(frame), *stream.encode()):
                container.mux(packet)
    return path


def joined(path: Path, parts: Sequence[Path]) -> Path:
    """One file of several, as they are."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


class _Bits:
    """Writes the fields of H.264 (Exp-Golomb codes, ITU-T H.264 §9.1)."""

    def __init__(self) -> None:
        self._bits = ""

    def fixed(self, value: int, length: int) -> None:
        self._bits += format(value, f"0{length}b")

    def codes(self, *values: int) -> None:
        for value in values:
            digits = format(value + 1, "b")
            self._bits += "0" * (len(digits) - 1) + digits

    def unit(self, head: int) -> bytes:
        """A NAL unit with its start code, with emulation prevention (§7.4.1)."""
        self._bits += "1" + "0" * (-(len(self._bits) + 1) % 8)
        content, zeros = bytearray(), 0
        for place in range(0, len(self._bits), 8):
            byte = int(self._bits[place : place + 8], 2)
            if zeros >= 2 and byte <= 3:
                content.append(3)
                zeros = 0
            content.append(byte)
            zeros = 0 if byte else zeros + 1
        return b"\0\0\0\1" + bytes((head,)) + bytes(content)


def bomb(width: int, height: int, *, pictures: int = 8) -> bytes:
    """A few hundred bytes of H.264 that claim pictures of this size; sides are multiples of 16 pixels."""
    size = _Bits()
    for value, length in ((66, 8), (0, 8), (62, 8)):
        size.fixed(value, length)
    size.codes(0, 0, 2, 16)
    size.fixed(0, 1)
    size.codes(width // 16 - 1, height // 16 - 1)
    size.fixed(0b1100, 4)
    how = _Bits()
    how.codes(0, 0)
    how.fixed(0, 2)
    how.codes(0, 0, 0)
    how.fixed(0, 3)
    how.codes(0, 0, 0)
    how.fixed(0, 3)
    content = size.unit(0x67) + how.unit(0x68)
    for index in range(pictures):
        slices = _Bits()
        slices.codes(0, 7, 0)
        slices.fixed(0, 4)
        slices.codes(index % 2)
        slices.fixed(0, 2)
        slices.codes(0, 0)
        for _ in range(40):
            slices.codes(0, 25)
        content += slices.unit(0x65)
    return content


def gif_bomb() -> bytes:
    """A GIF of 65535 × 65535 pixels in fifty bytes."""
    screen = struct.pack("<HHBBB", 65535, 65535, 0x80, 0, 0) + bytes(6)
    image = struct.pack("<HHHHB", 0, 0, 65535, 65535, 0)
    return b"GIF89a" + screen + b"\x2c" + image + b"\x02\x02\x4c\x01\x00\x3b"
