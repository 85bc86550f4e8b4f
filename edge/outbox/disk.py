"""What a power cut leaves behind: a name in a folder is on the disk only after the folder itself was written through."""

import os
from pathlib import Path


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, so that a power cut can't take them away again."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in missing:
        sync_folder(made.parent)


def sync_folder(folder: Path) -> None:
    """Write through which names a folder holds."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
