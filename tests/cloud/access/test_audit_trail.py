import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import Connection

from cloud.access import audit, audit_trail
from cloud.access.audit_trail import AuditEntry, AuditFilter, as_csv
from cloud.access.model import Principal, Role
from cloud.errors import Invalid
from tests.cloud.samples import NOW

HERE, THERE = "110105/110105001/", "110105/110105003/"
EVERYWHERE = Principal(1, "auditor", "Auditor", Role.AUDITOR, None, "")


def reader(scope: str) -> Principal:
    return Principal(1, "auditor", "Auditor", Role.AUDITOR, "x" if scope else None, scope)


def fill(conn: Connection[Any]) -> None:
    audit.write(conn, "case.confirm", "case:7", actor_name="chief", area_path=HERE, detail={"from": "reported"})
    audit.write(conn, "evidence.viewed", "evidence:ab", actor_name="wang", area_path=HERE, detail={"case": 7})
    audit.write(
        conn, "camera.watched", "camera:n/c", actor_name="wang", area_path=THERE, detail={"purpose": "evening rounds"}
    )
    audit.write(conn, "account.added", "account:li", actor_name="admin")


def actions(
    conn: Connection[Any], scope: str = "", before: int | None = None, count: int = 9, **wanted: Any
) -> list[str]:
    found = audit_trail.page(conn, reader(scope), AuditFilter(**wanted), before=before, count=count)
    return [entry.action for entry in found]


def test_rows_are_found_by_who_what_which_case_and_when(conn: Connection[Any]) -> None:
    fill(conn)
    assert actions(conn, count=4) == ["account.added", "camera.watched", "evidence.viewed", "case.confirm"]
    assert actions(conn, actor="wang") == ["camera.watched", "evidence.viewed"]
    assert actions(conn, action="evidence.") == ["evidence.viewed"]
    assert actions(conn, action="evid%") == []
    assert actions(conn, subject="account:li") == ["account.added"]
    assert actions(conn, case=7) == ["evidence.viewed", "case.confirm"]
    assert actions(conn, from_at=NOW + timedelta(days=36_500)) == []
    assert actions(conn, to_at=NOW - timedelta(days=3_650)) == []
    first = audit_trail.page(conn, EVERYWHERE, AuditFilter(), before=None, count=2)
    assert actions(conn, before=first[-1].id, count=2) == ["evidence.viewed", "case.confirm"]
    watched, viewed = first[1], audit_trail.page(conn, EVERYWHERE, AuditFilter(case=7), before=None, count=1)[0]
    assert (watched.purpose, watched.area, watched.chained, viewed.case) == ("evening rounds", "110105003", False, "7")


def test_a_reader_with_an_area_reads_what_happened_there(conn: Connection[Any]) -> None:
    fill(conn)
    assert actions(conn, HERE) == ["evidence.viewed", "case.confirm"]
    assert actions(conn, THERE) == ["camera.watched"]
    assert actions(conn, "\x7f") == []


def test_an_export_is_itself_in_the_log_and_has_an_end(conn: Connection[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    fill(conn)
    written = audit_trail.export(conn, EVERYWHERE, AuditFilter(actor="wang"), address="192.0.2.1")
    assert written.startswith(b"\xef\xbb\xbf")
    lines = list(csv.DictReader(io.StringIO(written.decode("utf-8-sig"))))
    assert [line["action"] for line in lines] == ["camera.watched", "evidence.viewed"]
    [noted] = audit_trail.page(conn, EVERYWHERE, AuditFilter(), before=None, count=1)
    assert (noted.action, noted.actor, noted.detail) == ("audit.exported", "auditor", {"rows": 2, "actor": "wang"})
    monkeypatch.setattr(audit_trail, "MOST_EXPORTED", 1)
    with pytest.raises(Invalid):
        audit_trail.export(conn, EVERYWHERE, AuditFilter(actor="wang"), address="192.0.2.1")


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.lists(st.tuples(words, words, words), max_size=5))
def test_no_cell_is_a_formula_and_nothing_leaves_its_cell(told: list[tuple[str, str, str]]) -> None:
    entries = [
        AuditEntry(
            id=number,
            at=NOW,
            actor=actor,
            action="x",
            subject=subject,
            area=None,
            address=None,
            case=None,
            purpose=purpose,
            detail={purpose: subject},
            chained=False,
        )
        for number, (actor, subject, purpose) in enumerate(told)
    ]
    lines = list(csv.reader(io.StringIO(as_csv(entries).decode("utf-8-sig"), newline="")))
    assert len(lines) == len(entries) + 1
    for line, (actor, subject, purpose) in zip(lines[1:], told, strict=True):
        assert not [cell for cell in line if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))]
        assert [line[2].removeprefix("'"), line[4].removeprefix("'"), line[8].removeprefix("'")] == [
            actor.removeprefix("'"),
            subject.removeprefix("'"),
            purpose.removeprefix("'"),
        ]
