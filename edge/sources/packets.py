"""The packet ring (预录环): what a camera sent in the last seconds, still encoded, in whole groups of pictures.

Whoever wants pictures of a moment that has passed begins to decode, or to copy, at the key frame before it.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Final

from edge.flow import Packet, StreamFormat

LONGEST_S: Final = 10.0
LARGEST_BYTES: Final = 16 << 20
_OVERHEAD_BYTES: Final = 500
"""What an entry costs beside its data: a stream of tiny packets is bounded too."""


@dataclass(slots=True)
class _Group:
    """A key frame and what depends on it."""

    packets: list[Packet] = field(default_factory=list)
    size_bytes: int = 0


class PacketRing:
    """Holds the last `longest_s` seconds, rounded up to whole groups of pictures, in at most `largest_bytes`.

    One thread adds; any thread may ask. A group that is larger than all the room is let go: until the next key frame there is nothing.
    """

    def __init__(self, *, longest_s: float = LONGEST_S, largest_bytes: int = LARGEST_BYTES) -> None:
        self._longest_s = longest_s
        self._largest_bytes = largest_bytes
        self._lock = Lock()
        self._format: StreamFormat | None = None
        self._groups: deque[_Group] = deque()
        self._size_bytes = 0

    @property
    def size_bytes(self) -> int:
        """How much memory it holds."""
        with self._lock:
            return self._size_bytes

    @property
    def seconds(self) -> float:
        """How much time it holds."""
        with self._lock:
            if not self._groups:
                return 0.0
            return (self._groups[-1].packets[-1].captured_at - self._groups[0].packets[0].captured_at).total_seconds()

    @property
    def newest_at(self) -> datetime | None:
        """When the last packet came; None where there is none."""
        with self._lock:
            return self._groups[-1].packets[-1].captured_at if self._groups else None

    @property
    def span(self) -> tuple[datetime, datetime] | None:
        """When the first and the last packet came; None where there is none."""
        with self._lock:
            if not self._groups:
                return None
            return self._groups[0].packets[0].captured_at, self._groups[-1].packets[-1].captured_at

    def begin(self, stream_format: StreamFormat) -> None:
        """A new connection: what is kept of the one before can't be joined with what comes."""
        with self._lock:
            self._format = stream_format
            self._clear()

    def add(self, packet: Packet) -> None:
        """The next packet in the order of arrival. Those before the first key frame are not kept: nothing can decode them."""
        size_bytes = len(packet.encoded.data) + _OVERHEAD_BYTES
        with self._lock:
            if packet.encoded.key:
                self._groups.append(_Group())
            elif not self._groups:
                return
            group = self._groups[-1]
            group.packets.append(packet)
            group.size_bytes += size_bytes
            self._size_bytes += size_bytes
            self._trim(packet.captured_at)

    def since(self, at: datetime) -> Sequence[Packet]:
        """Everything from the newest key frame at or before `at`; from the oldest one when all are later."""
        return self.clip(at)[1]

    def clip(self, at: datetime) -> tuple[StreamFormat | None, Sequence[Packet]]:
        """The same with what a muxer has to know of it."""
        with self._lock:
            first = 0
            for number, group in enumerate(self._groups):
                if group.packets[0].captured_at > at:
                    break
                first = number
            groups = list(self._groups)[first:]
            return self._format, [packet for group in groups for packet in group.packets]

    def _trim(self, now: datetime) -> None:
        groups = self._groups
        while len(groups) > 1 and (
            self._size_bytes > self._largest_bytes
            or (now - groups[1].packets[0].captured_at).total_seconds() >= self._longest_s
        ):
            self._size_bytes -= groups.popleft().size_bytes
        if self._size_bytes > self._largest_bytes:
            self._clear()

    def _clear(self) -> None:
        self._groups.clear()
        self._size_bytes = 0
