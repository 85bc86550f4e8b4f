"""Reading figures: from rows of the roll-up to what people are shown. Reads only, but for the weights of the ranking."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from psycopg import Connection

from cloud.access import audit
from cloud.access.model import Area, Principal
from cloud.figures import places, store
from cloud.figures.definitions import DEVICE_ONLINE_RATE, FIGURES, Figure, Value, value_of
from cloud.figures.places import Place
from cloud.figures.popularity import BEFORE_DAYS, Footfall, Unranked, index_of
from cloud.figures.quiet import spell, without_any
from cloud.figures.ranking import USUAL_WEIGHTS, Ranked, Weights, ranked, same_field
from cloud.figures.store import Slice
from cloud.figures.tally import Fact, Tally, total
from cloud.figures.view import (
    By,
    DaysWithout,
    FigureGroup,
    FigureReport,
    FigureSeries,
    FigureView,
    HeatCell,
    HeatMap,
    Of,
    Popularity,
    QuietArea,
    QuietSpell,
    RankedArea,
    Ranking,
    RankingPart,
    SeriesDay,
    SeriesValue,
    StationPopularity,
    WeightHistory,
    WeightSet,
)
from cloud.figures.window import Window, begins, local_day
from cloud.maintenance import figures as maintenance
from cloud.maintenance.figures import LONGEST_WINDOW
from cloud.verdicts.precision import Share

WEIGHTS_SHOWN = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Figures of whom and when. `area` None: of all of `scope`."""

    scope: str
    area: Area | None
    window: Window
    of: Of = Of.REAL
    category: str | None = None
    severity: str | None = None

    @property
    def simulated(self) -> bool:
        """Which of the two kinds of cases count."""
        return self.of is Of.SIMULATED

    @property
    def code(self) -> str | None:
        """The code of the area."""
        return self.area.code if self.area is not None else None

    def slice(self, place: Place, *, apart: bool = False) -> Slice:
        """The rows of a place."""
        return Slice(place.paths, self.simulated, self.category, self.severity, apart)


def report(conn: Connection[Any], asked: Asked, *, by: By | None, zone: ZoneInfo, now: datetime) -> FigureReport:
    """All figures of an area over a window, beside as many days before; told apart by category or severity where that is asked for."""
    place = places.at(conn, asked.scope)
    present, past = (
        Tally.of(*store.rows(conn, asked.slice(place), window)) for window in (asked.window, asked.window.before)
    )
    figures = _views(present, past)
    if asked.category is None and asked.severity is None:
        figures.append(_online(conn, asked, zone=zone, now=now))
    return FigureReport(
        area=asked.code,
        area_name=asked.area.name if asked.area is not None else None,
        from_day=asked.window.from_day,
        to_day=asked.window.to_day,
        before_from_day=asked.window.before.from_day,
        of=asked.of,
        category=asked.category,
        severity=asked.severity,
        figures=figures,
        groups=_groups(conn, asked, place, by) if by is not None else [],
        waiting=store.waiting(conn),
    )


def _groups(conn: Connection[Any], asked: Asked, place: Place, by: By) -> list[FigureGroup]:
    present, past = (
        _apart(conn, asked.slice(place, apart=True), window, by) for window in (asked.window, asked.window.before)
    )
    keys = sorted(present.keys() | past.keys(), key=lambda key: (-present.get(key, Tally()).count(Fact.OPENED), key))
    return [FigureGroup(key=key, figures=_views(present.get(key, Tally()), past.get(key, Tally()))) for key in keys]


def _apart(conn: Connection[Any], wanted: Slice, window: Window, by: By) -> dict[str, Tally]:
    found: dict[str, Tally] = {}
    for row in store.rows(conn, wanted, window):
        found.setdefault(str(getattr(row, by.value)), Tally()).take(row)
    return found


def _views(present: Tally, past: Tally) -> list[FigureView]:
    return [FigureView.of(value_of(each, present), value_of(each, past).value) for each in FIGURES]


def _online(conn: Connection[Any], asked: Asked, *, zone: ZoneInfo, now: datetime) -> FigureView:
    """The online rate of devices over the window, in whole seconds known; beside the one of as many days before."""
    present, past = (
        _online_share(conn, asked, window, zone=zone, now=now) for window in (asked.window, asked.window.before)
    )
    value = Value(DEVICE_ONLINE_RATE, present.value, present.part, present.whole)
    return FigureView.of(value, past.value)


def _online_share(conn: Connection[Any], asked: Asked, window: Window, *, zone: ZoneInfo, now: datetime) -> Share:
    from_at, to_at = begins(window.from_day, zone), begins(window.to_day + timedelta(days=1), zone)
    from_at = max(from_at, to_at - LONGEST_WINDOW)
    known_since = store.presence_known_since(conn)
    if known_since is not None:
        from_at = max(from_at, known_since)
        if from_at >= to_at:
            return Share.of(0, 0)
    rates = maintenance.online(conn, asked.scope, from_at=from_at, to_at=to_at, now=now)
    found = [each for each in rates if each.simulated == asked.simulated]
    online_s = sum(each.online_s for each in found)
    return Share.of(round(online_s), round(online_s + sum(each.lost_s for each in found)))


def series(conn: Connection[Any], asked: Asked, figures: Sequence[Figure]) -> FigureSeries:
    """Figures day by day."""
    days: dict[date, Tally] = {}
    for row in store.day_rows(conn, asked.slice(places.at(conn, asked.scope)), asked.window):
        days.setdefault(row.starts_on, Tally()).take(row)
    return FigureSeries(
        area=asked.code,
        from_day=asked.window.from_day,
        to_day=asked.window.to_day,
        of=asked.of,
        days=[
            SeriesDay(day=day, figures={each.name: _point(each, days.get(day, Tally())) for each in figures})
            for day in asked.window
        ],
    )


def _point(figure: Figure, tally: Tally) -> SeriesValue:
    value = value_of(figure, tally)
    return SeriesValue(value=value.value, part=value.part, whole=value.whole)


def ranking(conn: Connection[Any], asked: Asked, *, level: str) -> Ranking:
    """The areas of a level below, the best first, with the change of places against as many days before by the same weights."""
    weights = current_weights(conn)
    areas = places.below(conn, asked.scope, level)
    present, past = (
        ranked(_by_code(conn, areas, window, simulated=asked.simulated), weights)
        for window in (asked.window, asked.window.before)
    )
    before, within = same_field(past, present)
    names = {place.code: place.name for place in areas}
    return Ranking(
        area=asked.code,
        level=level,
        from_day=asked.window.from_day,
        to_day=asked.window.to_day,
        before_from_day=asked.window.before.from_day,
        of=asked.of,
        weights=_weight_sets(conn)[0],
        areas=[_ranked_area(each, names[each.code], before.get(each.code), within.get(each.code)) for each in present],
        waiting=store.waiting(conn),
    )


def _by_code(conn: Connection[Any], areas: Collection[Place], window: Window, *, simulated: bool) -> dict[str, Tally]:
    sums = store.sums(conn, places.paths_of(areas), window, simulated=simulated)
    return {place.code: _sum_of(place, sums) for place in areas}


def _sum_of(place: Place, sums: Mapping[str, Tally]) -> Tally:
    return total(sums[path] for path in place.paths if path in sums)


def _ranked_area(each: Ranked, name: str, rank_before: int | None, rank_within: int | None) -> RankedArea:
    return RankedArea(
        code=each.code,
        name=name,
        rank=each.rank,
        score=each.score,
        rank_before=rank_before,
        change=rank_before - rank_within if rank_before is not None and rank_within is not None else None,
        opened=each.tally.count(Fact.OPENED),
        closed=each.tally.count(Fact.CLOSED),
        too_few=each.rank is None,
        parts=[
            RankingPart(measure=part.measure, value=part.value, points=part.points, weight=part.weight)
            for part in each.parts
        ],
    )


def heat(conn: Connection[Any], asked: Asked, *, level: str) -> HeatMap:
    """What happened in each area of a level below, the busiest first."""
    areas = places.below(conn, asked.scope, level)
    elsewhere = {path for path in places.paths_of(areas) if not path.startswith(asked.scope)}
    sums = store.heat(conn, asked.scope, asked.window, simulated=asked.simulated)
    if elsewhere:
        sums |= store.sums(conn, elsewhere, asked.window, simulated=asked.simulated)
    there = [(place, _sum_of(place, sums)) for place in areas]
    most = max((found.count(Fact.OPENED) for _, found in there), default=0)
    cells = [
        HeatCell(
            code=place.code,
            name=place.name,
            opened=found.count(Fact.OPENED),
            overdue=found.count(Fact.OVERDUE),
            serious=found.count(Fact.SERIOUS),
            heat=found.count(Fact.OPENED) / most if most else 0.0,
        )
        for place, found in there
    ]
    cells.sort(key=lambda cell: (-cell.opened, cell.code))
    return HeatMap(
        area=asked.code,
        level=level,
        from_day=asked.window.from_day,
        to_day=asked.window.to_day,
        of=asked.of,
        cells=cells,
    )


def days_without(conn: Connection[Any], asked: Asked, *, level: str, zone: ZoneInfo, now: datetime) -> DaysWithout:
    """Days in a row up to the end of the window, or to today, without something bad, of an area and of those of a level below it.

    Nothing is said of the time before an area was there.
    """
    on_day = min(asked.window.to_day, local_day(now, zone))
    whole, areas = places.at(conn, asked.scope), places.below(conn, asked.scope, level)
    last = store.last_days(conn, places.paths_of([whole, *areas]), on_day, simulated=asked.simulated)
    counted_from = store.counted_from(conn, simulated=asked.simulated)

    def spells(place: Place) -> QuietArea:
        rows = [last[path] for path in place.paths]
        days = [
            without_any(*each)
            for each in zip(*((row.serious, row.overdue, row.complaint) for row in rows), strict=True)
        ]
        here_from = counted_from
        if place.began_at is not None and counted_from is not None:
            here_from = max(counted_from, local_day(place.began_at, zone))
        serious, overdue, complaint, anything = (
            QuietSpell(days=each.days, last_on=each.last_on)
            for each in (spell(day, on_day=on_day, counted_from=here_from) for day in (*days, without_any(*days)))
        )
        return QuietArea(
            code=place.code, name=place.name, serious=serious, overdue=overdue, complaint=complaint, all=anything
        )

    found = [spells(place) for place in areas]
    found.sort(key=lambda each: (-each.all.days, each.code))
    return DaysWithout(
        on_day=on_day,
        counted_from=counted_from,
        of=asked.of,
        level=level,
        area=spells(whole),
        areas=found,
    )


def popularity(conn: Connection[Any], asked: Asked, *, zone: ZoneInfo) -> Popularity:
    """How much each station was used, against its own four weeks before the window."""
    before_from = asked.window.from_day - timedelta(days=BEFORE_DAYS)
    rows = store.visits(
        conn,
        asked.scope,
        zone=zone.key,
        from_at=begins(before_from, zone),
        middle_at=begins(asked.window.from_day, zone),
        to_at=begins(asked.window.to_day + timedelta(days=1), zone),
    )
    stations = [_station(row) for row in rows]
    stations.sort(key=lambda each: (each.index is None, -(each.index or 0.0), each.site))
    return Popularity(
        area=asked.code,
        from_day=asked.window.from_day,
        to_day=asked.window.to_day,
        before_from_day=before_from,
        stations=stations,
    )


def _station(row: Any) -> StationPopularity:
    found = index_of(Footfall(row.counters, row.visits, row.days, row.visits_before, row.days_before))
    return StationPopularity(
        site=row.code,
        name=row.name,
        area=row.area_code,
        index=None if isinstance(found, Unranked) else found,
        visits=round(row.visits),
        days=row.days,
        visits_before=round(row.visits_before),
        days_before=row.days_before,
        why=found.value if isinstance(found, Unranked) else None,
    )


def current_weights(conn: Connection[Any]) -> Weights:
    """The weights that hold."""
    rows = store.weights(conn, count=1)
    return Weights(rows[0].weights, rows[0].least_cases) if rows else USUAL_WEIGHTS


def weight_history(conn: Connection[Any]) -> WeightHistory:
    """The weights that hold, and those before."""
    sets = _weight_sets(conn)
    return WeightHistory(current=sets[0], history=sets[1:])


def _weight_sets(conn: Connection[Any]) -> list[WeightSet]:
    made = [
        WeightSet(weights=row.weights, least_cases=row.least_cases, since=row.made_at, by=row.made_by, note=row.note)
        for row in store.weights(conn, count=WEIGHTS_SHOWN)
    ]
    first = WeightSet(
        weights=dict(USUAL_WEIGHTS.by_measure), least_cases=USUAL_WEIGHTS.least_cases, since=None, by=None, note=None
    )
    return [*made, first]


def set_weights(
    conn: Connection[Any], user: Principal, weights: Weights, *, note: str | None, now: datetime, address: str
) -> WeightHistory:
    """Let other weights hold from now on; the old ones are kept, and who did it stands in the audit log."""
    before = current_weights(conn)
    store.insert_weights(
        conn,
        weights=weights.by_measure,
        least_cases=weights.least_cases,
        note=note,
        made_at=now,
        made_by=user.user_id,
    )
    audit.write(
        conn,
        "figures.weights",
        "figures:weights",
        actor=user,
        address=address,
        detail={
            "before": dict(before.by_measure) | {"least_cases": before.least_cases},
            "after": dict(weights.by_measure) | {"least_cases": weights.least_cases},
            "note": note,
        },
    )
    return weight_history(conn)


def today(now: datetime, zone: ZoneInfo) -> date:
    """The local day of now."""
    return local_day(now, zone)
