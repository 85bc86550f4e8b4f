"""The node's own key: made once, for its owner's eyes alone, and never made anew where one is damaged."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from edge.contract.signing import is_signed
from edge.errors import ConfigurationError
from edge.provisioning.key import identity_folder, make_key, read_key


def test_it_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    assert read_key(directory) is None
    made = make_key(directory)
    again = make_key(directory)
    found = read_key(directory)
    assert found is not None
    assert made.fingerprint == again.fingerprint == found.fingerprint
    folder = identity_folder(directory)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "node.key").stat().st_mode & 0o777 == 0o600
    assert is_signed(b"words", found.sign(b"words"), [made.public])
    assert [file.name for file in folder.iterdir()] == ["node.key"]


def test_a_damaged_key_stops_the_node_and_is_not_replaced(tmp_path: Path) -> None:
    make_key(tmp_path)
    file = identity_folder(tmp_path) / "node.key"
    other = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for content in (b"", file.read_bytes()[:40], other, b"\xff" * 10_000):
        file.write_bytes(content)
        with pytest.raises(ConfigurationError, match=r"node\.key"):
            read_key(tmp_path)
        with pytest.raises(ConfigurationError):
            make_key(tmp_path)
        assert file.read_bytes() == content


def test_a_folder_that_can_not_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "identity").write_text("in the way", encoding="utf-8")
    with pytest.raises(ConfigurationError):
        make_key(tmp_path)


def test_nothing_of_it_shows(tmp_path: Path) -> None:
    key = make_key(tmp_path)
    secret = (identity_folder(tmp_path) / "node.key").read_text(encoding="ascii").splitlines()[1]
    assert secret not in repr(key)
    assert secret not in repr(vars(key))
