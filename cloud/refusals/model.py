"""What is known of refused messages. Pure."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that could not be taken. `payload` may be cut: `size_bytes` is what came.

    `node` is an enrolled one, None for strangers. `only_copy`: it came from quarantine, its node has let it go.
    """

    id: int
    at: datetime
    topic: str
    node: str | None
    message_id: UUID | None
    reason: str
    detail: str
    size_bytes: int
    payload: bytes
    only_copy: bool

    @property
    def is_whole(self) -> bool:
        """Whether nothing of it was cut."""
        return len(self.payload) == self.size_bytes


@dataclass(frozen=True, slots=True)
class RefusalCount:
    """How often messages of a node were refused for a reason; `node` is None for strangers."""

    node: str | None
    reason: str
    count: int
    first_at: datetime
    last_at: datetime
    last_detail: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """Messages in quarantine by node and reason; `node` is whoever they name, enrolled or not."""

    node: str
    reason: str
    messages: int
    size_bytes: int
    oldest_at: datetime


@dataclass(frozen=True, slots=True)
class Kept:
    """Dead letters that are kept, by reason."""

    reason: str
    letters: int
    oldest_at: datetime
