"""Statements on what nodes announce with their types. All take a connection; none commits."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg import Connection

from cloud.db.queries import load
from cloud.rollouts.model import FIRMWARE
from edge.contract.artifacts import DeviceFirmware, RunningArtifact, StepReport

_queries = load("cloud.rollouts")


def keep_artifacts(
    conn: Connection[Any],
    node_id: int,
    told: Sequence[RunningArtifact],
    firmware: Sequence[DeviceFirmware] = (),
    *,
    at: datetime,
) -> None:
    """What the node and its devices run, and nothing else."""
    running = {(each.artifact, each.name, ""): (each.version, each.sha256) for each in told}
    running |= {(FIRMWARE, each.name, each.device): (each.version, "") for each in firmware}
    ordered = sorted(running.items())
    _queries.keep_artifacts(
        conn,
        node_id=node_id,
        artifact=[artifact for (artifact, _, _), _ in ordered],
        name=[name for (_, name, _), _ in ordered],
        device=[device for (_, _, device), _ in ordered],
        version=[version for _, (version, _) in ordered],
        sha256=[sha256 for _, (_, sha256) in ordered],
        at=at,
    )


def keep_reports(conn: Connection[Any], node_id: int, told: Sequence[StepReport], *, at: datetime) -> None:
    """How far the node is with its orders, those for its devices included, and nothing else."""
    known = {(each.artifact, each.name, each.device or ""): each for each in told}
    ordered = [each for _, each in sorted(known.items())]
    _queries.keep_reports(
        conn,
        node_id=node_id,
        artifact=[each.artifact for each in ordered],
        name=[each.name for each in ordered],
        device=[each.device or "" for each in ordered],
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
            after_device=after[3],
            count=count,
        )
    )
