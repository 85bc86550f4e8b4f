"""What a rule is called. Pure."""

from edge.settings import IntrusionSettings, LoiteringSettings, ThresholdSettings


def rule_id(settings: IntrusionSettings | LoiteringSettings | ThresholdSettings) -> str:
    """The rule's configured id, or its kind and its zone or point."""
    if settings.id is not None:
        return settings.id
    subject = settings.point if isinstance(settings, ThresholdSettings) else settings.zone
    return f"{settings.kind}-{subject}"
