"""The node as a central system of OCPP 1.6J: a thread with a loop of its own, a thread that commits, and what the node sees of both."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog
from websockets.asyncio.server import ServerConnection

from edge.contract.device_command import DeviceAction, Trigger
from edge.errors import CommandRefused, ConfigurationError, DeviceBusy, DeviceUnreachable, Retryable
from edge.flow import DeviceControl, FirmwareTold, Health, Parcel
from edge.settings import NodeConfiguration, OcppSettings
from edge.sources.knocks import Knocks
from edge.sources.ocpp.admission import Admission, Denial, Denied, digest
from edge.sources.ocpp.messages import Heard
from edge.sources.ocpp.orders import ACTIONS, agreed, configure, introduce, order, trigger, wanted_settings
from edge.sources.ocpp.pace import Pace
from edge.sources.ocpp.pile import Pile
from edge.sources.ocpp.server import Limits, Listener
from edge.sources.ocpp.station import Figures, GaveWay, OrderRefused, Patience, Station
from edge.sources.ocpp.transactions import TransactionBook
from edge.sources.reception import Reception, Rhythm, at_moments
from edge.sources.stations import GRACE_S, SILENT_HEARTBEATS

RECEIPTS: Final = "ocpp"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds; tests have less patience. `look_s`: how often it is looked who is there. `introduce_s`: so long a station that has called
    may take to say what it is. `meter_s`: after an order to stop, when the meter is asked. `listen_s`: between tries to get the port.
    """

    limits: Limits = field(default_factory=Limits)
    patience: Patience = field(default_factory=Patience)
    grace_s: float = GRACE_S
    look_s: float = 1.0
    introduce_s: float = 10.0
    answer_s: float = 30.0
    meter_s: tuple[float, ...] = (2.0, 6.0, 12.0, 20.0)
    listen_s: float = 5.0


class OcppSource:
    """Listens for the configured piles. `keep` returns once readings are kept, or raises Retryable; `receipts` are the marks that were kept
    before; `secret` reads a password's file.
    """

    def __init__(
        self,
        settings: OcppSettings,
        keep: Callable[[Parcel], None],
        on_status: Callable[[str, Health, str | None], None],
        *,
        secret: Callable[[Path | None], str | None],
        receipts: Sequence[bytes] = (),
        clock: Callable[[], datetime],
        correction: Callable[[], timedelta] = timedelta,
        timing: Timing | None = None,
    ) -> None:
        self.figures = Figures()
        self._secret = secret
        timing = timing or Timing()
        self._clock, self._correction, self._timing = clock, correction, timing
        self._transactions = TransactionBook(receipts)
        self._piles: dict[str, Pile] = {}
        self._turns: dict[str, asyncio.Lock] = {}
        rhythm = Rhythm(timing.look_s, timing.grace_s, timing.listen_s)
        self._reception = Reception(RECEIPTS, keep, on_status, rhythm=rhythm)
        self._knocks = Knocks()
        self._setting_refusals: dict[tuple[str, str], str] = {}
        self._take_settings(settings)
        self._listener = Listener(
            _admission(settings, secret),
            timing.limits,
            converse=self._converse,
            on_connected=self._on_connected,
            on_gone=self._on_gone,
            on_denied=self._on_denied,
            tls=_tls(settings),
        )
        self._unheard: set[str] = set(self._piles)

    @property
    def port(self) -> int | None:
        """Where it listens, once it does."""
        return self._reception.port

    def start(self) -> None:
        """Begin to listen."""
        self._reception.start(self._listener)

    def stop(self) -> None:
        """End; what is not answered a station sends again."""
        self._reception.stop()

    def adopt(self, configuration: NodeConfiguration) -> None:
        """Go on with other piles, on the same port; conversations of those that stay go on. Any thread."""
        settings = configuration.ocpp
        if settings is not None and self._reception.is_running:
            self._reception.call(self._adopt, settings, _admission(settings, self._secret))

    def control(self, device: str) -> DeviceControl | None:
        """What acts on a pile."""
        return self if device in self._piles else None

    def actions(self, device: str) -> Collection[DeviceAction]:
        """What a pile can be asked to do."""
        return ACTIONS if device in self._piles else ()

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
        try:
            return self._reception.ask(
                device, partial(self._act, device, action, arguments, connector, wait_s), wait_s=wait_s
            )
        except OrderRefused as refused:
            raise CommandRefused(f"the pile refuses {action}: {refused}") from refused

    def firmware_of(self) -> Mapping[str, FirmwareTold]:
        """What each pile told of its firmware, and the node's address as it sees it."""
        stations = dict(self._listener.stations)
        return {
            device: pile.firmware(
                is_connected=device in stations,
                address=_local_address(stations.get(device)),
                told_of=_told_of(stations.get(device)),
            )
            for device, pile in dict(self._piles).items()
        }

    def tally(self) -> dict[str, Any]:
        """What the source did since the start, ready for JSON."""
        figures, listener = self.figures, self._listener
        return {
            "messages": figures.messages,
            "readings": figures.readings,
            "replayed": figures.replayed,
            "unkept": figures.unkept,
            "connected": len(listener.stations),
            "refused": {f"{device}: {reason}": count for (device, reason), count in dict(figures.refused).items()},
            "clamped": dict(figures.clamped),
            "flaws": dict(figures.flaws),
            "denied": dict(listener.denials),
            "knocked": self._knocks.by_name,
            "replaced": listener.replaced,
            "turned_away": listener.turned_away,
            "faults": self._reception.commits.faults,
            "skew_s": {name: round(pile.clock.skew_s, 3) for name, pile in dict(self._piles).items()},
            "settings_refused": {f"{name}: {key}": why for (name, key), why in dict(self._setting_refusals).items()},
        }

    # --- in the loop --------------------------------------------------------------------------------------------

    def _adopt(self, settings: OcppSettings, admission: Admission) -> None:
        gone = set(self._piles) - {pile.id for pile in settings.piles}
        before = {station: wanted_settings(station.pile) for station in self._listener.stations.values()}
        self._take_settings(settings)
        self._listener.admission = admission
        for device in gone:
            self._unheard.discard(device)
            self._turns.pop(device, None)
            self._reception.spawn(self._listener.hang_up(device, "it is not configured any more"))
        for station, wanted in before.items():
            if station.device not in gone and wanted_settings(station.pile) != wanted:
                self._reception.spawn(self._configure(station))

    def _take_settings(self, settings: OcppSettings) -> None:
        """The piles, and whom to look for."""
        piles: dict[str, Pile] = {}
        for each in settings.piles:
            pile = self._piles.get(each.id)
            if pile is None:
                pile = Pile(each, self._transactions, heartbeat_s=settings.heartbeat_s)
            else:
                pile.adopt(each, heartbeat_s=settings.heartbeat_s)
            piles[each.id] = pile
        self._piles = piles
        self._reception.adopt(settings, dict.fromkeys(piles, SILENT_HEARTBEATS * settings.heartbeat_s))

    def _converse(self, device: str, connection: ServerConnection) -> Station:
        return Station(
            connection,
            self._piles[device],
            keep=self._keep,
            on_heard=self._on_heard,
            figures=self.figures,
            clock=self._clock,
            correction=self._correction,
            patience=self._timing.patience,
            pace=Pace(time.monotonic()),
            in_turn=self._turns.setdefault(device, asyncio.Lock()),
        )

    def _keep(self, readings: Sequence[Any], again: Sequence[Any], marks: tuple[bytes, ...]) -> Future[None]:
        return self._reception.commits.deliver(readings, again=again, marks=marks)

    def _on_connected(self, station: Station) -> None:
        self._reception.heard(station.device)
        if station.device in self._unheard:  # rules lost sight of a charge that outlasted the node's last end
            self._unheard.discard(station.device)
            first = self._reception.commits.deliver((), again=station.pile.charging(self._clock()))
            self._reception.spawn(self._show_charges(station.pile, first))
        self._reception.spawn(self._introduce(station))

    def _on_gone(self, station: Station, reason: str) -> None:
        self._reception.presence.gone(station.device, time.monotonic(), reason)

    def _on_heard(self, station: Station, heard: Heard | None) -> None:
        self._reception.heard(station.device)
        if heard is not None and heard.booted:
            self._reception.spawn(self._configure(station))

    def _on_denied(self, denied: Denied, address: str) -> None:
        if denied.why is not Denial.UNKNOWN or denied.identity is None:
            return
        times = self._knocks.knock(denied.identity)
        if self._knocks.is_worth_a_line:
            _log.warning("somebody calls who is not configured", identity=denied.identity, address=address, times=times)

    async def _show_charges(self, pile: Pile, shown: Future[None]) -> None:
        """Rules see the charges that are under way, as soon as what they are told of can be kept; between two messages of the pile, as each
        changes what is under way.
        """
        device, kept = pile.settings.id, await _is_kept(shown)
        while not kept:
            await asyncio.sleep(self._timing.patience.again_s)
            if self._piles.get(device) is not pile:
                return
            async with self._turns.setdefault(device, asyncio.Lock()):
                kept = await _is_kept(self._reception.commits.deliver((), again=pile.charging(self._clock())))

    async def _introduce(self, station: Station) -> None:
        with contextlib.suppress(DeviceUnreachable):
            await introduce(
                station, wait_s=self._timing.answer_s, sleep=asyncio.sleep, after_s=self._timing.introduce_s
            )

    async def _configure(self, station: Station) -> None:
        def refused(key: str, why: str) -> None:
            self._setting_refusals[station.device, key] = why

        with contextlib.suppress(DeviceUnreachable):
            await configure(station, wait_s=self._timing.answer_s, refused=refused)

    async def _act(
        self, device: str, action: DeviceAction, arguments: Mapping[str, Any], connector: int | None, wait_s: float
    ) -> dict[str, Any]:
        pile, station = self._piles.get(device), self._listener.stations.get(device)
        if pile is None:
            raise CommandRefused(f"{device} is no pile of this node")
        now = (self._clock() + self._correction()).isoformat(timespec="seconds").replace("+00:00", "Z")
        try:
            asked = order(pile, action, arguments, connector=connector, now=now)
            if station is None:
                raise DeviceUnreachable(f"{device} is not connected")
            is_stop = action is DeviceAction.STOP_CHARGE
            answer = agreed(action, await station.ask(asked, wait_s=wait_s, urgent=is_stop))
        except (CommandRefused, OrderRefused):
            is_there = connector is None or 1 <= connector <= pile.settings.connectors
            if action is DeviceAction.STOP_CHARGE and station is not None and is_there:
                self._reception.spawn(self._ask_meter(station, connector))  # what flows has to be seen all the more
            raise
        if action is DeviceAction.STOP_CHARGE:
            self._reception.spawn(self._ask_meter(station, connector))
        return answer

    async def _ask_meter(self, station: Station, connector: int | None) -> None:
        """Many stations sample no more once a charge has ended; that nothing flows any more has to be seen, though."""

        async def ask() -> None:
            with contextlib.suppress(GaveWay, DeviceBusy):  # there is a next time
                await station.ask(trigger(Trigger.METER_VALUES, connector), wait_s=self._timing.answer_s)

        with contextlib.suppress(DeviceUnreachable, OrderRefused):
            await at_moments(self._timing.meter_s, ask)


def _local_address(station: Station | None) -> str | None:
    local = None if station is None else station.connection.local_address
    return str(local[0]) if isinstance(local, tuple) else None


def _told_of(station: Station | None) -> frozenset[int]:
    """The connectors whose state it told over this connection, once it had the time to tell what happened while it had none."""
    return frozenset() if station is None or not station.has_settled else frozenset(station.status_of)


async def _is_kept(delivery: Future[None]) -> bool:
    try:
        await asyncio.wrap_future(delivery)
    except Retryable:
        return False
    return True


def check_files(settings: OcppSettings) -> None:
    """Raises ConfigurationError where a file is missing that the listener needs."""
    files = [file for pile in settings.piles if (file := pile.password_file) is not None]
    if settings.security_profile == 0:
        files = []
    files += [file for file in (settings.certificate_file, settings.key_file) if file is not None]
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        raise ConfigurationError(f"ocpp: there is no file {', '.join(missing)}")


def _admission(settings: OcppSettings, secret: Callable[[Path | None], str | None]) -> Admission:
    devices = {pile.identity: pile.id for pile in settings.piles}
    if settings.security_profile == 0:
        return Admission(settings.path, devices, None)
    passwords: dict[str, bytes] = {}
    for pile in settings.piles:
        password = secret(pile.password_file)
        if not password:
            raise ConfigurationError(f"pile {pile.id}: its password file is empty")
        passwords[pile.id] = digest(password.encode())
    return Admission(settings.path, devices, passwords)


def _tls(settings: OcppSettings) -> ssl.SSLContext | None:
    """Raises ConfigurationError for files that can't be used."""
    if settings.certificate_file is None or settings.key_file is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.certificate_file, settings.key_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"ocpp: the certificate {settings.certificate_file} can't be used: {error}") from error
    return context
