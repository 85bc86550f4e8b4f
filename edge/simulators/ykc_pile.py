"""A simulated charging pile that speaks 云快充 (YKC) V1.6: it charges, gets hot now and then, breaks off, and stores what it measures offline.

`python -m edge.simulators.ykc_pile NUMBER… --server 127.0.0.1:8767 [--guns 2] [--seed N] [--first-trouble S] [--ignore-stop]`

What happens is a function of the seed and the time since the start. The story (`Story`) is pure; `SimulatedPile` is its socket.
"""

import argparse
import contextlib
import random
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from edge.simulators.stopping import told_to_stop
from edge.sources.ykc import answers, messages
from edge.sources.ykc.fields import PILE_TIME
from edge.sources.ykc.frame import Frame, FrameReader

HEARTBEAT_S: Final = 10.0
CHARGING_PERIOD_S: Final = 15.0
IDLE_PERIOD_S: Final = 300.0
LONGEST_WAIT_S: Final = 30.0
RECORD_AGAIN_S: Final = 30.0
RECORD_TRIES: Final = 3
MOST_STORED: Final = 5_000
_NO_PERIODS: Final = (0,) * 16
_OVER_TEMPERATURE: Final = 1 << 2
_HOT_C: Final = 85.0


@dataclass(slots=True)
class Charge:
    """One charge, as the pile counts it. Times are seconds since the start."""

    transaction: str
    began_s: float
    began_at: datetime
    until_s: float
    hot: bool
    energy_wh: float = 0.0


@dataclass(slots=True)
class SimulatedGun:
    """A gun and what it does at present."""

    number: int
    next_s: float
    charge: Charge | None = None
    temperature_c: float = 25.0
    measured_s: float = 0.0


@dataclass(slots=True)
class Story:
    """What happens at a pile. `stops` says whether it obeys an order to stop."""

    number: str
    guns: int = 2
    seed: int = 0
    first_trouble_s: float | None = None
    stops: bool = True
    kind: int = 0
    program: str = "SIM1.0"
    records: list[messages.TransactionRecord] = field(default_factory=list)
    _guns: dict[int, SimulatedGun] = field(default_factory=dict)
    _random: random.Random = field(default_factory=random.Random)
    _count: int = 0

    def __post_init__(self) -> None:
        self._random.seed(f"{self.seed}/{self.number}")
        for number in range(1, self.guns + 1):
            first_s = 5.0 if number == 1 else self._random.uniform(20.0, 120.0)
            self._guns[number] = SimulatedGun(number, first_s)

    def login(self) -> messages.Login:
        """What it says first."""
        return messages.Login(self.number, self.kind, self.guns, 16, self.program, 1, "0" * 20, 4)

    def charging(self, number: int) -> bool:
        """Whether a gun charges."""
        gun = self._guns.get(number)
        return gun is not None and gun.charge is not None

    def advance(self, at_s: float, now: datetime) -> list[int]:
        """Live until then; the guns of which there is something new to tell."""
        changed = []
        for gun in self._guns.values():
            if gun.charge is None and at_s >= gun.next_s:
                self._begin(gun, at_s, now)
                changed.append(gun.number)
            elif gun.charge is not None:
                self._measure(gun, gun.charge, at_s)
                if at_s >= gun.charge.until_s:
                    self.end(gun.number, at_s, now, reason=0x74 if gun.charge.hot else 0x41)
                    changed.append(gun.number)
        return changed

    def end(self, number: int, at_s: float, now: datetime, *, reason: int) -> bool:
        """End a charge and write its record; False where there is none."""
        gun = self._guns.get(number)
        charge = None if gun is None else gun.charge
        if gun is None or charge is None:
            return False
        self._measure(gun, charge, at_s)
        energy = round(charge.energy_wh * 10)
        self.records.append(
            messages.TransactionRecord(
                charge.transaction,
                self.number,
                number,
                charge.began_at,
                now,
                _NO_PERIODS,
                0,
                energy,
                energy,
                energy,
                0,
                bytes(17),
                1,
                now,
                reason,
                "0" * 16,
            )
        )
        gun.charge, gun.temperature_c = None, 25.0
        gun.next_s = at_s + self._random.uniform(60.0, 240.0)
        return True

    def data(self, number: int, at_s: float) -> messages.RealTimeData:
        """How a gun is."""
        gun = self._guns[number]
        charge = gun.charge
        if charge is None:
            return messages.RealTimeData(
                messages.NO_TRANSACTION, self.number, number, 2, 1, 0, 0, 0, 0, "0" * 16, 0, 0, 0, 0, 0, 0, 0, 0
            )
        minutes = int((at_s - charge.began_s) / 60.0)
        energy = round(charge.energy_wh * 10)
        faults = _OVER_TEMPERATURE if gun.temperature_c >= _HOT_C else 0
        return messages.RealTimeData(
            charge.transaction, self.number, number, 3, 0, 1, 3_800, 320, round(gun.temperature_c) + 50, "0" * 16,
            min(100, 40 + minutes), 82, minutes, max(0, 60 - minutes), energy, energy, 0, faults,
        )  # fmt: skip

    def _begin(self, gun: SimulatedGun, at_s: float, now: datetime) -> None:
        self._count = self._count % 9_999 + 1
        local = now.astimezone(PILE_TIME)
        transaction = f"{self.number}{gun.number:02}{local:%y%m%d%H%M%S}{self._count:04}"
        hot = self._random.random() < 0.15
        if self.first_trouble_s is not None and gun.number == 1 and at_s >= self.first_trouble_s:
            hot, self.first_trouble_s = True, None
        gun.charge = Charge(transaction, at_s, now, at_s + self._random.uniform(180.0, 480.0), hot)
        gun.measured_s = at_s

    def _measure(self, gun: SimulatedGun, charge: Charge, at_s: float) -> None:
        elapsed_s, since_s = max(0.0, at_s - gun.measured_s), at_s - charge.began_s
        charge.energy_wh += 380.0 * 32.0 * elapsed_s / 3_600.0
        gun.measured_s = at_s
        gun.temperature_c = min(92.0, 35.0 + since_s * 0.6) if charge.hot else min(48.0, 30.0 + since_s * 0.05)


class SimulatedPile:
    """The thread that tells a story to a server, and goes on telling it while there is none."""

    def __init__(self, story: Story, server: tuple[str, int]) -> None:
        self.logins = 0
        self._story, self._server = story, server
        self._began_s = time.monotonic()
        self._stored: deque[messages.RealTimeData] = deque(maxlen=MOST_STORED)
        self._told_s: dict[int, float] = {}
        self._record_sent_s: dict[str, tuple[float, int]] = {}
        self._sequence = 0
        self._logged_in = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"pile-{story.number}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stop.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        wait_s = 1.0
        while not self._stop.is_set():
            logins = self.logins
            with (
                contextlib.suppress(OSError, TimeoutError),
                socket.create_connection(self._server, timeout=5.0) as link,
            ):
                self._converse(link)
            wait_s = 1.0 if self.logins > logins else min(LONGEST_WAIT_S, wait_s * 2)
            until_s = self._at_s() + wait_s
            while self._at_s() < until_s and not self._stop.wait(0.5):
                self._live(None)

    def _at_s(self) -> float:
        return time.monotonic() - self._began_s

    def _converse(self, link: socket.socket) -> None:
        self._sequence, self._logged_in, reader, heartbeat_s = 0, False, FrameReader(), -HEARTBEAT_S
        link.settimeout(0.5)
        self._say(link, self._story.login())
        while not self._stop.is_set():
            try:
                data = link.recv(4096)
            except TimeoutError:
                data = None
            if data == b"" or not all(self._hear(link, frame) for frame in reader.feed(data or b"")):
                return
            if not self._logged_in:
                continue
            self._live(link)
            if self._at_s() - heartbeat_s >= HEARTBEAT_S:
                heartbeat_s = self._at_s()
                for gun in range(1, self._story.guns + 1):
                    self._say(link, messages.Heartbeat(self._story.number, gun, 0))

    def _hear(self, link: socket.socket, frame: Frame) -> bool:
        """False once the platform does not want it."""
        answer = answers.answer_of(frame)
        if isinstance(answer, answers.LoginAnswer):
            if answer.result != 0:
                return False
            self._logged_in = True
            self._welcomed(link)
        elif answer is not None:
            self._obey(link, frame, answer)
        return True

    def _welcomed(self, link: socket.socket) -> None:
        """§5.1: first what was stored, then the tariff."""
        self.logins += 1
        while self._stored:
            self._say(link, self._stored.popleft())
        self._say(link, messages.TariffCheck(self._story.number, "0000"))
        self._told_s.clear()

    def _live(self, link: socket.socket | None) -> None:
        """Tell what is due, or store it."""
        at_s = self._at_s()
        changed = self._story.advance(at_s, datetime.now(UTC))
        for gun in range(1, self._story.guns + 1):
            period_s = CHARGING_PERIOD_S if self._story.charging(gun) else IDLE_PERIOD_S
            if gun in changed or at_s - self._told_s.get(gun, -period_s) >= period_s:
                self._told_s[gun] = at_s
                self._tell(link, self._story.data(gun, at_s))
        if link is not None:
            self._send_records(link, at_s)

    def _tell(self, link: socket.socket | None, data: messages.RealTimeData) -> None:
        if link is None:
            self._stored.append(data)
        else:
            self._say(link, data)

    def _send_records(self, link: socket.socket, at_s: float) -> None:
        """§8.7: again after 30 s, three times."""
        for record in self._story.records:
            sent_s, tries = self._record_sent_s.get(record.transaction, (-RECORD_AGAIN_S, 0))
            if tries < RECORD_TRIES and at_s - sent_s >= RECORD_AGAIN_S:
                self._record_sent_s[record.transaction] = at_s, tries + 1
                self._say(link, record)

    def _obey(self, link: socket.socket, frame: Frame, answer: answers.Answer) -> None:
        story, at_s = self._story, self._at_s()
        said: Iterator[messages.Message] = iter(())
        match answer:
            case answers.DataRequest():
                said = iter([story.data(answer.gun, at_s)] if 1 <= answer.gun <= story.guns else [])
            case answers.ClockOrder():
                said = iter([messages.ClockAnswer(story.number, datetime.now(UTC))])
            case answers.RecordAnswer():
                story.records[:] = [each for each in story.records if each.transaction != answer.transaction]
                self._record_sent_s.pop(answer.transaction, None)
            case answers.StopOrder() if story.stops:
                stopped = story.end(answer.gun, at_s, datetime.now(UTC), reason=0x40)
                said = iter([messages.StopAnswer(story.number, answer.gun, int(stopped), 0 if stopped else 2)])
                self._told_s.pop(answer.gun, None)
            case answers.RebootOrder():
                said = iter([messages.RebootAnswer(story.number, 1)])
            case answers.UpdateOrder():
                said = iter([messages.UpdateAnswer(story.number, 0)])
            case _:
                pass
        for message in said:
            link.sendall(messages.frame_of(message, frame.sequence).encoded())

    def _say(self, link: socket.socket, message: messages.Message) -> None:
        link.sendall(messages.frame_of(message, self._sequence).encoded())
        self._sequence = (self._sequence + 1) & 0xFFFF


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m edge.simulators.ykc_pile", description="Simulated YKC piles.")
    parser.add_argument("numbers", nargs="+", metavar="NUMBER", help="14 digits each")
    parser.add_argument("--server", required=True, metavar="HOST:PORT")
    parser.add_argument("--guns", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first-trouble", type=float, metavar="SECONDS", help="from when on the first pile gets hot")
    parser.add_argument("--ignore-stop", action="store_true", help="hear orders to stop and do nothing")
    options = parser.parse_args(arguments)
    host, _, port = options.server.rpartition(":")
    if not port.isdigit() or any(len(each) != 14 or not each.isdecimal() for each in options.numbers):
        parser.error("a server is HOST:PORT, a pile's number has 14 digits")
    piles = [
        SimulatedPile(
            Story(
                number,
                options.guns,
                options.seed,
                options.first_trouble if index == 0 else None,
                stops=not options.ignore_stop,
            ),
            (host.strip("[]"), int(port)),
        )
        for index, number in enumerate(options.numbers)
    ]
    stop = told_to_stop()
    for pile in piles:
        pile.start()
    stop.wait()
    for pile in piles:
        pile.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
