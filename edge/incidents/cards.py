"""What an incident says of the rule that found it (规则凭据), so that a judgement can be told from one under other settings."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from edge.contract.incident import RuleReference
from edge.rules.identity import rule_id, subject
from edge.rules.registry import points_of
from edge.settings import (
    CameraSettings,
    CameraTroubleSettings,
    CompositeSettings,
    DeviceSettings,
    EventSettings,
    LineCrossingSettings,
    NodeConfiguration,
    ReadingRuleSettings,
    SceneRuleSettings,
)

RULE_VERSION = "1"


@dataclass(frozen=True, slots=True)
class RuleCard:
    """What an incident says of the rule that found it and of the place where. `resumes`: the rule goes on with what was open
    before a restart (a value is beyond its limit or it is not); a track of a camera can't come back.
    """

    reference: RuleReference
    spot: str | None
    simulated: bool
    resumes: bool


RuleCards = Mapping[tuple[str, str], RuleCard]
"""(device, rule id) → card."""


def rule_cards(configuration: NodeConfiguration) -> RuleCards:
    """The cards of all configured rules."""
    cards: dict[tuple[str, str], RuleCard] = {}
    for camera in configuration.cameras:
        for rule in camera.rules:
            cards[camera.id, rule_id(rule)] = RuleCard(
                _reference(rule, _place(rule, camera)), camera.spot, camera.simulated, resumes=False
            )
    for device in configuration.devices:
        for standing in device.standing_rules:
            points = [point.model_dump(mode="json") for point in points_of(standing, device)]
            stands_on = {"points": points} if subject(standing) is None else {"point": next(iter(points), None)}
            cards[device.id, rule_id(standing)] = RuleCard(
                _reference(standing, stands_on),
                device.spot,
                device.simulated,
                resumes=not isinstance(standing, EventSettings),
            )
    for composite in configuration.composites:
        members: tuple[DeviceSettings | CameraSettings, ...] = (*configuration.devices, *configuration.cameras)
        for member in members:
            reference = _reference(composite, {})
            cards[member.id, composite.id] = RuleCard(reference, member.spot, member.simulated, resumes=True)
    return cards


def _place(rule: SceneRuleSettings, camera: CameraSettings) -> Mapping[str, object]:
    """What the rule stands on in the camera's picture."""
    if isinstance(rule, LineCrossingSettings):
        return {"line": camera.lines.get(rule.line)}
    if isinstance(rule, CameraTroubleSettings):
        return {}
    return {"zone": camera.zones.get(rule.zone)}


def _reference(
    rule: SceneRuleSettings | ReadingRuleSettings | CompositeSettings, setting: Mapping[str, object]
) -> RuleReference:
    """Name, version and the hash of the canonical configuration: the rule's own and that of what it stands on."""
    canonical = json.dumps(
        {"rule": rule.model_dump(mode="json"), **setting}, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    name = rule.id if isinstance(rule, CompositeSettings) else rule_id(rule)
    return RuleReference(id=name, version=RULE_VERSION, sha256=digest)
