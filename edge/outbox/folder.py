"""The folder of evidence files, by content hash, each one on disk before its incident is."""

import hashlib
import threading
from collections.abc import Collection
from pathlib import Path
from typing import Final

import structlog

from edge.contract.incident import SEALED_MIME, EvidenceReference
from edge.disk import make_folder, move_file, write_file
from edge.flow import EvidenceFile, StagedFile

SEALED_SHARE: Final = 0.75
"""The part of the quota that sealed originals may take: the rest is kept for the pictures that people look at."""

_log = structlog.get_logger(__name__)


STAGE: Final = "staged"


class EvidenceFolder:
    """Files under `root/<two digits>/<sha256>`; those that nothing names yet under `root/staged`.

    `lock` is held by whoever adds or removes a file together with its row: two incidents can name the same bytes, and the
    file that one of them has done with must not go while the other is being kept. Nobody writes a file under it: that is done
    before, and who is kept waiting by megabytes is the one who brought them.
    """

    def __init__(self, root: Path, *, quota_bytes: int) -> None:
        self.lock = threading.RLock()
        self._root = root
        self._quota_bytes = quota_bytes
        self._used_bytes = 0
        self._sealed: dict[str, int] = {}
        self._staged: dict[int, int] = {}
        self._next_number = 1
        make_folder(root)
        make_folder(root / STAGE)

    @property
    def used_bytes(self) -> int:
        """What the files take, those that nothing names yet among them."""
        return self._used_bytes + sum(list(self._staged.values()))

    @property
    def quota_bytes(self) -> int:
        """What they may take."""
        return self._quota_bytes

    def has_room(self, size_bytes: int, *, sealed: bool = False) -> bool:
        """Whether a file of this size fits into the quota, and a sealed one into its share of it."""
        return max(self.missing_bytes(size_bytes, sealed=sealed)) <= 0

    def missing_bytes(self, size_bytes: int, *, sealed: bool) -> tuple[int, int]:
        """How many bytes have to go before a file of this size fits into the quota, and how many sealed ones of them before a sealed one
        fits into its share; less than nothing where it does.
        """
        with self.lock:
            of_all = self.used_bytes + size_bytes - self._quota_bytes
            if not sealed:
                return of_all, 0
            return of_all, sum(self._sealed.values()) + size_bytes - int(SEALED_SHARE * self._quota_bytes)

    def path(self, sha256: str) -> Path:
        """Where a file is or would be."""
        return self._root / sha256[:2] / sha256

    def stage(self, file: EvidenceFile) -> StagedFile:
        """Write a file through to the disk, beside the others. Raises ValueError when its content does not have its hash, OSError
        when the disk does not take it; nothing is left of it then.
        """
        sha256 = file.reference.sha256
        if hashlib.sha256(file.content).hexdigest() != sha256 or len(file.content) != file.reference.bytes:
            raise ValueError(f"evidence {sha256} does not have the content that its reference names")
        staged = self.reserve(file.reference)
        self.write(staged, file.content)
        return staged

    def reserve(self, reference: EvidenceReference) -> StagedFile:
        """Take the room of a file that is going to be written."""
        with self.lock:
            staged, self._next_number = StagedFile(reference, self._next_number), self._next_number + 1
            self._staged[staged.number] = reference.bytes
        return staged

    def write(self, staged: StagedFile, content: bytes) -> None:
        """Write what room was taken for. Raises OSError; the room is free again then."""
        try:
            write_file(self._place(staged), content)
        except OSError:
            self._staged.pop(staged.number, None)
            raise

    def keep(self, staged: StagedFile) -> None:
        """Put a file that was staged among those that are named. Raises OSError; it stays staged then."""
        path = self.path(staged.reference.sha256)
        with self.lock:
            if path.exists():
                self.discard(staged)
                return
            make_folder(path.parent)
            move_file(self._place(staged), path)
            size_bytes = self._staged.pop(staged.number, staged.reference.bytes)
            self._used_bytes += size_bytes
            if staged.reference.mime == SEALED_MIME:
                self._sealed[staged.reference.sha256] = size_bytes

    def discard(self, staged: StagedFile) -> None:
        """Forget a file that was staged and is not wanted; one that has been kept stays."""
        with self.lock:
            if self._staged.pop(staged.number, None) is not None:
                _remove(self._place(staged))

    def _place(self, staged: StagedFile) -> Path:
        return self._root / STAGE / f"{staged.reference.sha256}.{staged.number}"

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
            for path in (self._root / STAGE).iterdir():
                _remove(path)
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
