"""What of an incident can be believed and kept: times that can be, text that a column takes. Pure."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from edge.contract.incident import Incident

_FUTURE: Final = timedelta(minutes=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def believable_form(incident: Incident, received_at: datetime) -> Incident:
    """The incident without times beyond now or before 1970, and without characters that no text column takes.

    One node's wrong clock must not stretch a case into the future, where it would swallow all that comes; and an offset at
    either end of the calendar makes a time that can be written but never read again. The raw bytes keep what was said.
    """

    def believable(instant: datetime) -> datetime:
        return max(_EPOCH, min(instant, received_at + _FUTURE))

    words = {name: getattr(incident, name) for name in ("unit", "note", "raw_code")}
    return msgspec.structs.replace(
        incident,
        started_at=believable(incident.started_at),
        updated_at=believable(incident.updated_at),
        ended_at=believable(incident.ended_at) if incident.ended_at is not None else None,
        evidence=tuple(
            msgspec.structs.replace(file, captured_at=believable(file.captured_at)) for file in incident.evidence
        ),
        views=tuple(
            view
            if view.captured_at is None
            else msgspec.structs.replace(view, captured_at=believable(view.captured_at))
            for view in incident.views
        ),
        model=_cleaned(incident.model),
        rule=_cleaned(incident.rule),
        **{name: value.replace("\x00", "\ufffd") if value is not None else None for name, value in words.items()},
    )


def _cleaned(reference: Any) -> Any:
    if reference is None:
        return None
    return msgspec.structs.replace(reference, version=reference.version.replace("\x00", "\ufffd"))
