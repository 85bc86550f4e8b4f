from typing import Any

from edge.node.wording import status_lines

STATUS: dict[str, Any] = {
    "node": "station-01",
    "running": True,
    "age_s": 0.6,
    "written_at": "2026-03-01T08:10:00+00:00",
    "uplink": {
        "connected": True,
        "connected_since": "2026-03-01T08:00:00+00:00",
        "connections": 3,
        "in_flight": 2,
        "sent": 100,
        "resent": 4,
    },
    "outbox": {
        "level": "warning",
        "share": 0.625,
        "readings_waiting": 1_000,
        "messages_waiting": {"up/incident": 2, "up/telemetry": 3, "up/gap": 1},
        "incidents_unsaved": 1,
        "readings_lost": 6,
        "incidents_lost": 1,
        "oldest_waiting": "2026-03-01T05:00:00+00:00",
        "used_bytes": 280 << 20,
        "room_bytes": 448 << 20,
        "quota_bytes": 512 << 20,
        "dropped": [
            {
                "device": "pile-1",
                "reason": "quota",
                "count": 12,
                "from_at": "2026-03-01T01:00:00+00:00",
                "to_at": "2026-03-01T02:00:00+00:00",
            }
        ],
        "dead_letters": [
            {
                "subject": "incident",
                "reason": "data",
                "count": 2,
                "first_at": "2026-03-01T01:00:00+00:00",
                "last_at": "2026-03-01T02:00:00+00:00",
            }
        ],
    },
    "evidence": {
        "files_waiting": 4,
        "oldest_waiting": "2026-02-27T08:00:00+00:00",
        "used_bytes": 1 << 20,
        "quota_bytes": 1024 << 20,
        "left_out": 2,
    },
    "cameras": {"cam-1": {"decoded": 7}},
    "gates": {
        "cam-1": {"state": "watching", "reason": "still", "stretches": 3, "audited_s": 36.2, "found": 4, "missed": 1},
        "cam-2": {
            "state": "unsuited",
            "reason": "sizes_tell_nothing",
            "stretches": 0,
            "audited_s": 0.0,
            "found": 0,
            "missed": 0,
        },
    },
    "degraded": [
        {"subject": "cam-1", "reason": "picture_lost", "detail": "no route", "since": "2026-03-01T08:09:00+00:00"}
    ],
}


def test_the_status_says_what_waits_since_when_and_what_was_lost_and_why() -> None:
    assert status_lines(STATUS) == [
        "station-01: running (written 0.6 s ago)",
        "uplink: connected since 2026-03-01 08:00:00Z (10 min), 2 in flight, 3 connections, 4 of 100 sent again",
        "outbox: 1000 readings, 2 incidents and 4 other messages wait, the oldest since 2026-03-01 05:00:00Z (3 h)",
        "outbox: 62 % used (warning): 280.0 of 448.0 MiB for readings, quota 512.0 MiB",
        "outbox: 1 incidents wait in memory: the disk takes nothing",
        "lost with a damaged disk: 6 readings (declared) and 1 revisions of incidents",
        "dropped: 12 readings of pile-1, from 2026-03-01 01:00:00Z to 2026-03-01 02:00:00Z: quota, declared",
        "rejected by the cloud: 2 × incident: data, last at 2026-03-01 02:00:00Z",
        "evidence: 4 files wait, 1.0 of 1024.0 MiB, the oldest since 2026-02-27 08:00:00Z (2 d)",
        "evidence: 2 files found no room since the start",
        "camera cam-1: decoded 7",
        "gate of cam-1: watching (still), audited for 36 s: 4 movements found with everything decoded and by the gate, 1 missed by the gate",
        "gate of cam-2: unsuited (sizes tell nothing), not audited yet",
        "degraded: cam-1: picture_lost: no route (since 2026-03-01 08:09:00Z (60 s))",
    ]


def test_nothing_waits_and_nothing_was_lost() -> None:
    outbox = STATUS["outbox"] | {
        "readings_waiting": 0,
        "messages_waiting": {},
        "incidents_unsaved": 0,
        "oldest_waiting": None,
        "readings_lost": 0,
        "incidents_lost": 0,
        "dropped": [],
        "dead_letters": [],
    }
    evidence = STATUS["evidence"] | {"files_waiting": 0, "oldest_waiting": None, "left_out": 0}
    lines = status_lines(STATUS | {"outbox": outbox, "evidence": evidence})
    assert "outbox: 0 readings, 0 incidents and 0 other messages wait" in lines
    assert "dropped: nothing" in lines


def test_of_many_drops_the_first_are_named() -> None:
    drop = STATUS["outbox"]["dropped"][0]
    outbox = STATUS["outbox"] | {"dropped": [drop | {"device": f"pile-{number}"} for number in range(25)]}
    lines = [line for line in status_lines(STATUS | {"outbox": outbox}) if line.startswith("dropped")]
    assert len(lines) == 21
    assert "5 more" in lines[-1]


def test_a_node_that_never_ran_and_a_status_of_another_version() -> None:
    assert status_lines({"running": False, "reason": "no status"}) == ["no status"]
    old = {key: value for key, value in STATUS.items() if key != "evidence"}
    assert "--json" in status_lines(old)[0]


def test_commands_are_told_of_once_there_were_any() -> None:
    commands = {"answered": {"log_tail done": 5, "log_tail failed": 1}, "refused": {"busy": 2}}
    lines = [line for line in status_lines({**STATUS, "commands": commands}) if line.startswith("commands")]
    assert lines == ["commands answered: log_tail done 5, log_tail failed 1", "commands refused: busy 2"]
    for without in (STATUS, {**STATUS, "commands": {"answered": {}, "refused": {}}}):
        assert not any(line.startswith("commands") for line in status_lines(without))


def test_the_wall_is_told_of_once_somebody_has_looked() -> None:
    wall = {"shown": ["cam-1"], "leases": 2, "made": 9, "sent": 7, "skipped": 3, "refused": 1, "turned_away": 4}
    [line] = [line for line in status_lines({**STATUS, "wall": wall}) if line.startswith("wall:")]
    assert "shows cam-1; 7 of 9 pictures sent, 3 skipped" in line
    for silent in ({}, {"wall": {"shown": [], "leases": 0, "turned_away": 0}}):
        assert not any(line.startswith("wall:") for line in status_lines({**STATUS, **silent}))


def test_looks_at_spots_are_told_of_once_there_was_an_event() -> None:
    linkage = {"waiting": 0, "events": 9, "asked": 8, "sights": 7, "absent": 2, "left": 3, "faults": 0}
    [line] = [line for line in status_lines({**STATUS, "linkage": linkage}) if line.startswith("linkage:")]
    assert line == "linkage: 9 events at spots, 7 sights of 8 looks, 2 without a picture, 3 left since too many waited"
    for silent in ({}, {"linkage": dict.fromkeys(linkage, 0)}):
        assert not any(line.startswith("linkage:") for line in status_lines({**STATUS, **silent}))


def test_what_was_given_to_run_and_what_is_under_way_is_told() -> None:
    step = {
        "name": "profile/power_meter",
        "version": "2.0.0",
        "at": "2026-03-01T08:00:00+00:00",
        "code": None,
        "reason": None,
    }
    refused = {**step, "state": "refused", "code": "downgrade", "reason": "2.0.0 is lower than 2.1.0"}
    told = {
        "running": {"profile/node": "1.0.0"},
        "steps": [{**step, "state": "applied"}, refused],
        "ignored": {},
        "faults": 0,
    }
    said = status_lines(STATUS | {"provisioning": told})
    assert "runs: profile/node 1.0.0" in said
    [line] = [line for line in said if line.startswith("ordered:")]
    assert line.startswith("ordered: profile/power_meter 2.0.0: refused ")
    assert line.endswith(": downgrade: 2.0.0 is lower than 2.1.0")
