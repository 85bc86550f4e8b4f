"""Child processes that never outlive this one, and the unprivileged account that servers run under."""

import hashlib
import os
import pwd
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cloud.errors import Permanent

_GUARD = Path(__file__).with_name("guard.py")
_LIFELINE_SLACK_S = 5.0
_PLAIN_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC"}
_ROOT_STATE = Path("/var/lib/gridward")


class EmbeddedProblem(Permanent):
    """An embedded server can't run here; the message says why and what to do about it."""


@dataclass(frozen=True, slots=True)
class Account:
    """An operating system account to run a server under."""

    name: str
    user: int
    group: int


@dataclass(frozen=True, slots=True)
class Command:
    """What to start. `log` takes both outputs, appended; `account` needs root and None keeps the present one."""

    name: str
    arguments: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    inherit_environment: bool = True
    account: Account | None = None
    directory: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    grace_s: float = 10.0


class Child:
    """A running command under its guard (`cloud.embedded.guard`): it ends when this process does, however that happens."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self._guard: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self.pid = 0

    def start(self, *, timeout_s: float = 20.0) -> Self:
        """Start it. Raises EmbeddedProblem when it can't be started at all."""
        command = self.command
        arguments = [sys.executable, "-I", "-S", str(_GUARD), str(int(command.stop_signal)), str(command.grace_s)]
        if command.account is not None:
            arguments += ["--user", f"{command.account.user}:{command.account.group}"]
        try:
            with _appending(command.log) as log:
                self._guard = subprocess.Popen(
                    [*arguments, "--", *command.arguments],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env={**(os.environ if command.inherit_environment else _PLAIN_ENVIRONMENT), **command.environment},
                    cwd=command.directory,
                    start_new_session=True,
                )
        except OSError as error:
            raise EmbeddedProblem(f"{command.name} can't be started: {error}") from error
        self.pid = self._read_pid(timeout_s)
        return self

    def _read_pid(self, timeout_s: float) -> int:
        guard = self._guard
        if guard is None or guard.stdout is None:  # pragma: no cover - started with a pipe
            raise EmbeddedProblem(f"{self.command.name} was not started")
        ready, _, _ = select.select([guard.stdout], [], [], timeout_s)
        line = guard.stdout.readline() if ready else b""
        if not line:
            self.stop()
            raise EmbeddedProblem(f"{self.command.name} did not start: {log_tail(self.command.log)}")
        return int(line)

    def exit_status(self) -> int | None:
        """None while it runs; 128 and more for a signal."""
        return None if self._guard is None else self._guard.poll()

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._guard is not None and self._guard.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send the command itself a signal; nothing happens once it has ended."""
        if self.running:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return

    def wait(self, timeout_s: float) -> int | None:
        """Wait for its end; None when it still runs."""
        if self._guard is None:
            return None
        try:
            return self._guard.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def ask_to_stop(self) -> None:
        """Let go of the lifeline without waiting, so that several can stop at the same time."""
        with self._lock:
            if self._guard is not None and self._guard.stdin is not None:
                self._guard.stdin.close()

    def stop(self) -> int | None:
        """Stop it and wait; killed after its grace. May be called again."""
        self.ask_to_stop()
        guard = self._guard
        if guard is None:
            return None
        try:
            guard.wait(self.command.grace_s * 2 + _LIFELINE_SLACK_S)
        except subprocess.TimeoutExpired:
            guard.kill()
            guard.wait()
        if guard.stdout is not None:
            guard.stdout.close()
        return guard.returncode

    def kill(self) -> None:
        """Kill the command at once (SIGKILL), as a power cut would; its guard clears up after it."""
        self.signal(signal.SIGKILL)
        self.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        self.stop()


@contextmanager
def _appending(log: Path) -> Iterator[int]:
    """A descriptor of the log, appended to and readable by its owner alone."""
    log.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def log_tail(log: Path, *, lines: int = 8) -> str:
    """The last lines of a log, for messages."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 8192))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return "(no log)"
    return " | ".join(line.strip() for line in text.splitlines()[-lines:] if line.strip()) or "(empty log)"


def free_port() -> int:
    """A TCP port of the loopback address that is free now. Someone may take it before it is used: try again then."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def port_is_free(port: int) -> bool:
    """Whether a loopback port can be listened on now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def unprivileged_account(*preferred: str) -> Account | None:
    """The account for a server that must not run as root: None when this process is not root itself.

    Raises EmbeddedProblem where root finds no other account.
    """
    if os.geteuid() != 0:
        return None
    for name in (*preferred, "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise EmbeddedProblem("root can't run this server itself, and there is no account `nobody`: start as another user")


def reachable(path: Path, account: Account | None) -> bool:
    """Whether the account may read the path (and enter it, or run it) and pass through every folder on the way."""
    resolved = path.resolve()
    return passable(resolved, account) and _allows(resolved, account, 0o5)


def passable(path: Path, account: Account | None) -> bool:
    """Whether the account may pass through every existing folder above the path."""
    return all(_allows(folder, account, 0o1) for folder in path.resolve().parents)


def _allows(path: Path, account: Account | None, bits: int) -> bool:
    if account is None:
        return True
    try:
        status = path.stat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    shift = 6 if status.st_uid == account.user else 3 if status.st_gid == account.group else 0
    return (status.st_mode >> shift) & bits == bits


def server_directory(wanted: Path, account: Account | None) -> Path:
    """A folder of the account's own (0700) for a server's data: the wanted one where the account can get there.

    Root's folders are often closed to others; its servers' data then lies in /var/lib/gridward, under a name made from
    the wanted path. No parent's rights are changed. Raises EmbeddedProblem when the folder belongs to someone else.
    """
    wanted = wanted.parent.resolve() / wanted.name
    if not passable(wanted, account):
        wanted = _ROOT_STATE / f"{wanted.name}-{hashlib.sha256(os.fsencode(wanted)).hexdigest()[:16]}"
    if account is not None and _ROOT_STATE in wanted.parents:
        _ROOT_STATE.mkdir(mode=0o755, parents=True, exist_ok=True)
    wanted.parent.mkdir(parents=True, exist_ok=True)
    owner = os.geteuid() if account is None else account.user
    try:
        wanted.mkdir(mode=0o700)
    except FileExistsError:
        status = wanted.lstat()
        if wanted.is_symlink() or status.st_uid not in {owner, os.geteuid()}:
            raise EmbeddedProblem(f"{wanted} belongs to another account: remove it, or choose another folder") from None
    if account is not None:
        os.chown(wanted, account.user, account.group)
    wanted.chmod(0o700)
    return wanted


def write_private(path: Path, content: bytes, account: Account | None = None) -> None:
    """Write a file that only its owner reads (0600), all of it or nothing; owned by the account where one is given."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            if account is not None:
                os.fchown(file.fileno(), account.user, account.group)
            file.write(content)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def wait_until_accepting(child: Child, port: int, timeout_s: float) -> None:
    """Wait until someone listens on the loopback port. Raises EmbeddedProblem when the child ends or time is over."""
    until = time.monotonic() + timeout_s
    while True:
        if not child.running:
            raise EmbeddedProblem(f"{child.command.name} ended while starting: {log_tail(child.command.log)}")
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1.0):
                return
        except OSError:
            if time.monotonic() > until:
                raise EmbeddedProblem(
                    f"{child.command.name} did not listen within {timeout_s:.0f} s: {log_tail(child.command.log)}"
                ) from None
            time.sleep(0.03)


def find_program(*names: str) -> str | None:
    """A program by name, on the path and in the folders of servers, which are often missing from it."""
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin"))
    return next((found for name in names if (found := shutil.which(name, path=path))), None)
