import pytest

from edge.errors import ConfigurationError
from edge.rules.abandoned_object import AbandonedObjectRule
from edge.rules.camera_trouble import CameraTroubleRule
from edge.rules.crowd import CrowdRule
from edge.rules.folding import FoldingRule
from edge.rules.identity import rule_id
from edge.rules.intrusion import IntrusionRule
from edge.rules.line_crossing import LineCrossingRule
from edge.rules.loitering import LoiteringRule
from edge.rules.registry import reading_rule, scene_rule
from edge.rules.standing_matter import StandingMatterRule
from edge.rules.threshold import ThresholdRule
from edge.rules.vehicle_dwell import VehicleDwellRule
from edge.settings import (
    AbandonedObjectSettings,
    BinOverflowSettings,
    CameraSettings,
    CameraTroubleSettings,
    CrowdSettings,
    FallenPersonSettings,
    IntrusionSettings,
    LineCrossingSettings,
    LitterSettings,
    LoiteringSettings,
    SceneRuleSettings,
    SensorSettings,
    ThresholdSettings,
    TwoWheelerSettings,
    VehicleDwellSettings,
)

ZONE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))
CAMERA = CameraSettings(id="c", url="c.mp4", zones={"floor": ZONE}, lines={"door": ZONE[:2]})
SENSOR = SensorSettings.model_validate(
    {"id": "s", "topic": "t", "points": [{"name": "cable_c", "unit": "°C"}, {"name": "door", "kind": "state"}]}
)


def test_each_kind_makes_its_rule() -> None:
    made: tuple[tuple[SceneRuleSettings, type[object]], ...] = (
        (IntrusionSettings(kind="intrusion", zone="floor"), IntrusionRule),
        (LoiteringSettings(kind="loitering", zone="floor", limit_s=9), LoiteringRule),
        (LineCrossingSettings(kind="line_crossing", line="door"), LineCrossingRule),
        (CrowdSettings(kind="crowd", zone="floor", at_least=5), CrowdRule),
        (VehicleDwellSettings(kind="vehicle_dwell", zone="floor", limit_s=60), VehicleDwellRule),
        (TwoWheelerSettings(kind="two_wheeler", zone="floor"), IntrusionRule),
        (AbandonedObjectSettings(kind="abandoned_object", zone="floor"), AbandonedObjectRule),
        (BinOverflowSettings(kind="bin_overflow", zone="floor"), StandingMatterRule),
        (LitterSettings(kind="litter", zone="floor"), StandingMatterRule),
        (FallenPersonSettings(kind="fallen_person", zone="floor"), StandingMatterRule),
        (CameraTroubleSettings(kind="camera_trouble"), CameraTroubleRule),
    )
    for scene_settings, kind in made:
        folding = scene_rule(scene_settings, CAMERA)
        assert isinstance(folding, FoldingRule)
        assert isinstance(folding.rule, kind)
    settings = ThresholdSettings(kind="threshold", point="cable_c", above=60)
    assert isinstance(reading_rule(settings, SENSOR), ThresholdRule)


def test_an_unknown_zone_stops_the_start_and_names_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match=r"`yard`.*floor"):
        scene_rule(IntrusionSettings(kind="intrusion", zone="yard"), CAMERA)


def test_an_unknown_line_stops_the_start_and_names_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match=r"line `gate`.*door"):
        scene_rule(LineCrossingSettings(kind="line_crossing", line="gate"), CAMERA)


@pytest.mark.parametrize("point", ["door", "nothing"])
def test_a_threshold_needs_a_numeric_point(point: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"`{point}`.*cable_c"):
        reading_rule(ThresholdSettings(kind="threshold", point=point, above=60), SENSOR)


def test_a_rule_without_an_id_is_called_by_its_kind_and_subject() -> None:
    assert rule_id(IntrusionSettings(kind="intrusion", zone="floor")) == "intrusion-floor"
    assert rule_id(LineCrossingSettings(kind="line_crossing", line="door")) == "line_crossing-door"
    assert rule_id(CameraTroubleSettings(kind="camera_trouble")) == "camera_trouble"
    assert rule_id(ThresholdSettings(kind="threshold", point="cable_c", above=1)) == "threshold-cable_c"
    assert rule_id(ThresholdSettings(kind="threshold", id="hot", point="cable_c", above=1)) == "hot"
