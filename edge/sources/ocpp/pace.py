"""How fast a station may speak (限速): what comes faster waits in its own connection, and is never dropped. Pure."""

from dataclasses import dataclass
from typing import Final

LARGEST_FRAME_BYTES: Final = 1024 * 1024
"""A StopTransaction with the meter values of a long charge has some hundred KiB."""


@dataclass(slots=True)
class _Bucket:
    """Fills at `per_s`, holds `most`; what is taken beyond that has to be waited for."""

    per_s: float
    most: float
    held: float
    at_s: float

    def take(self, amount: float, now_s: float) -> float:
        self.held = min(self.most, self.held + max(0.0, now_s - self.at_s) * self.per_s)
        self.at_s = now_s
        self.held -= amount
        return max(0.0, -self.held / self.per_s)


class Pace:
    """A station's measure: messages and bytes, with room for what it kept during an outage."""

    def __init__(
        self,
        now_s: float,
        *,
        messages_per_s: float = 20.0,
        most_messages: float = 500.0,
        bytes_per_s: float = 128.0 * 1024,
        most_bytes: float = 4.0 * LARGEST_FRAME_BYTES,
    ) -> None:
        self._messages = _Bucket(messages_per_s, most_messages, most_messages, now_s)
        self._bytes = _Bucket(bytes_per_s, most_bytes, most_bytes, now_s)

    def wait_s(self, size_bytes: int, now_s: float) -> float:
        """Seconds to wait before a message of this size is looked at."""
        return max(self._messages.take(1.0, now_s), self._bytes.take(float(size_bytes), now_s))
