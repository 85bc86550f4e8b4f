"""A kept clock by what holds now. Until the instant of a change its old times hold, whenever the change reaches it. Pure."""

from datetime import datetime

from cloud.deadlines.clock import Clock, recomputed, retimed
from cloud.deadlines.rulebook import Ruling
from cloud.deadlines.store import KeptClock


def present(kept: KeptClock, ruling: Ruling, *, at: datetime) -> Clock:
    """The clock at `at`, worked out again; one that rests is worked out when it goes on.

    Where several changes came before it was reached, the last one counts from the first on.
    """
    if not kept.clock.runs:
        return kept.clock
    if kept.stale_since is None:
        return recomputed(kept.clock, ruling.measure)
    changed_at = min(kept.stale_since, at)  # the database's clock may be ahead of ours
    return retimed(kept.clock, ruling.measure, ruling.rungs, changed_at=changed_at, next_at=kept.next_at)
