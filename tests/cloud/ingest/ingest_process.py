"""The ingest service as a process that a test can kill: `python -m tests.cloud.ingest.ingest_process DATABASE BROKER`."""

import signal
import sys
import threading

from cloud.db.pool import open_pool
from cloud.ingest.intake import Intake
from cloud.ingest.service import IngestService
from cloud.mqtt import Endpoint
from tests.fakes.node import AT


def main(database_url: str, broker_url: str) -> None:
    """Run until SIGTERM."""
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    pool = open_pool(database_url, size=3)
    endpoint = Endpoint.of(broker_url, user="cloud", password="cloud")
    service = IngestService(pool, Intake(endpoint), clock=lambda: AT)
    service.start()
    ended.wait()
    service.stop()
    pool.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
