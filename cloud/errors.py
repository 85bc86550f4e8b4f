"""The errors of the cloud. A class says whether trying again can help.

CloudError
├── Retryable
│   ├── DatabaseAway        no connection, or none free in time
│   ├── BrokerAway          the broker can't be reached
│   ├── EvidenceStoreAway   the store of evidence can't be reached, or is full
│   ├── ChannelAway         a channel for notices takes nothing now
│   └── TooOften            the same came a moment ago
└── Permanent
    ├── ConfigurationError  a setting is missing or can't be right; the message names it
    ├── SchemaTooNew        the database was made by a newer version of this program
    ├── UnusableBackup      damaged, unfinished, or made by a newer version
    ├── Invalid             what was sent can't be taken as it is
    │   └── NoWorkingTime   a calendar without an open hour
    ├── TooLarge            longer than is taken
    ├── TooSlow             the body came so slowly that it was given up
    ├── UnsupportedMedia    not a kind of file that is taken
    ├── NotSignedIn         no session, or one that is over
    ├── LockedOut           too many wrong passwords; says how long
    ├── ChannelRefused      a channel for notices will not take it, now or later
    ├── Unproven            a machine has not shown that it is what it says
    ├── Forbidden           signed in, but the role or the area does not reach this far
    │   └── PasswordToChange   signed in with a password that is good for one log-in
    ├── PurposeNeeded       outside of one's own cases evidence is looked at for a stated purpose
    ├── NotFound            not there, or not for this person's eyes
    └── Conflict
        ├── DatabaseNotEmpty  a restore would overwrite something
        ├── NodeAway        nobody is there who could be asked
        ├── CommandRunning  the same is being asked of the same node already
        ├── StaleVersion    someone else changed it in between
        └── TransitionRefused  the present status does not allow that action
"""

from uuid import UUID


class CloudError(Exception):
    """Whatever the cloud raises on purpose."""


class Retryable(CloudError):
    """Trying again later can help."""


class DatabaseAway(Retryable):
    """No connection to the database, or none free in time."""


class BrokerAway(Retryable):
    """The broker can't be reached."""


class EvidenceStoreAway(Retryable):
    """The store of evidence can't be reached, or is full."""


class ChannelAway(Retryable):
    """A channel for notices takes nothing now. `failure` is a word of `cloud.notify.model.Failure`, never what the other side said."""

    def __init__(self, failure: str) -> None:
        super().__init__(f"the channel takes nothing now: {failure}")
        self.failure = failure


class TooOften(Retryable):
    """The same came a moment ago; later it is taken."""


class Permanent(CloudError):
    """Trying again does not help; someone has to change something."""


class ConfigurationError(Permanent):
    """A setting is missing or can't be right; the message names it."""


class SchemaTooNew(Permanent):
    """The database was made by a newer version of this program."""


class UnusableBackup(Permanent):
    """A backup that is damaged, unfinished, or made by a newer version; the message says which, and where."""


class Invalid(Permanent):
    """What was sent can't be taken as it is; the message says why."""


class NoWorkingTime(Invalid):
    """A calendar has no open hour to count with, or ends before the time asked for."""


class TooLarge(Permanent):
    """Longer than is taken."""


class TooSlow(Permanent):
    """The body came so slowly that it was given up; what came of it may be kept."""


class UnsupportedMedia(Permanent):
    """Not a kind of file that is taken."""


class NotSignedIn(Permanent):
    """There is no session, or it is over."""


class LockedOut(Permanent):
    """Too many wrong passwords. `retry_after_s` says how long to wait."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"too many failed attempts; wait {retry_after_s} s")
        self.retry_after_s = retry_after_s


class ChannelRefused(Permanent):
    """A channel for notices will not take it, now or later. `failure` as with `ChannelAway`."""

    def __init__(self, failure: str) -> None:
        super().__init__(f"the channel does not take it: {failure}")
        self.failure = failure


class Unproven(Permanent):
    """A machine has not shown that it is what it says it is; the message says what to do."""


class Forbidden(Permanent):
    """Signed in, but the role or the area does not reach this far."""


class PasswordToChange(Forbidden):
    """Signed in with a password that somebody else has made: it opens nothing but its change."""


class PurposeNeeded(Permanent):
    """Evidence of a case on which this person does not work: it is shown for a purpose, which the audit log keeps."""


class NotFound(Permanent):
    """It is not there, or not for this person's eyes: both read the same."""


class Deleted(Permanent):
    """It was here, and will not be again."""


class Conflict(Permanent):
    """The present state does not allow it."""


class DatabaseNotEmpty(Conflict):
    """A restore would overwrite what is in the database."""


class NodeAway(Conflict):
    """A node can be asked only while it is present; the message says since when it is not."""


class CommandRunning(Conflict):
    """One command of a name runs on a node (and a device) at a time. `command_id` names it."""

    def __init__(self, name: str, node: str, command_id: UUID | None) -> None:
        super().__init__(f"{name} is being asked of {node} already; wait for its answer")
        self.command_id = command_id


class StaleVersion(Conflict):
    """Someone else changed it in between; read it again."""


class TransitionRefused(Conflict):
    """The present status does not allow that action."""
