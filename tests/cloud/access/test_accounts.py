import threading
from collections.abc import Iterator
from datetime import datetime, timedelta

import psycopg
import pytest

from cloud.access import accounts, audit, passwords, sessions
from cloud.access.accounts import SignIn
from cloud.access.model import Role
from cloud.db.pool import Pool, open_pool
from cloud.errors import Conflict, Invalid, LockedOut, NotSignedIn
from tests.cloud.samples import GRID, NOW, PASSWORD, add_person, take_in_areas
from tests.waiting import wait_until


@pytest.fixture
def pool(migrated_url: str) -> Iterator[Pool]:
    opened = open_pool(migrated_url, size=8)
    with opened.connection() as conn:
        take_in_areas(conn)
        add_person(conn, "chief", Role.DUTY_CHIEF)
    yield opened
    opened.close()


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def attempt(password: str = PASSWORD, *, name: str = "chief", address: str = "10.0.0.1") -> SignIn:
    return SignIn(name, password, address, "test")


def sign_in(pool: Pool, what: SignIn, clock: Clock) -> accounts.Admitted:
    return accounts.sign_in(pool, what, clock=clock, lasts_s=3600)


def test_the_right_password_begins_a_session_that_only_the_token_opens(pool: Pool) -> None:
    admitted = sign_in(pool, attempt(), Clock())
    assert admitted.session.principal.area_path == "110105/"
    with pool.connection() as conn:
        assert sessions.find(conn, admitted.token, now=NOW) is not None
        assert sessions.find(conn, admitted.token + "x", now=NOW) is None
        assert sessions.find(conn, "", now=NOW) is None
        assert sessions.find(conn, "\x00\ud800" * 30, now=NOW) is None
        assert sessions.find(conn, admitted.token, now=NOW + timedelta(seconds=3600)) is None
        kept = repr(conn.execute("select * from session").fetchall())
    assert admitted.token not in kept


def test_the_table_refuses_a_kept_password(pool: Pool) -> None:
    with pool.connection() as conn:
        (kept,) = conn.execute("select password_hash from account").fetchone() or ("",)
    assert kept.startswith("$argon2id$")
    assert PASSWORD not in kept


def test_after_five_wrong_passwords_even_the_right_one_must_wait(pool: Pool) -> None:
    clock = Clock()
    for _ in range(5):
        with pytest.raises(NotSignedIn):
            sign_in(pool, attempt("wrong password"), clock)
    with pytest.raises(LockedOut) as locked:
        sign_in(pool, attempt(), clock)
    assert locked.value.retry_after_s == 1
    clock.now += timedelta(seconds=1)
    assert sign_in(pool, attempt(), clock).token


def test_success_wipes_the_failures_of_the_name(pool: Pool) -> None:
    clock = Clock()
    for _ in range(4):
        with pytest.raises(NotSignedIn):
            sign_in(pool, attempt("wrong password"), clock)
    sign_in(pool, attempt(), clock)
    for _ in range(5):
        with pytest.raises(NotSignedIn):
            sign_in(pool, attempt("wrong password"), clock)


def test_an_address_that_guesses_at_many_names_is_locked_out(pool: Pool) -> None:
    clock = Clock()
    for number in range(30):
        with pytest.raises(NotSignedIn):
            sign_in(pool, attempt(name=f"nobody{number}"), clock)
    with pytest.raises(LockedOut):
        sign_in(pool, attempt(name="nobody30"), clock)
    assert sign_in(pool, attempt(address="10.0.0.2"), clock).token


def test_many_attempts_at_once_do_not_get_around_the_lock_out(pool: Pool) -> None:
    outcomes: list[str] = []
    barrier = threading.Barrier(12)

    def guess() -> None:
        barrier.wait(timeout=20)
        try:
            sign_in(pool, attempt("wrong password"), Clock())
        except (NotSignedIn, LockedOut) as error:
            outcomes.append(type(error).__name__)

    threads = [threading.Thread(target=guess) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(outcomes) == ["LockedOut"] * 7 + ["NotSignedIn"] * 5


def guess(pool: Pool, clock: Clock, *, addresses: int, times: int) -> None:
    """Somebody tries wrong passwords from many addresses, at once."""
    for number in range(addresses):
        for _ in range(times):
            with pytest.raises((NotSignedIn, LockedOut)):
                sign_in(pool, attempt("wrong password", address=f"198.51.100.{number}"), clock)


def test_an_outsider_does_not_lock_the_owner_out(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "is_right", lambda password, _kept: password == PASSWORD)
    clock = Clock()
    guess(pool, clock, addresses=9, times=8)
    assert sign_in(pool, attempt(), clock).token
    guess(pool, clock, addresses=40, times=8)
    with pytest.raises(LockedOut):
        sign_in(pool, attempt(address="192.0.2.1"), clock)
    assert sign_in(pool, attempt(), clock).token, "the owner is known at this address"


def test_a_new_password_opens_every_door_again(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "is_right", lambda password, _kept: password == PASSWORD)
    clock = Clock()
    guess(pool, clock, addresses=12, times=6)
    with pool.connection() as conn:
        accounts.set_password(conn, "chief", "another good one", now=NOW)
    assert sign_in(pool, attempt(address="198.51.100.0"), clock).token


def test_a_disabled_account_is_out_at_once_and_can_not_come_back(pool: Pool) -> None:
    admitted = sign_in(pool, attempt(), Clock())
    with pool.connection() as conn:
        accounts.disable(conn, "chief", now=NOW)
        assert sessions.find(conn, admitted.token, now=NOW) is None
    with pytest.raises(NotSignedIn):
        sign_in(pool, attempt(), Clock())


def test_a_new_password_ends_all_sessions(pool: Pool) -> None:
    admitted = sign_in(pool, attempt(), Clock())
    with pool.connection() as conn:
        accounts.set_password(conn, "chief", "another good one", now=NOW)
        assert sessions.find(conn, admitted.token, now=NOW) is None
    with pytest.raises(NotSignedIn):
        sign_in(pool, attempt(), Clock())
    assert sign_in(pool, attempt("another good one"), Clock()).token


def test_a_person_whose_area_is_gone_sees_nothing(pool: Pool) -> None:
    with pool.connection() as conn:
        add_person(conn, "worker", Role.GRID_WORKER, GRID)
    admitted = sign_in(pool, attempt(name="worker"), Clock())
    with pool.connection() as conn:
        conn.execute("update area set valid_to = %s where code = %s", [NOW, GRID])
        session = sessions.find(conn, admitted.token, now=NOW)
    assert session is not None
    assert not session.principal.sees("")
    assert not session.principal.sees("110105/")


@pytest.mark.parametrize("name", ["", "Chief", "a b", "-a", "x" * 65, "a\x00", "chief\n", "张三"])
def test_names_that_are_none(pool: Pool, name: str) -> None:
    with pool.connection() as conn, pytest.raises(Invalid):
        accounts.add(conn, name=name, password=PASSWORD, role=Role.MAINTAINER, now=NOW)


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaaaa", "x" * 201])
def test_passwords_that_are_none(pool: Pool, password: str) -> None:
    with pool.connection() as conn, pytest.raises(Invalid):
        accounts.add(conn, name="new", password=password, role=Role.MAINTAINER, now=NOW)


def test_a_name_is_taken_once(pool: Pool) -> None:
    with pool.connection() as conn, pytest.raises(Conflict):
        add_person(conn, "chief", Role.MAINTAINER)


def test_a_name_that_is_not_there_is_checked_all_the_same() -> None:
    assert not passwords.is_right("anything", None)
    assert not passwords.is_right("a hash for names that do not exist", None)


@pytest.mark.parametrize(
    "statement",
    ["update audit set action = 'x'", "delete from audit", "truncate audit"],
)
def test_the_audit_log_takes_no_change(pool: Pool, statement: str) -> None:
    with pool.connection() as conn:
        audit.write(conn, "test", "subject", actor_name="test")
    with pytest.raises(psycopg.errors.RestrictViolation, match="append-only"), pool.connection() as conn:
        conn.execute(statement)


def test_an_account_has_a_bounded_number_of_sessions(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MAXIMUM_SESSIONS", 3)
    with pool.connection() as conn:
        add_person(conn, "other", Role.GRID_WORKER)
        ids: dict[str, int] = dict(conn.execute("select name, id from account").fetchall())

        def start(name: str) -> str:
            return sessions.start(conn, ids[name], now=NOW, lasts_s=60, address="", agent="")[0]

        others = start("other")
        tokens = [start("chief") for _ in range(5)]
        running = [sessions.find(conn, token, now=NOW) is not None for token in (others, *tokens)]
    assert running == [True, False, False, True, True, True]


def test_a_neighbour_in_the_same_ipv6_network_is_no_way_around_the_lock_out(pool: Pool) -> None:
    clock = Clock()
    for number in range(30):
        with pytest.raises(NotSignedIn):
            sign_in(pool, attempt("wrong", name=f"nobody-{number}", address=f"2001:db8::{number:x}"), clock)
    with pytest.raises(LockedOut):
        sign_in(pool, attempt("wrong", name="nobody", address="2001:db8::ffff:1"), clock)
    sign_in(pool, attempt(address="2001:db8:0:1::1"), clock)


def test_a_success_takes_its_locks_in_the_order_of_the_attempts(pool: Pool, migrated_url: str) -> None:
    admitted: list[accounts.Admitted] = []
    with psycopg.connect(migrated_url) as other, psycopg.connect(migrated_url, autocommit=True) as watcher:
        asked = iter((False, True))

        def clock() -> datetime:
            if next(asked):  # the password was looked at: another attempt begins to count
                other.execute("select from login_attempt where subject = 'account:chief' for update")
            return NOW

        def succeed() -> None:
            admitted.append(accounts.sign_in(pool, attempt(), clock=clock, lasts_s=3600))

        thread = threading.Thread(target=succeed)
        thread.start()
        waiting = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        wait_until(lambda: watcher.execute(waiting).fetchone() is not None)
        other.execute("select from login_attempt where subject like 'account:chief@%' for update nowait")
        other.rollback()
        thread.join()
    assert admitted
