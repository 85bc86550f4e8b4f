import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.adoption.labels import labels_of
from edge.errors import ModelUnusable


@pytest.mark.parametrize(
    "told",
    [
        "{0: 'person', 1: 'car'}",
        '{"0": "person", "1": "car"}',
        '["person", "car"]',
        "['person', 'car']",
        "{1: 'car', 0: ' person '}",
    ],
)
def test_exporters_write_names_in_many_ways(told: str) -> None:
    assert labels_of(2, {"names": told}, None).names == ("person", "car")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "person\ncar\n\n"),
        ("a.txt", "\ufeffperson\r\ncar\r\n"),
        ("a.yaml", "- person\n- car\n"),
        ("a.yaml", "names: {0: person, 1: car}\n"),
        ("a.yml", "names: [person, car]\n"),
    ],
)
def test_a_file_of_labels(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert labels_of(2, {}, str(tmp_path / name)).names == ("person", "car")
    assert labels_of(None, {"names": "['x']"}, str(tmp_path / name)).names == ("person", "car")


def test_lists_and_single_names() -> None:
    assert labels_of(1, {}, "person").names == ("person",)
    assert labels_of(None, {}, "coco").names[2] == "car"
    assert labels_of(80, {}, None).names[79] == "toothbrush"
    numbered = labels_of(91, {}, None).names
    assert (numbered[1], numbered[3], numbered[90], len(set(numbered))) == ("person", "car", "toothbrush", 91)


@pytest.mark.parametrize(
    ("count", "metadata", "stated", "words"),
    [
        (3, {}, None, "its 3 classes; state them by --labels"),
        (None, {}, None, "its classes"),
        (80, {"names": "['person']"}, None, "80 classes, and there are 1 names"),
        (2, {}, "person,,car", "empty"),
        (2, {}, "person,person", "twice"),
        (2, {}, "labels.txt", "no file labels.txt"),
        (2, {}, "/none/labels", "no file"),
    ],
)
def test_what_does_not_fit_is_refused(
    count: int | None, metadata: dict[str, str], stated: str | None, words: str
) -> None:
    with pytest.raises(ModelUnusable, match=words):
        labels_of(count, metadata, stated)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"", b"\n\n", b"person\n\ncar"])
def test_a_file_that_is_no_list_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(ModelUnusable, match=r"a\.txt"):
        labels_of(2, {}, str(tmp_path / "a.txt"))


@given(
    st.text(max_size=200)
    | st.sampled_from(["{" * 500, "[" * 500, "{0: 1}", "{1: 'a'}", "9" * 5000, "()", "{'a': 'b'}"])
)
def test_metadata_of_any_kind_is_read_or_passed_over(text: str) -> None:
    names = labels_of(80, {"names": text}, "coco").names
    assert len(names) == 80
    with contextlib.suppress(ModelUnusable):
        labels_of(2, {"names": text}, None)
