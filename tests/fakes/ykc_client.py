"""A charging pile that speaks 云快充 (YKC) V1.6, for tests of the server: the other end of the wire, by another hand.

It is written from the facts of the text and shares nothing with the server, neither code nor constants: where both agree, the
text was read alike twice. What a pile does wrongly on purpose (a stop that it ignores, a record that it says thrice, a
sequence that begins again, bytes that are none) is said by whoever uses it.
"""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Self

START = 0x68
CHINA = timezone(timedelta(hours=8))

IDLE_TRANSACTION = "0" * 32
"""The transaction number of a gun that does not charge."""

LOGIN, LOGIN_ANSWER = 0x01, 0x02
HEARTBEAT, HEARTBEAT_ANSWER = 0x03, 0x04
PRICE_CHECK, PRICE_CHECK_ANSWER = 0x05, 0x06
READ_REAL_TIME, REAL_TIME = 0x12, 0x13
CHARGE_ENDED, BMS_ABORT, CHARGER_ABORT = 0x19, 0x1D, 0x21
RECORD, RECORD_ANSWER = 0x3B, 0x40
STOP, STOP_ANSWER = 0x36, 0x35
CLOCK, CLOCK_ANSWER = 0x56, 0x55


@dataclass(frozen=True)
class Frame:
    """What came over the wire, without its frame: the body as bytes."""

    sequence: int
    encryption: int
    kind: int
    body: bytes


def crc16(data: bytes) -> int:
    """CRC-16/MODBUS: 0xFFFF to begin with, the polynomial 0x8005 reflected."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc


def framed(kind: int, body: bytes, *, sequence: int = 0, encryption: int = 0) -> bytes:
    """The bytes of a frame."""
    inner = struct.pack("<HBB", sequence, encryption, kind) + body
    return bytes([START, len(inner)]) + inner + struct.pack("<H", crc16(inner))


def bcd(digits: str, size: int) -> bytes:
    """Digits, two in each byte, with zeros before."""
    return bytes.fromhex(digits.zfill(2 * size))


def clock_bytes(at: datetime) -> bytes:
    """CP56Time2a of the time in China: milliseconds of the minute, minute, hour, day, month, year."""
    local = at.astimezone(CHINA)
    milliseconds = local.second * 1000 + local.microsecond // 1000
    return struct.pack("<HBBBBB", milliseconds, local.minute, local.hour, local.day, local.month, local.year % 100)


def clock_time(data: bytes) -> datetime:
    """The time that seven bytes tell; days of the week and summer time in the upper bits say nothing here."""
    milliseconds, minute, hour, day, month, year = struct.unpack("<HBBBBB", data)
    return datetime(
        2000 + (year & 0x7F), month & 0x0F, day & 0x1F, hour & 0x1F, minute & 0x3F, tzinfo=CHINA
    ) + timedelta(milliseconds=milliseconds)


@dataclass
class Gun:
    """What a gun measures at present, in plain units; None where an idle one measures nothing."""

    state: int = 2
    """0 offline, 1 fault, 2 idle, 3 charging"""
    transaction: str = IDLE_TRANSACTION
    plugged: bool = False
    voltage_v: float = 0.0
    current_a: float = 0.0
    cable_c: float | None = None
    battery_c: float | None = None
    soc_pct: int = 0
    minutes: int = 0
    energy_kwh: float = 0.0
    faults: int = 0
    """Bit 1 of the text is the lowest bit."""

    def charge(self, transaction: str, *, current_a: float = 32.0, cable_c: float = 38.0) -> None:
        """Begin to charge."""
        self.state, self.transaction, self.plugged = 3, transaction, True
        self.voltage_v, self.current_a, self.cable_c, self.soc_pct = 380.0, current_a, cable_c, 40

    def idle(self) -> None:
        """End the charge; what is measured while charging only is 0 again."""
        self.state, self.transaction, self.plugged = 2, IDLE_TRANSACTION, False
        self.voltage_v = self.current_a = 0.0
        self.cable_c = self.battery_c = None
        self.soc_pct = 0


def fault_bit(number: int) -> int:
    """The mask of what the text calls Bit1, Bit2, …"""
    return 1 << (number - 1)


def _offset(celsius: float | None) -> int:
    return 0 if celsius is None else round(celsius) + 50


@dataclass
class YkcPile:
    """One pile on one connection after another. Every wait has a limit and raises TimeoutError."""

    address: tuple[str, int]
    number: str = "55031412782305"
    guns: int = 2
    stops: bool = True
    """Whether it answers a remote stop and obeys it."""
    guns_now: dict[int, Gun] = field(default_factory=dict)
    heard: list[Frame] = field(default_factory=list)
    """All that the server has said, over all connections."""

    def __post_init__(self) -> None:
        self.guns_now = {number: Gun() for number in range(1, self.guns + 1)}
        self._changed = threading.Condition()
        self._measuring = threading.Lock()
        self._taken = 0
        self._socket: socket.socket | None = None
        self._reader: threading.Thread | None = None
        self._sequence = 0
        self.closed_by_server = False

    # --- the connection

    def connect(self) -> Self:
        """A new connection: the sequence begins at 0 again, as the text has it."""
        self.disconnect()
        self._sequence, self.closed_by_server = 0, False
        self._socket = socket.create_connection(self.address, timeout=10)
        self._socket.settimeout(None)
        self._reader = threading.Thread(target=self._read, args=(self._socket,), daemon=True)
        self._reader.start()
        return self

    def disconnect(self) -> None:
        """Hang up, as a pile does that loses its power."""
        connection, self._socket = self._socket, None
        if connection is not None:
            with contextlib.suppress(OSError):  # the server was first
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        if self._reader is not None:
            self._reader.join(5)

    def __enter__(self) -> Self:
        return self.connect()

    def __exit__(self, *_: object) -> None:
        self.disconnect()

    def say(self, kind: int, body: bytes, *, sequence: int | None = None) -> int:
        """Send a frame; the sequence that it carries comes back. What answers a question repeats the question's."""
        if sequence is None:
            sequence = self._sequence
            self._sequence = (self._sequence + 1) & 0xFFFF
        self.say_bytes(framed(kind, body, sequence=sequence))
        return sequence

    def say_bytes(self, data: bytes) -> None:
        """Send whatever it is."""
        assert self._socket is not None, "not connected"
        self._socket.sendall(data)

    def expect(self, kind: int, *, sequence: int | None = None, within_s: float = 10.0) -> Frame:
        """The next frame of that type that nobody has asked for yet; others before it are passed over."""
        found: list[Frame] = []

        def there() -> bool:
            for index in range(self._taken, len(self.heard)):
                frame = self.heard[index]
                if frame.kind == kind and sequence in (None, frame.sequence):
                    self._taken = index + 1
                    found.append(frame)
                    return True
            return False

        self._await(there, f"a frame {kind:02X}", within_s)
        return found[0]

    def expect_close(self, *, within_s: float = 10.0) -> None:
        """Wait until the server has hung up."""
        self._await(lambda: self.closed_by_server, "the server to hang up", within_s)

    def _await(self, there: Callable[[], bool], what: str, within_s: float) -> None:
        with self._changed:
            if not self._changed.wait_for(there, within_s):
                raise TimeoutError(f"waited {within_s} s for {what}; heard {[f'{f.kind:02X}' for f in self.heard]}")

    # --- what a pile says

    def login(self) -> int:
        """Log in; the result: 0 is welcome."""
        body = bcd(self.number, 7) + bytes([0, self.guns, 0x10]) + b"V4.1.50\0" + bytes([0])
        body += bcd("89860000000000000001", 10) + bytes([4])
        sequence = self.say(LOGIN, body)
        answer = self.expect(LOGIN_ANSWER, sequence=sequence)
        assert answer.body[:7] == bcd(self.number, 7), "an answer to another pile"
        assert len(answer.body) == 8
        return answer.body[7]

    def check_price(self) -> int:
        """Ask whether its price model still holds: with that what was stored has been said. The result: 0 is yes."""
        sequence = self.say(PRICE_CHECK, bcd(self.number, 7) + b"\0\0")
        answer = self.expect(PRICE_CHECK_ANSWER, sequence=sequence)
        assert answer.body[:7] == bcd(self.number, 7), "an answer to another pile"
        return answer.body[9]

    def begin(self) -> Self:
        """Log in with nothing stored."""
        assert self.login() == 0
        self.check_price()
        return self

    def transaction(self, gun: int, began: datetime, count: int = 1) -> str:
        """A transaction number: pile, gun, the time of the start in China, a count."""
        return f"{self.number}{gun:02}{began.astimezone(CHINA):%y%m%d%H%M%S}{count:04}"

    def heartbeat(self, gun: int = 1, *, fault: bool = False) -> None:
        """Say that it is there, and hear that this was heard."""
        sequence = self.say(HEARTBEAT, bcd(self.number, 7) + bcd(str(gun), 1) + bytes([fault]))
        answer = self.expect(HEARTBEAT_ANSWER, sequence=sequence)
        assert answer.body == bcd(self.number, 7) + bcd(str(gun), 1) + b"\0"

    def real_time_body(self, gun: int) -> bytes:
        """What 0x13 says of a gun at present."""
        now = self.guns_now[gun]
        return (
            bcd(now.transaction, 16)
            + bcd(self.number, 7)
            + bcd(str(gun), 1)
            + bytes([now.state, 1 if not now.plugged else 0, now.plugged])
            + struct.pack("<HHB", round(now.voltage_v * 10), round(now.current_a * 10), _offset(now.cable_c))
            + bytes(8)
            + struct.pack("<BBHH", now.soc_pct, _offset(now.battery_c), now.minutes, 0)
            + struct.pack("<III", round(now.energy_kwh * 10_000), 0, 0)
            + struct.pack("<H", now.faults)
        )

    def real_time(self, gun: int = 1, *, sequence: int | None = None) -> None:
        """Say what a gun measures; nobody answers that."""
        with self._measuring:  # what was measured later is said later
            self.say(REAL_TIME, self.real_time_body(gun), sequence=sequence)

    def bms_abort(self, gun: int, *, reason: int = 0, faults: int = 0, errors: int = 0) -> None:
        """0x1D: the battery's own management ended the charge; pairs of bits, 01 is a fault."""
        self.say(BMS_ABORT, self._abort_body(gun, reason, faults, errors))

    def charger_abort(self, gun: int, *, reason: int = 0, faults: int = 0, errors: int = 0) -> None:
        """0x21: the charger ended the charge."""
        self.say(CHARGER_ABORT, self._abort_body(gun, reason, faults, errors))

    def _abort_body(self, gun: int, reason: int, faults: int, errors: int) -> bytes:
        now = self.guns_now[gun]
        return (
            bcd(now.transaction, 16)
            + bcd(self.number, 7)
            + bcd(str(gun), 1)
            + struct.pack("<BHB", reason, faults, errors)
        )

    def record(
        self, gun: int, transaction: str, *, reason: int, began: datetime, ended: datetime, energy_kwh: float = 4.2
    ) -> int:
        """0x3B: the whole charge as it is to be paid; the sequence of the frame comes back."""
        total = round(energy_kwh * 10_000)
        prices = b"".join(struct.pack("<IIII", 100_000, total if band == 0 else 0, 0, 0) for band in range(4))
        meter = (100_000).to_bytes(5, "little") + (100_000 + total).to_bytes(5, "little")
        body = (
            bcd(transaction, 16)
            + bcd(self.number, 7)
            + bcd(str(gun), 1)
            + clock_bytes(began)
            + clock_bytes(ended)
            + prices
            + meter
            + struct.pack("<III", total, total, 42_000)
            + b"\0" * 17
            + bytes([1])
            + clock_bytes(ended)
            + bytes([reason])
            + bytes(8)
        )
        return self.say(RECORD, body)

    def hear_record_kept(self, sequence: int, transaction: str) -> int:
        """The result of the answer to a record: 0 is kept."""
        answer = self.expect(RECORD_ANSWER, sequence=sequence)
        assert answer.body[:16] == bcd(transaction, 16), "an answer for another transaction"
        return answer.body[16]

    # --- what a pile hears

    def _read(self, connection: socket.socket) -> None:
        buffer = bytearray()
        while True:
            try:
                data = connection.recv(4096)
            except OSError:
                data = b""
            if not data:
                with self._changed:
                    self.closed_by_server = True
                    self._changed.notify_all()
                return
            buffer += data
            while len(buffer) >= 2 and len(buffer) >= 4 + buffer[1]:
                whole = bytes(buffer[: 4 + buffer[1]])
                del buffer[: len(whole)]
                self._take(whole)

    def _take(self, whole: bytes) -> None:
        inner = whole[2:-2]
        assert whole[0] == START, f"the server's frame does not begin with 68: {whole.hex()}"
        assert whole[-2:] == struct.pack("<H", crc16(inner)), f"the server's CRC is wrong: {whole.hex()}"
        sequence, encryption, kind = struct.unpack("<HBB", inner[:4])
        assert kind % 2 == 0, f"{kind:02X} is a type of piles"
        frame = Frame(sequence, encryption, kind, inner[4:])
        with self._changed:
            self.heard.append(frame)
            self._changed.notify_all()
        self._obey(frame)

    def _obey(self, frame: Frame) -> None:
        """What a pile answers by itself."""
        try:
            if frame.kind == STOP and self.stops:
                self._obey_stop(frame)
            elif frame.kind == CLOCK:
                self.say(CLOCK_ANSWER, frame.body, sequence=frame.sequence)
            elif frame.kind == READ_REAL_TIME:
                self.real_time(int(frame.body[7:8].hex()), sequence=frame.sequence)
        except OSError:
            return  # it was cut off in between

    def _obey_stop(self, frame: Frame) -> None:
        number = int(frame.body[7:8].hex())
        gun = self.guns_now.get(number)
        if frame.body[:7] != bcd(self.number, 7) or gun is None:
            result, reason = 0, 1
        elif gun.state != 3:
            result, reason = 0, 2
        else:
            result, reason = 1, 0
            gun.idle()
        self.say(STOP_ANSWER, frame.body[:8] + bytes([result, reason]), sequence=frame.sequence)
        if result:
            self.real_time(number)
