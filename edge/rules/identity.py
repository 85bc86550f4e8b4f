"""What a rule is called. Pure."""

from edge.settings import (
    CameraTroubleSettings,
    LineCrossingSettings,
    ReadingRuleSettings,
    SceneRuleSettings,
    ThresholdSettings,
)


def rule_id(settings: SceneRuleSettings | ReadingRuleSettings) -> str:
    """The rule's configured id, or its kind and its zone, line or point."""
    if settings.id is not None:
        return settings.id
    name = subject(settings)
    return settings.kind if name is None else f"{settings.kind}-{name}"


def subject(settings: SceneRuleSettings | ReadingRuleSettings) -> str | None:
    """What the rule looks at: the name of a zone, a line or a point; None for the whole picture."""
    match settings:
        case ThresholdSettings():
            return settings.point
        case LineCrossingSettings():
            return settings.line
        case CameraTroubleSettings():
            return None
        case _:
            return settings.zone
