"""What is asked at the desks reads what it shows, and not the years behind it: no answer grows with the number of closed cases.

Every question of the bench's mix (`tests.benches.desk.mix`) is asked of the real application over a small district with forty times as many
closed cases as open ones. Each statement that it runs is explained; how many rows it looked at depends neither on the machine nor on
its load.
"""

import itertools
import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import httpx
import psycopg
import pytest
import uvicorn
from psycopg import Connection
from psycopg_pool import ConnectionPool

from cloud.access import accounts, sessions
from cloud.api.app import make_app
from cloud.api.dependencies import Services
from cloud.api.paging import encode_cursor
from cloud.db.pool import PLANNING
from cloud.evidence.service import EvidenceService
from cloud.notify.model import Audience, Because, Manner
from cloud.notify.stream import LiveHub
from cloud.notify.vault import Vault
from cloud.organisation.sample import Layout
from cloud.settings import CloudSettings
from tests.benches.desk.database import SETTINGS, ZONE
from tests.benches.desk.filling import Size, fill
from tests.benches.desk.mix import MIX, Desk, Kind, Person, people
from tests.cloud.plans.explaining import Explained, ExplainingCursor
from tests.databases import DatabaseServer

SIZE = Size(open_cases=800, closed_cases=32_000)
LAYOUT = Layout(columns=9, rows=8, bands=2, members=300, estates_in_community=1, buildings_in_estate=1)
LARGE = ("grid_case", "incident", "case_incident", "case_event", "case_clock", "case_department", "incident_verdict")
MOST_ROWS = SIZE.closed_cases // 4
"""Of a large table in one statement, an index and the rows that it led to counted each: what is open may be read whole, and a page of a
small area may be looked for among its neighbours; whoever reads the years is far beyond."""

PAGE = 51
"""A list's page, and the one case that tells whether there are more."""

_PLANNER = ("random_page_cost", "effective_cache_size", "work_mem", "jit")

NEEDED = {
    "list: open": {"grid_case_running_newest", "case_clock_unended"},
    "list: open, severe": {"grid_case_running_newest"},
    "list: of a device": {"grid_case_device"},
    "list: due first, red": {"case_clock_due"},
    "figures: now": {"grid_case_running_newest", "grid_case_opened", "incident_received"},
    "figures: report": {"area_code"},
    "map: grids": {"grid_case_running_newest"},
    "clocks: red": {"case_clock_due"},
    "clocks: amber": {"case_clock_due"},
    "detail": {"grid_case_pkey", "case_event_case", "case_incident_pkey", "incident_pkey"},
}
"""Indexes without which a kind of question would not do: taking one away has to be a decision."""


@dataclass
class Desks:
    """The application over the small district, and those who sit there, with their sessions."""

    client: httpx.Client
    people: list[Person]
    tokens: dict[str, str]

    def ask(self, kind: Kind, person: Person, draw: random.Random) -> tuple[str, list[Explained]]:
        """One question; its address and what each of its statements did."""
        address = kind.draw(
            draw,
            person,
            {"deep": [encode_cursor(SIZE.cases // 2)], "next": f"/api/v1/cases?after={encode_cursor(SIZE.cases // 2)}"},
        )
        return address, self.explain(address, person)

    def explain(self, address: str, person: Person) -> list[Explained]:
        """What each statement of one question did."""
        ExplainingCursor.noted.clear()
        answer = self.client.get(address, headers={"Authorization": f"Bearer {self.tokens[person.name]}"})
        assert answer.status_code == 200, f"{address}: {answer.status_code} {answer.text}"
        return list(ExplainingCursor.noted)


@contextmanager
def _answering(services: Services) -> Iterator[httpx.Client]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(make_app(services), lifespan="off", log_config=None))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=60) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def desk_url(postgres_server: DatabaseServer, migrated_template: str) -> Iterator[str]:
    url = postgres_server.create_database("desk_plans", template=migrated_template)
    superuser = _superuser(postgres_server, url)
    fill(superuser, url, SIZE, now=datetime.now(UTC), zone=ZONE, password="correct horse battery", layout=LAYOUT)
    yield url
    postgres_server.drop_database("desk_plans")


def _superuser(server: DatabaseServer, url: str) -> str:
    """The address of the superuser, in the database of an ordinary role."""
    name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
    return psycopg.conninfo.make_conninfo(server.superuser_url(), dbname=name)


@pytest.fixture(scope="module")
def desks(desk_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desks]:
    place = tmp_path_factory.mktemp("desks")
    (place / "web").mkdir()
    settings = CloudSettings.model_validate(
        {"database_url": desk_url, "data_directory": place / "data", "web_directory": place / "web"}
    )
    options = " ".join(f"-c {name}={SETTINGS[name]}" for name in _PLANNER if name in SETTINGS)
    pool: ConnectionPool[Connection[Any]] = ConnectionPool(
        desk_url,
        min_size=1,
        max_size=4,
        open=True,
        kwargs={
            "cursor_factory": ExplainingCursor,
            "options": f"-c timezone=UTC {options} {PLANNING}",
        },
    )
    services = Services(
        settings=settings,
        pool=pool,
        evidence=EvidenceService.of(settings),
        hub=LiveHub(desk_url, queue_size=10, maximum_clients=2),
        vault=Vault.of(settings),
    )
    sitting, tokens = people(desk_url), {}
    with psycopg.connect(desk_url, options="-c timezone=UTC") as conn:
        for person in sitting:
            known = accounts.in_use(conn, person.name)
            assert known is not None
            tokens[person.name], _ = sessions.start(
                conn, known.user_id, now=datetime.now(UTC), lasts_s=3_600, address="test", agent=""
            )
    with _answering(services) as client:
        yield Desks(client, sitting, tokens)
    pool.close()


@pytest.mark.parametrize("kind", MIX, ids=lambda kind: kind.name)
def test_an_answer_does_not_grow_with_what_is_closed(desks: Desks, kind: Kind) -> None:
    draw = random.Random(kind.name)  # noqa: S311  # which question
    used: set[str] = set()
    for desk in kind.desks:
        for person in [each for each in desks.people if each.desk is desk][:3]:
            address, explained = desks.ask(kind, person, draw)
            assert explained, address
            for each in explained:
                used |= {scan.index for scan in each.scans if scan.index is not None}
                for table in LARGE:
                    whole = [scan for scan in each.scans if scan.table == table and scan.manner == "Seq Scan"]
                    assert not whole, f"{address} of {person.name} reads {table} from end to end:\n{each.statement}"
                    assert each.rows_of(table) <= MOST_ROWS, (
                        f"{address} of {person.name} looks at {each.rows_of(table)} rows of {table}: {each.scans}\n{each.statement}"
                    )
    assert used >= NEEDED.get(kind.name, set())


_STATUSES = (("status", "closed"), ("status", "voided"))
"""What is open is little, and may be read whole."""
_KINDS = (None, ("kind", "sos"), ("kind", "overlong_charge"))
_SEVERITIES = (None, ("severity", "critical"))


@pytest.mark.parametrize("desk", [Desk.CHIEF, Desk.DEPARTMENT], ids=str)
def test_only_what_a_list_shows_is_read_however_rare_it_is(desks: Desks, desk: Desk) -> None:
    person = next(each for each in desks.people if each.desk is desk)
    areas = (None, ("area", person.areas[-1]))
    for narrow in itertools.product(_STATUSES, _KINDS, _SEVERITIES, areas):
        address = f"/api/v1/cases?{urlencode([each for each in narrow if each is not None])}"
        for each in desks.explain(address, person):
            read = sum(
                scan.rows for scan in each.scans if scan.table == "grid_case" and scan.manner != "Index Only Scan"
            )
            assert read <= PAGE, f"{address} of {person.name} reads {read} cases: {each.scans}\n{each.statement}"


def test_every_desk_has_somebody(desks: Desks) -> None:
    assert {person.desk for person in desks.people} == set(Desk)
    assert all(person.open_cases for person in desks.people)


def test_what_people_were_told_is_in_the_words_of_the_service(desk_url: str) -> None:
    with psycopg.connect(desk_url) as conn:
        told = conn.execute("select distinct because, manner, audience from notice").fetchall()
    assert told
    assert all((Because(because), Manner(manner), Audience(audience)) for because, manner, audience in told)
