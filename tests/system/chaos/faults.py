"""The faults: a closed set, each with what it does to the world and what undoes it."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tests.system.chaos.load import Load
from tests.system.chaos.proxy import FAIR, Conduct, Weather
from tests.system.chaos.world import Link, Part, World, wait_for

QUOTA_MESSAGES = 260
"""Messages of the bank (100 readings each) that fill the node's small quota (1 MiB for readings) more than once."""

UPLOAD_PATIENCE_S = 4.0
"""A car crosses a line more often than that."""


class Fault(StrEnum):
    """What can happen."""

    KILL_EDGE = "kill_edge"
    KILL_INGEST = "kill_ingest"
    KILL_API = "kill_api"
    KILL_API_IN_UPLOAD = "kill_api_in_upload"
    KILL_JOBS = "kill_jobs"
    KILL_BROKER = "kill_broker"
    KILL_DATABASE = "kill_database"
    FREEZE_EDGE = "freeze_edge"
    FREEZE_INGEST = "freeze_ingest"
    FREEZE_BROKER = "freeze_broker"
    FREEZE_DATABASE = "freeze_database"
    CUT_EDGE_BROKER = "cut_edge_broker"
    CUT_EDGE_HTTPS = "cut_edge_https"
    CUT_CLOUD_BROKER = "cut_cloud_broker"
    CUT_CLOUD_DATABASE = "cut_cloud_database"
    DELAY_EDGE_BROKER = "delay_edge_broker"
    DELAY_EDGE_HTTPS = "delay_edge_https"
    DELAY_CLOUD_BROKER = "delay_cloud_broker"
    DELAY_CLOUD_DATABASE = "delay_cloud_database"
    THROTTLE_EDGE_BROKER = "throttle_edge_broker"
    HALVE_EDGE_BROKER = "halve_edge_broker"
    HALVE_EDGE_HTTPS = "halve_edge_https"
    HALVE_CLOUD_BROKER = "halve_cloud_broker"
    HALVE_CLOUD_DATABASE = "halve_cloud_database"
    BLACK_HOLE_EDGE_BROKER = "black_hole_edge_broker"
    BLACK_HOLE_EDGE_HTTPS = "black_hole_edge_https"
    BLACK_HOLE_CLOUD_BROKER = "black_hole_cloud_broker"
    BLACK_HOLE_CLOUD_DATABASE = "black_hole_cloud_database"
    QUOTA_FULL = "quota_full"


Deed = Callable[[World, Load], None]


@dataclass(frozen=True, slots=True)
class Injury:
    """A fault: on what, for how long at random, and how. Two faults on one target never overlap."""

    target: str
    shortest_s: float
    longest_s: float
    inflict: Deed
    lift: Deed


def _killed(part: Part, shortest_s: float = 1.0, longest_s: float = 8.0) -> Injury:
    return Injury(
        part.value,
        shortest_s,
        longest_s,
        inflict=lambda world, _load: world.kill(part),
        lift=lambda world, _load: world.restore(part),
    )


def _frozen(part: Part) -> Injury:
    return Injury(
        part.value,
        2.0,
        12.0,
        inflict=lambda world, _load: world.freeze(part),
        lift=lambda world, _load: world.thaw(part),
    )


def _weather(link: Link, weather: Weather, shortest_s: float = 2.0, longest_s: float = 12.0) -> Injury:
    return Injury(
        link.value,
        shortest_s,
        longest_s,
        inflict=lambda world, _load: world.proxies[link].turn(weather),
        lift=lambda world, _load: world.proxies[link].turn(FAIR),
    )


def _fill(world: World, load: Load) -> None:
    world.proxies[Link.EDGE_BROKER].turn(Weather(Conduct.REFUSE))
    load.burst(QUOTA_MESSAGES)


def _await_upload(world: World) -> None:
    """The way becomes narrow, so that a file is under way long enough to be hit."""
    world.proxies[Link.EDGE_HTTPS].turn(_TRICKLE)
    with contextlib.suppress(TimeoutError):
        wait_for("upload", lambda: world.is_uploading or None, timeout_s=UPLOAD_PATIENCE_S, every_s=0.01)


def _kill_in_upload(world: World, _load: Load) -> None:
    _await_upload(world)
    world.kill(Part.API)


def _swallow_upload(world: World, _load: Load) -> None:
    _await_upload(world)
    world.proxies[Link.EDGE_HTTPS].turn(_SILENT)


def _restore_api(world: World, _load: Load) -> None:
    world.restore(Part.API)
    world.proxies[Link.EDGE_HTTPS].turn(FAIR)


_CUT = Weather(Conduct.REFUSE)
_SILENT = Weather(Conduct.BLACK_HOLE)
_HALVED = Weather(Conduct.HALVE)
_SLOW = Weather(Conduct.DELAY, delay_s=0.4)
_SLOW_DATABASE = Weather(Conduct.DELAY, delay_s=0.05)
"""A transaction asks the database a few dozen times."""
_TRICKLE = Weather(Conduct.THROTTLE, bytes_per_s=24_576.0)
_NARROW = Weather(Conduct.THROTTLE, bytes_per_s=8_192.0)

INJURIES: Mapping[Fault, Injury] = {
    Fault.KILL_EDGE: _killed(Part.EDGE, 0.0, 0.0),  # its supervisor brings it back
    Fault.KILL_INGEST: _killed(Part.INGEST),
    Fault.KILL_API: _killed(Part.API),
    Fault.KILL_API_IN_UPLOAD: Injury(Link.EDGE_HTTPS.value, 1.0, 8.0, inflict=_kill_in_upload, lift=_restore_api),
    Fault.KILL_JOBS: _killed(Part.JOBS),
    Fault.KILL_BROKER: _killed(Part.BROKER),
    Fault.KILL_DATABASE: _killed(Part.DATABASE),
    Fault.FREEZE_EDGE: _frozen(Part.EDGE),
    Fault.FREEZE_INGEST: _frozen(Part.INGEST),
    Fault.FREEZE_BROKER: _frozen(Part.BROKER),
    Fault.FREEZE_DATABASE: _frozen(Part.DATABASE),
    Fault.CUT_EDGE_BROKER: _weather(Link.EDGE_BROKER, _CUT),
    Fault.CUT_EDGE_HTTPS: _weather(Link.EDGE_HTTPS, _CUT),
    Fault.CUT_CLOUD_BROKER: _weather(Link.CLOUD_BROKER, _CUT),
    Fault.CUT_CLOUD_DATABASE: _weather(Link.CLOUD_DATABASE, _CUT),
    Fault.DELAY_EDGE_BROKER: _weather(Link.EDGE_BROKER, _SLOW),
    Fault.DELAY_EDGE_HTTPS: _weather(Link.EDGE_HTTPS, _SLOW),
    Fault.DELAY_CLOUD_BROKER: _weather(Link.CLOUD_BROKER, _SLOW),
    Fault.DELAY_CLOUD_DATABASE: _weather(Link.CLOUD_DATABASE, _SLOW_DATABASE),
    Fault.THROTTLE_EDGE_BROKER: _weather(Link.EDGE_BROKER, _NARROW),
    Fault.HALVE_EDGE_BROKER: _weather(Link.EDGE_BROKER, _HALVED),
    Fault.HALVE_EDGE_HTTPS: _weather(Link.EDGE_HTTPS, _HALVED),
    Fault.HALVE_CLOUD_BROKER: _weather(Link.CLOUD_BROKER, _HALVED),
    Fault.HALVE_CLOUD_DATABASE: _weather(Link.CLOUD_DATABASE, _HALVED),
    Fault.BLACK_HOLE_EDGE_BROKER: _weather(Link.EDGE_BROKER, _SILENT),
    Fault.BLACK_HOLE_EDGE_HTTPS: Injury(
        Link.EDGE_HTTPS.value,
        2.0,
        12.0,
        inflict=_swallow_upload,
        lift=lambda world, _load: world.proxies[Link.EDGE_HTTPS].turn(FAIR),
    ),
    Fault.BLACK_HOLE_CLOUD_BROKER: _weather(Link.CLOUD_BROKER, _SILENT),
    Fault.BLACK_HOLE_CLOUD_DATABASE: _weather(Link.CLOUD_DATABASE, _SILENT),
    Fault.QUOTA_FULL: Injury(
        Link.EDGE_BROKER.value,
        2.0,
        4.0,
        inflict=_fill,
        lift=lambda world, _load: world.proxies[Link.EDGE_BROKER].turn(FAIR),
    ),
}
"""One row per fault; a test sees to it that none is missing."""
