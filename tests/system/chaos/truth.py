"""What was given to the node and acknowledged to its sources: by device, number and time. Pure.

Every message of a device carries a number that is its own, and every point of it the same number as its value: a reading
is known again by its value, also where the device tells no time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

ALARM_FROM = 1_000_000.0
"""Values above are those at which a switch crosses its threshold; below this the value is the message's number."""


@dataclass(frozen=True, slots=True)
class Device:
    """A sensor of the load. `timed`: it tells its own time. `state`: its point of words, `rule`: its threshold."""

    name: str
    points: tuple[str, ...]
    timed: bool
    state: str | None = None
    alarms: bool = False

    @property
    def readings_per_message(self) -> int:
        """Numbers in one message."""
        return len(self.points)


@dataclass(frozen=True, slots=True)
class Crossing:
    """A value that went over its threshold and came back: one incident. Times are the device's, in microseconds."""

    device: str
    started_us: int
    ended_us: int | None = None


@dataclass(slots=True)
class Truth:
    """All that was acknowledged to the sources. `values`: device → value → the device's time (µs), None where it tells none."""

    devices: Mapping[str, Device]
    values: dict[str, dict[float, int | None]] = field(default_factory=dict)
    states: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    crossings: list[Crossing] = field(default_factory=list)

    def add(self, device: str, value: float, at_us: int | None) -> None:
        """A message whose points all carry `value`. Raises ValueError for a value that was there before."""
        known = self.values.setdefault(device, {})
        if value in known:
            raise ValueError(f"{device} has sent {value} before")
        known[value] = at_us

    def add_state(self, device: str, at_us: int, word: str) -> None:
        """A word, where it differs from the one before."""
        known = self.states.setdefault(device, [])
        if not known or known[-1][1] != word:
            known.append((at_us, word))

    @property
    def readings(self) -> int:
        """How many readings were given."""
        return sum(len(values) * self.devices[name].readings_per_message for name, values in self.values.items())

    @property
    def incidents(self) -> int:
        """How many incidents they make."""
        return len(self.crossings)


def standard_devices(*, meters: int = 8, switches: int = 10, bank_points: int = 100) -> Mapping[str, Device]:
    """Meters (half of them without a time of their own), switches that cross a threshold, a bank of many points, a probe."""
    devices: list[Device] = []
    for number in range(1, meters + 1):
        timed = number <= meters // 2
        devices.append(
            Device(
                f"meter-{number}",
                tuple(f"p{point}" for point in range(1, 6)),
                timed=timed,
                state="mode" if timed else None,
            )
        )
    devices += [Device(f"switch-{number}", ("level",), timed=True, alarms=True) for number in range(1, switches + 1)]
    devices.append(Device("bank", tuple(f"c{point}" for point in range(1, bank_points + 1)), timed=True))
    devices.append(Device("probe", ("level",), timed=True, alarms=True))
    return {device.name: device for device in devices}


def names(devices: Sequence[Device]) -> list[str]:
    """Their names."""
    return [device.name for device in devices]
