from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from edge.configuration.profiles import PROFILE_KINDS, forbidden, kinds_named, merge_profiles
from edge.configuration.reading import data_directory_in, examine_text
from firmware_configs.profile import Profile
from tests.edge.configuration.test_reading import MINIMAL
from tests.firmware_configs.keys import profile_bytes


class Given:
    """Profiles by kind, as a test says them."""

    def __init__(self, **settings: Mapping[str, Any]) -> None:
        self._profiles = {kind: Profile.parse(profile_bytes(kind, **each)) for kind, each in settings.items()}

    def profile(self, kind: str) -> Profile | None:
        return self._profiles.get(kind)


METER = """
local_mqtt: {url: "mqtt://127.0.0.1:1883"}
sensors:
  - id: meter-1
    profile: power_meter
    topic: meters/1
"""
POINTS = {"points": [{"name": "power_w", "unit": "W", "period_s": 5}]}


def read(text: str, source: Given, folder: Path) -> tuple[Any, list[str]]:
    configuration, mistakes = examine_text(MINIMAL + text, folder=folder, profiles=source)
    return configuration, [f"{each.line}: {each.where}: {each.reason}" for each in mistakes]


def test_what_an_entry_does_not_say_its_profile_says(tmp_path: Path) -> None:
    configuration, mistakes = read(METER, Given(power_meter={**POINTS, "kind": "meter"}), tmp_path)
    assert mistakes == []
    sensor = configuration.sensors[0]
    assert (sensor.profile, sensor.kind, sensor.points[0].name) == ("power_meter", "meter", "power_w")


def test_the_entrys_own_keys_win_and_a_list_is_one_value(tmp_path: Path) -> None:
    own = METER + "    kind: own\n    points: [{name: current_a}]\n"
    configuration, mistakes = read(own, Given(power_meter={**POINTS, "kind": "meter"}), tmp_path)
    assert mistakes == []
    assert (configuration.sensors[0].kind, [p.name for p in configuration.sensors[0].points]) == ("own", ["current_a"])


def test_a_mistake_of_a_profile_is_told_in_the_line_that_names_it(tmp_path: Path) -> None:
    broken = Given(power_meter={"points": [{"name": "power_w", "period_s": -1}], "colour": "red"})
    _, mistakes = read(METER, broken, tmp_path)
    line = (MINIMAL + METER)[: (MINIMAL + METER).index("profile:")].count("\n") + 1
    assert all(each.startswith(f"{line}: sensors[0]") for each in mistakes)
    assert all(each.endswith("(from the profile power_meter 1.0.0)") for each in mistakes)
    assert len(mistakes) == 2


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("toaster", "there is no kind of profile `toaster`"),
        ("rtsp_camera", "is no profile for what stands here"),
        ("water_sensor", "no version of the profile `water_sensor`"),
        ("node", "is no profile for what stands here"),
    ],
)
def test_a_profile_that_can_not_be_had_is_a_mistake(tmp_path: Path, kind: str, reason: str) -> None:
    configuration, mistakes = read(METER.replace("power_meter", kind), Given(power_meter=POINTS), tmp_path)
    assert configuration is None
    assert any(reason in each for each in mistakes)


def test_the_nodes_own_profile_stands_under_the_whole_file(tmp_path: Path) -> None:
    text = MINIMAL.replace("node:\n", "node:\n  profile: node\n", 1) + "outbox: {quota_mib: 16}\n"
    source = Given(node={"outbox": {"quota_mib": 64, "incident_reserve_mib": 5}, "memory": {"quota_mib": 0}})
    configuration, mistakes = examine_text(text, folder=tmp_path, profiles=source)
    assert mistakes == []
    assert configuration is not None
    assert (configuration.outbox.quota_mib, configuration.outbox.incident_reserve_mib) == (16, 5)
    assert configuration.memory.quota_mib == 0


def test_what_a_profile_may_not_say_is_told() -> None:
    def reasons(kind: str, **settings: Any) -> list[str]:
        return [".".join(map(str, place)) for place, _ in forbidden(Profile.parse(profile_bytes(kind, **settings)))]

    assert reasons("rtsp_camera", url="rtsp://evil", password_file="/etc/shadow", analysis_hz=5) == [
        "url",
        "password_file",
    ]
    assert reasons("node", cloud={"mqtt": "mqtt://evil"}, node={"id": "x", "wall_cameras": 1}) == ["cloud", "node.id"]
    assert reasons("node", outbox={"quota_mib": 5}) == []
    assert reasons("toaster") == [""]


def test_where_a_node_keeps_what_it_was_given_is_found_in_a_file_with_mistakes(tmp_path: Path) -> None:
    file = tmp_path / "node.yaml"
    file.write_text("node: {data_directory: ./data}\nnonsense: true\n")
    assert data_directory_in(file) == tmp_path / "data"
    file.write_text("node: [")
    assert data_directory_in(file) is None
    assert data_directory_in(tmp_path / "none.yaml") is None


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda part: (
        st.lists(part, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "rules", "kind"]), part, max_size=3)
    ),
    max_leaves=8,
)
ENTRIES = st.dictionaries(st.sampled_from(["a", "b", "rules", "kind"]), TREES, max_size=4)


def below(own: Any, effective: Any) -> bool:
    """Whether everything that was said still holds."""
    if isinstance(own, dict):
        return isinstance(effective, dict) and all(below(value, effective.get(key)) for key, value in own.items())
    return bool(own == effective)


@given(ENTRIES, ENTRIES)
def test_whatever_stands_in_both_what_an_entry_says_holds(entry: dict[str, Any], settings: dict[str, Any]) -> None:
    tree = {"sensors": [{**yaml.safe_load(yaml.safe_dump(entry)), "profile": "power_meter"}]}
    result = merge_profiles(tree, Given(power_meter=settings))
    merged = tree["sensors"][0]
    assert result.mistakes == []
    assert below({**entry, "profile": "power_meter"}, merged)
    assert set(merged) == {*entry, *settings, "profile"}
    assert merge_profiles(tree, Given(power_meter=settings)).origins == {}  # filled once, there is nothing to fill


@given(TREES)
def test_whatever_the_file_holds_merging_does_not_stumble(tree: Any) -> None:
    for place in ("cameras", "sensors", "node", "ocpp"):
        merge_profiles({place: tree}, Given())
        merge_profiles({place: [tree, {"profile": tree}]}, Given())
        kinds_named({place: {"piles": [tree, {"profile": tree}]}})


def test_every_kind_has_its_place() -> None:
    assert {
        "rtsp_camera", "gb28181_camera", "ocpp16_pile", "ykc_pile", "ebike_pile", "sos_terminal", "gate_terminal",
        "smoke_sensor", "water_sensor", "power_meter", "node",
    } <= set(PROFILE_KINDS)  # fmt: skip
