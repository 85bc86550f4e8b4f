"""Schemes of codes and the levels of areas, as rows: reading them, and adding a city's own."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from cloud.access import audit
from cloud.access.codes import LONGEST_CODE, Alphabet, CodeForm, CodeScheme
from cloud.db.queries import load
from cloud.errors import Conflict, Invalid

MOST_LEVELS = 12

_queries = load("cloud.access")


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelWish:
    """One level of a scheme to add. `position` orders all levels of a cloud from the top down; None: a level that is there."""

    level: str
    form: CodeForm
    position: int | None = None
    label_zh: str | None = None
    label_en: str | None = None


def find(conn: Connection[Any], name: str) -> CodeScheme:
    """The scheme of a name. Raises Invalid, which names those that there are."""
    rows = list(_queries.scheme_levels(conn, scheme=name))
    if not rows:
        there = ", ".join(row.name for row in _queries.schemes(conn))
        raise Invalid(f"no code scheme {name!r}; there are {there}")
    levels = {row.level: CodeForm(Alphabet(row.alphabet), row.code_length) for row in rows}
    return CodeScheme(name, levels, rows[0].nested)


def add(conn: Connection[Any], name: str, levels: Sequence[LevelWish], *, nested: bool) -> CodeScheme:
    """Add a scheme, and the levels that are not there yet.

    Raises Invalid for levels that can't be, Conflict where the scheme exists with other levels or a level stands elsewhere.
    The same scheme again changes nothing.
    """
    _check(name, levels)
    _queries.lock_areas(conn)
    known = {row.level: row.position for row in _queries.levels(conn)}
    for wish in levels:
        _add_level(conn, wish, known)
    positions = [known[wish.level] for wish in levels]
    if positions != sorted(positions):
        raise Invalid("the levels have to stand in order, from the top down")
    wanted = CodeScheme(name, {wish.level: wish.form for wish in levels}, nested)
    if any(row.name == name for row in _queries.schemes(conn)):
        present = find(conn, name)
        if present != wanted or list(present.levels) != list(wanted.levels):
            raise Conflict(f"there is already a scheme {name!r} that is built otherwise")
        return present
    _queries.insert_scheme(conn, name=name, nested=nested)
    for level, form in wanted.levels.items():
        _queries.insert_scheme_level(
            conn, scheme=name, level=level, alphabet=form.alphabet.value, code_length=form.length
        )
    audit.write(
        conn,
        "area_scheme.added",
        f"scheme:{name}",
        actor_name="command line",
        detail={"levels": [wish.level for wish in levels], "nested": nested},
    )
    return wanted


def _check(name: str, levels: Sequence[LevelWish]) -> None:
    if not _is_word(name):
        raise Invalid("a scheme's name has 1 to 32 characters out of a-z, 0-9, dash and underscore")
    if not 1 <= len(levels) <= MOST_LEVELS:
        raise Invalid(f"a scheme has 1 to {MOST_LEVELS} levels")
    if len({wish.level for wish in levels}) != len(levels):
        raise Invalid("a level stands twice in the scheme")
    for wish in levels:
        if not _is_word(wish.level) or "-" in wish.level:
            raise Invalid("a level's name has 1 to 32 characters out of a-z, 0-9 and underscore")
        if wish.form.length is not None and not 1 <= wish.form.length <= LONGEST_CODE:
            raise Invalid(f"a code has 1 to {LONGEST_CODE} characters")


def _is_word(text: str) -> bool:
    return (
        1 <= len(text) <= 32
        and all(each in "abcdefghijklmnopqrstuvwxyz0123456789_-" for each in text)
        and text[0] not in "-_"
    )


def _add_level(conn: Connection[Any], wish: LevelWish, known: dict[str, int]) -> None:
    if wish.level in known:
        if wish.position not in {None, known[wish.level]}:
            raise Conflict(f"the level {wish.level!r} stands at {known[wish.level]} already")
        return
    if wish.position is None or not 1 <= wish.position <= 1_000:
        raise Invalid(f"the level {wish.level!r} is new: say its position, 1 to 1000")
    if wish.position in known.values():
        raise Conflict(f"another level stands at {wish.position} already")
    labels = _labels((wish.label_zh or wish.level, wish.label_en or wish.level))
    _queries.insert_level(conn, level=wish.level, position=wish.position, label_zh=labels[0], label_en=labels[1])
    known[wish.level] = wish.position


def _labels(labels: Iterable[str]) -> list[str]:
    found = [label.strip() for label in labels]
    if any(not 1 <= len(label) <= 50 or not label.isprintable() for label in found):
        raise Invalid("a level's label has 1 to 50 printable characters")
    return found
