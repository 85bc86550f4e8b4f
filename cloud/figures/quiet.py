"""Days in a row without something bad (三零天数): a critical case, an overdue stage, a complaint. Pure."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Spell:
    """So many days in a row, the day of asking among them if it had none so far. `last_on` None: none since counting began."""

    days: int
    last_on: date | None


def spell(last_on: date | None, *, on_day: date, counted_from: date | None) -> Spell:
    """The spell up to a day. Nothing is said of the time before the first case was counted."""
    if last_on is not None:
        return Spell((on_day - last_on).days, last_on)
    if counted_from is None or counted_from > on_day:
        return Spell(0, None)
    return Spell((on_day - counted_from).days + 1, None)


def without_any(*last: date | None) -> date | None:
    """The last of these days."""
    days = [day for day in last if day is not None]
    return max(days) if days else None
