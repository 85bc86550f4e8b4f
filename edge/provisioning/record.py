"""What a node runs, ran before and is trying (供给记录): one small file, replaced as a whole at each step. Transitions are pure.

An order is taken, what it names is tried, and then it is either confirmed or given up. Each of these is one write, so that a process that ends
anywhere finds at its next start either what ran before or what was being tried, never something between them.
"""

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from edge.contract.artifacts import (
    ARTIFACTS_TOLD,
    STEPS_ENDED,
    RunningArtifact,
    StepCode,
    StepReport,
    StepState,
    VersionText,
)
from edge.contract.fields import Instant, Name, Sha256
from edge.errors import StepRefused
from firmware_configs.signature import ArtifactClass

MOST_STARTS: Final = 3
"""So often a process may start with something that is being tried, or begin to look at what is to be."""

STEPS_TOLD: Final = 32
LONGEST_REASON: Final = 240
"""All of them together have to fit into a birth beside the devices."""

LARGEST_RECORD_BYTES: Final = 1 << 20


Trouble = tuple[str, str]
"""Who is not well and in which way, as degradations name both."""


class Held(Struct, frozen=True):
    """One version that lies in the store."""

    version: VersionText
    sha256: Sha256


class Trial(Struct, frozen=True, omit_defaults=True):
    """A version that runs and has to show that it is well; `starts` counts the processes that began with it. `troubles` were there
    before it: it is not to blame for them.
    """

    held: Held
    began_at: Instant
    troubles: Annotated[tuple[Trouble, ...], Meta(max_length=500)] = ()
    desired_id: UUID | None = None
    starts: Annotated[int, Meta(ge=0)] = 0


class Look(Struct, frozen=True, omit_defaults=True):
    """Bytes that are looked at before they are tried: `times` counts the processes that began to, `desired_id` is the order's."""

    sha256: Sha256
    desired_id: UUID | None = None
    times: Annotated[int, Meta(ge=0)] = 0


class Entry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All about one name. Without `current` what came with the software runs. `ordered_at`: when the last order was given that was taken.
    `look` stands from before the first look at what was ordered until that led to something.
    """

    artifact: ArtifactClass
    name: Name
    current: Held | None = None
    previous: Held | None = None
    trial: Trial | None = None
    step: StepReport | None = None
    ordered_at: Instant | None = None
    look: Look | None = None

    @property
    def key(self) -> tuple[ArtifactClass, str]:
        """By which it is found."""
        return self.artifact, self.name

    def told(self, step: StepReport) -> "Entry":
        """With another last step; what ended processes stays known as that, however often the same order comes."""
        led_on = step.state in STEPS_ENDED and step.code != StepCode.CRASHED
        return replace(self, step=step, look=None if led_on else self.look)

    def looked(self, sha256: str, desired_id: UUID | None) -> "Entry":
        """A process is about to look at what was ordered."""
        before = self.look
        again = before is not None and (before.sha256, before.desired_id) == (sha256, desired_id)
        return replace(self, look=Look(sha256, desired_id, before.times + 1 if before is not None and again else 1))

    def tried(self, trial: Trial, step: StepReport) -> "Entry":
        """It begins to be tried."""
        return replace(self, trial=trial, step=step, look=None)

    def started(self) -> "Entry":
        """A process begins with what is being tried."""
        if self.trial is None:
            return self
        return replace(self, trial=replace(self.trial, starts=self.trial.starts + 1))

    def confirmed(self, at: datetime) -> "Entry":
        """What was tried is well, and runs from now on."""
        if self.trial is None:
            return self
        previous = self.current if self.current != self.trial.held else self.previous
        step = self.step and replace(self.step, state=StepState.APPLIED.value, code=None, reason=None, at=at)
        return replace(self, current=self.trial.held, previous=previous, trial=None, step=step)

    def given_up(self, at: datetime, code: StepCode, reason: str) -> "Entry":
        """What was tried is not well: what ran before runs on."""
        if self.trial is None:
            return self
        step = self.step and replace(
            self.step, state=StepState.ROLLED_BACK.value, code=code.value, reason=reason[:LONGEST_REASON], at=at
        )
        return replace(self, trial=None, step=step)

    @property
    def holds(self) -> tuple[Held, ...]:
        """Everything whose file has to stay."""
        trial = None if self.trial is None else self.trial.held
        return tuple(held for held in (self.current, self.previous, trial) if held is not None)


class Record(Struct, frozen=True, kw_only=True):
    """All entries; of more than are told the ones that hold nothing go first."""

    v: int = 1
    entries: Annotated[tuple[Entry, ...], Meta(max_length=1000)] = ()

    def entry(self, artifact: ArtifactClass, name: str) -> Entry:
        """That of a name, an empty one where there is none."""
        return next(
            (each for each in self.entries if each.key == (artifact, name)), Entry(artifact=artifact, name=name)
        )

    def with_entry(self, entry: Entry) -> "Record":
        """The same with one entry replaced or added; an entry that only tells of a step goes where there are too many.

        Raises StepRefused where all of them hold something.
        """
        others = [each for each in self.entries if each.key != entry.key]
        while len(others) >= ARTIFACTS_TOLD:
            idle = next((each for each in others if not each.holds), None)
            if idle is None:
                raise StepRefused(StepCode.NO_ROOM, f"a node runs {ARTIFACTS_TOLD} different things at most")
            others.remove(idle)
        return replace(self, entries=(*others, entry))

    @property
    def trial(self) -> Entry | None:
        """The entry that is being tried: one at a time, so that it is known what is not well."""
        return next((each for each in self.entries if each.trial is not None), None)

    def running(self) -> tuple[RunningArtifact, ...]:
        """What the birth tells: what runs and is well."""
        return tuple(
            RunningArtifact(
                artifact=each.artifact.value, name=each.name, version=each.current.version, sha256=each.current.sha256
            )
            for each in self.entries
            if each.current is not None
        )[:ARTIFACTS_TOLD]

    def steps(self) -> tuple[StepReport, ...]:
        """What the birth tells of orders: the newest."""
        told = sorted((each.step for each in self.entries if each.step is not None), key=lambda step: step.at)
        return tuple(told[-STEPS_TOLD:])

    def hashes(self) -> frozenset[str]:
        """Of all files that have to stay."""
        return frozenset(held.sha256 for each in self.entries for held in each.holds)


def without(entry: Entry, held: Held) -> Entry:
    """The entry without a version that can't be used any more: what ran before takes its place."""
    if entry.current == held:
        return replace(entry, current=entry.previous if entry.previous != held else None, previous=None)
    return replace(entry, previous=None) if entry.previous == held else entry


def encoded(record: Record) -> bytes:
    """As it stands in its file."""
    return msgspec.json.format(msgspec.json.encode(record), indent=2)


def decoded(content: bytes) -> Record:
    """Read a record. Raises ValueError for what is none."""
    if len(content) > LARGEST_RECORD_BYTES:
        raise ValueError("larger than any record")
    try:
        return msgspec.json.decode(content, type=Record)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(str(error)) from error
