"""Figures as answers of the API and of the command line."""

from datetime import date
from enum import StrEnum
from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict

from cloud.figures.definitions import Better, Figure, Unit, Value


class Of(StrEnum):
    """Whether real cases count, or simulated ones: the two are never added."""

    REAL = "real"
    SIMULATED = "simulated"


class By(StrEnum):
    """Told apart by."""

    CATEGORY = "category"
    SEVERITY = "severity"


class FigureDefinition(BaseModel):
    """What a figure is made of. `term` is the field's own word for it; `better` says which way is good."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    term: str
    unit: Unit
    better: Better
    numerator: str
    denominator: str
    left_out: str


class FigureDefinitions(BaseModel):
    """All figures, in the order in which a page shows them, and what is left out of each of them."""

    figures: list[FigureDefinition]
    left_out_of_all: str
    relative_error: float


class FigureView(BaseModel):
    """One figure. `value` null: nothing happened that it is made of. Of a share `part` of `whole` with the interval in which the true
    share lies (Wilson, 95 %), `is_few` where a percentage would promise more than is known. Times are in seconds, `whole` is how many
    were measured. `before` is the value of as many days before, null without one.
    """

    name: str
    unit: Unit
    value: float | None
    part: int | None
    whole: int
    low: float | None
    high: float | None
    is_few: bool
    before: float | None

    @classmethod
    def of(cls, value: Value, before: float | None) -> Self:
        """A value beside the one before."""
        return cls(
            name=value.figure.name,
            unit=value.figure.unit,
            value=value.value,
            part=value.part,
            whole=value.whole,
            low=value.low,
            high=value.high,
            is_few=value.is_few,
            before=before,
        )


class FigureGroup(BaseModel):
    """The figures of one category or severity."""

    key: str
    figures: list[FigureView]


class FigureReport(BaseModel):
    """Figures of an area (null: of all that one may see) over local days `from_day` to `to_day`, both included, beside as many days before.

    `waiting` things have happened that are not counted yet; it is nought a minute later. `groups` are empty unless `by` is given.
    """

    area: str | None
    area_name: str | None
    from_day: date
    to_day: date
    before_from_day: date
    of: Of
    category: str | None
    severity: str | None
    figures: list[FigureView]
    groups: list[FigureGroup]
    waiting: int


class SeriesValue(BaseModel):
    """A figure on a day."""

    value: float | None
    part: int | None
    whole: int


class SeriesDay(BaseModel):
    """A local day; `figures` by name."""

    day: date
    figures: dict[str, SeriesValue]


class FigureSeries(BaseModel):
    """Figures day by day; each day of the window is there."""

    area: str | None
    from_day: date
    to_day: date
    of: Of
    days: list[SeriesDay]


class RankingPart(BaseModel):
    """One measure of a ranked area. `value` as figures have it, `points` 0 to 100, `weight` as it counts; null `points` count nothing: there is nothing, or too few for a share."""

    measure: str
    value: float | None
    points: float | None
    weight: float


class RankedArea(BaseModel):
    """An area in the ranking. With fewer closed cases than `least_cases` it has no `rank` and no `score`: `too_few` says so.

    `rank_before` is its place in the period before, among the areas that are ranked in both; `change` by how many places it rose among
    these (or fell, below nought). Both null where it had no rank before or has none now.
    """

    code: str
    name: str
    rank: int | None
    score: float | None
    rank_before: int | None
    change: int | None
    opened: int
    closed: int
    too_few: bool
    parts: list[RankingPart]


class WeightSet(BaseModel):
    """What counts how much. Weights of measures add up to 1; `since` null: those that the program comes with."""

    weights: dict[str, float]
    least_cases: int
    since: AwareDatetime | None
    by: str | None
    note: str | None


class WeightHistory(BaseModel):
    """The weights that hold, and those before, the newest first."""

    current: WeightSet
    history: list[WeightSet]


class Ranking(BaseModel):
    """The areas of one level, the best first, those with too few cases at the end. Equal scores share a rank."""

    area: str | None
    level: str
    from_day: date
    to_day: date
    before_from_day: date
    of: Of
    weights: WeightSet
    areas: list[RankedArea]
    waiting: int


class HeatCell(BaseModel):
    """An area with what happened in it. `heat` is its share of the busiest one's cases, 0 to 1."""

    code: str
    name: str
    opened: int
    overdue: int
    serious: int
    heat: float


class HeatMap(BaseModel):
    """All valid areas of one level, also those without a case. Their boundaries are at `/api/v1/areas`."""

    area: str | None
    level: str
    from_day: date
    to_day: date
    of: Of
    cells: list[HeatCell]


class QuietSpell(BaseModel):
    """Whole days in a row without something, up to yesterday, and today if it had none so far.

    `last_on` is the last day that had one; null: none since `counted_from`, when the first case was opened at all.
    """

    days: int
    last_on: date | None


class QuietArea(BaseModel):
    """Days without (三零): a critical case, an overdue stage, a complaint; `all` without any of them."""

    code: str
    name: str
    serious: QuietSpell
    overdue: QuietSpell
    complaint: QuietSpell
    all: QuietSpell


class DaysWithout(BaseModel):
    """The spells of an area itself (null: of all that one may see) and of the areas of one level below it, the longest first."""

    on_day: date
    counted_from: date | None
    of: Of
    level: str
    area: QuietArea | None
    areas: list[QuietArea]


class StationPopularity(BaseModel):
    """How much a station is used (人气指数): 100 is as much as in its own four weeks before.

    `visits` were counted on `days` days, `visits_before` on `days_before`. `index` null: `why` says so, a word of
    `cloud.figures.popularity.Unranked`.
    """

    site: str
    name: str
    area: str
    index: float | None
    visits: int
    days: int
    visits_before: int
    days_before: int
    why: str | None


class Popularity(BaseModel):
    """Stations and gate houses, the most popular first."""

    area: str | None
    from_day: date
    to_day: date
    before_from_day: date
    stations: list[StationPopularity]


def definition(figure: Figure) -> FigureDefinition:
    """A figure for people."""
    return FigureDefinition.model_validate(figure)
