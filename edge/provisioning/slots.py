"""The two places of the node's own program (A/B 槽位), and which of them the parent starts: what is tried, what runs, else what is installed.

    <data_directory>/program/selection.json    which slot, and what was found in it when it was filled
    <data_directory>/program/a, b              unpacked wheels

The node writes the selection while it runs (a trial, its confirmation), its parent only while no node runs (starts, giving up): so there is one
writer at a time. Before each start the parent compares every file of the slot with what was put there. It imports next to nothing.
"""

import hashlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import structlog

from edge.disk import make_folder, write_file

SELECTION: Final = "selection.json"
SLOTS: Final = ("a", "b")
MOST_STARTS: Final = 3
CONFIRM_WITHIN_S: Final = 300.0
"""A program that has not said by then that it is well is given up, whatever it does."""

FOLDER_VARIABLE: Final = "GRIDWARD_PROGRAM"
SLOT_VARIABLE: Final = "GRIDWARD_SLOT"
"""What the parent tells a node: where the slots are, and from which one it was started."""

_PACKAGE: Final = "gridward"
_TELLING: Final = ("Version:", "Requires-Dist:", "Requires-Python:")
_LARGEST_SELECTION_BYTES: Final = 64 << 10

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Filled:
    """A slot with a program in it; `tree` is the hash over all of its files."""

    slot: str
    version: str
    sha256: str
    tree: str


@dataclass(frozen=True, slots=True)
class Selection:
    """What is to be started. `given_up` says why the last trial was, for the node that runs next; `installed` is the installed program
    that all of it came after.
    """

    current: Filled | None = None
    previous: Filled | None = None
    trial: Filled | None = None
    starts: int = 0
    given_up: str = ""
    installed: str = ""

    def tried(self, trial: Filled) -> "Selection":
        """A program begins to be tried; what ran last before is no way back any more if it lay in the same slot."""
        previous = None if self.previous is not None and self.previous.slot == trial.slot else self.previous
        return replace(self, trial=trial, previous=previous, starts=0, given_up="")

    def confirmed(self) -> "Selection":
        """What was tried runs from now on."""
        if self.trial is None:
            return self
        return Selection(current=self.trial, previous=self.current, installed=self.installed)

    def gone_back(self, reason: str) -> "Selection":
        """What ran before runs again."""
        return self if self.trial is None else replace(self, trial=None, starts=0, given_up=reason[:500])

    def overtaken(self, installed: str) -> "Selection":
        """Another program has been installed: it runs, and what was given before it does not come back."""
        reason = "" if self.trial is None else "another program has been installed"
        return Selection(given_up=reason or self.given_up, installed=installed)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was given yet."""
        return self.current is None and self.previous is None and self.trial is None

    @property
    def free_slot(self) -> str:
        """Where the next program goes."""
        return "b" if self.current is not None and self.current.slot == "a" else "a"


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the parent starts: the program in a slot, or the installed one."""

    filled: Filled | None = None
    is_trial: bool = False

    def command(self, command: list[str]) -> list[str]:
        """The command as it is run from a slot: no other folder stands before it on Python's path."""
        return command if self.filled is None else [command[0], "-P", *command[1:]]

    def environment(self, folder: Path | None) -> dict[str, str]:
        """What the process is told beside what its parent was told."""
        told = {} if folder is None else {FOLDER_VARIABLE: os.fspath(folder)}
        if folder is None or self.filled is None:
            return told
        return told | {
            SLOT_VARIABLE: self.filled.slot,
            "PYTHONPATH": os.fspath(folder / self.filled.slot),
            "PYTHONPYCACHEPREFIX": os.fspath(folder / "cache" / self.filled.tree[:16]),
        }


def read_selection(folder: Path) -> Selection:
    """The selection; an empty one where there is none that can be read: then the installed program runs."""
    try:
        with (folder / SELECTION).open("rb") as opened:
            told = json.loads(opened.read(_LARGEST_SELECTION_BYTES))
        return Selection(
            current=_filled(told["current"]),
            previous=_filled(told["previous"]),
            trial=_filled(told["trial"]),
            starts=int(told["starts"]),
            given_up=str(told["given_up"]),
            installed=str(told.get("installed", "")),
        )
    except FileNotFoundError:
        return Selection()
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        _log.error("which program is to be started can't be read: the installed one is", reason=str(error))
        return Selection()


def write_selection(folder: Path, selection: Selection) -> None:
    """Replace the selection, also after a power cut. Raises OSError; the one before stands then."""
    make_folder(folder)
    write_file(folder / SELECTION, (json.dumps(asdict(selection), indent=2) + "\n").encode())


def installed_program() -> str:
    """What is installed here: version, what it needs, and the Python it runs on; empty where that can't be told.

    Read from the file itself: the parent, which lives beside every node, is spared a reader of packages.
    """
    for place in sys.path:
        for file in sorted(Path(place).glob(f"{_PACKAGE}-*.dist-info/METADATA")):
            try:
                described = file.read_text(encoding="utf-8", errors="replace").partition("\n\n")[0].splitlines()
            except OSError:
                continue
            told = sorted(line.strip() for line in described if line.startswith(_TELLING))
            version = next((line.partition(":")[2].strip() for line in told if line.startswith("Version:")), "")
            python = ".".join(map(str, sys.version_info[:2]))
            return f"{version} {hashlib.sha256(repr((python, told)).encode()).hexdigest()[:16]}"
    return ""


def choose(folder: Path, installed: Callable[[], str] = installed_program, *, but_not: Filled | None = None) -> Chosen:
    """What the parent starts now; a start of a trial is counted before it happens. `but_not`: what is passed over for what ran before it.

    Once another program has been installed than the slots were filled after, that one runs: it may bring other packages, and whoever
    installs it wants it to.
    """
    selection = read_selection(folder)
    if not selection.is_empty and selection.installed != (present := installed()) and present:
        if selection.installed:
            _log.warning("another program has been installed and runs from now on", program=present)
            _written(folder, selection.overtaken(present))
            return Chosen()
        selection = replace(selection, installed=present)
        _written(folder, selection)
    trial = selection.trial
    if trial is not None:
        reason = ""
        if selection.starts >= MOST_STARTS:
            reason = f"{selection.starts} processes of {trial.version} ended before it was found to be well"
        elif not is_whole(folder, trial):
            reason = f"what lies in the slot is not {trial.version} as it was put there"
        if not reason and _written(folder, replace(selection, starts=selection.starts + 1)):
            return Chosen(trial, is_trial=True)
        give_up(folder, reason or "its start can't be written down")
    return _well(folder, [each for each in (selection.current, selection.previous) if each not in {None, but_not}])


def _well(folder: Path, found: Sequence[Filled | None]) -> Chosen:
    """The first of these that is as it was put there; the installed program where none is."""
    for filled in filter(None, found):
        if is_whole(folder, filled):
            return Chosen(filled)
        _log.error("a program is not as it was put there and is not started", version=filled.version)
    return Chosen()


def give_up(folder: Path, reason: str) -> None:
    """End the trial. Where that can't be written down the trial's starts run out by themselves, for none is started uncounted."""
    selection = read_selection(folder)
    if selection.trial is not None:
        _log.error("a program is given up", version=selection.trial.version, reason=reason)
        _written(folder, selection.gone_back(reason))


def is_whole(folder: Path, filled: Filled) -> bool:
    """Whether a slot holds what was put there, and nothing else."""
    try:
        return filled.slot in SLOTS and tree_hash(folder / filled.slot) == filled.tree
    except OSError:
        return False


def tree_hash(folder: Path) -> str:
    """SHA-256 over the names and hashes of all files below a folder. Raises OSError."""
    digest = hashlib.sha256()
    if not folder.is_dir():
        raise FileNotFoundError(os.fspath(folder))
    for file in sorted(each for each in folder.rglob("*") if not each.is_dir() or each.is_symlink()):
        if file.is_symlink():
            raise OSError(f"{file} is a link")
        with file.open("rb") as opened:
            content = hashlib.file_digest(opened, "sha256").hexdigest()
        digest.update(f"{file.relative_to(folder).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()


def _written(folder: Path, selection: Selection) -> bool:
    try:
        write_selection(folder, selection)
    except OSError as error:
        _log.error("which program is to be started can't be written down", reason=str(error))
        return False
    return True


def _filled(told: Any) -> Filled | None:
    if told is None:
        return None
    filled = Filled(str(told["slot"]), str(told["version"]), str(told["sha256"]), str(told["tree"]))
    if filled.slot not in SLOTS:
        raise ValueError(f"there is no slot {filled.slot!r}")
    return filled
