"""What a node sends to a wall and makes of the answers."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from edge.contract.wall import Absence
from edge.flow import WallPicture
from edge.uplink.wall import WallSender
from tests.fakes.scenes import at

PICTURE = WallPicture("cam-1", at(0), b"\xff\xd8picture\xff\xd9")


@contextmanager
def answering(status: int, body: bytes, requests: list[tuple[str, dict[str, str], bytes]]) -> Iterator[WallSender]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *_values: object) -> None:  # noqa: A002 (the library's name)
            del format

        def do_PUT(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            requests.append((self.path, dict(self.headers), content))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    sender = WallSender(
        base_url=f"http://127.0.0.1:{server.server_address[1]}",
        token="secret",
        ca_file=None,
        told=lambda moment: moment + timedelta(seconds=5),
    )
    yield sender
    sender.close()
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_picture_carries_its_corrected_time_and_the_token() -> None:
    requests: list[tuple[str, dict[str, str], bytes]] = []
    with answering(200, b'{"left_s": 41.5, "more": 1}', requests) as sender:
        answer = sender.picture(PICTURE)
    assert (answer.taken, answer.left_s) == (True, 41.5)
    [(path, headers, content)] = requests
    assert (path, content) == ("/api/v1/wall/cam-1", PICTURE.content)
    assert headers["Authorization"] == "Bearer secret"
    assert headers["Captured-At"] == at(5).isoformat()


def test_why_there_is_none_is_said_in_one_word() -> None:
    requests: list[tuple[str, dict[str, str], bytes]] = []
    with answering(200, b'{"left_s": 0}', requests) as sender:
        answer = sender.absence("cam-1", Absence.LOST)
    assert (answer.taken, answer.left_s) == (True, 0.0)
    [(path, _, content)] = requests
    assert (path, content) == ("/api/v1/wall/cam-1/absence", b'{"reason":"lost"}')


@pytest.mark.parametrize(
    ("status", "left_s"),
    [(404, 0.0), (409, 0.0)]
    + [(status, None) for status in (307, 401, 403, 408, 413, 415, 422, 429, 500, 502, 503, 504)],
)
def test_only_that_nobody_looks_ends_the_lease(status: int, left_s: float | None) -> None:
    with answering(status, b"{}", []) as sender:
        answer = sender.picture(PICTURE)
    assert (answer.taken, answer.left_s) == (False, left_s)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"left_s": -1}', b'{"left_s": "long"}', b'{"left_s": 1}' + b" " * 9999])
def test_an_answer_that_makes_no_sense_says_nothing_of_the_lease(body: bytes) -> None:
    with answering(200, body, []) as sender:
        answer = sender.picture(PICTURE)
    assert answer.taken
    assert answer.left_s in {None, 1.0}


def test_a_cloud_that_is_not_there_says_nothing_of_the_lease() -> None:
    sender = WallSender(base_url="http://127.0.0.1:1", token=None, ca_file=None, told=lambda moment: moment)
    answer = sender.picture(PICTURE)
    assert (answer.taken, answer.left_s) == (False, None)
    sender.close()
