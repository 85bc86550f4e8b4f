"""Where stations call (接入): the listener, its limits, and one conversation for each station. All of it lives in one loop.

Whoever has not proved who he is gets a few seconds, few bytes and one of few places; who has, one connection at a time, at a measured pace.
"""

import asyncio
import logging
import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import structlog
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from edge.sources.ocpp.admission import SUBPROTOCOL, Admission, Denial, Denied, speaks
from edge.sources.ocpp.pace import LARGEST_FRAME_BYTES
from edge.sources.ocpp.station import Station

MOST_STRANGERS: Final = 64
"""Connections that have not proved yet who they are."""

AFTER_DENIAL_S: Final = 1.0
"""A denied caller waits so long for the word: guessing passwords takes its time."""

_PROTOCOL_ERROR: Final = 1002
_REPLACED: Final = 1000
_log = structlog.get_logger(__name__)

_SILENT = logging.Logger("edge.sources.ocpp.websockets", level=logging.CRITICAL + 1)  # noqa: LOG001 (what strangers send is counted, not logged line by line)


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds and numbers; tests have less patience. A connection that does not answer a ping in time is closed."""

    handshake_s: float = 10.0
    strangers: int = MOST_STRANGERS
    ping_s: float = 30.0
    pong_s: float = 30.0
    close_s: float = 2.0
    frame_bytes: int = LARGEST_FRAME_BYTES
    after_denial_s: float = AFTER_DENIAL_S


class Listener:
    """Takes calls. `converse` makes the conversation of a device that was let in, `on_gone` is told when it has ended, and `on_denied`
    whom nobody knows, by name and address.
    """

    def __init__(
        self,
        admission: Admission,
        limits: Limits,
        *,
        converse: Callable[[str, ServerConnection], Station],
        on_connected: Callable[[Station], None],
        on_gone: Callable[[Station, str], None],
        on_denied: Callable[[Denied, str], None],
        tls: ssl.SSLContext | None,
    ) -> None:
        self.admission = admission
        self.denials: Counter[str] = Counter()
        self.replaced = 0
        self.turned_away = 0
        self.stations: dict[str, Station] = {}
        self._limits = limits
        self._converse = converse
        self._on_connected, self._on_gone, self._on_denied = on_connected, on_gone, on_denied
        self._tls = tls
        self._admitted: dict[ServerConnection, str] = {}
        self._strangers: set[ServerConnection] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._server: Server | None = None

    async def open(self, host: str, port: int) -> int:
        """Listen; the port comes back. Raises OSError where that is not possible."""
        listener = self

        class Caller(ServerConnection):
            """A connection that counts as a stranger's until it is let in."""

            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                super().connection_made(transport)
                if len(listener._strangers) >= listener._limits.strangers:
                    listener.turned_away += 1
                    self.transport.abort()
                    return
                listener._strangers.add(self)

            def connection_lost(self, exc: Exception | None) -> None:
                listener._strangers.discard(self)
                listener._admitted.pop(self, None)
                super().connection_lost(exc)

        self._server = await serve(
            self._serve,
            host,
            port,
            process_request=self._process_request,
            select_subprotocol=_select_subprotocol,
            compression=None,
            server_header=None,
            open_timeout=self._limits.handshake_s,
            ping_interval=self._limits.ping_s,
            ping_timeout=self._limits.pong_s,
            close_timeout=self._limits.close_s,
            max_size=self._limits.frame_bytes,
            max_queue=4,
            logger=_SILENT,
            create_connection=Caller,
            ssl=self._tls,
            ssl_handshake_timeout=self._limits.handshake_s if self._tls else None,
        )
        return int(next(iter(self._server.sockets)).getsockname()[1])

    async def close(self) -> None:
        """End all conversations."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def hang_up(self, device: str, reason: str) -> None:
        """End the conversation with a device."""
        station = self.stations.get(device)
        if station is not None:
            await station.connection.close(_REPLACED, reason)

    async def _process_request(self, connection: ServerConnection, request: Request) -> Response | None:
        authorizations = request.headers.get_all("Authorization")
        found = self.admission.decide(request.path, authorizations[0] if len(authorizations) == 1 else None)
        if isinstance(found, Denied):
            return await self._deny(connection, found)
        self._admitted[connection] = found
        return None

    async def _deny(self, connection: ServerConnection, denied: Denied) -> Response:
        self.denials[denied.why.value] += 1
        address = connection.remote_address
        self._on_denied(denied, str(address[0]) if isinstance(address, tuple) else "")
        await asyncio.sleep(self._limits.after_denial_s)
        response = connection.respond(denied.status, f"{denied.status.phrase}\n")
        if denied.status is HTTPStatus.UNAUTHORIZED:
            response.headers["WWW-Authenticate"] = 'Basic realm="ocpp"'
        return response

    async def _serve(self, connection: ServerConnection) -> None:
        device = self._admitted.get(connection)
        self._strangers.discard(connection)
        if device is None:
            return
        if connection.subprotocol != SUBPROTOCOL:
            self.denials[Denial.WRONG_SUBPROTOCOL.value] += 1
            await connection.close(_PROTOCOL_ERROR, f"this server speaks {SUBPROTOCOL}")
            return
        if self.admission.devices.get(self._name_of(device)) != device:
            return  # its configuration went while it was on its way
        before = self.stations.get(device)
        station = self._converse(device, connection)
        self.stations[device] = station
        if before is not None:
            self.replaced += 1
            closing = asyncio.create_task(_close(before.connection))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
        self._on_connected(station)
        reason = "its connection was lost"
        try:
            await station.serve()
        except Exception:
            reason = "a mistake of the node's ended its connection"
            _log.exception("a conversation failed", device=device)
            raise
        finally:
            if self.stations.get(device) is station:
                del self.stations[device]
                self._on_gone(station, reason)

    def _name_of(self, device: str) -> str:
        return next((name for name, each in self.admission.devices.items() if each == device), "")


def _select_subprotocol(_connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Ours, where it is offered. Without it the handshake ends well and the connection at once, as OCPP-J 1.6 §3.1.2 has it."""
    return Subprotocol(SUBPROTOCOL) if speaks(offered) else None


async def _close(connection: ServerConnection) -> None:
    await connection.close(_REPLACED, "the station has called again")
