"""A thousand nodes that come back at once: one asyncio process, MQTT 3.1.1 by hand so that it costs little itself.

`python -m tests.benches.swarm.nodes PLAN` reads what to do from a file and writes one line of JSON. What each node says is made
beforehand; nothing is encoded while the clock runs.
"""

import asyncio
import json
import struct
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from edge.contract.downlink import Ack, Outcome
from edge.contract.envelope import decode

CONNACK, PUBLISH, PUBACK, SUBACK = 2, 3, 4, 9
KEEPALIVE_S = 60
AGAIN_S = 30.0
"""As a node does: what is not acknowledged by the cloud by then is sent again."""


class Utterance(msgspec.Struct, frozen=True):
    """One message as it is sent. `message_id` waits for the cloud's acknowledgement; empty for a status."""

    topic: str
    payload: bytes
    message_id: str = ""
    live: bool = False
    retain: bool = False


class Persona(msgspec.Struct, frozen=True):
    """A node: its log-in, when it comes back, and what it says then, in this order."""

    name: str
    password: str
    after_s: float
    listens: str
    will: Utterance
    says: list[Utterance]


class Plan(msgspec.Struct, frozen=True):
    """What the swarm is to do. `patience_s` from the first node's coming on."""

    host: str
    port: int
    patience_s: float
    personas: list[Persona]


class Outcomes(msgspec.Struct):
    """What came of it, in seconds. `live_s` is from the sending of each live incident to the cloud's own acknowledgement."""

    nodes: int = 0
    messages: int = 0
    acknowledged: int = 0
    unwelcome: int = 0
    resent: int = 0
    reconnects: int = 0
    connected_within_s: float = 0.0
    all_acknowledged_s: float | None = None
    live_s: list[float] = []
    cpu_s: float = 0.0
    missing: list[str] = []


def _text(value: bytes | str) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack(">H", len(raw)) + raw


def _packet(first: int, body: bytes) -> bytes:
    length, size = len(body), bytearray()
    while True:
        length, digit = divmod(length, 128)
        size.append(digit | (0x80 if length else 0))
        if not length:
            return bytes([first]) + bytes(size) + body


def connect(persona: Persona) -> bytes:
    """CONNECT with a session that the broker keeps, a log-in and a last will."""
    flags = 0x80 | 0x40 | 0x20 | 0x08 | 0x04
    body = _text("MQTT") + bytes([4, flags]) + struct.pack(">H", KEEPALIVE_S) + _text(persona.name)
    body += _text(persona.will.topic) + _text(persona.will.payload) + _text(persona.name) + _text(persona.password)
    return _packet(0x10, body)


def publish(utterance: Utterance, number: int) -> bytes:
    """PUBLISH at QoS 1."""
    return _packet(
        0x32 | (1 if utterance.retain else 0),
        _text(utterance.topic) + struct.pack(">H", number) + utterance.payload,
    )


@dataclass(slots=True)
class _Incoming:
    """Packets from a stream of bytes."""

    buffer: bytearray = field(default_factory=bytearray)

    def packets(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        self.buffer += data
        while len(self.buffer) >= 2:
            size, shift, place = 0, 0, 1
            while True:
                if place >= len(self.buffer):
                    return
                digit = self.buffer[place]
                size |= (digit & 0x7F) << shift
                shift, place = shift + 7, place + 1
                if not digit & 0x80:
                    break
            if len(self.buffer) < place + size:
                return
            packet = bytes(self.buffer[place : place + size])
            first = self.buffer[0]
            del self.buffer[: place + size]
            yield first, packet


class Node(asyncio.Protocol):
    """One node on one connection after the other."""

    def __init__(self, persona: Persona, swarm: "Swarm") -> None:
        self.persona, self._swarm = persona, swarm
        self._incoming = _Incoming()
        self._transport: asyncio.Transport | None = None
        self.waiting: dict[str, Utterance] = {}
        self._sent_at_s: dict[str, float] = {}
        self._number = 1
        self.done = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(connect(self.persona))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's own signature)
        self._transport = None
        if not self.done.is_set():
            self._swarm.lost(self)

    def data_received(self, data: bytes) -> None:
        for first, packet in self._incoming.packets(data):
            kind = first >> 4
            if kind == CONNACK:
                self._welcomed(packet)
            elif kind == SUBACK:
                self._speak(self.persona.says)
                self._swarm.came(self)
            elif kind == PUBLISH:
                self._hear(first, packet)

    def _welcomed(self, packet: bytes) -> None:
        assert self._transport is not None
        if packet[1]:
            raise SystemExit(f"{self.persona.name}: the broker refuses the log-in ({packet[1]})")
        self._transport.write(_packet(0x82, struct.pack(">H", 1) + _text(self.persona.listens) + b"\x01"))

    def _speak(self, utterances: Sequence[Utterance]) -> None:
        if self._transport is None:
            return
        out = bytearray()
        for each in utterances:
            if each.message_id:
                if each.message_id in self._swarm.settled:
                    continue
                self.waiting[each.message_id] = each
                self._sent_at_s.setdefault(each.message_id, time.monotonic())
            self._number = self._number % 65_000 + 1
            out += publish(each, self._number)
        self._transport.write(bytes(out))

    def _hear(self, first: int, packet: bytes) -> None:
        size = struct.unpack_from(">H", packet)[0]
        place = 2 + size
        if first & 0x06:
            assert self._transport is not None
            self._transport.write(b"\x40\x02" + packet[place : place + 2])
            place += 2
        for result in decode(packet[place:], Ack).results:
            utterance = self.waiting.pop(str(result.id), None)
            if utterance is not None:
                took_s = time.monotonic() - self._sent_at_s[utterance.message_id]
                welcome = result.outcome in {Outcome.ACCEPTED, Outcome.DUPLICATE}
                self._swarm.settle(utterance, took_s, welcome=welcome)
        if not self.waiting:
            self.done.set()

    def again(self) -> int:
        """Say once more what nobody acknowledged; how many."""
        self._speak(list(self.waiting.values()))
        return len(self.waiting)

    def close(self) -> None:
        """Leave in order: the broker tells no last will, and what the cloud took for present stays so."""
        if self._transport is not None:
            self._transport.write(b"\xe0\x00")
            self._transport.close()


class Swarm:
    """All nodes, and what came of them."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.outcomes = Outcomes(nodes=len(plan.personas))
        self.settled: set[str] = set()
        self._nodes = [Node(persona, self) for persona in plan.personas]
        self._tasks: set[asyncio.Task[None]] = set()
        self._began_s = 0.0

    def came(self, node: Node) -> None:  # noqa: ARG002 (only that one came counts)
        """A node has its connection and has spoken."""
        self.outcomes.connected_within_s = time.monotonic() - self._began_s

    def settle(self, utterance: Utterance, took_s: float, *, welcome: bool) -> None:
        """The cloud has acknowledged a message."""
        self.settled.add(utterance.message_id)
        self.outcomes.acknowledged += 1
        self.outcomes.unwelcome += not welcome
        if utterance.live:
            self.outcomes.live_s.append(round(took_s, 3))

    def lost(self, node: Node) -> None:
        """A connection broke off: the node comes back."""
        self.outcomes.reconnects += 1
        self._go(self._join(node, 1.0))

    def _go(self, coroutine: Any) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _join(self, node: Node, after_s: float) -> None:
        await asyncio.sleep(after_s)
        try:
            await asyncio.get_running_loop().create_connection(lambda: node, self._plan.host, self._plan.port)
        except OSError:
            self.lost(node)

    async def run(self) -> Outcomes:
        """Let them all come, and wait until each has its acknowledgements, or patience ends."""
        wanted = [each.message_id for persona in self._plan.personas for each in persona.says if each.message_id]
        self.outcomes.messages = len(wanted)
        self._began_s = time.monotonic()
        cpu_s = time.process_time()
        for node in self._nodes:
            self._go(self._join(node, node.persona.after_s))
        everyone = asyncio.gather(*(node.done.wait() for node in self._nodes))
        until_s, again_s = self._began_s + self._plan.patience_s, self._began_s + AGAIN_S
        while not everyone.done() and time.monotonic() < until_s:
            await asyncio.wait([everyone], timeout=0.2)
            if time.monotonic() >= again_s:
                again_s += AGAIN_S
                self.outcomes.resent += sum(node.again() for node in self._nodes)
        if everyone.done():
            self.outcomes.all_acknowledged_s = round(time.monotonic() - self._began_s, 2)
        else:
            everyone.cancel()
        self.outcomes.cpu_s = round(time.process_time() - cpu_s, 2)
        self.outcomes.missing = [each for each in wanted if each not in self.settled][:20]
        for node in self._nodes:
            node.done.set()
            node.close()
        await asyncio.sleep(0.5)
        return self.outcomes


def main() -> int:
    """Run the swarm of a plan."""
    plan = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Plan)
    outcomes = asyncio.run(Swarm(plan).run())
    print(json.dumps(msgspec.to_builtins(outcomes)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
