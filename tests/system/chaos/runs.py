"""Whole runs, each in a world of its own: a seed, a table of single faults, a defect."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cloud.embedded.broker import BrokerKind
from tests.system.chaos.campaign import Outcome, Recovery, Say, quiet, recover, run
from tests.system.chaos.defects import Defect, commands, telling
from tests.system.chaos.faults import Fault
from tests.system.chaos.load import Amount, Load
from tests.system.chaos.schedule import draw
from tests.system.chaos.world import AS_DEPLOYED, World

SHORT_FAULTS = (
    Fault.KILL_EDGE,
    Fault.KILL_INGEST,
    Fault.KILL_API_IN_UPLOAD,
    Fault.KILL_BROKER,
    Fault.KILL_DATABASE,
    Fault.FREEZE_EDGE,
    Fault.CUT_CLOUD_DATABASE,
    Fault.HALVE_EDGE_HTTPS,
    Fault.HALVE_CLOUD_BROKER,
    Fault.QUOTA_FULL,
)
SHORT_SEED = 3
SHORT_S = 18.0
SHORT_AMOUNT = Amount(SHORT_S, rounds=60, bank_messages=10, crossings_per_switch=4)

LONG_S = 45.0
LONG_COUNT = 16
LONG_AMOUNT = Amount(LONG_S, rounds=400, bank_messages=36, crossings_per_switch=20)
"""20,000 readings and 200 incidents, and what a full quota adds."""

SINGLE_S = 6.0
"""How long a single fault lasts: longer than every first patience."""

TELLING_AMOUNT = Amount(13.5, rounds=80, bank_messages=10, crossings_per_switch=3)


@contextmanager
def world_of(broker: BrokerKind, *, defect: Defect | None = None) -> Iterator[World]:
    """A world in a short-lived folder. It is left where it is after an error, or where the judge has found something: the
    logs say why.
    """
    directory = Path(tempfile.mkdtemp(prefix="gridward-chaos-"))
    directory.chmod(0o711)
    world = World(directory, broker=broker, commands=AS_DEPLOYED if defect is None else commands(defect))
    try:
        with world:
            yield world
    except Exception as error:
        error.add_note(f"the folder of this run is kept: {directory}")
        raise
    if not world.is_evidence:
        shutil.rmtree(directory, ignore_errors=True)


def _kept_if_bad(world: World, outcome: Outcome) -> Outcome:
    if not outcome.verdict.good or outcome.drained_s is None:
        world.is_evidence = True
        outcome.verdict.words.append(f"the folder of this run is kept: {world.directory}")
    return outcome


def short_run(broker: BrokerKind, *, say: Say = quiet) -> Outcome:
    """One short seed."""
    episodes = draw(SHORT_SEED, seconds=SHORT_S, count=len(SHORT_FAULTS), faults=SHORT_FAULTS)
    with world_of(broker) as world, Load(world.devices, world.sources.port) as load:
        return _kept_if_bad(world, run(world, load, episodes, SHORT_AMOUNT, say=say))


def long_run(seed: int, broker: BrokerKind, *, say: Say = quiet) -> Outcome:
    """One long seed: 200 incidents, 20,000 readings and more."""
    episodes = draw(seed, seconds=LONG_S, count=LONG_COUNT)
    with world_of(broker) as world, Load(world.devices, world.sources.port) as load:
        return _kept_if_bad(world, run(world, load, episodes, LONG_AMOUNT, say=say))


def single_faults(broker: BrokerKind, faults: tuple[Fault, ...], *, say: Say = quiet) -> Iterator[Recovery]:
    """Each fault alone, one after the other in one world; findings of an earlier one are not counted again."""
    since = datetime.now(UTC) - timedelta(minutes=1)
    with world_of(broker) as world, Load(world.devices, world.sources.port) as load:
        known = (0, 0, 0)
        for fault in faults:
            found = recover(world, load, fault, SINGLE_S, since)
            verdict = found.verdict
            counts = (verdict.lost, verdict.twice, verdict.wrong)
            verdict.lost, verdict.twice, verdict.wrong = (
                max(0, now - before) for now, before in zip(counts, known, strict=True)
            )
            known = counts
            say(f"{broker} {fault.value}: {found.recovery_s} s, lost {verdict.lost}, twice {verdict.twice}")
            yield found


def defective_run(defect: Defect | None, broker: BrokerKind = BrokerKind.MOSQUITTO, *, say: Say = quiet) -> Outcome:
    """The telling schedule, with a defect or without."""
    with world_of(broker, defect=defect) as world, Load(world.devices, world.sources.port) as load:
        patience_s = 30.0 if defect is None else 3.0
        outcome = run(
            world, load, telling(defect), TELLING_AMOUNT, drain_s=60.0, judged_for_s=patience_s, rollups=False, say=say
        )
        return outcome if defect is not None else _kept_if_bad(world, outcome)
