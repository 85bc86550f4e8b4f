"""The statements of the outbox by name, on one connection that someone else commits; and its facts: words under a name."""

import sqlite3

from edge.outbox.statements import QUERIES


class Rows:
    """What all that reads or writes rows has in common."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def fact(self, name: str) -> str | None:
        """A kept word, or nothing."""
        row = self._one("fact_get", name=name)
        return None if row is None else str(row[0])

    def set_fact(self, name: str, value: str) -> None:
        """Keep a word."""
        self._do("fact_set", name=name, value=value)

    def remove_fact(self, name: str) -> None:
        """Forget a word."""
        self._do("fact_remove", name=name)

    def number(self, query: str) -> int:
        """What a query for one figure gives; 0 where there is none."""
        row = self._one(query)
        return 0 if row is None or row[0] is None else int(row[0])

    def used_bytes(self) -> int:
        """What the rows take on disk; free pages are not counted, since they are used again."""
        pages, free, size = (
            self._connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)

    def _do(self, query: str, **values: object) -> int:
        return self._connection.execute(QUERIES[query], values).rowcount

    def _one(self, query: str, **values: object) -> tuple | None:  # type: ignore[type-arg]
        return self._connection.execute(QUERIES[query], values).fetchone()  # type: ignore[no-any-return]

    def _all(self, query: str, **values: object) -> list[tuple]:  # type: ignore[type-arg]
        return self._connection.execute(QUERIES[query], values).fetchall()
