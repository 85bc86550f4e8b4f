"""Secrets stand in files, never in the configuration, the environment or a log."""

import stat
from pathlib import Path

import structlog

from edge.errors import ConfigurationError

LONGEST_SECRET = 4_096

_log = structlog.get_logger(__name__)


def read_secret(file: Path | None) -> str | None:
    """The secret in a file, without white space around it; None for no file. Raises ConfigurationError."""
    if file is None:
        return None
    try:
        if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            _log.warning("others may read a secret; `chmod 600` it", file=str(file))
        with file.open("r", encoding="utf-8") as opened:
            secret = opened.read(LONGEST_SECRET + 1).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the secret in {file} can't be read: {error}") from error
    if not secret or len(secret) > LONGEST_SECRET or not secret.isprintable():
        raise ConfigurationError(f"{file} has to hold one line with the secret and nothing else")
    return secret
