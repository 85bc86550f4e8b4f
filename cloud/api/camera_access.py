"""Who may look through whose cameras: administrators read and change the rules."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from cloud.access import camera_access, sight
from cloud.access.camera_access import SightRow
from cloud.access.model import Principal, Role
from cloud.access.sight import SightRule
from cloud.api.dependencies import Conn, Parts, client_address, require
from cloud.api.paging import LARGEST_ID
from cloud.api.problems import RESPONSES

router = APIRouter(prefix="/api/v1/camera-access", tags=["access"], responses=RESPONSES)

Administrator = Annotated[Principal, Depends(require(Role.ADMINISTRATOR))]
Id = Annotated[int, Field(ge=1, le=LARGEST_ID)]


class CameraRule(BaseModel):
    """Whether one role, one department or one person may look at the cameras of an owner (empty: those of which nobody told)."""

    model_config = ConfigDict(extra="forbid")

    owner: Annotated[str, Field(pattern=r"^(?:[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?)?$")]
    allowed: bool
    role: Role | None = None
    department_id: Id | None = None
    account_id: Id | None = None


class CameraRuleRow(CameraRule):
    """A rule that stands; `department` and `account` are the code and the name."""

    id: int
    department: str | None
    account: str | None
    set_by: str
    set_at: AwareDatetime

    @classmethod
    def of(cls, row: SightRow) -> "CameraRuleRow":
        """The rule as it is told."""
        return cls(
            id=row.id,
            owner=row.rule.owner,
            allowed=row.rule.allowed,
            role=row.rule.role,
            department_id=row.rule.department_id,
            account_id=row.rule.account_id,
            department=row.department,
            account=row.account,
            set_by=row.set_by,
            set_at=row.set_at,
        )


class RoleSight(BaseModel):
    """What a role may look at by default: all cameras but those of `but`, or none but those. A department: its own too."""

    role: Role
    everything: bool
    but: list[str]


class CameraAccess(BaseModel):
    """The default, the rules that say otherwise (a person's before his department's before his role's), and whose cameras there are."""

    owners: list[str]
    defaults: list[RoleSight]
    rules: list[CameraRuleRow]


@router.get("", summary="Who may look through whose cameras")
def read_camera_access(_user: Administrator, conn: Conn) -> CameraAccess:
    """The default by role, and the rules that say otherwise."""
    defaults = ((role, sight.default(role, None)) for role in Role)
    return CameraAccess(
        owners=camera_access.owners(conn),
        defaults=[
            RoleSight(role=role, everything=found.others, but=sorted(found.exceptions)) for role, found in defaults
        ],
        rules=[CameraRuleRow.of(row) for row in camera_access.rules(conn)],
    )


@router.put("", status_code=HTTPStatus.NO_CONTENT, summary="Say who may look through whose cameras")
def put_camera_rule(user: Administrator, rule: CameraRule, conn: Conn, request: Request, parts: Parts) -> None:
    """Holds from the next picture on. Replaces an earlier rule for the same; 403 for an administrator of a part of the district."""
    camera_access.put(
        conn,
        SightRule(
            owner=rule.owner,
            allowed=rule.allowed,
            role=rule.role,
            department_id=rule.department_id,
            account_id=rule.account_id,
        ),
        actor=user,
        now=parts.clock(),
        address=client_address(request),
    )


@router.delete("/{rule_id}", status_code=HTTPStatus.NO_CONTENT, summary="Have the default hold again")
def drop_camera_rule(
    user: Administrator, rule_id: Annotated[int, Path(ge=1, le=LARGEST_ID)], conn: Conn, request: Request
) -> None:
    """404 where no such rule stands."""
    camera_access.drop(conn, rule_id, actor=user, address=client_address(request))
