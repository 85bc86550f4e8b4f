"""Which devices speak: one that is silent for longer than its patience is lost. Pure."""

from collections.abc import Mapping

from edge.flow import Health


class Presence:
    """When each device was heard last, and what was told of it. Bounded by the configuration; times are monotonic seconds."""

    def __init__(self, patience_s: Mapping[str, float], *, started_s: float) -> None:
        self._patience_s = dict(patience_s)
        self._heard_s = dict.fromkeys(patience_s, started_s)
        self._told: dict[str, Health] = {}
        self._new: set[str] = set()

    def adopt(self, patience_s: Mapping[str, float], *, now_s: float) -> None:
        """Look for these from now on; what is known of those that stay stays known."""
        self._patience_s = dict(patience_s)
        self._heard_s = {device: self._heard_s.get(device, now_s) for device in patience_s}
        self._told = {device: health for device, health in self._told.items() if device in patience_s}
        self._new &= set(patience_s)

    def heard(self, device: str, now_s: float) -> None:
        """It has said something."""
        if device in self._heard_s:
            self._heard_s[device] = now_s
            self._new.add(device)

    def changes(self, now_s: float, why: Mapping[str, str] | None = None) -> list[tuple[str, Health, str | None]]:
        """Who came or went since the last question, with the reason of a loss (`why` knows better ones than silence)."""
        found: list[tuple[str, Health, str | None]] = []
        for device, heard_s in self._heard_s.items():
            silent = now_s - heard_s > self._patience_s[device]
            if not silent and device not in self._new:
                continue
            health = Health.LOST if silent else Health.OK
            if self._told.get(device) is not health:
                self._told[device] = health
                silence = f"nothing came for {self._patience_s[device]:.0f} s"
                found.append((device, health, (why or {}).get(device, silence) if silent else None))
        self._new.clear()
        return found
