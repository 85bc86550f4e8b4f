"""Terminals, Modbus gateways and leased lines: what has to agree between them and everything else."""

from pathlib import Path
from typing import Any

import pytest

from edge.configuration.lines import line_incoherences
from edge.configuration.reading import load
from edge.contract.birth import MOST_DEVICES
from edge.errors import ConfigurationError
from edge.node.declaration import sources
from edge.sources.modbus import MOST_GATEWAYS


def register(name: str, gateway: str, unit: int = 1) -> dict[str, Any]:
    return {"id": name, "gateway": gateway, "unit": unit, "points": [{"name": "t", "address": 0}]}


TREE: dict[str, Any] = {
    "local_mqtt": {"url": "mqtt://127.0.0.1"},
    "cameras": [{"id": "cam-1"}],
    "terminals": [{"id": "sos-1", "kind": "sos"}],
    "modbus": [register("smoke-1", "192.0.2.1"), register("smoke-2", "192.0.2.1", 2)],
    "leased_lines": [{"id": "line-1", "carries": ["cam-1", "line-2"]}, {"id": "line-2", "carries": ["smoke-1"]}],
}


def reasons(**parts: Any) -> list[tuple[tuple[str | int, ...], str]]:
    return list(line_incoherences({**TREE, **parts}))


def test_what_fits_together_is_taken() -> None:
    assert reasons() == []


@pytest.mark.parametrize(
    ("parts", "place", "words"),
    [
        ({"local_mqtt": None}, ("terminals",), "`local_mqtt` is missing"),
        ({"leased_lines": [{"id": "l", "carries": ["cam-9"]}]}, ("leased_lines", 0, "carries", 0), "`cam-9`"),
        (
            {"leased_lines": [{"id": "l", "carries": ["cam-1"]}, {"id": "m", "carries": ["cam-1"]}]},
            ("leased_lines", 1, "carries", 0),
            "carried by `l` already",
        ),
        (
            {"leased_lines": [{"id": "l", "carries": ["m"]}, {"id": "m", "carries": ["l"]}]},
            ("leased_lines", 1, "carries", 0),
            "reached over itself",
        ),
        (
            {"modbus": [register("a", "192.0.2.1:502", 3), register("b", "192.0.2.1", 3)], "leased_lines": []},
            ("modbus", 1, "unit"),
            "the device `a` already",
        ),
        (
            {"modbus": [register(f"d{n}", f"192.0.2.1:{n + 1}") for n in range(MOST_GATEWAYS + 3)], "leased_lines": []},
            ("modbus", MOST_GATEWAYS, "gateway"),
            "more than 64 gateways",
        ),
        ({"sensors": [{"id": f"s{n}"} for n in range(MOST_DEVICES - 6)]}, (), "divide them among several nodes"),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(
    parts: dict[str, Any], place: tuple[str | int, ...], words: str
) -> None:
    [(found, reason)] = reasons(**parts)
    assert found == place
    assert words in reason


def test_as_many_devices_as_a_birth_holds_are_taken() -> None:
    assert reasons(sensors=[{"id": f"s{n}"} for n in range(MOST_DEVICES - 7)]) == []


@pytest.mark.parametrize("part", ["terminals", "modbus", "leased_lines"])
@pytest.mark.parametrize("junk", [None, 3, "x", [3], [None], [{}], [{"carries": 3}], [{"carries": [[], 3, {}]}], {}])
def test_parts_of_a_wrong_type_are_left_to_the_validation(part: str, junk: Any) -> None:
    list(line_incoherences({part: junk, "local_mqtt": {}}))


FILE = """
node: {id: station-01, district: "110105", data_directory: data}
cloud: {mqtt: "mqtts://cloud.example", https: "https://cloud.example"}
local_mqtt: {url: "mqtt://127.0.0.1"}
sensors:
  - {id: pile-1, topic: piles/1, points: [{name: t}]}
terminals:
  - {id: kiosk-1, kind: kiosk}
modbus:
  - id: water-1
    kind: water_level
    gateway: 192.0.2.7
    points: [{name: level_mm, address: 3, table: input, type: int16}]
leased_lines:
  - {id: line-1, target: 192.0.2.9, port: 80, carries: [pile-1, water-1]}
"""


def test_a_whole_file_of_them_is_declared_with_what_stands_behind_the_line(tmp_path: Path) -> None:
    file = tmp_path / "node.yaml"
    file.write_text(FILE)
    configuration = load(file)
    declared = {device.id: device for device in sources(configuration)}
    assert {name: device.kind for name, device in declared.items()} == {
        "pile-1": "sensor",
        "kiosk-1": "terminal",
        "water-1": "water_level",
        "line-1": "leased_line",
    }
    assert {name: device.behind for name, device in declared.items()} == {
        "pile-1": "line-1",
        "water-1": "line-1",
        "kiosk-1": None,
        "line-1": None,
    }
    (level,) = declared["water-1"].points
    assert (level.unit, level.minimum, level.maximum, level.period_s) == ("mm", -1_000, 20_000, 10)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("kind: kiosk", "kind: kiosk, paths: {door: x}", "kiosk has no point `door`"),
        ("gateway: 192.0.2.7", "gateway: 192.0.2.7:0", "no address"),
        ("type: int16", "type: int16, bit: 3, unit: mm", "a state has no"),
        ("port: 80", "method: icmp, port: 80", "knows no port"),
        ("id: kiosk-1", "id: line-1", "belongs to another"),
        ("kind: kiosk}", "kind: kiosk, rules: [{kind: state, point: nothing, states: [x]}]}", "nothing"),
    ],
)
def test_mistakes_are_told_in_words(tmp_path: Path, old: str, new: str, words: str) -> None:
    file = tmp_path / "node.yaml"
    assert old in FILE
    file.write_text(FILE.replace(old, new, 1))
    with pytest.raises(ConfigurationError, match=words):
        load(file)
