"""Frames of YKC V1.6 (§3.1): `0x68 | length | sequence | encryption | type | body | CRC`, found in whatever a socket brings. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

START: Final = 0x68
LARGEST_LENGTH: Final = 200
"""Bytes of sequence, encryption, type and body together (§3.1)."""

SMALLEST_LENGTH: Final = 4
LARGEST_BODY_BYTES: Final = LARGEST_LENGTH - SMALLEST_LENGTH
LARGEST_FRAME_BYTES: Final = LARGEST_LENGTH + 4
PLAIN: Final = 0x00


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. `kind` is its type: odd from the pile, even from the platform; an answer repeats the `sequence` of its question."""

    sequence: int
    kind: int
    body: bytes = field(repr=False)
    encryption: int = PLAIN

    def encoded(self) -> bytes:
        """The bytes on the wire. Raises ValueError for what no frame can hold."""
        if len(self.body) > LARGEST_BODY_BYTES:
            raise ValueError(f"a body holds at most {LARGEST_BODY_BYTES} bytes, this one {len(self.body)}")
        inner = self.sequence.to_bytes(2, "little") + bytes((self.encryption, self.kind)) + self.body
        return bytes((START, len(inner))) + inner + crc16_modbus(inner).to_bytes(2, "little")


def _row(index: int) -> int:
    for _ in range(8):
        index = index >> 1 ^ 0xA001 if index & 1 else index >> 1
    return index


_TABLE: Final = tuple(_row(index) for index in range(256))


def crc16_modbus(data: bytes) -> int:
    """CRC-16/MODBUS (initial 0xFFFF, 0x8005 reflected): the text names another polynomial, its tables and its 0x02 are this one."""
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc


class FrameReader:
    """Finds frames in a stream, whatever stands between them. Keeps less than one frame of what is not decided yet.

    A start byte whose length is impossible, or whose CRC is wrong, is no start: the search goes on one byte behind it, so that no
    frame is lost to noise before it. `skipped_bytes` and `wrong_crc` say how much of that there was.
    """

    def __init__(self) -> None:
        self.skipped_bytes = 0
        self.wrong_crc = 0
        self._waiting = bytearray()

    @property
    def waiting_bytes(self) -> int:
        """Bytes of what may be a frame and is not complete."""
        return len(self._waiting)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are complete with these bytes, as they come; to be taken to the end."""
        self._waiting += data
        return self._found()

    def give_up(self) -> Iterator[Frame]:
        """Nothing more came: what waits is no beginning of a frame, and what lies behind its first byte may be some."""
        if self._waiting:
            self._skip(1)
        return self._found()

    def _found(self) -> Iterator[Frame]:
        while (start := self._waiting.find(START)) >= 0:
            self._skip(start)
            if len(self._waiting) < 2:
                return
            length = self._waiting[1]
            if not SMALLEST_LENGTH <= length <= LARGEST_LENGTH:
                self._skip(1)
                continue
            if len(self._waiting) < length + 4:
                return
            inner = bytes(self._waiting[2 : length + 2])
            told = int.from_bytes(self._waiting[length + 2 : length + 4], "little")
            if crc16_modbus(inner) != told:
                self.wrong_crc += 1
                self._skip(1)
                continue
            del self._waiting[: length + 4]
            yield Frame(int.from_bytes(inner[:2], "little"), inner[3], inner[4:], inner[2])
        self._skip(len(self._waiting))

    def _skip(self, count: int) -> None:
        self.skipped_bytes += count
        del self._waiting[:count]
