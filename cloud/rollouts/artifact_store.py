"""Statements on registered artifacts with their types. All take a connection; none commits."""

from datetime import datetime
from typing import Any

from psycopg import Connection

from cloud.db.queries import load
from cloud.rollouts.model import Artifact
from firmware_configs.signature import Signature

_queries = load("cloud.rollouts")


def add_artifact(conn: Connection[Any], signature: Signature, *, added_by: str, now: datetime) -> bool:
    """Register a signed file; False where the version is registered already."""
    added = _queries.add_artifact(
        conn,
        kind=signature.artifact.value,
        name=signature.name,
        version=signature.version,
        sha256=signature.sha256,
        size_bytes=signature.size_bytes,
        signed_at=signature.signed_at,
        key=signature.key,
        sig=signature.sig,
        added_by=added_by,
        added_at=now,
    )
    return added is not None


def artifact_of_version(conn: Connection[Any], kind: str, name: str, version: str) -> Artifact | None:
    """What is registered under a version."""
    return _artifact(_queries.artifact_of_version(conn, kind=kind, name=name, version=version))


def artifact_of_id(conn: Connection[Any], artifact_id: int) -> Artifact | None:
    """One artifact."""
    return _artifact(_queries.artifact_of_id(conn, id=artifact_id))


def artifact_of_hash(conn: Connection[Any], sha256: str) -> Artifact | None:
    """One of those that have these bytes."""
    return _artifact(_queries.artifact_of_hash(conn, sha256=sha256))


def artifacts(
    conn: Connection[Any],
    *,
    kind: str | None = None,
    name: str | None = None,
    after: int | None = None,
    count: int = 50,
) -> list[Artifact]:
    """What is registered, the newest first."""
    rows = _queries.artifacts(conn, kind=kind, name=name, after=after, count=count)
    return [Artifact(*row) for row in rows]


def mark_stored(conn: Connection[Any], sha256: str, *, now: datetime) -> bool:
    """Note that the bytes are here; False when that was known."""
    return bool(_queries.mark_stored(conn, sha256=sha256, now=now))


def _artifact(row: Any) -> Artifact | None:
    return None if row is None else Artifact(*row)
