import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from models import download

Serve = Callable[[Callable[[BaseHTTPRequestHandler], None]], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """An address on the loopback that answers as the test says."""
    servers: list[ThreadingHTTPServer] = []

    def start(answer: Callable[[BaseHTTPRequestHandler], None]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer(self)

            def log_message(self, *_: object) -> None:
                return

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}/file"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def sends(body: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return answer


def test_all_of_it_comes_in_pieces(serve: Serve) -> None:
    body = b"weights" * 100_000
    pieces = list(download.chunks(serve(sends(body))))
    assert b"".join(pieces) == body
    assert len(pieces) > 1


@pytest.mark.parametrize(("limit", "value"), [("_FIRST_ANSWER_S", 0.2), ("_TIMEOUT", 0.2)])
def test_who_is_silent_is_given_up(serve: Serve, monkeypatch: pytest.MonkeyPatch, limit: str, value: float) -> None:
    release = threading.Event()
    monkeypatch.setattr(download, limit, value)
    with pytest.raises(download.NotSent, match="no answer in time"):
        list(download.chunks(serve(lambda _request: release.wait(10))))  # type: ignore[arg-type]
    release.set()


def test_who_was_silent_is_not_asked_again_at_once(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    release, asked = threading.Event(), []

    def silent(request: BaseHTTPRequestHandler) -> None:
        asked.append(request.path)
        release.wait(10)

    monkeypatch.setattr(download, "_FIRST_ANSWER_S", 0.2)
    address = serve(silent)
    for said in ("in time", "a moment ago"):
        with pytest.raises(download.NotSent, match=said):
            list(download.chunks(address))
    release.set()
    assert len(asked) <= 1


def test_a_trickle_is_given_up(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    given_up = threading.Event()

    def trickle(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "1000000")
        request.end_headers()
        while not given_up.wait(0.02):
            request.wfile.write(b"w")

    monkeypatch.setattr(download, "_TOTAL_TIMEOUT_S", 0.2)
    try:
        with pytest.raises(download.NotSent, match="took longer"):
            list(download.chunks(serve(trickle)))
    finally:
        given_up.set()


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/file", "http://[", "nowhere"])
def test_what_is_no_address_and_who_is_not_there_are_said(address: str) -> None:
    with pytest.raises(download.NotSent):
        list(download.chunks(address))
