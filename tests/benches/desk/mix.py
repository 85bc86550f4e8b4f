"""What is asked at a district's desks, by whom and how often: one table."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, LiteralString
from urllib.parse import parse_qsl, urlencode

import psycopg

from cloud.cases.model import OPEN_STATUSES
from tests.benches.desk.filling import DISTRICT

_VISIBLE = 400
_CASES: LiteralString = """
select c.id from grid_case c
where c.area_path ^@ %(path)s
  and (%(department)s::bigint is null
    or exists (select from case_department t where t.case_id = c.id and t.department_id = %(department)s offset 0))
"""
_CASES_OF_DEVICES: LiteralString = (
    _CASES.replace("c.id from", "c.device_id from") + " and c.device_id is not null order by c.id desc limit 200"
)
_WORKERS = 12
_DEPARTMENTS = 4


class Desk(StrEnum):
    """Who sits there."""

    CHIEF = "chief"
    DISPATCHER = "dispatcher"
    WORKER = "worker"
    DEPARTMENT = "department"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who signs in, with what there is to be seen for him."""

    name: str
    desk: Desk
    area: str | None
    areas: Sequence[str]
    open_cases: Sequence[int]
    closed_cases: Sequence[int]
    devices: Sequence[int]


Address = str
Draw = Callable[[random.Random, Person, Mapping[str, Any]], Address]
"""From a person and what his pages remember (`next`: where his last list goes on) the address of the next question."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of question. `weight` is its share of all, `group` what the issue calls it."""

    name: str
    group: str
    weight: int
    desks: Sequence[Desk]
    draw: Draw


def _at(path: str, *pairs: tuple[str, object]) -> Address:
    return f"/api/v1{path}" + (f"?{urlencode([(k, v) for k, v in pairs])}" if pairs else "")


def _list(*pairs: tuple[str, object]) -> Draw:
    return lambda _draw, _person, _memory: _at("/cases", *pairs)


def _list_of_area(draw: random.Random, person: Person, _memory: Mapping[str, Any]) -> Address:
    return _at("/cases", ("open", "true"), ("area", draw.choice(person.areas)))


def _list_of_device(draw: random.Random, person: Person, _memory: Mapping[str, Any]) -> Address:
    return _at("/cases", ("device", draw.choice(person.devices)))


def _rare(draw: random.Random, person: Person, _memory: Mapping[str, Any]) -> Address:
    """Few cases, or none, fit: the whole of what is open, or closed, is behind it."""
    status = draw.choice([("open", "true"), ("status", "closed"), ("status", "voided")])
    narrow: list[tuple[str, object]] = [
        ("kind", draw.choice(["stop_unconfirmed", "sos", "overlong_charge", "node_lost"])),
        ("severity", "critical"),
        ("area", draw.choice(person.areas)),
    ]
    return _at("/cases", status, *draw.sample(narrow, draw.randint(1, 2)))


def _page_after(draw: random.Random, person: Person, memory: Mapping[str, Any]) -> Address:
    address: Address | None = memory.get("next")
    return address or _at("/cases", ("area", draw.choice(person.areas)))


def next_page(address: Address, cursor: str | None) -> Address | None:
    """The page after the one at `address`, of the same list; None: it was the last."""
    path, _, query = address.partition("?")
    pairs = [pair for pair in parse_qsl(query) if pair[0] != "after"]
    return f"{path}?{urlencode([*pairs, ('after', cursor)])}" if cursor else None


def _deep(draw: random.Random, person: Person, memory: Mapping[str, Any]) -> Address:
    deep: Sequence[str] = memory["deep"]
    return _at("/cases", ("status", "closed"), ("after", draw.choice(deep)), ("area", draw.choice(person.areas)))


def _case(draw: random.Random, person: Person) -> int:
    """Mostly what is to be done; now and then what was."""
    return draw.choice(person.open_cases if draw.random() < 0.75 or not person.closed_cases else person.closed_cases)


def _detail(suffix: str = "") -> Draw:
    return lambda draw, person, _memory: _at(f"/cases/{_case(draw, person)}{suffix}")


def _map(level: str) -> Draw:
    return lambda _draw, person, _memory: _at(f"/areas/{person.area or DISTRICT}/geometry", ("level", level))


def _figures(path: str, *pairs: tuple[str, object]) -> Draw:
    return lambda _draw, _person, _memory: _at(path, *pairs)


def _clocks(light: str) -> Draw:
    return lambda _draw, _person, _memory: _at("/clocks", ("light", light))


_ALL = tuple(Desk)
_INSIDE = (Desk.CHIEF, Desk.DISPATCHER, Desk.WORKER)
_OFFICE = (Desk.CHIEF, Desk.DISPATCHER)

MIX: tuple[Kind, ...] = (
    Kind("list: open", "list", 14, _ALL, _list(("open", "true"))),
    Kind(
        "list: open, severe", "list", 5, _ALL, _list(("open", "true"), ("severity", "critical"), ("severity", "high"))
    ),
    Kind("list: reported", "list", 4, _INSIDE, _list(("status", "reported"))),
    Kind("list: open of an area", "list", 5, _OFFICE, _list_of_area),
    Kind("list: closed", "list", 4, _ALL, _list(("status", "closed"), ("limit", 100))),
    Kind("list: due first", "list", 4, _ALL, _list(("open", "true"), ("order", "due"))),
    Kind("list: due first, red", "list", 1, _OFFICE, _list(("order", "due"), ("light", "red"))),
    Kind("list: rare filters", "list", 5, _ALL, _rare),
    Kind("list: of a device", "list", 2, _INSIDE, _list_of_device),
    Kind("list: the page after", "list", 3, _ALL, _page_after),
    Kind("list: deep pages", "list", 2, _OFFICE, _deep),
    Kind("detail", "detail", 20, _ALL, _detail()),
    Kind("detail: clock", "detail", 6, _ALL, _detail("/clock")),
    Kind("detail: whistles", "detail", 3, _ALL, _detail("/whistles")),
    Kind("map: grids", "map", 4, _OFFICE, _map("grid")),
    Kind("map: communities", "map", 3, _ALL, _map("community")),
    Kind("map: areas", "map", 2, _ALL, _figures("/areas")),
    Kind("figures: now", "figures", 8, _ALL, _figures("/figures")),
    Kind("figures: report", "figures", 2, _OFFICE, _figures("/figures/report")),
    Kind("figures: day by day", "figures", 1, _OFFICE, _figures("/figures/series")),
    Kind("figures: ranking", "figures", 1, _OFFICE, _figures("/figures/ranking")),
    Kind("figures: heat", "figures", 1, _OFFICE, _figures("/figures/heat")),
    Kind("clocks: red", "clocks", 2, _ALL, _clocks("red")),
    Kind("clocks: amber", "clocks", 2, _ALL, _clocks("amber")),
    Kind("bell", "bell", 6, _ALL, _figures("/notices")),
)
"""Shares of a hundred, more or less; each is drawn by itself."""


def people(url: str) -> list[Person]:
    """Those who sit at the desks: where there is most to do, and where there is least."""
    with psycopg.connect(url, options="-c timezone=UTC") as conn:
        accounts = conn.execute(
            """
            with worker as (
                select a.name, row_number() over (order by count(c.id) desc, a.name) as busiest,
                    row_number() over (order by count(c.id), a.name) as idlest
                from account a join grid_case c on c.worker_id = a.id and c.status = any(%(open)s)
                where a.name ^@ 'worker-' group by a.name
            )
            select a.name, a.role, r.code, coalesce(r.path, ''), a.department_id
            from account a left join area r on r.code = a.area_code and r.valid_to is null
            where a.name ^@ 'desk-' and a.role in ('dispatcher')
                or a.name = 'chief-' || %(district)s || '-1' or a.name = 'chief-' || %(district)s || '-2'
                or a.name in (select name from worker where busiest <= %(workers)s / 2 or idlest <= %(workers)s / 2)
                or a.name in (select 'desk-' || n from generate_series(1, %(departments)s) n)
            order by a.name
            """,
            {"open": sorted(OPEN_STATUSES), "district": DISTRICT, "workers": _WORKERS, "departments": _DEPARTMENTS},
        ).fetchall()
        return [_person(conn, *row) for row in accounts]


def _person(  # noqa: PLR0917
    conn: psycopg.Connection[Any], name: str, role: str, area: str, path: str, department_id: int | None
) -> Person:
    desk = {"duty_chief": Desk.CHIEF, "grid_worker": Desk.WORKER}.get(role) or Desk(role)
    scope = {"path": path, "department": department_id, "open": sorted(OPEN_STATUSES), "count": _VISIBLE}

    def found(statement: LiteralString) -> list[Any]:
        return [row[0] for row in conn.execute(statement, scope)]

    return Person(
        name,
        desk,
        area,
        found("select code from area where valid_to is null and path ^@ %(path)s order by code"),
        found(_CASES + " and c.status = any(%(open)s) order by c.id desc limit %(count)s"),
        found(_CASES + " and c.status = 'closed' order by c.id desc limit %(count)s"),
        list(dict.fromkeys(found(_CASES_OF_DEVICES))),
    )
