"""HTTP/1.1 with an end to patience: uvicorn itself waits for ever for the head of a request."""

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

PATIENCE_S = 30.0


class PatientProtocol(H11Protocol):
    """Closes a connection whose next head is not whole in time, or that goes on sending a body that was answered already.

    However slowly bytes drip in: the time runs from the first to the last. A body that a route reads is watched by
    `cloud.api.guards.BodyLimit`.
    """

    patience_s = PATIENCE_S
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """An answer is out."""
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        super().connection_lost(exc)
        self._rest()

    def _watch(self) -> None:
        answered = self.cycle is None or self.cycle.response_complete
        if not answered or self.transport.is_closing() or self.conn.their_state not in {h11.IDLE, h11.SEND_BODY}:
            self._rest()
        elif self._patience is None:
            self._patience = self.loop.call_later(self.patience_s, self.transport.close)

    def _rest(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
