"""The node as a platform of YKC V1.6: a thread with a loop of its own, a thread that commits, and what the node sees of both."""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

import structlog

from edge.contract.device_command import DeviceAction
from edge.contract.fields import shifted
from edge.errors import CommandRefused, DeviceUnreachable, Retryable
from edge.flow import DeviceControl, Health, Parcel
from edge.settings import NodeConfiguration
from edge.settings.ykc import YkcSettings
from edge.sources.payload import StateMemory
from edge.sources.reception import Reception, Rhythm, at_moments
from edge.sources.ykc.answers import DataRequest
from edge.sources.ykc.callers import Callers
from edge.sources.ykc.connection import Connection, Limits
from edge.sources.ykc.conversation import Conversation, Outcome, Turn
from edge.sources.ykc.listener import Listener
from edge.sources.ykc.orders import ACTIONS, Order, agreed, order_of
from edge.sources.ykc.platform import Platform

RECEIPTS: Final = "ykc"
TRY_AGAIN_S: Final = 1.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds; tests have less patience. `look_s`: how often it is looked who is there. `grace_s`: a pile that is back by then was not
    away. `meter_s`: after an order to stop, when the gun is asked whether current still flows. `listen_s`: between tries to get the port.
    """

    limits: Limits = field(default_factory=Limits)
    grace_s: float = 30.0
    look_s: float = 1.0
    meter_s: tuple[float, ...] = (2.0, 6.0, 12.0, 20.0)
    listen_s: float = 5.0


class YkcSource:
    """Listens for the configured piles. `keep` returns once readings are kept, or raises Retryable; `receipts` are the marks of records
    that were kept before.
    """

    def __init__(
        self,
        settings: YkcSettings,
        keep: Callable[[Parcel], None],
        on_status: Callable[[str, Health, str | None], None],
        *,
        receipts: Sequence[bytes] = (),
        clock: Callable[[], datetime],
        correction: Callable[[], timedelta] = timedelta,
        timing: Timing | None = None,
    ) -> None:
        self.platform = Platform(settings, receipts=receipts)
        self._clock, self._correction, self._timing = clock, correction, timing or Timing()
        self.callers = Callers(self._timing.limits.strangers)
        self._last_receipt = datetime.min.replace(tzinfo=UTC)
        self._states = StateMemory()
        self._orders: dict[Order, tuple[Connection, asyncio.Future[Outcome]]] = {}
        rhythm = Rhythm(self._timing.look_s, self._timing.grace_s, self._timing.listen_s)
        self._reception = Reception(RECEIPTS, keep, on_status, rhythm=rhythm, look=self._tick)
        self._listener = Listener(self._accept, self.callers)
        self._look_for(settings)

    @property
    def port(self) -> int | None:
        """Where it listens, once it does."""
        return self._reception.port

    def start(self) -> None:
        """Begin to listen."""
        self._reception.start(self._listener)

    def stop(self) -> None:
        """End; what is not answered a pile sends again."""
        self._reception.stop()

    def adopt(self, configuration: NodeConfiguration) -> None:
        """Go on with other piles, on the same port; conversations of those that stay go on. Any thread."""
        settings = configuration.ykc
        if settings is not None and self._reception.is_running:
            self._reception.call(self._adopt, settings)

    def control(self, device: str) -> DeviceControl | None:
        """What acts on a pile."""
        return self if self._has(device) else None

    def actions(self, device: str) -> Collection[DeviceAction]:
        """What a pile can be asked to do."""
        return ACTIONS if self._has(device) else ()

    def act(
        self,
        device: str,
        action: DeviceAction,
        arguments: Mapping[str, Any],
        *,
        connector: int | None = None,
        wait_s: float,
    ) -> dict[str, Any]:
        """Ask a pile to do something; see `DeviceControl`."""
        return self._reception.ask(
            device, partial(self._act, device, action, arguments, connector, wait_s), wait_s=wait_s
        )

    def tally(self) -> dict[str, Any]:
        """What the source did since the start, ready for JSON."""
        figures = self.platform.figures
        return {
            "frames": figures.frames,
            "readings": figures.readings,
            "logins": figures.logins,
            "records": figures.records,
            "doubled": figures.doubled,
            "replayed": figures.replayed,
            "connected": len(self.callers.by_device),
            "not_configured": self.platform.knocks.total,
            "knocked": self.platform.knocks.by_name,
            "before_login": figures.before_login,
            "encrypted": figures.encrypted,
            "malformed": dict(figures.malformed),
            "unknown_type": dict(figures.unknown_type),
            "refused": self.platform.refused(),
            "clamped": dict(figures.clamped),
            "skew_s": dict(figures.skew_s),
            "faults": self._reception.commits.faults,
            **self.callers.tally(),
        }

    def _has(self, device: str) -> bool:
        return any(pile.id == device for pile in self.platform.settings.piles)

    # --- in the loop --------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        """What is to be said without being asked."""
        now, now_s = self._clock(), time.monotonic()
        for connection in self.callers.by_device.values():
            connection.send(connection.conversation.tick(now, now_s))

    def _look_for(self, settings: YkcSettings) -> None:
        patience_s = self._timing.limits.silent_s
        self._reception.adopt(settings, dict.fromkeys((pile.id for pile in settings.piles), patience_s))

    def _adopt(self, settings: YkcSettings) -> None:
        self.platform.adopt(settings)
        self._look_for(settings)
        for connection in list(self.callers.by_device.values()):
            pile = connection.conversation.pile
            present = None if pile is None else self.platform.pile(pile.number)
            if present is None or pile is None or present.id != pile.id:
                connection.hang_up("it is not configured any more")
            else:
                connection.conversation.pile = present

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Let a caller in, where one may call from; it has to say who it is soon."""
        address = str((writer.get_extra_info("peername") or ("",))[0])
        if not self.callers.may_come(address, self.platform.settings.networks, piles=len(self.platform.piles)):
            writer.transport.abort()
            return
        connection = Connection(
            reader,
            writer,
            Conversation(self.platform, self._correction),
            keep=self._keep,
            on_turn=self._on_turn,
            received_at=self._receipt_time,
            limits=self._timing.limits,
            address=address,
        )
        self.callers.add(connection)
        self._reception.spawn(self._serve(connection))

    async def _serve(self, connection: Connection) -> None:
        reason = "its conversation failed"
        try:
            reason = await connection.run()
        except Exception:  # noqa: BLE001 (the top of a connection)
            self.callers.counts["failed"] += 1
            _log.exception("a pile's conversation failed", device=connection.device, address=connection.address)
            connection.hang_up(reason)
        finally:
            self._gone(connection, reason)

    def _gone(self, connection: Connection, reason: str) -> None:
        for _, future in [each for each in self._orders.values() if each[0] is connection]:
            if not future.done():
                future.set_exception(DeviceUnreachable(f"the connection ended: {reason}"))
        was_its_own, device = self.callers.gone(connection), connection.device
        if device is None:
            _log.debug("a caller is gone", address=connection.address, reason=reason)
        elif was_its_own:
            self._reception.presence.gone(device, connection.heard_s, reason)
            _log.info("a pile is gone", device=device, address=connection.address, reason=reason)

    def _on_turn(self, connection: Connection, turn: Turn) -> None:
        """Before it is kept: who has logged in is this one from now on, and whoever was before is not."""
        if turn.login is not None:
            self.callers.logged_in(connection, turn.login)
        if turn.stranger is not None and self.platform.knocks.is_worth_a_line:
            _log.warning(
                "somebody calls who is not configured",
                number=turn.stranger,
                address=connection.address,
                times=self.platform.knocks.by_name.get(turn.stranger, 1),
            )
        if connection.device is not None:
            self._reception.heard(connection.device)

    def _receipt_time(self) -> datetime:
        """Node time, moved on by a microsecond where two frames would share one."""
        self._last_receipt = max(self._clock(), self._last_receipt + timedelta(microseconds=1))
        return self._last_receipt

    async def _keep(self, connection: Connection, turns: Sequence[Turn]) -> bool:
        """Until it is kept: live data is said once only. False where the stop comes first, or it never can be."""
        readings = list(self._states.changes([each for turn in turns for each in turn.readings]))
        again = [each for turn in turns for each in turn.again]
        marks = tuple(mark for turn in turns for mark in turn.marks)
        while readings or again or marks:
            faults = self._reception.commits.faults
            try:
                await asyncio.wrap_future(self._reception.commits.deliver(readings, again=again, marks=marks))
            except Retryable as error:
                if self._reception.is_stopping or self._reception.commits.faults > faults:
                    self.platform.records.forget(marks)
                    return False
                _log.error("what a pile says waits for room", reason=str(error), readings=len(readings))
                await self._reception.rest(TRY_AGAIN_S)
                self._reception.heard(connection.device or "")
            else:
                break
        self.platform.records.settle(marks)
        self._states.kept(readings)
        self.platform.figures.readings += len(readings)
        for outcome in (turn.outcome for turn in turns if turn.outcome is not None):
            self._answered(outcome)
        return True

    def _answered(self, outcome: Outcome) -> None:
        for order, (connection, future) in self._orders.items():
            pile = connection.conversation.pile
            if pile is not None and pile.number == outcome.pile and order.answered_by(outcome) and not future.done():
                future.set_result(outcome)
                return

    async def _act(
        self, device: str, action: DeviceAction, arguments: Mapping[str, Any], connector: int | None, wait_s: float
    ) -> dict[str, Any]:
        if not self._has(device):
            raise CommandRefused(f"{device} is no pile of this node")
        connection = self.callers.by_device.get(device)
        if connection is None or connection.conversation.login is None or connection.conversation.pile is None:
            raise DeviceUnreachable(f"{device} is not connected")
        pile, now = connection.conversation.pile, shifted(self._clock(), self._correction())
        readings = self.platform.readings(pile.number)
        order = order_of(
            pile,
            connection.conversation.login,
            action,
            arguments,
            connector=connector,
            charging=readings.charging() if readings is not None else (),
            now=now,
        )
        answer = await self._ask(connection, order, wait_s)
        if answer is None:
            return {"result": "under way"}
        if (
            action is DeviceAction.STOP_CHARGE and order.gun is not None
        ):  # whatever it answers: what flows has to be seen
            self._reception.spawn(self._ask_meter(connection, order.gun))
        return agreed(answer, now=shifted(self._clock(), self._correction()))

    async def _ask(self, connection: Connection, order: Order, wait_s: float) -> Outcome | None:
        """Send an order and wait; None for one that is carried out in its own time."""
        if order in self._orders:
            raise CommandRefused("the same is on its way already")
        future: asyncio.Future[Outcome] = self._reception.loop.create_future()
        self._orders[order] = connection, future
        try:
            connection.send([connection.conversation.question(order.answer)])
            async with asyncio.timeout(wait_s):
                return await future
        except TimeoutError:
            if order.patient:
                return None
            raise DeviceUnreachable(f"the pile did not answer within {wait_s:.0f} s") from None
        finally:
            del self._orders[order]

    async def _ask_meter(self, connection: Connection, gun: int) -> None:
        """That nothing flows any more has to be seen, and soon."""
        pile = connection.conversation.pile

        async def ask() -> None:
            if pile is not None:
                connection.send([connection.conversation.question(DataRequest(pile.number, gun))])

        await at_moments(self._timing.meter_s, ask)
