"""Pictures and films in their structure: as long as a test wants, with nothing to see."""

import struct


def segment(marker: int, body: bytes) -> bytes:
    """A JPEG segment with its length."""
    return bytes((0xFF, marker)) + struct.pack("!H", 2 + len(body)) + body


def frame(width: int = 16, height: int = 16, *, marker: int = 0xC0, components: int = 1) -> bytes:
    """The segment that says how large a JPEG is."""
    return segment(marker, struct.pack("!BHHB", 8, height, width, components) + b"\x01\x11\x00" * components)


def scan(coded: bytes = b"\x12" * 64) -> bytes:
    """The coded picture behind its head."""
    return segment(0xDA, b"\x01\x01\x00\x00\x3f\x00") + coded


HEAD = b"\xff\xd8" + segment(0xE0, b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00")
END = b"\xff\xd9"


def jpeg(size_bytes: int) -> bytes:
    """A JPEG of exactly so many bytes; each stretch of it is another one, so that a piece in a wrong place shows."""
    around = len(HEAD + frame() + scan(b"") + END)
    coded = b"".join(struct.pack("!I", number).replace(b"\xff", b"\xfe") for number in range(size_bytes // 4 + 1))
    return HEAD + frame() + scan(coded[: size_bytes - around]) + END


def box(kind: bytes, body: bytes = b"", *, size: int | None = None) -> bytes:
    """An MP4 box."""
    return struct.pack("!I", 8 + len(body) if size is None else size) + kind + body


def film(size_bytes: int) -> bytes:
    """An MP4 of about so many bytes."""
    return (
        box(b"ftyp", b"isom\x00\x00\x02\x00isomiso2mp41") + box(b"moov", bytes(100)) + box(b"mdat", bytes(size_bytes))
    )
