"""Zones and rules tried from afar (规则试算): what is asked with the command `rules_try`. What comes back is what
`gridward-edge rules try --json` prints.
"""

from typing import Annotated

from msgspec import Meta, Struct

LARGEST_ZONES_CHARACTERS = 64 * 1024


class RulesTryArguments(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Zones, lines and rules of the command's device in the words of the configuration (None: as they are), and from when to when:
    a length such as 7d, 12h or 30m back from the newest that is remembered, or a time.
    """

    zones: Annotated[str, Meta(max_length=LARGEST_ZONES_CHARACTERS)] | None = None
    since: Annotated[str, Meta(min_length=1, max_length=40)] = "7d"
    until: Annotated[str, Meta(min_length=1, max_length=40)] | None = None
