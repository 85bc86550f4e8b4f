"""`gridward-cloud admission`, `deadlines` and `notices`, run as their entry point does."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cloud import cli
from cloud.access.model import Role
from cloud.cases.model import Stage
from cloud.deadlines.clock import WHOLE
from cloud.deadlines.command import STAGES
from cloud.deadlines.rules import ARRIVAL
from cloud.notify import channels
from cloud.notify.channels import Wish
from cloud.notify.vault import Vault
from edge.contract.incident import Severity
from tests.cloud.escalation.town import open_case
from tests.cloud.samples import GRID, add_person, principal, take_in_areas

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], migrated_url: str, tmp_path: Path) -> Run:
    monkeypatch.setenv("GRIDWARD_DATABASE_URL", migrated_url)
    monkeypatch.setenv("GRIDWARD_DATA_DIRECTORY", str(tmp_path / "data"))
    now = datetime.now(UTC)
    with psycopg.connect(migrated_url, options="-c timezone=UTC") as conn:
        take_in_areas(conn)
        admin = principal(conn, "admin", Role.ADMINISTRATOR, None)
        add_person(conn, "chief", Role.DUTY_CHIEF)
        open_case(conn, 1, at=now - timedelta(minutes=40), severity=Severity.HIGH)
        wish = Wish.chat("mailto://user:pass-phrase@mail.example.org", label="Mail", place=1)
        channels.add(conn, Vault(bytes(32)), admin, admin.user_id, wish, now=now)

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["gridward-cloud", *words])
        status = 0
        try:
            cli.main()
        except SystemExit as end:
            status = int(end.code or 0)
        told = capsys.readouterr()
        return status, told.out, told.err

    return call


def answer(told: tuple[int, str, str]) -> Any:
    status, out, err = told
    assert status == 0, err
    return json.loads(out)


def test_the_stages_are_those_of_cases() -> None:
    assert set(STAGES) == {*(stage.value for stage in Stage), ARRIVAL, WHOLE}


def test_admission_is_tried_set_listed_and_ended(run: Run) -> None:
    wish = ("--from", "high", "--kind", "intrusion", "--area", GRID, "--by", "admin")
    tried = answer(run("admission", "try", *wish, "--json"))
    assert (tried["cases"], tried["would_be_cases"]) == (1, 1), "what is high is let in"
    assert answer(run("admission", "try", *wish[:1], "critical", *wish[2:], "--json"))["would_be_cases"] == 0
    assert "cases 1, would be 1" in run("admission", "try", *wish)[1]
    assert answer(run("admission", "list", "--json")) == {"items": []}
    made = answer(run("admission", "set", *wish, "--note", "by the street", "--json"))
    assert run("admission", "set", *wish)[0] == 1, "there is one for just this"
    assert f"{GRID}  intrusion" in run("admission", "list", "--area", GRID)[1]
    assert answer(run("admission", "list", "--area", "110105003", "--json")) == {"items": []}
    assert answer(run("admission", "end", str(made["rule_id"]), "--by", "admin", "--json"))["ended"] is True
    assert answer(run("admission", "list", "--json"))["items"] == []
    assert len(answer(run("admission", "list", "--ended", "--json"))["items"]) == 1
    for words in (("set", "--from", "high", "--by", "chief"), ("try", "--by", "admin"), ("list", "--area", "999")):
        status, out, err = run("admission", *words, "--json")
        assert (status, out) == (1, "")
        assert json.loads(err)["error"]


def test_a_limit_is_tried_before_it_is_set(run: Run) -> None:
    words = ("deadlines", "set", "verifying", "600", "minutes", "--severity", "high", "--since", "2026-01-01")
    before = answer(run("deadlines", "rules", "--json"))
    tried = answer(run(*words, "--by", "admin", "--try", "--json"))
    assert (tried["rule_id"], tried["trial"]["examined"], tried["trial"]["later"]) == (None, 1, 1)
    assert tried["trial"]["relieved"] == 1
    assert answer(run("deadlines", "rules", "--json")) == before
    assert "1 running clocks within reach: 0 due sooner, 1 later" in run(*words, "--by", "admin")[1]
    after = answer(run("deadlines", "rules", "--json"))
    assert (after["items"][-1]["amount"], after["items"][-1]["unit"]) == (600, "minutes")
    assert after["items"][-1]["effective_from"].startswith("2025-12-31 16:00"), "local time"
    assert run(*words, "--by", "chief")[0] == 1
    assert run("deadlines", "set", "lunch", "60", "minutes", "--by", "admin")[0] == 1


def test_channels_are_told_and_tried_without_their_addresses(run: Run) -> None:
    (channel,) = answer(run("notices", "channels", "admin", "--json"))["items"]
    assert (channel["label"], channel["kind"]) == ("Mail", "chat")
    assert answer(run("notices", "deliveries", "--json")) == {"items": []}
    assert run("notices", "test", str(channel["id"]), "--by", "chief")[0] == 1, "it is not his"
    assert answer(run("notices", "test", str(channel["id"]), "--by", "admin", "--json"))["queued"] is True
    assert run("notices", "test", str(channel["id"]), "--by", "admin")[0] == 1, "a moment ago"
    (delivery,) = answer(run("notices", "deliveries", "--account", "admin", "--wanting", "--json"))["items"]
    assert (delivery["word"], delivery["state"], delivery["attempts"]) == ("test", "queued", 0)
    told = [run("notices", *words)[1] for words in (("channels", "admin"), ("deliveries",))]
    assert "never tried" in told[0]
    assert "queued" in told[1]
    assert not any("pass-phrase" in text or "example.org" in text for text in told)
    assert run("notices", "channels", "nobody")[0] == 1
