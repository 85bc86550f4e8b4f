"""Zones and rules tried from afar (规则试算): what is asked with the command `rules_try`. What comes back is what
`gridward-edge rules try --json` prints.
"""

from typing import Annotated, Final

from msgspec import Meta, Struct

LARGEST_ZONES_CHARACTERS: Final = 32 * 1024
SPAN_PATTERN: Final = r"^[0-9A-Za-z:.+-]{1,40}$(?!\n)"


class RulesTryArguments(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Zones, lines and rules of the command's device in the words of the configuration (None: as they are), and from when to when:
    a length such as 7d, 12h or 30m back from the newest that is remembered, or a time. With `background` the newest masked
    picture of the camera's background comes along.
    """

    zones: Annotated[str, Meta(max_length=LARGEST_ZONES_CHARACTERS)] | None = None
    since: Annotated[str, Meta(pattern=SPAN_PATTERN)] = "7d"
    until: Annotated[str, Meta(pattern=SPAN_PATTERN)] | None = None
    background: bool = False
