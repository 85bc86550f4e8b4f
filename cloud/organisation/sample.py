"""A made-up district to try things with: 8 streets, 17 communities, 783 grids that tile it, 3,688 members of teams. Pure.

Grids are the cells of one lattice whose points are moved a little, so that neighbours share their points exactly: nothing
overlaps and nothing is left out. Codes are numbered from west to east and from north to south. The same seed makes the same district.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, Final

from cloud.access.model import Role
from cloud.organisation.model import MemberKind, SiteKind

_STREETS: Final = ("望春", "柳溪", "锦澜", "松坪", "云湾", "长桥", "青浦台", "星河")
_COMMUNITIES: Final = (
    "向阳", "清源", "和悦", "书香", "映月", "兰亭", "晨曦", "百合", "枫林", "听雨", "沁园", "雅苑", "金穗", "碧水", "文华", "安康", "朝霞",
)  # fmt: skip
_ESTATES: Final = ("花园", "家园", "新村", "里", "苑", "府", "公寓", "小区")
_SURNAMES: Final = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张"
_GIVEN: Final = "安邦晨达恩帆刚航佳康岚明宁平勤然珊涛婉欣妍泽志卓"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How large a district is: cells of its lattice, bands of streets from north to south, streets in a band, and so on."""

    columns: int = 27
    rows: int = 29
    bands: int = 4
    streets_in_band: int = 2
    communities_in_street: int = 2
    communities_in_first: int = 3
    members: int = 3_688
    estates_in_community: int = 4
    buildings_in_estate: int = 6

    @property
    def grids(self) -> int:
        """How many grids."""
        return self.columns * self.rows


@dataclass(frozen=True, slots=True)
class Block:
    """Cells from one column and row up to others, which are no part of it; rows count from the north."""

    left: int
    top: int
    right: int
    bottom: int

    def columns(self, parts: int) -> Iterator["Block"]:
        """Parts side by side, from west to east."""
        for begin, end in _parts(self.left, self.right, parts):
            yield Block(begin, self.top, end, self.bottom)

    def bands(self, parts: int) -> Iterator["Block"]:
        """Parts below each other, from north to south."""
        for begin, end in _parts(self.top, self.bottom, parts):
            yield Block(self.left, begin, self.right, end)

    def outline(self) -> list[tuple[int, int]]:
        """Its points on the lattice, against the clock, closed."""
        down = [(self.left, row) for row in range(self.top, self.bottom)]
        right = [(column, self.bottom) for column in range(self.left, self.right)]
        up = [(self.right, row) for row in range(self.bottom, self.top, -1)]
        left = [(column, self.top) for column in range(self.right, self.left, -1)]
        return [*down, *right, *up, *left, (self.left, self.top)]


def _parts(begin: int, end: int, parts: int) -> Iterator[tuple[int, int]]:
    size, left_over = divmod(end - begin, parts)
    for number in range(parts):
        stop = begin + size + (number < left_over)
        yield begin, stop
        begin = stop


@dataclass(frozen=True, slots=True)
class Unit:
    """An area with its place in the lattice."""

    code: str
    level: str
    name: str
    parent: str | None
    block: Block


@dataclass(frozen=True, slots=True)
class SampleAccount:
    """Somebody who can be on duty."""

    name: str
    display_name: str
    role: Role
    area_code: str


class SampleDistrict:
    """The district of a seed. Tables are rows of text as `cloud.organisation.exchange` reads them, their header first."""

    def __init__(self, code: str = "990101", *, seed: int = 1, layout: Layout | None = None) -> None:
        self.code = code
        self.layout = layout or Layout()
        self._seed = seed

    def _draw(self, what: str) -> random.Random:
        return random.Random(f"{self._seed} {what}")  # noqa: S311  # names and places of a sample

    @cached_property
    def units(self) -> list[Unit]:
        """All areas, from the top down."""
        lay = self.layout
        district = Unit(self.code, "district", "云上区", None, Block(0, 0, lay.columns, lay.rows))
        streets = [
            Unit(f"{self.code}{number:03}", "street", f"{_named(_STREETS, number)}街道", self.code, block)
            for number, block in enumerate(
                (block for band in district.block.bands(lay.bands) for block in band.columns(lay.streets_in_band)),
                start=1,
            )
        ]
        communities = [
            Unit(f"{street.code}{number:03}", "community", "", street.code, block)
            for index, street in enumerate(streets)
            for number, block in enumerate(
                street.block.columns(lay.communities_in_first if index == 0 else lay.communities_in_street), start=1
            )
        ]
        communities = [
            Unit(each.code, each.level, f"{_named(_COMMUNITIES, number)}社区", each.parent, each.block)
            for number, each in enumerate(communities, start=1)
        ]
        grids = [grid for community in communities for grid in _grids(community)]
        return [district, *streets, *communities, *grids]

    def of_level(self, level: str) -> list[Unit]:
        """The areas of a level."""
        return [unit for unit in self.units if unit.level == level]

    @cached_property
    def _points(self) -> dict[tuple[int, int], tuple[float, float]]:
        draw, found = self._draw("points"), {}
        for row in range(self.layout.rows + 1):
            for column in range(self.layout.columns + 1):
                east, north = 116.30 + 0.011 * column, 40.02 - 0.0075 * row
                found[column, row] = (
                    round(east + draw.uniform(-0.003, 0.003), 6),
                    round(north + draw.uniform(-0.002, 0.002), 6),
                )
        return found

    def areas(self) -> dict[str, Any]:
        """GeoJSON, as `cloud.access.areas.take_in` reads it."""
        return {"type": "FeatureCollection", "features": [self._feature(unit) for unit in self.units]}

    def _feature(self, unit: Unit) -> dict[str, Any]:
        ring = [list(self._points[point]) for point in unit.block.outline()]
        properties = {"code": unit.code, "level": unit.level, "name": unit.name, "parent": unit.parent}
        return {
            "type": "Feature",
            "properties": properties,
            "geometry": {"type": "Polygon", "coordinates": [ring]},
        }

    def _inside(self, unit: Unit) -> tuple[float, float]:
        """A place in an area: the middle of its middle cell."""
        block = unit.block
        column, row = (block.left + block.right) // 2, (block.top + block.bottom) // 2
        column, row = min(column, block.right - 1), min(row, block.bottom - 1)
        corners = [self._points[column + x, row + y] for x in (0, 1) for y in (0, 1)]
        return round(sum(x for x, _ in corners) / 4, 6), round(sum(y for _, y in corners) / 4, 6)

    def companies(self) -> list[tuple[str, str]]:
        """Property companies: code and name."""
        return [(f"property-{number}", f"{_named(_STREETS, number)}物业") for number in range(1, len(_STREETS) + 1)]

    def sites(self) -> list[Sequence[object]]:
        """Command centre, service centres, workstations, and two stations in each community."""
        rows: list[Sequence[object]] = [("code", "kind", "name", "area", "longitude", "latitude", "hours")]
        kinds = {
            "district": (SiteKind.COMMAND_CENTRE, "城市运行指挥中心", "24/7"),
            "street": (SiteKind.SERVICE_CENTRE, "综合服务中心", "1-5 08:30-17:30"),
            "community": (SiteKind.WORKSTATION, "工作站", "1-6 08:30-17:30"),
        }
        for unit in self.units:
            if unit.level in kinds:
                kind, name, hours = kinds[unit.level]
                rows.append((f"site-{unit.code}", kind, f"{unit.name}{name}", unit.code, *self._inside(unit), hours))
        for community in self.of_level("community"):
            for number, grid in enumerate(self._some_grids(community, 2, "stations"), start=1):
                name = f"{community.name}{number}号驿站"
                place = self._inside(grid)
                rows.append(
                    (f"stop-{community.code}-{number}", SiteKind.STATION, name, grid.code, *place, "1-7 07:00-21:00")
                )
        return rows

    def estates(self) -> list[Sequence[object]]:
        """Housing estates, each run by a company."""
        rows: list[Sequence[object]] = [("code", "name", "area", "property", "longitude", "latitude")]
        for estate, community, grid in self._estates():
            number = int(estate.rsplit("-", 1)[1])
            name = f"{community.name.removesuffix('社区')}{_named(_ESTATES, number)}"
            company = self.companies()[(number + len(community.code)) % len(_STREETS)][0]
            rows.append((estate, name, community.code, company, *self._inside(grid)))
        return rows

    def buildings(self) -> list[Sequence[object]]:
        """The buildings of the estates."""
        draw = self._draw("buildings")
        rows: list[Sequence[object]] = [
            ("estate", "code", "name", "area", "floors", "households", "longitude", "latitude")
        ]
        for estate, _, grid in self._estates():
            for number in range(1, self.layout.buildings_in_estate + 1):
                floors = draw.randint(6, 33)
                place = self._inside(grid)
                rows.append((estate, str(number), f"{number}号楼", grid.code, floors, floors * 4, *place))
        return rows

    def _estates(self) -> Iterator[tuple[str, Unit, Unit]]:
        for community in self.of_level("community"):
            grids = self._some_grids(community, self.layout.estates_in_community, "estates")
            for number, grid in enumerate(grids, start=1):
                yield f"estate-{community.code}-{number}", community, grid

    def _some_grids(self, community: Unit, count: int, what: str) -> list[Unit]:
        return self._draw(f"{what} {community.code}").choices(self._grids_of[community.code], k=count)

    @cached_property
    def _grids_of(self) -> dict[str, list[Unit]]:
        found: dict[str, list[Unit]] = {}
        for grid in self.of_level("grid"):
            found.setdefault(grid.parent or "", []).append(grid)
        return found

    def accounts(self) -> list[SampleAccount]:
        """Those who can be on duty: in each grid its worker and its lead, an officer in each community, three duty chiefs."""
        draw, found = self._draw("accounts"), []
        for grid in self.of_level("grid"):
            for word, role in (("worker", Role.GRID_WORKER), ("lead", Role.GRID_LEAD)):
                found.append(SampleAccount(f"{word}-{grid.code}", _person(draw), role, grid.parent or self.code))
        found += [
            SampleAccount(f"officer-{community.code}", _person(draw), Role.GRID_LEAD, community.code)
            for community in self.of_level("community")
        ]
        found += [SampleAccount(f"chief-{self.code}-{n}", _person(draw), Role.DUTY_CHIEF, self.code) for n in (1, 2, 3)]
        return found

    def members(self) -> list[Sequence[object]]:
        """The teams (1+5+N): in each grid its lead and a community worker with accounts, a sweeper and a volunteer; for each
        community police, urban management and market supervision, who serve all its grids; volunteers up to the number of all.
        """
        draw, names = self._draw("members"), {each.name: each.display_name for each in self.accounts()}
        rows: list[Sequence[object]] = []
        for grid in self.of_level("grid"):
            for kind, word in ((MemberKind.LEAD, "lead"), (MemberKind.COMMUNITY_WORKER, "worker")):
                account = f"{word}-{grid.code}"
                rows.append((grid.code, kind, names[account], _phone(len(rows)), account))
            for kind in (MemberKind.SANITATION, MemberKind.DYNAMIC):
                rows.append((grid.code, kind, _person(draw), _phone(len(rows)), ""))
        communities = self.of_level("community")
        each = max(0, self.layout.members - len(rows)) // len(communities)
        kinds = (MemberKind.POLICE, MemberKind.URBAN_MANAGEMENT, MemberKind.MARKET_SUPERVISION)
        for community in communities:
            for number in range(each):
                rows.append((community.code, kinds[number % 3], _person(draw), _phone(len(rows)), ""))
        while len(rows) < self.layout.members:
            grid = draw.choice(self.of_level("grid"))
            rows.append((grid.code, MemberKind.DYNAMIC, _person(draw), _phone(len(rows)), ""))
        return [("area", "kind", "name", "phone", "account"), *rows]

    def patterns(self, first_day: date) -> list[Sequence[object]]:
        """Shifts that come each week: workers by day, leads and officers on working days, three chiefs around the clock."""
        rows: list[Sequence[object]] = [("account", "area", "kind", "weekdays", "begins", "lasts_min", "first_day")]
        for grid in self.of_level("grid"):
            rows.append((f"worker-{grid.code}", grid.code, "grid_worker", "1-7", "08:00", 720, first_day))
            rows.append((f"lead-{grid.code}", grid.code, "grid_lead", "1-5", "08:30", 540, first_day))
        rows += [
            (f"officer-{community.code}", community.code, "duty_officer", "1-6", "08:30", 540, first_day)
            for community in self.of_level("community")
        ]
        for number, begins in enumerate(("00:00", "08:00", "16:00"), start=1):
            rows.append((f"chief-{self.code}-{number}", self.code, "duty_chief", "1-7", begins, 480, first_day))
        return rows

    def covers(self) -> list[Sequence[object]]:
        """Where somebody has to be on duty."""
        return [
            ("area", "level", "kind", "hours"),
            (self.code, "grid", "grid_worker", "1-7 08:00-20:00"),
            (self.code, "district", "duty_chief", "24/7"),
        ]


def _grids(community: Unit) -> Iterator[Unit]:
    block, number = community.block, 0
    for row in range(block.top, block.bottom):
        for column in range(block.left, block.right):
            number += 1
            cell = Block(column, row, column + 1, row + 1)
            yield Unit(f"{community.code}{number:03}", "grid", f"{community.name}第{number}网格", community.code, cell)


def _named(names: Sequence[str], number: int) -> str:
    """The name of a number, counted from 1; with a numeral where the names begin again."""
    turn, index = divmod(number - 1, len(names))
    return names[index] + (str(turn + 1) if turn else "")


def _person(draw: random.Random) -> str:
    return draw.choice(_SURNAMES) + "".join(draw.choices(_GIVEN, k=draw.choice((1, 2))))


def _phone(number: int) -> str:
    """A number that nobody has."""
    return f"000 {number // 10_000:04} {number % 10_000:04}"
