"""What an address sends, in bounded time. An address that does not answer at all costs seconds, and soon asked again nothing."""

import time
from collections.abc import Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from typing import Final
from urllib.parse import urlsplit

import httpx

_TIMEOUT = httpx.Timeout(10.0, connect=5.0)
_FIRST_ANSWER_S = 5.0
_TOTAL_TIMEOUT_S = 90.0
_SILENT_FOR_S: Final = 60.0

_silent: dict[str, float] = {}
"""Until when (monotonic) a host is not asked, since it did not answer."""
_silent_lock = Lock()


class NotSent(Exception):
    """Nothing was sent, or not all; the message says why."""


def chunks(address: str) -> Iterator[bytes]:
    """What an address sends, piece by piece. Raises NotSent."""
    until = time.monotonic() + _TOTAL_TIMEOUT_S
    try:
        with _answer(address) as answer:
            if answer.status_code != httpx.codes.OK:
                raise NotSent(f"answers {answer.status_code}")
            for chunk in answer.iter_bytes():  # as it comes: a size would be waited for, however slowly it came
                if time.monotonic() > until:
                    raise NotSent(f"took longer than {_TOTAL_TIMEOUT_S:.0f} s")
                yield chunk
    except httpx.HTTPError as error:
        raise NotSent(_short(error)) from error


class _Answer:
    """An answer whose body is still to come, with the client that it comes through."""

    def __init__(self, address: str) -> None:
        self._client = httpx.Client(timeout=_TIMEOUT, follow_redirects=True)
        try:
            self.response = self._client.send(self._client.build_request("GET", address), stream=True)
        except BaseException:
            self._client.close()
            raise

    def __enter__(self) -> httpx.Response:
        return self.response

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection."""
        self.response.close()
        self._client.close()


def _answer(address: str) -> _Answer:
    """The beginning of an answer. It is asked for in a thread: where a network is dead, looking up a name takes longer than any limit that
    can be set for it. Raises NotSent when none comes in time, httpx.HTTPError.
    """
    host = _host(address)
    with _silent_lock:
        if time.monotonic() < _silent.get(host, 0.0):
            raise NotSent("no answer in time, a moment ago")
    came: SimpleQueue[_Answer | Exception] = SimpleQueue()
    given_up = Event()

    def ask() -> None:
        try:
            answer = _Answer(address)
        except (OSError, ValueError, ImportError, httpx.HTTPError, httpx.InvalidURL) as error:
            came.put(error)
            return
        came.put(answer)
        if given_up.is_set():
            answer.close()

    Thread(target=ask, name="first-answer", daemon=True).start()
    try:
        first = came.get(timeout=_FIRST_ANSWER_S)
    except Empty:
        given_up.set()
        _let_go(came)
        with _silent_lock:
            _silent[host] = time.monotonic() + _SILENT_FOR_S
        raise NotSent("no answer in time") from None
    if isinstance(first, Exception):
        raise NotSent(_short(first)) from first
    return first


def _let_go(came: "SimpleQueue[_Answer | Exception]") -> None:
    """What came in the moment in which it was given up: its thread may not have seen that."""
    with suppress(Empty, httpx.HTTPError):
        late = came.get_nowait()
        if isinstance(late, _Answer):
            late.close()


def _host(address: str) -> str:
    try:
        return urlsplit(address).netloc
    except ValueError:
        return address


def _short(error: Exception) -> str:
    return "no answer in time" if isinstance(error, httpx.TimeoutException) else str(error) or type(error).__name__
