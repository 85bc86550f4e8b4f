"""API keys of other programs: administrators make and revoke them."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from cloud.access import api_keys
from cloud.access.api_keys import LONGEST_DAYS, MAXIMUM_PER_MINUTE, KeyScope, KeyWish
from cloud.access.model import Principal, Role
from cloud.api.dependencies import Conn, Machine, Parts, client_address, require
from cloud.api.paging import LARGEST_ID
from cloud.api.parameters import Code, Name
from cloud.api.problems import RESPONSES

router = APIRouter(prefix="/api/v1", tags=["access"], responses=RESPONSES)

Administrator = Annotated[Principal, Depends(require(Role.ADMINISTRATOR))]


class ApiKeyWish(BaseModel):
    """What a key is to open, where (without an area: everywhere), until when, and how often a minute."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    scopes: Annotated[list[KeyScope], Field(min_length=1, max_length=10)]
    area_code: Code | None = None
    days: Annotated[int, Field(ge=1, le=LONGEST_DAYS)] = 365
    per_minute: Annotated[int, Field(ge=1, le=MAXIMUM_PER_MINUTE)] = 60


class ApiKeyRow(BaseModel):
    """A key without its secret. `used_at` is right to within ten minutes."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    begins_with: str
    scopes: list[KeyScope]
    area_code: str | None
    per_minute: int
    made_by: str
    made_at: AwareDatetime
    expires_at: AwareDatetime
    revoked_at: AwareDatetime | None
    used_at: AwareDatetime | None


class NewApiKey(ApiKeyRow):
    """A new key; `secret` is the whole of it and is told only here."""

    secret: str


class ApiKeyList(BaseModel):
    """Keys, the newest first."""

    items: list[ApiKeyRow]


class OwnKey(BaseModel):
    """What the key of the caller opens, and where."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    scopes: list[KeyScope]
    area_code: str | None
    per_minute: int


@router.get("/api-key", summary="What my API key opens")
def read_own_key(caller: Machine) -> OwnKey:
    """For other programs: to try a key before it is used. 401 for one that is unknown, over or revoked."""
    return OwnKey.model_validate(caller)


@router.get("/api-keys", summary="API keys")
def list_api_keys(user: Administrator, conn: Conn) -> ApiKeyList:
    """Those that act in my area; revoked and expired ones too."""
    return ApiKeyList(items=[ApiKeyRow.model_validate(key) for key in api_keys.everything(conn, user)])


@router.post("/api-keys", status_code=HTTPStatus.CREATED, summary="Make an API key")
def make_api_key(user: Administrator, wish: ApiKeyWish, conn: Conn, request: Request, parts: Parts) -> NewApiKey:
    """The whole key comes back, once. 409 when a key in use has this name."""
    made = api_keys.make(
        conn,
        KeyWish(
            name=wish.name,
            scopes=frozenset(wish.scopes),
            area_code=wish.area_code,
            days=wish.days,
            per_minute=wish.per_minute,
        ),
        now=parts.clock(),
        actor=user,
        address=client_address(request),
    )
    return NewApiKey(**ApiKeyRow.model_validate(made.key).model_dump(), secret=made.secret)


@router.delete("/api-keys/{key_id}", status_code=HTTPStatus.NO_CONTENT, summary="Revoke an API key")
def revoke_api_key(
    user: Administrator, key_id: Annotated[int, Path(ge=1, le=LARGEST_ID)], conn: Conn, request: Request, parts: Parts
) -> None:
    """It opens nothing any more, from the next request on."""
    api_keys.revoke(conn, key_id, now=parts.clock(), actor=user, address=client_address(request))
