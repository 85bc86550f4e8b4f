"""From facts to rows of the roll-up: each counts for its area and all above, by kind and all together. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from cloud.figures.tally import Fact, Tally, Time

TIME_OF: Mapping[Fact, Time] = {
    Fact.VERIFIED: Time.TO_VERIFY,
    Fact.DISPATCHED: Time.TO_DISPATCH,
    Fact.CLOSED: Time.TO_CLOSE,
}
"""Facts that took their time."""


class Key(NamedTuple):
    """What a row of a day or month is about. `category` and `severity` are empty for all together."""

    area_path: str
    category: str
    severity: str
    simulated: bool

    def at(self, area_path: str) -> "Key":
        """The same for another area."""
        return self._replace(area_path=area_path)


@dataclass(frozen=True, slots=True)
class Counted:
    """So many facts of one sort in an area, as the database counts them. `bucket` is None for what takes no time."""

    area_path: str
    category: str
    severity: str
    simulated: bool
    fact: Fact
    bucket: int | None
    number: int


def above(path: str) -> Iterator[str]:
    """The paths of the areas above one, from everything (the empty path) down to its parent."""
    end = 0
    while end < len(path):
        yield path[:end]
        end = path.index("/", end) + 1


def topmost(paths: Iterable[str]) -> list[str]:
    """Those that lie below no other one."""
    found: list[str] = []
    for path in sorted(set(paths)):
        if not found or not path.startswith(found[-1]):
            found.append(path)
    return found


def tallied(counted: Iterable[Counted], units: Collection[str]) -> dict[Key, Tally]:
    """Rows of the areas from `units` (which lie below no other one of them) down to where things happened."""
    rows: dict[Key, Tally] = {}
    tops = set(units)
    for each in counted:
        below = False
        for path in (*above(each.area_path), each.area_path):
            below = below or path in tops
            if not below:
                continue
            for category, severity in ((each.category, each.severity), ("", "")):
                row = rows.setdefault(Key(path, category, severity, each.simulated), Tally())
                row.note(each.fact, each.number)
                time = TIME_OF.get(each.fact)
                if time is not None and each.bucket is not None:
                    row.note_time(time, each.bucket, each.number)
    return rows


def changes(old: Mapping[Key, Tally], new: Mapping[Key, Tally]) -> dict[Key, Tally]:
    """By how much each row differs; rows that are as they were are left out."""
    found: dict[Key, Tally] = {}
    for key in old.keys() | new.keys():
        change = Tally()
        if key in new:
            change.add(new[key])
        if key in old:
            change.add(old[key], -1)
        if not change.is_empty:
            found[key] = change
    return found


def carried_up(changed: Mapping[Key, Tally], units: Collection[str]) -> dict[Key, Tally]:
    """By how much rows of the areas above `units` differ, where those of `units` and below differ by `changed`."""
    found: dict[Key, Tally] = {}
    tops = set(units)
    for key, change in changed.items():
        if key.area_path in tops:
            for path in above(key.area_path):
                found.setdefault(key.at(path), Tally()).add(change)
    return {key: change for key, change in found.items() if not change.is_empty}


def applied(old: Mapping[Key, Tally], change: Mapping[Key, Tally]) -> dict[Key, Tally]:
    """The rows that change, as they are then; an empty one is to be dropped."""
    found: dict[Key, Tally] = {}
    for key, difference in change.items():
        row = found.setdefault(key, Tally())
        if key in old:
            row.add(old[key])
        row.add(difference)
    return found
