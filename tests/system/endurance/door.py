"""A port that stays the same while what is behind it comes and goes: the ways in which a peer can be away."""

import contextlib
import select
import socket
import threading
from enum import StrEnum
from typing import Self

_PIECE_BYTES = 1 << 16
_LOOK_S = 0.2
_MOMENT_S = 1.0


class Manner(StrEnum):
    """How the door treats who comes."""

    OPEN = "open"
    """Led through to what is behind."""
    REFUSING = "refusing"
    """Nobody listens."""
    SILENT = "silent"
    """Taken in, and never a word."""
    SLAMMING = "slamming"
    """Taken in, and thrown out at once."""
    BREAKING = "breaking"
    """Led through, and cut off after a moment."""


class Door:
    """Listens on a port of the loopback address in threads of its own. `set` breaks what was led through before."""

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.visits = 0
        self._manner = Manner.OPEN
        self._lock = threading.Lock()
        self._open_sockets: set[socket.socket] = set()
        self._listener: socket.socket | None = self._listen(0)
        self.port = int(self._listener.getsockname()[1])
        self._stopping = False
        self._thread = threading.Thread(target=self._welcome, name="door", daemon=True)

    @staticmethod
    def _listen(port: int) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(64)
        return listener

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stopping = True
        self._thread.join(2.0)
        self._close_listener()
        self._break()

    @property
    def guests(self) -> int:
        """Sockets that are open, on both sides."""
        return len(self._open_sockets)

    def set(self, manner: Manner) -> None:
        """Change the manner; every connection ends."""
        with self._lock:
            self._manner = manner
            if manner is Manner.REFUSING:
                self._close_listener()
            elif self._listener is None:
                self._listener = self._listen(self.port)
        self._break()

    def _close_listener(self) -> None:
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)  # at once, although the other thread still looks at it
            self._listener.close()
            self._listener = None

    def _break(self) -> None:
        with self._lock:
            broken, self._open_sockets = self._open_sockets, set()
        for each in broken:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _welcome(self) -> None:
        while not self._stopping:
            with self._lock:
                listener = self._listener
            if listener is None:
                threading.Event().wait(_LOOK_S)
                continue
            try:
                if not select.select([listener], [], [], _LOOK_S)[0]:
                    continue
                visitor, _ = listener.accept()
            except (OSError, ValueError):
                continue  # it was closed meanwhile
            self.visits += 1
            self._treat(visitor)

    def _treat(self, visitor: socket.socket) -> None:
        if self._manner is Manner.SLAMMING:
            visitor.close()
            return
        with self._lock:
            self._open_sockets.add(visitor)
        if self._manner in {Manner.OPEN, Manner.BREAKING}:
            try:
                behind = socket.create_connection(("127.0.0.1", self.target_port), timeout=2.0)
            except OSError:
                self._leave(visitor)
                return
            behind.settimeout(None)
            with self._lock:
                self._open_sockets.add(behind)
            for source, target in ((visitor, behind), (behind, visitor)):
                threading.Thread(target=self._carry, args=(source, target), name="door-carry", daemon=True).start()
            if self._manner is Manner.BREAKING:
                threading.Timer(_MOMENT_S, self._leave, (visitor, behind)).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(_PIECE_BYTES):
                target.sendall(piece)
        self._leave(source, target)

    def _leave(self, *sockets: socket.socket) -> None:
        with self._lock:
            self._open_sockets.difference_update(sockets)
        for each in sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
