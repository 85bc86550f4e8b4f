import json
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import psycopg
import pytest

from cloud.access import sessions
from cloud.db import live
from cloud.main import Part, running
from cloud.settings import CloudSettings
from tests.cloud.api.conftest import Cloud, Template, answering
from tests.cloud.samples import OTHER_GRID, incident, report


class Stream:
    """A client of the live stream on a thread of its own."""

    def __init__(self, client: httpx.Client, *, cursor: str | None = None) -> None:
        self._messages: queue.Queue[tuple[float, dict[str, str]] | None] = queue.Queue()
        self._client = client
        self._headers = {"Last-Event-ID": cursor} if cursor is not None else {}
        self.heartbeats = 0
        self._response: httpx.Response | None = None
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        try:
            with self._client.stream("GET", "/api/v1/live", headers=self._headers, timeout=30) as response:
                assert response.headers["content-type"].startswith("text/event-stream")
                message: dict[str, str] = {}
                for line in response.iter_lines():
                    if line == ":":
                        self.heartbeats += 1
                    elif line:
                        name, _, value = line.partition(": ")
                        message[name] = value
                    elif message.get("event"):
                        self._messages.put((time.monotonic(), message))
                        message = {}
        except httpx.HTTPError:
            pass
        self._messages.put(None)

    def next(self, timeout_s: float = 10) -> dict[str, str]:
        return self.timed(timeout_s)[1]

    def timed(self, timeout_s: float = 10) -> tuple[float, dict[str, str]]:
        found = self._messages.get(timeout=timeout_s)
        assert found is not None, "the stream ended"
        return found

    def ended(self, timeout_s: float = 10) -> bool:
        while self._messages.get(timeout=timeout_s) is not None:
            pass
        return True

    def nothing(self, timeout_s: float = 0.3) -> bool:
        try:
            return self._messages.get(timeout=timeout_s) is None
        except queue.Empty:
            return True


@contextmanager
def watching(cloud: Cloud, name: str, *, cursor: str | None = None) -> Iterator[Stream]:
    with cloud.client(name) as client:
        stream = Stream(client, cursor=cursor)
        assert stream.next()["event"] == "hello"
        yield stream


def data(message: dict[str, str]) -> Any:
    return json.loads(message["data"])


def test_a_case_reaches_those_who_watch_as_it_opens(cloud: Cloud) -> None:
    with watching(cloud, "chief") as stream:
        cloud.receive(report(incident(), received_at=datetime.now(UTC)))
        message = stream.next()
    assert message["event"] == "case.opened"
    assert data(message)["number"].endswith("-0001")
    assert int(message["id"]) > 0


def test_a_stream_in_which_much_happens_ends_with_its_session(cloud: Cloud) -> None:
    with watching(cloud, "chief") as stream:
        cloud.conn.execute("update session set expires_at = now()")
        cloud.conn.commit()
        until = time.monotonic() + 5
        while stream.thread.is_alive() and time.monotonic() < until:
            live.emit_at(cloud.conn, "test", "110105/", {})
            cloud.conn.commit()
            stream.thread.join(0.05)
        assert not stream.thread.is_alive()


def test_the_stream_is_quick(cloud: Cloud) -> None:
    waits = []
    with watching(cloud, "chief") as stream:
        for number in range(20):
            live.emit_at(cloud.conn, "test", "110105/", {"number": number})
            cloud.conn.commit()
            committed = time.monotonic()
            arrived, message = stream.timed()
            assert data(message) == {"number": number}
            waits.append(arrived - committed)
    assert sorted(waits)[10] < 0.05, waits


def test_each_sees_his_scope_alone(cloud: Cloud) -> None:
    with (
        watching(cloud, "worker") as worker,
        watching(cloud, "elsewhere") as elsewhere,
        watching(cloud, "admin") as admin,
    ):
        cloud.receive(report(incident(), grid_code=OTHER_GRID))
        live.emit_at(cloud.conn, "unplaced", "", {})
        cloud.conn.commit()
        assert elsewhere.next()["event"] == "case.opened"
        assert [admin.next()["event"], admin.next()["event"]] == ["case.opened", "unplaced"]
        assert worker.nothing()
        assert elsewhere.nothing()


def test_who_is_given_another_area_hears_nothing_more_of_the_old_one_at_once(
    settings: CloudSettings, peopled: Template
) -> None:
    """Long before the next heartbeat; and where he comes again with his old cursor, what happened meanwhile is told by his new area."""
    slow = settings.model_copy(update={"live_heartbeat_s": 600.0})
    with answering(slow, peopled) as cloud, watching(cloud, "worker") as stream, watching(cloud, "chief") as other:
        with cloud.client("worker") as worker:
            cloud.receive(report(incident(1)))
            opened = stream.next()
            path = f"/api/v1/cases/{data(opened)['id']}"
            answer = worker.get(path)
            assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
            with cloud.client("admin") as admin:
                listed = admin.get("/api/v1/accounts", params={"text": "worker"}).json()["items"]
                account = next(each for each in listed if each["name"] == "worker")
                wish = {"display_name": "Worker", "role": "grid_worker", "area_code": OTHER_GRID}
                assert admin.put(f"/api/v1/accounts/{account['id']}", json=wish).status_code == 200
            assert stream.ended()
            assert worker.get(path).status_code == 404
            assert data(opened)["number"] not in worker.get("/api/v1/cases").text
        cloud.receive(report(incident(2, device="cam-9")), report(incident(3, device="cam-8"), grid_code=OTHER_GRID))
        with cloud.client("worker") as worker:
            again = Stream(worker, cursor=opened["id"])
            hello = again.next()
            assert hello["event"] == "hello"
            assert len(data(hello)["who"]) == 16
            assert data(again.next())["device"]["device"] == "cam-8"
            assert again.nothing()
        assert other.next()["event"] == "case.opened", "nobody else's stream has ended"


def test_areas_that_are_drawn_anew_have_every_stream_come_again(cloud: Cloud) -> None:
    with watching(cloud, "worker") as stream, watching(cloud, "admin") as everywhere:
        live.end_every_stream(cloud.conn)
        cloud.conn.commit()
        assert stream.ended()
        assert everywhere.ended()


def test_a_stream_resumes_behind_its_cursor_without_gap_or_double(cloud: Cloud) -> None:
    with watching(cloud, "chief") as stream:
        live.emit_at(cloud.conn, "one", "110105/", {})
        cloud.conn.commit()
        cursor = stream.next()["id"]
    for kind in ("two", "three"):
        live.emit_at(cloud.conn, kind, "110105/", {})
        cloud.conn.commit()
    with watching(cloud, "chief", cursor=cursor) as stream:
        assert [stream.next()["event"], stream.next()["event"]] == ["two", "three"]
        live.emit_at(cloud.conn, "four", "110105/", {})
        cloud.conn.commit()
        assert stream.next()["event"] == "four"


@pytest.mark.parametrize("cursor", ["0", "99999999999", "x", "-5", "9" * 30])
def test_a_cursor_that_is_too_old_or_none_starts_anew(cloud: Cloud, cursor: str) -> None:
    live.emit_at(cloud.conn, "gone", "", {})
    cloud.conn.commit()
    live.prune(cloud.conn, datetime(2999, 1, 1, tzinfo=UTC))
    cloud.conn.commit()
    with watching(cloud, "chief", cursor=cursor) as stream:
        assert stream.next()["event"] == "reset"


def test_an_event_that_commits_late_still_comes_before_those_behind_it(cloud: Cloud) -> None:
    with watching(cloud, "chief") as stream, psycopg.connect(cloud.database_url) as slow:
        live.emit_at(slow, "slow", "110105/", {})
        live.emit_at(cloud.conn, "fast", "110105/", {})
        cloud.conn.commit()
        assert stream.nothing()
        slow.commit()
        assert [stream.next()["event"], stream.next()["event"]] == ["slow", "fast"]


def test_a_roll_back_frees_what_waits_behind_it(cloud: Cloud) -> None:
    with watching(cloud, "chief") as stream, psycopg.connect(cloud.database_url) as slow:
        live.emit_at(slow, "slow", "110105/", {})
        live.emit_at(cloud.conn, "fast", "110105/", {})
        cloud.conn.commit()
        slow.rollback()
        assert stream.next()["event"] == "fast"


def test_a_session_that_ends_ends_its_stream(cloud: Cloud) -> None:
    with cloud.client("chief") as client, cloud.client("chief") as other:
        stream = Stream(client)
        stream.next()
        assert client.delete("/api/v1/session").status_code == httpx.codes.NO_CONTENT
        assert stream.ended()
        still = Stream(other)
        assert still.next()["event"] == "hello"


def test_a_change_of_scope_ends_the_stream(cloud: Cloud) -> None:
    with watching(cloud, "worker") as stream:
        cloud.conn.execute("update account set area_code = '110105003' where name = 'worker'")
        cloud.conn.commit()
        assert stream.ended()


def test_the_silence_is_broken_by_heartbeats(cloud: Cloud) -> None:
    with watching(cloud, "chief") as stream:
        deadline = time.monotonic() + 10
        while stream.heartbeats < 2 and time.monotonic() < deadline:
            stream.nothing(0.1)
        assert stream.heartbeats >= 2


def test_without_a_session_there_is_no_stream(cloud: Cloud) -> None:
    with cloud.anyone() as client:
        assert client.get("/api/v1/live").status_code == httpx.codes.UNAUTHORIZED


def test_the_stream_comes_back_when_its_connection_is_cut(cloud: Cloud) -> None:
    with watching(cloud, "chief") as stream:
        cloud.conn.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and query not ilike '%pg_terminate%' and pid <> pg_backend_pid()"
        )
        cloud.conn.commit()
        live.emit_at(cloud.conn, "after", "110105/", {})
        cloud.conn.commit()
        assert stream.next(20)["event"] == "after"


def test_the_process_stops_quickly_with_streams_open(cloud: Cloud, settings: CloudSettings) -> None:
    with ExitStack() as stack:
        borrowed = stack.enter_context(cloud.client("chief"))
        with running(settings, Part.API) as second:
            client = stack.enter_context(httpx.Client(base_url=second.address or "", headers=borrowed.headers))
            stream = Stream(client)
            stream.next()
            began = time.monotonic()
        assert time.monotonic() - began < 5
        assert stream.ended()


def test_a_session_is_over_for_every_process(cloud: Cloud) -> None:
    with cloud.client("chief") as client:
        stream = Stream(client)
        stream.next()
        (session_id,) = cloud.conn.execute("select max(id) from session").fetchone() or (0,)
        sessions.revoke(cloud.conn, session_id, now=datetime.now(UTC))
        cloud.conn.commit()
        assert stream.ended()
