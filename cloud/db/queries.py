"""SQL from files: each slice has one `queries.sql`, whose statements are called by their names."""

import importlib.resources
import re
from typing import Any

import aiosql
from aiosql.adapters.pyformat import PyFormatAdapter
from psycopg.rows import namedtuple_row

_ARRAY_PARAMETER = re.compile(r"(?<!:):(?P<name>\w+)(?=::\w+(?: \w+)?\[\])")


class _PsycopgAdapter(PyFormatAdapter):
    """Named parameters for psycopg; those that are cast to an array (`:values::float8[]`) travel in binary.

    psycopg sends a list as text by default, which costs both sides most of the time of a large `unnest`.
    """

    def process_sql(self, query_name: str, op_type: Any, sql: str) -> str:
        binary = _ARRAY_PARAMETER.sub(r"%(\g<name>)b", sql)
        return str(super().process_sql(query_name, op_type, binary))  # type: ignore[no-untyped-call]  # aiosql has none


def load(package: str) -> Any:
    """The statements in `queries.sql` of `package` (for example `cloud.fleet`), as functions of (connection, **parameters).

    Rows are named tuples. `name^` answers one row or None, `name$` one value or None, `name!` the number of rows touched,
    a bare name an iterator that has to be read. Statements never commit. Raises FileNotFoundError or aiosql's own
    SQLParseException at import, so that a mistake stops the start.
    """
    text = (importlib.resources.files(package) / "queries.sql").read_text(encoding="utf-8")
    return aiosql.from_str(text, _PsycopgAdapter, kwargs={"row_factory": namedtuple_row})
