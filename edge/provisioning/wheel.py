"""A wheel of the node's own program: looked at before a byte of it is written, and unpacked so that a power cut leaves a whole slot or none."""

import os
import shutil
import stat
import sys
import zipfile
from collections.abc import Iterable
from email.message import Message
from email.parser import BytesParser
from importlib import metadata
from pathlib import Path
from typing import Final

from edge.contract.artifacts import StepCode
from edge.disk import make_folder, sync_folder
from edge.errors import StepRefused
from edge.provisioning.slots import Filled, tree_hash
from firmware_configs.signature import PROGRAM_NAME, Signature

LARGEST_UNPACKED_BYTES: Final = 512 << 20
MOST_FILES: Final = 20_000
_NATIVE: Final = frozenset({".so", ".pyd", ".dylib", ".dll", ".exe"})
_NEEDED: Final = "edge/cli.py"


def inspect_wheel(file: Path, signature: Signature) -> None:
    """Raises StepRefused for a wheel that is not this version of the program, or needs something that is not installed here."""
    try:
        with zipfile.ZipFile(file) as archive:
            _require_plain(archive.infolist())
            info = f"{PROGRAM_NAME}-{signature.version}.dist-info"
            names = set(archive.namelist())
            if not {_NEEDED, f"{info}/METADATA", f"{info}/WHEEL"} <= names:
                raise StepRefused(StepCode.OTHER_KIND, f"no wheel of {PROGRAM_NAME} {signature.version}")
            described = BytesParser().parsebytes(archive.read(f"{info}/METADATA"))
            built = BytesParser().parsebytes(archive.read(f"{info}/WHEEL"))
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise StepRefused(StepCode.NOT_VALID, f"no wheel that can be read: {error}") from error
    if (described["Name"], described["Version"]) != (PROGRAM_NAME, signature.version):
        raise StepRefused(StepCode.OTHER_KIND, f"the wheel is {described['Name']} {described['Version']}")
    if built["Root-Is-Purelib"] != "true":
        raise StepRefused(
            StepCode.NEEDS_NEW_IMAGE, "the wheel is built for one kind of machine; pure Python is expected"
        )
    _require_installed(described)


def unpack(file: Path, folder: Path, slot: str, signature: Signature) -> Filled:
    """Fill a slot. Raises OSError, StepRefused for a disk without room."""
    make_folder(folder)
    place, unfinished = folder / slot, folder / f"{slot}~"
    for each in (unfinished, place):
        if each.exists():
            shutil.rmtree(each)
    with zipfile.ZipFile(file) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        if shutil.disk_usage(folder).free < 2 * sum(member.file_size for member in members):
            raise StepRefused(StepCode.NO_ROOM, "the disk has too little room to unpack the program")
        folders = {unfinished}
        for member in members:
            target = unfinished / member.filename
            target.parent.mkdir(parents=True, exist_ok=True)
            folders.add(target.parent)
            with archive.open(member) as source, target.open("wb") as opened:
                shutil.copyfileobj(source, opened)
                opened.flush()
                os.fsync(opened.fileno())
    for each in folders:
        sync_folder(each)
    tree = tree_hash(unfinished)
    unfinished.rename(place)
    sync_folder(folder)
    return Filled(slot, signature.version, signature.sha256, tree)


def _require_plain(members: Iterable[zipfile.ZipInfo]) -> None:
    total, count = 0, 0
    for member in members:
        count, total = count + 1, total + member.file_size
        parts = member.filename.split("/")
        mode = member.external_attr >> 16
        if member.filename.startswith("/") or ".." in parts or "\\" in member.filename or stat.S_ISLNK(mode):
            raise StepRefused(StepCode.NOT_VALID, f"the wheel has a file outside of its place: {member.filename[:100]}")
        if Path(member.filename).suffix in _NATIVE:
            raise StepRefused(StepCode.NEEDS_NEW_IMAGE, f"the wheel brings native code: {member.filename[:100]}")
        if total > LARGEST_UNPACKED_BYTES or count > MOST_FILES:
            raise StepRefused(StepCode.TOO_LARGE, "the wheel holds more than any program of a node")


def _require_installed(described: Message) -> None:
    """The program may only need what the installed one needs: packages come with a new image."""
    try:
        installed = metadata.distribution(PROGRAM_NAME)
    except metadata.PackageNotFoundError as error:
        raise StepRefused(StepCode.UNSUPPORTED, f"{PROGRAM_NAME} is not installed here as a package") from error
    wanted, have = _plain(described.get_all("Requires-Dist") or ()), _plain(installed.requires or ())
    if wanted != have:
        other = ", ".join(sorted(wanted ^ have)[:5])
        raise StepRefused(
            StepCode.NEEDS_NEW_IMAGE,
            f"it needs other packages than are installed here ({other}): a new image is needed",
        )
    python = described["Requires-Python"]
    if python != installed.metadata["Requires-Python"]:
        version = ".".join(map(str, sys.version_info[:2]))
        raise StepRefused(StepCode.NEEDS_NEW_IMAGE, f"it is made for Python {python}; here is {version}")


def _plain(requirements: Iterable[str]) -> frozenset[str]:
    return frozenset("".join(each.lower().replace("'", '"').split()) for each in requirements)
