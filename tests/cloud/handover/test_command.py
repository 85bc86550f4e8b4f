"""`gridward-cloud handover show`, as its entry point runs it."""

import json
from datetime import timedelta

import psycopg
import pytest

from cloud import cli
from cloud.handover import records
from cloud.organisation import duty
from cloud.organisation.duty import ShiftWish
from cloud.organisation.model import DutyKind
from tests.cloud.handover.test_records import PEOPLE, follow, who
from tests.cloud.samples import NOW, add_person, take_in_areas


def test_it_shows_the_newest_and_says_when_it_is_not_what_was_hashed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], migrated_url: str
) -> None:
    with psycopg.connect(migrated_url, options="-c timezone=UTC") as conn:
        take_in_areas(conn)
        for name, (role, area) in PEOPLE.items():
            add_person(conn, name, role, area)
        day = who(conn, "day")
        wish = ShiftWish(
            account_id=day.principal.user_id,
            area_code="110105001",
            kind=DutyKind.DUTY_CHIEF,
            from_at=NOW - timedelta(hours=8),
            until_at=NOW,
        )
        duty.add_shift(conn, wish, now=NOW - timedelta(hours=9))
        follow(conn, "night")
        records.draw_up(conn, now=NOW)
        records.give(conn, day, 1, words="keys", now=NOW, address="test")

    def show(by: str) -> tuple[int, dict[str, object]]:
        monkeypatch.setattr("sys.argv", ["gridward-cloud", "handover", "show", "--by", by, "--json"])
        status = 0
        try:
            cli.main()
        except SystemExit as end:
            status = int(end.code or 0)
        told = capsys.readouterr()
        return status, json.loads(told.out or told.err)

    monkeypatch.setenv("GRIDWARD_DATABASE_URL", migrated_url)
    status, told = show("night")
    assert (status, told["intact"]) == (0, True)
    assert show("far")[0] == 1
    with psycopg.connect(migrated_url) as conn:
        conn.execute("alter table shift_record disable trigger user")
        conn.execute("update shift_record set contents = '{}'")
    status, told = show("night")
    assert (status, told["intact"]) == (1, False)
