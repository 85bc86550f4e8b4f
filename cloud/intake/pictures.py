"""Pictures of what people report. Takes the caller's transaction; the files lie beside all other evidence, under their hash."""

import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from psycopg import Connection

from cloud.access import audit
from cloud.access.model import Principal
from cloud.cases import service as cases
from cloud.db.queries import load
from cloud.errors import Conflict, Invalid, NotFound, TooLarge, UnsupportedMedia
from cloud.evidence import store as evidence
from cloud.evidence.files import EvidenceFiles
from cloud.evidence.formats import NotOfItsKind, jpeg_size
from cloud.evidence.service import check_purpose
from cloud.intake import service
from cloud.intake.exif import stripped

_queries = load("cloud.intake")

MOST_PICTURES: Final = 9
MAXIMUM_BYTES: Final = 12 << 20
_MAXIMUM_PIXELS: Final = 64_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One that is kept: `sha256` is of what is kept, `sent_sha256` of what the phone sent."""

    sent_sha256: str
    sha256: str
    size_bytes: int
    width: int
    height: int


def keep(
    conn: Connection[Any],
    files: EvidenceFiles,
    user: Principal,
    report_id: UUID,
    *,
    sent_sha256: str,
    content: bytes,
    now: datetime,
) -> Picture:
    """Keep a picture of a report of one's own, without what the phone wrote into it; sent twice it is kept once.

    Raises NotFound, Invalid (the bytes are not those of the hash), UnsupportedMedia (no JPEG), TooLarge, Conflict (too many).
    """
    case_id = service.receipt(conn, service.of_person(user), report_id).case_id
    for _ in _queries.lock_pictures(conn, case_id=case_id % 2**31):
        pass
    here = [_picture(row) for row in _queries.pictures(conn, case_id=case_id)]
    known = next((each for each in here if each.sent_sha256 == sent_sha256), None)
    if known is not None:
        return known
    if len(here) >= MOST_PICTURES:
        raise Conflict(f"a report has at most {MOST_PICTURES} pictures")
    picture, kept = checked(sent_sha256, content)
    evidence.lock_file(conn, picture.sha256)
    with tempfile.NamedTemporaryFile(suffix=".jpg") as file:
        file.write(kept)
        file.flush()
        files.put(picture.sha256, Path(file.name))
    _queries.insert_picture(
        conn,
        case_id=case_id,
        sent_sha256=sent_sha256,
        sha256=picture.sha256,
        size_bytes=picture.size_bytes,
        width=picture.width,
        height=picture.height,
        account_id=user.user_id,
        stored_at=now,
    )
    cases.announce(conn, case_id, "case.updated")
    return picture


def checked(sent_sha256: str, content: bytes) -> tuple[Picture, bytes]:
    """What is kept of a picture that came. Raises TooLarge, Invalid, UnsupportedMedia."""
    if len(content) > MAXIMUM_BYTES:
        raise TooLarge(f"a picture has at most {MAXIMUM_BYTES} bytes")
    if hashlib.sha256(content).hexdigest() != sent_sha256:
        raise Invalid("the bytes are not those of the hash")
    try:
        kept = stripped(content)
        width, height = jpeg_size(kept)
    except NotOfItsKind as error:
        raise UnsupportedMedia(f"the bytes are not image/jpeg: {error}") from error
    if width * height > _MAXIMUM_PIXELS:
        raise TooLarge(f"a picture has at most {_MAXIMUM_PIXELS} pixels")
    sha256 = hashlib.sha256(kept).hexdigest()
    return Picture(sent_sha256=sent_sha256, sha256=sha256, size_bytes=len(kept), width=width, height=height), kept


def view(
    conn: Connection[Any],
    files: EvidenceFiles,
    user: Principal,
    case_id: int,
    sha256: str,
    *,
    address: str,
    purpose: str | None = None,
) -> tuple[int, Iterator[bytes]]:
    """Length and bytes of a picture of a case that the person sees, after a line in the audit log.

    Raises NotFound, PurposeNeeded where work on the case is no purpose, and none was stated.
    """
    cases.check_visible(conn, user, case_id)
    row = _queries.picture_of(conn, case_id=case_id, sha256=sha256)
    if row is None:
        raise NotFound("there is no such picture in your scope")
    is_over = row.status in evidence.CLOSED_STATUSES
    own = check_purpose(conn, user, case_id, is_over=is_over, purpose=purpose)
    content = files.read(sha256, 0, row.size_bytes)
    audit.write(
        conn,
        "evidence.viewed",
        f"evidence:{sha256}",
        actor=user,
        area_path=row.area_path,
        address=address,
        detail={"case": case_id, "kind": "report", "own": own, "purpose": purpose},
    )
    return row.size_bytes, content


def _picture(row: Any) -> Picture:
    return Picture(
        sent_sha256=row.sent_sha256, sha256=row.sha256, size_bytes=row.size_bytes, width=row.width, height=row.height
    )
