"""One connection of a station: what it says is kept before it is answered, and what is asked of it is asked one at a time."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from ocpp.charge_point import remove_nones, serialize_as_dict, snake_to_camel_case
from ocpp.messages import Call as Order
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from edge.contract.telemetry import ReadingFlag
from edge.errors import DeviceUnreachable, Retryable
from edge.flow import Reading
from edge.sources.ocpp.frames import (
    BadFrame,
    Call,
    CallError,
    CallResult,
    ErrorCode,
    MessageId,
    decode,
    error,
    result,
)
from edge.sources.ocpp.messages import Heard
from edge.sources.ocpp.pace import Pace
from edge.sources.ocpp.pile import Pile

MOST_FLAWS: Final = 20
"""Frames in a row that can't be read; who sends more speaks something else."""

MOST_ORDERS: Final = 4
"""Orders that wait for their turn; the standard has one on its way at a time (OCPP-J 1.6 §4.1.1)."""

MOST_OWED: Final = 100
"""States that could not be kept and will not be told again by the station."""

_POLICY_VIOLATION: Final = 1008
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds. `keep_s`: so long a station waits for an answer while nothing can be kept; most give up after 30. `again_s`: between two
    tries of that.
    """

    keep_s: float = 20.0
    again_s: float = 1.0


class OrderRefused(Exception):
    """The station answers an order with an error."""


class Figures:
    """What the stations said since the start; bounded by the configured piles and the closed sets of reasons."""

    def __init__(self) -> None:
        self.messages = 0
        self.readings = 0
        self.replayed = 0
        self.unkept = 0
        self.flaws: Counter[str] = Counter()
        self.refused: Counter[tuple[str, str]] = Counter()
        self.clamped: Counter[str] = Counter()

    def count(self, device: str, heard: Heard) -> None:
        """Note what a message came to."""
        for reason in heard.refused:
            known = self.refused[device, reason]
            self.refused[device, reason] = known + 1
            if known & (known + 1) == 0:  # the 1st, 2nd, 4th, 8th …
                _log.warning("part of a message was refused", device=device, reason=reason, times=known + 1)
        self.readings += len(heard.readings)
        self.replayed += sum(ReadingFlag.REPLAYED in reading.flag for reading in heard.readings)
        clamped = sum(ReadingFlag.CLAMPED in reading.flag for reading in heard.readings)
        if clamped:
            self.clamped[device] += clamped


class Station:
    """Speaks with one station over one connection, in the loop. `keep` hands over to the thread that commits; `on_heard` is called with
    each message that was answered, `in_turn` belongs to the station whatever connection it has: what is on its way to the disk must be
    known before the same is heard again. `booted` and `status_of` (connectors) say what it told of itself over this connection.
    """

    def __init__(
        self,
        connection: ServerConnection,
        pile: Pile,
        *,
        keep: Callable[[Sequence[Reading], Sequence[Reading], tuple[bytes, ...]], Future[None]],
        on_heard: Callable[["Station", Heard | None], None],
        figures: Figures,
        clock: Callable[[], datetime],
        correction: Callable[[], timedelta],
        patience: Patience,
        pace: Pace,
        in_turn: asyncio.Lock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.pile = pile
        self.connection = connection
        self.booted = False
        self.status_of: set[int] = set()
        self._keep = keep
        self._on_heard = on_heard
        self._figures = figures
        self._clock, self._correction = clock, correction
        self._patience, self._pace, self._sleep = patience, pace, sleep
        self._in_turn = in_turn
        self._owed: dict[str, Reading] = {}
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._numbers = itertools.count(1)
        self._pending: tuple[MessageId, asyncio.Future[CallResult | CallError]] | None = None

    @property
    def device(self) -> str:
        """Its id."""
        return self.pile.settings.id

    async def serve(self) -> None:
        """Until the connection ends."""
        flaws = 0
        try:
            while True:
                message = await self.connection.recv()
                received_at = self._clock()
                wait_s = self._pace.wait_s(len(message), time.monotonic())
                if wait_s > 0:
                    await self._sleep(wait_s)
                try:
                    frame = decode(message)
                except BadFrame as bad:
                    flaws += 1
                    await self._refuse(bad)
                    if flaws >= MOST_FLAWS:
                        await self.connection.close(_POLICY_VIOLATION, "nothing of this is OCPP 1.6J")
                        return
                    continue
                flaws = 0
                if isinstance(frame, Call):
                    await self._answer(frame, received_at)
                else:
                    self._take(frame)
        except ConnectionClosed:
            pass
        finally:
            if self._pending is not None and not self._pending[1].done():
                self._pending[1].set_exception(DeviceUnreachable("its connection was lost"))

    async def ask(self, payload: Any, *, wait_s: float) -> dict[str, Any]:
        """Send an order (one of `ocpp.v16.call`) and give the answer. Raises OrderRefused for an error, DeviceUnreachable when none
        comes in time, or as much waits as may.
        """
        if self._waiting >= MOST_ORDERS:
            raise DeviceUnreachable("it is busy with other orders")
        self._waiting += 1
        try:
            async with asyncio.timeout(wait_s), self._turn:
                return await self._ask(payload)
        except TimeoutError as late:
            raise DeviceUnreachable(f"it did not answer within {wait_s:.0f} s") from late
        except ConnectionClosed as closed:
            raise DeviceUnreachable("its connection was lost") from closed
        finally:
            self._waiting -= 1

    async def _ask(self, payload: Any) -> dict[str, Any]:
        order = Order(
            unique_id=f"gw-{next(self._numbers)}",
            action=type(payload).__name__,
            payload=remove_nones(snake_to_camel_case(serialize_as_dict(payload))),
        )
        answered: asyncio.Future[CallResult | CallError] = asyncio.get_running_loop().create_future()
        self._pending = order.unique_id, answered
        try:
            await self.connection.send(order.to_json())
            answer = await answered
        finally:
            self._pending = None
        if isinstance(answer, CallError):
            raise OrderRefused(f"{answer.code}: {answer.description}" if answer.description else answer.code)
        return answer.payload

    async def _answer(self, call: Call, received_at: datetime) -> None:
        self._figures.messages += 1
        async with self._in_turn:
            heard = self.pile.hear(call, received_at, self._correction())
            is_kept = await self._kept(heard)
            if is_kept:
                self.pile.settle(heard)
        if not is_kept:
            self._figures.unkept += 1
            words = "it can't be kept at present; send it again"
            await self.connection.send(error(call.message_id, ErrorCode.INTERNAL_ERROR, words))
            self._on_heard(self, None)
            return
        self._figures.count(self.device, heard)
        self.booted |= heard.booted
        self.status_of |= set() if heard.status_of is None else {heard.status_of}
        if heard.error is not None:
            await self.connection.send(error(call.message_id, *heard.error))
        else:
            await self.connection.send(result(call, dict(heard.answer)))
        self._on_heard(self, heard)

    async def _kept(self, heard: Heard) -> bool:
        """Whether what a message says is kept now. A state that is not, and that no station tells again, is owed."""
        owed = list(self._owed.values())
        readings = [*owed, *heard.readings]
        if not (readings or heard.again or heard.marks):
            return True
        until_s = time.monotonic() + self._patience.keep_s
        while True:
            try:
                await asyncio.wrap_future(self._keep(readings, heard.again, heard.marks))
            except Retryable:
                if time.monotonic() >= until_s or self.connection.state is not State.OPEN:
                    break
                await self._sleep(self._patience.again_s)
            else:
                self._owed.clear()
                return True
        if not heard.marks:
            for reading in heard.readings:
                key = f"{reading.point} {reading.observed_at}" if reading.is_event else reading.point
                if isinstance(reading.value, str) and (key in self._owed or len(self._owed) < MOST_OWED):
                    self._owed[key] = reading
        return False

    async def _refuse(self, bad: BadFrame) -> None:
        known = self._figures.flaws[bad.flaw.value]
        self._figures.flaws[bad.flaw.value] = known + 1
        if known & (known + 1) == 0:
            _log.warning("a frame can't be read", device=self.device, reason=bad.flaw, times=known + 1)
        if bad.message_id is not None:
            words = "this is no call of OCPP-J 1.6"
            await self.connection.send(error(bad.message_id, ErrorCode.FORMATION_VIOLATION, words))
        self._on_heard(self, None)

    def _take(self, answer: CallResult | CallError) -> None:
        if self._pending is None or self._pending[0] != answer.message_id or self._pending[1].done():
            self._figures.flaws["unasked_answer"] += 1
            return
        self._pending[1].set_result(answer)
