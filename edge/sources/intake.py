"""The intake of one connection: packets in, and those pictures out that the gate asks for, each with its event time.

Everything goes into the ring first. When the gate opens, decoding begins at the key frame before what opened it, so that the beginning is
seen at its own time. Who can't keep up drops packets before they are decoded and goes on with the newest group of pictures.

What goes on as before may be put off: the thread that analyses decodes it when its turn has come, so that no more threads work at a
time than there are cores. One thread decodes at a time.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import Final, Protocol

from edge.flow import Encoded, Gate, GateOrder, NativeMark, Packet, Picture
from edge.sources.packets import PacketRing
from edge.sources.timing import FrameTime

LONGEST_LAG_S: Final = 4.0
"""So long packets may lie ready without a pause before the rest of a group of pictures is left out."""

LONGEST_PUT_OFF_S: Final = 6.0
"""So long packets may wait for a thread that decodes them; longer than a step that a stream's clock may take."""

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

    def decode(self, encoded: Encoded, mark: NativeMark | None = None) -> Sequence[Timed]:
        """The pictures that one more packet completes; `mark` is that of another thread than the one that reads."""
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
    """Serves one connection in the thread that reads it, and `caught_up` in the one that analyses. Without a gate everything is decoded."""

    def __init__(self, gate: Gate | None, ring: PacketRing, decoder: Decoder) -> None:
        self.counters = IntakeCounters()
        self._gate, self._ring, self._decoder = gate, ring, decoder
        self._pending: OrderedDict[float, Packet] = OrderedDict()
        self._running = False
        self._behind = False
        self._last: FrameTime | None = None
        self._to_check: list[Packet] = []
        self._checks: deque[tuple[Picture, datetime]] = deque()
        self._decoding = Lock()
        self._put_off: deque[tuple[Packet, bool]] = deque()

    def take(self, packet: Packet, *, hurried_s: float = 0.0, later: bool = False) -> Iterator[Taken]:
        """One packet, in the order of arrival; `hurried_s`: for so long none had to be waited for.

        With `later` one that only goes on with what is being decoded is put off. What was put off comes before everything else.
        """
        self._ring.add(packet)
        while self._gate is not None and self._checks:
            self._gate.looked(*self._checks.popleft())
        order = GateOrder.DECODE if self._gate is None else self._gate.take(packet)
        if self.waited_s(packet) > LONGEST_PUT_OFF_S:
            self._let_go(packet)
        if later and order in _DECODED and self._running and not self._behind:
            self._put_off.append((packet, order is GateOrder.CHECK))
            return iter(())
        return self._now(packet, order, hurried_s)

    @property
    def waiting(self) -> bool:
        """Whether anything is put off."""
        return bool(self._put_off)

    def waited_s(self, newest: Packet) -> float:
        """By how much the newest packet is later than the first that is put off, seconds; 0 where nothing is."""
        try:
            first, _ = self._put_off[0]
        except IndexError:
            return 0.0
        return (newest.captured_at - first.captured_at).total_seconds()

    def caught_up(self, mark: NativeMark | None = None) -> Iterator[Taken]:
        """What was put off, decoded by the thread that analyses. Nothing where the reading thread decodes: it hands over itself what there is.

        To be iterated to the end. Raises as the decoder does.
        """
        if not self._decoding.acquire(blocking=False):
            return
        try:
            yield from self._rest(mark)
        finally:
            self._decoding.release()

    def end(self) -> Iterator[Taken]:
        """The connection is over: what was put off; nobody decodes after it."""
        with self._decoding:
            yield from self._rest(None)

    def _now(self, packet: Packet, order: GateOrder, hurried_s: float) -> Iterator[Taken]:
        with self._decoding:
            yield from self._rest(None)
            if order in _DECODED:
                if self._kept_up(packet, hurried_s):
                    yield from self._go_on(packet, check=order is GateOrder.CHECK)
                else:
                    self.counters.dropped += 1
                return
            self._running = self._behind = False
            if order is GateOrder.LOOK and self._gate is not None:
                yield from self._look(packet, self._gate)

    def _rest(self, mark: NativeMark | None) -> Iterator[Taken]:
        while self._put_off:
            packet, check = self._put_off.popleft()
            yield from self._decoded(packet, packet, check=check, mark=mark)

    def _let_go(self, newest: Packet) -> None:
        """Nobody has come to decode: what was put off is left out, up to the next key frame."""
        with self._decoding:
            if self.waited_s(newest) > LONGEST_PUT_OFF_S:  # else somebody has come just now
                self._behind = True
                self.counters.dropped += len(self._put_off)
                self._put_off.clear()

    def _kept_up(self, packet: Packet, hurried_s: float) -> bool:
        if hurried_s > LONGEST_LAG_S:
            self._behind = True
        elif self._behind and packet.encoded.key and hurried_s < _CAUGHT_UP_S:
            self._behind = False
            self._begin_anew()
        return not self._behind

    def _go_on(self, packet: Packet, *, check: bool = False) -> Iterator[Taken]:
        if self._running:
            yield from self._decoded(packet, packet, check=check)
            return
        self._begin_anew()
        began_at = None if self._gate is None else self._gate.began_at
        begun = self._ring.since(packet.captured_at if began_at is None else began_at)
        for each in begun or (packet,):
            yield from self._decoded(each, packet, check=check and each is packet)

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

    def _decoded(
        self, packet: Packet, newest: Packet, *, check: bool = False, mark: NativeMark | None = None
    ) -> Iterator[Taken]:
        self.counters.decoded += 1
        if check:
            self._to_check = [packet]  # key frames come so seldom that the one before is out of the decoder
        if packet.encoded.pts_s is not None:
            self._pending[packet.encoded.pts_s] = packet
            while len(self._pending) > _MOST_PENDING:
                self._pending.popitem(last=False)
        for timed in self._decoder.decode(packet.encoded, mark):
            source = packet if timed.pts_s is None else self._pending.pop(timed.pts_s, packet)
            if any(source is each for each in self._to_check):
                self._to_check = []
                self._checks.append((timed.picture, source.captured_at))
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
