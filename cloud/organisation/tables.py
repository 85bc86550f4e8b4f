"""Tables as people send them: CSV in UTF-8 or GB 18030, or points in GeoJSON; a word on every cell that can't be taken. Pure.

A cell that a spreadsheet would run as a formula is written with an apostrophe before it, and read without.
"""

import csv
import io
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum
from typing import Any, Final

from cloud.errors import Invalid, TooLarge
from cloud.organisation import hours

LARGEST_BYTES: Final = 20 * 1024 * 1024
MOST_ROWS: Final = 100_000
LONGEST_CELL: Final = 1_000
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")


@dataclass(frozen=True, slots=True)
class TableProblem:
    """Why a line can't be taken. Lines count from 1, the header's; `column` is None where it is about the whole line."""

    line: int
    column: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line, its values by their columns; empty cells are None."""

    line: int
    values: Mapping[str, Any]


Reader = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Column:
    """A column, what a cell of it means, and whether it may be empty."""

    name: str
    read: Reader
    required: bool = True


def decode(data: bytes) -> str:
    """Text of a file. Raises TooLarge, and Invalid for what is neither UTF-8 nor GB 18030 (of which GBK is a part)."""
    if len(data) > LARGEST_BYTES:
        raise TooLarge(f"a file has at most {LARGEST_BYTES // 1024 // 1024} MiB")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Invalid("the file is UTF-16: save it as CSV UTF-8")
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" in text:
            break
        return text
    raise Invalid("the file is no text in UTF-8 or GBK")


def read_csv(text: str, columns: Sequence[Column]) -> tuple[list[Row], list[TableProblem]]:
    """The rows that are whole, and a problem for each cell that is not. Raises TooLarge beyond `MOST_ROWS`."""
    lines = _lines(text)
    try:
        header = next(lines, None)
    except csv.Error as error:
        return [], [TableProblem(1, None, f"this is no CSV: {error}")]
    if header is None:
        return [], [TableProblem(1, None, "the file is empty")]
    names = [name.strip().lower() for name in header[1]]
    if problems := _problems_of(names, columns):
        return [], problems
    rows: list[Row] = []
    try:
        for line, cells in lines:
            if not any(cell.strip() for cell in cells):
                continue
            if len(rows) + len(problems) >= MOST_ROWS:
                raise TooLarge(f"a file has at most {MOST_ROWS} rows")
            if len(cells) != len(names):
                problems.append(TableProblem(line, None, f"it has {len(cells)} cells, the header {len(names)}"))
                continue
            _read_row(line, dict(zip(names, cells, strict=True)), columns, rows, problems)
    except csv.Error as error:
        problems.append(TableProblem(len(rows) + len(problems) + 2, None, f"this is no CSV: {error}"))
    return rows, problems


def read_points(document: object, columns: Sequence[Column]) -> tuple[list[Row], list[TableProblem]]:
    """The same of a GeoJSON FeatureCollection: properties by the names of the columns, a Point as longitude and latitude."""
    whole = document if isinstance(document, dict) else {}
    features = whole.get("features")
    if not isinstance(features, list) or whole.get("type") != "FeatureCollection":
        return [], [TableProblem(1, None, "the file is no GeoJSON FeatureCollection")]
    if len(features) > MOST_ROWS:
        raise TooLarge(f"a file has at most {MOST_ROWS} rows")
    rows: list[Row] = []
    problems: list[TableProblem] = []
    for number, feature in enumerate(features, start=1):
        try:
            cells = _cells(feature)
        except Invalid as error:
            problems.append(TableProblem(number, None, str(error)))
            continue
        if unknown := sorted(set(cells) - {column.name for column in columns}):
            problems += [TableProblem(number, name[:50], "there is no such column") for name in unknown]
            continue
        _read_row(number, cells, columns, rows, problems)
    return rows, problems


def _cells(feature: object) -> dict[str, str]:
    if not isinstance(feature, dict) or not isinstance(feature.get("properties"), dict):
        raise Invalid("it is no Feature with properties")
    cells = {}
    for name, value in feature["properties"].items():
        if isinstance(value, bool) or not isinstance(value, str | int | float | None):
            raise Invalid(f"{str(name)[:50]} is neither text nor number")
        cells[str(name)] = "" if value is None else str(value)
    geometry = feature.get("geometry")
    if geometry is not None:
        point = geometry.get("coordinates") if isinstance(geometry, dict) and geometry.get("type") == "Point" else None
        if (
            not isinstance(point, list)
            or len(point) < 2
            or not all(isinstance(each, int | float) for each in point[:2])
        ):
            raise Invalid("its geometry is no Point")
        cells |= {"longitude": repr(point[0]), "latitude": repr(point[1])}
    return cells


def write_csv(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """CSV for spreadsheets: with a byte order mark, so that they take it for UTF-8, and without formulas."""
    out = io.StringIO()
    out.write("\ufeff")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(names)
    for row in rows:
        writer.writerow([_harmless("" if cell is None else str(cell)) for cell in row])
    return out.getvalue()


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) and not _NUMBER.fullmatch(cell) else cell


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """Each record with the number of its first line."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    first = 1
    for cells in reader:
        yield first, cells
        first = reader.line_num + 1


def _problems_of(names: Sequence[str], columns: Sequence[Column]) -> list[TableProblem]:
    known = {column.name for column in columns}
    found = [TableProblem(1, name[:50], "there is no such column") for name in names if name not in known]
    found += [
        TableProblem(1, name, "the column stands there twice") for name in sorted(set(names)) if names.count(name) > 1
    ]
    found += [
        TableProblem(1, column.name, "the column is missing")
        for column in columns
        if column.required and column.name not in names
    ]
    return found


def _read_row(
    line: int, cells: Mapping[str, str], columns: Sequence[Column], rows: list[Row], problems: list[TableProblem]
) -> None:
    values: dict[str, Any] = {}
    found = []
    for column in columns:
        cell = cells.get(column.name, "").strip()
        if cell.startswith("'") and cell[1:].startswith(_FORMULA):
            cell = cell[1:]
        try:
            values[column.name] = _value(cell, column)
        except Invalid as error:
            found.append(TableProblem(line, column.name, str(error)))
    if found:
        problems += found
    else:
        rows.append(Row(line, values))


def _value(cell: str, column: Column) -> object:
    if len(cell) > LONGEST_CELL:
        raise Invalid(f"a cell has at most {LONGEST_CELL} characters")
    if cell == "":
        if column.required:
            raise Invalid("it must not be empty")
        return None
    return column.read(cell)


def text_of(longest: int) -> Reader:
    """Printable text of at most so many characters."""

    def read(cell: str) -> str:
        if len(cell) > longest or not cell.isprintable():
            raise Invalid(f"it has to be a text of at most {longest} printable characters")
        return cell

    return read


def matching(pattern: str, meant: str) -> Reader:
    """Text of a form."""
    form = re.compile(pattern)

    def read(cell: str) -> str:
        if form.fullmatch(cell) is None:
            raise Invalid(f"it has to be {meant}")
        return cell

    return read


def word_of(words: type[StrEnum]) -> Reader:
    """A word of a closed set."""

    def read(cell: str) -> StrEnum:
        try:
            return words(cell)
        except ValueError as error:
            raise Invalid(f"it has to be one of {', '.join(words)}") from error

    return read


def number_of(least: int, most: int) -> Reader:
    """A whole number."""

    def read(cell: str) -> int:
        if not (cell.isascii() and cell.isdigit() and len(cell) <= 9 and least <= int(cell) <= most):
            raise Invalid(f"it has to be a whole number from {least} to {most}")
        return int(cell)

    return read


def degrees_of(limit: int) -> Reader:
    """Degrees, WGS 84."""

    def read(cell: str) -> float:
        value = float(cell) if _NUMBER.fullmatch(cell) else math.nan
        if not abs(value) <= limit:
            raise Invalid(f"it has to be degrees from -{limit} to {limit}")
        return value

    return read


def yes(cell: str) -> bool:
    """Yes or no, in words that people use."""
    known = {"yes": True, "no": False, "true": True, "false": False, "1": True, "0": False, "是": True, "否": False}
    if cell.lower() not in known:
        raise Invalid("it has to be yes or no")
    return known[cell.lower()]


def day(cell: str) -> date:
    """A day as 2026-03-17."""
    try:
        return datetime.strptime(cell, "%Y-%m-%d").date()  # noqa: DTZ007  # a local day has no zone
    except ValueError as error:
        raise Invalid("it has to be a day such as 2026-03-17") from error


def minute(cell: str) -> datetime:
    """A local time as 2026-03-17 08:00, without its zone."""
    try:
        return datetime.strptime(cell, "%Y-%m-%d %H:%M")  # noqa: DTZ007  # the zone is the service's own
    except ValueError as error:
        raise Invalid("it has to be a time such as 2026-03-17 08:00") from error


def clock(cell: str) -> time:
    """A time of day as 08:00."""
    try:
        return datetime.strptime(cell, "%H:%M").time()  # noqa: DTZ007  # a time of day has no zone
    except ValueError as error:
        raise Invalid("it has to be a time of day such as 08:00") from error


def weekdays(cell: str) -> frozenset[int]:
    """Days of a week such as 1-5 or 6,7; 1 is Monday."""
    return frozenset(spell.weekday for spell in hours.parse(f"{cell} 00:00-24:00").spells)


def week_hours(cell: str) -> str:
    """Hours of a week as `cloud.organisation.hours` has them."""
    return hours.parse(cell).text
