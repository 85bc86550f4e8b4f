"""The errors of the edge. A class says whether trying again can help.

EdgeError
├── Retryable
│   ├── SourceLost          a camera, broker or device went away
│   │   ├── GatewayLost     a video gateway does not answer, or does not let the node in
│   │   └── ChannelRefused  a video gateway answers, and has no stream of this channel
│   ├── UplinkLost          the cloud can't be reached
│   ├── DeviceUnreachable   a device that should act is not there, or does not answer in time
│   │   └── DeviceBusy      it was not asked at all: other orders stood before this one
│   ├── OutboxFull          no room now; the source is not acknowledged
│   ├── OutboxDamaged       the store can't be opened or read; a new start sets a damaged one aside, or finds the disk back
│   ├── EvidenceNotKept     the disk takes an incident's files no more; the incident goes without them
│   ├── CommandOverdue      a command of the cloud could not be carried out before its deadline
│   └── MeasurementFailed   a trial of a measurement broke off or did not end
└── Permanent
    ├── ConfigurationError  the configuration has mistakes; all of them are listed
    ├── ModelUnusable       weights missing, of another hash, or of another shape than their manifest says
    ├── MediaUnusable       not a video, or not one that can be decoded
    ├── CommandRefused      a command of the cloud that the node does not carry out as it was asked
    ├── EnrolmentRefused    the cloud does not bind the node's key, or does not know it
    ├── StepRefused         what the node was told to run can't be taken in; nothing was touched
    └── OutboxTooNew        a newer version of the software has written the store
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the small parent of a node imports this module, and nothing of the wire
    from edge.contract.artifacts import StepCode


class EdgeError(Exception):
    """Whatever the edge raises on purpose."""


class Retryable(EdgeError):
    """Trying again later can help."""


class Permanent(EdgeError):
    """Trying again does not help; someone has to change something."""


class SourceLost(Retryable):
    """A camera, broker or device went away."""


class SourceSilent(SourceLost):
    """A camera has its connection, and nothing comes over it any more, or no picture in what comes."""


class GatewayLost(SourceLost):
    """A video gateway does not answer, answers what it can't mean, or does not let the node in."""


class ChannelRefused(SourceLost):
    """A video gateway answers, and has no stream of this channel at present."""


class UplinkLost(Retryable):
    """The cloud can't be reached."""


class DeviceUnreachable(Retryable):
    """A device that should act is not there, or does not answer in time."""


class DeviceBusy(DeviceUnreachable):
    """A device that should act was not asked at all: other orders stood before this one for as long as it could wait."""


class OutboxFull(Retryable):
    """There is no room now; what was offered is not acknowledged."""


class OutboxDamaged(Retryable):
    """The store can't be opened or read. A new start sets a damaged one aside under another name; what the disk or its rights
    refuse can be there again.
    """


class EvidenceNotKept(Retryable):
    """The disk does not take an incident's files; nothing was kept, and the incident goes without them."""


class CommandOverdue(Retryable):
    """A command could not be carried out before its deadline, or before the node's end; nobody waits for it."""


class MeasurementFailed(Retryable):
    """A trial of a measurement broke off or did not end: it says nothing of the machine."""


class CommandRefused(Permanent):
    """A command that the node does not carry out as it was asked; the message says why, and is shown to whoever asked."""


class EnrolmentRefused(Permanent):
    """The cloud does not bind the node's key, or does not know it; the message is in the cloud's words."""


class StepRefused(Permanent):
    """What the node was told to run can't be taken in; nothing was touched. `code` is for those who roll out, the message for people."""

    def __init__(self, code: "StepCode", reason: str) -> None:
        super().__init__(reason)
        self.code = code


class ConfigurationError(Permanent):
    """The configuration has mistakes; the message lists every one with file, line and reason."""


class ModelUnusable(Permanent):
    """Weights that are missing, of another hash, or of another shape than their manifest says."""


class MediaUnusable(Permanent):
    """Not a video, or not one that can be decoded."""


class OutboxTooNew(Permanent):
    """A newer version of the software has written the store; it is left as it is."""
