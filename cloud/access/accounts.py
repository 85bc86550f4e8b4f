"""Accounts: adding people, signing in with lock-out, changing passwords."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from cloud.access import areas, audit, departments, independence, passwords, policy, sessions
from cloud.access.model import Principal, Role, SignedIn, scope_of
from cloud.db.pool import Pool
from cloud.db.queries import load
from cloud.errors import Conflict, Forbidden, Invalid, LockedOut, NotFound, NotSignedIn

_queries = load("cloud.access")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class SignIn:
    """What came to the door."""

    name: str
    password: str
    address: str
    agent: str = ""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A session that has just begun."""

    token: str
    session: SignedIn


def add(
    conn: Connection[Any],
    *,
    name: str,
    password: str,
    role: Role,
    display_name: str | None = None,
    area_code: str | None = None,
    department: str | None = None,
    must_change: bool = False,
    now: datetime,
    actor: Principal | None = None,
    address: str | None = None,
) -> int:
    """Add a person; the account's id comes back. `department` is the code of the one for which the person works.

    `must_change`: the password is good for one log-in; `actor` is None at the command line.

    Raises Invalid for a name, password, area or department that can't be, Conflict when the name is taken.
    """
    if _NAME.fullmatch(name) is None:
        raise Invalid(
            "a name has 1 to 64 characters out of a-z, 0-9, dot, dash and underscore, and starts and ends with a letter or digit"
        )
    shown = name if display_name is None else display_name
    check_person(conn, display_name=shown, role=role, area_code=area_code, department=department)
    account_id: int | None = _queries.insert_account(
        conn,
        name=name,
        display_name=shown,
        role=role.value,
        area_code=area_code,
        department_id=departments.by_code(conn, department) if department is not None else None,
        password_hash=passwords.hash_password(password, name=name),
        must_change=must_change,
        now=now,
    )
    if account_id is None:
        raise Conflict(f"there is already an account {name!r}")
    if actor is not None:
        independence.issued(conn, account_id, by=actor.user_id, at=now)
    audit.write(
        conn,
        "account.added",
        f"account:{name}",
        actor=actor,
        actor_name=None if actor is not None else "command line",
        address=address,
        detail={"role": role.value, "area": area_code, "department": department},
    )
    return account_id


def check_person(
    conn: Connection[Any], *, display_name: str, role: Role, area_code: str | None, department: str | None
) -> None:
    """Raise Invalid for what no account can have."""
    if not 1 <= len(display_name) <= 100 or not display_name.isprintable():
        raise Invalid("a display name has 1 to 100 printable characters")
    if area_code is not None and areas.find(conn, area_code) is None:
        raise Invalid(f"no valid area has the code {area_code!r}")
    if (department is not None) != (role is Role.DEPARTMENT):
        raise Invalid("who has the role department, and nobody else, works for a department: say its code")


def sign_in(pool: Pool, attempt: SignIn, *, clock: Callable[[], datetime], lasts_s: float) -> Admitted:
    """Check a name and password, and begin a session.

    An attempt counts as failed, durably, before the password is looked at; only success takes that back. So neither a
    crash nor many attempts at once get around the lock-out. Raises LockedOut or NotSignedIn.
    """
    name = attempt.name if _NAME.fullmatch(attempt.name) else "?"
    network = policy.network_of(attempt.address)
    with pool.connection() as conn:
        subjects = policy.subjects(name, network, is_familiar=network in _familiar_networks(conn, name))
        count_attempt(conn, subjects, clock())
        account = _queries.account_by_name(conn, name=name)
    usable = account is not None and account.disabled_at is None
    right = passwords.is_right(attempt.password, account.password_hash if usable else None)
    with pool.connection() as conn:
        now = clock()
        if not right:
            audit.write(conn, "session.refused", f"account:{name}", actor_name=name, address=attempt.address)
        else:
            # address and account get back one attempt, not all: who knows one password shall not guess others for ever
            for subject in sorted(subjects):  # in the order of `count_attempt`
                if subject == policy.pair_subject(name, network):
                    _queries.forget_attempts(conn, subject=subject)
                else:
                    _queries.take_back_attempt(conn, subject=subject)
            if passwords.is_outdated(account.password_hash):
                _queries.rehash_password(
                    conn,
                    account_id=account.id,
                    old_hash=account.password_hash,
                    new_hash=passwords.rehash(attempt.password),
                )
            token, session_id = sessions.start(
                conn, account.id, now=now, lasts_s=lasts_s, address=attempt.address, agent=attempt.agent
            )
            session = sessions.refresh(conn, session_id, now=now)
            if session is not None:
                audit.write(
                    conn, "session.started", f"account:{name}", actor=session.principal, address=attempt.address
                )
                return Admitted(token, session)
    raise NotSignedIn("name or password is wrong")


def _familiar_networks(conn: Connection[Any], name: str) -> set[str]:
    """From where the account has signed in of late: as long as its sessions are kept."""
    return {policy.network_of(row.address) for row in _queries.addresses_of_account(conn, name=name)}


def forget_attempts(conn: Connection[Any], subject: str) -> None:
    """What was tried in vain by this subject counts no more."""
    _queries.forget_attempts(conn, subject=subject)


def count_attempt(conn: Connection[Any], subjects: dict[str, policy.Allowance], now: datetime) -> None:
    """Count an attempt as failed for each subject, before it is looked at. Raises LockedOut where one has to wait."""
    standing = {}
    for subject in sorted(subjects):  # one order for all, so that two attempts can't deadlock
        row = _queries.lock_attempts(conn, subject=subject, now=now)
        standing[subject] = (row.failures, row.last_at)
    judged = policy.judge(subjects, standing, now)
    if judged.wait_s > 0:
        raise LockedOut(judged.wait_s)
    for subject, failures in sorted(judged.failures.items()):
        _queries.count_attempt(conn, subject=subject, failures=failures, now=now)


def set_password(conn: Connection[Any], name: str, password: str, *, now: datetime) -> None:
    """Change a password and end all sessions of the account. Raises NotFound, Invalid."""
    account_id = _account_id(conn, name)
    replace_password(conn, account_id, name, password, now=now)
    sessions.revoke_all(conn, account_id, now=now)
    audit.write(conn, "account.password_changed", f"account:{name}", actor_name="command line")


def replace_password(
    conn: Connection[Any], account_id: int, name: str, password: str, *, must_change: bool = False, now: datetime
) -> None:
    """Put a new password in place, and forget what was tried in vain before. Raises Invalid."""
    hashed = passwords.hash_password(password, name=name)
    _queries.set_password(conn, account_id=account_id, password_hash=hashed, must_change=must_change, now=now)
    forget_all_attempts(conn, name)


def forget_all_attempts(conn: Connection[Any], name: str) -> None:
    """What was tried in vain at this account counts no more, from wherever."""
    _queries.forget_attempts(conn, subject=policy.account_subject(name))
    _queries.forget_attempts_below(conn, prefix=policy.pair_subject(name, ""))


def change_own_password(
    pool: Pool, session: SignedIn, current: str, password: str, *, clock: Callable[[], datetime], address: str
) -> None:
    """A person changes his password; his other sessions end.

    A wrong `current` counts as a failed attempt does. Raises LockedOut, Forbidden for a wrong one, Invalid for the same again.
    """
    who = session.principal
    subject = policy.pair_subject(who.name, policy.network_of(address))
    with pool.connection() as conn:
        count_attempt(conn, {subject: policy.PER_ACCOUNT_AND_ADDRESS}, clock())
        kept = _queries.password_of(conn, account_id=who.user_id)
    if not passwords.is_right(current, kept):
        with pool.connection() as conn:
            audit.write(conn, "account.password_refused", f"account:{who.name}", actor=who, address=address)
        raise Forbidden("the present password is wrong")
    if password == current:
        raise Invalid("the new password is the old one")
    with pool.connection() as conn:
        now = clock()
        replace_password(conn, who.user_id, who.name, password, now=now)
        sessions.revoke_others(conn, who.user_id, session.session_id, now=now)
        audit.write(conn, "account.password_changed", f"account:{who.name}", actor=who, address=address)


def disable(conn: Connection[Any], name: str, *, now: datetime) -> None:
    """Close an account and end its sessions; its history stays. Raises NotFound."""
    account_id = _account_id(conn, name)
    _queries.disable_account(conn, account_id=account_id, now=now)
    sessions.revoke_all(conn, account_id, now=now)
    audit.write(conn, "account.disabled", f"account:{name}", actor_name="command line")


def everyone(conn: Connection[Any]) -> list[dict[str, Any]]:
    """All accounts, without their secrets."""
    return [row._asdict() for row in _queries.accounts(conn)]


def in_use(conn: Connection[Any], name: str) -> Principal | None:
    """Who has this account, with what he may see; None when there is none, or it is disabled."""
    row = _queries.account_in_use(conn, name=name) if _NAME.fullmatch(name) else None
    if row is None:
        return None
    scope = scope_of(row.area_code, row.area_path)
    return Principal(row.id, row.name, row.display_name, Role(row.role), row.area_code, scope, row.department_id)


def _account_id(conn: Connection[Any], name: str) -> int:
    row = _queries.account_by_name(conn, name=name) if _NAME.fullmatch(name) else None
    if row is None:
        raise NotFound(f"there is no account {name!r}")
    account_id: int = row.id
    return account_id
