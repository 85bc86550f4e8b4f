"""Sites, estates (小区) with their buildings (楼栋), and the teams of grids: reading them, and taking in a row of a table.

Takes the caller's transaction. Whatever is taken in answers whether it was added, changed, closed or left as it was.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from psycopg import Connection

from cloud.access import areas
from cloud.db.queries import load
from cloud.errors import Conflict, Invalid
from cloud.organisation.model import MemberKind, SiteKind
from cloud.organisation.people import person_named

_queries = load("cloud.organisation")


class Outcome(StrEnum):
    """What became of a row."""

    ADDED = "added"
    CHANGED = "changed"
    CLOSED = "closed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """指挥中心, 服务中心, 工作站, 驿站, 门房. `hours` as `cloud.organisation.hours` reads them."""

    id: int
    code: str
    kind: SiteKind
    name: str
    area_code: str
    area_name: str
    longitude: float | None
    latitude: float | None
    address: str | None
    hours: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Estate:
    """小区. `property` is the code of the company (物业) that runs it."""

    id: int
    code: str
    name: str
    area_code: str
    area_name: str
    property: str | None
    property_name: str | None
    longitude: float | None
    latitude: float | None
    address: str | None
    buildings: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Building:
    """楼栋. `area_code` is the grid in which it stands."""

    id: int
    estate: str
    code: str
    name: str
    area_code: str
    area_name: str
    floors: int | None
    households: int | None
    longitude: float | None
    latitude: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Somebody of the team of a grid, with an account or without."""

    id: int
    area_code: str
    area_name: str
    kind: MemberKind
    name: str
    phone: str | None
    account_id: int | None
    account: str | None
    since: datetime


def sites(conn: Connection[Any], scope: str, *, kinds: Collection[SiteKind] | None = None) -> list[Site]:
    """Those that are not closed, of an area."""
    words = None if kinds is None else sorted(kind.value for kind in kinds)
    rows = _queries.sites(conn, scope=scope, kinds=words)
    return [Site(**(row._asdict() | {"kind": SiteKind(row.kind)})) for row in rows]


def estates(conn: Connection[Any], scope: str) -> list[Estate]:
    """Those of an area."""
    return [Estate(**row._asdict()) for row in _queries.estates(conn, scope=scope)]


def buildings(conn: Connection[Any], scope: str, *, estate: str | None = None) -> list[Building]:
    """Those that stand in an area, of one estate or of all."""
    return [Building(**row._asdict()) for row in _queries.buildings(conn, scope=scope, estate=estate)]


def members(conn: Connection[Any], scope: str, *, at: datetime, with_above: bool = False) -> list[Member]:
    """The teams of an area at a time: leads, the five fixed kinds, whoever else helps.

    `with_above`: those too who serve an area in which it lies, as a policeman serves all grids of his community.
    """
    return [
        Member(**(row._asdict() | {"kind": MemberKind(row.kind)}))
        for row in _queries.members(conn, scope=scope, at=at, with_above=with_above)
    ]


Values = Mapping[str, Any]


def _check_area(conn: Connection[Any], code: str) -> None:
    if areas.find(conn, code) is None:
        raise Invalid(f"no valid area has the code {code}")


def _check_place(values: Values) -> None:
    if (values["longitude"] is None) != (values["latitude"] is None):
        raise Invalid("longitude and latitude come together")


def _outcome(present: Any, wanted: dict[str, Any]) -> Outcome:
    there = {name: getattr(present, name) for name in wanted}
    return Outcome.UNCHANGED if there == wanted else Outcome.CHANGED


def take_site(conn: Connection[Any], values: Values, *, now: datetime) -> Outcome:
    """A site by its code. Raises Invalid."""
    present = _queries.site(conn, code=values["code"])
    if values["closed"]:
        if present is None:
            raise Invalid("there is no such site that could be closed")
        _queries.close_site(conn, id=present.id, now=now)
        return Outcome.CLOSED
    _check_area(conn, values["area"])
    _check_place(values)
    wanted = {name: values[name] for name in ("name", "longitude", "latitude", "address", "hours")}
    wanted |= {"kind": values["kind"].value, "area_code": values["area"]}
    if present is None:
        _queries.insert_site(conn, code=values["code"], now=now, **wanted)
        return Outcome.ADDED
    outcome = _outcome(present, wanted)
    if outcome is Outcome.CHANGED:
        _queries.update_site(conn, id=present.id, **wanted)
    return outcome


def take_estate(conn: Connection[Any], values: Values, *, now: datetime) -> Outcome:
    """An estate by its code; its buildings close with it. Raises Invalid."""
    present = _queries.estate(conn, code=values["code"])
    if values["closed"]:
        if present is None:
            raise Invalid("there is no such estate that could be closed")
        _queries.close_estate(conn, id=present.id, now=now)
        return Outcome.CLOSED
    _check_area(conn, values["area"])
    _check_place(values)
    property_id = None
    if values["property"] is not None:
        property_id = _queries.property_company(conn, code=values["property"])
        if property_id is None:
            raise Invalid(f"there is no property company {values['property']!r}")
    wanted = {name: values[name] for name in ("name", "longitude", "latitude", "address")}
    wanted |= {"property_id": property_id, "area_code": values["area"]}
    if present is None:
        _queries.insert_estate(conn, code=values["code"], now=now, **wanted)
        return Outcome.ADDED
    outcome = _outcome(present, wanted)
    if outcome is Outcome.CHANGED:
        _queries.update_estate(conn, id=present.id, **wanted)
    return outcome


def take_building(conn: Connection[Any], values: Values, *, now: datetime) -> Outcome:
    """A building by its estate and its code. Raises Invalid."""
    estate = _queries.estate(conn, code=values["estate"])
    if estate is None:
        raise Invalid(f"there is no estate {values['estate']!r}")
    present = _queries.building(conn, estate_id=estate.id, code=values["code"])
    if values["closed"]:
        if present is None:
            raise Invalid("there is no such building that could be closed")
        _queries.close_building(conn, id=present.id, now=now)
        return Outcome.CLOSED
    _check_area(conn, values["area"])
    _check_place(values)
    wanted = {name: values[name] for name in ("name", "floors", "households", "longitude", "latitude")}
    wanted |= {"area_code": values["area"]}
    if present is None:
        _queries.insert_building(conn, estate_id=estate.id, code=values["code"], now=now, **wanted)
        return Outcome.ADDED
    outcome = _outcome(present, wanted)
    if outcome is Outcome.CHANGED:
        _queries.update_building(conn, id=present.id, **wanted)
    return outcome


def take_member(conn: Connection[Any], values: Values, *, now: datetime) -> Outcome:
    """Somebody of a team, by area, kind, name and phone. Raises Invalid, and Conflict for a second lead."""
    kind: MemberKind = values["kind"]
    named = {"area_code": values["area"], "kind": kind.value, "name": values["name"], "phone": values["phone"]}
    present = _queries.member(conn, **named)
    if values["left"]:
        if present is None:
            raise Invalid("there is nobody like that in the team")
        _queries.member_leaves(conn, id=present.id, now=now)
        return Outcome.CLOSED
    _check_area(conn, values["area"])
    account_id = None
    if values["account"] is not None:
        account_id = person_named(conn, values["account"]).account_id
    if present is not None:
        if present.account_id == account_id:
            return Outcome.UNCHANGED
        _queries.set_member_account(conn, id=present.id, account_id=account_id)
        return Outcome.CHANGED
    if kind is MemberKind.LEAD and _queries.lead_of(conn, area_code=values["area"]) is not None:
        raise Conflict("the grid has a lead already: say first that he has left")
    _queries.insert_member(conn, account_id=account_id, now=now, **named)
    return Outcome.ADDED
