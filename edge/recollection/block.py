"""What is remembered of one camera over a minute or so, and how it stands on the disk. Pure.

A block can be read without any other: ways go on in the next one with the point with which they left this one. Times are milliseconds,
most of them differences; the numbers are packed (MessagePack) and deflated, and a checksum stands before them.
"""

import zlib
from typing import Final

import msgspec

VERSION: Final = 1
MAGIC: Final = b"GWM1"
LARGEST_BLOCK_BYTES: Final = 8 << 20
_LARGEST_PLAIN_BYTES: Final = 64 << 20
_LEVEL: Final = 6


class Watched(msgspec.Struct, frozen=True, array_like=True):
    """What was looked for at all: with which model (None: without one), and whether for motion, things left behind, trouble, and what stays
    at its place.
    """

    model: str | None
    motion: bool
    objects: bool
    troubles: bool
    places: bool = False


class Way(msgspec.Struct, frozen=True, array_like=True):
    """One followed thing in this block. `shown_ms` is the first look in which it counted, after `from_ms` of the block (negative:
    before it), `first_ms` its first sight, since 1970; `peak` in thousandths.
    """

    track_id: int
    label: str
    first_ms: int
    shown_ms: int | None
    peak: int
    points: tuple[int, ...]


class Ending(msgspec.Struct, frozen=True, array_like=True):
    """A followed thing is gone: told of at the look number `moment`, last seen `last_ms` after the block's beginning."""

    moment: int
    track_id: int
    last_ms: int
    edges: tuple[int, int, int, int]


class Trouble(msgspec.Struct, frozen=True, array_like=True):
    """From the look number `moment` on: what is wrong with the picture, None where nobody looks."""

    moment: int
    names: tuple[str, ...] | None


class Thing(msgspec.Struct, frozen=True, array_like=True):
    """Something that stands still; `since_ms` since 1970."""

    number: int
    edges: tuple[int, int, int, int]
    since_ms: int


class Things(msgspec.Struct, frozen=True, array_like=True):
    """From the look number `moment` on: what has been left behind."""

    moment: int
    things: tuple[Thing, ...]


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """Something that a look saw, for rules on places; `score` in thousandths."""

    label: str
    edges: tuple[int, int, int, int]
    score: int


class Looked(msgspec.Struct, frozen=True, array_like=True):
    """At the look number `moment` the detector has looked, at a part of the picture or (None) at all of it: what it saw."""

    moment: int
    region: tuple[int, int, int, int] | None
    seen: tuple[Seen, ...]


class Told(msgspec.Struct, frozen=True, array_like=True):
    """The beginning or the end of an incident, as it was told then; times since 1970. `background` is the hash of the newest
    picture of the camera's background.
    """

    key: str
    rule: str
    kind: str
    severity: str
    ended: bool
    at_ms: int
    started_ms: int
    ended_ms: int | None = None
    dwell_s: float | None = None
    zone: str | None = None
    direction: str | None = None
    count: int | None = None
    point: str | None = None
    background: str | None = None


class Block(msgspec.Struct, frozen=True, array_like=True):
    """Looks at one camera without a hole. `process` and `run` (since 1970) say which start of the node and which unbroken watch
    it belongs to, `number` which block of the watch it is, so that a missing one is seen.

    `moments` holds for each look twice its distance from the one before, plus 1 where somebody looked for things left
    behind; looks at which nothing was different and nothing followed are kept now and then only. `ended`: the watch was
    ended in order here. `correction_ms` has to be added to all times.
    """

    version: int
    camera: str
    process: int
    run: int
    number: int
    watched: Watched
    from_ms: int
    to_ms: int
    correction_ms: int
    moments: tuple[int, ...]
    ways: tuple[Way, ...]
    endings: tuple[Ending, ...]
    troubles: tuple[Trouble, ...]
    things: tuple[Things, ...]
    told: tuple[Told, ...]
    ended: bool
    looks: tuple[Looked, ...] = ()


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Block)


def deflated(block: Block) -> bytes:
    """As it is kept."""
    return zlib.compress(_ENCODER.encode(block), _LEVEL)


def inflated(content: bytes) -> Block:
    """The block again. Raises ValueError for anything else, and for more than a node can have written."""
    inflater = zlib.decompressobj()
    try:
        plain = inflater.decompress(content, _LARGEST_PLAIN_BYTES)
        if inflater.unconsumed_tail or not inflater.eof:
            raise ValueError("not a whole block")
        block = _DECODER.decode(plain)
    except (zlib.error, msgspec.DecodeError) as error:
        raise ValueError(f"not a block: {error}") from error
    if block.version != VERSION:
        raise ValueError(f"a block of version {block.version}")
    return block
