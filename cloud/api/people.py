"""Whom an order may name: departments, and people by their roles. Names alone."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from cloud.access import departments, people
from cloud.access.departments import Department
from cloud.access.model import Role
from cloud.api.dependencies import Conn, Insider, User
from cloud.api.paging import LARGEST_ID
from cloud.api.problems import RESPONSES
from cloud.cases import service as cases

router = APIRouter(prefix="/api/v1", tags=["people"], responses=RESPONSES)

OfCase = Annotated[
    int | None, Query(ge=1, le=LARGEST_ID, alias="case", description="Those who come into question for a case")
]


class DepartmentList(BaseModel):
    """Departments (专业部门), property companies (物业) and teams, by their names."""

    items: list[Department]


class PersonItem(BaseModel):
    """Somebody with an account."""

    id: int
    display_name: str
    role: Role
    area: str | None


class PersonList(BaseModel):
    """People by their names; `cut`: there are more."""

    items: list[PersonItem]
    cut: bool


@router.get("/departments", summary="Departments")
def list_departments(user: User, conn: Conn, case: OfCase = None) -> DepartmentList:
    """Those that work; with `case` those that work where the case is."""
    if case is None:
        return DepartmentList(items=departments.in_scope(conn, user.area_path))
    return DepartmentList(items=departments.in_area(conn, cases.area_path(conn, user, case)))


@router.get("/people", summary="People")
def list_people(
    user: Insider,
    conn: Conn,
    role: Annotated[list[Role] | None, Query(max_length=20)] = None,
    case: OfCase = None,
) -> PersonList:
    """In my scope; with `case` those who see the case."""
    path = cases.area_path(conn, user, case) if case is not None else None
    found = people.find(conn, user, roles=role or list(Role), seeing=path, count=people.MOST + 1)
    items = [PersonItem(id=each.id, display_name=each.display_name, role=each.role, area=each.area) for each in found]
    return PersonList(items=items[: people.MOST], cut=len(items) > people.MOST)
