"""What an installed Gridward has of its models: the weights that are its own, with their card, and every list and manifest."""

import shutil
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).resolve().parents[2]


def packed(folder: Path) -> set[str]:
    """The files of a wheel that is built from a folder."""
    return {each.distribution_path for each in WheelBuilder(str(folder)).recurse_included_files()}


def test_weights_of_our_own_and_their_card_are_part_of_the_wheel(tmp_path: Path) -> None:
    for name in ("pyproject.toml", ".gitignore", "LICENSE", "README.md"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("edge", "cloud", "firmware_configs"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    shutil.copytree(ROOT / "models", tmp_path / "models", ignore=shutil.ignore_patterns("__pycache__", "weights"))
    weights = tmp_path / "models" / "weights"
    weights.mkdir()
    for name in ("gridward_nano_320.onnx", "README.md", "failures.png"):
        (weights / name).write_bytes(b"x")
    files = packed(tmp_path)
    assert {"models/weights/gridward_nano_320.onnx", "models/weights/README.md", "models/weights/failures.png"} <= files
    assert {"models/labels/gridward.yaml", "models/manifests/yolox_nano_416.yaml", "models/catalogue.py"} <= files
