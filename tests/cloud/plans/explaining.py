"""What the database does for each question of an application: its plan, and how many rows it looked at."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from psycopg import Cursor
from psycopg.rows import tuple_row


@dataclass(frozen=True, slots=True)
class Scan:
    """One table that was read: how, by which index, and how many of its rows were looked at, those that did not fit included."""

    table: str
    manner: str
    index: str | None
    rows: int


@dataclass(frozen=True, slots=True)
class Explained:
    """A statement with what it read."""

    statement: str
    scans: tuple[Scan, ...]

    def rows_of(self, table: str) -> int:
        """How many rows of a table it looked at, again and again included."""
        return sum(scan.rows for scan in self.scans if scan.table == table)


class ExplainingCursor(Cursor[Any]):
    """Runs each question a second time under EXPLAIN ANALYZE, and notes what that tells. Statements that change anything are left alone."""

    noted: list[Explained] = []  # noqa: RUF012  # one list for all cursors of a process, emptied by the test

    def execute(self, query: Any, params: Any = None, **options: Any) -> "ExplainingCursor":
        text = query if isinstance(query, str) else ""
        if _asks(text):
            with self.connection.cursor(row_factory=tuple_row) as beside:
                if isinstance(beside, ExplainingCursor):
                    Cursor.execute(beside, "explain (analyze, timing off, format json) " + text, params)
                    row = beside.fetchone()
                    assert row is not None
                    plan = row[0] if isinstance(row[0], list) else json.loads(row[0])
                    self.noted.append(Explained(text, tuple(_scans(plan[0]["Plan"]))))
        super().execute(query, params, **options)
        return self


def _asks(text: str) -> bool:
    body = "\n".join(line for line in text.splitlines() if not line.strip().startswith("--")).strip().lower()
    return body.startswith(("select", "with")) and not any(
        word in body for word in (" update", "insert into", "delete from", "pg_advisory", "pg_notify", "nextval")
    )


def _scans(node: dict[str, Any], table: str = "") -> Iterator[Scan]:
    if "Relation Name" in node or (node["Node Type"] == "Bitmap Index Scan"):
        loops = node["Actual Loops"]
        seen = (
            node["Actual Rows"] + node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
        )
        name = node.get("Relation Name") or table
        yield Scan(name, node["Node Type"], node.get("Index Name"), round(seen * loops))
    for child in node.get("Plans", ()):
        yield from _scans(child, node.get("Relation Name", table))
