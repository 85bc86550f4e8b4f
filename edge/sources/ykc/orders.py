"""What a YKC pile can be asked to do, and what its answer means (§8.5, §9.3, §11). Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import msgspec

from edge.contract.device_command import (
    ARGUMENTS,
    DeviceAction,
    ResetArguments,
    ResetKind,
    Trigger,
    TriggerMessageArguments,
    UpdateFirmwareArguments,
)
from edge.errors import CommandRefused
from edge.settings.ykc import YkcPileSettings
from edge.sources.ykc.answers import Answer, ClockOrder, DataRequest, RebootOrder, StopOrder, UpdateOrder
from edge.sources.ykc.conversation import Outcome
from edge.sources.ykc.messages import ClockAnswer, Login, RealTimeData, RebootAnswer, StopAnswer, UpdateAnswer

ACTIONS: Final = frozenset(
    {
        DeviceAction.STOP_CHARGE,
        DeviceAction.RESET,
        DeviceAction.UPDATE_FIRMWARE,
        DeviceAction.TRIGGER_MESSAGE,
        DeviceAction.SET_CLOCK,
    }
)

_STOP_REFUSALS: Final[Mapping[int, str]] = MappingProxyType(
    {1: "it has another number", 2: "the gun is not charging", 3: "for another reason"}
)
_UPDATE_REFUSALS: Final[Mapping[int, str]] = MappingProxyType(
    {1: "it has another number", 2: "not its program", 3: "the download timed out"}
)
_FTP_PORT: Final = 21
_AT_ONCE, _WHEN_IDLE = 1, 2
_DOWNLOAD_MIN: Final = 60


@dataclass(frozen=True, slots=True)
class Order:
    """What is sent, and what answers it: a message of type `awaits`, of that `gun` where it concerns one. `patient`: it is carried out
    when it is answered, which may take long; that nothing came yet is no refusal.
    """

    answer: Answer
    awaits: type[Outcome]
    gun: int | None = None
    patient: bool = False

    def answered_by(self, outcome: Outcome) -> bool:
        """Whether that is its answer."""
        if not isinstance(outcome, self.awaits):
            return False
        return self.gun is None or getattr(outcome, "gun", None) == self.gun


def order_of(
    pile: YkcPileSettings,
    login: Login,
    action: DeviceAction,
    arguments: Mapping[str, Any],
    *,
    connector: int | None,
    charging: Collection[int],
    now: datetime,
) -> Order:
    """What to send. `charging` are the guns that do, `now` is the true time. Raises CommandRefused for what such a pile can't be asked."""
    if action not in ACTIONS:
        raise CommandRefused(f"a YKC pile can't be asked to {action}")
    try:
        given = msgspec.convert(dict(arguments), ARGUMENTS[action])
    except msgspec.ValidationError as error:
        raise CommandRefused(f"{action}: {error}") from error
    if connector is not None and not 1 <= connector <= pile.guns:
        raise CommandRefused(f"{pile.id} has no gun {connector}")
    if isinstance(given, ResetArguments):
        when = _WHEN_IDLE if given.kind is ResetKind.SOFT else _AT_ONCE
        return Order(RebootOrder(pile.number, when), RebootAnswer)
    if isinstance(given, UpdateFirmwareArguments):
        return Order(_update(pile, login, given), UpdateAnswer, patient=True)
    if action is DeviceAction.SET_CLOCK:
        return Order(ClockOrder(pile.number, now), ClockAnswer)
    asks = isinstance(given, TriggerMessageArguments)
    if isinstance(given, TriggerMessageArguments) and given.message not in {Trigger.METER_VALUES, Trigger.STATUS}:
        raise CommandRefused(f"a YKC pile can't be asked for {given.message}")
    gun = _gun(pile, connector, charging)
    if asks:
        return Order(DataRequest(pile.number, gun), RealTimeData, gun)
    return Order(StopOrder(pile.number, gun), StopAnswer, gun)


def _gun(pile: YkcPileSettings, connector: int | None, charging: Collection[int]) -> int:
    """The one that is meant: named, or the only one, or the only one that charges."""
    if connector is not None:
        return connector
    if pile.guns == 1:
        return 1
    if len(charging) != 1:
        raise CommandRefused(f"{pile.id} has {pile.guns} guns, {len(charging)} of them charge: say which one is meant")
    return next(iter(charging))


def _update(pile: YkcPileSettings, login: Login, given: UpdateFirmwareArguments) -> UpdateOrder:
    """A pile fetches over FTP, with 16 characters for the host and 32 for the path (§11.3)."""
    if given.retrieve_at is not None:
        raise CommandRefused("a YKC pile updates at once or when idle, not at a time")
    try:
        url = urlsplit(given.location)
        host, port = url.hostname or "", url.port or _FTP_PORT
        user, word, path = unquote(url.username or ""), unquote(url.password or ""), unquote(url.path).lstrip("/")
    except ValueError as error:
        raise CommandRefused(f"the address is none: {error}") from error
    if url.scheme != "ftp":
        raise CommandRefused(f"a YKC pile fetches its program over ftp://, not {url.scheme}://")
    for name, value, most in (("host", host, 16), ("user", user, 16), ("password", word, 16), ("path", path, 32)):
        if len(value) > most or not value.isascii() or not value.isprintable():
            raise CommandRefused(f"the {name} in the address has to have at most {most} characters of ASCII")
    if not host or not path:
        raise CommandRefused("the address has to name a host and a file")
    return UpdateOrder(pile.number, 2 if login.kind else 1, 0, host, port, user, word, path, _WHEN_IDLE, _DOWNLOAD_MIN)


def agreed(outcome: Outcome, *, now: datetime) -> dict[str, Any]:
    """What a pile answered, ready for JSON. Raises CommandRefused in its own words."""
    match outcome:
        case StopAnswer():
            if outcome.result != 1:
                why = _STOP_REFUSALS.get(outcome.reason, "without a reason")
                raise CommandRefused(f"the pile does not stop gun {outcome.gun}: {why} (0x35 {outcome.reason:02X})")
            return {"result": "accepted", "connector": outcome.gun}
        case RebootAnswer():
            if outcome.result != 1:
                raise CommandRefused(f"the pile does not start anew (0x91 {outcome.result:02X})")
            return {"result": "accepted"}
        case UpdateAnswer():
            if outcome.result != 0:
                why = _UPDATE_REFUSALS.get(outcome.result, "without a reason")
                raise CommandRefused(f"the pile was not updated: {why} (0x93 {outcome.result:02X})")
            return {"result": "installed"}
        case ClockAnswer():
            skew = None if outcome.time is None else (outcome.time - now) / timedelta(seconds=1)
            return {"result": "accepted", "skew_s": None if skew is None else round(skew, 3)}
        case RealTimeData():
            return {"result": "told", "connector": outcome.gun}
