import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from edge.contract.envelope import Lane
from edge.contract.incident import Incident
from edge.contract.telemetry import TelemetryBatch, to_microseconds
from edge.outbox.outbox import Outbox
from edge.outbox.store import Counter
from edge.settings import OutboxSettings
from tests.edge.records import START


@pytest.mark.system
def test_nothing_that_was_said_to_be_kept_is_lost_by_a_kill(tmp_path: Path) -> None:
    readings: set[int] = set()
    incidents: set[int] = set()
    for life, lines in enumerate((40, 7, 93)):
        with subprocess.Popen(
            [sys.executable, "-m", "tests.edge.outbox.write_until_killed", str(tmp_path), str(life * 1_000)],
            stdout=subprocess.PIPE,
            text=True,
        ) as child:
            assert child.stdout is not None
            first = [child.stdout.readline() for _ in range(lines)]
            child.kill()
            said = [line.split() for line in [*first, *child.stdout] if line.endswith("\n")]
        readings |= {int(words[1]) for words in said if words[0] == "r"}
        incidents |= {int(words[1]) for words in said if words[0] == "i"}

    outbox = Outbox(tmp_path, OutboxSettings())
    since = datetime(2000, 1, 1, tzinfo=UTC)
    kept = outbox.pending(Lane.INCIDENT, fresh_since=since, old=False, skip=(), limit=100_000)
    assert incidents <= {msgspec.json.decode(record.body, type=Incident).incident_id.int for record in kept}
    batches = outbox.pending(Lane.LIVE, fresh_since=since, old=False, skip=(), limit=1_000)
    found = [
        (us - to_microseconds(START)) // 1000
        for record in batches
        for column in msgspec.json.decode(record.body, type=TelemetryBatch).series
        for us in column.observed_at_us
    ]
    assert readings <= set(found)
    assert len(found) == len(set(found)) == outbox.figures().counters[Counter.READINGS_ACCEPTED]
    outbox.close()
