"""Hours of a week as text, and the spans of time that they are. Pure.

`24/7`, or spells apart by semicolons, each with its days (1 is Monday) and its times in local time:
`1-5 08:00-12:00,13:30-20:00; 6,7 22:00-06:00`. What ends when it began or before ends the day after; `24:00` is midnight.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from cloud.errors import Invalid

ALWAYS: Final = "24/7"
LONGEST_TEXT: Final = 200
DAY_MIN: Final = 24 * 60
_SPELL: Final = re.compile(r"(?P<days>[1-7,-]{1,20}) +(?P<times>[0-9:,-]{1,100})")
_TIMES: Final = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])-([01][0-9]|2[0-4]):([0-5][0-9])")
_DAYS: Final = re.compile(r"([1-7])(?:-([1-7]))?")


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """From one moment up to another, which is no part of it. Both are aware UTC."""

    from_at: datetime
    until: datetime


@dataclass(frozen=True, slots=True, order=True)
class Spell:
    """Hours that begin on a day of the week: minutes after its midnight. `ends_min` beyond a day lies on the next one."""

    weekday: int
    begins_min: int
    ends_min: int


@dataclass(frozen=True, slots=True)
class Hours:
    """The hours of a week. `text` is how they are written."""

    text: str
    spells: tuple[Spell, ...]

    def spans(self, zone: ZoneInfo, within: Span) -> list[Span]:
        """The spans of these hours inside of a span, merged, in order."""
        if self.text == ALWAYS:
            return [within] if within.from_at < within.until else []
        day = within.from_at.astimezone(zone).date() - timedelta(days=1)
        last = within.until.astimezone(zone).date()
        found = []
        while day <= last:
            found += [
                Span(local(day, spell.begins_min, zone), local(day, spell.ends_min, zone))
                for spell in self.spells
                if spell.weekday == day.isoweekday()
            ]
            day += timedelta(days=1)
        return clipped(merged(found), within)

    def holds(self, at: datetime, zone: ZoneInfo) -> bool:
        """Whether a moment lies in these hours."""
        return bool(self.spans(zone, Span(at, at + timedelta(microseconds=1))))


def local(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    """So many minutes after the local midnight of a day by the clock on the wall, as UTC."""
    days, minutes = divmod(minutes, DAY_MIN)
    wall = datetime.combine(day + timedelta(days=days), time(minutes // 60, minutes % 60), zone)
    return wall.astimezone(UTC)


def parse(text: str) -> Hours:
    """Read hours. Raises Invalid, which says what is not understood."""
    plain = " ".join(text.split())
    if len(plain) > LONGEST_TEXT:
        raise Invalid(f"hours have at most {LONGEST_TEXT} characters")
    if plain == ALWAYS:
        return Hours(ALWAYS, tuple(Spell(day, 0, DAY_MIN) for day in range(1, 8)))
    spells: list[Spell] = []
    for part in plain.split(";"):
        match = _SPELL.fullmatch(part.strip())
        if match is None:
            raise Invalid(
                f"hours are written as 1-5 08:00-20:00; 6,7 09:00-17:00 or as {ALWAYS}, not {part.strip()[:50]!r}"
            )
        for begins_min, ends_min in _times(match["times"]):
            spells += [Spell(day, begins_min, ends_min) for day in _days(match["days"])]
    return Hours(plain, tuple(sorted(set(spells))))


def _days(text: str) -> Iterable[int]:
    for part in text.split(","):
        match = _DAYS.fullmatch(part)
        if match is None or int(match[2] or match[1]) < int(match[1]):
            raise Invalid(f"days are written as 1-5 or 6,7 (1 is Monday), not {text!r}")
        yield from range(int(match[1]), int(match[2] or match[1]) + 1)


def _times(text: str) -> Iterable[tuple[int, int]]:
    for part in text.split(","):
        match = _TIMES.fullmatch(part)
        if match is None:
            raise Invalid(f"times are written as 08:00-20:00, not {part[:20]!r}")
        begins_min, ends_min = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
        if begins_min >= DAY_MIN or ends_min > DAY_MIN:
            raise Invalid(f"a day ends at 24:00, not at {part[:20]!r}")
        yield begins_min, ends_min if ends_min > begins_min else ends_min + DAY_MIN


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same time in as few spans as can be, in order; empty ones are left out."""
    found: list[Span] = []
    for span in sorted(span for span in spans if span.from_at < span.until):
        if found and span.from_at <= found[-1].until:
            found[-1] = Span(found[-1].from_at, max(found[-1].until, span.until))
        else:
            found.append(span)
    return found


def clipped(spans: Iterable[Span], within: Span) -> list[Span]:
    """What of spans lies inside of one."""
    cut = (Span(max(span.from_at, within.from_at), min(span.until, within.until)) for span in spans)
    return [span for span in cut if span.from_at < span.until]


def without(spans: Sequence[Span], taken: Iterable[Span]) -> list[Span]:
    """What is left of spans when others are taken away."""
    left = merged(spans)
    for hole in merged(taken):
        pieces = []
        for span in left:
            if hole.until <= span.from_at or span.until <= hole.from_at:
                pieces.append(span)
                continue
            pieces += [
                piece
                for piece in (Span(span.from_at, hole.from_at), Span(hole.until, span.until))
                if piece.from_at < piece.until
            ]
        left = pieces
    return left
