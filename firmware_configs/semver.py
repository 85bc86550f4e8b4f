"""Versions and their order, after Semantic Versioning 2.0.0 (§2, §9, §11). Build metadata is not used: two files of one version
would have no order.
"""

import re
from dataclasses import dataclass
from functools import total_ordering
from typing import Self

_NUMBER = r"(?:0|[1-9][0-9]{0,8})"
_PRE = r"(?:0|[1-9][0-9]{0,8}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_VERSION = re.compile(rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})(?:-({_PRE}(?:\.{_PRE})*))?")
LONGEST = 64


@total_ordering
@dataclass(frozen=True, slots=True)
class Version:
    """`major.minor.patch`, perhaps with what precedes the release: `1.2.0-rc.1` comes before `1.2.0`."""

    major: int
    minor: int
    patch: int
    pre: tuple[int | str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a version. Raises ValueError with words for what is none."""
        match = _VERSION.fullmatch(text) if len(text) <= LONGEST else None
        if match is None:
            raise ValueError(f"{text[:LONGEST]!r} is no version: MAJOR.MINOR.PATCH is expected, such as 1.4.0")
        pre = tuple(int(part) if part.isdigit() else part for part in (match[4] or "").split(".") if part)
        return cls(int(match[1]), int(match[2]), int(match[3]), pre)

    def __lt__(self, other: "Version") -> bool:
        return self._order < other._order

    def __str__(self) -> str:
        numbers = f"{self.major}.{self.minor}.{self.patch}"
        return f"{numbers}-{'.'.join(map(str, self.pre))}" if self.pre else numbers

    @property
    def _order(self) -> tuple[object, ...]:
        # numbers before words, fewer parts before more; a release after all that precedes it
        parts = tuple((0, part, "") if isinstance(part, int) else (1, 0, part) for part in self.pre)
        return (self.major, self.minor, self.patch, not self.pre, parts)
