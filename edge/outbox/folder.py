"""The folder of evidence files, by content hash, each one on disk before its incident is."""

import hashlib
import os
from collections.abc import Collection
from pathlib import Path

from edge.flow import EvidenceFile


class EvidenceFolder:
    """Files under `root/<two digits>/<sha256>`. Not thread-safe for one and the same hash, which never matters: same bytes."""

    def __init__(self, root: Path, *, quota_bytes: int) -> None:
        self._root = root
        self._quota_bytes = quota_bytes
        self._used_bytes = 0
        root.mkdir(parents=True, exist_ok=True)

    @property
    def used_bytes(self) -> int:
        """What the files take."""
        return self._used_bytes

    def has_room(self, size_bytes: int) -> bool:
        """Whether a file of this size fits into the quota."""
        return self._used_bytes + size_bytes <= self._quota_bytes

    def path(self, sha256: str) -> Path:
        """Where a file is or would be."""
        return self._root / sha256[:2] / sha256

    def keep(self, file: EvidenceFile) -> None:
        """Write a file through to the disk. Raises ValueError when its content does not have its hash."""
        sha256 = file.reference.sha256
        if hashlib.sha256(file.content).hexdigest() != sha256 or len(file.content) != file.reference.bytes:
            raise ValueError(f"evidence {sha256} does not have the content that its reference names")
        path = self.path(sha256)
        if path.exists():
            return
        path.parent.mkdir(exist_ok=True)
        unfinished = path.with_suffix(".part")
        with unfinished.open("wb") as out:
            out.write(file.content)
            out.flush()
            os.fsync(out.fileno())
        unfinished.rename(path)
        _sync_folder(path.parent)
        self._used_bytes += len(file.content)

    def remove(self, sha256: str) -> None:
        """Forget a file; one that is not there is no mistake."""
        path = self.path(sha256)
        try:
            size = path.stat().st_size
            path.unlink()
        except FileNotFoundError:
            return
        self._used_bytes -= size

    def sweep(self, known: Collection[str]) -> list[str]:
        """Remove files that no row names (a crash came between file and row), and count the rest. Missing ones come back."""
        self._used_bytes = 0
        present = set()
        for path in self._root.glob("??/*"):
            if path.name in known:
                present.add(path.name)
                self._used_bytes += path.stat().st_size
            else:
                path.unlink()
        return sorted(set(known) - present)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
