"""The roll-up in the database. Takes a connection, never commits."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from psycopg import Connection, sql
from psycopg.types.json import Jsonb

from cloud.db.queries import load
from cloud.figures.counting import Counted, Key
from cloud.figures.definitions import COMPLAINT_RATING, MISSED_WITHIN_MIN
from cloud.figures.histogram import BOUNDS_S
from cloud.figures.tally import Fact, Tally, Time
from cloud.figures.window import Grain, Window, bounds

TELLING = (
    "confirm",
    "dismiss",
    "dispatch",
    "claim",
    "close",
    "rework",
    "allow_return",
    "reopen",
    "reopened",
    "came_again",
    "deadline_red",
    "rate",
    "request_rated",
)
"""The steps of a case's history that figures count; the trigger of migration 0035 notes the same."""
MOST_WAITING = 100_000
MOST_ERROR = 2_000

_queries = load("cloud.figures")
_COLUMNS = (
    *("grain", "starts_on", "area_path", "category", "severity", "simulated"),
    *(fact.value for fact in Fact),
    *(time.value for time in Time),
)
_TYPES = ("text", "date", "text", "text", "text", "bool", *("int4" for _ in Fact), *("int8[]" for _ in Time))
_COPY = sql.SQL("copy figure_tally ({}) from stdin (format binary)").format(
    sql.SQL(", ").join(map(sql.Identifier, _COLUMNS))
)


@dataclass(frozen=True, slots=True)
class Due:
    """A moment of a case whose day is to be counted anew; `at` None: all its days. `area_path` None: there is no such case any more."""

    id: int
    case_id: int
    at: datetime | None
    area_path: str | None


@dataclass(frozen=True, slots=True)
class Slice:
    """Which rows of an area (all its paths): of some kind, or told apart (`apart`) by kind."""

    paths: Collection[str]
    simulated: bool
    category: str | None = None
    severity: str | None = None
    apart: bool = False


def may_count(conn: Connection[Any]) -> bool:
    """Whether nobody else counts; it stays so until the transaction ends."""
    return bool(_queries.take_turns(conn))


def wait_for_turn(conn: Connection[Any]) -> None:
    """Wait until nobody else counts."""
    _queries.wait_for_turn(conn)


def due(conn: Connection[Any], *, count: int) -> list[int]:
    """Which notes there are, the newest first."""
    return [row.id for row in _queries.due(conn, count=count)]


def noted(conn: Connection[Any], ids: Collection[int]) -> list[Due]:
    """What they say."""
    return [Due(row.id, row.case_id, row.at, row.area_path) for row in _queries.noted(conn, ids=list(ids))]


def set_aside(conn: Connection[Any], notes: Collection[int], error: str, *, passes: bool) -> None:
    """Keep notes that can't be counted where they hinder no other one; what may pass by itself is taken back once."""
    _queries.set_aside(conn, ids=list(notes), error=error[:MOST_ERROR], passes=passes)


def take_back(conn: Connection[Any], *, aside_before: datetime) -> int:
    """Note once more what was set aside before a time and may have passed; how many."""
    return int(_queries.take_back(conn, aside_before=aside_before))


def forget_due(conn: Connection[Any], ids: Collection[int]) -> None:
    """What is counted needs no counting."""
    _queries.forget_due(conn, ids=list(ids))


def fills(conn: Connection[Any]) -> bool:
    """Whether old days are still to be counted once."""
    return _queries.to_fill(conn) is not None


def next_to_fill(conn: Connection[Any]) -> date | None:
    """The last day that is still to be counted once, with all before it; None for the last that there is."""
    row = _queries.to_fill(conn)
    return row.next_day if row is not None else None


def filled(conn: Connection[Any], next_day: date | None) -> None:
    """All days after `next_day` are counted; None: there is none left."""
    if next_day is None:
        _queries.all_filled(conn)
    else:
        _queries.filled(conn, next_day=next_day)


def presence_known_since(conn: Connection[Any]) -> datetime | None:
    """From when on it is known how devices came and went; None: from the beginning."""
    since: datetime | None = _queries.presence_known_since(conn)
    return since


def waiting(conn: Connection[Any]) -> int:
    """How much is noted and not counted yet, at most `MOST_WAITING`."""
    return int(_queries.waiting(conn, most=MOST_WAITING))


def moments(conn: Connection[Any], case_ids: Collection[int]) -> list[tuple[int, str, datetime]]:
    """Case, area and time of all that figures count of these cases."""
    if not case_ids:
        return []
    rows = _queries.moments(conn, case_ids=list(case_ids), telling=list(TELLING))
    return [(row.case_id, row.area_path, row.at) for row in rows]


def facts(conn: Connection[Any], day: date, units: Collection[str], *, zone: ZoneInfo) -> list[Counted]:
    """What happened on a local day below `units`."""
    from_at, to_at = bounds(day, zone)
    _queries.keep_views(conn, from_at=from_at, to_at=to_at, units=list(units))
    rows = _queries.facts(
        conn,
        from_at=from_at,
        to_at=to_at,
        units=list(units),
        telling=list(TELLING),
        bounds=list(BOUNDS_S),
        missed_within_s=MISSED_WITHIN_MIN * 60.0,
        complaint_rating=COMPLAINT_RATING,
    )
    return [
        Counted(row.area_path, row.category, row.severity, row.simulated, Fact(row.fact), row.bucket, row.number)
        for row in rows
    ]


def kept_below(conn: Connection[Any], day: date, units: Collection[str]) -> dict[Key, Tally]:
    """The rows of a day of these areas and all below."""
    return _keyed(_queries.kept_below(conn, starts_on=day, units=list(units)))


def kept_of(conn: Connection[Any], grain: Grain, starts_on: date, paths: Collection[str]) -> dict[Key, Tally]:
    """The rows of a day or month of these areas themselves."""
    if not paths:
        return {}
    return _keyed(_queries.kept_of(conn, grain=grain.value, starts_on=starts_on, paths=list(paths)))


def days_kept(conn: Connection[Any], from_day: date, to_day: date) -> dict[Key, Tally]:
    """Sums of the rows of several days, of all areas."""
    found: dict[Key, Tally] = {}
    for row in _queries.days_kept(conn, from_day=from_day, to_day=to_day):
        found.setdefault(_key(row), Tally()).take(row)
    return found


def put(conn: Connection[Any], grain: Grain, starts_on: date, rows: Mapping[Key, Tally]) -> None:
    """Put these rows in the place of those before; an empty one is dropped."""
    if not rows:
        return
    keys = sorted(rows)
    _queries.drop_rows(
        conn,
        grain=grain.value,
        starts_on=starts_on,
        paths=[key.area_path for key in keys],
        categories=[key.category for key in keys],
        severities=[key.severity for key in keys],
        simulated=[key.simulated for key in keys],
    )
    _copy(conn, grain, starts_on, rows)


def put_all(conn: Connection[Any], grain: Grain, starts_on: date, rows: Mapping[Key, Tally]) -> None:
    """Put these rows in the place of all of that day or month."""
    _queries.drop_all(conn, grain=grain.value, starts_on=starts_on)
    _copy(conn, grain, starts_on, rows)


def _copy(conn: Connection[Any], grain: Grain, starts_on: date, rows: Mapping[Key, Tally]) -> None:
    with conn.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.set_types(_TYPES)
        for key in sorted(rows):
            tally = rows[key]
            if not tally.is_empty:
                copy.write_row((grain.value, starts_on, *key, *tally.columns.values()))


def extent(conn: Connection[Any]) -> Any:
    """A row with the first and last moment that can count, and the first and last day that is kept; each may be None."""
    return _queries.first_and_last(conn)


def rows(conn: Connection[Any], wanted: Slice, window: Window) -> Iterator[Any]:
    """The rows that the figures of an area are made of: whole months, and the days before and after."""
    spans = window.spans
    return _rows(conn, wanted, [(each.grain, each.from_day, each.to_day) for each in spans])


def day_rows(conn: Connection[Any], wanted: Slice, window: Window) -> Iterator[Any]:
    """The same day by day."""
    return _rows(conn, wanted, [(Grain.DAY, window.from_day, window.to_day)])


def _rows(conn: Connection[Any], wanted: Slice, spans: Sequence[tuple[Grain, date, date]]) -> Iterator[Any]:
    found: Iterator[Any] = _queries.rows(
        conn,
        paths=list(wanted.paths),
        grains=[grain.value for grain, _, _ in spans],
        from_days=[from_day for _, from_day, _ in spans],
        to_days=[to_day for _, _, to_day in spans],
        simulated=wanted.simulated,
        category=wanted.category,
        severity=wanted.severity,
        apart=wanted.apart,
    )
    return found


def sums(conn: Connection[Any], paths: Collection[str], window: Window, *, simulated: bool) -> dict[str, Tally]:
    """Path → counts (no times), of several areas; an area where nothing happened is left out."""
    spans = window.spans
    found = _queries.sums(
        conn,
        paths=list(paths),
        grains=[each.grain.value for each in spans],
        from_days=[each.from_day for each in spans],
        to_days=[each.to_day for each in spans],
        simulated=simulated,
    )
    return {row.area_path: Tally.of(row) for row in found}


def heat(conn: Connection[Any], scope: str, window: Window, *, simulated: bool) -> dict[str, Tally]:
    """Path → the few counts that a map shows, of the areas below; an area where nothing happened is left out."""
    spans = window.spans
    found = _queries.heat(
        conn,
        scope=scope,
        grains=[each.grain.value for each in spans],
        from_days=[each.from_day for each in spans],
        to_days=[each.to_day for each in spans],
        simulated=simulated,
    )
    return {
        row.area_path: Tally({Fact.OPENED: row.opened, Fact.SERIOUS: row.serious, Fact.OVERDUE: row.overdue})
        for row in found
    }


def last_days(conn: Connection[Any], paths: Collection[str], to_day: date, *, simulated: bool) -> dict[str, Any]:
    """Path → a row with the last day of each of the three that there were."""
    found = _queries.last_days(conn, paths=list(paths), simulated=simulated, to_day=to_day)
    return {row.area_path: row for row in found}


def counted_from(conn: Connection[Any], *, simulated: bool) -> date | None:
    """The first day on which a case was opened."""
    first: date | None = _queries.counted_from(conn, simulated=simulated)
    return first


def visits(
    conn: Connection[Any], scope: str, *, zone: str, from_at: datetime, middle_at: datetime, to_at: datetime
) -> list[Any]:
    """Of each station what was counted there before `middle_at` and after."""
    found = _queries.visits(conn, scope=scope, zone=zone, from_at=from_at, middle_at=middle_at, to_at=to_at)
    return list(found)


def weights(conn: Connection[Any], *, count: int) -> list[Any]:
    """The newest sets of weights."""
    return list(_queries.weights(conn, count=count))


def insert_weights(conn: Connection[Any], *, weights: Mapping[str, float], **columns: Any) -> None:
    """Add a set of weights, which holds from now on."""
    _queries.insert_weights(conn, weights=Jsonb(dict(weights)), **columns)


def _keyed(found: Iterable[Any]) -> dict[Key, Tally]:
    return {_key(row): Tally.of(row) for row in found}


def _key(row: Any) -> Key:
    return Key(row.area_path, row.category, row.severity, row.simulated)
