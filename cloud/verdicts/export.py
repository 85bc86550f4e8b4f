"""The labelled set as a zip (标注集导出), written while it is read: one picture at a time is in memory, the labels wait on the disk.

Whoever exports says what for. It stands in the audit log at the beginning, case by case with the hashes of what leaves, and at the end.
"""

import hashlib
import io
import json
import tempfile
import threading
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from cloud.access import audit
from cloud.access.model import Principal
from cloud.db.pool import Pool
from cloud.errors import NotFound, TooOften
from cloud.evidence.files import EvidenceFiles
from cloud.evidence.formats import NotOfItsKind, check_jpeg, jpeg_size
from cloud.verdicts import store
from cloud.verdicts.labels import FORMAT, Labelled, annotation, file_name, image, split_of
from cloud.verdicts.model import Verdict
from cloud.verdicts.store import VerdictFilter

PICTURES_AT_ONCE: Final = 100
MOST_PICTURES: Final = 50_000
LARGEST_PICTURE_BYTES: Final = 16 << 20
EXPORTS_AT_ONCE: Final = 2
WARNING: Final = (
    "Only incidents that somebody went to see have a verdict, and more of those that looked serious: shares in this set are not those of "
    "all that was told, and what no rule told is not in it at all."
)

_IN_MEMORY_BYTES = 1 << 20
_OLDEST = (1980, 1, 1, 0, 0, 0)
"""The same date on every entry: the zip of the same labels is the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOrder:
    """What is exported, by whom and for what purpose. At most `most` pictures."""

    export_id: UUID
    user: Principal
    purpose: str
    chosen: VerdictFilter
    verdicts: frozenset[Verdict] = frozenset(Verdict) - {Verdict.UNSURE}
    most: int = MOST_PICTURES
    at: datetime
    address: str
    zone: ZoneInfo


class ExportSlots:
    """How many exports run at once in a process: each holds a disk and the store of evidence busy."""

    def __init__(self, at_once: int = EXPORTS_AT_ONCE) -> None:
        self._free = threading.BoundedSemaphore(at_once)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold a slot. Raises TooOften when none is free."""
        if not self._free.acquire(blocking=False):
            raise TooOften("other exports are running; try again later")
        try:
            yield
        finally:
            self._free.release()


SLOTS = ExportSlots()


@dataclass(slots=True)
class _Told:
    """What the manifest and the audit log say of an export."""

    pictures: int = 0
    size_bytes: int = 0
    by_verdict: Counter[str] = field(default_factory=Counter)
    by_split: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    is_cut: bool = False

    @property
    def columns(self) -> dict[str, Any]:
        return {
            "pictures": self.pictures,
            "size_bytes": self.size_bytes,
            "by_verdict": dict(sorted(self.by_verdict.items())),
            "by_split": dict(sorted(self.by_split.items())),
            "left_out": dict(sorted(self.left_out.items())),
            "cut": self.is_cut,
        }


class _Outlet(io.RawIOBase):
    """Where the archive is written to: what has come since is taken out. It can't be sought in, so that nothing is gone back to."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, chunk: Any) -> int:
        self._waiting += chunk
        return len(chunk)

    def drain(self) -> bytes:
        taken = bytes(self._waiting)
        self._waiting.clear()
        return taken


def written(pool: Pool, files: EvidenceFiles, order: ExportOrder) -> Iterator[bytes]:
    """The bytes of the zip. Raises TooOften before the first; EvidenceStoreAway at any: what came until then is no whole archive.

    A picture that is gone, too large or not what its hash says is left out and counted.
    """
    with (
        SLOTS.taken(),
        tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as images,
        tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as boxes,
    ):
        _audit(pool, order, "verdicts.export_begun", {})
        outlet, told, categories = _Outlet(), _Told(), _Categories()
        with zipfile.ZipFile(outlet, "w", zipfile.ZIP_STORED) as archive:
            for label in _labels(pool, order, told):
                content = _content(files, label, told)
                if content is None:
                    continue
                size = jpeg_size(content)
                told.pictures += 1
                _put(images, image(label, told.pictures, size, order.zone))
                _put(boxes, annotation(label, told.pictures, size, categories.number(label.kind)))
                archive.writestr(_entry(file_name(label, order.zone)), content)
                _count(told, label, order.zone)
                yield outlet.drain()
            with archive.open(_entry("annotations.json"), "w") as entry:
                for chunk in _annotations(images, boxes, categories):
                    entry.write(chunk)
                    yield outlet.drain()
            archive.writestr(_entry("manifest.json"), _json(_manifest(order, told)))
        yield outlet.drain()
        _audit(pool, order, "verdicts.exported", told.columns)


class _Categories:
    """Kinds of incidents as categories of COCO, numbered as they come."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, kind: str) -> int:
        return self._numbers.setdefault(kind, len(self._numbers) + 1)

    @property
    def listed(self) -> list[dict[str, Any]]:
        return [{"id": number, "name": kind, "supercategory": "incident"} for kind, number in self._numbers.items()]


def _labels(pool: Pool, order: ExportOrder, told: _Told) -> Iterator[Labelled]:
    """Page by page, each in a transaction that also says in the audit log what leaves."""
    after, left = (0, ""), order.most
    while True:
        with pool.connection() as conn:
            page = store.labelled(
                conn, order.chosen, order.verdicts, after=after, count=min(left + 1, PICTURES_AT_ONCE)
            )
            if len(page) > left:
                page, told.is_cut = page[:left], True
            for case_id, group in _by_case(page).items():
                audit.write(
                    conn,
                    "evidence.exported",
                    f"case:{case_id}",
                    actor=order.user,
                    area_path=group[0].area_path,
                    address=order.address,
                    detail={"export": str(order.export_id), "sha256": [each.sha256 for each in group]},
                )
        yield from page
        left -= len(page)
        if told.is_cut or not page:
            return
        after = page[-1].incident_row_id, page[-1].sha256


def _by_case(page: Sequence[Labelled]) -> dict[int, list[Labelled]]:
    found: dict[int, list[Labelled]] = {}
    for each in page:
        found.setdefault(each.case_id, []).append(each)
    return found


def _content(files: EvidenceFiles, label: Labelled, told: _Told) -> bytes | None:
    """The picture, whole and as its hash says; None where it is left out."""
    if label.size_bytes > LARGEST_PICTURE_BYTES:
        told.left_out["too_large"] += 1
        return None
    try:
        content = b"".join(files.read_all(label.sha256))
    except NotFound:
        told.left_out["gone"] += 1
        return None
    if hashlib.sha256(content).hexdigest() != label.sha256:
        told.left_out["damaged"] += 1
        return None
    try:
        check_jpeg(content)
    except NotOfItsKind:
        told.left_out["no_picture"] += 1
        return None
    return content


def _count(told: _Told, label: Labelled, zone: ZoneInfo) -> None:
    told.size_bytes += label.size_bytes
    told.by_verdict[label.verdict.value] += 1
    told.by_split[split_of(label.node, label.device, label.captured_at, zone).value] += 1


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _OLDEST)
    entry.external_attr = 0o644 << 16
    return entry


def _put(spool: IO[bytes], value: Mapping[str, Any] | None) -> None:
    if value is not None:
        spool.write(_json(value).encode() + b"\n")


def _annotations(images: IO[bytes], boxes: IO[bytes], categories: _Categories) -> Iterator[bytes]:
    info = {"description": "Verdicts of Gridward", "version": FORMAT, "warning": WARNING}
    yield f'{{"info": {_json(info)},\n"images": ['.encode()
    yield from _listed(images)
    yield b'],\n"annotations": ['
    yield from _listed(boxes)
    yield f'],\n"categories": {_json(categories.listed)}}}\n'.encode()


def _listed(spool: IO[bytes]) -> Iterator[bytes]:
    spool.seek(0)
    for place, line in enumerate(spool):
        yield (b",\n" if place else b"\n") + line.rstrip(b"\n")


def _manifest(order: ExportOrder, told: _Told) -> dict[str, Any]:
    chosen = order.chosen
    return {
        "format": FORMAT,
        "export": str(order.export_id),
        "exported_at": order.at.isoformat(),
        "exported_by": order.user.name,
        "purpose": order.purpose,
        "asked_for": _asked(order) | {"scope": chosen.scope},
        "warning": WARNING,
        **told.columns,
    }


def _asked(order: ExportOrder) -> dict[str, Any]:
    chosen = order.chosen
    return {
        "since": chosen.since.isoformat(),
        "until": chosen.until.isoformat(),
        "node": chosen.node,
        "device": chosen.device,
        "rule": chosen.rule,
        "kind": chosen.kind,
        "simulated": chosen.simulated,
        "drills": chosen.drills,
        "verdicts": sorted(each.value for each in order.verdicts),
    }


def _audit(pool: Pool, order: ExportOrder, action: str, detail: Mapping[str, Any]) -> None:
    with pool.connection() as conn:
        audit.write(
            conn,
            action,
            f"export:{order.export_id}",
            actor=order.user,
            area_path=order.chosen.scope,
            address=order.address,
            detail={"purpose": order.purpose, "asked_for": _asked(order), **detail},
        )


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
