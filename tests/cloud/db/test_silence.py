"""Connections whose way has forgotten them, with a real database behind a proxy."""

import re
import select
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from cloud.db.leader import Duty, Leadership
from cloud.db.pool import open_pool
from cloud.db.silence import SilenceWatch, Standing, cut_after, is_lost
from tests.system.chaos.proxy import FAIR, Conduct, Proxy, Weather
from tests.waiting import wait_until

pytestmark = pytest.mark.system

AT = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("earlier", "now", "lost"),
    [
        (None, Standing(rests=True, since=AT), False),
        (Standing(rests=True, since=AT), Standing(rests=True, since=AT), True),
        (Standing(rests=True, since=AT), Standing(rests=True, since=AT + timedelta(seconds=1)), False),
        (Standing(rests=False, since=AT), Standing(rests=False, since=AT), False),
        (Standing(rests=True, since=None), Standing(rests=True, since=None), True),
        (Standing(rests=False, since=AT), Standing(rests=True, since=AT), False),
    ],
)
def test_what_two_looks_say(earlier: Standing | None, now: Standing, *, lost: bool) -> None:
    assert is_lost(earlier, now) is lost


@pytest.fixture
def proxy(migrated_url: str) -> Iterator[Proxy]:
    with Proxy("database", psycopg.conninfo.conninfo_to_dict(migrated_url)["port"]) as running:  # type: ignore[arg-type]
        yield running


@pytest.fixture
def proxied_url(migrated_url: str, proxy: Proxy) -> str:
    return migrated_url.replace(f":{proxy.target_port}/", f":{proxy.port}/")


def _in_background(work: object) -> list[BaseException]:
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()  # type: ignore[operator]
        except psycopg.Error as error:
            raised.append(error)

    threading.Thread(target=run, daemon=True).start()
    return raised


def test_a_statement_that_no_answer_will_come_to_ends_and_its_locks_are_freed(
    migrated_url: str, proxied_url: str, proxy: Proxy
) -> None:
    watch = SilenceWatch(proxied_url)
    conn = psycopg.connect(proxied_url)
    watch.add(conn)
    conn.execute("select pg_advisory_xact_lock(7)")
    proxy.turn(Weather(Conduct.BLACK_HOLE))
    raised = _in_background(lambda: conn.execute("select 1"))
    wait_until(lambda: conn.pgconn.transaction_status == psycopg.pq.TransactionStatus.ACTIVE)
    proxy.turn(FAIR)
    assert watch.look() == 0
    assert watch.look() == 1
    wait_until(lambda: raised, what="the end of the statement")
    assert isinstance(raised[0], psycopg.OperationalError)
    with psycopg.connect(migrated_url) as other:
        other.execute("set lock_timeout = '10s'")
        other.execute("select pg_advisory_xact_lock(7)")


def test_a_slow_statement_is_waited_for(migrated_url: str) -> None:
    watch = SilenceWatch(migrated_url)
    with psycopg.connect(migrated_url) as blocker, psycopg.connect(migrated_url) as conn:
        blocker.execute("select pg_advisory_xact_lock(8)")
        watch.add(conn)
        raised = _in_background(lambda: conn.execute("select pg_advisory_xact_lock(8)"))
        wait_until(lambda: conn.pgconn.transaction_status == psycopg.pq.TransactionStatus.ACTIVE)
        assert [watch.look() for _ in range(3)] == [0, 0, 0]
        blocker.rollback()
        wait_until(lambda: conn.pgconn.transaction_status == psycopg.pq.TransactionStatus.INTRANS)
        assert not raised


def _through_a_pooler(listener: socket.socket, port: int) -> None:
    """Hand one connection on, but with a process number that the server does not know."""
    client, _ = listener.accept()
    with client, socket.create_connection(("127.0.0.1", port)) as server:
        while ready := select.select([client, server], [], [], 30.0)[0]:
            for source in ready:
                data = source.recv(1 << 16)
                if not data:
                    return
                if source is server:
                    data = re.sub(
                        rb"K\x00\x00\x00\x0c....", b"K\x00\x00\x00\x0c\x7f\xff\xff\xff", data, count=1, flags=re.DOTALL
                    )
                (client if source is server else server).sendall(data)


def test_a_connection_that_the_server_numbers_otherwise_is_not_watched(migrated_url: str) -> None:
    target = psycopg.conninfo.conninfo_to_dict(migrated_url)["port"]
    watch = SilenceWatch(migrated_url)
    with socket.create_server(("127.0.0.1", 0)) as listener, psycopg.connect(migrated_url) as blocker:
        threading.Thread(target=_through_a_pooler, args=[listener, int(str(target))], daemon=True).start()
        url = migrated_url.replace(f":{target}/", f":{listener.getsockname()[1]}/")
        with psycopg.connect(url) as conn:
            assert conn.pgconn.backend_pid == 0x7FFFFFFF
            watch.add(conn)
            blocker.execute("select pg_advisory_xact_lock(9)")
            raised = _in_background(lambda: conn.execute("select pg_advisory_xact_lock(9)"))
            wait_until(lambda: conn.pgconn.transaction_status == psycopg.pq.TransactionStatus.ACTIVE)
            assert [watch.look() for _ in range(3)] == [0, 0, 0]
            blocker.rollback()
            wait_until(lambda: conn.pgconn.transaction_status == psycopg.pq.TransactionStatus.INTRANS)
            assert not raised


def test_a_pool_whose_connections_fell_silent_serves_again(proxied_url: str, proxy: Proxy) -> None:
    pool = open_pool(proxied_url, size=2)
    with pool.connection() as conn:
        conn.execute("select 1")
    proxy.turn(Weather(Conduct.BLACK_HOLE))
    proxy.turn(FAIR)

    def served() -> bool:
        try:
            with pool.connection() as conn:
                return conn.execute("select 2").fetchone() == (2,)
        except (psycopg.Error, TimeoutError):
            return False

    wait_until(served, timeout_s=60.0)
    pool.close()


def test_a_lead_whose_link_fell_silent_is_lost_and_not_waited_for(proxied_url: str, proxy: Proxy) -> None:
    leadership = Leadership(proxied_url, Duty.JOBS)
    assert leadership.held()
    proxy.turn(Weather(Conduct.BLACK_HOLE))
    assert not leadership.held()
    proxy.turn(FAIR)
    leadership.release()


def test_an_answer_in_time_is_left_alone(migrated_url: str) -> None:
    with psycopg.connect(migrated_url) as conn:
        with cut_after(conn, 60.0):
            conn.execute("select 1")
        assert conn.execute("select 3").fetchone() == (3,)
