"""Evidence (证据): taking files in by their hash, and handing them out to those who may see them."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg import Connection

from cloud.access import audit
from cloud.access.model import Principal
from cloud.errors import (
    Conflict,
    Deleted,
    EvidenceStoreAway,
    Forbidden,
    Invalid,
    NotFound,
    PurposeNeeded,
    TooLarge,
    UnsupportedMedia,
)
from cloud.evidence import policy, store
from cloud.evidence.files import EvidenceFiles, Partial, Quarantine
from cloud.evidence.formats import NotOfItsKind
from cloud.evidence.policy import Part
from cloud.evidence.retention import terms_of
from cloud.evidence.store import NamedFile, VisibleFile
from cloud.settings import CloudSettings
from edge.contract.incident import EvidenceKind

UPLOADS_OF_NODE = 4
UPLOADS_OF_ALL = 64

PURPOSE_NEEDED = "this is none of your cases: say what you need it for, with `?purpose=` and 3 to 500 characters; the audit log keeps it with your name"


class WrongOffset(Conflict):
    """An upload goes on at another place than where the bytes that are here end."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"the next byte is number {offset}")
        self.offset = offset


class WrongBytes(Invalid):
    """What came is not what the hash names."""


class UploadSlots:
    """How many uploads run at once: a node has a few, so that one alone takes neither memory nor the others' turn."""

    def __init__(self, of_node: int = UPLOADS_OF_NODE, of_all: int = UPLOADS_OF_ALL) -> None:
        self._of_node = of_node
        self._of_all = of_all
        self._running: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def taken(self, node: str) -> Iterator[None]:
        """Hold a slot. Raises EvidenceStoreAway when none is free."""
        with self._lock:
            if self._running[node] >= self._of_node or self._running.total() >= self._of_all:
                raise EvidenceStoreAway("too many uploads at once")
            self._running[node] += 1
        try:
            yield
        finally:
            with self._lock:
                self._running[node] -= 1
                self._running += Counter()  # forgets who has none


@dataclass(frozen=True, slots=True)
class EvidenceService:
    """The use cases of evidence. Files that were named but did not come whole lie in the quarantine."""

    files: EvidenceFiles
    quarantine: Quarantine
    maximum_bytes: int
    slots: UploadSlots = field(default_factory=UploadSlots)

    @classmethod
    def of(cls, settings: CloudSettings) -> "EvidenceService":
        """Raises ConfigurationError when the store can't be used, or the terms of retention can't be."""
        terms_of(settings)
        return cls(
            EvidenceFiles(settings.evidence_store_url),
            Quarantine(
                settings.data_directory.resolve() / "partial",
                settings.evidence_partial_quota_bytes,
                settings.evidence_partial_age_s,
            ),
            settings.evidence_maximum_bytes,
        )

    def expected(self, conn: Connection[Any], node: str, sha256: str) -> NamedFile:
        """The file that this node is to send. Raises NotFound (not named yet), Deleted, TooLarge, UnsupportedMedia."""
        file = store.named(conn, node, sha256)
        if file is None:
            raise NotFound("no incident of this node names this file yet")
        if file.is_deleted:
            raise Deleted("the file was here, and was deleted because its time was over")
        if not policy.is_taken(file.kind, file.mime):
            raise UnsupportedMedia(f"files of kind {file.mime} are not taken as {file.kind}")
        if file.size_bytes > self.maximum_bytes:
            raise TooLarge(f"a file has at most {self.maximum_bytes} bytes")
        return file

    def offset(self, node: str, file: NamedFile) -> int:
        """How many bytes of it are here. What is whole and yet not stored (the store was away) begins anew."""
        if file.is_stored:
            return file.size_bytes
        offset = self.quarantine.offset(node, file.sha256)
        return offset if offset < file.size_bytes else 0

    def begin(self, node: str, file: NamedFile, part: Part) -> Partial:
        """Open the partial file for a piece. Raises WrongOffset, Conflict, EvidenceStoreAway."""
        partial = self.quarantine.open(node, file.sha256, file.size_bytes)
        if part.start == 0:
            partial.restart()
        elif part.start != partial.size_bytes:
            offset = partial.size_bytes
            partial.__exit__(None, None, None)
            raise WrongOffset(offset)
        return partial

    def finish(self, file: NamedFile, partial: Partial) -> bool:
        """Store the file if it is whole; False when bytes are still missing.

        Raises Invalid when the bytes are not those that were named, UnsupportedMedia when they are no such picture or
        film; the partial file is gone then.
        """
        if partial.size_bytes < file.size_bytes:
            return False
        if partial.size_bytes > file.size_bytes or partial.digest() != file.sha256:
            partial.discard()
            raise WrongBytes("the bytes are not those of the hash")
        try:
            partial.check(file.mime)
        except NotOfItsKind as error:
            partial.discard()
            raise UnsupportedMedia(f"the bytes are not {file.mime}: {error}") from error
        self.files.put(file.sha256, partial.path)
        return True

    def visible(self, conn: Connection[Any], user: Principal, sha256: str) -> VisibleFile:
        """A stored file for a person's eyes. Raises NotFound, also outside of the person's scope, and for a department that was never
        told of its case.
        """
        file = store.visible(conn, sha256, user)
        if file is None:
            raise NotFound("there is no such file in your scope")
        if file.kind == EvidenceKind.SEALED:
            raise Forbidden("a sealed original is handed out to whom a second person has allowed it, see the case")
        return file

    def view(
        self,
        conn: Connection[Any],
        user: Principal,
        file: VisibleFile,
        part: tuple[int, int],
        *,
        address: str,
        purpose: str | None = None,
    ) -> Iterator[bytes]:
        """The bytes of a part of a file, after a line in the audit log: each view has one, with the purpose that was stated, and whether
        the case is the person's own, where work on it is the purpose.

        Raises PurposeNeeded where it is not, and none was stated.
        """
        start, end = part
        own = check_purpose(conn, user, file.case_id, is_over=file.is_over, purpose=purpose)
        chunks = self.files.read(file.sha256, start, end)
        audit.write(
            conn,
            "evidence.viewed",
            f"evidence:{file.sha256}",
            actor=user,
            area_path=file.area_path,
            address=address,
            detail={
                "case": file.case_id,
                "order": file.order_id,
                "kind": file.kind,
                "from": start,
                "to": end,
                "own": own,
                "purpose": purpose,
            },
        )
        return chunks

    def settle(self, conn: Connection[Any], node: str, file: NamedFile, partial: Partial, *, now: datetime) -> bool:
        """Note that a file is here; False when that was known. Raises EvidenceStoreAway."""
        store.lock_file(conn, file.sha256)
        if self.files.size(file.sha256) is None:  # pruned since, for whoever else had named it
            self.files.put(file.sha256, partial.path)
        return store.mark_stored(conn, node, file.sha256, now=now)


def check_purpose(
    conn: Connection[Any], user: Principal, case_id: int | None, *, is_over: bool, purpose: str | None
) -> bool:
    """Whether a case is the person's own; None stands for a work order.

    Raises PurposeNeeded where work is no purpose for this person to look at it, and none was stated.
    """
    own = case_id is not None and bool(store.own_cases(conn, [case_id], user))
    if not purpose and policy.needs_purpose(user.role, is_own=own, is_over=is_over, is_order=case_id is None):
        raise PurposeNeeded(PURPOSE_NEEDED)
    return own


def mark_stored(conn: Connection[Any], node: str, sha256: str, *, now: datetime) -> bool:
    """Note that a file is here; False when that was known."""
    return store.mark_stored(conn, node, sha256, now=now)
