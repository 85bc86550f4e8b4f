"""How a simulated camera plays: its behaviour under test, its place in the loop, and the sending of one stream."""

import asyncio
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from edge.simulators import rtp
from edge.simulators.codec import Codec
from edge.simulators.footage import Playable

_LARGEST_BACKLOG_BYTES = 4 << 20
_REPORT_PERIOD_S = 5.0
_FROZEN_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 1.0


@dataclass(slots=True)
class Behaviour:
    """What a test may change while the camera runs. `rate` 0.5 plays at half the speed."""

    frozen: bool = False
    rate: float = 1.0
    garbage: int = 0
    """How many coming access units are sent with random bytes in place of their content."""


class Playhead:
    """Where a player is in the endless loop; its clock stands still while the camera is frozen."""

    def __init__(self, footage: Playable, behaviour: Behaviour) -> None:
        self._footage = footage
        self._behaviour = behaviour
        self._position_s = 0.0
        self._at: float | None = None

    def advance(self, now: float) -> float:
        """The position in seconds since the start, at a monotonic time."""
        if self._at is not None and not self._behaviour.frozen:
            self._position_s += (now - self._at) * self._behaviour.rate
        self._at = now
        return self._position_s

    async def wait_until(self, due_s: float) -> None:
        """Wait until the position is reached."""
        loop = asyncio.get_running_loop()
        while True:
            left = due_s - self.advance(loop.time())
            if left <= 0 and not self._behaviour.frozen:
                return
            pause_s = _FROZEN_PAUSE_S if self._behaviour.frozen else left / self._behaviour.rate
            await asyncio.sleep(min(pause_s, _LONGEST_PAUSE_S))


class Sender:
    """Numbers and stamps the packets of one client's stream."""

    def __init__(self, writer: asyncio.StreamWriter, channel: int) -> None:
        self._writer = writer
        self._channel = channel
        self._sequence = secrets.randbelow(1 << 16)
        self._first_timestamp = secrets.randbelow(1 << 31)
        self._ssrc = secrets.randbelow(1 << 32)
        self._packets = self._octets = 0
        self._reported_s = -_REPORT_PERIOD_S

    async def send(self, nals: tuple[bytes, ...], timestamp_s: float, codec: Codec = Codec.H264) -> None:
        """Send one access unit. Raises ConnectionError when the client does not read any more."""
        if self._writer.transport.get_write_buffer_size() > _LARGEST_BACKLOG_BYTES:
            self._writer.transport.abort()
            raise ConnectionAbortedError("the client does not read")
        timestamp = self._first_timestamp + round(timestamp_s * rtp.CLOCK_HZ)
        packets = rtp.packetise(nals, sequence=self._sequence, timestamp=timestamp, ssrc=self._ssrc, codec=codec)
        content = bytearray()
        for packet in packets:
            content += rtp.interleaved(self._channel, packet)
            self._sequence += 1
            self._packets += 1
            self._octets += len(packet) - 12
        self._writer.write(bytes(content))
        if timestamp_s - self._reported_s >= _REPORT_PERIOD_S:
            self._reported_s = timestamp_s
            report = rtp.sender_report(
                at=datetime.now(UTC), timestamp=timestamp, ssrc=self._ssrc, packets=self._packets, octets=self._octets
            )
            self._writer.write(rtp.interleaved(self._channel + 1, report))
        await asyncio.sleep(0)
