"""Two slots for the program: what is tried, what runs, what is installed; nothing is started that is not as it was put there."""

import shutil
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from edge.contract.artifacts import StepCode
from edge.errors import StepRefused
from edge.provisioning.slots import (
    MOST_STARTS,
    SELECTION,
    Chosen,
    Filled,
    Selection,
    choose,
    give_up,
    installed_program,
    is_whole,
    read_selection,
    tree_hash,
    write_selection,
)
from edge.provisioning.wheel import inspect_wheel, unpack
from firmware_configs.signature import ArtifactClass, Signature
from tests.edge.provisioning.orders import KEY
from tests.firmware_configs.keys import SIGNED_AT

REQUIRES = "".join(f"Requires-Dist: {each}\n" for each in metadata.requires("gridward") or ())
PYTHON = metadata.metadata("gridward")["Requires-Python"]


def wheel(
    folder: Path,
    version: str = "9.0.0",
    *,
    files: Mapping[str, str] | None = None,
    requires: str = REQUIRES,
    name: str = "gridward",
    pure: str = "true",
    python: str = PYTHON,
) -> tuple[Path, Signature]:
    """A wheel of the program, signed, as small as one can be."""
    file = folder / f"gridward-{version}.whl"
    info = f"gridward-{version}.dist-info"
    described = f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\nRequires-Python: {python}\n{requires}\n"
    content = {"edge/__init__.py": "", "edge/cli.py": f"VERSION = {version!r}\n", **(files or {})}
    with zipfile.ZipFile(file, "w") as archive:
        for each, text in content.items():
            archive.writestr(each, text)
        archive.writestr(f"{info}/METADATA", described)
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: {pure}\nTag: py3-none-any\n")
    return file, KEY.sign(ArtifactClass.PROGRAM, "gridward", version, file.read_bytes(), at=SIGNED_AT)


def filled(folder: Path, slot: str, version: str) -> Filled:
    folder.mkdir(exist_ok=True)
    file, signature = wheel(folder, version)
    return unpack(file, folder, slot, signature)


def test_what_is_tried_is_started_counted_and_confirmed(tmp_path: Path) -> None:
    one = filled(tmp_path, "a", "1.0.0")
    write_selection(tmp_path, Selection().tried(one))
    assert choose(tmp_path) == Chosen(one, is_trial=True)
    assert read_selection(tmp_path).starts == 1
    write_selection(tmp_path, read_selection(tmp_path).confirmed())
    assert choose(tmp_path) == Chosen(one)
    assert read_selection(tmp_path).free_slot == "b"


def test_a_trial_that_ends_every_process_is_given_up(tmp_path: Path) -> None:
    one, two = filled(tmp_path, "a", "1.0.0"), filled(tmp_path, "b", "2.0.0")
    write_selection(tmp_path, Selection(current=one).tried(two))
    chosen = [choose(tmp_path) for _ in range(MOST_STARTS + 1)]
    assert chosen == [Chosen(two, is_trial=True)] * MOST_STARTS + [Chosen(one)]
    assert "3 processes of 2.0.0 ended" in read_selection(tmp_path).given_up


@pytest.mark.parametrize("damage", ["changed", "added", "removed", "linked", "gone"])
def test_a_slot_that_is_not_as_it_was_filled_is_not_started(tmp_path: Path, damage: str) -> None:
    one, two = filled(tmp_path, "a", "1.0.0"), filled(tmp_path, "b", "2.0.0")
    write_selection(tmp_path, Selection(current=two, previous=one))
    file = tmp_path / "b" / "edge" / "cli.py"
    match damage:
        case "changed":
            file.write_text("import os\n")
        case "added":
            (tmp_path / "b" / "sitecustomize.py").write_text("")
        case "removed":
            file.unlink()
        case "linked":
            file.unlink()
            file.symlink_to("/etc/passwd")
        case _:
            shutil.rmtree(tmp_path / "b")
    assert choose(tmp_path) == Chosen(one)
    shutil.rmtree(tmp_path / "a")
    assert choose(tmp_path) == Chosen()


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"current": {"slot": "../x"}}', b"[" * 10_000, b"\xff"])
def test_a_selection_that_can_not_be_read_starts_what_is_installed(tmp_path: Path, content: bytes) -> None:
    (tmp_path / SELECTION).write_bytes(content)
    assert choose(tmp_path) == Chosen()


def test_a_start_that_can_not_be_counted_does_not_happen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = filled(tmp_path, "a", "1.0.0"), filled(tmp_path, "b", "2.0.0")
    write_selection(tmp_path, Selection(current=one).tried(two))

    def full(*_values: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edge.provisioning.slots.write_file", full)
    assert choose(tmp_path) == Chosen(one)


def test_another_installed_program_runs_and_the_slots_before_it_never_again(tmp_path: Path) -> None:
    one, two = filled(tmp_path, "a", "1.1.0"), filled(tmp_path, "b", "1.0.0")
    write_selection(tmp_path, Selection(current=one, previous=two))
    assert choose(tmp_path, lambda: "1.0 x") == Chosen(one)
    assert choose(tmp_path, lambda: "1.0 x") == Chosen(one)
    assert choose(tmp_path, lambda: "1.2 y") == Chosen()
    assert choose(tmp_path, lambda: "1.0 x") == Chosen()
    three = filled(tmp_path, "a", "1.3.0")
    write_selection(tmp_path, read_selection(tmp_path).tried(three).confirmed())
    assert choose(tmp_path, lambda: "1.0 x") == Chosen()  # it was filled after 1.2 y
    write_selection(tmp_path, read_selection(tmp_path).tried(three).confirmed())
    assert choose(tmp_path, lambda: "1.0 x") == Chosen(three)


def test_another_installed_program_runs_also_where_that_can_not_be_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_selection(tmp_path, Selection(current=filled(tmp_path, "a", "1.1.0"), installed="1.0 x"))

    def full(*_values: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edge.provisioning.slots.write_file", full)
    assert choose(tmp_path, lambda: "1.2 y") == Chosen()


def test_where_nobody_knows_what_is_installed_the_slots_run_on(tmp_path: Path) -> None:
    one = filled(tmp_path, "a", "1.1.0")
    write_selection(tmp_path, Selection(current=one, installed="1.0 x"))
    assert choose(tmp_path, lambda: "") == Chosen(one)


def test_what_is_installed_is_its_version_what_it_needs_and_its_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert installed_program().startswith(f"{metadata.version('gridward')} ")
    described = (
        "Metadata-Version: 2.4\nName: gridward\nVersion: 1.0.0\nRequires-Dist: {needs}\n\nVersion: 8\n{readme}\n"
    )

    def of(needs: str, readme: str = "") -> str:
        info = tmp_path / "gridward-1.0.0.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(described.format(needs=needs, readme=readme))
        return installed_program()

    monkeypatch.setattr(sys, "path", [str(tmp_path / "none"), str(tmp_path)])
    assert installed_program() == ""
    assert of("av>=1").startswith("1.0.0 ")
    assert of("av>=1") == of("av>=1", "other words")
    assert of("av>=1") != of("av>=2")
    before = of("av>=1")
    monkeypatch.setattr(sys, "version_info", (3, 99, 0))
    assert of("av>=1") != before


def test_a_process_is_told_where_it_was_started_from(tmp_path: Path) -> None:
    one = filled(tmp_path, "a", "1.0.0")
    assert Chosen(one).command([sys.executable, "-m", "edge.cli"]) == [sys.executable, "-P", "-m", "edge.cli"]
    told = Chosen(one).environment(tmp_path)
    assert (told["GRIDWARD_SLOT"], told["PYTHONPATH"]) == ("a", str(tmp_path / "a"))
    assert "a/" not in told["PYTHONPYCACHEPREFIX"]
    assert Chosen().environment(None) == {}
    assert Chosen().environment(tmp_path) == {"GRIDWARD_PROGRAM": str(tmp_path)}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"requires": REQUIRES + "Requires-Dist: evil>=1\n"}, StepCode.NEEDS_NEW_IMAGE),
        ({"requires": ""}, StepCode.NEEDS_NEW_IMAGE),
        ({"pure": "false"}, StepCode.NEEDS_NEW_IMAGE),
        ({"python": ">=3.99"}, StepCode.NEEDS_NEW_IMAGE),
        ({"files": {"edge/fast.so": "x"}}, StepCode.NEEDS_NEW_IMAGE),
        ({"files": {"../../etc/cron.d/x": "x"}}, StepCode.NOT_VALID),
        ({"files": {"/etc/cron.d/x": "x"}}, StepCode.NOT_VALID),
        ({"files": {"edge\\x.py": "x"}}, StepCode.NOT_VALID),
        ({"name": "other"}, StepCode.OTHER_KIND),
    ],
)
def test_a_wheel_that_is_not_the_program_or_needs_more_is_refused(
    tmp_path: Path, changes: dict[str, object], code: StepCode
) -> None:
    file, signature = wheel(tmp_path, **changes)  # type: ignore[arg-type]
    with pytest.raises(StepRefused) as raised:
        inspect_wheel(file, signature)
    assert raised.value.code is code


def test_a_wheel_of_another_version_or_none_at_all_is_refused(tmp_path: Path) -> None:
    file, signature = wheel(tmp_path)
    inspect_wheel(file, signature)
    other = KEY.sign(ArtifactClass.PROGRAM, "gridward", "9.0.1", file.read_bytes(), at=SIGNED_AT)
    with pytest.raises(StepRefused, match="no wheel of gridward"):
        inspect_wheel(file, other)
    file.write_bytes(b"PK\x03\x04 and nothing more")
    with pytest.raises(StepRefused, match="no wheel that can be read"):
        inspect_wheel(file, signature)


def test_filling_a_slot_anew_leaves_nothing_of_what_was_there(tmp_path: Path) -> None:
    filled(tmp_path, "a", "1.0.0")
    (tmp_path / "a" / "old.py").write_text("")
    again = filled(tmp_path, "a", "2.0.0")
    assert is_whole(tmp_path, again)
    assert again.tree == tree_hash(tmp_path / "a")


class Lives(RuleBasedStateMachine):
    """A parent and its nodes: whatever they do and wherever they end, what is started is whole, and a bad one ends by itself."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name)
        self.number = 0
        self.confirmed: list[str] = []
        self.installed = "1.0 image"
        self.chosen = self.choose()

    def choose(self) -> Chosen:
        return choose(self.path, lambda: self.installed)

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()

    @rule()
    def a_node_stages_the_next(self) -> None:
        if read_selection(self.path).trial is not None or self.chosen.is_trial:
            return
        self.number += 1
        running = None if self.chosen.filled is None else self.chosen.filled.slot
        slot = {"a": "b", "b": "a", None: read_selection(self.path).free_slot}[running]
        write_selection(self.path, read_selection(self.path).tried(filled(self.path, slot, f"{self.number}.0.0")))

    @rule()
    def it_is_found_to_be_well(self) -> None:
        selection = read_selection(self.path)
        if self.chosen.is_trial and selection.trial == self.chosen.filled and selection.trial is not None:
            write_selection(self.path, selection.confirmed())
            self.confirmed.append(selection.trial.version)
            self.chosen = Chosen(self.chosen.filled)

    @rule()
    def the_process_ends_and_another_begins(self) -> None:
        self.chosen = self.choose()

    @rule()
    def the_parent_gives_up(self) -> None:
        if self.chosen.is_trial:
            give_up(self.path, "it took too long")
            self.chosen = self.choose()

    @rule()
    def another_program_is_installed(self) -> None:
        self.installed += "+"
        never_started = not read_selection(self.path).installed
        self.chosen = self.choose()
        # the very first one of all is tried whatever is installed, and has to show that it is well like any other
        assert self.chosen.filled is None or (never_started and self.chosen.is_trial)
        self.confirmed.clear()

    @rule(slot=st.sampled_from(["a", "b"]))
    def a_slot_is_damaged(self, slot: str) -> None:
        if (self.path / slot).exists():
            (self.path / slot / "damage.py").write_text("")
            self.chosen = self.choose()

    @invariant()
    def what_was_chosen_is_whole_or_installed(self) -> None:
        if not hasattr(self, "chosen") or self.chosen.filled is None:
            return
        assert is_whole(self.path, self.chosen.filled)
        if not self.chosen.is_trial:
            assert self.chosen.filled.version in self.confirmed
        assert read_selection(self.path).starts <= MOST_STARTS


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=25, stateful_step_count=15, deadline=None)
