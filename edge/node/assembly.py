"""A node: constructs its parts, starts them, stops them; nothing else."""

import fcntl
import os
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any

import structlog

from edge.clock import NodeClock
from edge.configuration.reload import Change, Fate, change
from edge.contract.answer import Answer
from edge.contract.birth import Birth
from edge.contract.downlink import CommandName, DesiredProfile
from edge.contract.fields import uuid7
from edge.errors import ConfigurationError, EdgeError
from edge.evidence.seal import read_district_key
from edge.incidents import IncidentBook, rule_cards
from edge.node import declaration
from edge.node.alarms import EVIDENCE, OUTBOX, AlarmDesk, alarm_cards
from edge.node.applying import ProfileApplier, kinds_in_use, pin_shipped, versions_in_force
from edge.node.camera_status import PICTURE_LOST, QUARANTINED
from edge.node.cameras import Cameras
from edge.node.commands import CommandWorker, Handler
from edge.node.composites import Composites
from edge.node.device_commands import device_action_of
from edge.node.figures import health_of, status_of
from edge.node.firmware_desk import FOLDER as FIRMWARE_FOLDER
from edge.node.firmware_desk import FirmwareDesk
from edge.node.firmware_door import FirmwareDoor
from edge.node.health import HealthServer
from edge.node.linkage import Linkage
from edge.node.log_tail import log_tail_of
from edge.node.login import CREDENTIALS, NOT_RENEWED, LoginDesk, endpoint_of, renewal_of
from edge.node.models import ModelApplier
from edge.node.originals import keep_sealed_of, upload_sealed_of
from edge.node.program import ProgramApplier
from edge.node.protection import Protection
from edge.node.recollecting import Recollection
from edge.node.reloading import ReloadDesk, rehearse
from edge.node.reporting import ReportPace, news_of
from edge.node.rules_trial import rules_try_of
from edge.node.shelf import ModelShelf
from edge.node.standing import Standing
from edge.node.status import EVERY_S, write_status
from edge.node.telemetry import DeviceDesk
from edge.node.wall import Wall
from edge.outbox.outbox import Figures, Outbox
from edge.provisioning.credentials import read_secret
from edge.provisioning.desk import ProvisioningDesk
from edge.provisioning.enrolment import command_keys
from edge.provisioning.fetching import Fetcher
from edge.provisioning.login import Login
from edge.provisioning.store import Store
from edge.settings import NodeConfiguration
from edge.sources.registry import ReadingHandover, device_control, firmware_control, reading_sources, succeeded
from edge.sources.video_gateway import Gateways
from edge.uplink.downlink import CommandDesk
from edge.uplink.evidence import EvidenceUploader
from edge.uplink.publisher import Identity, Publisher
from edge.uplink.wall import WallSender
from firmware_configs.signature import ArtifactClass

CLOCK = "clock"
PROVISIONING = "provisioning"
GATEWAY_LOST = "gateway_lost"
SKEW_FROM_S = 10.0
"""From here on somebody should set the machine's clock; what leaves the node is corrected, what others log on it is not."""


_log = structlog.get_logger(__name__)


class Node:
    """All parts of one configuration. `on_fatal` is called when the process has to end and start anew."""

    def __init__(
        self,
        configuration: NodeConfiguration,
        *,
        on_fatal: Callable[[str], None],
        clock: NodeClock | Callable[[], datetime] | None = None,
        file: Path | None = None,
    ) -> None:
        """Without `clock` the node makes its own from those of the machine. `file` is read anew when a reload is asked for."""
        self.configuration = configuration
        self._on_fatal = on_fatal
        self.directory = configuration.node.data_directory
        self._lock = _claim(self.directory)
        self.clock = _node_clock(clock, self.directory)
        self.started_at = self.clock.told()
        self.identity = Identity(
            configuration.node.district, configuration.node.id, uuid7(int(self.started_at.timestamp() * 1000))
        )
        self.standing = Standing(clock=self.clock.told, on_change=self._announce)
        self.standing.know_lines(configuration.behind)
        self.login = Login.read(configuration.node, configuration.cloud)
        self.shelf = ModelShelf(
            (camera.model for camera in configuration.cameras if camera.model), self.standing, on_change=self._announce
        )
        declaration.check_size(configuration, self.shelf.versions())
        self.outbox = Outbox(
            self.directory,
            configuration.outbox,
            devices=[device.id for device in declaration.sources(configuration)],
            clock=self.clock,
            on_commit=self._nudge,
            on_damage=lambda reason: on_fatal(f"the outbox is damaged: {reason}"),
        )
        cards = {**rule_cards(configuration), **alarm_cards(self.identity.node)}
        key = self.login.key
        self.book = IncidentBook(self.outbox, cards, clock=self.clock, sign=None if key is None else key.sign)
        self.alarms = AlarmDesk(
            self.identity.node, book=self.book, standing=self.standing, clock=self.clock, told=self.clock.told
        )
        self._pace = ReportPace()
        self._reports = 0
        self.housekeeping_faults = 0
        self.recollection = Recollection(
            self.directory, configuration.memory, clock=self.clock, correction=lambda: self.clock.correction
        )
        self.wall = self._make_wall()
        self.commands = CommandWorker(
            self._command_handlers(),
            clock=self.clock.told,
            lengthy=[CommandName.RULES_TRY],
            by_device=[CommandName.DEVICE_ACTION],
        )
        self.command_desk = CommandDesk(
            self.identity.node,
            self.identity.session,
            clock=self.clock.told,
            names=self.commands.names,
            start=self.commands.submit,
            tell=self._answer,
            desire=self._desire,
            cloud_keys=command_keys(self.login.given),
        )
        self.publisher = self._make_publisher()
        self.uploader = self._make_uploader()
        self.composites = Composites(configuration, self.book, clock=self.clock)
        self.linkage = Linkage(
            configuration, self.book, lambda: self.cameras, clock=self.clock, on_sight=self.composites.saw
        )
        self.book.listen(self.linkage.follow)
        key_file = configuration.node.district_key
        self.cameras = Cameras(
            configuration.cameras,
            self.directory,
            shelf=self.shelf,
            book=self.book,
            recorder=self.outbox,
            standing=self.standing,
            clock=self.clock,
            told=self.clock.told,
            gateways=Gateways(configuration.gateways, read_secret, self._on_gateway),
            district_key=None if key_file is None else read_district_key(key_file),
            recollection=self.recollection,
            wall=self.wall,
            on_sight=self.linkage.show,
        )
        self.protection = Protection(
            configuration.devices,
            control=lambda device: device_control(self.reading_sources, device),
            book=self.book,
            memory=self.outbox,
            clock=self.clock,
        )
        self.desk = DeviceDesk(
            configuration.devices,
            recorder=self.outbox,
            book=self.book,
            standing=self.standing,
            clock=self.clock,
            protector=self.protection,
        )
        self._handover = ReadingHandover(
            self.desk.keep,
            self.outbox.receipts,
            self.desk.on_status,
            read_secret,
            self.clock,
            lambda: self.clock.correction,
        )
        self.reading_sources = reading_sources(configuration, self._handover)
        self.provisioning = self._make_provisioning(file)
        self.firmware = self._make_firmware()
        login_desk = LoginDesk(
            configuration.cloud,
            self.publisher,
            self.command_desk,
            self.uploader,
            self._wall_sender,
            self._fetcher,
            self._firmware_fetcher,
        )
        self.renewal = renewal_of(
            self.login,
            configuration.cloud,
            self.directory,
            login_desk,
            clock=self.clock.told,
            trouble=self._on_credentials,
        )
        self.reloads = ReloadDesk(self.directory, file, self.adopt, standing=self.standing, clock=self.clock.told)
        port = configuration.node.http_port
        self.health = None if port is None else HealthServer(port, self.status)
        self._stop, self._wake, self._reload_wanted = threading.Event(), threading.Event(), threading.Event()
        self._keeper = threading.Thread(target=self._keep_house, name="housekeeping", daemon=True)

    def start(self) -> None:
        """Start everything, sinks before sources."""
        if self.outbox.set_aside is not None:
            self.standing.degrade(OUTBOX, "set_aside", f"a damaged outbox is kept as {self.outbox.set_aside.name}")
        self.alarms.resume(self.outbox.ongoing())
        self.book.resume()
        self.composites.resume()
        self.protection.resume()
        self.desk.resume()
        self.commands.start()
        self.publisher.start()
        self.uploader.start()
        self.provisioning.start()
        self.firmware.start()
        if self.renewal is not None:
            self.renewal.start()
        self.wall.start()
        self.shelf.start()
        self.recollection.start()
        self.linkage.start()
        self.cameras.start()
        for source in self.reading_sources.values():
            source.start()
        if self.health is not None:
            self.health.start()
        self._keeper.start()
        _log.info("node started", node=self.identity.node, session=str(self.identity.session))

    def stop(self) -> None:
        """Stop everything, sources before sinks; what is not sent stays in the outbox."""
        self._stop.set()
        self._wake.set()
        if self.health is not None:
            self.health.stop()
        self.commands.stop()
        self.protection.stop()
        self.provisioning.stop()
        self.firmware.stop()
        if self.renewal is not None:
            self.renewal.stop()
        self.shelf.stop()
        self._keeper.join(1.0)
        stopping = threading.Thread(target=self.cameras.stop, name="stop-cameras", daemon=True)
        stopping.start()
        for source in self.reading_sources.values():
            source.stop()
        stopping.join()
        self.linkage.stop()
        self.desk.flush()
        self.recollection.stop()
        self.wall.stop()
        self.uploader.stop()
        self.publisher.stop()
        try:
            write_status(self.directory, {**status_of(self), "stopped": True})
        except (EdgeError, OSError) as error:
            _log.error("the last status was not written", reason=str(error))
        self.outbox.close()
        self._lock.close()
        _log.info("node stopped", node=self.identity.node)

    def reload(self) -> None:
        """Have the file read anew, soon; may be called from a signal handler."""
        self._reload_wanted.set()
        self._wake.set()

    def adopt(self, configuration: NodeConfiguration) -> Change:
        """Go on with another configuration, in the thread of the housekeeping: what stays as it is does not notice.

        Raises ConfigurationError for what can't be taken in, before anything is touched. What breaks later than that ends the
        process: the next one starts with the new configuration.
        """
        found = change(self.configuration, configuration)
        if found.problem is not None:
            raise ConfigurationError(found.problem)
        rehearse(configuration)
        declaration.check_size(configuration, self.shelf.versions())
        try:
            self._go_on_with(configuration, found)
        except Exception:
            _log.exception("a new configuration could not be taken in whole")
            self._on_fatal("a new configuration could not be taken in whole: the node starts anew with it")
            raise
        return found

    def _go_on_with(self, configuration: NodeConfiguration, found: Change) -> None:
        cards = rule_cards(configuration)
        self.shelf.want(camera.model for camera in configuration.cameras if camera.model)
        self.cameras.adopt(configuration.cameras, configuration.gateways, found.cameras, cards)
        if any(fate is not Fate.KEPT for fate in found.devices.values()):
            self.desk.adopt(configuration.devices, cards)
            self.protection.adopt(configuration.devices)
            self.reading_sources = succeeded(self.reading_sources, configuration, self._handover)
        self.standing.know_lines(configuration.behind)
        self.linkage.adopt(configuration)
        self.composites.adopt(configuration, cards)
        self.configuration = configuration
        self._profiles = versions_in_force(self.directory, configuration)
        self._announce()

    def birth(self) -> Birth:
        """What the node is at present."""
        birth = declaration.birth_of(self.configuration, self.shelf.versions(), self.standing.degradations())
        told = declaration.provisioned(birth, self.configuration, self._profiles, self.provisioning.record)
        return declaration.with_firmware(told, self.firmware.book)

    def status(self) -> dict[str, Any]:
        """How everything stands, for the status file."""
        return status_of(self)

    def _command_handlers(self) -> dict[str, Handler]:
        """What the cloud can ask of this node."""
        return {
            CommandName.LOG_TAIL: log_tail_of(self.directory),
            CommandName.SNAPSHOT: self.wall.lease,
            CommandName.RULES_TRY: rules_try_of(lambda: self.configuration, self.recollection),
            CommandName.DEVICE_ACTION: device_action_of(lambda device: device_control(self.reading_sources, device)),
            CommandName.UPLOAD_SEALED: upload_sealed_of(self.outbox),
            CommandName.KEEP_SEALED: keep_sealed_of(self.outbox),
        }

    # --- construction -------------------------------------------------------------------------------------------

    def _make_publisher(self) -> Publisher:
        return Publisher(
            self.identity,
            endpoint_of(self.configuration.cloud, self.login),
            self.outbox,
            self.birth,
            historical_after_s=self.configuration.outbox.historical_after_s,
            commands=self.command_desk,
            clock=self.clock,
        )

    def _make_uploader(self) -> EvidenceUploader:
        cloud = self.configuration.cloud
        return EvidenceUploader(
            self.outbox,
            base_url=str(cloud.https),
            token=self.login.token,
            ca_file=cloud.ca_file,
            on_admission=self._on_admission,
        )

    def _make_provisioning(self, file: Path | None) -> ProvisioningDesk:
        cloud, store = self.configuration.cloud, Store(self.directory)
        for damaged in pin_shipped(store, kinds_in_use(self.configuration)):
            self.standing.degrade(PROVISIONING, "damaged", damaged)
        self._profiles = versions_in_force(self.directory, self.configuration)
        profiles = ProfileApplier(
            self.directory,
            file,
            configuration=lambda: self.configuration,
            adopt=self.adopt,
            renew=self._on_fatal,
            standing=self.standing,
            watch_s=self.configuration.node.trial_s,
        )
        self._fetcher = Fetcher(store, base_url=str(cloud.https), token=self.login.token, ca_file=cloud.ca_file)
        trial_s = self.configuration.node.trial_s
        models = ModelApplier(store, shelf=self.shelf, standing=self.standing, watch_s=trial_s)
        program = ProgramApplier(
            store,
            renew=self._on_fatal,
            standing=self.standing,
            is_connected=lambda: self.publisher.figures.connected,
            watch_s=2 * trial_s,
        )
        for reconcile in (models.reconcile, lambda: program.reconcile(self.clock.told())):
            try:
                reconcile()
            except (ConfigurationError, OSError) as error:
                self.standing.degrade(PROVISIONING, "not_reconciled", str(error))
        return ProvisioningDesk(
            self.identity.node,
            store,
            self._fetcher,
            {ArtifactClass.PROFILE: profiles, ArtifactClass.MODEL: models, ArtifactClass.PROGRAM: program},
            cloud_keys=lambda: self.command_desk.cloud_keys,
            told=self.clock.told,
            on_change=self._announce,
        )

    def _make_firmware(self) -> FirmwareDesk:
        cloud, ocpp = self.configuration.cloud, self.configuration.ocpp
        store = Store(self.directory, FIRMWARE_FOLDER)
        self._firmware_fetcher = Fetcher(
            store, base_url=str(cloud.https), token=self.login.token, ca_file=cloud.ca_file
        )
        port = None if ocpp is None else ocpp.firmware_port
        door = None if ocpp is None or port is None else FirmwareDoor(ocpp.host, port, told=self.clock.told)
        return FirmwareDesk(
            self.identity.node,
            store,
            self._firmware_fetcher,
            door,
            piles=lambda: firmware_control(self.reading_sources),
            host=lambda: None if self.configuration.ocpp is None else self.configuration.ocpp.firmware_host,
            cloud_keys=lambda: self.command_desk.cloud_keys,
            told=self.clock.told,
            monotonic_s=time.monotonic,
            on_change=self._announce,
        )

    def _make_wall(self) -> Wall:
        cloud = self.configuration.cloud
        self._wall_sender = WallSender(
            base_url=str(cloud.https),
            token=self.login.token,
            ca_file=cloud.ca_file,
            told=self.clock.corrected,
        )
        places = self.configuration.node.wall_cameras
        return Wall(places, self._wall_sender, cameras=lambda: self.cameras.names, is_lost=self._shows_nothing)

    def _shows_nothing(self, camera: str) -> bool:
        """Whether it is known that there are no pictures of a camera."""
        known = {(each.subject, each.reason) for each in self.standing.degradations()}
        return not known.isdisjoint({(camera, PICTURE_LOST), (camera, QUARANTINED)})

    # --- while running ------------------------------------------------------------------------------------------

    def _announce(self) -> None:
        if hasattr(self, "publisher"):
            self.publisher.announce()

    def _answer(self, answer: Answer) -> bool:
        return self.publisher.answer(answer)

    def _desire(self, desired: DesiredProfile) -> None:
        if desired.artifact == ArtifactClass.FIRMWARE:
            self.firmware.receive(desired)
        else:
            self.provisioning.receive(desired)

    def _nudge(self) -> None:
        if hasattr(self, "publisher"):
            self.publisher.nudge()
            self.uploader.nudge()

    def _on_credentials(self, problem: str | None) -> None:
        if problem is None:
            self.standing.recover(CREDENTIALS, NOT_RENEWED)
        else:
            self.standing.degrade(CREDENTIALS, NOT_RENEWED, problem)

    def _on_admission(self, reason: str | None) -> None:
        if reason is None:
            self.standing.recover(EVIDENCE, "not_admitted")
            return
        if self.renewal is not None:
            self.renewal.nudge()
        node = self.identity.node
        way_out = (
            f"pictures wait here: `gridward-cloud node claim {node}` gives a code for `gridward-edge enrol`, "
            f"`gridward-cloud node add {node}` a token for cloud.token_file"
        )
        self.standing.degrade(EVIDENCE, "not_admitted", f"{reason}; {way_out}")

    def _on_gateway(self, gateway: str, problem: str | None) -> None:
        if problem is None:
            self.standing.recover(gateway, GATEWAY_LOST)
        else:
            self.standing.degrade(gateway, GATEWAY_LOST, problem)

    def _keep_house(self) -> None:
        while not self._stop.is_set():
            try:
                self._watch_clock()
                self.book.tick()
                self.desk.tick()
                self.protection.tick()
                self.reloads.turn(signalled=taken(self._reload_wanted))
                self.provisioning.turn()
                self.cameras.turn()
                figures = self.outbox.figures()
                self.alarms.watch(figures)
                self._tell_health(figures)
                write_status(self.directory, status_of(self))
            except Exception:  # noqa: BLE001 (the top of the thread)
                self.housekeeping_faults += 1
                _log.exception("housekeeping failed and goes on")
            self._wake.wait(EVERY_S)
            self._wake.clear()

    def _watch_clock(self) -> None:
        self.clock.check()
        skew_s = self.clock.figures.skew_s
        if skew_s is not None and abs(skew_s) >= SKEW_FROM_S:
            detail = f"the machine's clock is {skew_s:+.0f} s from the cloud's: set it, or have the network time set it"
            self.standing.degrade(CLOCK, "skew", detail)
        elif skew_s is None or abs(skew_s) < SKEW_FROM_S / 2:
            self.standing.recover(CLOCK, "skew")

    def _tell_health(self, figures: Figures) -> None:
        uplink = self.publisher.figures
        if not uplink.connected:
            return
        health = health_of(self, figures, uplink, seq=self._reports + 1)
        oldest, late = figures.oldest_waiting, timedelta(seconds=self.configuration.outbox.historical_after_s)
        busy = oldest is not None and self.clock.told() - oldest > late
        news = news_of(health)
        if self._pace.is_due(time.monotonic(), news, busy=busy) and self.publisher.tell(health):
            self._reports += 1
            self._pace.told(time.monotonic(), news)


def taken(signal: threading.Event) -> bool:
    """Whether it was given, which is then seen to; one that is given while we look is there at the next look."""
    if not signal.is_set():
        return False
    signal.clear()
    return True


def _node_clock(clock: NodeClock | Callable[[], datetime] | None, directory: Path) -> NodeClock:
    if clock is None:
        return NodeClock.of_machine(directory)
    return clock if isinstance(clock, NodeClock) else NodeClock.of(clock)


def _claim(directory: Path) -> IO[str]:
    """The data directory for this process alone. Raises ConfigurationError when another node has it."""
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (directory / "node.lock").open("w", encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"the data directory {directory} can't be written: {error}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise ConfigurationError(f"another node is running with the data directory {directory}") from error
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock
