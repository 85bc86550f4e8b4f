"""What a rule is called. Pure."""

from edge.settings import LineCrossingSettings, SceneRuleSettings, ThresholdSettings


def rule_id(settings: SceneRuleSettings | ThresholdSettings) -> str:
    """The rule's configured id, or its kind and its zone, line or point."""
    return settings.id if settings.id is not None else f"{settings.kind}-{subject(settings)}"


def subject(settings: SceneRuleSettings | ThresholdSettings) -> str:
    """What the rule looks at: the name of a zone, a line or a point."""
    match settings:
        case ThresholdSettings():
            return settings.point
        case LineCrossingSettings():
            return settings.line
        case _:
            return settings.zone
