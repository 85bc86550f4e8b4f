"""One cloud process: constructs its parts, starts them, stops them; nothing else."""

import asyncio
import contextlib
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import FrameType

import psycopg
import structlog
import uvicorn
from psycopg_pool import PoolTimeout

from cloud.api.app import make_app
from cloud.api.certificate import demo_certificate
from cloud.api.dependencies import Services, utc_now
from cloud.api.protocol import PatientProtocol
from cloud.commands.dispatch import command_duty
from cloud.correlate.service import CorrelationRules
from cloud.db.leader import Duty, Leadership
from cloud.db.migrate import migrate, pending
from cloud.db.pool import Pool, open_pool
from cloud.db.warming import Warming
from cloud.dispatch import Dispatch
from cloud.enrolment import service as enrolment
from cloud.errors import ConfigurationError, DatabaseAway, SchemaTooNew
from cloud.evidence.service import EvidenceService
from cloud.ingest.intake import CLIENT_ID, Intake
from cloud.ingest.service import IngestService
from cloud.jobs.service import make_jobs
from cloud.mqtt import Endpoint
from cloud.notify.delivery import Courier
from cloud.notify.planner import Planner
from cloud.notify.post import Addresses, Post
from cloud.notify.roster import on_duty
from cloud.notify.rounds import NoticeRounds
from cloud.notify.stream import LiveHub
from cloud.notify.vault import Vault
from cloud.rollouts import artifacts
from cloud.rollouts.dispatch import order_duty
from cloud.settings import CloudSettings
from cloud.signing import Signer

_log = structlog.get_logger(__name__)

_START_S = 20.0
_STOP_S = 3.0
_UNACKNOWLEDGED_MS = 60_000


class Part(StrEnum):
    """What a process may do; `all` does everything."""

    ALL = "all"
    API = "api"
    INGEST = "ingest"
    JOBS = "jobs"


@dataclass(frozen=True, slots=True)
class Running:
    """A cloud that runs. `address` is where it answers, None without an API; `fingerprint` is that of a demo authority."""

    address: str | None
    fingerprint: str | None
    authority: Path | None


@contextlib.contextmanager
def running(settings: CloudSettings, part: Part = Part.ALL, *, tls: bool = False) -> Iterator[Running]:
    """Run a cloud process around the body of a `with`.

    Role `all` brings the database up to date first; the others refuse to run on an old one. Raises ConfigurationError,
    SchemaTooNew, DatabaseAway, OSError (the port is taken).
    """
    database_url = settings.database_url.get_secret_value()
    _prepare_database(database_url, may_migrate=part is Part.ALL)
    with ExitStack() as stack:
        pool = open_pool(database_url, size=settings.database_pool)
        stack.callback(pool.close)
        readiness = _database_readiness(pool, database_url)
        if part in {Part.ALL, Part.INGEST}:
            readiness["broker"] = _start_ingest(stack, settings, pool)
        if part in {Part.ALL, Part.JOBS}:
            readiness["jobs"] = _start_jobs(stack, settings, pool)
            readiness["notices"] = _start_notices(stack, settings, pool)
        if part in {Part.ALL, Part.API}:
            warming = Warming(database_url)
            warming.start()
            stack.callback(warming.stop)
            yield _start_api(stack, settings, pool, readiness, tls=tls)
        else:
            yield Running(None, None, None)


def wait_for_signal() -> None:
    """Block until SIGINT or SIGTERM arrives."""
    stop = threading.Event()

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handle)
    stop.wait()


def _prepare_database(database_url: str, *, may_migrate: bool) -> None:
    try:
        if may_migrate:
            for name in migrate(database_url):
                _log.info("migration applied", name=name)
        elif pending(database_url):
            raise ConfigurationError("the database is not up to date: run `gridward-cloud migrate`")
    except (psycopg.OperationalError, PoolTimeout) as error:
        raise DatabaseAway("the database can't be reached: see GRIDWARD_DATABASE_URL") from error


def _database_readiness(pool: Pool, database_url: str) -> dict[str, Callable[[], str | None]]:
    def database() -> str | None:
        try:
            with pool.connection(timeout=2) as conn:
                conn.execute("select 1")
        except (psycopg.Error, PoolTimeout):
            return "no answer"
        return None

    def migrations() -> str | None:
        try:
            return "some are not applied" if pending(database_url) else None
        except SchemaTooNew:
            return "newer than this program"
        except psycopg.Error:
            return "no answer"

    # anybody may ask, as often as he likes: he must not cost a connection each time
    return {"database": _remembered(database, for_s=1.0), "migrations": _remembered(migrations, for_s=30.0)}


def _remembered(check: Callable[[], str | None], *, for_s: float) -> Callable[[], str | None]:
    """A check that is made at most once in so many seconds, by one thread."""
    lock = threading.Lock()
    made_s = float("-inf")
    found: str | None = None

    def look() -> str | None:
        nonlocal made_s, found
        with lock:
            if time.monotonic() - made_s >= for_s:
                found = check()
                made_s = time.monotonic()
            return found

    return look


def _start_ingest(stack: ExitStack, settings: CloudSettings, pool: Pool) -> Callable[[], str | None]:
    if settings.mqtt_url is None:
        raise ConfigurationError("GRIDWARD_MQTT_URL is missing: ingest has no broker")
    endpoint = Endpoint.of(
        settings.mqtt_url,
        user=settings.mqtt_user,
        password=settings.read_mqtt_password(),
        ca_file=settings.mqtt_ca_file,
    )
    client_id = f"{CLIENT_ID}-{socket.gethostname()}"[:60] if settings.mqtt_shared else CLIENT_ID
    intake = Intake(endpoint, client_id=client_id, shared=settings.mqtt_shared)
    ingest = IngestService(
        pool,
        intake,
        rules=CorrelationRules.of(settings),
        presence=Leadership(settings.database_url.get_secret_value(), Duty.PRESENCE),
    )
    ingest.start()
    stack.callback(ingest.stop, _STOP_S)
    signer = Signer.of(settings)
    with pool.connection() as conn:
        enrolment.use_command_key(conn, signer.public_key, now=utc_now())
    commands = Dispatch(command_duty(signer), pool, intake.urgent)
    commands.start()
    stack.callback(commands.stop, _STOP_S)
    duty = order_duty(signer, lambda: artifacts.trusted_keys(settings))
    orders = Dispatch(duty, pool, intake.routine)
    orders.start()
    stack.callback(orders.stop, _STOP_S)
    return lambda: ingest.problem() or commands.problem() or orders.problem()


def _start_jobs(stack: ExitStack, settings: CloudSettings, pool: Pool) -> Callable[[], str | None]:
    jobs = make_jobs(settings, pool)
    jobs.start()
    stack.callback(jobs.stop, _STOP_S)
    return jobs.problem


def _start_notices(stack: ExitStack, settings: CloudSettings, pool: Pool) -> Callable[[], str | None]:
    addresses = Addresses(settings.notice_addresses)
    courier = Courier(
        pool=pool,
        vault=Vault.of(settings),
        post=Post(addresses),
        addresses=addresses,
        contact=settings.notice_contact,
        public_url=settings.public_url,
    )
    rounds = NoticeRounds(Planner(pool, settings.zone, on_duty), courier)
    rounds.start()
    stack.callback(rounds.stop, _STOP_S)
    return rounds.problem


def _start_api(
    stack: ExitStack,
    settings: CloudSettings,
    pool: Pool,
    readiness: dict[str, Callable[[], str | None]],
    *,
    tls: bool,
) -> Running:
    hub = LiveHub(
        settings.database_url.get_secret_value(), queue_size=settings.live_queue, maximum_clients=settings.live_clients
    )
    readiness["live"] = lambda: None if hub.is_listening else "not listening yet"
    services = Services(
        settings=settings,
        pool=pool,
        evidence=EvidenceService.of(settings),
        hub=hub,
        vault=Vault.of(settings),
        readiness=readiness,
    )
    certificate, key, fingerprint, authority = _certificate(settings, tls=tls)
    if (
        certificate is None
        and not settings.behind_proxy
        and settings.http_host not in {"127.0.0.1", "::1", "localhost"}
    ):
        _log.warning("passwords travel in the clear: use --tls, or a proxy and GRIDWARD_BEHIND_PROXY")
    listener = stack.enter_context(_listen(settings.http_host, settings.http_port))
    config = uvicorn.Config(
        make_app(services),
        http=PatientProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        ws="none",
        proxy_headers=settings.behind_proxy,
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=3,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    server = _Server(config, hub)
    thread = threading.Thread(target=server.run_on, args=(listener,), name="api", daemon=True)
    thread.start()
    stack.callback(_stop_api, server, thread)
    if not server.ready.wait(_START_S) or not thread.is_alive():
        raise ConfigurationError("the API did not start; the log says why")
    host, port = listener.getsockname()[:2]
    scheme = "http" if certificate is None else "https"
    shown = f"[{host}]" if ":" in host else host
    return Running(f"{scheme}://{shown}:{port}", fingerprint, authority)


class _Server(uvicorn.Server):
    """The HTTP server on a thread of its own, so that signals stay with the main thread."""

    def __init__(self, config: uvicorn.Config, hub: LiveHub) -> None:
        super().__init__(config)
        self.ready = threading.Event()
        self._hub = hub

    def run_on(self, listener: socket.socket) -> None:
        try:
            asyncio.run(self.serve(sockets=[listener]))
        finally:
            self.ready.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._hub.close_streams()  # a stream never ends by itself, and the server waits for it
        await super().shutdown(sockets)


def _stop_api(server: _Server, thread: threading.Thread) -> None:
    server.should_exit = True
    thread.join(_STOP_S)
    if thread.is_alive():
        server.force_exit = True
        thread.join(1.0)


@contextlib.contextmanager
def _listen(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only where the protocol is named; without it the body of each answer waited 40 ms for its head
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # a client that takes nothing more is forgotten, and what was buffered for it
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED_MS)
        listener.bind((host, port))
        listener.listen(512)
        yield listener


def _certificate(settings: CloudSettings, *, tls: bool) -> tuple[Path | None, Path | None, str | None, Path | None]:
    """Certificate, key, fingerprint and file of the demo authority."""
    if settings.tls_cert is not None and settings.tls_key is not None:
        for file in (settings.tls_cert, settings.tls_key):
            if not file.is_file():
                raise ConfigurationError(f"there is no file {file}")
        return settings.tls_cert, settings.tls_key, None, None
    if not tls:
        return None, None, None, None
    made = demo_certificate(settings.data_directory.resolve() / "tls", [settings.http_host], now=utc_now())
    return made.certificate, made.key, made.fingerprint, made.authority
