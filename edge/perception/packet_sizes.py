"""How large the packets of a camera are while nothing moves, learnt from the camera itself. Pure.

What an encoder spends on a picture that depends on others is what has changed since. In a clean stream that is next to nothing in an
empty scene and more than ten times as much when somebody comes; where noise or a constant bitrate fills every packet it says nothing.
Bytes that only fill a packet up to its bitrate are not counted.
"""

from collections import deque
from dataclasses import dataclass
from statistics import median
from typing import Final

_BLOCK_S: Final = 1.0
_LEVEL_PACKETS: Final = 5
_KEYS: Final = 9
_INTRA: Final = 20
_SELDOM: Final = 0.97
_FILLER_END: Final = b"\xff\x80"
_SKIPPED_BYTES: Final = 150
"""A picture in which nothing has changed at all costs less than this, at any size and with any encoder."""


@dataclass(frozen=True, slots=True)
class SizeSettings:
    """`least_blocks`: seconds of an empty scene before anything is said; `most_blocks`: those that count.

    Unusual is a level above `margin` times what the empty scene hardly ever exceeds and `least_share` of a key frame more, or one that
    stays for a second below `fall` times what it hardly ever falls below. Sizes tell when a level that is unusual lies at most `most_share` of a key frame above
    the middle one: a key frame is what the whole picture costs, and who moves costs about his share of it.
    """

    least_blocks: int = 15
    most_blocks: int = 90
    margin: float = 1.25
    least_share: float = 0.005
    fall: float = 0.5
    most_share: float = 0.1


def spent_bytes(data: bytes) -> int:
    """What an encoder spent on a picture: its packet without the filler at its end (H.264 7.3.2.7, H.265 7.3.2.8: 0xFF up to the last byte)."""
    return len(data[:-1].rstrip(b"\xff")) if data.endswith(_FILLER_END) else len(data)


@dataclass(frozen=True, slots=True)
class _Block:
    """A second: its end, and the largest and smallest level in it, bytes."""

    end_s: float
    peak: int
    trough: int


class PacketSizes:
    """The level of a stream's packets, key frames left out, against that of the empty scene.

    The level is the middle one of the last few: many encoders send one larger packet now and then.
    """

    def __init__(self, settings: SizeSettings | None = None) -> None:
        self._settings = settings or SizeSettings()
        self._recent: deque[int] = deque(maxlen=_LEVEL_PACKETS)
        self._keys: deque[int] = deque(maxlen=_KEYS)
        self._block: _Block | None = None
        self._waiting: deque[_Block] = deque(maxlen=self._settings.most_blocks)
        self._empty: deque[_Block] = deque(maxlen=self._settings.most_blocks)
        self._level = self._keys_in_a_row = 0
        self._low_since_s, self._low_s = float("inf"), 0.0
        self._highest = self._lowest = self._middle = self._key = 0.0

    @property
    def known(self) -> bool:
        """Whether enough of the empty scene has been seen."""
        return len(self._empty) >= self._settings.least_blocks

    @property
    def intra(self) -> bool:
        """Whether every packet is a key frame: then all of them are large, and none tells what has changed."""
        return self._keys_in_a_row >= _INTRA

    @property
    def rise(self) -> float:
        """How far the least level that is unusually high lies above the middle one, as a share of a key frame."""
        return (self._highest - self._middle) / self._key if self._key else float("inf")

    @property
    def telling(self) -> bool:
        """Whether anybody who moves would be told by it."""
        return self.known and self.rise <= self._settings.most_share

    @property
    def unusual(self) -> bool:
        """Whether the level is not that of the empty scene."""
        if len(self._recent) < _LEVEL_PACKETS or not self.known:
            return False
        return self._level > self._highest or self._low_s >= _BLOCK_S

    @property
    def telling_stillness(self) -> bool:
        """Whether a camera that sends the same picture again and again would be told by it: its packets then fall to next to nothing."""
        return self.known and self._lowest > _SKIPPED_BYTES

    def add_key(self, size_bytes: int) -> None:
        """The next packet is a key frame."""
        self._keys.append(size_bytes)
        self._keys_in_a_row += 1

    def add(self, at_s: float, size_bytes: int) -> None:
        """The next packet that is no key frame; `at_s` grows."""
        self._keys_in_a_row = 0
        self._recent.append(size_bytes)
        if len(self._recent) < _LEVEL_PACKETS:
            return
        level = self._level = sorted(self._recent)[_LEVEL_PACKETS // 2]
        self._low_since_s = min(self._low_since_s, at_s) if level < self._lowest else float("inf")
        self._low_s = at_s - self._low_since_s
        block = self._block
        if block is not None and 0 <= block.end_s - at_s <= _BLOCK_S:
            if not block.trough <= level <= block.peak:
                self._block = _Block(block.end_s, max(block.peak, level), min(block.trough, level))
            return
        if block is not None:
            self._waiting.append(block)
        self._block = _Block(at_s + _BLOCK_S, level, level)

    def settle(self, until_s: float) -> None:
        """Nothing moved up to then."""
        settled = 0
        while self._waiting and self._waiting[0].end_s <= until_s:
            self._empty.append(self._waiting.popleft())
            settled += 1
        if settled:
            self._learn()

    def discard(self) -> None:
        """Something moves or moved a moment ago: what waits is not of the empty scene."""
        self._waiting.clear()
        self._block = None

    def interrupt(self) -> None:
        """The stream breaks off: what comes next does not follow from it."""
        self._recent.clear()
        self._low_since_s, self._low_s = float("inf"), 0.0
        self.discard()

    def _forget_what_was(self) -> None:
        """The camera spends twice as much, or half, and keeps to it (day and night, another profile): what was before counts no more."""
        if len(self._empty) < 2 * self._settings.least_blocks:
            return
        blocks = list(self._empty)
        older, newer = blocks[: -self._settings.least_blocks], blocks[-self._settings.least_blocks :]
        less = max(block.peak for block in newer) < self._settings.fall * median(block.trough for block in older)
        more = self._settings.fall * min(block.trough for block in newer) > median(block.peak for block in older)
        if less or more:
            self._empty.clear()
            self._empty.extend(newer)

    def _learn(self) -> None:
        settings = self._settings
        self._forget_what_was()
        peaks = sorted(block.peak for block in self._empty)
        troughs = sorted(block.trough for block in self._empty)
        self._key = median(self._keys) if self._keys else 0.0
        self._middle = (median(peaks) + median(troughs)) / 2
        seldom = peaks[min(int(_SELDOM * len(peaks)), len(peaks) - 1)]
        self._highest = settings.margin * seldom + settings.least_share * self._key
        self._lowest = settings.fall * troughs[int((1 - _SELDOM) * len(troughs))]
