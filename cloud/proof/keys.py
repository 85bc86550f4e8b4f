"""The key that signs chains and exports: made at its first use, in a file beside the other keys, and followed by another on demand."""

from datetime import datetime
from pathlib import Path
from typing import Any

from psycopg import Connection

from cloud.proof import store
from cloud.proof.chain import succession_statement
from cloud.settings import CloudSettings
from cloud.signing import Signer


def key_file(settings: CloudSettings) -> Path:
    """Where the key lies. Machines that share the work share the file, or each has its own key to be trusted."""
    return settings.data_directory.resolve() / "keys" / "proof.key"


def signer_of(settings: CloudSettings) -> Signer:
    """The key in use. Raises ConfigurationError."""
    return Signer.at(key_file(settings))


def rotate(conn: Connection[Any], settings: CloudSettings, *, now: datetime) -> Signer:
    """Make the key that follows and let the present one sign it, in the caller's transaction; `put_in_place` ends it after the commit.

    Whoever trusts the fingerprint of the old one believes the new one. Raises ConfigurationError.
    """
    store.lock_chain(conn)
    file = key_file(settings)
    present, successor = Signer.at(file), Signer.at(_next(file))
    store.note_key(conn, present.public_key, now=now)
    store.endorse_key(
        conn,
        successor.public_key,
        endorsed_by=present.public_key,
        endorsement=present.sign(succession_statement(successor.public_key)),
        now=now,
    )
    return successor


def put_in_place(settings: CloudSettings) -> None:
    """Use the key that `rotate` made; the private half of the one before is gone with that."""
    file = key_file(settings)
    _next(file).replace(file)


def _next(file: Path) -> Path:
    return file.with_name(f"{file.name}.next")
