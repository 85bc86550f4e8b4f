"""The SQL of the outbox, read once from `schema.sql` and `queries.sql`: named, reviewed text."""

from importlib.resources import files

_FOLDER = files("edge.outbox")
SCHEMA = _FOLDER.joinpath("schema.sql").read_text(encoding="utf-8")


def read_queries(text: str) -> dict[str, str]:
    """Split at `-- name: …` lines. Raises ValueError for a name that comes twice."""
    queries: dict[str, str] = {}
    for part in text.split("-- name: ")[1:]:
        name, _, statement = part.partition("\n")
        if name.strip() in queries:
            raise ValueError(f"the query {name.strip()} comes twice")
        queries[name.strip()] = statement.strip()
    return queries


QUERIES = read_queries(_FOLDER.joinpath("queries.sql").read_text(encoding="utf-8"))
