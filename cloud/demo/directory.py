"""The demo's folder: its secrets, its files for the children, and the lock that lets one demo run in it at a time."""

import fcntl
import json
import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

from cloud.embedded.process import EmbeddedProblem, write_private


class DemoDirectory:
    """`.demo`: passable for the accounts of embedded servers, its files readable by the owner alone."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self._lock: int | None = None

    def __enter__(self) -> Self:
        """Take the folder. Raises EmbeddedProblem when a demo runs in it already."""
        self.path.mkdir(mode=0o711, parents=True, exist_ok=True)
        self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            self._lock = None
            raise EmbeddedProblem(f"a demo runs in {self.path} already; its addresses: {self.access}") from None
        self.access.unlink(missing_ok=True)
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._lock is not None:
            self.access.unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    @property
    def access(self) -> Path:
        """Where the addresses and log-ins stand while the demo answers."""
        return self.path / "access.json"

    def log(self, name: str) -> Path:
        """The log of one child."""
        return self.path / "logs" / f"{name}.log"

    def fresh_logs(self) -> None:
        """Set aside the logs of the last run, so that they never grow over runs."""
        logs = self.path / "logs"
        logs.mkdir(mode=0o700, exist_ok=True)
        for log in logs.glob("*.log"):
            log.replace(log.with_suffix(".log.1"))

    def write(self, name: str, content: str) -> Path:
        """Write one private file below the folder."""
        file = self.path / name
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(file, content.encode())
        return file

    def passwords(self, names: Iterable[str]) -> dict[str, str]:
        """Random passwords by name, the same in every run in this folder."""
        known = self._read("secrets.json")
        wanted = {name: str(known.get(name) or secrets.token_urlsafe(12)) for name in names}
        if not wanted.items() <= known.items():
            self.write("secrets.json", json.dumps({**known, **wanted}))
        return wanted

    def remember(self, **facts: Any) -> None:
        """Keep facts for the next run."""
        self.write("state.json", json.dumps({**self.remembered(), **facts}))

    def remembered(self) -> dict[str, Any]:
        """What the last run kept."""
        return self._read("state.json")

    def _read(self, name: str) -> dict[str, Any]:
        """The content of a file of ours; nothing where it is missing or damaged."""
        try:
            content = json.loads((self.path / name).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}
