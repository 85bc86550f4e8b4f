"""The requirement files agree with each other: the training's environment stands on the one for development."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def _blocks(name: str) -> dict[str, str]:
    """What each requirement says, hashes included, by its name; versions for several Pythons together."""
    found: dict[str, str] = {}
    for block in re.split(r"^(?=[a-z])", (ROOT / name).read_text(encoding="utf-8"), flags=re.MULTILINE):
        if block.strip():
            package = block.split("==")[0]
            found[package] = found.get(package, "") + block
    return found


def test_training_adds_to_what_there_is_and_changes_nothing_of_it() -> None:
    training = _blocks("requirements-training.txt")
    assert {"torch", "tqdm", "sympy"} <= training.keys()
    assert not training.keys() & _blocks("requirements-dev.txt").keys()
    assert not [name for name in training if name.startswith(("nvidia", "cuda", "triton"))]


def test_all_of_it_is_hashed_and_names_no_address() -> None:
    for name in ("requirements.txt", "requirements-dev.txt", "requirements-training.txt"):
        assert all("--hash=sha256:" in block for block in _blocks(name).values())
        assert "://" not in (ROOT / name).read_text(encoding="utf-8")
