"""What telling people is made of: how urgent, to whom, by what, and how far it came. Pure."""

from dataclasses import dataclass
from datetime import datetime, time
from enum import StrEnum

from cloud.access.model import Role
from cloud.cases.model import CaseStatus
from edge.contract.incident import Severity


class Urgency(StrEnum):
    """How loud a fact is, in ascending order of `rank`.

    `quiet` stands in the page alone; `digest` is told with others of its window; `ring` rings; `alarm` rings through quiet hours, and
    through storms of anything but alarms.
    """

    QUIET = "quiet"
    DIGEST = "digest"
    RING = "ring"
    ALARM = "alarm"

    @property
    def rank(self) -> int:
        """0 for the quietest."""
        return list(Urgency).index(self)


class Audience(StrEnum):
    """In what capacity somebody is told.

    `responsible`: whose turn it is at the stage of the case. `holder`: the person who verifies or handles it himself.
    `offered`: the departments that were told of the case, one of which may claim it.
    `former`: the department that the fact names, where another one has the case by now.
    `named`: whom the fact itself names (who verifies, who checks, who is called by a whistle).
    """

    CHIEF = "chief"
    DISPATCHER = "dispatcher"
    CLERK = "clerk"
    WORKER = "worker"
    LEAD = "lead"
    DEPARTMENT = "department"
    OFFERED = "offered"
    FORMER = "former"
    HOLDER = "holder"
    NAMED = "named"
    RESPONSIBLE = "responsible"


class Manner(StrEnum):
    """How a person is told: it rings, it stands in the page alone, or it waits to be gathered into one notice."""

    RING = "ring"
    QUIET = "quiet"
    GATHERED = "gathered"


class Because(StrEnum):
    """Why in that manner."""

    NEWS = "news"
    NO_NEWS = "no_news"
    QUIET_FACT = "quiet_fact"
    LOW = "low"
    QUIET_HOURS = "quiet_hours"
    STORM = "storm"
    SEVERAL = "several"
    SUMMARY = "summary"
    OVER = "over"


class ChannelKind(StrEnum):
    """By what a person is reached outside of the page: a browser's push service, a chat robot or mail, an HTTP gateway (短信)."""

    WEB_PUSH = "web_push"
    CHAT = "chat"
    GATEWAY = "gateway"


class DeliveryState(StrEnum):
    """How far a notice came on one channel. `sent`: the other side took it; `muted`: the channel was off."""

    QUEUED = "queued"
    SENT = "sent"
    GIVEN_UP = "given_up"
    MUTED = "muted"


class Failure(StrEnum):
    """Why a channel did not take it. Closed words: what libraries and other servers say may hold the address, and its secret."""

    TIMED_OUT = "timed_out"
    UNREACHABLE = "unreachable"
    FORBIDDEN_ADDRESS = "forbidden_address"
    REFUSED = "refused"
    BUSY = "busy"
    GONE = "gone"
    UNREADABLE = "unreadable"
    FAULT = "fault"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Somebody who could be told: `area_path` is his scope, `on_duty` whether he has the shift there now."""

    account_id: int
    role: Role
    area_path: str
    department_id: int | None = None
    on_duty: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """A fact about a case, with what decides who is told. `word` is the history's."""

    word: str
    status: CaseStatus
    severity: Severity
    area_path: str
    late: bool = False
    actor_id: int | None = None
    person_id: int | None = None
    department_id: int | None = None
    holder_id: int | None = None
    checker_id: int | None = None
    offered_ids: frozenset[int] = frozenset()
    handler_id: int | None = None
    """The department that has the case; `department_id` is the one that the fact names, `offered_ids` all that were told of the case."""


@dataclass(frozen=True, slots=True)
class Called:
    """Somebody who is told, as what (None: in a summary) and how loudly."""

    account_id: int
    audience: Audience | None
    urgency: Urgency
    on_duty: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """What a person wants: local hours of quiet (both None for none), and how long little things are gathered; 0 for never."""

    quiet_from: time | None = None
    quiet_to: time | None = None
    digest_min: int = 30
    language: str = "zh"


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """A fact for one person."""

    at: datetime
    case_id: int
    kind: str
    severity: Severity
    word: str
    urgency: Urgency
    on_duty: bool = False
    reason: str | None = None
    """Of what the word is said, where it is said of several: the stage that is late, the level that nobody hears."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a person was told before. A notice that gathers many has no case and no kind."""

    at: datetime
    case_id: int | None
    kind: str | None
    severity: Severity
    word: str
    manner: Manner
    because: Because
    reason: str | None = None
    urgency: Urgency = Urgency.RING


@dataclass(frozen=True, slots=True)
class Decision:
    """How one person is told of one fact. `gather_at` is when what waits is told in one notice."""

    manner: Manner
    because: Because
    gather_at: datetime | None = None
