"""A proposal as a piece of configuration that the node's own reader takes."""

from typing import Any

import pytest
import yaml

from cloud.verdicts.advice import KNOBS, Measure, Side
from cloud.verdicts.patch import Change, fragment
from edge.configuration.candidate import candidates
from edge.contract.incident import Severity
from edge.settings import CameraSettings

CAMERA = CameraSettings.model_validate(
    {
        "id": "gate-camera",
        "url": "rtsp://192.0.2.10/stream1",
        "model": "auto",
        "zones": {"floor": [[0.0, 0.25], [1.0, 0.25], [1.0, 1.0], [0.0, 1.0]]},
        "rules": [{"kind": "intrusion", "zone": "floor"}],
    }
)


def change(**of: Any) -> Change:
    given: dict[str, Any] = {
        "device": "gate-camera",
        "device_kind": "camera",
        "rule": "loitering-floor",
        "kind": "loitering",
        "zone": "floor",
        "point": None,
        "severity": "high",
        "category": "public_order",
        "setting": "limit_s",
        "measure": Measure.DWELL_S,
        "side": Side.ABOVE,
        "threshold": 72.5,
    }
    return Change(**given | of)


@pytest.mark.parametrize("kind", sorted(KNOBS.keys() - {"threshold"}))
def test_a_node_reads_it(kind: str) -> None:
    knob = KNOBS[kind]
    turned = change(kind=knob.becomes or kind, setting=knob.setting, measure=knob.measure, threshold=9.0)
    (camera,) = candidates(fragment(turned), [CAMERA])
    (rule,) = camera.rules
    assert rule.kind == (knob.becomes or kind)
    assert rule.id == "loitering-floor", "it stays the same rule, so that its verdicts go on"
    assert getattr(rule, knob.setting) == 9.0
    assert rule.severity is Severity.HIGH


def test_a_limit_on_a_reading() -> None:
    turned = change(
        device="pile-01",
        device_kind="charging_pile",
        kind="threshold",
        zone=None,
        point="temperature_c",
        setting="above",
        measure=Measure.VALUE,
        side=Side.BELOW,
        threshold=-3.0,
    )
    (rule,) = yaml.safe_load(fragment(turned))["rules"]
    assert (rule["below"], rule["point"], "above" in rule, "zone" in rule) == (-3, "temperature_c", False, False)


def test_hostile_names_stay_words() -> None:
    turned = change(rule="x: {y}", zone="a\nb: c", device_kind="sensor")
    (rule,) = yaml.safe_load(fragment(turned))["rules"]
    assert (rule["id"], rule["zone"]) == ("x: {y}", "a\nb: c")
