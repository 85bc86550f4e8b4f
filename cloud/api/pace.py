"""How often somebody without a log-in may ask: a bucket for each network, bounded in number."""

import threading
from collections import OrderedDict

from cloud.access.policy import network_of
from cloud.errors import TooOften

BURST = 30
PER_S = 1.0
NETWORKS_KEPT = 10_000
"""Of more the one that was quiet for longest is forgotten: its bucket would be full again."""


class AddressPace:
    """A token bucket for each network (an IPv6 /64 counts as one). Any thread."""

    def __init__(self, *, burst: int = BURST, per_s: float = PER_S, networks_kept: int = NETWORKS_KEPT) -> None:
        self._burst, self._per_s, self._networks_kept = float(burst), per_s, networks_kept
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        """How many networks are remembered."""
        return len(self._buckets)

    def admit(self, address: str, now_s: float) -> None:
        """Count one question. Raises TooOften."""
        network = network_of(address)
        with self._lock:
            left, asked_s = self._buckets.pop(network, (self._burst, now_s))
            left = min(self._burst, left + max(0.0, now_s - asked_s) * self._per_s)
            self._buckets[network] = (max(0.0, left - 1), now_s)
            if len(self._buckets) > self._networks_kept:
                self._buckets.popitem(last=False)
        if left < 1:
            raise TooOften("asked too often; try again in a minute")
