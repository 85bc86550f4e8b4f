"""Record the present version of the store for the tests of upgrades: `python -m tests.edge.outbox.release DIRECTORY`.

Once for each version that is released; it makes `<version>.sql`, the store as SQL text.
"""

import sqlite3
import sys
import tempfile
from pathlib import Path

from edge.contract.downlink import Outcome
from edge.contract.envelope import Lane
from edge.contract.incident import IncidentState
from edge.flow import Receipts
from edge.outbox.outbox import Outbox
from edge.settings import OutboxSettings
from tests.edge.records import START, SteppedClock, incident, reading, replayed, snapshot

SETTINGS = OutboxSettings(quota_mib=4, incident_reserve_mib=1, evidence_quota_mib=1)
PICTURE = snapshot(b"picture of a released version")


def fill(outbox: Outbox, clock: SteppedClock) -> None:
    """Leave something in every table: readings that wait, messages under way, drops, incidents, evidence, dead letters."""
    outbox.readings([reading(number) for number in range(5)], receipts=Receipts("sensors", (b"a1", b"b2")))
    first = outbox.pending(Lane.LIVE, fresh_since=START, old=False, skip=(), limit=9)
    outbox.settle({record.message_id: (Outcome.ACCEPTED, None) for record in first})
    outbox.readings([reading(10), reading(11, point="door", value="open"), replayed(12)])
    outbox.pending(Lane.LIVE, fresh_since=START, old=False, skip=(), limit=9)  # formed, and not acknowledged
    outbox.incident(incident(1))
    outbox.incident(incident(2, evidence=(PICTURE.reference,)), [PICTURE])
    outbox.incident(incident(3, state=IncidentState.ENDED))
    refused = outbox.pending(Lane.INCIDENT, fresh_since=START, old=False, skip=(), limit=1)
    outbox.settle({record.message_id: (Outcome.REJECTED, "data: it can't be") for record in refused})
    clock.step(1)
    for batch in range(130):  # more than the quota holds: the oldest are dropped, and declared
        outbox.readings([reading(1_000 * (batch + 1) + number) for number in range(500)])


def main() -> None:
    """Fill a store and write it down as SQL."""
    with tempfile.TemporaryDirectory() as place:
        clock = SteppedClock()
        outbox = Outbox(Path(place), SETTINGS, clock=clock, window_s=0.0)
        fill(outbox, clock)
        outbox.close()
        connection = sqlite3.connect(Path(place) / "outbox.db")
        # a handful of the readings tells as much as all of them
        connection.execute("DELETE FROM reading WHERE row NOT IN (SELECT row FROM reading ORDER BY row LIMIT 20)")
        waiting = connection.execute("SELECT count(*) FROM reading").fetchone()[0]
        waiting += connection.execute("SELECT sum(readings) FROM record").fetchone()[0]
        connection.execute(
            "UPDATE counter SET value = ? + (SELECT sum(value) FROM counter WHERE name IN"
            " ('readings_delivered', 'readings_dropped', 'readings_rejected')) WHERE name = 'readings_accepted'",
            [waiting],
        )
        connection.commit()
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        text = "\n".join([*connection.iterdump(), f"PRAGMA user_version = {version};", ""])
        connection.close()
    target = Path(sys.argv[1]) / f"{version}.sql"
    target.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{target}\n")


if __name__ == "__main__":
    main()
