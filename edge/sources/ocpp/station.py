"""One connection of a station: what it says is kept before it is answered, and what is asked of it is asked one at a time."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from ocpp.charge_point import remove_nones, serialize_as_dict, snake_to_camel_case
from ocpp.messages import Call as Order
from ocpp.v16.enums import TriggerMessageStatus
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from edge.contract.telemetry import ReadingFlag
from edge.errors import DeviceBusy, DeviceUnreachable, Retryable
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
from edge.sources.ocpp.start_triggers import StartTriggers, asks_for_start
from edge.sources.ocpp.turns import Turns

MOST_FLAWS: Final = 20
"""Frames in a row that can't be read; who sends more speaks something else."""

MOST_ORDERS: Final = 4
"""Orders that are on their way or wait for their turn; the standard has one on its way at a time (OCPP-J 1.6 §4.1.1)."""

MOST_URGENT: Final = 16
"""The same of orders to stop, which have places of their own."""

MOST_OWED: Final = 100
"""States that could not be kept and will not be told again by the station."""

_POLICY_VIOLATION: Final = 1008
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds. `keep_s`: so long a station waits for an answer while nothing can be kept; most give up after 30. `again_s`: between two
    tries of that. `give_way_s`: so long the node waits for an answer at the least while an order to stop waits behind the question.
    """

    keep_s: float = 20.0
    again_s: float = 1.0
    give_way_s: float = 3.0


class GaveWay(DeviceUnreachable):
    """The station was asked and had not answered when an order to stop came: its answer is not waited for. Asking again can help."""


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


@dataclass(frozen=True, slots=True, eq=False)
class _Pending:
    """An order that was sent, at a time of the loop's clock."""

    number: MessageId
    asked_s: float
    answered: asyncio.Future[CallResult | CallError]


class Station:
    """Speaks with one station over one connection, in the loop. `keep` hands over to the thread that commits; `on_heard` is called with
    each message that was answered, `in_turn` belongs to the station whatever connection it has: what is on its way to the disk must be
    known before the same is heard again. `booted` and `status_of` (connectors) say what it told of itself over this connection,
    `has_settled` that it has had the time to. What it tells of itself because it was asked is no sign of a start.
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
        self._triggers = StartTriggers()
        self.status_of: set[int] = set()
        self.has_settled = False
        self._keep = keep
        self._on_heard = on_heard
        self._figures = figures
        self._clock, self._correction = clock, correction
        self._patience, self._pace, self._sleep = patience, pace, sleep
        self._in_turn = in_turn
        self._owed: dict[str, Reading] = {}
        self._turns = Turns(self._hurry)
        self._numbers = itertools.count(1)
        self._pending: _Pending | None = None

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
            if self._pending is not None and not self._pending.answered.done():
                self._pending.answered.set_exception(DeviceUnreachable("its connection was lost"))

    async def ask(self, payload: Any, *, wait_s: float, urgent: bool = False) -> dict[str, Any]:
        """Send an order (one of `ocpp.v16.call`) and give the answer. What is `urgent` stops something: it goes before all others, and what is
        under way and not answered gives way to it.

        Raises OrderRefused for an error, DeviceUnreachable when no answer comes in time, DeviceBusy where it was not sent because of
        others, GaveWay where it was, and another one was urgent.
        """
        if self._turns.count(urgent=urgent) >= (MOST_URGENT if urgent else MOST_ORDERS):
            raise DeviceBusy("it is busy with other orders")
        is_sent = False
        try:
            async with asyncio.timeout(wait_s), self._turns.turn(urgent=urgent):
                is_sent = True
                return await self._ask(payload)
        except TimeoutError as late:
            if is_sent:
                raise DeviceUnreachable(f"it did not answer within {wait_s:.0f} s") from late
            raise DeviceBusy(f"it was busy with other orders for {wait_s:.0f} s") from late
        except ConnectionClosed as closed:
            raise DeviceUnreachable("its connection was lost") from closed

    async def _ask(self, payload: Any) -> dict[str, Any]:
        order = Order(
            unique_id=f"gw-{next(self._numbers)}",
            action=type(payload).__name__,
            payload=remove_nones(snake_to_camel_case(serialize_as_dict(payload))),
        )
        loop = asyncio.get_running_loop()
        pending = _Pending(order.unique_id, loop.time(), loop.create_future())
        self._pending = pending
        self._hurry()
        if asks_for_start(payload):
            self._triggers.sent(order.unique_id, time.monotonic())
        try:
            await self.connection.send(order.to_json())
            answer = await pending.answered
        finally:
            self._pending = None
            pending.answered.cancel()
        if isinstance(answer, CallError) or answer.payload.get("status") != TriggerMessageStatus.accepted:
            self._triggers.refused(order.unique_id)
        if isinstance(answer, CallError):
            raise OrderRefused(f"{answer.code}: {answer.description}" if answer.description else answer.code)
        return answer.payload

    def _hurry(self) -> None:
        """Where an order to stop waits, the answer to what is under way is not waited for much longer."""
        pending = self._pending
        if pending is not None and self._turns.is_pressing:
            at_s = pending.asked_s + self._patience.give_way_s
            asyncio.get_running_loop().call_at(at_s, self._give_way, pending)

    def _give_way(self, pending: _Pending) -> None:
        if pending is self._pending and self._turns.is_pressing and not pending.answered.done():
            pending.answered.set_exception(GaveWay("it had not answered when something had to be stopped; ask again"))

    async def _answer(self, call: Call, received_at: datetime) -> None:
        self._figures.messages += 1
        async with self._in_turn:
            heard = self.pile.hear(call, received_at, self._correction())
            if heard.boot is not None and self._triggers.is_awaited(time.monotonic()):
                heard = replace(heard, is_start=False)
            is_kept = await self._kept(heard)
            if is_kept:
                self.pile.settle(heard)
                if heard.boot is not None:
                    self._triggers.answered()
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
        pending = self._pending
        if pending is None or pending.number != answer.message_id or pending.answered.done():
            self._figures.flaws["unasked_answer"] += 1
            return
        pending.answered.set_result(answer)
