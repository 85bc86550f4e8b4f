"""Zones and rules tried for whoever asks from afar (规则试算): the command `rules_try`, with the answer of the command line."""

import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from edge.configuration.candidate import candidates
from edge.contract.rules_try import RulesTryArguments
from edge.errors import CommandRefused, ConfigurationError
from edge.node.commands import Handler, Request
from edge.node.recollecting import Recollection
from edge.settings import NodeConfiguration
from edge.trial.answer import answer, try_cameras
from edge.trial.span import moment_of, since_of

_BREATH_S: Final = 0.0005
"""After each block of the memory, so that the threads that analyse need not wait."""


def rules_try_of(configuration: Callable[[], NodeConfiguration], recollection: Recollection) -> Handler:
    """The handler; the configuration is that of the moment in which it is asked."""

    def tried(request: Request) -> dict[str, Any]:
        def go_on() -> None:
            request.require_time()
            time.sleep(_BREATH_S)

        try:
            asked = msgspec.convert(dict(request.arguments), RulesTryArguments)
        except (msgspec.ValidationError, ValueError) as error:
            raise CommandRefused(f"not understood: {error}") from error
        present = configuration()
        directory = present.node.data_directory
        recollection.write()
        try:
            cameras = candidates(
                asked.zones or "", present.cameras, camera=request.device, unchanged=asked.zones is None
            )
            until = None if asked.until is None else moment_of(asked.until)
            trial = try_cameras(directory, cameras, since=since_of(asked.since), until=until, go_on=go_on)
        except ConfigurationError as error:
            raise CommandRefused(str(error)) from error
        return answer(trial, directory, background=asked.background)

    return tried
