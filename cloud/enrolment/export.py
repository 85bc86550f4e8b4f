"""The two files of a mosquitto, written as a whole and only when they say something new; the broker is told to read them again."""

import hashlib
import os
import signal
from pathlib import Path

from cloud.errors import ConfigurationError
from cloud.fleet.grants import BrokerUser, grant_file, password_file

PASSWORDS = "passwords"
GRANTS = "acl"


class BrokerFiles:
    """`passwords` and `acl` in one folder, for `password_file` and `acl_file` of a mosquitto.conf.

    Hashes are salted anew each time for the cloud's own user alone, so what stands there is compared without it.
    """

    def __init__(self, folder: Path, *, pid_file: Path | None = None) -> None:
        self._folder = folder
        self._pid_file = pid_file
        self._written: str | None = None

    def write(self, users: list[BrokerUser], *, own: str | None) -> bool:
        """Write what these users say and have the broker read it; False where it stands there already. Raises ConfigurationError.

        The rights come first: a user whose rights are missing may do nothing, one whose rights are too old too much.
        """
        told = [each for each in users if each.name != own]
        digest = hashlib.sha256((password_file(told) + grant_file(users)).encode()).hexdigest()
        if digest == self._written:
            return False
        try:
            self._folder.mkdir(mode=0o750, parents=True, exist_ok=True)
            _replace(self._folder / GRANTS, grant_file(users))
            _replace(self._folder / PASSWORDS, password_file(users))
            self._reload()
        except OSError as error:
            raise ConfigurationError(f"the broker's files in {self._folder}: {error}") from error
        self._written = digest
        return True

    def _reload(self) -> None:
        if self._pid_file is None:
            return
        try:
            pid = int(self._pid_file.read_text(encoding="ascii").strip())
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{self._pid_file} names no process: {error}") from error
        if pid <= 1:
            raise ConfigurationError(f"{self._pid_file} names no process: {pid}")
        try:
            os.kill(pid, signal.SIGHUP)
        except ProcessLookupError as error:
            raise ConfigurationError(f"the broker of {self._pid_file} does not run") from error


def _replace(file: Path, content: str) -> None:
    """Owner and group of a file that stands there stay: the broker has to be able to read the new one."""
    unfinished = file.with_name(f".{file.name}.new")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            if file.exists():
                known = file.stat()
                os.fchown(opened.fileno(), known.st_uid, known.st_gid)
                os.fchmod(opened.fileno(), known.st_mode & 0o777)
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        unfinished.rename(file)
    finally:
        unfinished.unlink(missing_ok=True)
