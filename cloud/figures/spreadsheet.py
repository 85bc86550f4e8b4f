"""Figures as tables for a spreadsheet: one row for each value, no cell of which runs as a formula. Pure."""

from collections.abc import Iterator, Sequence

from cloud.figures.view import (
    DaysWithout,
    FigureReport,
    FigureSeries,
    FigureView,
    HeatMap,
    Popularity,
    Ranking,
)
from cloud.organisation.tables import write_csv

Table = FigureReport | FigureSeries | Ranking | HeatMap | DaysWithout | Popularity
Row = Sequence[object]

_VALUE = ("figure", "unit", "value", "part", "whole", "low", "high", "before")


def as_csv(table: Table) -> str:
    """The table of an answer."""
    match table:
        case FigureReport():
            return write_csv(("area", "from", "to", "of", "group", *_VALUE), _report(table))
        case FigureSeries():
            return write_csv(("area", "day", "of", "figure", "value", "part", "whole"), _series(table))
        case Ranking():
            names = ("rank", "change", "code", "name", "score", "opened", "closed", "too_few")
            return write_csv((*names, *table.weights.weights), _ranking(table))
        case HeatMap():
            cells = ("code", "name", "opened", "overdue", "serious", "heat")
            return write_csv(cells, ([getattr(cell, name) for name in cells] for cell in table.cells))
        case DaysWithout():
            return write_csv(("code", "name", "serious", "overdue", "complaint", "all"), _quiet(table))
        case Popularity():
            columns = ("site", "name", "area", "index", "visits", "days", "visits_before", "days_before", "why")
            return write_csv(columns, ([getattr(each, name) for name in columns] for each in table.stations))


def _report(table: FigureReport) -> Iterator[Row]:
    head = (table.area, table.from_day, table.to_day, table.of.value)
    for group, figures in (("", table.figures), *((each.key, each.figures) for each in table.groups)):
        for each in figures:
            yield (*head, group, *_value(each))


def _value(each: FigureView) -> Row:
    return (each.name, each.unit.value, each.value, each.part, each.whole, each.low, each.high, each.before)


def _series(table: FigureSeries) -> Iterator[Row]:
    for each in table.days:
        for name, value in each.figures.items():
            yield (table.area, each.day, table.of.value, name, value.value, value.part, value.whole)


def _ranking(table: Ranking) -> Iterator[Row]:
    for each in table.areas:
        values = {part.measure: part.value for part in each.parts}
        head = (each.rank, each.change, each.code, each.name, each.score, each.opened, each.closed, each.too_few)
        yield (*head, *(values.get(measure) for measure in table.weights.weights))


def _quiet(table: DaysWithout) -> Iterator[Row]:
    for each in table.areas:
        yield (each.code, each.name, each.serious.days, each.overdue.days, each.complaint.days, each.all.days)
