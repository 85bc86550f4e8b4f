"""Whether bytes are the picture or film that they claim to be: their structure is walked, nothing is decoded. Pure.

Decoding would unpack bombs and put a decoder's own defects within reach of whoever sends. A file that passes begins and ends
as its kind does, with nothing before, behind or between, so that it is no second kind at the same time.

Sources: ITU-T T.81 annex B (JPEG), ISO/IEC 14496-12 §4 (boxes of MP4), RFC 8794 and RFC 9559 (elements of WebM),
age-encryption.org/v1 (sealed files).
"""

import re
from collections.abc import Callable
from mmap import mmap

from edge.contract.incident import SEALED_MIME

LARGEST_PICTURE_PIXELS = 64_000_000
MOST_SEGMENTS = 1_000
MOST_SCANS = 100
"""A progressive picture has about ten; thousands make every viewer decode the same pixels thousands of times."""

MOST_BOXES = 10_000
MOST_ELEMENTS = 50_000
"""Of a whole film: one of a quarter of an hour at 25 pictures a second has half of them."""

LONGEST_AGE_HEADER_BYTES = 8 << 10

Content = bytes | mmap

_MARKER_IN_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_WITHOUT_LENGTH = frozenset({0x00, 0x01, 0xFF, *range(0xD0, 0xD9)})
_START, _SCAN, _END = b"\xff\xd8", 0xDA, 0xD9
_EBML, _DOCTYPE, _SEGMENT = 0x1A45DFA3, 0x4282, 0x18538067
_VOID, _TRACKS, _TRACK, _CLUSTER = 0xEC, 0x1654AE6B, 0xAE, 0x1F43B675
_TRACK_TYPE, _CODEC, _BLOCK, _BLOCK_GROUP = 0x83, 0x86, 0xA3, 0xA0
_IN_SEGMENT = frozenset({_VOID, _TRACKS, _CLUSTER, 0x114D9B74, 0x1549A966, 0x1254C367, 0x1C53BB6B})
"""What a film is made of: where what is, about it, its streams, notes, pictures, places to jump to. No files and no chapters within it."""

_IN_CLUSTER = frozenset({_VOID, _BLOCK, _BLOCK_GROUP, 0xE7, 0xA7, 0xAB})
_CODECS = frozenset({b"V_VP8", b"V_VP9"})
_BOX_TYPE = re.compile(rb"[ -~\xa9]{4}")
_AGE_HEADER = re.compile(
    rb"age-encryption\.org/v1\n"
    rb"(?:-> [!-~]+(?: [!-~]+)*\n(?:[A-Za-z0-9+/]{64}\n)*[A-Za-z0-9+/]{0,63}\n)+"
    rb"--- [A-Za-z0-9+/]{43}\n"
)
_AGE_NONCE_BYTES, _AGE_CHUNK_BYTES, _AGE_TAG_BYTES = 16, 64 << 10, 16


class NotOfItsKind(ValueError):
    """The bytes are not what they claim to be; the message says where that shows."""


def check(mime: str, content: Content) -> None:
    """Pass a file of this kind. Raises NotOfItsKind, and KeyError for a kind that is not taken."""
    _CHECKS[mime](content)


def check_jpeg(content: Content) -> None:
    """Segment by segment from the start of the image to its end, which must be the last bytes. Raises NotOfItsKind."""
    _require(content[:2] == _START, "it does not begin as a JPEG")
    at, framed, scans = 2, False, 0
    for _ in range(MOST_SEGMENTS):
        marker, end = _segment(content, at)
        if marker == _END:
            _require(framed and scans > 0, "it holds no picture")
            _require(end == len(content), "something stands behind the end of the picture")
            return
        if marker in _FRAMES:
            _require(not framed and _is_frame(content[at + 4 : end]), "its size can't be")
            framed = True
        elif marker == _SCAN:
            scans += 1
            _require(framed and scans <= MOST_SCANS, "it has a scan too many")
            end = _end_of_scan(content, end)
        at = end
    raise NotOfItsKind("it has too many segments")


def jpeg_size(content: Content) -> tuple[int, int]:
    """Width and height, pixels, of what `check_jpeg` passes. Raises NotOfItsKind."""
    at = 2
    for _ in range(MOST_SEGMENTS):
        marker, end = _segment(content, at)
        if marker in _FRAMES:
            return int.from_bytes(content[at + 7 : at + 9], "big"), int.from_bytes(content[at + 5 : at + 7], "big")
        at = end
    raise NotOfItsKind("it holds no picture")


def check_mp4(content: Content) -> None:
    """Box by box: `ftyp` first, `moov` and media among them, and the last one ends with the file. Raises NotOfItsKind."""
    at = 0
    kinds: set[bytes] = set()
    for _ in range(MOST_BOXES):
        if at == len(content):
            _require(b"moov" in kinds and not kinds.isdisjoint({b"mdat", b"moof"}), "it holds no film")
            return
        size, kind = int.from_bytes(content[at : at + 4], "big"), bytes(content[at + 4 : at + 8])
        head = 8
        if size == 1:
            size, head = int.from_bytes(content[at + 8 : at + 16], "big"), 16
        _require((kind == b"ftyp") == (at == 0), "it does not begin as an MP4, once")
        fits = size >= head and at + size <= len(content)
        _require(fits and _BOX_TYPE.fullmatch(kind) is not None, "a box is broken")
        kinds.add(kind)
        at += size
    raise NotOfItsKind("it has too many boxes")


def check_webm(content: Content) -> None:
    """Element by element: the head says WebM, one segment ends with the file, and one VP8 or VP9 stream is in it. Raises NotOfItsKind."""
    walk = _Walk(content)
    elements = walk.elements(0, len(content))
    _require([kind for kind, _, _ in elements] == [_EBML, _SEGMENT], "it is not one head and one film")
    (_, at, end), (_, begin, beyond) = elements
    head = {kind: bytes(content[start:stop]) for kind, start, stop in walk.elements(at, end)}
    _require(head.get(_DOCTYPE) == b"webm", "it does not begin as a WebM")
    parts = walk.elements(begin, beyond)
    for kind, start, stop in parts:
        _require(kind in _IN_SEGMENT, "it holds something beside a film")
        _require(kind != _VOID or not content[start:stop].strip(b"\x00"), "something stands where nothing is to be")
    tracks = [part for part in parts if part[0] == _TRACKS]
    _require(len(tracks) == 1 and _is_video(walk, *tracks[0][1:]), "it does not hold one stream of video")
    pictures = 0
    for kind, start, stop in parts:
        if kind == _CLUSTER:
            inside = walk.elements(start, stop)
            _require(all(each in _IN_CLUSTER for each, _, _ in inside), "it holds something between its pictures")
            pictures += sum(each in {_BLOCK, _BLOCK_GROUP} for each, _, _ in inside)
    _require(pictures > 0, "it holds no picture")


class _Walk:
    """A way through the elements of a film. Those of all levels together are counted: each costs the same, wherever it stands."""

    def __init__(self, content: Content) -> None:
        self.content = content
        self._left = MOST_ELEMENTS

    def elements(self, at: int, end: int) -> list[tuple[int, int, int]]:
        """The elements between two places, which they fill: what each is, and where its content begins and ends."""
        found: list[tuple[int, int, int]] = []
        while at < end:
            kind, start, _ = _number(self.content, at, end, longest=4, marked=True)
            size, start, known = _number(self.content, start, end, longest=8, marked=False)
            _require(known and start + size <= end, "an element is broken")
            _require(self._left > 0, "it has too many elements")
            self._left -= 1
            found.append((kind, start, start + size))
            at = start + size
        return found


def _is_video(walk: _Walk, at: int, end: int) -> bool:
    """Whether the list of streams names one, and that is video of a known kind."""
    streams = walk.elements(at, end)
    if len(streams) != 1 or streams[0][0] != _TRACK:
        return False
    told = {kind: bytes(walk.content[start:stop]) for kind, start, stop in walk.elements(*streams[0][1:])}
    return int.from_bytes(told.get(_TRACK_TYPE, b""), "big") == 1 and told.get(_CODEC) in _CODECS


def _number(content: Content, at: int, end: int, *, longest: int, marked: bool) -> tuple[int, int, bool]:
    """A number of variable length (RFC 8794 §4), where the next byte is, and whether it is known. `marked` leaves its length in it."""
    first = content[at] if at < end else 0
    length = 9 - first.bit_length()
    _require(length <= longest and at + length <= end, "an element is broken")
    value = int.from_bytes(content[at : at + length], "big")
    bits = value & ((1 << 7 * length) - 1)
    return (value if marked else bits), at + length, bits != (1 << 7 * length) - 1


def check_sealed(content: Content) -> None:
    """A header that names X25519 recipients and no passphrase, then chunks as long as chunks are. Raises NotOfItsKind."""
    header = _AGE_HEADER.match(content[:LONGEST_AGE_HEADER_BYTES])
    if header is None:
        raise NotOfItsKind("it does not begin as an age file")
    _require(b"\n-> X25519 " in header[0] and b"\n-> scrypt " not in header[0], "it is not sealed to a public key")
    chunks = len(content) - header.end() - _AGE_NONCE_BYTES
    last = chunks % (_AGE_CHUNK_BYTES + _AGE_TAG_BYTES)
    _require(chunks > _AGE_TAG_BYTES and (last == 0 or last > _AGE_TAG_BYTES), "its last chunk is cut")


def _segment(content: Content, at: int) -> tuple[int, int]:
    """The marker of the segment that begins here, and where it ends."""
    _require(content[at : at + 1] == b"\xff" and at + 2 <= len(content), "a marker is missing")
    marker = content[at + 1]
    if marker == _END:
        return marker, at + 2
    length = int.from_bytes(content[at + 2 : at + 4], "big")
    end = at + 2 + length
    _require(marker not in _WITHOUT_LENGTH and length >= 2 and end <= len(content), "a segment is broken")
    return marker, end


def _end_of_scan(content: Content, at: int) -> int:
    """Where the next marker stands behind the coded picture."""
    following = _MARKER_IN_SCAN.search(content, at)
    if following is None:
        raise NotOfItsKind("a scan has no end")
    return following.start()


def _is_frame(header: bytes) -> bool:
    if len(header) < 6 or len(header) != 6 + 3 * header[5]:
        return False
    height, width = int.from_bytes(header[1:3], "big"), int.from_bytes(header[3:5], "big")
    return 0 < height * width <= LARGEST_PICTURE_PIXELS and header[5] in {1, 3, 4}


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise NotOfItsKind(otherwise)


_CHECKS: dict[str, Callable[[Content], None]] = {
    "image/jpeg": check_jpeg,
    "video/mp4": check_mp4,
    "video/webm": check_webm,
    SEALED_MIME: check_sealed,
}
