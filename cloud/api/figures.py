"""Figures (统计与评价): of areas over local days, day by day, ranked, on the map; days without; popularity of stations."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from cloud.access import areas
from cloud.access.model import Principal, Role
from cloud.api.dependencies import Conn, Parts, User, client_address, require
from cloud.api.parameters import Code, Name
from cloud.api.problems import RESPONSES
from cloud.errors import Forbidden, Invalid
from cloud.figures import definitions, service, view
from cloud.figures.definitions import BY_NAME, DEVICE_ONLINE_RATE, FIGURES
from cloud.figures.histogram import RELATIVE_ERROR
from cloud.figures.ranking import Weights
from cloud.figures.service import Asked
from cloud.figures.spreadsheet import Table, as_csv
from cloud.figures.view import (
    By,
    DaysWithout,
    FigureDefinitions,
    FigureReport,
    FigureSeries,
    HeatMap,
    Of,
    Popularity,
    Ranking,
    WeightHistory,
)
from cloud.figures.window import MOST_DAYS, Window
from edge.contract.incident import Severity

router = APIRouter(prefix="/api/v1/figures", tags=["figures"], responses=RESPONSES)


_Answer = TypeVar("_Answer", bound=Table)


class Format(StrEnum):
    """How an answer is told."""

    JSON = "json"
    CSV = "csv"


def reader(user: User) -> Principal:
    """Who may read figures of areas. Raises Forbidden for departments: their cases are not told apart in the sums."""
    if user.role is Role.DEPARTMENT:
        raise Forbidden("figures are those of areas; what a department was told to handle stands in its list of cases")
    return user


Reader = Annotated[Principal, Depends(reader)]
Administrator = Annotated[Principal, Depends(require(Role.ADMINISTRATOR))]
AreaCode = Annotated[Code | None, Query(description="Code of an area of any level; all that I may see without one")]
FromDay = Annotated[date | None, Query(alias="from", description="First local day; 30 days without one")]
ToDay = Annotated[
    date | None, Query(alias="to", description=f"Last local day, {MOST_DAYS} days at most; today without one")
]
Level = Annotated[str, Query(pattern=r"^[a-z][a-z0-9_]{0,31}$", description="A level of areas")]
Which = Annotated[Of, Query(alias="of", description="Real cases, or simulated ones: never both")]
As = Annotated[Format, Query(alias="format", description="Also by `Accept: text/csv`")]
_CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}


def asked(
    *,
    user: Reader,
    conn: Conn,
    parts: Parts,
    area: AreaCode = None,
    from_day: FromDay = None,
    to_day: ToDay = None,
    of: Which = Of.REAL,
) -> Asked:
    """The area, days and sort of cases that most routes share. Raises NotFound, Invalid."""
    window = Window.checked(from_day, to_day, today=service.today(parts.clock(), parts.settings.zone))
    found = areas.find_in_scope(conn, user, area) if area is not None else None
    if found is None and user.area_code is not None:
        found = areas.find(conn, user.area_code)
    return Asked(scope=found.path if found is not None else user.area_path, area=found, window=window, of=of)


Wanted = Annotated[Asked, Depends(asked)]


def _told(answer: _Answer, request: Request, wanted: Format, name: str) -> _Answer | Response:
    """The answer itself, or its table for a spreadsheet."""
    by_header = request.headers.get("accept", "").split(",")[0].split(";")[0].strip().lower() == "text/csv"
    if wanted is not Format.CSV and not by_header:
        return answer
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"', "Cache-Control": "private, no-store"}
    return Response(as_csv(answer), media_type="text/csv; charset=utf-8", headers=headers)


def _check_level(conn: Conn, level: str) -> None:
    if level not in areas.levels(conn):
        raise Invalid(f"there is no level {level!r}")


@router.get("/definitions", summary="What each figure is made of")
def read_figure_definitions(_user: User) -> FigureDefinitions:
    """Unit, numerator, denominator and what is left out, of every figure. Times are told with `relative_error` at most."""
    return FigureDefinitions(
        figures=[view.definition(each) for each in (*FIGURES, DEVICE_ONLINE_RATE)],
        left_out_of_all=definitions.LEFT_OUT_OF_ALL,
        relative_error=RELATIVE_ERROR,
    )


@router.get("/report", summary="Figures of an area", response_model=FigureReport, responses=_CSV)
def read_figure_report(
    *,
    wanted: Wanted,
    conn: Conn,
    parts: Parts,
    request: Request,
    category: Annotated[Name | None, Query()] = None,
    severity: Annotated[Severity | None, Query()] = None,
    by: Annotated[By | None, Query(description="Told apart by")] = None,
    told_as: As = Format.JSON,
) -> FigureReport | Response:
    """Over local days, beside as many days before. The online rate of devices is there unless a kind of cases is asked for."""
    chosen = Asked(
        scope=wanted.scope,
        area=wanted.area,
        window=wanted.window,
        of=wanted.of,
        category=category,
        severity=severity.value if severity is not None else None,
    )
    answer = service.report(conn, chosen, by=by, zone=parts.settings.zone, now=parts.clock())
    return _told(answer, request, told_as, "figures")


@router.get("/series", summary="Figures day by day", response_model=FigureSeries, responses=_CSV)
def read_figure_series(
    *,
    wanted: Wanted,
    conn: Conn,
    request: Request,
    figure: Annotated[
        list[Name] | None, Query(max_length=len(FIGURES), description="Names; opened and closed without")
    ] = None,
    told_as: As = Format.JSON,
) -> FigureSeries | Response:
    """Each day of the window is there. 422 for a name that is none of `/figures/definitions`."""
    names = list(dict.fromkeys(figure or ["opened", "closed"]))
    unknown = [name for name in names if name not in BY_NAME]
    if unknown:
        raise Invalid(f"there is no figure {unknown[0]!r} in the roll-up")
    answer = service.series(conn, wanted, [BY_NAME[name] for name in names])
    return _told(answer, request, told_as, "figures-by-day")


@router.get("/ranking", summary="The ranking of areas", response_model=Ranking, responses=_CSV)
def read_ranking(
    *, wanted: Wanted, conn: Conn, request: Request, level: Level = "community", told_as: As = Format.JSON
) -> Ranking | Response:
    """By quantity and quality (大排名), by weights that administrators set, with the change of places against as many days before."""
    _check_level(conn, level)
    return _told(service.ranking(conn, wanted, level=level), request, told_as, "ranking")


@router.get("/heat", summary="What happened where", response_model=HeatMap, responses=_CSV)
def read_heat(
    *, wanted: Wanted, conn: Conn, request: Request, level: Level = "grid", told_as: As = Format.JSON
) -> HeatMap | Response:
    """All valid areas of a level, the busiest first."""
    _check_level(conn, level)
    return _told(service.heat(conn, wanted, level=level), request, told_as, "heat")


@router.get("/days-without", summary="Days in a row without something bad", response_model=DaysWithout, responses=_CSV)
def read_days_without(
    *, wanted: Wanted, conn: Conn, parts: Parts, request: Request, level: Level = "community", told_as: As = Format.JSON
) -> DaysWithout | Response:
    """Up to the last day of the window, or today (三零): without a critical case, without an overdue stage, without a complaint."""
    _check_level(conn, level)
    return _told(
        service.days_without(conn, wanted, level=level, zone=parts.settings.zone, now=parts.clock()),
        request,
        told_as,
        "days-without",
    )


@router.get("/popularity", summary="How much stations are used", response_model=Popularity, responses=_CSV)
def read_popularity(
    *, wanted: Wanted, conn: Conn, parts: Parts, request: Request, told_as: As = Format.JSON
) -> Popularity | Response:
    """Visits a day (人气指数), 100 being as many as in each station's own four weeks before the window."""
    return _told(service.popularity(conn, wanted, zone=parts.settings.zone), request, told_as, "popularity")


class WeightsRequest(BaseModel):
    """Weights of measures, in any proportion: what counts is each one's share of all. What is left out counts nothing."""

    model_config = ConfigDict(extra="forbid")

    weights: Annotated[
        dict[Name, Annotated[float, Field(ge=0, le=1_000, allow_inf_nan=False)]], Field(min_length=1, max_length=20)
    ]
    least_cases: Annotated[int, Field(ge=1, le=100_000)] = 10
    note: Annotated[
        str | None, StringConstraints(min_length=1, max_length=500, strip_whitespace=True, pattern=r"^[^\x00]*$")
    ] = None


@router.get("/weights", summary="What counts how much in the ranking")
def read_ranking_weights(_user: Reader, conn: Conn) -> WeightHistory:
    """The weights that hold, and those before, the newest first."""
    return service.weight_history(conn)


@router.put("/weights", summary="Set what counts how much in the ranking")
def put_ranking_weights(
    *, wish: WeightsRequest, user: Administrator, conn: Conn, parts: Parts, request: Request
) -> WeightHistory:
    """From now on, for whatever window is asked for; the old ones are kept. Whose scope is a part of the district can't. 422 for a measure that there is not."""
    if user.area_path:
        raise Forbidden("one ranking holds for all: this is for an administrator whose scope is everything")
    weights = Weights.checked(wish.weights, wish.least_cases)
    return service.set_weights(conn, user, weights, note=wish.note, now=parts.clock(), address=client_address(request))
