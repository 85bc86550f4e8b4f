"""Fetching: whole or not at all, resumed where it broke off, never more than was signed, and only what was signed."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contract.artifacts import StepCode
from edge.errors import StepRefused, UplinkLost
from edge.provisioning.fetching import RESERVE_BYTES, Fetcher
from edge.provisioning.store import Store
from tests.edge.provisioning.orders import Artifact, trusting

CONTENT = bytes(range(256)) * 40
ARTIFACT = Artifact(CONTENT)
SIGNATURE = ARTIFACT.signature


class Broken(httpx.SyncByteStream):
    """A line that breaks after so many bytes."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __iter__(self) -> Iterator[bytes]:
        yield self._content
        raise httpx.ReadError("the line broke")


class Cloud:
    """Hands out as a test says, and remembers what it was asked for."""

    def __init__(self, store: Store, *, free_bytes: int = 1 << 40) -> None:
        self.answers: list[Callable[[httpx.Request], httpx.Response]] = []
        self.asked: list[httpx.Request] = []
        self.fetcher = Fetcher(
            store,
            base_url="http://cloud",
            token="secret",
            free_bytes=lambda _folder: free_bytes,
            transport=httpx.MockTransport(self._answer),
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self.answers.pop(0)(request) if self.answers else hand_out(request)


def hand_out(request: httpx.Request, content: bytes = CONTENT) -> httpx.Response:
    first = int(request.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
    if not first:
        return httpx.Response(200, content=content)
    headers = {"Content-Range": f"bytes {first}-{len(content) - 1}/{len(content)}"}
    return httpx.Response(206, content=content[first:], headers=headers)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return trusting(tmp_path)


def test_what_was_signed_is_fetched_once_with_the_nodes_token(store: Store) -> None:
    cloud = Cloud(store)
    cloud.fetcher.fetch(SIGNATURE)
    cloud.fetcher.fetch(SIGNATURE)
    assert store.path(SIGNATURE.sha256).read_bytes() == CONTENT
    [request] = cloud.asked
    assert (request.url.path, request.headers["Authorization"]) == (
        f"/api/v1/artifacts/{SIGNATURE.sha256}",
        "Bearer secret",
    )


@settings(max_examples=30, deadline=None)
@given(breaks=st.lists(st.integers(0, 3000), max_size=6))
def test_it_goes_on_where_the_line_broke(tmp_path_factory: pytest.TempPathFactory, breaks: list[int]) -> None:
    store = trusting(tmp_path_factory.mktemp("node"))
    cloud = Cloud(store)
    have = 0
    for size in breaks:
        first = have

        def broken(_request: httpx.Request, first: int = first, size: int = size) -> httpx.Response:
            headers = {"Content-Range": f"bytes {first}-{len(CONTENT) - 1}/{len(CONTENT)}"} if first else {}
            return httpx.Response(206 if first else 200, stream=Broken(CONTENT[first : first + size]), headers=headers)

        cloud.answers.append(broken)
        have = min(have + size, len(CONTENT))
        if have == len(CONTENT):
            break
    for _ in cloud.answers[:]:
        try:
            cloud.fetcher.fetch(SIGNATURE)
        except UplinkLost:
            continue
    cloud.answers.clear()
    cloud.fetcher.fetch(SIGNATURE)
    assert store.path(SIGNATURE.sha256).read_bytes() == CONTENT


def test_a_cloud_that_does_not_resume_hands_it_out_from_the_beginning(store: Store) -> None:
    store.folder.mkdir(parents=True)
    store.part(SIGNATURE.sha256).write_bytes(b"what was there")
    cloud = Cloud(store)
    cloud.answers = [lambda _: httpx.Response(200, content=CONTENT)]
    cloud.fetcher.fetch(SIGNATURE)
    assert store.path(SIGNATURE.sha256).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (CONTENT + b"x", StepCode.TOO_LARGE),
        (CONTENT * 20, StepCode.TOO_LARGE),
        (CONTENT[:-1], StepCode.TRUNCATED),
        (b"", StepCode.TRUNCATED),
        (CONTENT[::-1], StepCode.WRONG_HASH),
    ],
)
def test_what_was_not_signed_is_refused_and_leaves_nothing_to_go_on_from(
    store: Store, content: bytes, code: StepCode
) -> None:
    cloud = Cloud(store)
    cloud.answers = [lambda request: hand_out(request, content)]
    with pytest.raises(StepRefused) as raised:
        cloud.fetcher.fetch(SIGNATURE)
    assert raised.value.code is code
    assert not store.has(SIGNATURE.sha256)
    cloud.fetcher.fetch(SIGNATURE)
    assert store.path(SIGNATURE.sha256).read_bytes() == CONTENT


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_what_the_cloud_does_not_hand_out_yet_may_come_later(store: Store, status: int) -> None:
    cloud = Cloud(store)
    cloud.answers = [lambda _: httpx.Response(status)]
    with pytest.raises(UplinkLost, match=str(status)):
        cloud.fetcher.fetch(SIGNATURE)


@pytest.mark.parametrize("status", [301, 302, 400, 410, 416])
def test_another_address_is_not_followed(store: Store, status: int) -> None:
    cloud = Cloud(store)
    cloud.answers = [lambda _: httpx.Response(status, headers={"Location": "http://elsewhere/"})]
    with pytest.raises(StepRefused) as raised:
        cloud.fetcher.fetch(SIGNATURE)
    assert raised.value.code is StepCode.NOT_FETCHED
    assert len(cloud.asked) == 1


def test_a_disk_without_room_is_told_before_a_byte_comes(store: Store) -> None:
    cloud = Cloud(store, free_bytes=RESERVE_BYTES)
    with pytest.raises(StepRefused) as raised:
        cloud.fetcher.fetch(SIGNATURE)
    assert (raised.value.code, cloud.asked) == (StepCode.NO_ROOM, [])


def test_a_disk_that_fills_up_on_the_way_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_values: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edge.provisioning.fetching.os.fsync", full)
    with pytest.raises(StepRefused) as raised:
        Cloud(store).fetcher.fetch(SIGNATURE)
    assert raised.value.code is StepCode.NO_ROOM


def test_bytes_that_changed_in_the_store_are_fetched_anew(store: Store) -> None:
    cloud = Cloud(store)
    cloud.fetcher.fetch(SIGNATURE)
    store.path(SIGNATURE.sha256).write_bytes(CONTENT[::-1])
    cloud.fetcher.fetch(SIGNATURE)
    assert store.path(SIGNATURE.sha256).read_bytes() == CONTENT


def test_a_node_that_stops_goes_on_with_what_has_come(store: Store) -> None:
    with pytest.raises(UplinkLost, match="stops"):
        Cloud(store).fetcher.fetch(SIGNATURE, stopped=lambda: True)
    assert store.part(SIGNATURE.sha256).stat().st_size > 0
