"""Lost while charging (充电中失联): contact with a device was lost while something was charged at it, so nobody sees what happens. Pure.

That contact is lost is what the node itself has seen, so its own clock tells the times. How bad it is follows from what was known
last: worse where something was hot, less where nothing was drawn any more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from edge.contract.incident import Incident, IncidentState, Severity
from edge.flow import Finding, Reading, ReadingRule
from edge.rules.identity import connector_of, quantity_of, rule_id, told_kind
from edge.rules.spell_rule import NOT_CHARGING
from edge.settings import LostWhileChargingSettings

PRESENCE: Final = "presence"
LOST: Final = "lost"

_CHARGING: Final = "charging"
_STATUS: Final = "status"
_CHARGING_STATUS: Final = frozenset({"charging", "suspended"})
_TEMPERATURE: Final = "temperature_c"
_DRAWN: Final = ("power_w", "current_a")
TELLING: Final = frozenset({_CHARGING, _STATUS})
"""What tells whether something is charged."""

_MAINS_V: Final = 230.0
_KNOWN_FOR: Final = timedelta(minutes=30)
"""What was measured longer before contact was lost says nothing of how things stood."""


@dataclass(frozen=True, slots=True)
class _Said:
    at: datetime
    value: float | str


class LostWhileChargingRule(ReadingRule):
    """One device with all of its connectors."""

    def __init__(self, settings: LostWhileChargingSettings, device: str) -> None:
        self._settings, self._device = settings, device
        self._said: dict[str, _Said] = {}
        self._lost_at: datetime | None = None
        self._at_stake: tuple[int | None, ...] = ()
        self._open: datetime | None = None
        self._severity = settings.severity
        self._note: str | None = None

    @property
    def id(self) -> str:
        """What the rule is called on its device."""
        return rule_id(self._settings)

    @property
    def takes_late(self) -> bool:
        """Of each point the newest counts, whenever it comes."""
        return True

    def concerns(self, reading: Reading) -> bool:
        """Whether a reading tells of contact, of a charge, or of how hot it is and what it draws."""
        if reading.device != self._device:
            return False
        return quantity_of(reading.point) in {PRESENCE, _CHARGING, _STATUS, _TEMPERATURE, *_DRAWN}

    def observe(self, reading: Reading) -> Sequence[Finding]:
        """Take one reading; what is known already and is newer stays."""
        if not self.concerns(reading):
            return ()
        if reading.point == PRESENCE:
            return self._contact(reading)
        known = self._said.get(reading.point)
        if known is None or reading.observed_at >= known.at:
            self._said[reading.point] = _Said(reading.observed_at, reading.value)
        return ()

    def passed(self, at: datetime) -> Sequence[Finding]:
        """Contact is still lost."""
        if self._lost_at is None or self._open is not None or not self._at_stake:
            return ()
        opens_at = self._lost_at + timedelta(seconds=self._settings.for_s)
        if at < opens_at:
            return ()
        self._open = self._lost_at
        self._severity, self._note = self._how_bad(self._lost_at), self._words()
        return (self._told(IncidentState.OPEN, opens_at),)

    def holding(self) -> Sequence[Finding]:
        """What is open: it ends with the first sign of life."""
        return () if self._open is None else (self._told(IncidentState.UPDATE, self._open),)

    def resume(self, incident: Incident) -> bool:
        """Go on with what was open before a restart."""
        if incident.point != PRESENCE:
            return False
        self._open = incident.started_at
        self._severity, self._note = incident.severity, incident.note
        return True

    def memory(self) -> Mapping[str, str] | None:
        """What is charged, and by what it is known."""
        told = {
            point: f"{said.at.isoformat()} {said.value}"
            for point, said in self._said.items()
            if isinstance(said.value, str) and self._says_charging(point, said.value)
        }
        return told or None

    def recall(self, memory: Mapping[str, str]) -> None:
        """What was charged before a restart."""
        for point, words in memory.items():
            told_at, _, value = words.partition(" ")
            try:
                at = datetime.fromisoformat(told_at)
            except ValueError:
                continue
            if at.tzinfo is not None and value:
                self._said.setdefault(point, _Said(at, value))

    def _contact(self, reading: Reading) -> Sequence[Finding]:
        at = reading.observed_at
        if reading.value == LOST:
            if self._lost_at is None:
                self._lost_at, self._at_stake = at, self._charging()
            return ()
        self._lost_at, self._at_stake = None, ()
        if self._open is None:
            return ()
        ended = self._told(IncidentState.ENDED, at, ended_at=at)
        self._open = None
        return (ended,)

    def _charging(self) -> tuple[int | None, ...]:
        """The connectors at which something is charged: by the transaction where the device tells it, else by the status."""
        telling: dict[int | None, bool] = {}
        for quantity in (_STATUS, _CHARGING):
            for point, said in self._said.items():
                if quantity_of(point) == quantity and isinstance(said.value, str):
                    telling[connector_of(point)] = self._says_charging(point, said.value)
        return tuple(
            sorted((number for number, charging in telling.items() if charging), key=lambda number: number or 0)
        )

    @staticmethod
    def _says_charging(point: str, value: str) -> bool:
        if quantity_of(point) == _CHARGING:
            return value not in {"", NOT_CHARGING}
        return quantity_of(point) == _STATUS and value in _CHARGING_STATUS

    def _how_bad(self, lost_at: datetime) -> Severity:
        hottest, drawn_w = self._hottest_c(lost_at), self._drawn_w(lost_at)
        if hottest is not None and hottest >= self._settings.hot_c:
            return Severity.CRITICAL
        if drawn_w is not None and drawn_w <= self._settings.idle_w:
            return list(Severity)[max(0, self._settings.severity.rank - 1)]
        return self._settings.severity

    def _number(self, point: str, lost_at: datetime) -> float | None:
        said = self._said.get(point)
        if said is None or isinstance(said.value, str) or lost_at - said.at > _KNOWN_FOR:
            return None
        return said.value

    def _hottest_c(self, lost_at: datetime) -> float | None:
        of = [self._number(point, lost_at) for point in self._said if quantity_of(point) == _TEMPERATURE]
        return max((each for each in of if each is not None), default=None)

    def _drawn_w(self, lost_at: datetime) -> float | None:
        """What all connectors at stake drew together; None where it is not known of each."""
        drawn = 0.0
        for connector in self._at_stake:
            power_w = self._number(_named("power_w", connector), lost_at)
            current_a = self._number(_named("current_a", connector), lost_at)
            if power_w is None and current_a is None:
                return None
            drawn += power_w if power_w is not None else (current_a or 0.0) * _MAINS_V
        return drawn

    def _words(self) -> str:
        lost_at = self._lost_at
        if lost_at is None:
            return ""
        words = ["charging at " + ", ".join("the device" if each is None else str(each) for each in self._at_stake)]
        hottest, drawn_w = self._hottest_c(lost_at), self._drawn_w(lost_at)
        if hottest is not None:
            words.append(f"last {hottest:g} °C")
        if drawn_w is not None:
            words.append(f"last {drawn_w:.0f} W")
        return "; ".join(words)[:200]

    def _told(self, state: IncidentState, at: datetime, *, ended_at: datetime | None = None) -> Finding:
        since = self._open or at
        at = max(at, since)
        return Finding(
            key=f"{self._device}/{self.id}",
            state=state,
            rule=self.id,
            kind=told_kind(self._settings),
            category=self._settings.category,
            severity=self._severity,
            device=self._device,
            started_at=since,
            at=at,
            ended_at=None if ended_at is None else max(ended_at, since),
            dwell_s=max(0.0, round((at - since).total_seconds(), 3)),
            point=PRESENCE,
            note=self._note,
        )


def _named(quantity: str, connector: int | None) -> str:
    return quantity if connector is None else f"{quantity}.{connector}"
