"""Pages by key: an opaque cursor carries the sort key of the last row, so that no row is skipped or told twice."""

import base64
import binascii
import json
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Query

from cloud.errors import Invalid

LARGEST_ID = 2**63 - 1
_LONGEST_CURSOR = 400
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Limit = Annotated[int, Query(ge=1, le=200, description="Rows on a page")]
After = Annotated[str | None, Query(max_length=_LONGEST_CURSOR, description="`next` of the page before")]


def encode_cursor(*key: str | int) -> str:
    """A sort key as an opaque word for an address."""
    text = json.dumps(key, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def decode_cursor(cursor: str, *types: type[str] | type[int]) -> tuple[str | int, ...]:
    """The sort key of `encode_cursor`, with values of these types. Raises Invalid for anything else."""
    if len(cursor) > _LONGEST_CURSOR:
        raise Invalid("this is no cursor of ours")
    try:
        key = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError) as error:
        raise Invalid("this is no cursor of ours") from error
    if not isinstance(key, list) or len(key) != len(types):
        raise Invalid("this is no cursor of ours")
    for value, kind in zip(key, types, strict=True):
        if type(value) is not kind or (isinstance(value, int) and abs(value) > LARGEST_ID):
            raise Invalid("this is no cursor of ours")
        if isinstance(value, str) and not value.isprintable():  # NUL and lone surrogates go into no statement
            raise Invalid("this is no cursor of ours")
    return tuple(key)


def decode_id(cursor: str | None) -> int | None:
    """The id in a cursor of one number; None without a cursor. Raises Invalid."""
    if cursor is None:
        return None
    (value,) = decode_cursor(cursor, int)
    return int(value)


def encode_due(due_at: datetime, clock_id: int) -> str:
    """The place of a clock among those that are due one after another."""
    return encode_cursor((due_at - _EPOCH) // timedelta(microseconds=1), clock_id)


def decode_due(cursor: str | None) -> tuple[datetime, int] | None:
    """When the clock in a cursor of `encode_due` is due, and its id; None without a cursor. Raises Invalid."""
    if cursor is None:
        return None
    at_us, clock_id = (int(value) for value in decode_cursor(cursor, int, int))
    try:
        return _EPOCH + timedelta(microseconds=at_us), clock_id
    except OverflowError:
        raise Invalid("this is no cursor of ours") from None
