"""Leases (租约) on the pictures of cameras: who is shown, how often, and for how long still. Pure; times are of a steady clock.

However leases begin, are renewed and end: of one camera there is never more than one picture in `SHORTEST_PERIOD_S`, never more
cameras are shown at a time than may be, and one that nobody renews ends by itself within `LONGEST_LEASE_S`.
"""

from dataclasses import dataclass

from edge.contract.wall import LONGEST_LEASE_S, LONGEST_PERIOD_S, SHORTEST_PERIOD_S


@dataclass(slots=True)
class _Lease:
    """On one camera. A picture is due at `due_s`; it is counted as passed over from `owed_since_s` on."""

    until_s: float
    period_s: float
    due_s: float
    owed_since_s: float


class LeaseBook:
    """At most `places` cameras are leased at a time."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._leases: dict[str, _Lease] = {}
        self._made_s: dict[str, float] = {}

    def grant(self, camera: str, *, lease_s: float, period_s: float, now_s: float) -> bool:
        """Begin a lease, or renew it, for whoever asks; False when as many others are shown as may be."""
        self._expire(now_s)
        known = self._leases.get(camera)
        if known is None and len(self._leases) >= self._places:
            return False
        period_s = min(max(period_s, SHORTEST_PERIOD_S), LONGEST_PERIOD_S)
        until_s = now_s + min(lease_s, LONGEST_LEASE_S)
        due_s = max(now_s, self._made_s.get(camera, float("-inf")) + period_s)
        if known is None:
            self._leases[camera] = _Lease(until_s, period_s, due_s, due_s)
        else:
            known.until_s, known.period_s = max(known.until_s, until_s), period_s
            known.due_s = min(max(known.due_s, now_s), due_s)
        return True

    def renew(self, camera: str, left_s: float, now_s: float) -> None:
        """The cloud says how long a lease still stands; one that is over does not begin again by it."""
        self._expire(now_s)
        lease = self._leases.get(camera)
        if lease is not None:
            lease.until_s = now_s + min(left_s, LONGEST_LEASE_S)
            self._expire(now_s)

    def end(self, camera: str) -> None:
        """Nobody looks any more."""
        self._leases.pop(camera, None)

    def is_due(self, camera: str, now_s: float) -> bool:
        """Whether a picture is to be made now."""
        lease = self._leases.get(camera)
        return lease is not None and lease.due_s <= now_s < lease.until_s

    def made(self, camera: str, now_s: float) -> None:
        """A picture was made, or tried in vain: the next is due a period later."""
        self._made_s[camera] = now_s
        lease = self._leases.get(camera)
        if lease is not None:
            lease.due_s = lease.owed_since_s = now_s + lease.period_s

    def passed_over(self, camera: str, now_s: float) -> bool:
        """There was no time for the picture that is due; True once for each whole period in which there was none."""
        lease = self._leases.get(camera)
        if lease is None or now_s - lease.owed_since_s < lease.period_s:
            return False
        lease.owed_since_s = now_s
        return True

    def standing(self, now_s: float) -> tuple[str, ...]:
        """The cameras that somebody looks at."""
        self._expire(now_s)
        return tuple(self._leases)

    def keep_only(self, cameras: frozenset[str]) -> None:
        """These cameras are there; what was known of others is forgotten."""
        for camera in self._leases.keys() - cameras:
            del self._leases[camera]
        for camera in self._made_s.keys() - cameras:
            del self._made_s[camera]

    def _expire(self, now_s: float) -> None:
        for camera in [camera for camera, lease in self._leases.items() if lease.until_s <= now_s]:
            del self._leases[camera]
