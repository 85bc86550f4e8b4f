"""A running demo as its visitors see it: a process, an address, log-ins; and what it must leave behind: nothing."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Self, TypeVar

import httpx
import psutil

from cloud.cases.model import CaseStatus

START_TIMEOUT_S = 120.0

Value = TypeVar("Value")


def wait_for(what: str, look: Callable[[], Value | None], *, timeout_s: float = 60.0) -> Value:
    """The first value that `look` finds, asked ten times a second. Raises AssertionError naming `what`."""
    give_up = time.monotonic() + timeout_s
    pause = threading.Event()
    while (value := look()) is None:
        assert time.monotonic() < give_up, f"no {what} within {timeout_s:.0f} s"
        pause.wait(0.1)
    return value


class Site:
    """`python -m cloud.demo` in a folder of its own."""

    def __init__(self, directory: Path, log: Path) -> None:
        self.directory = directory
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None
        self._seen: dict[int, psutil.Process] = {}
        self._output: IO[bytes] | None = None

    def start(self, **environment: str) -> Self:
        """Start it and wait until it says where it is."""
        self._output = self.log.open("ab")
        access = self.directory / "access.json"
        began = time.time()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cloud.demo", "--directory", str(self.directory)],
            stdout=self._output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=os.environ | environment,
        )

        def look() -> bool | None:
            assert self.process is not None
            assert self.process.poll() is None, f"the demo ended: {self.log.read_text(encoding='utf-8')[-4000:]}"
            return True if access.exists() and access.stat().st_mtime >= began else None

        wait_for(f"access.json; the log: {self.log}", look, timeout_s=START_TIMEOUT_S)
        return self

    @property
    def access(self) -> dict[str, Any]:
        """What `access.json` says."""
        answer = json.loads((self.directory / "access.json").read_text(encoding="utf-8"))
        assert isinstance(answer, dict)
        return answer

    @property
    def url(self) -> str:
        """The page's address."""
        return str(self.access["url"]).rstrip("/")

    def password_of(self, role: str) -> tuple[str, str]:
        """Name and password of the user with a role."""
        user = next(user for user in self.access["users"] if user["role"] == role)
        return user["name"], user["password"]

    @contextlib.contextmanager
    def client(self, role: str = "duty_chief") -> Iterator[httpx.Client]:
        """A client that is logged in with a token."""
        name, password = self.password_of(role)
        with httpx.Client(base_url=self.url, timeout=10.0) as client:
            answer = client.post("/api/v1/session", json={"name": name, "password": password})
            answer.raise_for_status()
            client.cookies.clear()
            client.headers["Authorization"] = f"Bearer {answer.json()['token']}"
            yield client

    def processes(self) -> list[psutil.Process]:
        """Every process below the demo that is alive now."""
        assert self.process is not None
        try:
            mine = psutil.Process(self.process.pid)
            found = [mine, *mine.children(recursive=True)]
        except psutil.NoSuchProcess:
            found = []
        self._seen |= {process.pid: process for process in found}
        return found

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop and wait; its exit status."""
        assert self.process is not None
        self.processes()
        self.process.send_signal(number)
        status = self.process.wait(30.0)
        if self._output is not None:
            self._output.close()
        return status

    def left_behind(self) -> list[psutil.Process]:
        """Processes that were seen below the demo and live on."""
        _, alive = psutil.wait_procs(list(self._seen.values()), timeout=5.0)
        return [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def first_case(client: httpx.Client, *, timeout_s: float = 90.0, **wanted: str) -> dict[str, Any]:
    """The newest case with the wanted fields, waited for."""

    def look() -> dict[str, Any] | None:
        answer = client.get("/api/v1/cases", params={"limit": 50})
        answer.raise_for_status()
        for case in answer.json()["items"]:
            if all(str(case[name]) == value for name, value in wanted.items()):
                return dict(case)
        return None

    return wait_for(f"case with {wanted}", look, timeout_s=timeout_s)


REPORTED = CaseStatus.REPORTED.value
