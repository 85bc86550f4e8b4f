from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from psycopg import Connection

from cloud.access import api_keys
from cloud.access.api_keys import MAXIMUM_KEYS, USED_AT_WITHIN, KeyScope, KeyWish
from cloud.access.model import Role
from cloud.access.policy import PER_ADDRESS
from cloud.errors import Conflict, Invalid, LockedOut, NotFound
from tests.cloud.samples import GRID, NOW, OTHER_GRID, STREET, principal

WISH = KeyWish(name="hotline", scopes=frozenset({KeyScope.INTAKE}), days=30)


def test_a_key_opens_what_it_was_made_for_until_its_day(conn: Connection[Any]) -> None:
    made = api_keys.make(conn, replace(WISH, area_code=STREET), now=NOW)
    found = api_keys.find(conn, made.secret, now=NOW)
    assert found is not None
    assert (found.name, found.scopes, found.area_code, found.actor_name) == (
        "hotline",
        frozenset({KeyScope.INTAKE}),
        STREET,
        "key:hotline",
    )
    assert found.sees(f"110105/{STREET}/")
    assert not found.sees("110105/110105003/")
    assert api_keys.find(conn, made.secret, now=NOW + timedelta(days=30) - timedelta(seconds=1)) is not None
    assert api_keys.find(conn, made.secret, now=NOW + timedelta(days=30)) is None


def test_the_secret_is_kept_nowhere(conn: Connection[Any]) -> None:
    made = api_keys.make(conn, WISH, now=NOW)
    secret = made.secret.rpartition("_")[2]
    for table in ("api_key", "audit"):
        for row in conn.execute(f"select t::text from {table} t").fetchall():  # noqa: S608  # names of our own
            assert secret not in row[0]
    assert made.secret.startswith(made.key.begins_with)


def test_whatever_differs_by_a_character_opens_nothing(conn: Connection[Any]) -> None:
    made = api_keys.make(conn, WISH, now=NOW)
    other = api_keys.make(conn, replace(WISH, name="other"), now=NOW)
    wrong = [
        "",
        "gwk_",
        made.secret[:-1],
        made.secret + "A",
        made.secret.upper(),
        made.secret.removeprefix("gwk_"),
        made.key.begins_with + "_" + other.secret.rpartition("_")[2],
        made.key.begins_with + "_" + "\u00e9" * 43,
        made.secret + "\n",
    ]
    assert [key for key in wrong if api_keys.find(conn, key, now=NOW) is not None] == []


def test_a_revoked_key_is_over_at_once_and_its_name_free(conn: Connection[Any]) -> None:
    made = api_keys.make(conn, WISH, now=NOW)
    with pytest.raises(Conflict):
        api_keys.make(conn, WISH, now=NOW)
    api_keys.revoke(conn, made.key.id, now=NOW)
    assert api_keys.find(conn, made.secret, now=NOW) is None
    with pytest.raises(NotFound):
        api_keys.revoke(conn, made.key.id, now=NOW)
    again = api_keys.make(conn, WISH, now=NOW)
    assert api_keys.find(conn, again.secret, now=NOW) is not None
    assert [key.revoked_at is None for key in api_keys.everything(conn)] == [True, False]


def test_a_key_whose_area_is_gone_acts_nowhere(conn: Connection[Any]) -> None:
    made = api_keys.make(conn, replace(WISH, area_code=GRID), now=NOW)
    conn.execute("update area set valid_to = %s where code = %s", [NOW, GRID])
    found = api_keys.find(conn, made.secret, now=NOW)
    assert found is not None
    assert not found.sees("")
    assert not found.sees("110105/")


@pytest.mark.parametrize(
    "wish",
    [
        replace(WISH, name="Hot line"),
        replace(WISH, name="x\x00"),
        replace(WISH, scopes=frozenset()),
        replace(WISH, days=0),
        replace(WISH, days=10_000),
        replace(WISH, per_minute=0),
        replace(WISH, area_code="110199"),
    ],
    ids=str,
)
def test_a_key_that_can_not_be_is_refused(conn: Connection[Any], wish: KeyWish) -> None:
    with pytest.raises(Invalid):
        api_keys.make(conn, wish, now=NOW)


def test_an_administrator_gives_no_more_than_his_area(conn: Connection[Any]) -> None:
    of_street = principal(conn, "street-admin", Role.ADMINISTRATOR, STREET)
    everywhere = api_keys.make(conn, WISH, now=NOW)
    elsewhere = api_keys.make(conn, replace(WISH, name="elsewhere", area_code=OTHER_GRID), now=NOW)
    with pytest.raises(Invalid):
        api_keys.make(conn, replace(WISH, name="a"), now=NOW, actor=of_street)
    with pytest.raises(NotFound):
        api_keys.make(conn, replace(WISH, name="b", area_code=OTHER_GRID), now=NOW, actor=of_street)
    mine = api_keys.make(conn, replace(WISH, name="mine", area_code=GRID), now=NOW, actor=of_street)
    assert [key.id for key in api_keys.everything(conn, of_street)] == [mine.key.id]
    for foreign in (everywhere, elsewhere):
        with pytest.raises(NotFound):
            api_keys.revoke(conn, foreign.key.id, now=NOW, actor=of_street)
    api_keys.revoke(conn, mine.key.id, now=NOW, actor=of_street)


def test_the_last_use_is_noted_now_and_then(conn: Connection[Any]) -> None:
    made = api_keys.make(conn, WISH, now=NOW)

    def used_after(spent: timedelta) -> Any:
        api_keys.find(conn, made.secret, now=NOW + spent)
        return api_keys.everything(conn)[0].used_at

    assert used_after(timedelta(0)) == NOW
    assert used_after(USED_AT_WITHIN - timedelta(seconds=1)) == NOW
    assert used_after(USED_AT_WITHIN) == NOW + USED_AT_WITHIN
    assert used_after(-timedelta(days=1)) == NOW - timedelta(days=1)  # the clock was set back


def test_wrong_keys_count_against_their_address_alone(conn: Connection[Any]) -> None:
    for _ in range(PER_ADDRESS.free):
        api_keys.count_wrong(conn, address="192.0.2.1", now=NOW)
    with pytest.raises(LockedOut):
        api_keys.count_wrong(conn, address="192.0.2.1", now=NOW)
    api_keys.count_wrong(conn, address="192.0.2.2", now=NOW)


def test_there_is_an_end_to_keys(conn: Connection[Any]) -> None:
    for number in range(MAXIMUM_KEYS):
        api_keys.make(conn, replace(WISH, name=f"key-{number}"), now=NOW)
    with pytest.raises(Conflict):
        api_keys.make(conn, replace(WISH, name="one-more"), now=NOW)
    assert api_keys.make(conn, replace(WISH, name="one-more"), now=NOW + timedelta(days=31))
