"""What the commands share: settings with their mistakes in words, one transaction, answers for people or for programs."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import psycopg
import typer
from psycopg import Connection
from pydantic import ValidationError

from cloud.errors import ConfigurationError, Invalid
from cloud.settings import CloudSettings

AsJson = Annotated[bool, typer.Option("--json", help="Answer with JSON.")]


def read_settings() -> CloudSettings:
    """The settings of the environment. Raises ConfigurationError, which names what is wrong."""
    try:
        return CloudSettings()
    except ValidationError as error:
        reasons = "; ".join(
            f"GRIDWARD_{'_'.join(str(part) for part in fault['loc']).upper()}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)
        )
        raise ConfigurationError(reasons) from error


@contextmanager
def transaction() -> Iterator[Connection[Any]]:
    """A connection to the database of the settings, committed at the end."""
    url = read_settings().database_url.get_secret_value()
    with psycopg.connect(url, options="-c timezone=UTC", connect_timeout=10) as conn:
        yield conn


def now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


def tell(value: object, *, as_json: bool, text: str) -> None:
    """Answer on stdout."""
    typer.echo(json.dumps(value, ensure_ascii=False, default=str) if as_json else text)


def confirm(question: str, *, refusal: str, as_json: bool) -> None:
    """Ask a person; where nobody can answer, Invalid says with `refusal` how to say it beforehand."""
    if as_json or not sys.stdin.isatty():
        raise Invalid(refusal)
    typer.confirm(question, abort=True)


def progress(line: str) -> None:
    """Say on stderr how far something is."""
    typer.echo(line, err=True)
