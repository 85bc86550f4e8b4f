"""What a mistake in the sections of piles is called."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from edge.configuration.reading import examine_text

ACTING_PILE = {"id": "a", "number": "1" * 14, "allow_stop": True}
HOT = {"kind": "threshold", "point": "temperature_c.1", "above": 85, "act": "stop_charge"}


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"ykc": {"networks": ["office"]}}, "`office` is no network such as 10.20.0.0/16"),
        ({"ykc": {"host": "a b"}}, "`a b` is no name or address of a host"),
        ({"ykc": {"piles": [{"id": "a", "number": "12345678901234x"}]}}, "14 digits are needed"),
        ({"ykc": {"piles": [{"id": "a", "number": "1" * 14, "guns": 13}]}}, "at most 12"),
        (
            {"ykc": {"piles": [{"id": "a", "number": "1" * 14}, {"id": "b", "number": "1" * 14}]}},
            f"more than one pile has the number {'1' * 14}",
        ),
        (
            {"ykc": {"piles": [{"id": "a", "number": "1" * 14}] * 2}},
            "the id `a` belongs to another ykc already",
        ),
        ({"ebike": {"piles": [{"id": "a", "topics": ["a/#"], "map": "shedwatt"}]}}, "a topic has no wildcards here"),
        (
            {"ebike": {"piles": [{"id": "a", "topics": ["a"], "map": "nobody"}]}},
            "no map is called nobody; there are shedwatt, plugrow",
        ),
        (
            {"ebike": {"piles": [{"id": "a", "topics": ["a"], "map": "shedwatt", "sockets": 32}]}},
            "32 sockets have 323 points with this map, a device has 200 at most",
        ),
        (
            {"ykc": {"piles": [{**ACTING_PILE, "rules": [{**HOT, "cooldown_s": 600}]}]}},
            "has `cooldown_s`: what is held back, or joins what was told already, would stop nothing",
        ),
        (
            {"ykc": {"piles": [{**ACTING_PILE, "rules": [{**HOT, "schedule": [{"start": "08:00", "end": "20:00"}]}]}]}},
            "has `schedule`: what is held back, or joins what was told already, would stop nothing",
        ),
        (
            {
                "ykc": {
                    "piles": [{**ACTING_PILE, "rules": [{"kind": "device_fault", "act": "stop_charge", "fold_s": 60}]}]
                }
            },
            "has `fold_s`: what is held back, or joins what was told already, would stop nothing",
        ),
    ],
)
def test_mistakes_are_named(tmp_path: Path, part: dict[str, Any], words: str) -> None:
    tree = {
        "node": {"id": "station-01", "district": "110105", "data_directory": "data"},
        "cloud": {"mqtt": "mqtt://127.0.0.1", "https": "http://127.0.0.1"},
        "local_mqtt": {"url": "mqtt://127.0.0.1"},
        **part,
    }
    _, mistakes = examine_text(yaml.safe_dump(tree), folder=tmp_path)
    assert any(words in str(mistake) for mistake in mistakes), [str(each) for each in mistakes]
