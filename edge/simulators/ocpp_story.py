"""What happens at a simulated pile for vehicles: sockets that heat while current flows, and the story of what it does. Pure, whatever it speaks."""

import math
import random
from dataclasses import dataclass, field
from typing import Final

AMBIENT_C: Final = 31.0
CHARGING_C: Final = 47.0
HOT_C: Final = 96.0
CURRENT_A: Final = 28.0
VOLTAGE_V: Final = 229.0
COOL_C: Final = 45.0
"""Nobody plugs in again before."""

_WARMING_S: Final = 45.0


@dataclass(slots=True)
class Socket:
    """A connector and what it measures. Times are seconds since the pile's start."""

    number: int
    temperature_c: float = AMBIENT_C
    energy_wh: float = 0.0
    soc_pct: float = 20.0
    transaction: int | None = None
    flows: bool = False
    hot: bool = False
    free_from_s: float = 0.0

    def pass_time(self, seconds: float) -> None:
        """What happens within so many seconds: heat follows the current, and what glows goes on glowing while it flows."""
        goal_c = AMBIENT_C if not self.flows else HOT_C if self.hot else CHARGING_C
        self.temperature_c += (goal_c - self.temperature_c) * (1 - math.exp(-seconds / _WARMING_S))
        if self.flows:
            self.energy_wh += CURRENT_A * VOLTAGE_V * seconds / 3_600
            self.soc_pct = min(100.0, self.soc_pct + seconds / 120)

    def sampled(self, random_: random.Random) -> list[dict[str, str]]:
        """The meter's values now."""
        current_a = CURRENT_A + random_.gauss(0, 0.2) if self.flows else 0.0
        voltage_v = VOLTAGE_V + random_.gauss(0, 0.6)
        values = (
            ("Temperature", "Celsius", self.temperature_c + random_.gauss(0, 0.2)),
            ("Current.Import", "A", current_a),
            ("Voltage", "V", voltage_v),
            ("Power.Active.Import", "W", current_a * voltage_v),
            ("Energy.Active.Import.Register", "Wh", self.energy_wh),
            ("SoC", "Percent", self.soc_pct),
        )
        return [{"measurand": name, "unit": unit, "value": f"{value:.2f}"} for name, unit, value in values]


@dataclass(frozen=True, slots=True)
class Story:
    """What a pile does. Seconds since its start; None: never."""

    connectors: int = 1
    charge_after_s: float | None = 5.0
    heat_after_s: float | None = None
    heat_again_s: float = 3 * 3_600.0
    fault_after_s: float | None = None
    vendor_fault: str = "GunOverheat"
    ignores_stop: bool = False
    refuses_stop: bool = False
    replays_minutes: int = 0
    dies_after_s: float | None = None
    period_s: float = 5.0
    firmware: str = "1.0.0"


@dataclass(slots=True)
class Pile:
    """What outlasts a connection."""

    story: Story
    sockets: list[Socket]
    random: random.Random
    firmware: str
    configuration: dict[str, str] = field(default_factory=dict)
    faulted: bool = False
    replayed: bool = False
    age_s: float = 0.0
    heats_from_s: float | None = None

    @classmethod
    def of(cls, story: Story, *, seed: int = 0) -> "Pile":
        """A pile at its start."""
        sockets = [Socket(number) for number in range(1, story.connectors + 1)]
        made = cls(story, sockets, random.Random(seed), story.firmware)  # noqa: S311 - a story, not a secret
        made.heats_from_s = story.heat_after_s
        return made

    def wants_to_charge(self, socket: Socket) -> bool:
        """Whether somebody plugs in: not while it is hot or faulted, and not at once after the one before."""
        after_s = self.story.charge_after_s
        if after_s is None or socket.flows or self.faulted:
            return False
        return self.age_s >= max(after_s, socket.free_from_s) and socket.temperature_c < COOL_C

    def let_go(self, socket: Socket) -> None:
        """A charge has ended: what glowed does so again much later."""
        socket.free_from_s = self.age_s + (self.story.charge_after_s or 0.0)
        if socket.hot:
            socket.hot, self.heats_from_s = False, self.age_s + self.story.heat_again_s

    def socket_of(self, transaction: int) -> Socket | None:
        """The connector on which a charge is."""
        return next((socket for socket in self.sockets if socket.transaction == transaction), None)
