"""The program that the cloud gives, seen from the node: what it writes for its parent, and what it makes of what it finds at a start."""

from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from edge.contract.artifacts import StepCode, StepReport
from edge.errors import StepRefused
from edge.node.declaration import software_version
from edge.node.program import NOT_CONNECTED, ProgramApplier
from edge.node.standing import Standing
from edge.provisioning.record import Entry, Held, Record, Trial
from edge.provisioning.slots import (
    CONFIRM_WITHIN_S,
    FOLDER_VARIABLE,
    SLOT_VARIABLE,
    Selection,
    choose,
    read_selection,
    write_selection,
)
from firmware_configs.signature import PROGRAM_NAME, ArtifactClass, Signature
from tests.edge.provisioning.orders import AT, trusting
from tests.edge.provisioning.test_slots import wheel

LATER = AT + timedelta(minutes=5)


class Rig:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.slots = folder / "data" / "program"
        self.store = trusting(folder / "data")
        self.standing = Standing(clock=lambda: AT, on_change=lambda: None)
        self.renewed: list[str] = []
        self.connected = True

    def process(self, slot: str | None = None, *, parent: bool = True) -> ProgramApplier:
        told = {FOLDER_VARIABLE: str(self.slots)} if parent else {}
        if slot is not None:
            told[SLOT_VARIABLE] = slot
        return ProgramApplier(
            self.store,
            renew=self.renewed.append,
            standing=self.standing,
            is_connected=lambda: self.connected,
            environment=told,
        )

    def have(self, version: str) -> tuple[Signature, Held]:
        file, signature = wheel(self.folder, version)
        self.store.put(signature, file.read_bytes())
        return signature, Held(version, signature.sha256)

    def try_out(self, process: ProgramApplier, version: str) -> Held:
        """As the desk does it: the record first, then the parent's selection."""
        signature, held = self.have(version)
        process.inspect(signature)
        step = StepReport(
            artifact="program", name=PROGRAM_NAME, version=version, sha256=held.sha256, state="trying", at=AT
        )
        entry = Entry(artifact=ArtifactClass.PROGRAM, name=PROGRAM_NAME, trial=Trial(held, AT), step=step)
        self.store.save(Record().with_entry(entry))
        process.begin(entry, Trial(held, AT))
        return held

    @property
    def entry(self) -> Entry:
        return self.store.record().entry(ArtifactClass.PROGRAM, PROGRAM_NAME)

    def ended(self) -> tuple[str, str | None, str]:
        step = self.entry.step
        assert step is not None
        return step.state, step.code, step.reason or ""


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_the_parent_starts_what_is_tried_and_the_node_confirms_it(rig: Rig) -> None:
    rig.try_out(rig.process(), "9.0.0")
    assert len(rig.renewed) == 1
    chosen = choose(rig.slots)
    assert chosen.is_trial
    assert chosen.filled is not None
    inside = rig.process(chosen.filled.slot)
    inside.reconcile(LATER)
    assert rig.entry.trial is not None
    inside.confirm(rig.entry)
    assert read_selection(rig.slots).current == chosen.filled


def test_the_next_one_goes_where_this_one_does_not_run(rig: Rig) -> None:
    rig.try_out(rig.process(), "9.0.0")
    write_selection(rig.slots, read_selection(rig.slots).confirmed())
    rig.try_out(rig.process("a"), "9.1.0")
    selection = read_selection(rig.slots)
    assert selection.current is not None
    assert selection.trial is not None
    assert (selection.current.slot, selection.trial.slot) == ("a", "b")


def test_going_back_has_the_parent_start_what_ran_before(rig: Rig) -> None:
    process = rig.process()
    rig.try_out(process, "9.0.0")
    process.go_back(rig.entry, "node: not well")
    assert (read_selection(rig.slots).trial, len(rig.renewed)) == (None, 2)
    process.go_back(rig.entry, "again")
    assert len(rig.renewed) == 2


def test_a_process_that_ended_before_the_parent_knew_is_told_as_what_it_was(rig: Rig) -> None:
    rig.try_out(rig.process(), "9.0.0")
    write_selection(rig.slots, Selection())
    rig.process().reconcile(LATER)
    assert rig.ended()[:2] == ("rolled_back", "crashed")
    assert rig.entry.trial is None


def test_what_the_parent_gave_up_is_told_with_its_reason(rig: Rig) -> None:
    rig.try_out(rig.process(), "9.0.0")
    for _ in range(4):
        choose(rig.slots)
    rig.process().reconcile(LATER)
    assert rig.ended() == ("rolled_back", "crashed", "3 processes of 9.0.0 ended before it was found to be well")


def test_a_confirmation_that_reached_the_parent_alone_reaches_the_record(rig: Rig) -> None:
    held = rig.try_out(rig.process(), "9.0.0")
    write_selection(rig.slots, read_selection(rig.slots).confirmed())
    rig.process("a").reconcile(LATER)
    assert (rig.entry.current, rig.ended()[0]) == (held, "applied")


def run_two(rig: Rig) -> tuple[Held, Held]:
    """The node has come to run 9.0.0 in slot a, then 9.1.0 in slot b."""
    held = []
    for version, slot in (("9.0.0", None), ("9.1.0", "a")):
        current = rig.entry.current
        held.append(rig.try_out(rig.process(slot), version))
        write_selection(rig.slots, read_selection(rig.slots).confirmed())
        rig.store.save(Record().with_entry(replace(rig.entry, current=current).confirmed(LATER)))
    return held[0], held[1]


def started(rig: Rig) -> ProgramApplier:
    """The next process, as its parent starts it and as it reconciles."""
    chosen = choose(rig.slots)
    process = rig.process(None if chosen.filled is None else chosen.filled.slot)
    process.reconcile(LATER)
    return process


def damage(rig: Rig, slot: str) -> None:
    (rig.slots / slot / "edge" / "cli.py").write_text("damaged\n")


def test_a_slot_that_is_not_started_is_not_announced(rig: Rig) -> None:
    before, now = run_two(rig)
    started(rig)
    assert (rig.entry.current, rig.entry.previous) == (now, before)
    damage(rig, "b")
    started(rig)
    assert (rig.entry.current, rig.entry.previous) == (before, None)
    damage(rig, "a")
    process = started(rig)
    assert rig.store.record().running() == ()
    assert process.running(PROGRAM_NAME) == (software_version(), None)


def test_another_installed_program_runs_and_is_announced(rig: Rig) -> None:
    run_two(rig)
    choose(rig.slots)
    chosen = choose(rig.slots, lambda: "another image")
    assert chosen.filled is None
    rig.process().reconcile(LATER)
    assert rig.store.record().running() == ()


def test_a_program_that_is_tried_when_another_one_is_installed_is_given_up(rig: Rig) -> None:
    rig.try_out(rig.process(), "9.0.0")
    choose(rig.slots)
    choose(rig.slots, lambda: "another image")
    rig.process().reconcile(LATER)
    assert rig.ended() == ("rolled_back", "crashed", "another program has been installed")


def test_a_process_without_a_parent_does_not_take_the_slots_away(rig: Rig) -> None:
    before, now = run_two(rig)
    rig.process(parent=False).reconcile(LATER)
    assert rig.store.record().running() == ()
    started(rig)
    assert rig.entry.current == now
    assert read_selection(rig.slots).previous is not None
    assert before != now


def test_a_trial_that_the_record_knows_nothing_of_announces_nothing(rig: Rig) -> None:
    rig.try_out(rig.process(), "9.0.0")
    rig.store.save(Record())
    started(rig)
    assert rig.store.record() == Record()


def test_a_node_without_such_a_parent_takes_no_program(rig: Rig) -> None:
    with pytest.raises(StepRefused, match="parent") as raised:
        rig.process(parent=False).admit(PROGRAM_NAME)
    assert raised.value.code is StepCode.UNSUPPORTED
    with pytest.raises(StepRefused) as raised:
        rig.process().admit("another")
    assert raised.value.code is StepCode.OTHER_KIND


def test_what_runs_is_this_very_version_and_a_lost_link_is_not_well(rig: Rig) -> None:
    process = rig.process()
    assert process.running(PROGRAM_NAME) == (software_version(), None)
    assert process.troubles(PROGRAM_NAME) == frozenset()
    rig.connected = False
    assert process.troubles(PROGRAM_NAME) == {NOT_CONNECTED}
    assert process.watch_s + process.patience_s < CONFIRM_WITHIN_S  # the node judges before its parent does
