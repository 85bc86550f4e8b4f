"""Looks at the database, the API and the node: what is there now, as the judge wants it."""

import hashlib
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import Connection

from edge.contract.telemetry import to_microseconds
from tests.system.chaos.camera import CAMERA
from tests.system.chaos.judge import DeclaredGap, KeptFile, NamedPicture, Observation, SeenIncident
from tests.system.chaos.truth import Truth
from tests.system.chaos.world import NODE, World

_VALUES = """
select device.name, series.point, reading.observed_at, reading.value
from reading
join series on series.id = reading.series_id
join device on device.id = series.device_id
order by device.name, series.point, reading.observed_at
"""
_LATEST = """
select device.name, series.point, latest.observed_at, latest.value
from latest
join series on series.id = latest.series_id
join device on device.id = series.device_id
"""
_STATES = """
select device.name, state_change.point, state_change.observed_at, state_change.value
from state_change
join device on device.id = state_change.device_id
order by device.name, state_change.point, state_change.observed_at
"""
_GAPS = """
select device.name, gap.from_at, gap.to_at, gap.count, gap.reason
from gap
join device on device.id = gap.device_id
"""
_INCIDENTS = """
select incident.incident_id, incident.device, incident.started_at, incident.ended_at, incident.state, incident.revision,
    array(select revision from incident_revision where incident_id = incident.id order by revision),
    (select count(*) from case_incident where incident_id = incident.id)
from incident
where incident.device = any(%s)
order by incident.device, incident.started_at
"""
_PICTURES = """
select distinct incident.incident_id, file ->> 'sha256', (file ->> 'bytes')::bigint, evidence.stored_at is not null
from incident_revision
join incident on incident.id = incident_revision.incident_id
cross join jsonb_array_elements(convert_from(incident_revision.raw, 'UTF8')::jsonb -> 'body' -> 'evidence') as file
left join evidence on evidence.node = incident.node and evidence.sha256 = file ->> 'sha256'
"""
"""As the messages that came name them, whatever the cloud has made of it."""

_CASES = "select count(*) from grid_case where device = any(%s)"
_WRONG_MINUTES = """
with recount as (
    select series_id, date_bin('1 minute', observed_at, 'epoch') as bucket_at,
        count(*) as count, sum(value) as total, min(value) as minimum, max(value) as maximum
    from reading group by 1, 2
)
select count(*)
from recount full join rollup_minute as kept using (series_id, bucket_at)
where (recount.count, recount.minimum, recount.maximum) is distinct from (kept.count, kept.minimum, kept.maximum)
    or abs(recount.total - kept.total) > 1e-6 * abs(recount.total)
"""
_WRONG_HOURS = """
with recount as (
    select series_id, date_bin('1 hour', observed_at, 'epoch') as bucket_at,
        count(*) as count, sum(value) as total, min(value) as minimum, max(value) as maximum
    from reading group by 1, 2
)
select count(*)
from recount full join rollup_hour as kept using (series_id, bucket_at)
where (recount.count, recount.minimum, recount.maximum) is distinct from (kept.count, kept.minimum, kept.maximum)
    or abs(recount.total - kept.total) > 1e-6 * abs(recount.total)
"""
_MISSING = """
select node_lane.lane, node_lane.highest_seq - node_lane.received
from node_lane
join node on node.id = node_lane.node_id and node.session = node_lane.session
"""

_HASH_LENGTH = 64


def observe(world: World, truth: Truth, *, since: datetime) -> Observation:
    """What is there at this moment; charts are read from `since` on."""
    status = world.status()
    charted = charted_gaps(world, since)
    with world.connection() as connection:
        connection.execute("set transaction isolation level repeatable read")
        values = _values(connection)
        states = connection.execute(_STATES).fetchall()
        gaps = [_gap(row) for row in connection.execute(_GAPS)]
        alarms = [device.name for device in truth.devices.values() if device.alarms]
        counted = {*truth.devices, CAMERA}
        return Observation(
            values=values,
            states=_words(states, truth),
            latest={(row[0], row[1]): (to_microseconds(row[2]), row[3]) for row in connection.execute(_LATEST)},
            gaps=gaps,
            charted_gaps=charted,
            incidents=[_incident(row) for row in connection.execute(_INCIDENTS, [alarms])],
            cases=_count(connection, _CASES, alarms),
            wrong_rollups=_count(connection, _WRONG_MINUTES) + _count(connection, _WRONG_HOURS),
            missing_by_lane={lane: int(count) for lane, count in connection.execute(_MISSING)},
            quarantined=_count(connection, "select count(*) from quarantine"),
            dead_letters=_count(connection, "select count(*) from dead_letter"),
            rows=sum(len(stored) for (device, _), stored in values.items() if device in counted)
            + sum(row[0] in counted for row in states),
            dropped=sum(gap.count for gap in gaps if gap.device in counted),
            sightings=[_incident(row) for row in connection.execute(_INCIDENTS, [[CAMERA]])],
            pictures=[NamedPicture(str(row[0]), *row[1:]) for row in connection.execute(_PICTURES)],
            kept_files=_without_artifacts(connection, kept_files(world)),
            revisions=_count(connection, "select count(*) from incident_revision"),
            node_accepted=status["outbox"]["readings_accepted"],
            node_waiting=status["outbox"]["readings_waiting"],
            node_revisions=status["outbox"]["incidents_accepted"],
            node_pictures_waiting=status["evidence"]["files_waiting"],
            node_pictures_refused=status["outbox"]["evidence_refused"],
        )


def _without_artifacts(connection: Connection[Any], files: dict[str, KeptFile]) -> dict[str, KeptFile]:
    """What nodes are given lies in the same store, each file whole and under its own hash; no incident names it."""
    given = {row[0] for row in connection.execute("select sha256 from artifact")}
    return {name: file for name, file in files.items() if name not in given or file.sha256 != name}


def kept_files(world: World) -> dict[str, KeptFile]:
    """What lies in the cloud's store, looked at itself."""
    found = {}
    for path in world.evidence_directory.rglob("*"):
        if path.is_file() and len(path.name) == _HASH_LENGTH:
            content = path.read_bytes()
            found[path.name] = KeptFile(hashlib.sha256(content).hexdigest(), len(content))
    return found


def charted_gaps(world: World, since: datetime) -> list[DeclaredGap]:
    """The gaps that the API tells with the series of each device, as the page draws them."""
    found = []
    until = datetime.now(UTC) + timedelta(minutes=1)
    after: dict[str, Any] = {}
    while True:
        page = world.get("/devices", limit=200, **after)
        for device in page["items"]:
            numbers = [point["name"] for point in device["points"] if point["kind"] == "number"]
            if device["node"] != NODE or not numbers:
                continue
            series = world.get(
                f"/devices/{device['id']}/points/{numbers[0]}/series",
                **{"from": since.isoformat(), "to": until.isoformat(), "step": "hour"},
            )
            found += [
                DeclaredGap(
                    device["device"],
                    to_microseconds(datetime.fromisoformat(gap["from_at"])),
                    to_microseconds(datetime.fromisoformat(gap["to_at"])),
                    gap["count"],
                    gap["reason"],
                )
                for gap in series["gaps"]
            ]
        if page["next"] is None:
            return found
        after = {"after": page["next"]}


def waiting(world: World) -> dict[str, int]:
    """What is still under way: on the node, and rollups that are out of date."""
    status = world.status()
    outbox = status["outbox"]
    with world.connection() as connection:
        return {
            "readings": outbox["readings_waiting"],
            "messages": sum(outbox["messages_waiting"].values()),
            "pictures": status["evidence"]["files_waiting"],
            "rollups": _count(connection, "select count(*) from touched_minute")
            + _count(connection, "select count(*) from touched_hour"),
        }


def _values(connection: Connection[Any]) -> dict[tuple[str, str], list[tuple[int, float]]]:
    found: dict[tuple[str, str], list[tuple[int, float]]] = defaultdict(list)
    for device, point, observed_at, value in connection.execute(_VALUES):
        found[device, point].append((to_microseconds(observed_at), value))
    return found


def _words(rows: list[Any], truth: Truth) -> dict[str, list[tuple[int, str]]]:
    found: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for device, point, observed_at, value in rows:
        known = truth.devices.get(device)
        if known is not None and known.state == point:
            found[device].append((to_microseconds(observed_at), value))
    return found


def _gap(row: Any) -> DeclaredGap:
    return DeclaredGap(row[0], to_microseconds(row[1]), to_microseconds(row[2]), int(row[3]), row[4])


def _incident(row: Any) -> SeenIncident:
    return SeenIncident(
        incident_id=str(row[0]),
        device=row[1],
        started_us=to_microseconds(row[2]),
        ended_us=None if row[3] is None else to_microseconds(row[3]),
        state=row[4],
        revision=row[5],
        revisions=tuple(row[6]),
        cases=row[7],
    )


def _count(connection: Connection[Any], statement: str, *parameters: Any) -> int:
    row = connection.execute(statement, parameters or None).fetchone()
    return 0 if row is None else int(row[0])
