"""The frames of OCPP-J 1.6 §4: calls, results and errors in JSON. Pure.

Read strictly in form, so that nothing odd reaches the rest, and leniently in content: what a vendor adds or calls otherwise is no
reason to refuse a message that may tell of a fire.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import msgspec

LONGEST_ID: Final = 64
"""Characters of a message's id; the standard has 36."""

LONGEST_ACTION: Final = 64
LONGEST_WORDS: Final = 255
DEEPEST: Final = 12
"""Lists and objects within each other; a StopTransaction with its meter values has five."""


class Flaw(StrEnum):
    """Why a frame can't be read."""

    BINARY = "binary"
    MALFORMED = "malformed"
    NO_FRAME = "no_frame"
    """JSON, and none of the three kinds."""
    BAD_ID = "bad_id"
    TOO_DEEP = "too_deep"


class BadFrame(Exception):
    """What came is no frame. `message_id` where it was a call that can still be answered."""

    def __init__(self, flaw: Flaw, message_id: str | int | None = None) -> None:
        super().__init__(flaw.value)
        self.flaw = flaw
        self.message_id = message_id


MessageId = str | int
"""Text in the standard; some stations count."""


@dataclass(frozen=True, slots=True)
class Call:
    """The station asks."""

    message_id: MessageId
    action: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CallResult:
    """The station answers."""

    message_id: MessageId
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CallError:
    """The station answers that it can't or won't."""

    message_id: MessageId
    code: str
    description: str


Frame = Call | CallResult | CallError


class ErrorCode(StrEnum):
    """How a call is refused (OCPP-J 1.6 §4.2.3)."""

    NOT_IMPLEMENTED = "NotImplemented"
    NOT_SUPPORTED = "NotSupported"
    INTERNAL_ERROR = "InternalError"
    """Here: not kept, for want of room. The station keeps it and comes again."""
    FORMATION_VIOLATION = "FormationViolation"
    PROPERTY_CONSTRAINT_VIOLATION = "PropertyConstraintViolation"
    GENERIC_ERROR = "GenericError"


def decode(message: str | bytes) -> Frame:
    """Read a frame. Raises BadFrame, and nothing else whatever comes."""
    if isinstance(message, bytes):
        raise BadFrame(Flaw.BINARY)
    try:
        parts = msgspec.json.decode(message)
    except (msgspec.DecodeError, UnicodeError, RecursionError, ValueError) as error:
        raise BadFrame(Flaw.MALFORMED) from error
    if not isinstance(parts, list) or not 3 <= len(parts) <= 5:
        raise BadFrame(Flaw.NO_FRAME)
    kind, message_id = parts[0], _message_id(parts[1])
    if _is_deeper(parts, DEEPEST):
        raise BadFrame(Flaw.TOO_DEEP, message_id if kind == _CALL else None)
    match kind, parts[2:]:
        case (2, [str() as action, dict() as payload]) if 0 < len(action) <= LONGEST_ACTION and kind is not True:
            return Call(message_id, action, payload)
        case (3, [dict() as payload]):
            return CallResult(message_id, payload)
        case (4, [str() as code, *rest]):
            words = rest[0] if rest and isinstance(rest[0], str) else ""
            return CallError(message_id, code[:LONGEST_WORDS], words[:LONGEST_WORDS])
    raise BadFrame(Flaw.NO_FRAME, message_id if kind == _CALL else None)


def result(call: Call, payload: dict[str, Any]) -> str:
    """The answer to a call."""
    return _encode([3, call.message_id, payload])


def error(message_id: MessageId, code: ErrorCode, description: str) -> str:
    """The refusal of a call."""
    return _encode([4, message_id, code.value, description[:LONGEST_WORDS], {}])


_CALL: Final = 2


def _encode(parts: list[Any]) -> str:
    return msgspec.json.encode(parts).decode()


def _message_id(value: Any) -> MessageId:
    if isinstance(value, str) and 0 < len(value) <= LONGEST_ID:
        return value
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63:
        return value
    raise BadFrame(Flaw.BAD_ID)


def _is_deeper(value: Any, levels: int) -> bool:
    layer = [value]
    for _ in range(levels):
        layer = [part for each in layer for part in _parts(each)]
        if not layer:
            return False
    return True


def _parts(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
