import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pytest

from cloud.errors import ConfigurationError, DatabaseAway
from cloud.main import Part, running
from cloud.settings import CloudSettings
from tests.brokers import ReadyBroker


def settings(database_url: str, tmp_path: Path, **more: object) -> CloudSettings:
    return CloudSettings.model_validate(
        {"database_url": database_url, "http_port": 0, "data_directory": tmp_path, **more}
    )


def test_everything_runs_in_one_process_on_an_empty_database(
    postgres_url: str, mosquitto_broker: ReadyBroker, tmp_path: Path
) -> None:
    chosen = settings(
        postgres_url,
        tmp_path,
        mqtt_url=mosquitto_broker.url,
        mqtt_user=mosquitto_broker.cloud_user,
        mqtt_password=mosquitto_broker.cloud_password,
    )
    with running(chosen, Part.ALL) as cloud, httpx.Client(base_url=cloud.address or "") as client:
        deadline = time.monotonic() + 20
        while (answer := client.get("/readyz")).status_code != httpx.codes.OK:
            assert time.monotonic() < deadline, answer.text
        assert set(answer.json()["parts"]) == {"database", "migrations", "broker", "jobs", "notices", "live"}


def test_the_body_of_an_answer_does_not_wait_for_its_head_to_be_confirmed(migrated_url: str, tmp_path: Path) -> None:
    """Nagle's algorithm on our side and delayed confirmation on the other made 48 ms of 2, for every answer of a kept connection."""
    with (
        running(settings(migrated_url, tmp_path), Part.API) as cloud,
        httpx.Client(base_url=cloud.address or "") as client,
    ):
        client.get("/healthz")
        port = httpx.URL(cloud.address or "").port
        accepted = [
            each.fd for each in psutil.Process().net_connections("tcp") if each.laddr.port == port and each.raddr
        ]
        with socket.socket(fileno=os.dup(accepted[0])) as connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_readiness_costs_no_connection_each_time(migrated_url: str, tmp_path: Path) -> None:
    def opened(watcher: psycopg.Connection[Any]) -> int:
        row = watcher.execute("select sessions from pg_stat_database where datname = current_database()").fetchone()
        assert row is not None
        return int(row[0])

    with (
        running(settings(migrated_url, tmp_path), Part.API) as cloud,
        httpx.Client(base_url=cloud.address or "") as client,
        psycopg.connect(migrated_url, autocommit=True) as watcher,
    ):
        client.get("/readyz")
        before = opened(watcher)
        for _ in range(30):
            client.get("/readyz")
        # the statistics follow within a second
        deadline = time.monotonic() + 2
        while (after := opened(watcher)) == before and time.monotonic() < deadline:
            time.sleep(0.1)
    assert after - before < 5


def test_a_part_refuses_an_old_database(postgres_url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="migrate"), running(settings(postgres_url, tmp_path), Part.API):
        pass


def test_ingest_needs_a_broker(migrated_url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="MQTT_URL"), running(settings(migrated_url, tmp_path), Part.INGEST):
        pass


def test_jobs_run_alone(migrated_url: str, tmp_path: Path) -> None:
    with running(settings(migrated_url, tmp_path), Part.JOBS) as cloud:
        assert cloud.address is None


def test_a_port_that_is_taken_stops_the_start(migrated_url: str, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        chosen = settings(migrated_url, tmp_path, http_port=taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"), running(chosen, Part.API):
            pass


def test_a_database_that_is_away_is_said(tmp_path: Path) -> None:
    with pytest.raises(DatabaseAway), running(settings("postgresql://x:y@127.0.0.1:1/z", tmp_path)):
        pass


@pytest.mark.system
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_in_order(migrated_url: str, tmp_path: Path, number: signal.Signals) -> None:
    environment = os.environ | {
        "GRIDWARD_DATABASE_URL": migrated_url,
        "GRIDWARD_HTTP_PORT": "0",
        "GRIDWARD_DATA_DIRECTORY": str(tmp_path),
    }
    words = [sys.executable, "-c", "from cloud.cli import main; main()", "serve", "--role", "api"]
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = ""
        while not url:
            name, _, value = process.stdout.readline().partition(": ")
            url = value.strip() if name == "url" else ""
        assert httpx.get(f"{url}/healthz").text == "ok"
        process.send_signal(number)
        _, told = process.communicate(timeout=20)
    assert process.returncode == 0, told
    assert "Traceback" not in told
