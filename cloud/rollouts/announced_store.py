"""Statements on what nodes announce with their types. All take a connection; none commits."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg import Connection

from cloud.db.queries import load
from edge.contract.artifacts import RunningArtifact, StepReport

_queries = load("cloud.rollouts")


def keep_artifacts(conn: Connection[Any], node_id: int, told: Sequence[RunningArtifact], *, at: datetime) -> None:
    """What the node runs, and nothing else."""
    ordered = sorted({(each.artifact, each.name): each for each in told}.items())
    _queries.keep_artifacts(
        conn,
        node_id=node_id,
        artifact=[each.artifact for _, each in ordered],
        name=[each.name for _, each in ordered],
        version=[each.version for _, each in ordered],
        sha256=[each.sha256 for _, each in ordered],
        at=at,
    )


def keep_reports(conn: Connection[Any], node_id: int, told: Sequence[StepReport], *, at: datetime) -> None:
    """How far the node is with its orders, and nothing else."""
    ordered = [each for _, each in sorted({(each.artifact, each.name): each for each in told}.items())]
    _queries.keep_reports(
        conn,
        node_id=node_id,
        artifact=[each.artifact for each in ordered],
        name=[each.name for each in ordered],
        desired_id=[each.desired_id for each in ordered],
        version=[each.version for each in ordered],
        sha256=[each.sha256 for each in ordered],
        state=[each.state for each in ordered],
        code=[each.code for each in ordered],
        reason=[each.reason for each in ordered],
        told_at=[each.at for each in ordered],
        at=at,
    )


def versions(conn: Connection[Any], *, scope: str) -> list[Any]:
    """Each version that runs anywhere in scope, as rows of the API."""
    return list(_queries.versions(conn, scope=scope))


def node_versions(
    conn: Connection[Any],
    *,
    scope: str,
    artifact: str | None,
    name: str | None,
    only_drifting: bool,
    after: tuple[str, ...],
    count: int,
) -> list[Any]:
    """What is wanted of nodes and what they announce, as rows of the API."""
    return list(
        _queries.node_versions(
            conn,
            scope=scope,
            artifact=artifact,
            name=name,
            only_drifting=only_drifting,
            after_node=after[0],
            after_artifact=after[1],
            after_name=after[2],
            count=count,
        )
    )
