"""The order of events under transactions that overlap: nothing is skipped, nothing comes twice."""

import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from cloud.db import live
from cloud.db.live import Event, Horizon
from tests.cloud.samples import GRID, NOW, take_in_areas


@pytest.fixture
def url(migrated_url: str) -> str:
    return migrated_url


@pytest.fixture
def reader(url: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(url, autocommit=True) as conn:
        yield conn


class Follower:
    """Reads as a stream does: only what has settled, each id once."""

    def __init__(self, conn: Connection[Any]) -> None:
        self.conn = conn
        self.cursor = live.horizon(conn).settled
        self.seen: list[Event] = []

    def read(self) -> list[str]:
        horizon = live.horizon(self.conn)
        fresh = live.read(self.conn, after=self.cursor, upto=horizon.settled, count=10_000)
        self.cursor = horizon.settled
        self.seen += fresh
        return [event.kind for event in fresh]


def test_an_event_shows_once_it_is_committed(url: str, reader: Connection[Any]) -> None:
    follower = Follower(reader)
    with psycopg.connect(url) as writer:
        live.emit_at(writer, "one", "", {"a": 1})
        assert follower.read() == []
        writer.commit()
        assert follower.read() == ["one"]
        assert follower.read() == []


def test_a_lower_id_that_commits_later_is_not_skipped(url: str, reader: Connection[Any]) -> None:
    follower = Follower(reader)
    with psycopg.connect(url) as early, psycopg.connect(url) as late:
        live.emit_at(early, "early id", "", {})
        live.emit_at(late, "late id", "", {})
        late.commit()
        assert follower.read() == []  # it waits: something before it may still appear
        early.commit()
        assert follower.read() == ["early id", "late id"]


def test_an_id_that_is_rolled_back_holds_up_nobody_for_long(url: str, reader: Connection[Any]) -> None:
    follower = Follower(reader)
    with psycopg.connect(url) as early, psycopg.connect(url) as late:
        live.emit_at(early, "never", "", {})
        live.emit_at(late, "late id", "", {})
        late.commit()
        assert follower.read() == []
        early.rollback()
        assert follower.read() == ["late id"]


def test_what_was_before_a_transaction_that_hangs_is_told(url: str, reader: Connection[Any]) -> None:
    follower = Follower(reader)
    with psycopg.connect(url) as first, psycopg.connect(url) as hanging:
        live.emit_at(first, "first", "", {})
        first.commit()
        live.emit_at(hanging, "hanging", "", {})
        live.emit_at(first, "second", "", {})
        first.commit()
        assert follower.read() == ["first"]
        hanging.commit()
        assert follower.read() == ["hanging", "second"]


def test_a_long_transaction_that_emits_nothing_holds_up_nobody(url: str, reader: Connection[Any]) -> None:
    follower = Follower(reader)
    with psycopg.connect(url) as busy, psycopg.connect(url) as writer:
        busy.execute(
            "insert into login_attempt values ('x', 0, now())"
        )  # it has a transaction id, older than the event's
        live.emit_at(writer, "now", "", {})
        writer.commit()
        assert follower.read() == ["now"]
        live.emit_at(busy, "later", "", {})
        busy.commit()
        assert follower.read() == ["later"]


def test_a_savepoint_that_is_rolled_back_takes_its_bound_with_it(url: str, reader: Connection[Any]) -> None:
    follower = Follower(reader)
    with psycopg.connect(url) as writer:
        with writer.transaction(force_rollback=True):
            live.emit_at(writer, "undone", "", {})
        live.emit_at(writer, "kept", "", {})
        assert follower.read() == []
        writer.commit()
    assert follower.read() == ["kept"]


def test_many_writers_in_any_interleaving_lose_nothing_and_double_nothing(url: str, reader: Connection[Any]) -> None:
    follower = Follower(reader)
    committed: list[str] = []
    chance = random.Random(3)  # noqa: S311 - the same interleaving each time
    with ExitStack() as stack:
        writers = [stack.enter_context(psycopg.connect(url)) for _ in range(5)]
        open_kinds: list[list[str]] = [[] for _ in writers]
        for step in range(200):
            number = chance.randrange(len(writers))
            match chance.choice(["emit", "emit", "commit", "roll back"]):
                case "emit":
                    live.emit_at(writers[number], f"{number}.{step}", "", {})
                    open_kinds[number].append(f"{number}.{step}")
                case "commit":
                    writers[number].commit()
                    committed += open_kinds[number]
                    open_kinds[number] = []
                case _:
                    writers[number].rollback()
                    open_kinds[number] = []
            follower.read()
        for writer in writers:
            writer.rollback()
        follower.read()
    seen = [event.kind for event in follower.seen]
    assert sorted(seen) == sorted(committed)
    assert [event.event_id for event in follower.seen] == sorted(event.event_id for event in follower.seen)


def test_many_threads_lose_nothing(url: str, reader: Connection[Any]) -> None:
    follower = Follower(reader)
    done = threading.Event()

    def write(number: int) -> None:
        with psycopg.connect(url) as conn:
            for step in range(40):
                for part in range(3):
                    live.emit_at(conn, f"{number}.{step}.{part}", "", {})
                conn.commit()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    deadline = datetime.now(UTC) + timedelta(seconds=60)
    while not done.is_set() and datetime.now(UTC) < deadline:
        if not any(thread.is_alive() for thread in threads):
            done.set()
        follower.read()
    assert len({event.kind for event in follower.seen}) == len(follower.seen) == 4 * 40 * 3


def test_an_area_becomes_its_path_and_an_unknown_one_nobodys(url: str, reader: Connection[Any]) -> None:
    follower = Follower(reader)
    with psycopg.connect(url) as conn:
        take_in_areas(conn)
        for area in (GRID, "unknown", None):
            live.emit(conn, "x", area, {})
    follower.read()
    assert [event.area_path for event in follower.seen] == [f"110105/110105001/110105001001/{GRID}/", "", ""]


def test_a_cursor_is_too_old_once_events_behind_it_were_pruned(url: str, reader: Connection[Any]) -> None:
    start = live.horizon(reader)
    with psycopg.connect(url) as conn:
        for _ in range(3):
            live.emit_at(conn, "x", "", {})
    now = live.horizon(reader)
    assert now.complete
    assert not live.is_too_old(reader, start.settled, now)
    assert live.prune(reader, NOW + timedelta(days=36_500)) == 3
    assert live.is_too_old(reader, start.settled, now)
    assert not live.is_too_old(reader, now.handed_out, now)
    assert live.is_too_old(reader, now.handed_out + 1, Horizon(now.settled, now.handed_out))
    assert live.is_too_old(reader, -1, now)
