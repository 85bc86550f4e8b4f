"""A connector or socket (枪/插座) as far as is known: what flows at it, whose charge is under way, and how far behind its device's clock is. Pure."""

from collections import deque
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

NOTHING: Final = "none"
"""The state of `charging` while no charge is under way."""

LONGEST_LAG_S: Final = 60.0
"""What is farther behind is no clock that is a little slow: it is history."""

_FREE: Final = frozenset({"available", "preparing", "reserved"})
"""In these no charge is under way, or none yet."""

_CHARGING: Final = "charging"
_NO_LAG: Final = timedelta(0)
_LAGS: Final = 5


@dataclass(frozen=True, slots=True)
class Means:
    """When a stop counts as confirmed."""

    confirm_s: float
    zero_a: float
    zero_w: float


@dataclass(frozen=True, slots=True)
class Measured:
    """The newest value of a meter: when it was measured by the device's own clock, and by how much that one is behind."""

    value: float
    at: datetime
    lag: timedelta = _NO_LAG

    @property
    def by_node(self) -> datetime:
        """When it was measured, in the time in which orders go out."""
        return self.at + self.lag


@dataclass(frozen=True, slots=True)
class Flow:
    """What a meter said of a connector: of its current and of its power."""

    current_a: Measured | None = None
    power_w: Measured | None = None

    def said(self, quantity: str, value: float, at: datetime, lag: timedelta = _NO_LAG) -> "Flow":
        """With one more reading; an older one changes nothing."""
        if quantity == "current_a" and (self.current_a is None or at >= self.current_a.at):
            return replace(self, current_a=Measured(value, at, lag))
        if quantity == "power_w" and (self.power_w is None or at >= self.power_w.at):
            return replace(self, power_w=Measured(value, at, lag))
        return self

    def is_zero(self, means: Means, since: datetime) -> bool | None:
        """Whether nothing flows, as far as was measured after a moment of the node's; None where nothing was."""
        if self.current_a is not None and self.current_a.by_node > since:
            return abs(self.current_a.value) <= means.zero_a
        if self.power_w is not None and self.power_w.by_node > since:
            return abs(self.power_w.value) <= means.zero_w
        return None

    def is_flowing(self, means: Means, since: datetime | None = None) -> bool:
        """Whether something flows, as far as was measured after a moment of the device's, or ever."""
        if self.current_a is not None and (since is None or self.current_a.at > since):
            return abs(self.current_a.value) > means.zero_a
        if self.power_w is not None and (since is None or self.power_w.at > since):
            return abs(self.power_w.value) > means.zero_w
        return False


@dataclass(frozen=True, slots=True)
class Connector:
    """What is known of one. All times but those of `Measured.by_node` are the device's own."""

    flow: Flow = field(default_factory=Flow)
    charging: str | None = None
    charging_at: datetime | None = None
    status: str | None = None
    status_at: datetime | None = None

    def said(self, quantity: str, value: float | str, at: datetime, lag: timedelta = _NO_LAG) -> "Connector":
        """With one more reading; an older one changes nothing."""
        match quantity, value:
            case "charging", str() if self.charging_at is None or at >= self.charging_at:
                return replace(self, charging=value or NOTHING, charging_at=at)
            case "status", str() if self.status_at is None or at >= self.status_at:
                return replace(self, status=value, status_at=at)
            case (("current_a" | "power_w"), int() | float()):
                return replace(self, flow=self.flow.said(quantity, value, at, lag))
        return self

    @property
    def charge(self) -> str | None:
        """The charge that is under way; None where none is, or none is known."""
        return None if self.charging == NOTHING else self.charging

    def is_idle(self, means: Means) -> bool:
        """Whether it is known that there is nothing to stop. That no charge is under way counts only while nothing that was measured since, and
        no later word, says otherwise.
        """
        if self.charging is not None and self.charging_at is not None:
            says_so, since = self.charging == NOTHING, self.charging_at
            if self.status == _CHARGING and self.status_at is not None and self.status_at >= since:
                return False  # one that has no number
        elif self.status_at is not None:
            says_so, since = self.status in _FREE, self.status_at
        else:
            return False
        return says_so and not self.flow.is_flowing(means, since)

    @property
    def is_unknown(self) -> bool:
        """Whether the device has said nothing of it at all."""
        return self.charging is None and self.status is None and self.flow == Flow()

    def has_begun_unnamed(self, before: "Connector") -> bool:
        """Whether a charge that has no number begins with the newest word: it was told that there is none, or that it rests, before that."""
        return self.status == _CHARGING and before.status not in {None, _CHARGING}

    def has_left(self, charge: str | None, means: Means) -> bool:
        """Whether it is another charge that is under way now, or none, as the device says."""
        return charge is not None and self.charging != charge and (self.charge is not None or self.is_idle(means))


class Lag:
    """By how much a device's clock is behind the node's: everything that it dates itself comes at least so late. What comes early once shows
    that the clock is right.
    """

    def __init__(self) -> None:
        self._newest: deque[tuple[datetime, timedelta]] = deque(maxlen=_LAGS)

    def hear(self, observed_at: datetime, received_at: datetime) -> None:
        """A live reading whose time is the device's own."""
        late = max(_NO_LAG, received_at - observed_at)
        if self._newest and self._newest[-1][0] == received_at:
            late = min(late, self._newest.pop()[1])
        self._newest.append((received_at, late))

    def of(self, *, own_time: bool) -> timedelta:
        """What is to be added to the time of a reading."""
        if not own_time or not self._newest:
            return _NO_LAG
        return min(*(late for _, late in self._newest), timedelta(seconds=LONGEST_LAG_S))
