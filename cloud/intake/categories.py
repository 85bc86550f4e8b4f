"""Categories of cases (大类, 小类) as data. Takes the caller's transaction."""

from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from cloud.db.queries import load
from cloud.errors import Invalid
from edge.contract.incident import Severity

_queries = load("cloud.intake")


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """One category. A class (大类) has three characters, what belongs to it (小类) five; `kinds` are those of machines' incidents.

    `category` is the word of clocks and figures, `severity` that of a report that says nothing of it.
    """

    code: str
    name_zh: str
    name_en: str
    category: str
    severity: Severity
    kinds: list[str]


def usable(conn: Connection[Any]) -> list[Category]:
    """Those that may be chosen, and their classes, by their codes."""
    return [_category(row) for row in _queries.categories(conn)]


def find(conn: Connection[Any], code: str) -> Category:
    """The one with a code, which is no class. Raises Invalid."""
    row = _queries.category(conn, code=code)
    if row is None:
        raise Invalid("there is no such category, or it is no longer used")
    return _category(row)


def _category(row: Any) -> Category:
    return Category(
        code=row.code,
        name_zh=row.name_zh,
        name_en=row.name_en,
        category=row.category,
        severity=Severity(row.severity),
        kinds=list(row.kinds),
    )
