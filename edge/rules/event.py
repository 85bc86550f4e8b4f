"""Event (事件触发): something has happened; each occurrence counts, once. Pure.

An occurrence is known by its time and what it says: the same one again changes nothing. It is an incident from then on until
`hold_s` later; `fold_s` makes one incident of those that follow.
"""

from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from edge.contract.incident import IncidentState
from edge.contract.telemetry import ReadingFlag, to_microseconds
from edge.flow import Finding, Reading, ReadingRule
from edge.rules.identity import rule_id, told_kind
from edge.settings import EventSettings

_REMEMBERED: Final = 512
_MOST_OPEN: Final = 64
_LONGEST_NOTE: Final = 200


class EventRule(ReadingRule):
    """One event point of one device. Each occurrence has a key of its own: after a restart what was open is over."""

    def __init__(self, settings: EventSettings, device: str) -> None:
        self._settings, self._device = settings, device
        self._known: deque[tuple[datetime, str]] = deque(maxlen=_REMEMBERED)
        self._open: dict[tuple[datetime, str], Reading] = {}
        self._anchor: tuple[datetime, datetime] | None = None

    @property
    def id(self) -> str:
        """What the rule is called on its device."""
        return rule_id(self._settings)

    @property
    def takes_late(self) -> bool:
        """Each occurrence stands for itself."""
        return True

    def stands_alone(self, finding: Finding) -> bool:  # noqa: ARG002 (all that it finds)
        """It has happened, whatever is told afterwards."""
        return True

    def concerns(self, reading: Reading) -> bool:
        """Whether it is an occurrence that counts."""
        if reading.device != self._device or reading.point != self._settings.point:
            return False
        return not self._settings.values or str(reading.value) in self._settings.values

    def observe(self, reading: Reading) -> Sequence[Finding]:
        """Take one occurrence, however late it comes."""
        if not self.concerns(reading):
            return ()
        if self._anchor is None or reading.observed_at >= self._anchor[0]:
            replayed = ReadingFlag.REPLAYED in reading.flag
            self._anchor = reading.observed_at, reading.observed_at if replayed else reading.received_at
        name = reading.observed_at, str(reading.value)
        found = self._over(self._anchor[0])
        if name in self._known:
            return found
        self._known.append(name)
        self._open[name] = reading
        found.append(self._told(reading, IncidentState.OPEN))
        return [*found, *self._over(self._anchor[0])]

    def passed(self, at: datetime) -> Sequence[Finding]:
        """Time has passed: what happened long enough ago is over."""
        if self._anchor is None:
            return ()
        observed_at, of_node = self._anchor
        return self._over(observed_at + max(at - of_node, timedelta(0)))

    def _over(self, at: datetime) -> list[Finding]:
        hold = timedelta(seconds=self._settings.hold_s)
        over = [name for name in self._open if name[0] + hold <= at]
        over += list(self._open)[: max(0, len(self._open) - len(over) - _MOST_OPEN)]
        return [
            self._told(self._open.pop(name), IncidentState.ENDED) for name in dict.fromkeys(sorted(over, key=_moment))
        ]

    def _told(self, reading: Reading, state: IncidentState) -> Finding:
        ended = state is IncidentState.ENDED
        at = reading.observed_at + timedelta(seconds=self._settings.hold_s if ended else 0.0)
        text = reading.value if isinstance(reading.value, str) else f"{reading.value:g}"
        return Finding(
            key=f"{self._device}/{self.id}/{to_microseconds(reading.observed_at)}/{text}",
            state=state,
            rule=self.id,
            kind=told_kind(self._settings),
            category=self._settings.category,
            severity=self._settings.severity,
            device=self._device,
            started_at=reading.observed_at,
            at=at,
            ended_at=at if ended else None,
            point=self._settings.point,
            note=text[:_LONGEST_NOTE] or None,
            raw_code=reading.raw_code,
        )


def _moment(name: tuple[datetime, str]) -> datetime:
    return name[0]
