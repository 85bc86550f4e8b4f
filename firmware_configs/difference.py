"""What differs between two versions of a profile, in words: for whoever decides whether it goes out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from firmware_configs.profile import Profile

_IDENTITIES: Final = ("id", "name", "kind", "point")
"""By which the parts of a list are told apart, where all of them have it and none twice."""


class Move(StrEnum):
    """What became of a value."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that is another one, or stands in one of the two alone."""

    where: str
    move: Move
    before: Any = None
    after: Any = None

    def __str__(self) -> str:
        match self.move:
            case Move.ADDED:
                return f"{self.where}: new, {_shown(self.after)}"
            case Move.REMOVED:
                return f"{self.where}: gone, was {_shown(self.before)}"
            case Move.CHANGED:
                return f"{self.where}: {_shown(self.before)} → {_shown(self.after)}"

    def plain(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {"where": self.where, "move": self.move.value, "before": self.before, "after": self.after}


def differences(before: Profile, after: Profile) -> tuple[Difference, ...]:
    """From one version to another, in the order of the keys."""
    heads = (
        ("profile", before.kind, after.kind),
        ("version", str(before.version), str(after.version)),
        ("minimum_software", str(before.minimum_software), str(after.minimum_software)),
    )
    found = [Difference(where, Move.CHANGED, old, new) for where, old, new in heads if old != new]
    return (*found, *_between("", before.settings, after.settings))


def _between(where: str, before: Any, after: Any) -> Iterator[Difference]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        yield from _between_parts(where, before, after, ".")
    elif isinstance(before, list) and isinstance(after, list) and (key := _identity(before, after)) is not None:
        old, new = ({f"[{part[key]}]": part for part in parts} for parts in (before, after))
        yield from _between_parts(where, old, new, "")
    elif before != after or type(before) is not type(after):
        yield Difference(where, Move.CHANGED, before, after)


def _between_parts(where: str, before: Mapping[str, Any], after: Mapping[str, Any], sign: str) -> Iterator[Difference]:
    for key in [*before, *(key for key in after if key not in before)]:
        place = f"{where}{sign}{key}" if where else key
        if key not in after:
            yield Difference(place, Move.REMOVED, before=before[key])
        elif key not in before:
            yield Difference(place, Move.ADDED, after=after[key])
        else:
            yield from _between(place, before[key], after[key])


def _identity(*lists: list[Any]) -> str | None:
    for key in _IDENTITIES:
        if all(_tells_apart(parts, key) for parts in lists):
            return key
    return None


def _tells_apart(parts: list[Any], key: str) -> bool:
    names = [part.get(key) if isinstance(part, Mapping) else None for part in parts]
    return all(isinstance(name, str) for name in names) and len(set(names)) == len(names)


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_shown(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_shown, value)) + "]"
    if value is None:
        return "nothing"
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
