"""The time by which a station speaks: when what it says happened, and whether it replays. Pure.

A station keeps transaction messages through an outage and sends them later; that shows in their times alone. A station whose
clock is wrong sends old (or future) times all day. The two are told apart by pace: what is played back comes faster than it
happened, while the times of a wrong clock run as evenly as true time does.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from edge.contract.fields import shifted
from edge.contract.telemetry import ReadingFlag

FUTURE_TOLERANCE_S: Final = 2.0
"""So far a clock may be ahead before its time is replaced."""

REPLAYED_AFTER_S: Final = 60.0
"""What is older than this is played back."""

EVEN_WITHIN_S: Final = 2.0
"""So much the distance between two clocks may waver and be the same."""

EVEN_FOR_S: Final = 20.0
EVEN_MESSAGES: Final = 3
"""A wrong clock is believed in after so many messages over so long, all at the same distance from true time."""

OLDEST: Final = timedelta(days=366)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
LONGEST_TIME: Final = 40


@dataclass(frozen=True, slots=True)
class Moment:
    """When something happened, and when it was heard of (node time). `own_time`: the station's word for it counts as it is."""

    observed_at: datetime
    received_at: datetime
    device_at: datetime | None = None
    flag: ReadingFlag = ReadingFlag.NONE
    own_time: bool = False

    @property
    def replayed(self) -> bool:
        """Whether the station sent it late."""
        return ReadingFlag.REPLAYED in self.flag


def instant(value: Any) -> datetime | None:
    """A time of the standard (RFC 3339); one without a zone is taken for UTC, as the standard wants it. None where it is none."""
    if not isinstance(value, str) or len(value) > LONGEST_TIME:
        return None
    try:
        parsed = datetime.fromisoformat(value)
        return (parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


class StationClock:
    """What is known of one station's clock. `skew_s` is its time minus true time, as far as known; it is told the true time with each
    start and heartbeat, so that 0 is what one expects.
    """

    def __init__(self) -> None:
        self.skew_s = 0.0
        self._candidate: _Even | None = None

    def hear(self, device_at: datetime | None, received_at: datetime, correction: timedelta = timedelta(0)) -> None:
        """The newest time in a message that came at `received_at` (node time; the true time is `correction` later). Before `moment` is
        asked about that message.
        """
        offset_s = _offset_s(device_at, received_at, correction)
        if offset_s is None:
            return
        if abs(offset_s - self.skew_s) <= EVEN_WITHIN_S or -EVEN_WITHIN_S <= offset_s <= FUTURE_TOLERANCE_S:
            self.skew_s, self._candidate = offset_s, None
            return
        if self._candidate is None or abs(self._candidate.offset_s - offset_s) > EVEN_WITHIN_S:
            self._candidate = _Even(offset_s, received_at)
            return
        self._candidate = self._candidate.again()
        if self._candidate.is_believed(received_at):
            self.skew_s, self._candidate = offset_s, None

    def moment(self, device_at: datetime | None, received_at: datetime, correction: timedelta = timedelta(0)) -> Moment:
        """When something happened of which the station says that it was at `device_at`."""
        offset_s = _offset_s(device_at, received_at, correction)
        if offset_s is None or device_at is None:
            return Moment(received_at, received_at)
        late_s = self.skew_s - offset_s
        if self._is_right:
            if offset_s > FUTURE_TOLERANCE_S:
                return Moment(received_at, received_at, device_at, ReadingFlag.CLAMPED)
            if offset_s > 0:
                return Moment(received_at, received_at, device_at)
            flag = ReadingFlag.REPLAYED if -offset_s > REPLAYED_AFTER_S else ReadingFlag.NONE
            return Moment(shifted(device_at, -correction), received_at, device_at, flag, own_time=True)
        if late_s <= REPLAYED_AFTER_S:
            at = shifted(received_at, timedelta(seconds=-max(0.0, late_s)))
            return Moment(at, received_at, device_at, ReadingFlag.CLAMPED)
        flag = ReadingFlag.CLAMPED | ReadingFlag.REPLAYED
        return Moment(shifted(received_at, timedelta(seconds=-late_s)), received_at, device_at, flag)

    @property
    def _is_right(self) -> bool:
        return -REPLAYED_AFTER_S <= self.skew_s <= FUTURE_TOLERANCE_S


@dataclass(frozen=True, slots=True)
class _Even:
    """Messages at one distance from true time."""

    offset_s: float
    since: datetime
    messages: int = 1

    def again(self) -> "_Even":
        return _Even(self.offset_s, self.since, self.messages + 1)

    def is_believed(self, now: datetime) -> bool:
        return self.messages >= EVEN_MESSAGES and (now - self.since).total_seconds() >= EVEN_FOR_S


def _offset_s(device_at: datetime | None, received_at: datetime, correction: timedelta) -> float | None:
    """The station's time minus the true time; None where it can't be meant."""
    if device_at is None:
        return None
    now = shifted(received_at, correction)
    if device_at < _EPOCH or now - device_at > OLDEST:
        return None
    return (device_at - now).total_seconds()
