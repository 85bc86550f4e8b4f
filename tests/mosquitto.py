"""A mosquitto as a site runs it: over the password file and the access control list that the cloud has exported."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from cloud.embedded.process import Child, Command, find_program, free_port, wait_until_accepting


@dataclass(frozen=True)
class SiteBroker:
    """Where it listens, and the file with its process."""

    port: int
    pid_file: Path


def new_pid_file(directory: Path) -> Path:
    """Where `site_broker` will write the process."""
    return directory / "mosquitto.pid"


@contextmanager
def site_broker(folder: Path, directory: Path, *, port: int = 0) -> Iterator[SiteBroker]:
    """Run one over exported files; skips where the machine has none."""
    program = find_program("mosquitto")
    if program is None:
        pytest.skip("there is no mosquitto on this machine")
    port, configuration = port or free_port(), directory / "mosquitto.conf"
    lines = [
        f"listener {port} 127.0.0.1",
        "allow_anonymous false",
        f"password_file {folder}/passwords",
        f"acl_file {folder}/acl",
        "user root",
    ]
    configuration.write_text("\n".join(lines) + "\n", encoding="utf-8")
    log = directory / "mosquitto.log"
    child = Child(Command(name="mosquitto", arguments=[program, "-c", str(configuration)], log=log)).start()
    try:
        wait_until_accepting(child, port, 20)
        pid_file = new_pid_file(directory)
        pid_file.write_text(f"{child.pid}\n", encoding="ascii")
        yield SiteBroker(port, pid_file)
    finally:
        child.stop()
