"""Taking a new configuration in: asked for by a file in the data directory or by a signal, answered by another file.

`gridward-edge reload` leaves `reload.request` with a word of its own, the node answers with `reload.answer` that repeats it. Whoever may
write into the data directory may ask; what is taken in is always the file that the node was started with.
"""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import structlog

from edge.configuration.reading import examine
from edge.configuration.reload import Change, Fate
from edge.errors import ConfigurationError, EdgeError
from edge.masking import without_secrets
from edge.node.standing import Standing
from edge.node.status import read_status
from edge.rules.registry import reading_rule, scene_rule
from edge.settings import NodeConfiguration
from edge.sources.registry import check_reading_sources, frame_source_factory
from edge.sources.video_gateway import gateway_of

REQUEST: Final = "reload.request"
ANSWER: Final = "reload.answer"
ANSWER_IN_S: Final = 30.0
SUBJECT: Final = "configuration"
NOT_TAKEN: Final = "not_taken"
"""Worth knowing before the next restart, which reads the same file."""

_LOOK_EVERY_S: Final = 0.1
_LONGEST_WORD: Final = 64

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What became of a new configuration. Where it was not `taken` nothing has changed, and `problems` say why."""

    word: str
    taken: bool
    file: str
    at: str
    problems: tuple[str, ...] = ()
    parts: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """Ready for JSON."""
        told = asdict(self)
        del told["word"]
        return told

    def lines(self) -> Iterator[str]:
        """For people."""
        if not self.taken:
            yield from self.problems
            return
        moved = False
        for part, fates in self.parts.items():
            for fate, names in fates.items():
                if names and fate != Fate.KEPT.value:
                    moved = True
                    yield f"{part} {fate}: {', '.join(names)}"
        if not moved:
            yield "nothing had to be started, changed or stopped"


class ReloadDesk:
    """Serves the requests of one node; its housekeeping asks now and then. `take` takes a configuration in, all of it or, raising
    ConfigurationError, nothing.
    """

    def __init__(
        self,
        directory: Path,
        file: Path | None,
        take: Callable[..., Change],
        *,
        standing: Standing,
        clock: Callable[[], datetime],
    ) -> None:
        self._standing = standing
        self._directory = directory
        self._file = file
        self._take = take
        self._clock = clock
        self.taken = 0
        self.refused = 0

    def turn(self, *, signalled: bool) -> Reloaded | None:
        """Serve what waits; what came of it, None where nothing waits."""
        request = self._directory / REQUEST
        word = _word(request)
        if word is None and not signalled:
            return None
        request.unlink(missing_ok=True)
        result = self._reloaded(word or "")
        if result.taken:
            self.taken += 1
            self._standing.recover(SUBJECT, NOT_TAKEN)
            _log.info("a new configuration is taken in", file=result.file, **_moved(result))
        else:
            self.refused += 1
            _log.error("a new configuration is refused, nothing was changed", problems=list(result.problems))
            self._standing.degrade(SUBJECT, NOT_TAKEN, f"the node goes on with the one before; {result.problems[0]}")
        if word is not None:
            answer = self._directory / ANSWER
            unfinished = answer.with_name(f"{ANSWER}~")
            unfinished.write_text(json.dumps(asdict(result), ensure_ascii=False), encoding="utf-8")
            unfinished.replace(answer)
        return result

    def _reloaded(self, word: str) -> Reloaded:
        file, at = self._file, self._clock().isoformat()
        if file is None:
            return Reloaded(word, taken=False, file="", at=at, problems=("the node was not started with a file",))
        configuration, mistakes = examine(file)
        if configuration is None:
            told = tuple(mistake.text(file) for mistake in mistakes)
            return Reloaded(word, taken=False, file=str(file), at=at, problems=told)
        try:
            found = self._take(configuration)
        except ConfigurationError as error:
            return Reloaded(word, taken=False, file=str(file), at=at, problems=(without_secrets(str(error)),))
        return Reloaded(word, taken=True, file=str(file), at=at, parts=found.plain())


def rehearse(configuration: NodeConfiguration) -> None:
    """Make everything of a configuration that can be made without starting it. Raises ConfigurationError."""
    gateways = {gateway.id for gateway in configuration.gateways}
    for camera in configuration.cameras:
        for rule in camera.rules:
            scene_rule(rule, camera)
        frame_source_factory(camera)
        if gateway_of(camera.url) not in {None, *gateways}:
            raise ConfigurationError(f"camera {camera.id}: there is no gateway `{gateway_of(camera.url)}`")
    for device in configuration.devices:
        for standing in device.standing_rules:
            reading_rule(standing, device)
    check_reading_sources(configuration)


def ask_to_reload(
    directory: Path, *, monotonic_s: Callable[[], float] = time.monotonic, pause: Callable[[float], None] = time.sleep
) -> Reloaded:
    """Ask the node of a data directory, and wait for its answer. Raises EdgeError when none runs there, or none answers."""
    if not read_status(directory)["running"]:
        raise EdgeError(f"no node runs with the data directory {directory}; what it reads at its start is the new file")
    word = secrets.token_hex(8)
    unfinished = directory / f"{REQUEST}~"
    try:
        unfinished.write_text(word, encoding="ascii")
        unfinished.replace(directory / REQUEST)
    except OSError as error:
        raise EdgeError(f"the request can't be left in {directory}: {error.strerror}") from error
    until_s = monotonic_s() + ANSWER_IN_S
    while monotonic_s() < until_s:
        answer = _answer(directory / ANSWER)
        if answer is not None and answer.word == word:
            return answer
        pause(_LOOK_EVERY_S)
    (directory / REQUEST).unlink(missing_ok=True)
    raise EdgeError(f"the node has not answered within {ANSWER_IN_S:.0f} s; its log tells what it does")


def _answer(file: Path) -> Reloaded | None:
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        return Reloaded(**{**told, "problems": tuple(told["problems"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _word(request: Path) -> str | None:
    try:
        with request.open("rb") as opened:
            return opened.read(_LONGEST_WORD).decode("ascii", "replace")
    except OSError:
        return None


def _moved(result: Reloaded) -> dict[str, dict[str, list[str]]]:
    """What changed, without what was kept."""
    return {
        part: {fate: names for fate, names in fates.items() if names and fate != Fate.KEPT.value}
        for part, fates in result.parts.items()
    }
