"""Pictures of phones without what the phone wrote into them: place, time, device, comments, a second picture. Pure.

The coded picture stays as it is, bit for bit; nothing is decoded. Which way up it is shown (Exif orientation) is kept, in a
segment of our own. Sources: ITU-T T.81 annex B (JPEG), JEITA CP-3451 §4.5 (Exif), TIFF 6.0.
"""

import struct
from typing import Final

from cloud.evidence.formats import check_jpeg

_START: Final = b"\xff\xd8"
_EXIF, _ADOBE, _SCAN, _COMMENT = 0xE1, 0xEE, 0xDA, 0xFE
_APPLICATION = range(0xE0, 0xF0)
_HEAD: Final = b"Exif\x00\x00"
_ORIENTATION: Final = 0x0112
_UPRIGHT, _WAYS = 1, range(1, 9)
_MOST_FIELDS = 200


def stripped(content: bytes) -> bytes:
    """The picture without its metadata. Raises NotOfItsKind for what is no JPEG, or has something around it."""
    check_jpeg(content)
    kept, way, at = bytearray(_START), _UPRIGHT, 2
    while True:
        marker, end = content[at + 1], at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        if marker == _EXIF and content[at + 4 : at + 10] == _HEAD:
            way = orientation(content[at + 10 : end])
        elif marker == _SCAN:
            break
        elif marker == _ADOBE or (marker not in _APPLICATION and marker != _COMMENT):
            kept += content[at:end]  # of what applications write, only how the colours are meant
        at = end
    head = _oriented(way) if way != _UPRIGHT else b""
    whole = bytes(kept[:2]) + head + bytes(kept[2:]) + _without_segments(content[at:])
    check_jpeg(whole)
    return whole


def orientation(tiff: bytes) -> int:
    """Which way up, 1 to 8, as the first directory of an Exif block says; 1 where it says nothing that can be."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None or len(tiff) < 8:
        return _UPRIGHT
    (at,) = struct.unpack_from(f"{order}I", tiff, 4)
    if at + 2 > len(tiff):
        return _UPRIGHT
    (fields,) = struct.unpack_from(f"{order}H", tiff, at)
    for number in range(min(fields, _MOST_FIELDS)):
        place = at + 2 + 12 * number
        if place + 12 > len(tiff):
            break
        tag, kind, _count, value = struct.unpack_from(f"{order}HHIH", tiff, place)
        if tag == _ORIENTATION and kind == 3 and value in _WAYS:
            return int(value)
    return _UPRIGHT


def _oriented(way: int) -> bytes:
    body = _HEAD + b"II*\x00\x08\x00\x00\x00" + struct.pack("<HHHIHHI", 1, _ORIENTATION, 3, 1, way, 0, 0)
    return struct.pack(">BBH", 0xFF, _EXIF, 2 + len(body)) + body


def _without_segments(scans: bytes) -> bytes:
    """The scans of a picture without what applications wrote between them (of progressive ones)."""
    kept, at = bytearray(), 0
    while at < len(scans):
        marker = scans[at + 1]
        if marker == 0xD9:
            return bytes(kept) + scans[at:]
        end = at + 2 + int.from_bytes(scans[at + 2 : at + 4], "big")
        if marker == _SCAN:
            end = _end_of_scan(scans, end)
        if marker not in _APPLICATION and marker != _COMMENT:
            kept += scans[at:end]
        at = end
    return bytes(kept)


def _end_of_scan(scans: bytes, at: int) -> int:
    """Where the next marker stands that is neither a stuffed byte nor a restart."""
    while True:
        at = scans.index(b"\xff", at)
        if scans[at + 1] not in {0x00, 0xFF, *range(0xD0, 0xD8)}:
            return at
        at += 1 if scans[at + 1] == 0xFF else 2
