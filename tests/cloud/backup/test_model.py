import gzip
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.backup import model
from cloud.backup.folder import BackupReader
from cloud.backup.model import HashedFile, Manifest
from cloud.errors import UnusableBackup
from tests.cloud.db.test_upgrade import FOLDER, RELEASED

SAMPLE = (FOLDER / RELEASED[0] / "manifest.json").read_bytes()
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def decoded(text: bytes) -> Manifest | None:
    """The manifest, or None where it is refused; nothing else may happen."""
    try:
        return model.decode(text)
    except UnusableBackup:
        return None


def test_a_manifest_is_read_as_it_was_written() -> None:
    manifest = model.decode(SAMPLE)
    assert model.decode(model.encode(manifest)) == manifest


@given(st.binary(max_size=200))
def test_any_bytes_are_a_manifest_or_refused(text: bytes) -> None:
    assert decoded(text) is None


@given(st.data())
def test_a_manifest_with_anything_in_any_place_is_read_or_refused(data: st.DataObject) -> None:
    document = json.loads(SAMPLE)
    holder: Any = document
    while True:
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        key = data.draw(st.sampled_from(keys))
        if not (isinstance(holder[key], (dict, list)) and holder[key]) or data.draw(st.booleans()):
            break
        holder = holder[key]
    holder[key] = data.draw(VALUES)
    found = decoded(json.dumps(document).encode("utf-8", "surrogatepass"))
    assert found is None or msgspec.to_builtins(found)["tables"]


@given(st.binary(max_size=300), st.integers(min_value=0, max_value=400))
def test_any_bytes_are_a_packed_file_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, promised: int
) -> None:
    place = _place(tmp_path_factory)
    for packed in (content, gzip.compress(content, mtime=0), gzip.compress(content, mtime=0)[:-5]):
        (place / "file").write_bytes(packed)
        with pytest.raises(UnusableBackup):
            list(BackupReader(place).unpack("file", HashedFile("0" * 64, len(packed), promised)))


def _place(factory: pytest.TempPathFactory) -> Path:
    place = factory.getbasetemp() / "packed"
    place.mkdir(exist_ok=True)
    return place
