"""How fast history may be replayed, so that it never stands in the way of what happens now. Pure."""


class Pace:
    """A token bucket: `per_s` on average, at most `burst` at once; times are monotonic seconds."""

    def __init__(self, per_s: float, burst: int) -> None:
        self._per_s = per_s
        self._burst = float(burst)
        self._tokens = float(burst)
        self._at_s: float | None = None

    def available(self, now_s: float) -> int:
        """How many may go now."""
        if self._at_s is not None:
            self._tokens = min(self._burst, self._tokens + max(0.0, now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        return int(self._tokens)

    def take(self, count: int) -> None:
        """So many went."""
        self._tokens -= count

    def next_s(self) -> float:
        """Seconds until one more may go."""
        return max(0.0, (1.0 - self._tokens) / self._per_s)
