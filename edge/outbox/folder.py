"""The folder of evidence files, by content hash, each one on disk before its incident is."""

import hashlib
import threading
from collections.abc import Collection
from pathlib import Path
from typing import Final

import structlog

from edge.contract.incident import SEALED_MIME
from edge.disk import make_folder, write_file
from edge.flow import EvidenceFile

SEALED_SHARE: Final = 0.75
"""The part of the quota that sealed originals may take: the rest is kept for the pictures that people look at."""

_log = structlog.get_logger(__name__)


class EvidenceFolder:
    """Files under `root/<two digits>/<sha256>`.

    `lock` is held by whoever adds or removes a file together with its row: two incidents can name the same bytes, and the
    file that one of them has done with must not go while the other is being kept.
    """

    def __init__(self, root: Path, *, quota_bytes: int) -> None:
        self.lock = threading.RLock()
        self._root = root
        self._quota_bytes = quota_bytes
        self._used_bytes = 0
        self._sealed: dict[str, int] = {}
        make_folder(root)

    @property
    def used_bytes(self) -> int:
        """What the files take."""
        return self._used_bytes

    @property
    def quota_bytes(self) -> int:
        """What they may take."""
        return self._quota_bytes

    def has_room(self, size_bytes: int, *, sealed: bool = False) -> bool:
        """Whether a file of this size fits into the quota, and a sealed one into its share of it."""
        if self._used_bytes + size_bytes > self._quota_bytes:
            return False
        if not sealed:
            return True
        with self.lock:
            return sum(self._sealed.values()) + size_bytes <= SEALED_SHARE * self._quota_bytes

    def path(self, sha256: str) -> Path:
        """Where a file is or would be."""
        return self._root / sha256[:2] / sha256

    def keep(self, file: EvidenceFile) -> None:
        """Write a file through to the disk. Raises ValueError when its content does not have its hash, OSError when the disk
        does not take it; nothing is left of it then.
        """
        sha256 = file.reference.sha256
        if hashlib.sha256(file.content).hexdigest() != sha256 or len(file.content) != file.reference.bytes:
            raise ValueError(f"evidence {sha256} does not have the content that its reference names")
        path = self.path(sha256)
        with self.lock:
            if path.exists():
                return
            make_folder(path.parent)
            write_file(path, file.content)
            self._used_bytes += len(file.content)
            if file.reference.mime == SEALED_MIME:
                self._sealed[sha256] = len(file.content)

    def remove(self, sha256: str) -> None:
        """Forget a file; one that is not there is no mistake, and one that can't be removed is seen to at the next start."""
        path = self.path(sha256)
        with self.lock:
            try:
                size_bytes = path.stat().st_size
                path.unlink()
            except FileNotFoundError:
                return
            except OSError as error:
                _log.error("an evidence file can't be removed", sha256=sha256, reason=str(error))
                return
            self._used_bytes -= size_bytes
            self._sealed.pop(sha256, None)

    def sweep(self, known: Collection[str], *, sealed: Collection[str]) -> list[str]:
        """Remove files that no row names (a crash came between file and row), and count the rest, of which some are sealed.
        Missing ones come back.
        """
        with self.lock:
            self._used_bytes = 0
            self._sealed.clear()
            present = set()
            for path in self._root.glob("??/*"):
                if path.name in known:
                    present.add(path.name)
                    size_bytes = path.stat().st_size
                    self._used_bytes += size_bytes
                    if path.name in sealed:
                        self._sealed[path.name] = size_bytes
                else:
                    _remove(path)
        return sorted(set(known) - present)

    def present(self, sha256: str) -> bool:
        """Whether the file is there."""
        return self.path(sha256).is_file()


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        _log.error("an unfinished evidence file can't be removed", path=str(path), reason=str(error))
