"""The node's own program given by the cloud: unpacked into the slot that is free, started by the parent, confirmed from within."""

import os
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog
from msgspec.structs import replace

from edge.contract.artifacts import StepCode
from edge.errors import StepRefused
from edge.node.declaration import software_version
from edge.node.standing import Standing
from edge.provisioning.record import Entry, Held, Trial, Trouble
from edge.provisioning.slots import (
    CONFIRM_WITHIN_S,
    FOLDER_VARIABLE,
    SLOT_VARIABLE,
    Filled,
    Selection,
    read_selection,
    write_selection,
)
from edge.provisioning.store import Store
from edge.provisioning.wheel import inspect_wheel, unpack
from firmware_configs.signature import PROGRAM_NAME, ArtifactClass, Signature

WATCH_S: Final = 120.0
MARGIN_S: Final = 30.0
"""So much earlier than its parent the node itself judges."""

NOT_CONNECTED: Final = ("uplink", "not_connected")

_log = structlog.get_logger(__name__)


class ProgramApplier:
    """The program of one node. `renew` ends the process, so that the parent starts what the selection says."""

    def __init__(
        self,
        store: Store,
        *,
        renew: Callable[[str], None],
        standing: Standing,
        is_connected: Callable[[], bool],
        environment: Mapping[str, str] = os.environ,
        watch_s: float = WATCH_S,
    ) -> None:
        self._store = store
        self._renew = renew
        self._standing = standing
        self._is_connected = is_connected
        told = environment.get(FOLDER_VARIABLE)
        self._folder = None if told is None else Path(told)
        self._slot = environment.get(SLOT_VARIABLE)
        self._filled: Filled | None = None
        self.watch_s = watch_s
        self.patience_s = max(0.0, CONFIRM_WITHIN_S - watch_s - MARGIN_S)

    def running(self, _name: str) -> tuple[str, str | None] | None:
        """The version of this very process."""
        return software_version(), None

    def admit(self, name: str) -> None:
        """Raises StepRefused for another program, and where no parent could start it."""
        if name != PROGRAM_NAME:
            raise StepRefused(StepCode.OTHER_KIND, f"the program of a node is {PROGRAM_NAME}")
        self._slots()

    def inspect(self, signature: Signature) -> None:
        """Look at the wheel, and unpack it into the free slot. Raises StepRefused."""
        folder = self._slots()
        file = self._store.path(signature.sha256)
        inspect_wheel(file, signature)
        try:
            self._filled = unpack(file, folder, self._free_slot(folder), signature)
        except OSError as error:
            raise StepRefused(StepCode.NO_ROOM, f"the program can't be unpacked: {error.strerror}") from error

    def begin(self, _entry: Entry, trial: Trial) -> None:
        """Have the parent start it."""
        folder, filled = self._slots(), self._filled
        if filled is None or filled.sha256 != trial.held.sha256:
            raise StepRefused(StepCode.NOT_VALID, "what was unpacked is something else")
        try:
            write_selection(folder, read_selection(folder).tried(filled))
        except OSError as error:
            raise StepRefused(StepCode.NO_ROOM, f"the selection can't be written: {error.strerror}") from error
        self._renew(f"version {filled.version} of the program is to be tried")

    def go_back(self, _entry: Entry, reason: str) -> None:
        """Have the parent start what ran before; nothing to do where it never was started."""
        if self._folder is None or (selection := read_selection(self._folder)).trial is None:
            return
        write_selection(self._folder, selection.gone_back(reason))
        self._renew("the program before is started again")

    def confirm(self, _entry: Entry) -> None:
        """Tell the parent that this program stays. Raises OSError, and is asked again then."""
        folder = self._slots()
        write_selection(folder, read_selection(folder).confirmed())

    def troubles(self, _name: str) -> frozenset[Trouble]:
        """Whatever is degraded on the node, and a link that is not there: a program that can't be reached can't be replaced."""
        told = {(each.subject, each.reason) for each in self._standing.degradations()}
        return frozenset(told if self._is_connected() else {*told, NOT_CONNECTED})

    def reconcile(self, now: datetime) -> None:
        """At a start: bring the record to what the parent started, whatever ended the process before. Raises OSError."""
        record = self._store.record()
        entry = record.entry(ArtifactClass.PROGRAM, PROGRAM_NAME)
        selection = read_selection(self._folder) if self._folder is not None else Selection()
        is_tried = selection.trial is not None and self._slot == selection.trial.slot
        if is_tried and entry.trial is not None and _is(selection.trial, entry.trial.held.sha256):
            return
        settled = self._ended(entry, selection, now)
        if not is_tried:  # one that the record knows nothing of is ended by the parent soon
            settled = self._in_effect(settled, selection)
        if settled != entry:
            self._store.save(record.with_entry(settled))

    def _ended(self, entry: Entry, selection: Selection, now: datetime) -> Entry:
        """What became of a trial that this process does not run."""
        if entry.trial is None:
            return entry
        held = entry.trial.held
        if _is(selection.current, held.sha256):
            return entry.confirmed(now)
        if _is(selection.trial, held.sha256):
            reason = "the parent has not started it"
        else:
            reason = selection.given_up or "the node ended before it could be started"
        _log.error("a program did not come to run", version=held.version, reason=reason)
        return entry.given_up(now, StepCode.CRASHED, reason)

    def _in_effect(self, entry: Entry, selection: Selection) -> Entry:
        """What is announced is what this very process was started from: not a slot that the parent passed over, and nothing that was
        given where the installed program runs.
        """
        found = (selection.current, selection.previous)
        filled = next((each for each in found if each is not None and each.slot == self._slot), None)
        runs = None if filled is None else Held(filled.version, filled.sha256)
        if entry.current == runs:
            return entry
        _log.warning(
            "what was given is not what runs",
            given=None if entry.current is None else entry.current.version,
            runs=software_version(),
        )
        previous = entry.previous if runs not in {None, entry.previous} else None
        return replace(entry, current=runs, previous=previous)

    def _slots(self) -> Path:
        if self._folder is None:
            raise StepRefused(
                StepCode.UNSUPPORTED, "this node was not started by a parent that has places for programs"
            )
        return self._folder

    def _free_slot(self, folder: Path) -> str:
        """Never the one that this very process runs from."""
        if self._slot is None:
            return read_selection(folder).free_slot
        return "b" if self._slot == "a" else "a"


def _is(filled: Filled | None, sha256: str) -> bool:
    return filled is not None and filled.sha256 == sha256
