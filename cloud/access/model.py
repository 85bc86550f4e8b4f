"""Who may see what: roles, principals, areas. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """What a person does. 值班长, 受理员, 派遣员, 网格员, 网格长, 专业部门, 运维, 审计, 管理员."""

    DUTY_CHIEF = "duty_chief"
    INTAKE_CLERK = "intake_clerk"
    DISPATCHER = "dispatcher"
    GRID_WORKER = "grid_worker"
    GRID_LEAD = "grid_lead"
    DEPARTMENT = "department"
    MAINTAINER = "maintainer"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"


_NOWHERE = "\x7f"  # no path begins so: a person whose area is gone sees nothing, rather than everything


def scope_of(area_code: str | None, area_path: str | None) -> str:
    """The scope of an account: everything where it has no area, else the path of its area, None for one that is gone."""
    return "" if area_code is None else area_path or _NOWHERE


@dataclass(frozen=True, slots=True)
class Principal:
    """A signed-in person. `area_path` is the scope: all areas whose path starts with it; empty means everything.

    Whoever works for a department (专业部门) or a property company (物业) has its id, and sees of the cases in his scope
    those that it was ever told to handle.
    """

    user_id: int
    name: str
    display_name: str
    role: Role
    area_code: str | None
    area_path: str
    department_id: int | None = None

    def sees(self, area_path: str) -> bool:
        """Whether an area lies in this person's scope. What has no area (an empty path) is for those who see everything."""
        return area_path.startswith(self.area_path)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A principal with the session that carries it. `must_change_password`: until then it opens nothing else."""

    principal: Principal
    session_id: int
    expires_at: datetime
    by_cookie: bool = False
    must_change_password: bool = False


@dataclass(frozen=True, slots=True)
class Area:
    """One area (区, 街道, 社区 or 网格) as it is valid now. `path` ends in a slash and starts with its ancestors' codes."""

    area_id: int
    code: str
    level: str
    parent: str | None
    name: str
    path: str

    @property
    def ancestry(self) -> tuple[str, ...]:
        """Codes from the top down to this area itself."""
        return codes_of(self.path)


def codes_of(path: str) -> tuple[str, ...]:
    """The codes in a path, from the top down."""
    return tuple(code for code in path.split("/") if code)
