"""What can be wrong with a message. All of it is permanent: the same bytes fail again, so nobody retries.

WireError
├── Malformed          no JSON, or not of the shape
├── Oversized          longer than `MAXIMUM_BYTES`
├── WrongVersion       another `v` than this reader knows
└── UnknownTopic       not one of ours
"""


class WireError(ValueError):
    """A message that can't be taken; `reason` is the short, stable word for acknowledgements and counters."""

    reason = "wire"


class Malformed(WireError):
    """No JSON, or JSON of another shape."""

    reason = "malformed"


class Oversized(WireError):
    """Longer than a message may be."""

    reason = "oversized"


class WrongVersion(WireError):
    """Written in a version of the contract that this reader does not know."""

    reason = "wrong_version"


class UnknownTopic(WireError):
    """A topic outside of `gw/1/<district>/<node>/…`."""

    reason = "unknown_topic"
