"""A station of OCPP 1.6J for tests: the library's own `ChargePoint` over a real connection, driven from the test's thread."""

import asyncio
import base64
import json
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from ocpp.routing import on
from ocpp.v16 import ChargePoint, call, call_result
from ocpp.v16.enums import Action
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

TIMEOUT_S = 30.0

Handler = TypeVar("Handler", bound=Callable[..., Any])


def answers(action: Action) -> Callable[[Handler], Handler]:
    """`ocpp.routing.on`, with a type."""
    return cast("Callable[[Handler], Handler]", on(action))


class _Answering(ChargePoint):  # type: ignore[misc] # the library has no types
    """Answers what a central system asks; `behaviour` says how."""

    behaviour: "Station"

    @answers(Action.remote_stop_transaction)
    def on_remote_stop(self, transaction_id: int, **_rest: Any) -> Any:
        self.behaviour.orders.append(("stop", transaction_id))
        return call_result.RemoteStopTransaction(status=self.behaviour.stop_answer)

    @answers(Action.reset)
    def on_reset(self, type: str, **_rest: Any) -> Any:  # noqa: A002 (the standard's name)
        self.behaviour.orders.append(("reset", type))
        return call_result.Reset(status="Accepted")

    @answers(Action.change_configuration)
    def on_change(self, key: str, value: str, **_rest: Any) -> Any:
        self.behaviour.orders.append(("change", (key, value)))
        self.behaviour.configuration[key] = value
        return call_result.ChangeConfiguration(status=self.behaviour.change_answer)

    @answers(Action.get_configuration)
    def on_get(self, key: list[str] | None = None, **_rest: Any) -> Any:
        known = self.behaviour.configuration
        wanted = list(known) if key is None else key
        found = [{"key": name, "readonly": False, "value": known[name]} for name in wanted if name in known]
        return call_result.GetConfiguration(configuration_key=found, unknown_key=[n for n in wanted if n not in known])

    @answers(Action.trigger_message)
    def on_trigger(self, requested_message: str, connector_id: int | None = None, **_rest: Any) -> Any:
        self.behaviour.orders.append(("trigger", (requested_message, connector_id)))
        return call_result.TriggerMessage(status=self.behaviour.trigger_answer)

    @answers(Action.update_firmware)
    def on_update(self, location: str, **_rest: Any) -> Any:
        self.behaviour.orders.append(("update", location))
        return call_result.UpdateFirmware()


class Station:
    """One connected station. Its methods wait for the central system's answer."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.orders: list[tuple[str, Any]] = []
        self.configuration: dict[str, str] = {}
        self.stop_answer = "Accepted"
        self.change_answer = "Accepted"
        self.trigger_answer = "Accepted"
        self.connection: ClientConnection
        self.point: _Answering
        self._loop = loop
        self._listening: asyncio.Task[None] | None = None

    def run(self, doing: Coroutine[Any, Any, Any]) -> Any:
        """Have something done in the station's loop."""
        return asyncio.run_coroutine_threadsafe(doing, self._loop).result(TIMEOUT_S)

    def say(self, payload: Any, *, lenient: bool = False) -> Any:
        """One of `ocpp.v16.call`; an error of the central system is raised. `lenient` says it though the schema forbids it."""
        return self.run(self.point.call(payload, suppress=False, skip_schema_validation=lenient))

    def boot(self, firmware: str = "1.0.0") -> Any:
        return self.say(
            call.BootNotification(charge_point_model="M1", charge_point_vendor="Acme", firmware_version=firmware)
        )

    def status(
        self, status: str, error: str = "NoError", *, connector: int = 1, at: datetime | None = None, **more: Any
    ) -> Any:
        payload = call.StatusNotification(
            connector_id=connector, error_code=error, status=status, timestamp=None if at is None else stamp(at), **more
        )
        return self.say(payload, lenient=True)

    def meter(
        self,
        values: dict[str, float],
        *,
        connector: int = 1,
        at: datetime | None = None,
        transaction: int | None = None,
    ) -> Any:
        """Values by measurand, in the standard's units."""
        sampled = [{"value": str(value), "measurand": name, "unit": UNITS[name]} for name, value in values.items()]
        payload = call.MeterValues(
            connector_id=connector,
            meter_value=[{"timestamp": stamp(at or datetime.now(UTC)), "sampledValue": sampled}],
            transaction_id=transaction,
        )
        return self.say(payload)

    def start(self, *, at: datetime | None = None, connector: int = 1, meter: int = 0, tag: str = "card-1") -> int:
        payload = call.StartTransaction(
            connector_id=connector, id_tag=tag, meter_start=meter, timestamp=stamp(at or datetime.now(UTC))
        )
        return int(self.say(payload).transaction_id)

    def stop(self, number: int, *, at: datetime | None = None, meter: int = 100, reason: str = "Local") -> Any:
        return self.say(
            call.StopTransaction(
                meter_stop=meter, timestamp=stamp(at or datetime.now(UTC)), transaction_id=number, reason=reason
            )
        )

    async def open(self, url: str, identity: str, *, password: str | None, tls: ssl.SSLContext | None) -> None:
        headers = {}
        if password is not None:
            token = base64.b64encode(f"{identity}:{password}".encode()).decode()
            headers["Authorization"] = f"Basic {token}"
        self.connection = await connect(
            f"{url}/{identity}", subprotocols=[Subprotocol("ocpp1.6")], additional_headers=headers, ssl=tls, proxy=None
        )
        self.point = _Answering(identity, self.connection, response_timeout=TIMEOUT_S)
        self.point.behaviour = self
        self._listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        try:
            await self.point.start()
        except Exception:  # noqa: BLE001 (the connection has ended; what the test says next fails)
            return

    async def mute(self) -> None:
        """From now on it answers nothing by itself: what it is asked is read with `asked`."""
        assert self._listening is not None
        self._listening.cancel()
        with suppress(asyncio.CancelledError):
            await self._listening

    def asked(self) -> tuple[str, str]:
        """Of a mute one: the next thing that it is asked, as the message's number and the action."""
        _, number, action, _ = json.loads(self.run(self.connection.recv()))
        return number, action

    def answer(self, number: str, **payload: Any) -> None:
        """Of a mute one: answer it after all."""
        self.run(self.connection.send(json.dumps([3, number, payload])))

    async def close(self) -> None:
        await self.connection.close()
        if self._listening is not None:
            self._listening.cancel()


UNITS = {
    "Temperature": "Celsius",
    "Current.Import": "A",
    "Voltage": "V",
    "Power.Active.Import": "W",
    "Energy.Active.Import.Register": "Wh",
    "SoC": "Percent",
}


def stamp(at: datetime) -> str:
    """A time as stations write it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@contextmanager
def stations() -> Iterator[Callable[..., Station]]:
    """A function that connects one: `connect(url, identity, password=…, tls=…)`. All have gone in the end."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="stations", daemon=True)
    thread.start()
    made: list[Station] = []

    def call_in(url: str, identity: str, *, password: str | None = None, tls: ssl.SSLContext | None = None) -> Station:
        station = Station(loop)
        station.run(station.open(url, identity, password=password, tls=tls))
        made.append(station)
        return station

    try:
        yield call_in
    finally:
        for station in made:
            station.run(station.close())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()
