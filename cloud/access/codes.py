"""How the codes of areas are built: levels and forms are a city's own data (`area_scheme`). Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

LONGEST_CODE: Final = 32


class Alphabet(StrEnum):
    """What a code is made of: digits of which the first is no 0, or letters, digits and dashes."""

    DIGITS = "digits"
    LETTERS = "letters"


_FORMS: Final = {Alphabet.DIGITS: re.compile(r"[1-9][0-9]*"), Alphabet.LETTERS: re.compile(r"[0-9A-Za-z-]+")}


@dataclass(frozen=True, slots=True)
class CodeForm:
    """The form of the codes of one level. `length` in characters; None: 1 to `LONGEST_CODE`."""

    alphabet: Alphabet
    length: int | None = None

    def fits(self, code: str) -> bool:
        """Whether a code has this form."""
        in_length = len(code) == self.length if self.length is not None else 1 <= len(code) <= LONGEST_CODE
        return in_length and _FORMS[self.alphabet].fullmatch(code) is not None


@dataclass(frozen=True, slots=True)
class CodeScheme:
    """The levels of a city from the top down, the form of their codes, and whether a child's code begins with its parent's."""

    name: str
    levels: Mapping[str, CodeForm]
    nested: bool

    @property
    def top(self) -> str:
        """The level that hangs below no other."""
        return next(iter(self.levels))

    @property
    def lengths(self) -> frozenset[int]:
        """The lengths of codes that are fixed."""
        return frozenset(form.length for form in self.levels.values() if form.length is not None)

    def position(self, level: str) -> int:
        """How far down a level stands; 0 is the top. Raises ValueError for one that the scheme does not have."""
        return list(self.levels).index(level)

    def problem(self, code: str, level: str, parent: str | None) -> str | None:
        """What is wrong with a code, None when nothing is."""
        form = self.levels.get(level)
        if form is None:
            return f"the scheme {self.name} has no level {level!r}"
        if not form.fits(code):
            return f"{code!r} is no code of a {level} in the scheme {self.name}"
        if self.nested and parent is not None and not (code.startswith(parent) and code != parent):
            return f"{code!r} does not begin with its parent {parent!r}"
        return None


CN15: Final = CodeScheme(
    "cn15",
    {
        level: CodeForm(Alphabet.DIGITS, length)
        for level, length in (("district", 6), ("street", 9), ("community", 12), ("grid", 15))
    },
    nested=True,
)
"""6 district (GB/T 2260) + 3 street + 3 community + 3 grid, numbered west to east, north to south. Stands in the database from
the start, beside `free`: a city's own codes, of which only the characters are checked."""
