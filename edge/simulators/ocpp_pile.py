"""A charging pile that speaks real OCPP 1.6J, with the library's own `ChargePoint`: it charges, heats, replays, disobeys and dies as told.

`python -m edge.simulators.ocpp_pile ws://127.0.0.1:9000/ocpp/pile-1 --heat-after 60 --vendor-fault GunOverheat --ignore-stop`
"""

import argparse
import asyncio
import base64
import contextlib
import math
import signal
import ssl
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from ocpp.routing import on
from ocpp.v16 import ChargePoint, call, call_result
from ocpp.v16.enums import Action
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from edge.simulators.ocpp_story import AMBIENT_C, Pile, Socket, Story

_RETRY_S: Final = 3.0

Handler = TypeVar("Handler", bound=Callable[..., Any])


def answers(action: Action) -> Callable[[Handler], Handler]:
    """`ocpp.routing.on`, with a type."""
    return cast("Callable[[Handler], Handler]", on(action))


def stamp(at: datetime) -> str:
    """A time as stations write it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Connection(ChargePoint):  # type: ignore[misc] # the library has no types
    """One connection of the pile: tells what happens, and answers what it is asked."""

    def __init__(self, identity: str, connection: ClientConnection, pile: Pile) -> None:
        super().__init__(identity, connection)
        self.pile = pile
        self._errands: set[asyncio.Task[None]] = set()

    async def live(self) -> None:
        """From the start of the pile to the end of the connection."""
        await self._boot()
        for socket in self.pile.sockets:
            await self._status(socket, "Charging" if socket.transaction else "Available")
        if self.pile.story.replays_minutes and not self.pile.replayed:
            await self._replay(self.pile.story.replays_minutes)
            self.pile.replayed = True
        while True:
            await self._happen()
            for socket in self.pile.sockets:
                await self._meter(socket)
            await asyncio.sleep(self.pile.story.period_s)
            self.pile.age_s += self.pile.story.period_s
            for socket in self.pile.sockets:
                socket.pass_time(self.pile.story.period_s)

    async def _happen(self) -> None:
        pile, story, first = self.pile, self.pile.story, self.pile.sockets[0]
        if story.dies_after_s is not None and pile.age_s >= story.dies_after_s:
            raise SystemExit(0)
        if pile.wants_to_charge(first):
            await self._begin(first)
        first.hot = first.hot or (pile.heats_from_s is not None and pile.age_s >= pile.heats_from_s)
        if story.fault_after_s is not None and pile.age_s >= story.fault_after_s and not pile.faulted:
            pile.faulted = True
            await self._status(first, "Faulted")
        if not pile.faulted and pile.age_s % 60 < story.period_s:
            await self.call(call.Heartbeat())

    async def _boot(self) -> None:
        await self.call(
            call.BootNotification(
                charge_point_model="Simulated", charge_point_vendor="Gridward", firmware_version=self.pile.firmware
            )
        )

    async def _status(self, socket: Socket, status: str, error: str = "NoError") -> None:
        if self.pile.faulted:
            status, error = "Faulted", self.pile.story.vendor_fault
        known = error == "NoError"
        payload = call.StatusNotification(
            connector_id=socket.number,
            error_code=error,
            status=status,
            timestamp=stamp(datetime.now(UTC)),
            vendor_error_code=None if known else error,
        )
        await self.call(payload, skip_schema_validation=True)

    async def _meter(self, socket: Socket) -> None:
        sampled = {"timestamp": stamp(datetime.now(UTC)), "sampledValue": socket.sampled(self.pile.random)}
        await self.call(
            call.MeterValues(connector_id=socket.number, meter_value=[sampled], transaction_id=socket.transaction)
        )

    async def _begin(self, socket: Socket) -> None:
        await self._status(socket, "Preparing")
        answer = await self.call(
            call.StartTransaction(
                connector_id=socket.number,
                id_tag="simulated",
                meter_start=int(socket.energy_wh),
                timestamp=stamp(datetime.now(UTC)),
            )
        )
        socket.transaction, socket.flows = answer.transaction_id, True
        await self._status(socket, "Charging")

    async def _end(self, socket: Socket, reason: str) -> None:
        if socket.transaction is None:
            return
        transaction, socket.transaction, socket.flows = socket.transaction, None, False
        self.pile.let_go(socket)
        await self.call(
            call.StopTransaction(
                meter_stop=int(socket.energy_wh),
                timestamp=stamp(datetime.now(UTC)),
                transaction_id=transaction,
                reason=reason,
            )
        )
        await self._status(socket, "Finishing")

    async def _replay(self, minutes: int) -> None:
        """A charge that it kept while nobody listened: it got too hot and cooled down again."""
        began = datetime.now(UTC) - timedelta(minutes=minutes + 2)
        answer = await self.call(
            call.StartTransaction(connector_id=1, id_tag="stored", meter_start=0, timestamp=stamp(began))
        )
        for minute in range(minutes):
            heat_c = AMBIENT_C + 65.0 * math.sin(math.pi * minute / minutes)
            sample = {"measurand": "Temperature", "unit": "Celsius", "value": f"{heat_c:.1f}"}
            at = stamp(began + timedelta(minutes=minute))
            await self.call(
                call.MeterValues(
                    connector_id=1,
                    meter_value=[{"timestamp": at, "sampledValue": [sample]}],
                    transaction_id=answer.transaction_id,
                )
            )
        await self.call(
            call.StopTransaction(
                meter_stop=9_000,
                timestamp=stamp(began + timedelta(minutes=minutes)),
                transaction_id=answer.transaction_id,
                reason="Local",
            )
        )

    def _later(self, doing: Any) -> None:
        """After the answer to what was asked is out."""
        errand = asyncio.ensure_future(doing)
        self._errands.add(errand)
        errand.add_done_callback(self._errands.discard)

    @answers(Action.remote_stop_transaction)
    def on_remote_stop(self, transaction_id: int, **_rest: Any) -> Any:
        """Stops, refuses, or agrees and goes on as if nothing had been said."""
        socket = self.pile.socket_of(transaction_id)
        if socket is None or self.pile.story.refuses_stop:
            return call_result.RemoteStopTransaction(status="Rejected")
        if not self.pile.story.ignores_stop:
            self._later(self._end(socket, "Remote"))
        return call_result.RemoteStopTransaction(status="Accepted")

    @answers(Action.reset)
    def on_reset(self, **_rest: Any) -> Any:
        """Starts anew: whatever was wrong is not any more."""
        self.pile.faulted, self.pile.age_s, self.pile.heats_from_s = False, 0.0, self.pile.story.heat_after_s
        for socket in self.pile.sockets:
            socket.free_from_s = 0.0
        self._later(self._connection.close())
        return call_result.Reset(status="Accepted")

    @answers(Action.change_configuration)
    def on_change(self, key: str, value: str, **_rest: Any) -> Any:
        """Takes whatever it is given."""
        self.pile.configuration[key] = value
        return call_result.ChangeConfiguration(status="Accepted")

    @answers(Action.get_configuration)
    def on_get(self, key: list[str] | None = None, **_rest: Any) -> Any:
        """Tells what it was given."""
        known = self.pile.configuration
        wanted = list(known) if key is None else key
        found = [{"key": name, "readonly": False, "value": known[name]} for name in wanted if name in known]
        unknown = [name for name in wanted if name not in known]
        return call_result.GetConfiguration(configuration_key=found, unknown_key=unknown)

    @answers(Action.trigger_message)
    def on_trigger(self, requested_message: str, connector_id: int | None = None, **_rest: Any) -> Any:
        """Tells its meters, its states or its start."""
        sockets = [socket for socket in self.pile.sockets if connector_id in {None, 0, socket.number}]
        for socket in sockets:
            if requested_message == "MeterValues":
                self._later(self._meter(socket))
            elif requested_message == "StatusNotification":
                self._later(self._status(socket, "Charging" if socket.transaction else "Available"))
        if requested_message == "BootNotification":
            self._later(self._boot())
        known = {"MeterValues", "StatusNotification", "BootNotification"}
        return call_result.TriggerMessage(status="Accepted" if requested_message in known else "NotImplemented")

    @answers(Action.update_firmware)
    def on_update(self, location: str, **_rest: Any) -> Any:
        """Installs what the name of the file says, `…-1.2.3.bin`, and starts anew with it."""
        self._later(self._install(location.rpartition("-")[2].removesuffix(".bin")))
        return call_result.UpdateFirmware()

    async def _install(self, version: str) -> None:
        for status in ("Downloading", "Downloaded", "Installing", "Installed"):
            await self.call(call.FirmwareStatusNotification(status=status))
        self.pile.firmware = version
        await self._connection.close()


async def run(url: str, pile: Pile, *, password: str | None = None, tls: ssl.SSLContext | None = None) -> None:
    """Call the central system again and again, until cancelled. Raises InvalidStatus where it does not let the pile in."""
    base, _, identity = url.rpartition("/")
    token = base64.b64encode(f"{identity}:{password}".encode()).decode()
    headers = {} if password is None else {"Authorization": f"Basic {token}"}
    while True:
        try:
            async with connect(
                f"{base}/{identity}",
                subprotocols=[Subprotocol("ocpp1.6")],
                additional_headers=headers,
                ssl=tls,
                proxy=None,
            ) as connection:
                speaking = Connection(identity, connection, pile)
                await _first_of(speaking.start(), speaking.live())
        except InvalidStatus:
            raise
        except (OSError, WebSocketException, TimeoutError):
            pass
        await asyncio.sleep(_RETRY_S)


async def _first_of(*doing: Any) -> None:
    """Until one of them ends; its error is raised, the others end with it."""
    tasks = [asyncio.ensure_future(each) for each in doing]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            while (
                not task.done()
            ):  # `asyncio.wait_for`, which the library uses, loses a cancellation now and then (before Python 3.12)
                task.cancel()
                await asyncio.wait([task], timeout=0.2)
        await asyncio.gather(*tasks, return_exceptions=True)


def main(arguments: list[str] | None = None) -> int:
    """Speak until told to stop; 2 where the central system does not let the pile in."""
    parser = argparse.ArgumentParser(
        prog="python -m edge.simulators.ocpp_pile", description="A simulated charging pile."
    )
    parser.add_argument("url", help="ws://host:port/ocpp/IDENTITY, or wss://")
    parser.add_argument("--password-file", type=Path)
    parser.add_argument("--ca-file", type=Path, help="whom to trust over wss://")
    parser.add_argument("--connectors", type=int, default=1)
    parser.add_argument("--period", type=float, default=5.0, metavar="SECONDS", help="between meter values")
    parser.add_argument("--charge-after", type=float, default=5.0, metavar="SECONDS")
    parser.add_argument("--heat-after", type=float, metavar="SECONDS", help="the plug glows while current flows")
    parser.add_argument("--fault-after", type=float, metavar="SECONDS")
    parser.add_argument("--vendor-fault", default="GunOverheat", metavar="CODE", help="told as errorCode")
    parser.add_argument("--replay", type=int, default=0, metavar="MINUTES", help="begins with a charge that it kept")
    parser.add_argument("--dies-after", type=float, metavar="SECONDS")
    parser.add_argument("--ignore-stop", action="store_true", help="agrees to a remote stop and goes on")
    parser.add_argument("--refuse-stop", action="store_true")
    parser.add_argument("--firmware", default="1.0.0")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    story = Story(
        connectors=max(1, options.connectors),
        charge_after_s=options.charge_after,
        heat_after_s=options.heat_after,
        fault_after_s=options.fault_after,
        vendor_fault=options.vendor_fault,
        ignores_stop=options.ignore_stop,
        refuses_stop=options.refuse_stop,
        replays_minutes=max(0, options.replay),
        dies_after_s=options.dies_after,
        period_s=max(0.05, options.period),
        firmware=options.firmware,
    )
    password = options.password_file.read_text(encoding="utf-8").strip() if options.password_file else None
    tls = ssl.create_default_context(cafile=options.ca_file) if options.url.startswith("wss:") else None

    async def until_told() -> int:
        speaking = asyncio.ensure_future(
            run(options.url, Pile.of(story, seed=options.seed), password=password, tls=tls)
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, speaking.cancel)
        try:
            await speaking
        except InvalidStatus as refused:
            sys.stderr.write(f"not let in: HTTP {refused.response.status_code}\n")
            return 2
        except asyncio.CancelledError:
            return 0
        return 0

    with contextlib.suppress(KeyboardInterrupt):
        return asyncio.run(until_told())
    return 0


if __name__ == "__main__":
    sys.exit(main())
