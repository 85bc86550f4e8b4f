"""An embedded MQTT broker: mosquitto where the machine has it, else one in Python; both as a child process.

Both check passwords and topic grants, listen on the loopback address alone, and take new users while they run.
"""

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Self

from cloud.embedded.process import (
    Account,
    Child,
    Command,
    EmbeddedProblem,
    find_program,
    free_port,
    log_tail,
    port_is_free,
    reachable,
    server_directory,
    unprivileged_account,
    wait_until_accepting,
    write_private,
)
from cloud.fleet.grants import BrokerUser, Grant, grant_file, password_file, user

_START_ATTEMPTS = 4
_START_TIMEOUT_S = 20.0
_RELOAD_TIMEOUT_S = 10.0
_CONNACK_ACCEPTED = b"\x20\x02\x00\x00"


class BrokerKind(StrEnum):
    """Which program it is."""

    MOSQUITTO = "mosquitto"
    AMQTT = "amqtt"


def available_kind() -> BrokerKind:
    """Which broker this machine gets: mosquitto where it has it."""
    return BrokerKind.MOSQUITTO if find_program("mosquitto") else BrokerKind.AMQTT


class EmbeddedBroker:
    """One broker in one folder. `anonymous` lets everyone do everything: for tests on the loopback address alone."""

    def __init__(
        self,
        directory: Path,
        *,
        kind: BrokerKind | None = None,
        anonymous: bool = False,
        max_queued_messages: int = 100_000,
        autosave_on_changes: bool = False,
        port: int = 0,
    ) -> None:
        self.kind = available_kind() if kind is None else kind
        self._may_fall_back = kind is None
        self._directory = directory.resolve()
        self._anonymous = anonymous
        self._max_queued_messages = max_queued_messages
        self._autosave_on_changes = autosave_on_changes
        self._users: dict[str, BrokerUser] = {}
        self._child: Child | None = None
        self._account: Account | None = None
        self._home = self._directory
        self.port = port

    @property
    def url(self) -> str:
        """The address, without a user."""
        return f"mqtt://127.0.0.1:{self.port}"

    @property
    def host(self) -> str:
        """The address without the port."""
        return "127.0.0.1"

    @property
    def pid(self) -> int:
        """The broker's process id, 0 when it does not run."""
        return self._child.pid if self._child is not None and self._child.running else 0

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._child is not None and self._child.running

    def start(self) -> Self:
        """Start it and wait until it listens. Raises EmbeddedProblem.

        Where the kind was left open and the machine's mosquitto does not run here (a confined one may not read our
        files), the broker in Python takes its place.
        """
        try:
            self._start_kind()
        except EmbeddedProblem:
            if not self._may_fall_back or self.kind is BrokerKind.AMQTT:
                raise
            self.kind = BrokerKind.AMQTT
            self._start_kind()
        self._may_fall_back = False
        return self

    def _start_kind(self) -> None:
        self._account = unprivileged_account("mosquitto") if self.kind is BrokerKind.MOSQUITTO else None
        self._directory.mkdir(mode=0o711, parents=True, exist_ok=True)
        self._home = server_directory(self._directory / self.kind.value, self._account)
        self._write_users()
        attempts = 1 if self.port else _START_ATTEMPTS
        for attempt in range(1, attempts + 1):
            port = self.port or free_port()
            try:
                self._launch(port)
            except EmbeddedProblem:
                self._stop_child()
                if attempt == attempts:
                    raise
            else:
                self.port = port
                return

    def stop(self) -> None:
        """Stop it; the port is kept for the next start. May be called again."""
        self._stop_child()

    def ask_to_stop(self) -> None:
        """Begin to stop, without waiting."""
        if self._child is not None:
            self._child.ask_to_stop()

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def restart(self) -> None:
        """Stop it and start it again on the same port."""
        self.stop()
        self.start()

    def add_user(self, name: str, password: str, grants: Iterable[Grant] = ()) -> None:
        """Add a user, or replace one; when this returns, the user can connect. Raises ValueError, EmbeddedProblem."""
        self.add_users((user(name, password, grants),))
        if self.running and not self._anonymous:
            self._wait_until_accepted(name, password)

    def add_users(self, users: Iterable[BrokerUser]) -> None:
        """Add users whose hashes are at hand; a running broker reads them at once."""
        self._users.update({each.name: each for each in users})
        if self._child is not None:
            self._write_users()
            self._child.signal(signal.SIGHUP)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    @property
    def _log(self) -> Path:
        return self._directory / "broker.log"

    def _stop_child(self) -> None:
        if self._child is not None:
            self._child.stop()
            self._child = None

    def _write_users(self) -> None:
        users = list(self._users.values())
        write_private(self._home / "grants", grant_file(users).encode(), self._account)
        write_private(self._home / "passwords", password_file(users).encode(), self._account)

    def _launch(self, port: int) -> None:
        if not port_is_free(port):  # whoever holds it would answer in the child's place
            raise EmbeddedProblem(f"port {port} is taken by another program")
        write = {BrokerKind.MOSQUITTO: self._mosquitto_command, BrokerKind.AMQTT: self._amqtt_command}[self.kind]
        self._child = Child(write(port)).start()
        wait_until_accepting(self._child, port, _START_TIMEOUT_S)
        time.sleep(0.02)  # a port that someone else holds accepts as well; the child says so at once
        if not self._child.running:
            raise EmbeddedProblem(f"{self.kind} ended while starting: {log_tail(self._log)}")

    def _mosquitto_command(self, port: int) -> Command:
        program = find_program("mosquitto")
        if program is None or not reachable(Path(program), self._account):
            raise EmbeddedProblem("there is no mosquitto on this machine")
        lines = [
            f"listener {port} 127.0.0.1",
            f"allow_anonymous {str(self._anonymous).lower()}",
            "persistence true",
            f"persistence_location {self._home}/",
            f"autosave_interval {1 if self._autosave_on_changes else 30}",
            f"autosave_on_changes {str(self._autosave_on_changes).lower()}",
            f"max_queued_messages {self._max_queued_messages}",
            "max_queued_bytes 1073741824",
            "max_inflight_messages 200",
            "max_packet_size 8388608",
            "set_tcp_nodelay true",
            "log_dest stderr",
            "log_type error",
            "log_type warning",
            "log_type notice",
            "connection_messages false",
        ]
        if not self._anonymous:
            lines += [f"password_file {self._home}/passwords", f"acl_file {self._home}/grants"]
        configuration = self._home / "mosquitto.conf"
        write_private(configuration, ("\n".join(lines) + "\n").encode(), self._account)
        return Command(
            name="mosquitto",
            arguments=[program, "-c", str(configuration)],
            log=self._log,
            inherit_environment=False,
            account=self._account,
            directory=Path("/"),
            grace_s=5.0,
        )

    def _amqtt_command(self, port: int) -> Command:
        settings = {
            "port": port,
            "passwords": str(self._home / "passwords"),
            "grants": str(self._home / "grants"),
            "anonymous": self._anonymous,
        }
        configuration = self._home / "amqtt.json"
        write_private(configuration, json.dumps(settings).encode())
        return Command(
            name="amqtt",
            arguments=[sys.executable, "-m", "cloud.embedded.amqtt_broker", str(configuration)],
            log=self._log,
            directory=Path(__file__).resolve().parents[2],
            grace_s=5.0,
        )

    def _wait_until_accepted(self, name: str, password: str) -> None:
        until = time.monotonic() + _RELOAD_TIMEOUT_S
        while not accepts(self.port, name, password):
            if time.monotonic() > until:
                raise EmbeddedProblem(f"the broker did not take the user {name}: {log_tail(self._log)}")
            time.sleep(0.05)


def accepts(port: int, name: str, password: str, *, timeout_s: float = 3.0) -> bool:
    """Whether the broker on the loopback port lets a user in: one CONNECT of MQTT 3.1.1, then DISCONNECT."""
    words = (f"gw-probe-{os.getpid()}".encode(), name.encode(), password.encode())
    payload = b"".join(len(word).to_bytes(2, "big") + word for word in words)
    body = b"\x00\x04MQTT\x04\xc2\x00\x0a" + payload
    length = bytearray()
    left = len(body)
    while True:
        left, digit = divmod(left, 128)
        length.append(digit | (0x80 if left else 0))
        if not left:
            break
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as connection:
            connection.sendall(b"\x10" + bytes(length) + body)
            answer = connection.recv(4)
            if answer == _CONNACK_ACCEPTED:
                connection.sendall(b"\xe0\x00")
                return True
    except OSError:
        return False
    return False
