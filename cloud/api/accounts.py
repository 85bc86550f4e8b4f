"""Accounts of people: for administrators, as far as their own area reaches."""

from enum import StrEnum
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from cloud.access import administration
from cloud.access.administration import AccountFilter, AccountWish
from cloud.access.model import Principal, Role
from cloud.api.dependencies import Conn, Parts, client_address, require
from cloud.api.paging import LARGEST_ID, After, Limit, decode_cursor, encode_cursor
from cloud.api.parameters import Code, Name
from cloud.api.problems import RESPONSES
from cloud.api.session import SessionItem, SessionList

router = APIRouter(prefix="/api/v1/accounts", tags=["access"], responses=RESPONSES)

Administrator = Annotated[Principal, Depends(require(Role.ADMINISTRATOR))]
AccountId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
DisplayName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00]*$")
]
DepartmentCode = Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{1,32}$")]


class AccountAction(StrEnum):
    """What is done with an account beside changing it."""

    CLOSE = "close"
    REOPEN = "reopen"
    RESET_PASSWORD = "reset_password"  # noqa: S105  # a word, no password
    UNLOCK = "unlock"


class Account(BaseModel):
    """A person's account. `locked_s`: so long nobody gets in from some address, for what was tried there in vain."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    display_name: str
    role: Role
    area_code: str | None
    area_name: str | None
    department: str | None
    created_at: AwareDatetime
    disabled_at: AwareDatetime | None
    password_changed_at: AwareDatetime
    must_change_password: bool
    signed_in_at: AwareDatetime | None
    locked_s: int


class AccountWithPassword(Account):
    """An account with its new password, which is good for one log-in and told only here; null where none was made."""

    password: str | None


class AccountPage(BaseModel):
    """A page of accounts by name; `next` is the cursor of the page after it."""

    items: list[Account]
    next: str | None


class AccountChange(BaseModel):
    """What an account is to be, all of it. Without an area its scope is everything; `department` is for that role alone."""

    model_config = ConfigDict(extra="forbid")

    display_name: DisplayName
    role: Role
    area_code: Code | None = None
    department: DepartmentCode | None = None


class NewAccount(AccountChange):
    """A person who is to sign in by this name."""

    name: Name


class AccountOrder(BaseModel):
    """What to do with an account."""

    model_config = ConfigDict(extra="forbid")

    action: AccountAction


@router.get("", summary="Accounts in my area")
def list_accounts(
    user: Administrator,
    conn: Conn,
    parts: Parts,
    *,
    role: Annotated[Role | None, Query()] = None,
    text: Annotated[str | None, Query(min_length=1, max_length=100, pattern=r"^[^\x00]*$")] = None,
    closed: Annotated[bool | None, Query(description="Only those that are closed, or only the others")] = None,
    limit: Limit = 50,
    after: After = None,
) -> AccountPage:
    """By name; `text` is a part of a name."""
    (begin,) = decode_cursor(after, str) if after is not None else ("",)
    wanted = AccountFilter(role=role, text=text, closed=closed)
    found = administration.page(conn, user, wanted, after=str(begin), count=limit + 1, now=parts.clock())
    items = [Account.model_validate(account) for account in found[:limit]]
    return AccountPage(items=items, next=encode_cursor(items[-1].name) if len(found) > limit else None)


@router.post("", status_code=HTTPStatus.CREATED, summary="Add a person")
def add_account(
    user: Administrator, wish: NewAccount, conn: Conn, request: Request, parts: Parts
) -> AccountWithPassword:
    """With a password that is told here and good for one log-in. 409 when the name is taken."""
    made, password = administration.add(
        conn, user, wish.name, _wish(wish), now=parts.clock(), address=client_address(request)
    )
    return AccountWithPassword(**Account.model_validate(made).model_dump(), password=password)


@router.get("/{account_id}", summary="One account")
def read_account(user: Administrator, account_id: AccountId, conn: Conn, parts: Parts) -> Account:
    """404 also outside of my area."""
    return Account.model_validate(administration.find(conn, user, account_id, now=parts.clock()))


@router.put("/{account_id}", summary="Change an account")
def change_account(
    *, user: Administrator, account_id: AccountId, wish: AccountChange, conn: Conn, request: Request, parts: Parts
) -> Account:
    """Holds from the person's next request on. 409 for one's own role or area."""
    changed = administration.change(
        conn, user, account_id, _wish(wish), now=parts.clock(), address=client_address(request)
    )
    return Account.model_validate(changed)


@router.post("/{account_id}/actions", summary="Close an account, open it again, give a new password, lift a lock-out")
def act_on_account(
    *, user: Administrator, account_id: AccountId, order: AccountOrder, conn: Conn, request: Request, parts: Parts
) -> AccountWithPassword:
    """409 where it is closed (or not) already, and for one's own account."""
    now, address = parts.clock(), client_address(request)
    password: str | None = None
    if order.action is AccountAction.CLOSE:
        account = administration.close(conn, user, account_id, now=now, address=address)
    elif order.action is AccountAction.REOPEN:
        account = administration.reopen(conn, user, account_id, now=now, address=address)
    elif order.action is AccountAction.UNLOCK:
        account = administration.unlock(conn, user, account_id, now=now, address=address)
    else:
        account, password = administration.reset_password(conn, user, account_id, now=now, address=address)
    return AccountWithPassword(**Account.model_validate(account).model_dump(), password=password)


@router.get("/{account_id}/sessions", summary="Where a person is signed in")
def list_sessions_of_account(user: Administrator, account_id: AccountId, conn: Conn, parts: Parts) -> SessionList:
    """The running sessions, the newest first."""
    found = administration.sessions_of(conn, user, account_id, now=parts.clock())
    return SessionList(items=[SessionItem.of(session, current=None) for session in found])


@router.delete("/{account_id}/sessions", status_code=HTTPStatus.NO_CONTENT, summary="Sign a person out everywhere")
def end_sessions_of_account(
    user: Administrator, account_id: AccountId, conn: Conn, request: Request, parts: Parts
) -> None:
    """Live streams end too."""
    administration.end_sessions(conn, user, account_id, now=parts.clock(), address=client_address(request))


def _wish(change: AccountChange) -> AccountWish:
    return AccountWish(
        display_name=change.display_name,
        role=change.role,
        area_code=change.area_code,
        department=change.department,
    )
