import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from edge.contract.downlink import Outcome
from edge.contract.envelope import Lane
from edge.outbox.outbox import Outbox
from edge.outbox.store import Counter
from edge.settings import OutboxSettings
from edge.uplink import evidence as evidence_module
from edge.uplink.evidence import EvidenceUploader, UploadOutcome
from tests.edge.records import START, SteppedClock, incident, snapshot
from tests.edge.waiting import wait_until

TOKEN = "node-token"


@dataclass
class FakeStore:
    """The cloud's side of an upload: keeps parts, and answers `script` first."""

    parts: dict[str, bytes] = field(default_factory=dict)
    complete: set[str] = field(default_factory=set)
    script: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)


def handler(store: FakeStore) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *_values: object) -> None:  # noqa: A002 (the library's name)
            del format

        def answer(self, status: int, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": "0", **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()

        def do_HEAD(self) -> None:
            name = self.path.rsplit("/", 1)[1]
            store.requests.append(("HEAD", name, None))
            if self.headers["Authorization"] != f"Bearer {TOKEN}":
                return self.answer(401)
            done = {"Upload-Complete": "?1"} if name in store.complete else {}
            return self.answer(200, {"Upload-Offset": str(len(store.parts.get(name, b""))), **done})

        def do_PUT(self) -> None:
            name = self.path.rsplit("/", 1)[1]
            content = self.rfile.read(int(self.headers["Content-Length"]))
            store.requests.append(("PUT", name, self.headers["Content-Range"]))
            if store.script:
                status, headers = store.script.pop(0)
                return self.answer(status, headers)
            words = self.headers["Content-Range"].removeprefix("bytes ")
            span, total = words.split("/")
            start = int(span.split("-")[0])
            kept = store.parts.get(name, b"")
            if start != len(kept):
                return self.answer(409, {"Upload-Offset": str(len(kept))})
            store.parts[name] = kept + content
            if len(store.parts[name]) < int(total):
                return self.answer(202, {"Upload-Offset": str(len(store.parts[name]))})
            store.complete.add(name)
            return self.answer(201)

    return Handler


@contextmanager
def serving(store: FakeStore) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(store))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


CONTENT = bytes(range(256)) * 40


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def outbox(tmp_path: Path, clock: SteppedClock) -> Iterator[Outbox]:
    """An outbox with one file whose incident the cloud has accepted."""
    opened = Outbox(tmp_path, OutboxSettings(), clock=clock, window_s=0.0)
    file = snapshot(CONTENT)
    opened.incident(incident(evidence=(file.reference,)), [file])
    [record] = opened.pending(Lane.INCIDENT, fresh_since=START, old=False, skip=(), limit=9)
    opened.settle({record.message_id: (Outcome.ACCEPTED, None)})
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence_module, "PART_BYTES", 4_000)


def test_a_file_goes_in_parts_and_is_forgotten_when_it_is_stored(outbox: Outbox) -> None:
    store = FakeStore()
    with serving(store) as url:
        uploader = EvidenceUploader(outbox, base_url=url, token=TOKEN)
        uploader.start()
        wait_until(lambda: outbox.figures().counters[Counter.EVIDENCE_DELIVERED] == 1, "the upload")
        uploader.stop()
    [name] = store.complete
    assert store.parts[name] == CONTENT
    assert [ranges for method, _, ranges in store.requests if method == "PUT"] == [
        "bytes 0-3999/10240",
        "bytes 4000-7999/10240",
        "bytes 8000-10239/10240",
    ]
    assert outbox.figures().evidence_bytes == 0


def test_a_broken_upload_goes_on_where_it_stopped(outbox: Outbox) -> None:
    store = FakeStore()
    upload = outbox.next_upload()
    assert upload is not None
    store.parts[upload.sha256] = CONTENT[:5_000]
    with serving(store) as url:
        uploader = EvidenceUploader(outbox, base_url=url + "/", token=TOKEN)
        assert uploader.attempt(upload).outcome is UploadOutcome.STORED
        assert store.parts[upload.sha256] == CONTENT
        assert store.requests[1] == ("PUT", upload.sha256, "bytes 5000-8999/10240")
        assert uploader.attempt(upload).outcome is UploadOutcome.STORED
        assert store.requests[-1][0] == "HEAD"
        uploader.stop()


@pytest.mark.parametrize(
    ("script", "attempts", "outcome"),
    [
        ([(404, {})], 0, UploadOutcome.LATER),
        ([(404, {})], 60, UploadOutcome.LATER),
        ([(503, {})], 99, UploadOutcome.UNREACHED),
        ([(429, {})], 0, UploadOutcome.UNREACHED),
        ([(500, {})], 0, UploadOutcome.LATER),
        ([(507, {})], 99, UploadOutcome.LATER),
        ([(401, {})], 99, UploadOutcome.NOT_ADMITTED),
        ([(302, {"Location": "http://127.0.0.1:1/"})], 0, UploadOutcome.LATER),
        ([(413, {})], 0, UploadOutcome.REFUSED),
        ([(415, {})], 0, UploadOutcome.REFUSED),
        ([(410, {})], 0, UploadOutcome.REFUSED),
        ([(422, {})], 0, UploadOutcome.LATER),
        ([(422, {})], 3, UploadOutcome.REFUSED),
        ([(202, {"Upload-Offset": "0"})], 0, UploadOutcome.LATER),
        ([(202, {"Upload-Offset": "nonsense"})], 0, UploadOutcome.LATER),
        ([(409, {"Upload-Offset": "0"})] * 9, 0, UploadOutcome.LATER),
        ([(409, {"Upload-Offset": "0"})] * 2, 0, UploadOutcome.STORED),
        ([(409, {})], 0, UploadOutcome.HELD),
        ([(200, {})], 0, UploadOutcome.STORED),
    ],
)
def test_what_the_cloud_may_answer(
    outbox: Outbox,
    clock: SteppedClock,
    script: list[tuple[int, dict[str, str]]],
    attempts: int,
    outcome: UploadOutcome,
) -> None:
    first = outbox.next_upload()
    assert first is not None
    for _ in range(attempts):
        outbox.delay_upload(first.sha256, 0.0)
    clock.step(1)
    upload = outbox.next_upload()
    assert upload is not None
    with serving(FakeStore(script=list(script))) as url:
        uploader = EvidenceUploader(outbox, base_url=url, token=TOKEN)
        assert uploader.attempt(upload).outcome is outcome
        uploader.stop()


def test_a_file_whose_earlier_try_is_still_in_its_place_loses_no_try_and_stops_no_other(
    outbox: Outbox, clock: SteppedClock
) -> None:
    with serving(FakeStore(script=[(409, {})] * 20)) as url:
        uploader = EvidenceUploader(outbox, base_url=url, token=TOKEN)
        for _ in range(20):
            assert uploader._next()
            clock.step(evidence_module.FIRST_WAIT_S)
        upload = outbox.next_upload()
        assert upload is not None
        assert upload.attempts == 0
        uploader.stop()


def test_an_incident_that_never_comes_is_not_waited_for_for_ever(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence_module, "ATTEMPTS_UNKNOWN", 0)
    upload = outbox.next_upload()
    assert upload is not None
    with serving(FakeStore(script=[(404, {})])) as url:
        uploader = EvidenceUploader(outbox, base_url=url, token=TOKEN)
        assert uploader.attempt(upload).outcome is UploadOutcome.REFUSED
        uploader.stop()


def test_an_unreachable_cloud_is_tried_later(outbox: Outbox) -> None:
    uploader = EvidenceUploader(outbox, base_url="http://127.0.0.1:1", token=TOKEN)
    uploader.start()
    wait_until(lambda: outbox.next_upload() is None, "the delay")
    uploader.stop()
    assert outbox.figures().evidence_bytes == len(CONTENT)


def test_a_cloud_that_is_away_costs_a_file_none_of_its_tries(
    outbox: Outbox, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence_module, "FIRST_WAIT_S", 0.01)
    with serving(FakeStore(script=[(503, {})] * 12)) as url:
        uploader = EvidenceUploader(outbox, base_url=url, token=TOKEN)
        for _ in range(6):
            clock.step(20)
            assert uploader._next()
        uploader.stop()
    clock.step(20)
    upload = outbox.next_upload()
    assert upload is not None
    assert upload.attempts == 0


def test_a_node_that_is_not_let_in_says_so_until_it_is(outbox: Outbox) -> None:
    told: list[str | None] = []
    upload = outbox.next_upload()
    assert upload is not None
    with serving(FakeStore(script=[(401, {}), (403, {})])) as url:
        uploader = EvidenceUploader(outbox, base_url=url, token="stale", on_admission=told.append)
        assert uploader.attempt(upload).outcome is UploadOutcome.NOT_ADMITTED
        uploader.start()
        wait_until(lambda: told, "the complaint")
        uploader.stop()
    assert told[0] is not None
    assert outbox.figures().evidence_bytes == len(CONTENT), "what was not let in is kept"


def test_what_is_refused_for_good_goes_to_the_dead_letters(outbox: Outbox) -> None:
    with serving(FakeStore(script=[(413, {})])) as url:
        uploader = EvidenceUploader(outbox, base_url=url, token=TOKEN)
        uploader.start()
        wait_until(outbox.dead_letters, "the dead letter")
        uploader.stop()
    assert outbox.dead_letters()[0].reason.startswith("413")
    assert outbox.figures().counters[Counter.EVIDENCE_REFUSED] == 1


def test_a_file_that_the_disk_does_not_give_back_holds_no_other_up(outbox: Outbox) -> None:
    bad = outbox.next_upload()
    assert bad is not None
    bad.path.unlink()
    bad.path.mkdir()
    good = snapshot(CONTENT[:9_000])
    outbox.incident(incident(2, evidence=(good.reference,)), [good])
    [record] = outbox.pending(Lane.INCIDENT, fresh_since=START, old=False, skip=(), limit=9)
    outbox.settle({record.message_id: (Outcome.ACCEPTED, None)})
    store = FakeStore()
    with serving(store) as url:
        uploader = EvidenceUploader(outbox, base_url=url, token=TOKEN)
        assert uploader.attempt(bad).outcome is UploadOutcome.LATER
        uploader.start()
        wait_until(lambda: good.reference.sha256 in store.complete, "the upload of the other one")
        uploader.stop()


def test_a_file_that_was_cut_short_is_refused(outbox: Outbox) -> None:
    upload = outbox.next_upload()
    assert upload is not None
    upload.path.write_bytes(CONTENT[:5_000])
    store = FakeStore()
    with serving(store) as url:
        uploader = EvidenceUploader(outbox, base_url=url, token=TOKEN)
        result = uploader.attempt(upload)
        uploader.stop()
    assert (result.outcome, result.reason) == (UploadOutcome.REFUSED, "cut short on the disk of the node")


def test_a_file_that_vanished_is_refused(outbox: Outbox) -> None:
    upload = outbox.next_upload()
    assert upload is not None
    upload.path.unlink()
    with serving(FakeStore()) as url:
        uploader = EvidenceUploader(outbox, base_url=url, token=TOKEN)
        assert uploader.attempt(upload).outcome is UploadOutcome.REFUSED
        uploader.stop()
