"""What the node asks of a station: each action as an order of OCPP 1.6, and what an answer of the station comes to."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC
from typing import Any, Final

import msgspec
from ocpp.v16 import call
from ocpp.v16.enums import MessageTrigger, ResetType

from edge.contract.device_command import (
    ARGUMENTS,
    ChangeConfigurationArguments,
    DeviceAction,
    ReadConfigurationArguments,
    ResetArguments,
    ResetKind,
    Trigger,
    TriggerMessageArguments,
    UpdateFirmwareArguments,
)
from edge.errors import CommandRefused
from edge.sources.ocpp.meter import MEASURANDS
from edge.sources.ocpp.pile import Pile
from edge.sources.ocpp.station import GaveWay, OrderRefused, Station

ACTIONS: Final = frozenset(DeviceAction) - {DeviceAction.SET_CLOCK}
"""A station of OCPP 1.6 takes the time from each start and heartbeat, and can't be told it otherwise."""

SAMPLE_PERIOD: Final = "MeterValueSampleInterval"
SAMPLED: Final = "MeterValuesSampledData"

_AGREED: Final = frozenset({"Accepted", "RebootRequired", "Scheduled"})
_TRIGGERS: Final[Mapping[Trigger, MessageTrigger]] = {
    Trigger.BOOT_NOTIFICATION: MessageTrigger.boot_notification,
    Trigger.DIAGNOSTICS_STATUS: MessageTrigger.diagnostics_status_notification,
    Trigger.FIRMWARE_STATUS: MessageTrigger.firmware_status_notification,
    Trigger.HEARTBEAT: MessageTrigger.heartbeat,
    Trigger.METER_VALUES: MessageTrigger.meter_values,
    Trigger.STATUS: MessageTrigger.status_notification,
}

_SECRET: Final = frozenset({"authorizationkey"})
"""Keys that hold what a station logs in with (OCPP 1.6 security whitepaper)."""

_MOST_TRIES: Final = 4
"""A question that gives way to orders to stop is asked again so often."""

_LARGEST_ANSWER_BYTES: Final = 100 * 1024


def order(pile: Pile, action: DeviceAction, arguments: Mapping[str, Any], *, connector: int | None, now: str) -> Any:
    """The order for an action. `now` stands where no time is said. Raises CommandRefused for what makes no sense."""
    try:
        asked: Any = msgspec.convert(dict(arguments), ARGUMENTS[action])
    except (msgspec.ValidationError, ValueError) as error:
        raise CommandRefused(f"{action}: {error}") from error
    _require_possible(pile, asked, connector)
    match action, asked:
        case DeviceAction.STOP_CHARGE, _:
            return call.RemoteStopTransaction(transaction_id=_charge(pile, connector))
        case DeviceAction.RESET, ResetArguments():
            return call.Reset(type=ResetType.hard if asked.kind is ResetKind.HARD else ResetType.soft)
        case DeviceAction.CHANGE_CONFIGURATION, ChangeConfigurationArguments():
            return call.ChangeConfiguration(key=asked.key, value=asked.value)
        case DeviceAction.READ_CONFIGURATION, ReadConfigurationArguments():
            return call.GetConfiguration(key=list(asked.keys) or None)
        case DeviceAction.UPDATE_FIRMWARE, UpdateFirmwareArguments():
            at = (
                now
                if asked.retrieve_at is None
                else asked.retrieve_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
            )
            return call.UpdateFirmware(location=asked.location, retrieve_date=at)
        case DeviceAction.TRIGGER_MESSAGE, TriggerMessageArguments():
            return call.TriggerMessage(requested_message=_TRIGGERS[asked.message], connector_id=connector)
    raise CommandRefused(f"a pile of OCPP 1.6 knows no {action}")


def _require_possible(pile: Pile, asked: Any, connector: int | None) -> None:
    if connector is not None and not 1 <= connector <= pile.settings.connectors:
        raise CommandRefused(f"{pile.settings.id} has {pile.settings.connectors} connectors; there is no {connector}")
    if isinstance(asked, ChangeConfigurationArguments) and asked.key.lower() in _SECRET:
        raise CommandRefused(f"{asked.key} is a secret: it is set at the pile itself, not by an order")


def _charge(pile: Pile, connector: int | None) -> int:
    number = pile.transaction_on(connector)
    if number is None:
        where = "" if connector is None else f" on connector {connector}"
        raise CommandRefused(f"no charge is known{where}: there is nothing to stop")
    return number


def agreed(action: DeviceAction, answer: Mapping[str, Any]) -> dict[str, Any]:
    """What a station answered, if it agrees. Raises CommandRefused in its own words where it does not."""
    status = answer.get("status")
    if isinstance(status, str) and status not in _AGREED:
        raise CommandRefused(f"the pile refuses {action}: {status[:100]}")
    if len(msgspec.json.encode(answer)) > _LARGEST_ANSWER_BYTES:
        raise CommandRefused("the pile answers more than can be told: ask for single keys")
    known = answer.get("configurationKey")
    if isinstance(known, list):  # no station should tell its password, and some do
        shown = [each for each in known if isinstance(each, dict) and str(each.get("key")).lower() not in _SECRET]
        return {**answer, "configurationKey": shown}
    return dict(answer)


def wanted_settings(pile: Pile) -> dict[str, str]:
    """What a station is to be set to after each of its starts."""
    settings = pile.settings
    return {
        SAMPLED: ",".join(MEASURANDS[quantity] for quantity in settings.quantities),
        SAMPLE_PERIOD: str(settings.meter_period_s),
        **settings.configure,
    }


def trigger(message: Trigger, connector: int | None = None) -> Any:
    """The order to tell something now."""
    return call.TriggerMessage(requested_message=_TRIGGERS[message], connector_id=connector)


async def configure(station: Station, *, wait_s: float, refused: Callable[[str, str], None]) -> None:
    """Set what has to be set; what the station refuses is told to `refused`, by key. Raises DeviceUnreachable."""
    for key, value in wanted_settings(station.pile).items():
        try:
            answer = await _asked(station, call.ChangeConfiguration(key=key, value=value), wait_s)
        except OrderRefused as error:
            refused(key, str(error))
            continue
        if answer.get("status") not in _AGREED:
            refused(key, str(answer.get("status"))[:100])


async def introduce(
    station: Station, *, wait_s: float, sleep: Callable[[float], Awaitable[None]], after_s: float
) -> None:
    """Ask a station for its state that has connected and says nothing of itself. Raises DeviceUnreachable."""
    await sleep(after_s)
    station.has_settled = True
    for message, connector in (
        (Trigger.BOOT_NOTIFICATION, None),
        *((Trigger.STATUS, number) for number in range(station.pile.settings.connectors + 1)),
    ):
        if (station.booted and message is Trigger.BOOT_NOTIFICATION) or connector in station.status_of:
            continue
        try:
            await _asked(station, trigger(message, connector), wait_s)
        except OrderRefused:
            return  # it does not know the message, and so none of them


async def _asked(station: Station, payload: Any, wait_s: float) -> dict[str, Any]:
    """The answer to what may be asked twice without harm, after whatever it gives way to."""
    for _ in range(_MOST_TRIES - 1):
        try:
            return await station.ask(payload, wait_s=wait_s)
        except GaveWay:
            continue
    return await station.ask(payload, wait_s=wait_s)
