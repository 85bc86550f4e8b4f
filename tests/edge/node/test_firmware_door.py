"""Where devices fetch a firmware: that one file, under that one address, for that one step."""

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.node.firmware_door import (
    HEAD_S,
    MOST_OF_ONE,
    MOST_TIMES,
    FirmwareDoor,
    Head,
    location,
    new_token,
    range_of,
)
from tests.edge.waiting import wait_until

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
CONTENT = bytes(range(256)) * 1_000


@dataclass
class Rig:
    """A door with one address, and a clock."""

    folder: Path
    now: datetime = AT
    token: str = field(default_factory=new_token)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        (self.folder / "firmware").write_bytes(CONTENT)
        (self.folder / "secret").write_text("nobody's", encoding="utf-8")
        self.door = FirmwareDoor("127.0.0.1", 0, told=lambda: self.now, monotonic_s=lambda: self.seconds)
        self.open(self.token)

    def open(self, token: str) -> None:
        self.door.open(token, self.folder / "firmware", len(CONTENT), AT + timedelta(hours=1))

    def call(self, address: str = "127.0.0.1") -> socket.socket:
        """Somebody who has said nothing yet."""
        assert self.door.port is not None
        return socket.create_connection(("127.0.0.1", self.door.port), 20.0, source_address=(address, 0))

    def url(self, token: str | None = None) -> str:
        assert self.door.port is not None
        return location("127.0.0.1", self.door.port, token or self.token)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    yield made
    made.door.stop()


def test_the_file_is_handed_out_whole_and_in_parts(rig: Rig) -> None:
    whole = httpx.get(rig.url())
    assert (whole.status_code, whole.content) == (200, CONTENT)
    assert whole.headers["Accept-Ranges"] == "bytes"
    head = httpx.head(rig.url())
    assert (head.status_code, head.headers["Content-Length"], head.content) == (200, str(len(CONTENT)), b"")
    rest = httpx.get(rig.url(), headers={"Range": "bytes=1000-"})
    assert (rest.status_code, rest.content) == (206, CONTENT[1000:])
    assert rest.headers["Content-Range"] == f"bytes 1000-{len(CONTENT) - 1}/{len(CONTENT)}"
    part = httpx.get(rig.url(), headers={"Range": "bytes=0-9"})
    assert part.content == CONTENT[:10]
    assert httpx.get(rig.url(), headers={"Range": f"bytes={len(CONTENT)}-"}).status_code == 416


def test_nothing_else_is(rig: Rig) -> None:
    for path in ("/", "/firmware/", f"/firmware/{new_token()}/firmware.bin", f"/firmware/{rig.token}/../secret"):
        base = rig.url().split("/firmware/", 1)[0]
        assert httpx.get(base + path).status_code == 404
    assert httpx.post(rig.url(), content=b"x").status_code == 501
    assert httpx.put(rig.url(), content=b"x").status_code == 501


def test_an_address_ends_with_its_step_and_the_port_with_the_last_address(rig: Rig) -> None:
    other, url = new_token(), rig.url()
    rig.open(other)
    rig.door.close(rig.token)
    assert httpx.get(url).status_code == 404
    assert httpx.get(rig.url(other)).status_code == 200
    rig.door.close(other)
    assert rig.door.port is None
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
    rig.open(other)
    assert httpx.get(rig.url(other)).status_code == 200


def test_an_address_ends_with_its_time(rig: Rig) -> None:
    rig.now = AT + timedelta(hours=1)
    assert httpx.get(rig.url()).status_code == 404
    rig.door.sweep()
    assert rig.door.port is None


def test_one_address_gives_so_many_bytes_and_no_more(rig: Rig) -> None:
    for _ in range(MOST_TIMES):
        assert httpx.get(rig.url()).status_code == 200
    rig.open(rig.token)  # to open it again gives nothing more
    assert httpx.get(rig.url()).status_code == 429
    assert httpx.head(rig.url()).status_code == 200


def test_an_address_may_stay_longer_and_never_shorter(rig: Rig) -> None:
    rig.door.open(rig.token, rig.folder / "firmware", len(CONTENT), AT + timedelta(hours=2))
    rig.open(rig.token)
    rig.now = AT + timedelta(hours=1)
    rig.door.sweep()
    assert httpx.get(rig.url()).content == CONTENT


def test_who_says_nothing_leaves_places_to_others(rig: Rig) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(MOST_OF_ONE):
            stack.enter_context(rig.call())
        with rig.call() as one_more:
            assert one_more.recv(1) == b""
        assert rig.door.refused == {"too_many": 1}
        with httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.0.2")) as other:
            assert other.get(rig.url()).content == CONTENT

    def is_answered() -> bool:
        try:
            return httpx.get(rig.url()).status_code == 200
        except httpx.TransportError:
            return False

    wait_until(is_answered, "the places are free again")


def test_a_head_has_one_time_however_its_bytes_are_spread() -> None:
    seconds = [0.0]
    caller, node = socket.socketpair()
    with caller, node:
        head = Head(node, HEAD_S, lambda: seconds[0])
        for second in range(int(HEAD_S)):
            seconds[0] = float(second)
            caller.sendall(b"G")
            assert head.read(1) == b"G"
        seconds[0] = HEAD_S
        caller.sendall(b"G")
        with pytest.raises(TimeoutError):
            head.read(1)


def test_who_takes_too_long_to_say_what_it_wants_is_hung_up_on(rig: Rig) -> None:
    with rig.call() as caller:

        def is_gone() -> bool:
            rig.seconds += HEAD_S / 4
            try:
                caller.sendall(b"G")
                caller.settimeout(0.05)
                return caller.recv(1) == b""
            except TimeoutError:
                return False
            except ConnectionError:
                return True

        wait_until(is_gone, "it is hung up on")


@given(st.text(max_size=40) | st.from_regex(r"bytes=[0-9]{0,4}-[0-9]{0,4}", fullmatch=True), st.integers(1, 5_000))
def test_no_range_leads_out_of_the_file(header: str, size_bytes: int) -> None:
    found = range_of(header, size_bytes)
    if found is not None:
        assert 0 <= found[0] < found[1] <= size_bytes


def test_an_address_of_the_sixth_version_stands_in_brackets() -> None:
    assert location("fe80::1", 80, "t") == "http://[fe80::1]:80/firmware/t/firmware.bin"
