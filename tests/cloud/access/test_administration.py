"""What administrators do with accounts, and what they can't do to one another or themselves."""

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from psycopg import Connection

from cloud.access import accounts, administration, policy, sessions
from cloud.access.administration import AccountFilter, AccountWish
from cloud.access.model import Principal, Role
from cloud.errors import CloudError, Conflict, Invalid, NotFound
from tests.cloud.samples import GRID, NOW, OTHER_GRID, STREET, principal

WISH = AccountWish(display_name="王 小明", role=Role.GRID_WORKER, area_code=GRID, department=None)
ADDRESS = "192.0.2.1"


def told(conn: Connection[Any]) -> list[str]:
    return [row[0] for row in conn.execute("select action from audit where action like 'account.%' order by id")]


def admin(conn: Connection[Any], name: str = "admin", area: str | None = None) -> Principal:
    return principal(conn, name, Role.ADMINISTRATOR, area)


def test_an_account_from_adding_to_closing(conn: Connection[Any]) -> None:
    boss = admin(conn)
    made, password = administration.add(conn, boss, "wang", WISH, now=NOW, address=ADDRESS)
    assert made.must_change_password
    assert (made.area_name is not None, made.role, made.display_name) == (True, Role.GRID_WORKER, "王 小明")
    assert len(password) >= 16
    _, session_id = sessions.start(conn, made.id, now=NOW, lasts_s=60, address=ADDRESS, agent="")
    moved = replace(WISH, role=Role.GRID_LEAD, area_code=STREET)
    assert administration.change(conn, boss, made.id, moved, now=NOW, address=ADDRESS).role is Role.GRID_LEAD
    refreshed = sessions.refresh(conn, session_id, now=NOW)
    assert refreshed is not None
    assert (refreshed.principal.role, refreshed.principal.area_code) == (Role.GRID_LEAD, STREET)
    assert [each.id for each in administration.sessions_of(conn, boss, made.id, now=NOW)] == [session_id]
    closed = administration.close(conn, boss, made.id, now=NOW, address=ADDRESS)
    assert closed.disabled_at == NOW
    assert sessions.refresh(conn, session_id, now=NOW) is None
    with pytest.raises(Conflict):
        administration.close(conn, boss, made.id, now=NOW, address=ADDRESS)
    assert administration.reopen(conn, boss, made.id, now=NOW, address=ADDRESS).disabled_at is None
    assert sessions.refresh(conn, session_id, now=NOW) is None, "a session that ended stays over"
    _, other = administration.reset_password(conn, boss, made.id, now=NOW, address=ADDRESS)
    assert other != password
    actions = ["account.added", "account.changed", "account.disabled", "account.enabled", "account.password_reset"]
    assert told(conn)[-5:] == actions
    [detail] = conn.execute("select detail from audit where action = 'account.changed'").fetchone() or [None]
    assert detail["role"] == {"from": "grid_worker", "to": "grid_lead"}
    for row in conn.execute("select a::text from audit a").fetchall():
        assert password not in row[0]
        assert other not in row[0]


def test_an_administrator_reaches_as_far_as_his_area(conn: Connection[Any]) -> None:
    admin(conn)
    of_street = admin(conn, "street-admin", STREET)
    far, _ = administration.add(
        conn, admin(conn, "other"), "far", replace(WISH, area_code=OTHER_GRID), now=NOW, address=ADDRESS
    )
    seen = administration.page(conn, of_street, AccountFilter(), count=50, now=NOW)
    assert {account.name for account in seen} == {"street-admin"}
    for refused in (replace(WISH, area_code=None), replace(WISH, area_code=OTHER_GRID)):
        with pytest.raises((Invalid, NotFound)):
            administration.add(conn, of_street, "near", refused, now=NOW, address=ADDRESS)
    near, _ = administration.add(conn, of_street, "near", WISH, now=NOW, address=ADDRESS)
    with pytest.raises((Invalid, NotFound)):
        administration.change(conn, of_street, near.id, replace(WISH, area_code=None), now=NOW, address=ADDRESS)
    for action in (
        administration.close,
        administration.reset_password,
        administration.unlock,
        administration.end_sessions,
    ):
        with pytest.raises(NotFound):
            action(conn, of_street, far.id, now=NOW, address=ADDRESS)


def test_nobody_shuts_himself_out(conn: Connection[Any]) -> None:
    boss = admin(conn)
    own = AccountWish(display_name="Boss", role=Role.ADMINISTRATOR, area_code=None, department=None)
    assert administration.change(conn, boss, boss.user_id, own, now=NOW, address=ADDRESS).display_name == "Boss"
    for lesser in (replace(own, role=Role.AUDITOR), replace(own, area_code=GRID)):
        with pytest.raises(Conflict):
            administration.change(conn, boss, boss.user_id, lesser, now=NOW, address=ADDRESS)
    for action in (administration.close, administration.reset_password):
        with pytest.raises(Conflict):
            action(conn, boss, boss.user_id, now=NOW, address=ADDRESS)


@pytest.mark.parametrize("seed", range(5))
def test_whatever_administrators_do_to_one_another_one_stays(conn: Connection[Any], seed: int) -> None:
    """Also where one acts who has been closed a moment ago: his request was under way."""
    draw = random.Random(seed)  # noqa: S311  # the order of a test
    chiefs = [admin(conn, f"admin-{number}") for number in range(3)]
    for _ in range(30):
        actor, target = draw.choice(chiefs), draw.choice(chiefs)
        wish = AccountWish(
            display_name="x",
            role=draw.choice([Role.ADMINISTRATOR, Role.AUDITOR]),
            area_code=draw.choice([None, GRID]),
            department=None,
        )
        conn.execute("savepoint attempt")
        try:
            if draw.random() < 0.5:
                administration.close(conn, actor, target.user_id, now=NOW, address=ADDRESS)
            else:
                administration.change(conn, actor, target.user_id, wish, now=NOW, address=ADDRESS)
        except CloudError:
            conn.execute("rollback to savepoint attempt")
        left = conn.execute(
            "select count(*) from account where role = 'administrator' and area_code is null and disabled_at is null"
        ).fetchone()
        assert left is not None
        assert left[0] >= 1


def test_a_lock_out_is_seen_and_lifted(conn: Connection[Any]) -> None:
    boss = admin(conn)
    made, _ = administration.add(conn, boss, "wang", WISH, now=NOW, address=ADDRESS)
    subjects = policy.subjects("wang", "192.0.2.9", is_familiar=False)
    for _ in range(policy.PER_ACCOUNT_AND_ADDRESS.free):
        accounts.count_attempt(conn, subjects, NOW)
    locked = administration.find(conn, boss, made.id, now=NOW)
    assert locked.locked_s >= 1
    assert administration.find(conn, boss, made.id, now=NOW + timedelta(hours=2)).locked_s == 0
    assert administration.unlock(conn, boss, made.id, now=NOW, address=ADDRESS).locked_s == 0
    accounts.count_attempt(conn, subjects, NOW)


def test_accounts_are_found_by_part_of_a_name_role_and_whether_they_are_open(conn: Connection[Any]) -> None:
    boss = admin(conn)
    for name in ("wang", "li", "zhang"):
        administration.add(conn, boss, name, replace(WISH, display_name=name.upper()), now=NOW, address=ADDRESS)
    closed = administration.page(conn, boss, AccountFilter(text="LI"), count=5, now=NOW)
    administration.close(conn, boss, closed[0].id, now=NOW, address=ADDRESS)

    def names(**wanted: Any) -> list[str]:
        return [one.name for one in administration.page(conn, boss, AccountFilter(**wanted), count=5, now=NOW)]

    assert names(text="ang") == ["wang", "zhang"]
    assert names(text="%") == []
    assert names(closed=True) == ["li"]
    assert names(role=Role.ADMINISTRATOR) == ["admin"]
    second = administration.page(conn, boss, AccountFilter(), after="li", count=5, now=NOW)
    assert [one.name for one in second] == ["wang", "zhang"]


@pytest.mark.parametrize(
    "wish",
    [
        replace(WISH, display_name=""),
        replace(WISH, display_name="a\nb"),
        replace(WISH, area_code="110199"),
        replace(WISH, role=Role.DEPARTMENT),
        replace(WISH, department="water"),
        replace(WISH, role=Role.DEPARTMENT, department="nobody"),
    ],
    ids=str,
)
def test_what_no_account_can_be_is_refused(conn: Connection[Any], wish: AccountWish) -> None:
    boss = admin(conn)
    made, _ = administration.add(conn, boss, "wang", WISH, now=NOW, address=ADDRESS)
    with pytest.raises(Invalid):
        administration.add(conn, boss, "li", wish, now=NOW, address=ADDRESS)
    with pytest.raises(Invalid):
        administration.change(conn, boss, made.id, wish, now=NOW, address=ADDRESS)
