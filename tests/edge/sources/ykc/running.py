"""A source that listens, piles that say what a test wants, and a node that keeps what comes."""

import dataclasses
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Self

from edge.errors import OutboxFull
from edge.flow import Health, Parcel, Reading
from edge.settings import YkcPileSettings, YkcSettings
from edge.sources.ykc import answers, messages
from edge.sources.ykc.answers import answer_of
from edge.sources.ykc.connection import Limits
from edge.sources.ykc.frame import Frame, FrameReader
from edge.sources.ykc.source import Timing, YkcSource
from tests.edge.sources.ykc.saying import NUMBER, login, settings
from tests.edge.waiting import wait_until

MOST_BYTES = 1 << 26
OTHER = "32010600019236"
LONG = Limits(login_s=60.0, silent_s=60.0, quiet_s=0.05, write_s=60.0)


class Keeper:
    """Keeps readings, unless told to refuse or to fail."""

    def __init__(self) -> None:
        self.kept: list[Reading] = []
        self.again: list[Reading] = []
        self.marks: tuple[bytes, ...] = ()
        self.statuses: list[tuple[str, Health]] = []
        self.refusing = False
        self.refused = 0
        self.failing = False
        self.gate = threading.Event()
        self.gate.set()

    def keep(self, parcel: Parcel) -> None:
        self.gate.wait(20)
        if self.refusing:
            self.refused += 1
            raise OutboxFull("no room in this test")
        if self.failing:
            raise ValueError("nothing that is tried again by itself")
        self.kept += parcel.readings
        self.again += parcel.again
        if parcel.receipts is not None:
            self.marks += parcel.receipts.marks

    def on_status(self, device: str, health: Health, _reason: str | None) -> None:
        self.statuses.append((device, health))

    def values(self, point: str) -> list[float | str]:
        return [reading.value for reading in list(self.kept) if reading.point == point]


class Pile:
    """A socket that says what the test wants."""

    def __init__(self, port: int, number: str = NUMBER) -> None:
        self.number = number
        self.link = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.reader = FrameReader()
        self.heard: list[Frame] = []
        self.sequence = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.link.close()

    def say(self, *said: messages.Message) -> None:
        for each in said:
            message = dataclasses.replace(each, pile=self.number)
            self.link.sendall(messages.frame_of(message, self.sequence).encoded())
            self.sequence += 1

    def flood(self, message: messages.Message) -> int:
        """Say the same until nothing more is taken; how many bytes were. None are once the connection has ended."""
        frame, sent = messages.frame_of(message, 0).encoded() * 500, 0
        self.link.settimeout(0)
        try:
            while sent < MOST_BYTES:
                sent += self.link.send(frame)
        except BlockingIOError:
            return sent
        except ConnectionError:
            return 0
        finally:
            self.link.settimeout(10)
        return sent

    def hear(self, kind: type[Any]) -> Any:
        """The next answer of that type; others before it are passed over."""
        while True:
            while self.heard:
                answer = answer_of(self.heard.pop(0))
                if isinstance(answer, kind):
                    return answer
            received = self.link.recv(4096)
            assert received, "the connection ended"
            self.heard += self.reader.feed(received)

    def has_heard(self, kind: type[Any]) -> bool:
        """Whether an answer of that type is among what has come so far; nothing is waited for."""
        self.link.settimeout(0)
        try:
            while received := self.link.recv(4096):
                self.heard += self.reader.feed(received)
        except BlockingIOError:
            pass
        finally:
            self.link.settimeout(10)
        return any(isinstance(answer_of(frame), kind) for frame in self.heard)

    def log_in(self) -> Self:
        self.say(login(), messages.TariffCheck(self.number, "0100"))
        assert self.hear(answers.LoginAnswer).result == 0
        return self

    def is_hung_up_on(self) -> bool:
        try:
            while self.link.recv(4096):
                pass
        except ConnectionError:
            pass
        return True


@contextmanager
def source(
    keeper: Keeper,
    limits: Limits = LONG,
    *,
    receipts: tuple[bytes, ...] = (),
    configured: YkcSettings | None = None,
    grace_s: float = 60.0,
) -> Iterator[YkcSource]:
    second = YkcPileSettings(id="pile-2", number=OTHER, guns=1)
    first = settings().piles[0]
    made = YkcSource(
        configured or settings(piles=(first, second)),
        keeper.keep,
        keeper.on_status,
        receipts=receipts,
        clock=lambda: datetime.now(UTC),
        timing=Timing(limits, grace_s=grace_s, look_s=0.02, meter_s=(0.0, 0.01), listen_s=0.05),
    )
    made.start()
    try:
        wait_until(lambda: made.port is not None, "the port")
        yield made
    finally:
        made.stop()


def port_of(made: YkcSource) -> int:
    assert made.port is not None
    return made.port
