import hashlib
import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import httpx
import psycopg
import pytest
from prometheus_client import REGISTRY

from cloud.api import receiving
from cloud.errors import EvidenceStoreAway
from cloud.evidence.service import UploadSlots
from cloud.settings import CloudSettings
from edge.contract.incident import EvidenceKind, EvidenceReference
from tests.cloud.api.conftest import NODE, Cloud
from tests.cloud.samples import GRID, NOW, OTHER_GRID, incident, report
from tests.fakes.pictures import END, HEAD, film, frame, jpeg, scan
from tests.waiting import wait_until

PICTURE = jpeg(512_006)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def name_file(
    cloud: Cloud,
    content: bytes = PICTURE,
    *,
    mime: str = "image/jpeg",
    size: int | None = None,
    grid: str = GRID,
    number: int = 1,
) -> str:
    """Have an incident of the node name this content; the path of the file comes back."""
    file = EvidenceReference(
        sha256=digest(content), kind=EvidenceKind.SNAPSHOT, mime=mime, bytes=size or len(content), captured_at=NOW
    )
    found = incident(number, evidence=(file,))
    cloud.receive(report(found, node=NODE, received_at=datetime.now(UTC), grid_code=grid))
    return f"/api/v1/evidence/{digest(content)}"


def put(
    client: httpx.Client, path: str, content: bytes, *, part: str | None = None, mime: str = "image/jpeg"
) -> httpx.Response:
    headers = {"Content-Type": mime} | ({"Content-Range": part} if part else {})
    return client.put(path, content=content, headers=headers)


def test_a_file_that_an_incident_names_is_stored_and_seen(cloud: Cloud) -> None:
    path = name_file(cloud)
    with cloud.node() as node, cloud.client("worker") as worker:
        assert worker.get(path).status_code == httpx.codes.NOT_FOUND
        assert worker.get("/api/v1/cases/1").json()["picture"] is None
        assert put(node, path, PICTURE).status_code == httpx.codes.CREATED
        assert put(node, path, PICTURE).status_code == httpx.codes.OK
        case = worker.get("/api/v1/cases/1").json()
        assert case["picture"] == path
        assert case["incidents"][0]["evidence"][0]["stored"] is True
        seen = worker.get(path)
    assert seen.content == PICTURE
    assert seen.headers["content-type"] == "image/jpeg"
    assert seen.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in seen.headers["content-security-policy"]
    assert "no-store" in seen.headers["cache-control"]


def test_the_same_bytes_carry_the_time_that_each_incident_gives_them(cloud: Cloud) -> None:
    path = name_file(cloud)
    later = NOW + timedelta(minutes=2)
    again = EvidenceReference(
        sha256=digest(PICTURE), kind=EvidenceKind.SNAPSHOT, mime="image/jpeg", bytes=len(PICTURE), captured_at=later
    )
    cloud.receive(report(incident(2, start_s=120, evidence=(again,)), node=NODE))
    with cloud.node() as node, cloud.client("worker") as worker:
        put(node, path, PICTURE)
        shown = worker.get("/api/v1/cases/1").json()["incidents"]
    assert [found["evidence"][0]["captured_at"] for found in shown] == ["2026-03-17T04:32:00Z", "2026-03-17T04:30:00Z"]
    assert all(found["evidence"][0]["stored"] for found in shown)


def test_storing_a_picture_is_told_to_those_who_watch(cloud: Cloud) -> None:
    path = name_file(cloud)
    with cloud.node() as node:
        put(node, path, PICTURE)
    row = cloud.conn.execute("select payload ->> 'picture' from event order by id desc limit 1").fetchone()
    assert row == (path,)


def test_every_view_stands_in_the_audit_log(cloud: Cloud) -> None:
    path = name_file(cloud)
    with cloud.node() as node, cloud.client("worker") as worker:
        put(node, path, PICTURE)
        worker.get(path)
        worker.get(path, headers={"Range": "bytes=10-19"}, params={"purpose": "asked for by the police"})
        assert worker.get(path, params={"purpose": "x"}).status_code == 422
    rows = cloud.conn.execute(
        "select actor_name, subject, detail from audit where action = 'evidence.viewed'"
    ).fetchall()
    assert [(row[0], row[1]) for row in rows] == [("worker", f"evidence:{digest(PICTURE)}")] * 2
    assert rows[0][2]["case"] == 1
    assert [(row[2]["own"], row[2]["purpose"]) for row in rows] == [(False, None), (False, "asked for by the police")]
    cloud.conn.execute(
        "insert into case_event (case_id, at, actor_id, action)"
        " select 1, now(), id, 'accept' from account where name = 'worker'"
    )
    cloud.conn.commit()
    with cloud.client("worker") as worker:
        worker.get(path)
    row = cloud.conn.execute("select detail->'own' from audit order by id desc limit 1").fetchone()
    assert row == (True,)


def test_outside_of_ones_own_work_a_purpose_is_demanded(cloud: Cloud) -> None:
    path = name_file(cloud)
    with cloud.node() as node:
        put(node, path, PICTURE)
    cloud.conn.execute("update grid_case set status = 'closed'")
    cloud.conn.commit()
    with cloud.client("worker") as worker, cloud.client("elsewhere") as elsewhere:
        refused = worker.get(path)
        assert refused.status_code == httpx.codes.PRECONDITION_REQUIRED
        assert refused.json()["type"] == "urn:gridward:problem:PurposeNeeded"
        assert "?purpose=" in refused.json()["detail"]
        assert worker.get(path, params={"purpose": "   "}).status_code == httpx.codes.UNPROCESSABLE_ENTITY
        assert elsewhere.get(path).status_code == httpx.codes.NOT_FOUND
        assert worker.get(path, params={"purpose": "asked for by the police"}).status_code == httpx.codes.OK
    rows = cloud.conn.execute("select detail->>'purpose' from audit where action = 'evidence.viewed'").fetchall()
    assert rows == [("asked for by the police",)]


def test_a_sealed_original_is_not_simply_looked_at(cloud: Cloud) -> None:
    path = name_file(cloud)
    with cloud.conn.transaction():
        cloud.conn.execute("update evidence set kind = 'sealed', stored_at = now()")
    with cloud.client("worker") as worker, cloud.client("elsewhere") as elsewhere:
        assert worker.get(path).status_code == httpx.codes.FORBIDDEN
        assert elsewhere.get(path).status_code == httpx.codes.NOT_FOUND


def test_a_file_out_of_scope_is_not_there(cloud: Cloud) -> None:
    path = name_file(cloud, grid=OTHER_GRID)
    with cloud.node() as node, cloud.client("worker") as worker, cloud.client("elsewhere") as elsewhere:
        put(node, path, PICTURE)
        assert worker.get(path).status_code == httpx.codes.NOT_FOUND
        assert elsewhere.get(path).status_code == httpx.codes.OK


def test_parts_are_read_by_range(cloud: Cloud) -> None:
    path = name_file(cloud)
    size = len(PICTURE)
    with cloud.node() as node, cloud.client("worker") as worker:
        put(node, path, PICTURE)
        part = worker.get(path, headers={"Range": "bytes=10-19"})
        assert (part.status_code, part.content) == (httpx.codes.PARTIAL_CONTENT, PICTURE[10:20])
        assert part.headers["content-range"] == f"bytes 10-19/{size}"
        assert worker.get(path, headers={"Range": "bytes=-4"}).content == PICTURE[-4:]
        assert worker.get(path, headers={"Range": f"bytes={size - 2}-"}).content == PICTURE[-2:]
        assert worker.get(path, headers={"Range": "lines=1"}).content == PICTURE
        beyond = worker.get(path, headers={"Range": f"bytes={size}-"})
        assert beyond.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE
        assert beyond.headers["content-range"] == f"bytes */{size}"


def test_what_retention_has_deleted_stays_deleted_until_it_is_named_anew(cloud: Cloud) -> None:
    path = name_file(cloud)
    before = outcome("Deleted")
    with cloud.node() as node, cloud.client("worker") as worker:
        assert put(node, path, PICTURE).status_code == httpx.codes.CREATED
        with psycopg.connect(cloud.database_url) as conn:
            conn.execute("update evidence set stored_at = null, pruned_at = now(), pruned_reason = 'age'")
        assert node.head(path).status_code == httpx.codes.GONE
        refused = put(node, path, PICTURE)
        assert (refused.status_code, refused.json()["detail"]) == (
            httpx.codes.GONE,
            "the file was here, and was deleted because its time was over",
        )
        assert outcome("Deleted") == before + 1
        assert worker.get(path).status_code == httpx.codes.NOT_FOUND
        name_file(cloud, number=2)  # a frozen picture: the same bytes in another incident
        assert put(node, path, PICTURE).status_code in {httpx.codes.OK, httpx.codes.CREATED}
        assert worker.get(path).status_code == httpx.codes.OK


def test_a_file_that_nobody_named_is_not_taken_yet(cloud: Cloud) -> None:
    with cloud.node() as node:
        path = f"/api/v1/evidence/{digest(PICTURE)}"
        assert put(node, path, PICTURE).status_code == httpx.codes.NOT_FOUND
        assert node.head(path).status_code == httpx.codes.NOT_FOUND


def test_a_file_that_another_node_named_is_not_taken(cloud: Cloud) -> None:
    file = EvidenceReference(
        sha256=digest(PICTURE), kind=EvidenceKind.SNAPSHOT, mime="image/jpeg", bytes=len(PICTURE), captured_at=NOW
    )
    cloud.receive(report(incident(evidence=(file,)), node="node-2"))
    with cloud.node() as node:
        assert put(node, f"/api/v1/evidence/{digest(PICTURE)}", PICTURE).status_code == httpx.codes.NOT_FOUND


def test_an_upload_goes_on_where_it_broke_off(cloud: Cloud) -> None:
    path = name_file(cloud)
    size, half = len(PICTURE), 300_000
    with cloud.node() as node:
        first = put(node, path, PICTURE[:half], part=f"bytes 0-{half - 1}/{size}")
        assert first.status_code == httpx.codes.ACCEPTED
        assert first.headers["upload-offset"] == str(half)
        asked = node.head(path)
        assert (asked.headers["upload-offset"], asked.headers["upload-length"]) == (str(half), str(size))
        assert asked.headers["upload-complete"] == "?0"
        wrong = put(node, path, PICTURE[half + 1 :], part=f"bytes {half + 1}-{size - 1}/{size}")
        assert (wrong.status_code, wrong.headers["upload-offset"]) == (httpx.codes.CONFLICT, str(half))
        last = put(node, path, PICTURE[half:], part=f"bytes {half}-{size - 1}/{size}")
        assert last.status_code == httpx.codes.CREATED
        assert node.head(path).headers["upload-complete"] == "?1"


def test_a_body_that_breaks_off_keeps_what_came(cloud: Cloud) -> None:
    path = name_file(cloud)
    with cloud.node() as node:
        answer = put(node, path, PICTURE[:1_000])
        assert answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY
        assert node.head(path).headers["upload-offset"] == "1000"


def test_a_connection_that_is_cut_keeps_what_came(cloud: Cloud) -> None:
    path = name_file(cloud)
    address = httpx.URL(cloud.url)
    head = (
        f"PUT {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {cloud.node_token}\r\n"
        f"Content-Type: image/jpeg\r\nContent-Length: {len(PICTURE)}\r\n\r\n"
    )
    with cloud.node() as node:

        def offset_past(least: int) -> int:
            deadline = time.monotonic() + 20
            while (offset := int(node.head(path).headers["upload-offset"])) < least:
                assert time.monotonic() < deadline
            return offset

        with socket.create_connection((address.host, address.port or 80), timeout=10) as line:
            line.sendall(head.encode() + PICTURE[:400_000])
            offset_past(256 << 10)  # written in pieces of that size
        while True:
            offset = offset_past(256 << 10)
            rest = put(node, path, PICTURE[offset:], part=f"bytes {offset}-{len(PICTURE) - 1}/{len(PICTURE)}")
            if rest.status_code != httpx.codes.CONFLICT:  # the request that was cut still held the file
                break
        assert rest.status_code == httpx.codes.CREATED


def test_an_upload_that_the_store_did_not_take_begins_anew(cloud: Cloud, settings: CloudSettings) -> None:
    path = name_file(cloud)
    store = settings.data_directory / "evidence"
    aside = settings.data_directory / "aside"
    store.rename(aside)
    store.write_text("no folder", encoding="utf-8")
    with cloud.node() as node:
        assert put(node, path, PICTURE).status_code == httpx.codes.SERVICE_UNAVAILABLE
        assert node.head(path).headers["upload-offset"] == "0"
        store.unlink()
        aside.rename(store)
        assert put(node, path, PICTURE).status_code == httpx.codes.CREATED


def test_other_bytes_than_those_of_the_hash_are_thrown_away(cloud: Cloud) -> None:
    path = name_file(cloud)
    with cloud.node() as node:
        other = PICTURE[:-3] + b"abc"
        assert put(node, path, other).status_code == httpx.codes.UNPROCESSABLE_ENTITY
        assert node.head(path).headers["upload-offset"] == "0"
        assert put(node, path, PICTURE + b"x").status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE
        assert put(node, path, PICTURE).status_code == httpx.codes.CREATED


@pytest.mark.parametrize(
    ("content", "mime"),
    [
        (b"<svg onload=alert(1)>" * 20, "image/jpeg"),
        (b"MZ" + bytes(100), "video/mp4"),
        (b"<html>" * 20, "text/html"),
    ],
)
def test_what_is_no_picture_and_no_film_is_refused(cloud: Cloud, content: bytes, mime: str) -> None:
    path = name_file(cloud, content, mime=mime)
    with cloud.node() as node:
        assert put(node, path, content, mime=mime).status_code == httpx.codes.UNSUPPORTED_MEDIA_TYPE


def test_a_film_is_taken(cloud: Cloud) -> None:
    content = film(5_000)
    path = name_file(cloud, content, mime="video/mp4")
    with cloud.node() as node:
        assert put(node, path, content, mime="image/jpeg").status_code == httpx.codes.UNSUPPORTED_MEDIA_TYPE
        assert put(node, path, content, mime="video/mp4").status_code == httpx.codes.CREATED


def test_a_file_that_is_named_too_large_is_refused_before_its_bytes(cloud: Cloud) -> None:
    path = name_file(cloud, size=(64 << 20) + 1)
    with cloud.node() as node:
        assert put(node, path, b"x").status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE


@pytest.mark.parametrize(
    "part", ["bytes 5-4/10", "bytes 0-99/10", "bytes a-b/c", "bytes 0-3/4", "lines 0-1/2", "bytes 0-1/" + "9" * 400]
)
def test_pieces_that_can_not_be_are_refused(cloud: Cloud, part: str) -> None:
    path = name_file(cloud)
    with cloud.node() as node:
        assert put(node, path, b"abcd", part=part).status_code == httpx.codes.UNPROCESSABLE_ENTITY


def told(cloud: Cloud, content: bytes) -> bytes:
    """The answer to bytes on the line, until the connection ends."""
    address = httpx.URL(cloud.url)
    with socket.create_connection((address.host, address.port or 80), timeout=20) as line:
        line.sendall(content)
        return line.makefile("rb").read()


def head_of(cloud: Cloud, path: str, *lines: str) -> bytes:
    fields = [
        f"PUT {path} HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {cloud.node_token}",
        "Content-Type: image/jpeg",
    ]
    return "\r\n".join([*fields, *lines, "", ""]).encode()


def outcome(name: str) -> float:
    return REGISTRY.get_sample_value("gridward_evidence_uploads_total", {"outcome": name}) or 0.0


def test_a_body_without_a_length_is_counted_as_it_comes(cloud: Cloud) -> None:
    path = name_file(cloud)
    before = outcome("stored")

    def pieces(content: bytes) -> Iterator[bytes]:
        for begin in range(0, len(content), 100_000):
            yield content[begin : begin + 100_000]

    with cloud.node() as node:
        headers = {"Content-Type": "image/jpeg"}
        longer = node.put(path, content=pieces(PICTURE + b"x" * 300_000), headers=headers)
        assert longer.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE
        shorter = node.put(path, content=pieces(PICTURE[:1_000]), headers=headers)
        assert shorter.status_code == httpx.codes.UNPROCESSABLE_ENTITY
        assert node.put(path, content=pieces(PICTURE), headers=headers).status_code == httpx.codes.CREATED
    assert outcome("stored") == before + 1


LYING_LENGTHS: tuple[tuple[list[str], bytes], ...] = (
    (["Content-Length: 5"], PICTURE[:100]),
    (["Content-Length: -5"], b""),
    (["Content-Length: 5, 6"], b"12345"),
    (["Content-Length: 99999999999999999999999999"], b"x"),
    (["Content-Length: 5", "Transfer-Encoding: chunked"], b"0\r\n\r\n"),
    (["Transfer-Encoding: chunked"], b"ffffffffffffffffffff\r\nx"),
    (["Transfer-Encoding: chunked"], b"-1\r\nx"),
    (["Transfer-Encoding: gzip, chunked"], b"0\r\n\r\n"),
)


def test_lengths_that_lie_store_nothing(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "_SILENCE_S", 0.3)
    path = name_file(cloud)
    for lines, body in LYING_LENGTHS:
        answer = told(cloud, head_of(cloud, path, *lines, "Connection: close") + body)
        assert answer.split(b" ")[1][:1] in {b"4", b"5"}, (lines, answer[:200])
        assert b" 500 " not in answer[:20], (lines, answer[:200])
    monkeypatch.undo()
    with cloud.node() as node:
        assert node.head(path).headers["upload-complete"] == "?0"
        wait_until(lambda: put(node, path, PICTURE).is_success)


def test_an_upload_that_drips_is_given_up_and_goes_on_later(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "_SILENCE_S", 0.3)
    path = name_file(cloud)
    before = outcome("TooSlow")
    answer = told(cloud, head_of(cloud, path, f"Content-Length: {len(PICTURE)}") + PICTURE[:1_000])
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert outcome("TooSlow") == before + 1
    with cloud.node() as node:
        assert node.head(path).headers["upload-offset"] == "1000"


def test_a_node_has_a_few_uploads_at_once_and_takes_nobody_elses(cloud: Cloud, settings: CloudSettings) -> None:
    del settings
    slots = UploadSlots(of_node=2, of_all=3)
    with ExitStack() as held:
        held.enter_context(slots.taken("one"))
        held.enter_context(slots.taken("one"))
        with pytest.raises(EvidenceStoreAway), slots.taken("one"):
            pass
        held.enter_context(slots.taken("two"))
        with pytest.raises(EvidenceStoreAway), slots.taken("three"):
            pass
    with slots.taken("one"):
        assert slots._running == {"one": 1}
    assert not slots._running
    paths = [name_file(cloud, jpeg(1_000 + number), number=number) for number in range(1, 6)]
    address = httpx.URL(cloud.url)
    with ExitStack() as held, cloud.node() as node:
        lines: dict[str, socket.socket] = {}

        def all_places_are_taken() -> bool:
            for path, size in zip(paths[:4], range(1_001, 1_005), strict=True):
                if path in lines and not select.select([lines[path]], [], [], 0)[0]:
                    continue  # under way: one that was answered came while the further one had its place
                line = socket.create_connection((address.host, address.port or 80), timeout=20)
                lines[path] = held.enter_context(line)
                line.sendall(head_of(cloud, path, f"Content-Length: {size}") + b"\xff")
            # Not the right file: one that were taken before the four are under way would be there from then on.
            return put(node, paths[4], jpeg(1_006)).status_code == httpx.codes.SERVICE_UNAVAILABLE

        wait_until(all_places_are_taken, timeout_s=30)
    with cloud.node() as node:
        wait_until(lambda: put(node, paths[4], jpeg(1_005)).is_success)


def test_two_uploads_of_one_file_do_not_mix(cloud: Cloud) -> None:
    path = name_file(cloud)
    address = httpx.URL(cloud.url)
    with cloud.node() as node:
        with socket.create_connection((address.host, address.port or 80), timeout=20) as line:
            line.sendall(head_of(cloud, path, f"Content-Length: {len(PICTURE)}") + PICTURE[:400_000])
            wait_until(lambda: int(node.head(path).headers["upload-offset"]) > 0)
            assert put(node, path, PICTURE).status_code == httpx.codes.CONFLICT
        wait_until(lambda: put(node, path, PICTURE).is_success)
        assert node.head(path).headers["upload-complete"] == "?1"


NO_HASHES = (
    "..%2f..%2fetc%2fpasswd",
    "%00",
    "0" * 63,
    "0" * 65,
    "A" * 64,
    "0" * 64 + "%0a",
    "%2e%2e",
    "';--",
    "*",
    "0" * 10_000,
)


def test_what_is_no_hash_is_no_file(cloud: Cloud) -> None:
    refusals = {httpx.codes.NOT_FOUND, httpx.codes.UNPROCESSABLE_ENTITY, httpx.codes.METHOD_NOT_ALLOWED}
    with cloud.node() as node, cloud.client("admin") as admin:
        for name in NO_HASHES:
            assert node.put(f"/api/v1/evidence/{name}", content=b"x").status_code in refusals, name
            assert admin.get(f"/api/v1/evidence/{name}").status_code in refusals, name


def test_what_is_more_or_less_than_a_picture_is_refused(cloud: Cloud) -> None:
    wrong = (jpeg(500) + b"<script>alert(1)</script>", HEAD + frame(65_535, 65_535) + scan() + END, jpeg(500)[:-2])
    with cloud.node() as node:
        for number, content in enumerate(wrong, start=1):
            path = name_file(cloud, content, number=number)
            assert put(node, path, content).status_code == httpx.codes.UNSUPPORTED_MEDIA_TYPE
            assert node.head(path).headers["upload-offset"] == "0"


def test_people_send_no_files_and_nodes_see_none(cloud: Cloud) -> None:
    path = name_file(cloud)
    with cloud.client("admin") as admin, cloud.node() as node, cloud.anyone() as anyone:
        assert put(admin, path, PICTURE).status_code == httpx.codes.UNAUTHORIZED
        assert put(anyone, path, PICTURE).status_code == httpx.codes.UNAUTHORIZED
        put(node, path, PICTURE)
        assert node.get(path).status_code == httpx.codes.UNAUTHORIZED
        assert anyone.get(path).status_code == httpx.codes.UNAUTHORIZED
