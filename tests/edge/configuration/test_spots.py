"""Spots, the cameras that show them, and the devices that stand there."""

from typing import Any

import pytest

from edge.configuration.spots import spot_incoherences
from edge.settings import SpotCameraSettings, SpotSettings

TREE: dict[str, Any] = {
    "cameras": [{"id": "cam-1", "spot": "shed", "zones": {"lane": []}}, {"id": "cam-2"}],
    "sensors": [{"id": "pile-1", "spot": "shed"}],
    "spots": [{"id": "shed", "cameras": ["cam-2", {"camera": "cam-1", "zones": ["lane"]}]}],
}


def reasons(**parts: Any) -> list[tuple[tuple[str | int, ...], str]]:
    return list(spot_incoherences({**TREE, **parts}))


def test_what_fits_together_is_taken_and_without_spots_any_name_is_a_place() -> None:
    assert reasons() == []
    assert reasons(spots=[]) == []
    assert reasons(spots=None, sensors=[{"id": "pile-1", "spot": "anywhere"}]) == []


@pytest.mark.parametrize(
    ("parts", "place", "words"),
    [
        ({"spots": [{"id": "shed"}, {"id": "shed"}]}, ("spots", 1, "id"), "is there already"),
        ({"spots": [{"id": "shed", "cameras": ["cam-9"]}]}, ("spots", 0, "cameras", 0), "possible: cam-1, cam-2"),
        (
            {"spots": [{"id": "shed", "cameras": ["cam-1", {"camera": "cam-1"}]}]},
            ("spots", 0, "cameras", 1, "camera"),
            "stands in this list already",
        ),
        (
            {"spots": [{"id": "shed", "cameras": [{"camera": "cam-1", "zones": ["lane", "door"]}]}]},
            ("spots", 0, "cameras", 0, "zones", 1),
            "no zone `door`; the camera `cam-1` has lane",
        ),
        ({"sensors": [{"id": "pile-1", "spot": "shet"}]}, ("sensors", 0, "spot"), "`spots` has shed"),
        (
            {"cameras": [{"id": "cam-2"}, {"id": "cam-1", "zones": {"lane": 0}, "spot": "x"}]},
            ("cameras", 1, "spot"),
            "`x`",
        ),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(
    parts: dict[str, Any], place: tuple[str | int, ...], words: str
) -> None:
    [(found, reason)] = reasons(**parts)
    assert found == place
    assert words in reason


@pytest.mark.parametrize(
    "spots", [None, 3, "shed", [3], [None], [{"id": 3}], [{"id": "shed", "cameras": 4}], [{"cameras": [[], 3, {}]}]]
)
def test_parts_of_a_wrong_type_are_left_to_the_validation(spots: Any) -> None:
    assert all(place[0] == "sensors" or place[0] == "cameras" for place, _ in reasons(spots=spots))


def test_a_camera_may_stand_there_by_its_name_alone() -> None:
    spot = SpotSettings.model_validate({"id": "shed", "cameras": ["cam-1", {"camera": "cam-2", "zones": ["a"]}]})
    assert spot.cameras == (SpotCameraSettings(camera="cam-1"), SpotCameraSettings(camera="cam-2", zones=("a",)))
