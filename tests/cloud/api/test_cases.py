import json
from dataclasses import replace
from datetime import UTC, datetime

import httpx
import msgspec

from edge.contract.incident import Severity
from tests.cloud.api.conftest import Cloud
from tests.cloud.samples import GRID, OTHER_GRID, incident, report


def receive_some(cloud: Cloud) -> None:
    """Five cases in one grid, one elsewhere."""
    now = datetime.now(UTC)
    for number in range(1, 6):
        cloud.receive(
            report(incident(number, device=f"cam-{number}", severity=list(Severity)[number % 4]), received_at=now)
        )
    cloud.receive(report(incident(9, device="cam-9", kind="loitering"), grid_code=OTHER_GRID, received_at=now))


def test_pages_hold_every_case_once_the_newest_first(cloud: Cloud) -> None:
    receive_some(cloud)
    seen: list[int] = []
    with cloud.client("chief") as client:
        cursor = ""
        while True:
            page = client.get(f"/api/v1/cases?limit=2{cursor}").json()
            seen += [case["id"] for case in page["items"]]
            if page["next"] is None:
                break
            cursor = f"&after={page['next']}"
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == 6


def test_filters_narrow(cloud: Cloud) -> None:
    receive_some(cloud)
    with cloud.client("chief") as client:

        def count(query: str) -> int:
            return len(client.get(f"/api/v1/cases?{query}").json()["items"])

        assert count("area=110105003") == 1
        assert count(f"area={GRID}") == 5
        assert count("kind=loitering") == 1
        assert count("severity=critical") == 1
        assert count("severity=critical&severity=low") == 2
        assert count("status=filed") == 0
        assert count("open=true") == 6
        assert count("open=true&status=closed") == 0


def test_the_cases_of_one_device_are_its_own(cloud: Cloud) -> None:
    hall = replace(report(incident(1, device="hall")), device_id=7)
    later = replace(report(incident(2, device="hall", kind="loitering")), device_id=7)
    elsewhere = replace(report(incident(3, device="lane"), grid_code=OTHER_GRID), device_id=8)
    cloud.receive(hall, later, elsewhere)
    with cloud.client("worker") as client:

        def kinds(query: str) -> list[str]:
            return [case["kind"] for case in client.get(f"/api/v1/cases?{query}").json()["items"]]

        assert kinds("device=7") == ["loitering", "intrusion"]
        assert kinds("device=7&kind=intrusion") == ["intrusion"]
        assert kinds("device=8") == []
        assert client.get("/api/v1/cases?device=0").status_code == httpx.codes.UNPROCESSABLE_ENTITY


def test_a_person_sees_the_cases_of_his_scope_alone(cloud: Cloud) -> None:
    receive_some(cloud)
    with cloud.client("elsewhere") as client:
        (case,) = client.get("/api/v1/cases").json()["items"]
        assert case["grid"]["code"] == OTHER_GRID
        assert client.get("/api/v1/cases/1").status_code == httpx.codes.NOT_FOUND
        assert client.get(f"/api/v1/cases?area={GRID}").status_code == httpx.codes.NOT_FOUND
        action = {"action": "confirm", "version": 1}
        assert client.post("/api/v1/cases/1/actions", json=action).status_code == httpx.codes.NOT_FOUND


def test_a_case_is_confirmed_once_and_the_second_hears_of_it(cloud: Cloud) -> None:
    receive_some(cloud)
    with cloud.client("worker") as worker, cloud.client("chief") as chief:
        case = worker.get("/api/v1/cases/1").json()
        assert case["actions"] == ["confirm", "dismiss", "verify", "comment"]
        order = {"action": "confirm", "version": case["version"], "note": "  seen it  "}
        done = worker.post("/api/v1/cases/1/actions", json=order).json()
        assert (done["status"], done["version"]) == ("filed", case["version"] + 1)
        assert done["history"][-1]["actor"] == {"name": "worker", "display_name": "Worker"}
        assert done["history"][-1]["note"] == "seen it"
        late = chief.post("/api/v1/cases/1/actions", json={"action": "dismiss", "version": 1, "reason": "animal"})
        assert late.status_code == httpx.codes.CONFLICT
        assert late.json()["type"].endswith("StaleVersion")
        again = chief.post("/api/v1/cases/1/actions", json={"action": "confirm", "version": 2})
        assert again.json()["type"].endswith("TransitionRefused")
    assert cloud.conn.execute("select count(*) from audit where action = 'case.confirm'").fetchone() == (1,)
    assert cloud.conn.execute("select count(*) from event where kind = 'case.updated'").fetchone() == (1,)


def test_an_action_that_is_refused_leaves_nothing_behind(cloud: Cloud) -> None:
    receive_some(cloud)
    with cloud.client("maintainer") as client:
        answer = client.post("/api/v1/cases/1/actions", json={"action": "confirm", "version": 1})
        assert answer.status_code == httpx.codes.FORBIDDEN
        assert client.get("/api/v1/cases/1").json()["actions"] == []
    assert cloud.conn.execute("select count(*) from case_event where actor_id is not null").fetchone() == (0,)


def test_an_answer_is_sent_only_after_the_commit(cloud: Cloud) -> None:
    receive_some(cloud)
    cloud.conn.execute(
        """
        create function refuse() returns trigger language plpgsql as 'begin raise exception ''refused at commit''; end';
        create constraint trigger refuse after insert on case_event deferrable initially deferred
            for each row execute function refuse();
        """
    )
    cloud.conn.commit()
    with cloud.client("chief") as client:
        answer = client.post("/api/v1/cases/1/actions", json={"action": "confirm", "version": 1})
        assert answer.status_code == httpx.codes.INTERNAL_SERVER_ERROR
        assert answer.headers["content-type"] == "application/problem+json"
        assert client.get("/api/v1/cases/1").json()["status"] == "reported"


def test_the_model_is_the_table(cloud: Cloud) -> None:
    with cloud.client("chief") as client:
        model = client.get("/api/v1/case-model").json()
    dismissals = [row for row in model["transitions"] if row["action"] == "dismiss"]
    assert [(row["from"], row["to"], row["needs"]) for row in dismissals] == [
        ("reported", "rejected", ["reason"]),
        ("verifying", "rejected", ["reason"]),
    ]
    assert dismissals[0]["reason_required"] is True


def test_a_case_tells_where_its_incident_came_from(cloud: Cloud) -> None:
    found = incident(
        1,
        confidence=0.8,
        dwell_s=3.5,
        track=((1_770_000_000_000_000, 0.1, 0.2, 0.3, 0.4),),
        model={"id": "yolox", "version": "1", "sha256": "0" * 64},
        rule={"id": "intrusion-floor", "version": "1", "sha256": "1" * 64},
    )
    cloud.receive(report(msgspec.convert(msgspec.to_builtins(found), type(found))))
    with cloud.client("chief") as client:
        (shown,) = client.get("/api/v1/cases/1").json()["incidents"]
    assert shown["track"] == [{"at": "2026-02-02T02:40:00Z", "left": 0.1, "top": 0.2, "right": 0.3, "bottom": 0.4}]
    assert shown["model"]["id"] == "yolox"
    assert shown["rule"]["sha256"] == "1" * 64


def test_what_is_open_and_simulated_is_counted_beside_it(cloud: Cloud) -> None:
    receive_some(cloud)
    made = incident(30, device="cam-30", simulated=True)
    with cloud.client("chief") as client:
        before = client.get("/api/v1/figures").json()
        cloud.receive(report(made, received_at=datetime.now(UTC)))
        after = client.get("/api/v1/figures").json()
        assert (before["open_cases"], before["open_simulated"]) == (6, 0)
        assert (after["open_cases"], after["open_simulated"]) == (7, 1)
        newest = client.get("/api/v1/cases?limit=1").json()["items"][0]
        ended = {"action": "dismiss", "version": newest["version"], "reason": "other", "note": "a demonstration"}
        assert client.post(f"/api/v1/cases/{newest['id']}/actions", json=ended).status_code == httpx.codes.OK
        assert client.get("/api/v1/figures").json()["open_simulated"] == 0


def test_figures_and_outlines_count(cloud: Cloud) -> None:
    receive_some(cloud)
    with cloud.client("chief") as client:
        figures = client.get("/api/v1/figures").json()
        assert (figures["open_cases"], figures["reported"], figures["today_opened"]) == (6, 6, 6)
        assert figures["incidents_24h"] == 6
        assert sum(figures["by_severity"].values()) == 6
        drawn = client.get("/api/v1/areas/110105/geometry?level=street").json()
    counts = {feature["id"]: feature["properties"]["open_cases"] for feature in drawn["features"]}
    assert counts == {"110105001": 5, "110105002": 0, "110105003": 1}
    worst = {feature["id"]: feature["properties"]["severity"] for feature in drawn["features"]}
    assert worst == {"110105001": "critical", "110105002": None, "110105003": "medium"}


HOSTILE = [
    "/api/v1/cases?after=%00",
    "/api/v1/cases?after=AAAA",
    "/api/v1/cases?after=WzFd%0A",
    "/api/v1/cases?after=Wzk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5XQ",
    "/api/v1/cases?after=" + "W1tb" * 90,
    "/api/v1/cases?after=%F0%9F%98%80",
    "/api/v1/cases?limit=99999999999999999999999",
    "/api/v1/cases?limit=-1",
    "/api/v1/cases?area=%00",
    "/api/v1/cases?area=110105%25",
    "/api/v1/cases?kind=%00",
    "/api/v1/cases?status=gone",
    "/api/v1/cases/99999999999999999999999999",
    "/api/v1/cases/-1",
    "/api/v1/cases/%00",
    "/api/v1/cases/9223372036854775807",
    "/api/v1/areas/%00/geometry",
    "/api/v1/areas/110105/geometry?level=%00",
    "/api/v1/areas/110105/geometry?level=galaxy",
    "/api/v1/figures?area=%27%3B--",
    "/api/v1/evidence/%00",
    "/api/v1/evidence/" + "0" * 64,
    "/api/v1/devices?after=%00",
    "/api/v1/devices?area=%00&kind=%00&presence=%00",
    "/api/v1/devices/99999999999999999999999999",
    "/api/v1/devices/1/points/%00/series",
    "/api/v1/nodes?after=%00",
    "/api/v1/nodes?after=WzAsIlx1ZDgwMCJd",  # [0,"\\ud800"]
    "/api/v1/nothing",
]


def test_hostile_addresses_are_refused_in_words(cloud: Cloud) -> None:
    with cloud.client("admin") as client:
        for path in HOSTILE:
            answer = client.get(path)
            assert 400 <= answer.status_code < 500, (path, answer.text)
            assert answer.headers["content-type"] == "application/problem+json", path


def test_hostile_actions_are_refused(cloud: Cloud) -> None:
    bodies: list[object] = [
        {"action": "confirm", "version": 2**70},
        {"action": "confirm", "version": 0},
        {"action": "confirm", "version": 1, "note": "a\x00b"},
        {"action": "confirm", "version": 1, "note": "x" * 1001},
        {"action": "explode", "version": 1},
        {"action": "dismiss", "version": 1},
        {"action": "dismiss", "version": 1, "reason": "boredom"},
        {"action": "confirm", "version": 1, "reason": "test"},
        [],
        None,
    ]
    cloud.receive(report(incident()))
    with cloud.client("chief") as client:
        for body in bodies:
            answer = client.post("/api/v1/cases/1/actions", json=body)
            assert answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY, body


def test_odd_characters_in_a_note_break_nothing(cloud: Cloud) -> None:
    cloud.receive(report(incident()))
    with cloud.client("chief") as client:
        for note in ("\ud800", "\U0010ffff", "\u202e"):
            body = json.dumps({"action": "confirm", "version": 1, "note": note})
            answer = client.post("/api/v1/cases/1/actions", content=body, headers={"Content-Type": "application/json"})
            assert answer.status_code < 500, note
