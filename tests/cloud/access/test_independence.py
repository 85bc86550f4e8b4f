"""Who is a second person beside whom: never somebody who had the password of the other in hand."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from cloud.access import accounts, administration, independence
from cloud.access.administration import AccountWish
from cloud.access.independence import APART_AFTER, is_independent
from cloud.access.model import Role
from cloud.errors import Forbidden
from tests.cloud.samples import NOW, STREET, principal

ADDRESS = "192.0.2.1"
WISH = AccountWish(display_name="second", role=Role.DUTY_CHIEF, area_code=STREET, department=None)
MOMENT = timedelta(seconds=1)


def changed(conn: Connection[Any], account_id: int, name: str) -> None:
    """The person makes the password his own."""
    accounts.replace_password(conn, account_id, name, "a long pass phrase of his own", now=NOW)


def test_an_account_is_its_makers_until_its_password_is_changed_and_for_some_days(conn: Connection[Any]) -> None:
    boss = principal(conn, "boss", Role.ADMINISTRATOR)
    other = principal(conn, "other", Role.DUTY_CHIEF)
    made, _ = administration.add(conn, boss, "second", WISH, now=NOW, address=ADDRESS)
    much_later = NOW + 10 * APART_AFTER
    assert not is_independent(conn, boss.user_id, made.id, much_later), "the password still is the one that was issued"
    changed(conn, made.id, "second")
    for one, two in ((boss.user_id, made.id), (made.id, boss.user_id)):
        assert not is_independent(conn, one, two, NOW + APART_AFTER - MOMENT)
        assert is_independent(conn, one, two, NOW + APART_AFTER)
        assert not is_independent(conn, one, two, much_later, acted_at=NOW + MOMENT), "whoever acted then was not known"
    assert is_independent(conn, made.id, other.user_id, NOW)
    assert not is_independent(conn, made.id, made.id, much_later)
    with pytest.raises(Forbidden):
        independence.check_independent(conn, made.id, boss.user_id, NOW)


def test_a_password_that_is_reset_puts_an_account_into_the_hands_of_who_did(conn: Connection[Any]) -> None:
    boss, victim = principal(conn, "boss", Role.ADMINISTRATOR), principal(conn, "victim", Role.DUTY_CHIEF)
    assert is_independent(conn, boss.user_id, victim.user_id, NOW)
    administration.reset_password(conn, boss, victim.user_id, now=NOW, address=ADDRESS)
    changed(conn, victim.user_id, "victim")  # by whoever was told the password
    assert not is_independent(conn, victim.user_id, boss.user_id, NOW)
    assert is_independent(conn, victim.user_id, boss.user_id, NOW + APART_AFTER)


def test_two_accounts_out_of_one_hand_are_one_person(conn: Connection[Any]) -> None:
    boss = principal(conn, "boss", Role.ADMINISTRATOR)
    one, _ = administration.add(conn, boss, "one", WISH, now=NOW, address=ADDRESS)
    two, _ = administration.add(conn, boss, "two", WISH, now=NOW, address=ADDRESS)
    assert not is_independent(conn, one.id, two.id, NOW)
    changed(conn, one.id, "one")
    changed(conn, two.id, "two")
    assert is_independent(conn, one.id, two.id, NOW + APART_AFTER)


def test_what_the_command_line_makes_is_nobodys(conn: Connection[Any]) -> None:
    ids = [
        accounts.add(conn, name=name, password="correct horse battery", role=Role.DUTY_CHIEF, now=NOW)
        for name in ("one", "two")
    ]
    assert is_independent(conn, ids[0], ids[1], NOW)


@given(
    issues=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 20)), max_size=8),
    kept=st.frozensets(st.integers(0, 4)),
    day=st.integers(0, 25),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_is_symmetric_and_follows_every_line_of_issuers(
    conn: Connection[Any], issues: list[tuple[int, int, int]], kept: frozenset[int], day: int
) -> None:
    with conn.transaction(force_rollback=True):
        people = [principal(conn, f"person-{number}", Role.ADMINISTRATOR) for number in range(5)]
        for by, to, at in issues:
            if by != to:
                independence.issued(conn, people[to].user_id, by=people[by].user_id, at=NOW + timedelta(days=at))
        for number in kept:
            conn.execute("update account set must_change_password = true where id = %s", [people[number].user_id])
        now = NOW + timedelta(days=day)
        counting = {
            (by, to)
            for by, to, at in issues
            if by != to and (to in kept or NOW + timedelta(days=at) > now - APART_AFTER)
        }
        for one in range(5):
            for two in range(5):
                apart = not _holders(one, counting) & _holders(two, counting)
                assert is_independent(conn, people[one].user_id, people[two].user_id, now) is apart, (one, two)


def _holders(account: int, issues: set[tuple[int, int]]) -> set[int]:
    """Whoever could sign in as this one: plainly, step by step."""
    held = {account}
    while more := {by for by, to in issues if to in held} - held:
        held |= more
    return held
