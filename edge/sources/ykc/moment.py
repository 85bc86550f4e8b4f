"""When something that a pile says was so: YKC's live data carries no time, its stored data and its records carry the pile's own. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from edge.contract.fields import shifted
from edge.contract.telemetry import ReadingFlag
from edge.sources.payload import FUTURE_TOLERANCE_S, OLDEST, REPLAYED_AFTER_S
from edge.sources.ykc.fields import PILE_TIME
from edge.sources.ykc.messages import RealTimeData

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

CHARGING = 3
"""The state of a gun in 0x13."""

STORED_PACE_S = 5.0
"""Stored data comes as fast as the link carries it, live data every 15 s at most: after so long without any, nothing stored is left."""

STORED_AT_MOST_S = 600.0
"""However a pile behaves, after so long what it says is live again: history must not silence an alarm for ever."""

AS_GOOD_AS_LIVE_S = 120.0
"""What is stored and not older is no history; the minutes of a charge are counted whole."""

_RHYTHM_S = 15.0


@dataclass(frozen=True, slots=True)
class Moment:
    """Event time by the node's clock, and what it was made of, as a reading holds it."""

    observed_at: datetime
    received_at: datetime
    device_at: datetime | None = None
    flag: ReadingFlag = ReadingFlag.NONE
    own_time: bool = False


def told(
    device_at: datetime | None, received_at: datetime, correction: timedelta, *, not_before: datetime | None = None
) -> Moment:
    """Of something that carries the pile's own time. A time that can't be is replaced by the node's; one before `not_before` (node time:
    when the thing had not happened yet, as the node itself heard) by that one.
    """
    now = shifted(received_at, correction)
    if device_at is None or device_at < _EPOCH or now - device_at > OLDEST:
        return Moment(received_at, received_at)
    ahead_s = (device_at - now).total_seconds()
    if ahead_s > FUTURE_TOLERANCE_S:
        return Moment(received_at, received_at, device_at, ReadingFlag.CLAMPED)
    if ahead_s > 0:
        return Moment(received_at, received_at, device_at)
    observed_at = shifted(device_at, -correction)
    if not_before is not None and observed_at < not_before:
        return Moment(not_before, received_at, device_at, _late((received_at - not_before).total_seconds()))
    return Moment(observed_at, received_at, device_at, _late(-ahead_s), own_time=True)


def _late(age_s: float) -> ReadingFlag:
    return ReadingFlag.REPLAYED if age_s > REPLAYED_AFTER_S else ReadingFlag.NONE


def charged_at(data: RealTimeData) -> datetime | None:
    """When a charging gun was so, to the minute: the time in its transaction's number (§3.3: 14 digits pile, 2 gun, YYMMDDhhmmss, 4 serial)
    and the minutes since.
    """
    if data.state != CHARGING:
        return None
    try:
        began_at = datetime.strptime(data.transaction[16:28], "%y%m%d%H%M%S").replace(tzinfo=PILE_TIME)
    except ValueError:
        return None
    return began_at.astimezone(UTC) + timedelta(minutes=data.charging_min)


class StoredPhase:
    """Tells stored 0x13 from live ones on one connection. The text (§5.1): after its login a pile sends what it stored, and then asks
    for its tariff (0x05, 0x09); times are monotonic seconds.
    """

    def __init__(self, *, now_s: float) -> None:
        self._began_s = self._heard_s = now_s
        self._over = False
        self._minute: dict[int, tuple[datetime, int]] = {}

    def tariff_asked(self) -> None:
        """What comes from now on is live."""
        self._over = True

    def over(self, now_s: float) -> bool:
        """Whether what comes is live, also for a pile that never asks for its tariff."""
        if now_s - self._heard_s > STORED_PACE_S or now_s - self._began_s > STORED_AT_MOST_S:
            self._over = True
        return self._over

    def moment(
        self, data: RealTimeData, received_at: datetime, correction: timedelta, *, now_s: float, settled: bool
    ) -> Moment:
        """When a 0x13 was so. `settled`: the record of its transaction has come already, so that it can't be charging now."""
        over = self.over(now_s)
        self._heard_s = now_s
        settled = settled and data.state == CHARGING
        if over and not settled:
            return Moment(received_at, received_at)
        charged = charged_at(data)
        age_s = None if charged is None else (shifted(received_at, correction) - charged).total_seconds()
        if not settled and age_s is not None and 0 <= age_s <= AS_GOOD_AS_LIVE_S:
            return Moment(received_at, received_at)
        if charged is None or age_s is None or age_s < 0 or timedelta(seconds=age_s) > OLDEST:
            return Moment(received_at, received_at, flag=ReadingFlag.REPLAYED)
        device_at = self._spread(data.gun, charged)
        return Moment(shifted(device_at, -correction), received_at, device_at, ReadingFlag.REPLAYED, own_time=True)

    def _spread(self, gun: int, charged_at: datetime) -> datetime:
        """Several of one minute lie as far apart as a pile says them while it charges."""
        minute, count = self._minute.get(gun, (charged_at, -1))
        count = count + 1 if minute == charged_at else 0
        self._minute[gun] = charged_at, count
        return charged_at + timedelta(seconds=min(count * _RHYTHM_S, 59.0), microseconds=count)
