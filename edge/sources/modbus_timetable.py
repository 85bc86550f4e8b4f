"""When which registers are read: each point in its period, those that answer before those that do not. Pure; monotonic seconds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from edge.settings.modbus import ModbusDeviceSettings
from edge.sources.modbus_registers import Block, blocks

FIRST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 60.0
"""Between two tries of a device, or a gateway, that does not answer."""


class BackOff:
    """How long to wait before the next try: twice as long each time, less a share that `jitter` (0 to 1) draws."""

    def __init__(self, jitter: Callable[[], float]) -> None:
        self._jitter = jitter
        self._wait_s = 0.0

    @property
    def failing(self) -> bool:
        """Whether the last try failed."""
        return self._wait_s > 0

    def failed(self) -> float:
        """One more try failed; so many seconds until the next."""
        self._wait_s = min(LONGEST_WAIT_S, 2 * self._wait_s or FIRST_WAIT_S)
        return self._wait_s * (1 - 0.5 * self._jitter())

    def answered(self) -> None:
        """It is back."""
        self._wait_s = 0.0


@dataclass(slots=True)
class _Row:
    """What is read of one device in one period. A row is due on a grid, so that a late read makes none of those after it late."""

    period_s: float
    blocks: tuple[Block, ...]
    due_s: float


@dataclass(slots=True)
class _Line:
    device: ModbusDeviceSettings
    rows: list[_Row]
    back_off: BackOff
    not_before_s: float = 0.0
    answers: bool = False
    """Whether it did the last time; of one that was never asked nobody knows."""

    @property
    def due_s(self) -> float:
        return max(self.not_before_s, min(row.due_s for row in self.rows))


@dataclass(frozen=True, slots=True)
class Turn:
    """What is to be read now: some blocks of one device."""

    device: ModbusDeviceSettings
    blocks: tuple[Block, ...] = field(default=())


class Timetable:
    """The devices behind one gateway. A device that does not answer is asked seldom, and never while one that answers is due: all
    together wait for one time-out at most.
    """

    def __init__(self, jitter: Callable[[], float]) -> None:
        self._jitter = jitter
        self._lines: dict[str, _Line] = {}

    def adopt(self, devices: Sequence[ModbusDeviceSettings], now_s: float) -> None:
        """Read these from now on; one that stays as it is keeps its times."""
        before = self._lines
        self._lines = {}
        for device in devices:
            known = before.get(device.id)
            if known is not None and known.device.points == device.points and known.device.unit == device.unit:
                known.device = device
                self._lines[device.id] = known
            else:
                self._lines[device.id] = _Line(device, _rows(device, now_s), BackOff(self._jitter))

    def next_due_s(self) -> float | None:
        """When the next device is due; None without one."""
        return min((line.due_s for line in self._lines.values()), default=None)

    def take(self, now_s: float) -> Turn | None:
        """The device that waits longest of those that answered the last time, else of the others; None when nothing is due."""
        due = [line for line in self._lines.values() if line.due_s <= now_s]
        if not due:
            return None
        line = min(due, key=lambda each: (not each.answers, each.due_s))
        wanted = [row for row in line.rows if row.due_s <= now_s]
        for row in wanted:
            row.due_s += row.period_s * (1 + (now_s - row.due_s) // row.period_s)
        return Turn(line.device, tuple(block for row in wanted for block in row.blocks))

    def failed(self, device: str, now_s: float) -> None:
        """It did not answer."""
        line = self._lines.get(device)
        if line is not None:
            line.answers = False
            line.not_before_s = now_s + line.back_off.failed()
            for row in line.rows:  # all of it is due at the next try: only what is asked can be answered
                row.due_s = min(row.due_s, line.not_before_s)

    def answered(self, device: str) -> None:
        """It answered, be it with a refusal."""
        line = self._lines.get(device)
        if line is not None:
            line.answers = True
            line.back_off.answered()
            line.not_before_s = 0.0


def _rows(device: ModbusDeviceSettings, now_s: float) -> list[_Row]:
    points = device.register_points
    periods = sorted({point.period_s for point in points})
    return [
        _Row(period_s, blocks([point for point in points if point.period_s == period_s]), now_s) for period_s in periods
    ]


def patience_s(device: ModbusDeviceSettings) -> float:
    """Silent for longer, it is lost: three of its longest periods, and never before it was asked again after a time-out."""
    return max(10.0, 3 * max(point.period_s for point in device.register_points), 3 * device.timeout_s)
