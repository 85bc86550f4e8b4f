"""The configuration that a process begins with (启动配置): with what is being tried, as long as that has not ended too many of them.

What is counted is written before anything is used, so that a version which ends the process at once is given up all the same.
"""

from datetime import datetime
from pathlib import Path

import structlog

from edge.configuration.reading import data_directory_in, load
from edge.contract.artifacts import StepCode
from edge.errors import ConfigurationError
from edge.provisioning.in_force import Profiles
from edge.provisioning.record import MOST_STARTS
from edge.provisioning.store import Store
from edge.settings import NodeConfiguration
from firmware_configs.signature import ArtifactClass

_log = structlog.get_logger(__name__)


def configuration_at_start(file: Path, *, now: datetime) -> NodeConfiguration:
    """Read the file for a process that begins to run, and count it. Raises ConfigurationError for a file that is wrong by itself."""
    directory = data_directory_in(file)
    if directory is None:
        return load(file)
    note_start(Store(directory), now=now)
    try:
        return load(file)
    except ConfigurationError as error:
        if not give_up_trial(Store(directory), str(error), now=now):
            raise
        return load(file)


def configuration_at_desk(file: Path) -> NodeConfiguration:
    """The same for whoever only looks: nothing is counted or written. What is being tried does not keep the node from being started."""
    try:
        return load(file)
    except ConfigurationError:
        return load(file, profiles=Profiles(data_directory_in(file), without_trials=True))


def note_start(store: Store, *, now: datetime) -> None:
    """Count a process that begins in a trial; one that is one too many begins with what ran before."""
    record = store.record()
    entry = record.trial
    if entry is None or entry.trial is None or entry.artifact is ArtifactClass.PROGRAM:
        return  # the processes of a program are counted by their parent
    if entry.trial.starts >= MOST_STARTS:
        reason = f"{entry.trial.starts} processes of the node ended while {entry.trial.held.version} was tried"
        give_up_trial(store, reason, now=now)
        return
    try:
        store.save(record.with_entry(entry.started()))
    except OSError as error:
        _log.error("a start can't be counted", reason=str(error))


def give_up_trial(store: Store, reason: str, *, now: datetime, code: StepCode = StepCode.CRASHED) -> bool:
    """What ran before runs from now on; False where nothing was being tried, or where that can't be written down."""
    record = store.record()
    entry = record.trial
    if entry is None or entry.artifact is ArtifactClass.PROGRAM:
        return False
    _log.error("what was tried is given up", name=entry.name, reason=reason)
    try:
        store.save(record.with_entry(entry.given_up(now, code, reason)))
    except OSError as error:
        _log.error("that it is given up can't be written down", reason=str(error))
        return False
    return True
