"""Where piles call (接入): the port, and how much one that calls may have waiting."""

import asyncio
import socket
from collections.abc import Callable

from edge.sources.ykc.callers import BACKLOG, Callers
from edge.sources.ykc.connection import READ_BYTES, RECEIVE_BYTES


class Listener:
    """Hands each connection to `accept`; `callers` are those that were let in."""

    def __init__(self, accept: Callable[[asyncio.StreamReader, asyncio.StreamWriter], None], callers: Callers) -> None:
        self._accept, self._callers = accept, callers
        self._server: asyncio.Server | None = None

    async def open(self, host: str, port: int) -> int:
        """Listen; the port comes back. Raises OSError where that is not possible."""
        server = await asyncio.start_server(self._accept, host, port, limit=READ_BYTES, backlog=BACKLOG)
        for listening in server.sockets:  # those who call inherit it
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
        self._server = server
        return int(server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """End all conversations."""
        if self._server is not None:
            self._server.close()
        for connection in self._callers:
            connection.hang_up("the node stops")
