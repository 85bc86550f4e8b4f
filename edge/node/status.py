"""The status of a running node: a small file that `gridward-edge status` reads, replaced as a whole."""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FILE = "status.json"
EVERY_S = 2.0
STALE_AFTER_S = 15.0


def write_status(directory: Path, status: Mapping[str, Any]) -> None:
    """Replace the file; a reader sees the old one or the new one."""
    unfinished = directory / f"{FILE}.part"
    unfinished.write_text(json.dumps(status, ensure_ascii=False, indent=2, default=str) + "\n", encoding="utf-8")
    unfinished.replace(directory / FILE)


def read_status(directory: Path, *, now: datetime | None = None) -> dict[str, Any]:
    """The last status, with `running`: whether its process is alive and has written lately."""
    try:
        status = json.loads((directory / FILE).read_text(encoding="utf-8"))
        written_at = datetime.fromisoformat(status["written_at"])
        pid = int(status["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return {"running": False, "reason": f"no status in {directory}: the node has not run with this configuration"}
    age_s = ((now or datetime.now(UTC)) - written_at).total_seconds()
    running = _alive(pid) and age_s < STALE_AFTER_S and not status.get("stopped", False)
    return {**status, "running": running, "age_s": round(age_s, 1)}


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
