"""A proposal as a piece of configuration (配置草案): what `gridward-edge rules try` and the cloud's rules-try take as it is. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from cloud.verdicts.advice import Measure, Side
from edge.contract.birth import DeviceKind

UNTOLD: Final = "classes, schedule, fold_s, cooldown_s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A rule with the setting that is proposed; what of it its incidents tell."""

    device: str
    device_kind: str | None
    rule: str
    kind: str
    zone: str | None
    point: str | None
    severity: str
    category: str
    setting: str
    measure: Measure
    side: Side
    threshold: float


def fragment(change: Change) -> str:
    """YAML. Of the rule only that is known which its incidents tell: the rest has to be taken over from the configuration by hand."""
    rule: dict[str, Any] = {"kind": str(change.kind), "id": change.rule}
    if change.zone is not None:
        rule["zone"] = change.zone
    if change.point is not None and change.measure is Measure.VALUE:
        rule["point"] = change.point
    rule[setting_of(change.setting, change.side)] = _number(change.threshold, change.measure)
    rule |= {"severity": change.severity, "category": change.category}
    notes = [
        f"# Changes {setting_of(change.setting, change.side)} of the rule `{change.rule}` of {change.device}.",
        f"# Incidents do not tell {UNTOLD}, nor the other rules of the device:",
        "# take those over from its configuration.",
    ]
    if change.device_kind == DeviceKind.CAMERA:
        return "\n".join([*notes, _yaml({"cameras": [{"id": change.device, "rules": [rule]}]})])
    return "\n".join([*notes, _yaml({"rules": [rule]})])


def setting_of(setting: str, side: Side) -> str:
    """What the setting is called: a limit on a reading has its side for a name."""
    return side.value if setting == Side.ABOVE.value else setting


def _number(threshold: float, measure: Measure) -> int | float:
    return int(threshold) if measure is Measure.COUNT or threshold == int(threshold) else threshold


def _yaml(value: Mapping[str, Any]) -> str:
    text: str = yaml.safe_dump(dict(value), sort_keys=False, allow_unicode=True, default_flow_style=None)
    return text
