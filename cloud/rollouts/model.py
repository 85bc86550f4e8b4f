"""Rollouts, their steps and their states: the tables that code, API, page and tests read. Pure."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from uuid import UUID

FIRMWARE: Final = "firmware"
"""The class of artifacts that devices run (`ArtifactClass.FIRMWARE`)."""


class Ring(StrEnum):
    """How early a node gets what is new, in ascending order of caution."""

    CANARY = "canary"
    EARLY = "early"
    BROAD = "broad"


RING_POSITION: Final = MappingProxyType({ring: position for position, ring in enumerate(Ring)})


class RolloutState(StrEnum):
    """The life of a rollout."""

    DRAFT = "draft"
    RUNNING = "running"
    """Nodes of the present stage are asked, or still at it."""
    SOAKING = "soaking"
    """All of them run it and are watched."""
    WAITING_APPROVAL = "waiting_approval"
    """A second person has to say that it goes on; `reason` says why."""
    PAUSED = "paused"
    ROLLING_BACK = "rolling_back"
    ROLLED_BACK = "rolled_back"
    DONE = "done"
    FAILED = "failed"
    """Turned back as far as could be: some nodes are not known to run what they ran before."""
    CANCELLED = "cancelled"
    """Ended where it stood; nothing was turned back."""


LIVE: Final = frozenset(
    {
        RolloutState.RUNNING,
        RolloutState.SOAKING,
        RolloutState.WAITING_APPROVAL,
        RolloutState.PAUSED,
        RolloutState.ROLLING_BACK,
    }
)
"""In these states a rollout holds its nodes: no other one of the same artifact may have them."""


class RolloutCause(StrEnum):
    """What the reason of a rollout's state is about, for pages in any language."""

    FAILURES = "failures"
    BELOW_SUCCESS = "below_success"
    STAGE_APPROVAL = "stage_approval"
    NOBODY_PRESENT = "nobody_present"
    NOT_ALL_BACK = "not_all_back"
    KEY_REVOKED = "key_revoked"
    """The key that vouched for the artifact is trusted no more."""
    PERSON = "person"
    """The words are those of whoever did it."""


class RolloutAction(StrEnum):
    """What people do with a rollout."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    APPROVE = "approve"
    ROLL_BACK = "roll_back"
    CANCEL = "cancel"


_UNDER_WAY: Final = (RolloutState.RUNNING, RolloutState.SOAKING, RolloutState.WAITING_APPROVAL)

ACTIONS: Final = MappingProxyType(
    {
        **{(state, RolloutAction.PAUSE): RolloutState.PAUSED for state in _UNDER_WAY},
        **{
            (state, RolloutAction.ROLL_BACK): RolloutState.ROLLING_BACK
            for state in (
                *_UNDER_WAY,
                RolloutState.PAUSED,
                RolloutState.DONE,
                RolloutState.CANCELLED,
                RolloutState.FAILED,
            )
        },
        **{
            (state, RolloutAction.CANCEL): RolloutState.CANCELLED
            for state in (RolloutState.DRAFT, *_UNDER_WAY, RolloutState.PAUSED)
        },
        (RolloutState.DRAFT, RolloutAction.START): RolloutState.RUNNING,
        (RolloutState.PAUSED, RolloutAction.RESUME): RolloutState.RUNNING,
        (RolloutState.WAITING_APPROVAL, RolloutAction.APPROVE): RolloutState.RUNNING,
    }
)
"""Where an action of a person leads; what is not here is refused. A rollout that was cancelled as a draft touched nobody: that
it can't be turned back then, the service says.
"""

BY_ITSELF: Final = MappingProxyType(
    {
        RolloutState.RUNNING: frozenset(
            {
                RolloutState.SOAKING,
                RolloutState.WAITING_APPROVAL,
                RolloutState.PAUSED,
                RolloutState.DONE,
                RolloutState.ROLLING_BACK,
            }
        ),
        RolloutState.SOAKING: frozenset(
            {
                RolloutState.RUNNING,
                RolloutState.WAITING_APPROVAL,
                RolloutState.PAUSED,
                RolloutState.DONE,
                RolloutState.ROLLING_BACK,
            }
        ),
        RolloutState.WAITING_APPROVAL: frozenset(
            {RolloutState.RUNNING, RolloutState.SOAKING, RolloutState.PAUSED, RolloutState.ROLLING_BACK}
        ),
        RolloutState.PAUSED: frozenset({RolloutState.ROLLING_BACK}),
        RolloutState.ROLLING_BACK: frozenset({RolloutState.ROLLED_BACK, RolloutState.FAILED}),
    }
)
"""Where the sweep may lead, as nodes speak, time passes, and keys are revoked."""


class StepState(StrEnum):
    """One node within a rollout."""

    PENDING = "pending"
    """Its stage has not come yet."""
    OFFERED = "offered"
    """It is wanted of the node, which has not said anything of it."""
    ABSENT = "absent"
    """Its turn came, and it is not there. Nothing is told to it until it is back and there is room for one more (`Plan.at_once`)."""
    FETCHING = "fetching"
    TRYING = "trying"
    ANNOUNCED = "announced"
    """The node's own birth names version and hash; it is watched now."""
    DONE = "done"
    SKIPPED = "skipped"
    """It ran this or something newer before."""
    REFUSED = "refused"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"
    """The node tried it, was not well with it and went back by itself."""
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    """A later rollout wants something else of the node."""
    REVERTING = "reverting"
    """What it ran before is wanted again."""
    REVERTED = "reverted"
    """It is known to run what it ran before, or never heard of anything else."""
    STUCK = "stuck"
    """It was not well with going back, or there is nothing to go back to."""


FAILURES: Final = frozenset({StepState.REFUSED, StepState.FAILED, StepState.ROLLED_BACK, StepState.TIMED_OUT})
"""What counts against a stage."""

WORKING: Final = frozenset({StepState.OFFERED, StepState.FETCHING, StepState.TRYING})
"""The node is present and at it."""

OPEN: Final = WORKING | {
    StepState.ABSENT,
    StepState.ANNOUNCED,
    StepState.TIMED_OUT,
    StepState.REVERTING,
    StepState.STUCK,
}
"""A word of the node can still change these."""

UNTOUCHED: Final = frozenset({StepState.PENDING, StepState.SKIPPED, StepState.CANCELLED, StepState.SUPERSEDED})

_FORWARD: Final = frozenset(
    {
        StepState.ANNOUNCED,
        StepState.REFUSED,
        StepState.FAILED,
        StepState.ROLLED_BACK,
        StepState.TIMED_OUT,
        StepState.CANCELLED,
        StepState.SUPERSEDED,
        StepState.REVERTING,
        StepState.REVERTED,
        StepState.STUCK,
    }
)
_BACKWARD: Final = frozenset({StepState.SUPERSEDED, StepState.REVERTING, StepState.REVERTED, StepState.STUCK})

STEPS: Final = MappingProxyType(
    {
        StepState.PENDING: frozenset(
            {StepState.OFFERED, StepState.ABSENT, StepState.SKIPPED, StepState.CANCELLED, StepState.REVERTED}
        ),
        StepState.OFFERED: _FORWARD | {StepState.FETCHING, StepState.TRYING, StepState.ABSENT},
        StepState.ABSENT: _FORWARD | {StepState.OFFERED, StepState.FETCHING, StepState.TRYING, StepState.SKIPPED},
        StepState.FETCHING: _FORWARD | {StepState.TRYING},
        StepState.TRYING: _FORWARD | {StepState.FETCHING},
        StepState.TIMED_OUT: _FORWARD - {StepState.TIMED_OUT, StepState.CANCELLED},
        StepState.ANNOUNCED: _BACKWARD | {StepState.DONE, StepState.FAILED, StepState.ROLLED_BACK, StepState.CANCELLED},
        StepState.DONE: _BACKWARD,
        StepState.SKIPPED: frozenset(),
        StepState.REFUSED: _BACKWARD,
        StepState.FAILED: _BACKWARD,
        StepState.ROLLED_BACK: _BACKWARD,
        StepState.CANCELLED: _BACKWARD,
        StepState.SUPERSEDED: frozenset(),
        StepState.REVERTING: frozenset({StepState.REVERTED, StepState.STUCK, StepState.SUPERSEDED}),
        StepState.REVERTED: frozenset(),
        StepState.STUCK: frozenset({StepState.REVERTING, StepState.REVERTED, StepState.SUPERSEDED}),
    }
)
"""Where a step may go. What is not here is a mistake of this program."""


class StepReason(StrEnum):
    """Why a step is where it is, where the node did not say so itself (its own codes stand beside these)."""

    ALREADY = "already"
    NEWER = "newer"
    MEANWHILE = "meanwhile"
    """It came to run this or something newer by other hands after nodes of its stage were asked: it counts as one of them."""
    NO_ANSWER = "no_answer"
    SAYS_APPLIED = "says_applied"
    """It says that it applied it, and does not announce it."""
    OTHER_BYTES = "other_bytes"
    """It announces the version with another hash."""
    OTHER_VERSION = "other_version"
    """It announced it, and then something else again."""
    LOST = "lost"
    SILENT = "silent"
    DEGRADED = "degraded"
    RESTARTS = "restarts"
    NO_WAY_BACK = "no_way_back"
    """It ran nothing of this name before, or a version of which the bytes are not here."""
    NEVER_SENT = "never_sent"


Place = tuple[int, str]
"""Where something runs: a node, and the device on it; an empty name for the node itself."""


@dataclass(frozen=True, slots=True)
class Announced:
    """What a node's own birth says that it runs, or that a device of it does: no device names a hash, so that of its firmware is empty."""

    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Artifact:
    """A signed file. `stored_at` is None until its bytes are here. What is registered never changes."""

    id: int
    kind: str
    name: str
    version: str
    sha256: str
    size_bytes: int
    signed_at: datetime
    key: str
    sig: str
    added_by: str
    added_at: datetime
    stored_at: datetime | None

    @property
    def is_firmware(self) -> bool:
        """Whether devices run it, not nodes."""
        return self.kind == FIRMWARE

    @property
    def announced(self) -> Announced:
        """As whoever runs it announces it."""
        return Announced(self.version, "" if self.is_firmware else self.sha256)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A part of a rollout: up to `percent` of all its nodes together, of rings up to `ring`.

    `soak` is how long each node is watched after it announced the version. More than `error_percent` failures among the stage's nodes
    turn everything back; fewer than `success_percent` successes among those that were there make it wait for a person.
    """

    name: str
    percent: float
    ring: Ring = Ring.BROAD
    soak: timedelta = timedelta(minutes=30)
    success_percent: float = 95.0
    error_percent: float = 5.0
    approval: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a rollout goes on. `patience` is how long a node that is present may stay without a word of progress; `at_once` nodes at
    most are at it at the same time, those that come back after they were away included, also after the rollout is done.
    """

    stages: tuple[Stage, ...]
    patience: timedelta = timedelta(minutes=30)
    at_once: int = 50


@dataclass(frozen=True, slots=True)
class Rollout:
    """A rollout as it stands. `stage` counts from 0; `approved` is the last stage that a person let pass, -1 for none."""

    id: UUID
    title: str
    artifact: Artifact
    area_code: str | None
    area_path: str
    only_running: bool
    may_lower: bool
    plan: Plan
    state: RolloutState
    reason: str | None
    cause: RolloutCause | None
    stage: int
    approved: int
    created_by_id: int | None
    created_by: str
    created_at: datetime
    started_by_id: int | None
    started_by: str | None
    started_at: datetime | None
    turned_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Report:
    """The last word of a node on an order."""

    desired_id: UUID
    state: str
    code: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a node, for one artifact: by its births, its presence and its health reports alone."""

    is_present: bool
    presence_since: datetime | None = None
    session: UUID | None = None
    announced: Announced | None = None
    report: Report | None = None
    degraded: frozenset[str] = field(default_factory=frozenset)
    health_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One node within a rollout, or one `device` of it. `order` is the id of what is wanted of it now, first given to the broker at
    `sent_at`; `previous` is what it announced before.
    """

    rollout_id: UUID
    node_id: int
    node: str
    stage: int
    state: StepState
    changed_at: datetime
    reason: str | None = None
    detail: str | None = None
    failure: str | None = None
    """Why it counted against its stage; that outlasts its way back."""
    previous: Announced | None = None
    order: UUID | None = None
    sent_at: datetime | None = None
    was_sent: bool = False
    """Whether the order to take it was ever given to the broker: then the node may have it, whatever it announces."""
    announced_at: datetime | None = None
    session: UUID | None = None
    restarts: int = 0
    ill_since: datetime | None = None
    degraded_before: frozenset[str] = field(default_factory=frozenset)
    device: str = ""

    @property
    def place(self) -> Place:
        """Where it is made."""
        return self.node_id, self.device

    @property
    def label(self) -> str:
        """The same by name."""
        return label_of(self.node, self.device)


def label_of(node: str, device: str) -> str:
    """A node, or a device on it, by name; no name of a node has a stroke."""
    return f"{node}/{device}" if device else node


@dataclass(frozen=True, slots=True)
class Tally:
    """How the nodes of one stage stand; `meanwhile` are those among the skipped that had a step to make when their stage began."""

    counts: MappingProxyType[StepState, int]
    meanwhile: int = 0

    def of(self, *states: StepState) -> int:
        """How many are in any of these states."""
        return sum(self.counts.get(state, 0) for state in states)

    @property
    def total(self) -> int:
        """All nodes of the stage."""
        return sum(self.counts.values())

    @property
    def asked(self) -> int:
        """All that had a step to make when the first of them was asked. It never becomes less: no node that came by it in another
        way makes the others' failures weigh more.
        """
        return self.total - self.of(StepState.SKIPPED) + self.meanwhile

    @property
    def failures(self) -> int:
        """How many count against it."""
        return self.of(*FAILURES)
