"""How good a leased line (专线) is, of what was asked over it and answered. Pure."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from edge.contract.telemetry import ReadingFlag
from edge.flow import Reading
from edge.settings.leased_lines import DOWN, LATENCY, LOSS, REACHABLE, UP, LeasedLineSettings


@dataclass(frozen=True, slots=True)
class Outcome:
    """One question: asked at `asked_at` (node time), told about at `told_at`; without an answer it has no latency."""

    asked_at: datetime
    told_at: datetime
    latency_ms: float | None


class LineQuality:
    """Takes outcomes in the order in which the questions were asked, and gives what is to be told. Bounded by `window` and the outcomes of one
    `report_s`.
    """

    def __init__(self, settings: LeasedLineSettings) -> None:
        self._settings = settings
        self._window: deque[bool] = deque(maxlen=settings.window)
        most = int(settings.report_s / settings.period_s) + 2
        self._latencies_ms: deque[float] = deque(maxlen=most)
        self._state: str | None = None
        self._in_a_row = 0
        self._reported_at: datetime | None = None

    @property
    def state(self) -> str | None:
        """`up` or `down`; None before that is decided."""
        return self._state

    def adopt(self, settings: LeasedLineSettings) -> None:
        """Go on with other limits; what is known of the line stays."""
        self._settings = settings
        self._window = deque(self._window, maxlen=settings.window)
        self._latencies_ms = deque(self._latencies_ms, maxlen=int(settings.report_s / settings.period_s) + 2)

    def take(self, outcome: Outcome) -> tuple[Reading, ...]:
        """The next outcome: the state where it is decided anew, loss and latency now and then, and with each change of the state."""
        answered = outcome.latency_ms is not None
        self._window.append(answered)
        if outcome.latency_ms is not None:
            self._latencies_ms.append(outcome.latency_ms)
        changed = self._decide(answered)
        return tuple(self._told(outcome, changed=changed))

    def _decide(self, answered: bool) -> bool:
        """Whether the state is another one. The first answer is believed at once: there is nothing to be steady about."""
        state = UP if answered else DOWN
        needed = self._settings.back_after if answered else self._settings.lost_after
        if self._state is None and answered:
            needed = 1
        if state == self._state:
            self._in_a_row = 0
            return False
        self._in_a_row += 1
        if self._in_a_row < needed:
            return False
        self._state, self._in_a_row = state, 0
        return True

    def _told(self, outcome: Outcome, *, changed: bool) -> Iterator[Reading]:
        if changed and self._state is not None:
            yield self._reading(REACHABLE, self._state, outcome)
        since_s = None if self._reported_at is None else (outcome.told_at - self._reported_at).total_seconds()
        if not changed and since_s is not None and since_s < self._settings.report_s:
            return
        self._reported_at = outcome.told_at
        yield self._reading(LOSS, round(100 * self._window.count(False) / len(self._window), 1), outcome)
        if self._latencies_ms:
            yield self._reading(LATENCY, round(median(self._latencies_ms), 2), outcome)
            self._latencies_ms.clear()

    def _reading(self, point: str, value: float | str, outcome: Outcome) -> Reading:
        return Reading(
            device=self._settings.id,
            point=point,
            observed_at=outcome.told_at,
            value=value,
            received_at=outcome.told_at,
            flag=ReadingFlag.SIMULATED if self._settings.simulated else ReadingFlag.NONE,
        )
