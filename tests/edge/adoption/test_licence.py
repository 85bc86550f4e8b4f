import pytest

from edge.adoption.licence import licence_of
from edge.errors import ModelUnusable

ULTRALYTICS = {
    "license": "AGPL-3.0 License (https://ultralytics.com/license)",
    "author": "Ultralytics",
    "stride": "32",
    "names": "{0: 'person'}",
}


def test_what_the_file_says_holds_and_so_does_what_is_stated() -> None:
    assert licence_of({"license": "MIT"}, None).name == "MIT"
    settled = licence_of({"license": "MIT"}, "Apache-2.0")
    assert (settled.name, settled.note) == ("Apache-2.0", "stated at the import; the file says of itself: MIT")


def test_without_a_word_it_has_to_be_stated() -> None:
    for stated in (None, "", "  "):
        with pytest.raises(ModelUnusable, match="state it by --licence"):
            licence_of({}, stated)


@pytest.mark.parametrize(
    "told",
    [
        ULTRALYTICS,
        {"license": "GNU Affero General Public License v3"},
        {"description": "Ultralytics YOLO11n model, license AGPL-3.0"},
        {"license": "MIT", "description": "weights: agpl"},
    ],
)
def test_the_agpl_is_refused_unless_another_licence_is_held(told: dict[str, str]) -> None:
    with pytest.raises(ModelUnusable, match="the other licence that you hold"):
        licence_of(told, None)
    settled = licence_of(told, "Ultralytics Enterprise, contract 4711")
    assert settled.name == "Ultralytics Enterprise, contract 4711"
    assert "the file says of itself" in settled.note
    assert len(settled.warnings) == 1


@pytest.mark.parametrize("stated", ["AGPL-3.0", "agpl", "GNU Affero GPL"])
def test_the_agpl_cannot_be_stated(stated: str) -> None:
    for told in ({}, ULTRALYTICS):
        with pytest.raises(ModelUnusable, match="not taken in"):
            licence_of(told, stated)


def test_an_exporter_that_names_no_licence_is_doubted() -> None:
    settled = licence_of({"stride": "32", "names": "['person']"}, "MIT")
    assert "YOLOv5" in settled.warnings[0]


def test_a_licence_of_many_lines_is_cut_short() -> None:
    settled = licence_of({"license": "line\n" * 1000}, None)
    assert "\n" not in settled.name
    assert len(settled.name) == 120
