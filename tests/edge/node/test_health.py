import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from edge.errors import ConfigurationError
from edge.node.health import HealthServer

CAMERA = dict.fromkeys(
    (
        *("connections", "losses", "decoded", "due", "damaged", "changes", "jumps", "skipped"),
        *("analysed", "moving", "inferences", "parts", "put_off", "refused", "faults", "crashes", "quarantined"),
        *("dropped", "spared", "looks", "openings", "openings_told", "openings_missed", "ring_bytes", "ring_seconds"),
        *("analysed_hz", "age_s", "age_p95_s", "wait_p95_s", "stalls", "reconnects_per_hour", "stalls_per_hour"),
    ),
    7,
)
STATUS: dict[str, Any] = {
    "node": "station-01",
    "session": "s",
    "degraded": [{"subject": "cam-1", "reason": "picture_lost", "detail": "no route", "since": "now"}],
    "uplink": {"connected": True, "in_flight": 3, "connections": 1, "sent": 10, "resent": 2, "acknowledged": 8},
    "clock": {
        "told_at": "2026-03-01T08:10:00+00:00",
        "correction_s": -86400.0,
        "synchronised": False,
        "steps": 2,
        "skew_s": 86400.5,
    },
    "readings": [
        {
            "refused": {"pile-1: bad_time": 2, "pile-2: bad_time": 3},
            "clamped": {"pile-1": 4, "pile-2": 5},
            "replayed": 6,
        }
    ],
    "rules": {"set_back": {"pile-1": 1, "pile-2": 2}, "incidents_lost": 0},
    "outbox": {
        "readings_accepted": 100,
        "level": "warning",
        "readings_waiting": 4,
        "messages_waiting": {"up/incident": 2},
        "incidents_unsaved": 0,
        "oldest_waiting": "2026-03-01T08:00:00+00:00",
        "used_bytes": 5,
        "room_bytes": 8,
        "quota_bytes": 9,
        "evidence_bytes": 7,
        "share": 0.625,
        "dropped": [
            {"device": "pile-1", "reason": "quota", "count": 7, "from_at": "", "to_at": ""},
            {"device": "pile-2", "reason": "quota", "count": 5, "from_at": "", "to_at": ""},
        ],
        "dead_letters": [
            {"subject": "incident", "reason": f"reason-{number}", "count": 1, "first_at": "", "last_at": ""}
            for number in range(30)
        ],
    },
    "evidence": {
        "level": "normal",
        "files_waiting": 3,
        "oldest_waiting": None,
        "used_bytes": 7,
        "quota_bytes": 70,
        "left_out": 1,
    },
    "films": {"waiting": 1, "made": 7, "refused": 2, "skipped": 3, "longest_s": 1.5},
    "commands": {"answered": {"log_tail done": 5, "rules_try failed": 1}, "refused": {"busy": 2}},
    "wall": {"shown": ["cam-1"], "leases": 2, "made": 9, "sent": 7, "skipped": 3, "refused": 1, "turned_away": 4},
    "linkage": {"waiting": 1, "events": 9, "asked": 8, "sights": 7, "absent": 2, "left": 3, "faults": 0},
    "cameras": {"cam-1": CAMERA, "cam-2": CAMERA},
    "gates": {
        "cam-1": {
            "state": "unsuited",
            "reason": "sizes_tell_nothing",
            "stretches": 3,
            "audited_s": 36.5,
            "found": 4,
            "missed": 1,
        }
    },
    "gateways": {},
    "models": {"yolox_nano_416": {"withdrawn": 3}},
    "crashes": {"total": 5, "without_suspect": 2},
    "faults": {"rules": {}, "incidents": 0, "housekeeping": 2, "caught": {"models": 4}, "credentials_unkept": 3},
}


@pytest.fixture
def server() -> Iterator[HealthServer]:
    made = HealthServer(0, lambda: STATUS)
    made.start()
    yield made
    made.stop()


def get(server: HealthServer, path: str) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{server.port}{path}")


def test_metrics_tell_the_status(server: HealthServer) -> None:
    lines = get(server, "/metrics").text.splitlines()
    for line in (
        "gridward_edge_degraded 1.0",
        "gridward_edge_uplink_connected 1.0",
        "gridward_edge_uplink_sent_total 10.0",
        "gridward_edge_outbox_readings_waiting 4.0",
        "gridward_edge_outbox_readings_accepted_total 100.0",
        'gridward_edge_camera_skipped_total{camera="cam-2"} 7.0',
        'gridward_edge_camera_quarantined{camera="cam-1"} 7.0',
        'gridward_edge_camera_gate{camera="cam-1",reason="sizes_tell_nothing",state="unsuited"} 1.0',
        'gridward_edge_camera_gate_audited_seconds_total{camera="cam-1"} 36.5',
        'gridward_edge_camera_gate_audited_movements_total{camera="cam-1",gate="found"} 4.0',
        'gridward_edge_camera_gate_audited_movements_total{camera="cam-1",gate="missed"} 1.0',
        'gridward_edge_native_crashes_total{suspect="camera"} 3.0',
        'gridward_edge_native_crashes_total{suspect="none"} 2.0',
        "gridward_edge_housekeeping_faults_total 2.0",
        'gridward_edge_faults_total{place="models"} 4.0',
        "gridward_edge_credentials_unkept_total 3.0",
        'gridward_edge_model_withdrawn_total{model="yolox_nano_416"} 3.0',
        "gridward_edge_outbox_share 0.625",
        "gridward_edge_outbox_level 1.0",
        "gridward_edge_outbox_oldest_waiting_seconds 600.0",
        'gridward_edge_outbox_messages_waiting{channel="up/incident"} 2.0',
        'gridward_edge_outbox_declared_readings_total{reason="quota"} 12.0',
        'gridward_edge_outbox_declared_readings_total{reason="power_loss"} 0.0',
        'gridward_edge_outbox_dead_letters{reason="reason-0",subject="incident"} 1.0',
        'gridward_edge_outbox_dead_letters{reason="other",subject="incident"} 10.0',
        "gridward_edge_evidence_files_waiting 3.0",
        "gridward_edge_evidence_left_out_total 1.0",
        "gridward_edge_films_waiting 1.0",
        'gridward_edge_films_total{outcome="skipped"} 3.0',
        'gridward_edge_commands_total{name="log_tail",outcome="done"} 5.0',
        'gridward_edge_commands_refused_total{reason="busy"} 2.0',
        "gridward_edge_linkage_waiting 1.0",
        "gridward_edge_linkage_sights_total 7.0",
        "gridward_edge_wall_shown 1.0",
        "gridward_edge_wall_sent_total 7.0",
        "gridward_edge_wall_skipped_total 3.0",
    ):
        assert line in lines


def test_health_is_short(server: HealthServer) -> None:
    answer = json.loads(get(server, "/healthz").content)
    assert answer == {"node": "station-01", "session": "s", "degraded": STATUS["degraded"]}
    assert get(server, "/anything").status_code == 404


def test_a_taken_port_is_a_mistake_of_the_configuration() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigurationError, match="http_port"):
            HealthServer(taken.getsockname()[1], lambda: STATUS)
