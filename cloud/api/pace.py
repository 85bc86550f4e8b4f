"""How often somebody may ask: a bucket for each network without a log-in, and for each API key, bounded in number."""

import threading
from collections import OrderedDict

from cloud.access.policy import network_of
from cloud.errors import TooOften

BURST = 30
PER_S = 1.0
NETWORKS_KEPT = 10_000
"""Of more the one that was quiet for longest is forgotten: its bucket would be full again."""

KEYS_KEPT = 1_000


class _Buckets:
    """Token buckets by name. Any thread."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        """How many names are remembered."""
        return len(self._left)

    def take(self, name: str, now_s: float, *, burst: float, per_s: float) -> bool:
        """Count one question; whether it is within the allowance. What is refused does not put the next one off."""
        with self._lock:
            left, asked_s = self._left.pop(name, (burst, now_s))
            left = min(burst, left + max(0.0, now_s - asked_s) * per_s)
            self._left[name] = (left - 1 if left >= 1 else left, now_s)
            if len(self._left) > self._kept:
                self._left.popitem(last=False)
        return left >= 1


class AddressPace:
    """A token bucket for each network (an IPv6 /64 counts as one). Any thread."""

    def __init__(self, *, burst: int = BURST, per_s: float = PER_S, networks_kept: int = NETWORKS_KEPT) -> None:
        self._burst, self._per_s = float(burst), per_s
        self._buckets = _Buckets(networks_kept)

    def __len__(self) -> int:
        """How many networks are remembered."""
        return len(self._buckets)

    def admit(self, address: str, now_s: float) -> None:
        """Count one question. Raises TooOften."""
        if not self._buckets.take(network_of(address), now_s, burst=self._burst, per_s=self._per_s):
            raise TooOften("asked too often; try again in a minute")


class KeyPace:
    """A token bucket for each API key, with the allowance that it was given: a minute's at once, then evenly. Any thread.

    Each process of the service counts for itself: with several, a key has the allowance of each.
    """

    def __init__(self, *, keys_kept: int = KEYS_KEPT) -> None:
        self._buckets = _Buckets(keys_kept)

    def admit(self, key_id: int, now_s: float, *, per_minute: int) -> None:
        """Count one request. Raises TooOften."""
        if not self._buckets.take(str(key_id), now_s, burst=float(per_minute), per_s=per_minute / 60):
            raise TooOften(f"this key may be used {per_minute} times a minute")
