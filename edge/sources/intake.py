"""The intake of one connection: packets in, and those pictures out that the gate asks for, each with its event time.

Everything goes into the ring first. When the gate opens, decoding begins at the key frame before what opened it, so that the beginning is
seen at its own time. Who can't keep up drops packets before they are decoded and goes on with the newest group of pictures.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from edge.flow import Encoded, Gate, GateOrder, Packet, Picture
from edge.sources.packets import PacketRing
from edge.sources.timing import FrameTime

LONGEST_LAG_S: Final = 4.0
"""So long packets may lie ready without a pause before the rest of a group of pictures is left out."""

_CAUGHT_UP_S: Final = 0.2
_MOST_PENDING: Final = 64
_LEAST_STEP: Final = timedelta(microseconds=1)
_DECODED: Final = frozenset({GateOrder.DECODE, GateOrder.CHECK})


class Timed(Protocol):
    """A decoded picture and its time on the stream's own clock."""

    @property
    def pts_s(self) -> float | None:
        """Seconds; None where the stream has no times."""
        ...

    @property
    def picture(self) -> Picture:
        """The picture."""
        ...


class Decoder(Protocol):
    """What decodes the packets of one connection."""

    def decode(self, encoded: Encoded) -> Sequence[Timed]:
        """The pictures that one more packet completes."""
        ...

    def decode_alone(self, encoded: Encoded) -> Sequence[Timed]:
        """The picture of a key frame."""
        ...

    def forget(self) -> None:
        """The next packet is a key frame."""
        ...


@dataclass(frozen=True, slots=True)
class Taken:
    """A picture with its times; `late`: it comes out of the ring, after its time."""

    captured_at: datetime
    media_s: float
    pts_s: float | None
    late: bool
    picture: Picture = field(repr=False)


@dataclass(slots=True)
class IntakeCounters:
    """What happened to packets: `decoded` more than once where a group was begun again; `dropped` because the node could not keep up."""

    decoded: int = 0
    dropped: int = 0


class Intake:
    """Serves one connection in the thread that reads it. Without a gate everything is decoded."""

    def __init__(self, gate: Gate | None, ring: PacketRing, decoder: Decoder) -> None:
        self.counters = IntakeCounters()
        self._gate, self._ring, self._decoder = gate, ring, decoder
        self._pending: OrderedDict[float, Packet] = OrderedDict()
        self._running = False
        self._behind = False
        self._last: FrameTime | None = None
        self._checked: Packet | None = None

    def take(self, packet: Packet, *, hurried_s: float = 0.0) -> Iterator[Taken]:
        """One packet, in the order of arrival; `hurried_s`: for so long none had to be waited for."""
        self._ring.add(packet)
        order = GateOrder.DECODE if self._gate is None else self._gate.take(packet)
        if order in _DECODED:
            if not self._kept_up(packet, hurried_s):
                self.counters.dropped += 1
                return
            self._checked = packet if order is GateOrder.CHECK else self._checked
            yield from self._go_on(packet)
            return
        self._running = self._behind = False
        if order is GateOrder.LOOK and self._gate is not None:
            yield from self._look(packet, self._gate)

    def _kept_up(self, packet: Packet, hurried_s: float) -> bool:
        if hurried_s > LONGEST_LAG_S:
            self._behind = True
        elif self._behind and packet.encoded.key and hurried_s < _CAUGHT_UP_S:
            self._behind = False
            self._begin_anew()
        return not self._behind

    def _go_on(self, packet: Packet) -> Iterator[Taken]:
        if self._running:
            yield from self._decoded(packet, packet)
            return
        self._begin_anew()
        began_at = None if self._gate is None else self._gate.began_at
        begun = self._ring.since(packet.captured_at if began_at is None else began_at)
        for each in begun or (packet,):
            yield from self._decoded(each, packet)

    def _begin_anew(self) -> None:
        self._running = True
        self._decoder.forget()
        self._pending.clear()

    def _look(self, packet: Packet, gate: Gate) -> Iterator[Taken]:
        self.counters.decoded += 1
        pictures = self._decoder.decode_alone(packet.encoded)
        if not pictures:
            gate.damaged(packet.captured_at)
        elif gate.looked(pictures[0].picture, packet.captured_at):
            yield from self._go_on(packet)
        else:
            yield from self._in_order(pictures[0], packet, late=False)

    def _decoded(self, packet: Packet, newest: Packet) -> Iterator[Taken]:
        self.counters.decoded += 1
        if packet.encoded.pts_s is not None:
            self._pending[packet.encoded.pts_s] = packet
            while len(self._pending) > _MOST_PENDING:
                self._pending.popitem(last=False)
        for timed in self._decoder.decode(packet.encoded):
            source = packet if timed.pts_s is None else self._pending.pop(timed.pts_s, packet)
            if source is self._checked and self._gate is not None:
                self._checked = None
                self._gate.looked(timed.picture, source.captured_at)
            yield from self._in_order(timed, source, late=packet is not newest)

    def _in_order(self, timed: Timed, source: Packet, *, late: bool) -> Iterator[Taken]:
        """A picture that is later than the last one; those before were handed over when they were decoded first."""
        captured_at, last = source.captured_at, self._last
        if last is not None:
            if source.media_s <= last.media_s:
                return
            captured_at = max(captured_at, last.captured_at + _LEAST_STEP)
        self._last = FrameTime(captured_at, source.media_s)
        yield Taken(captured_at, source.media_s, source.encoded.pts_s, late, timed.picture)
