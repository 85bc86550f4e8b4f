"""From the history of cases to what each person is told, over a real database."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import REGISTRY

from cloud.access import departments
from cloud.cases.model import CaseAction
from cloud.notify import channels, inbox
from cloud.notify.channels import Wish
from cloud.notify.gateway import Gateway
from cloud.notify.rules import NEVER_QUEUED
from cloud.notify.vault import Vault
from edge.contract.incident import IncidentState, Severity
from tests.cloud.notify.conftest import District
from tests.cloud.samples import incident


def test_a_new_case_reaches_its_worker_and_the_nearest_chief_once(district: District) -> None:
    district.receive(incident())
    assert district.told() == {("near", "opened"): "ring", ("worker", "opened"): "ring"}
    assert district.told() == {}
    assert district.rows("select * from notice_due") == []


def test_more_of_an_incident_is_never_queued(district: District) -> None:
    district.receive(incident(), *(incident(number, start_s=number) for number in range(2, 12)))
    queued = district.rows("select e.action from notice_due d join case_event e on e.id = d.case_event_id")
    assert [row.action for row in queued] == ["opened"]
    written = {row.action for row in district.rows("select distinct action from case_event")}
    assert "incident_added" in written & NEVER_QUEUED


def test_the_trigger_leaves_out_what_the_table_says(district: District) -> None:
    (function,) = district.rows("select prosrc from pg_proc where proname = 'queue_notice'")
    assert set(re.findall(r"'(\w+)'", function.prosrc)) == NEVER_QUEUED


def test_it_reaches_who_has_the_next_step(district: District) -> None:
    district.receive(incident())
    district.told()
    district.act("worker", CaseAction.CONFIRM)
    assert district.told() == {("dispatcher", "confirm"): "ring"}
    department = district.rows("select id from department")[0].id
    district.act("dispatcher", CaseAction.DISPATCH, department=department)
    assert district.told() == {("sanitation", "dispatch"): "ring"}
    district.act("sanitation", CaseAction.ACCEPT)
    district.act("sanitation", CaseAction.RESOLVE)
    assert district.told() == {("near", "resolve"): "quiet"}


def test_a_department_hears_that_a_case_was_taken_from_it(district: District) -> None:
    district.receive(incident())
    district.act("worker", CaseAction.CONFIRM)
    department = district.rows("select id from department")[0].id
    district.act("dispatcher", CaseAction.DISPATCH, department=department)
    district.told()
    district.act("dispatcher", CaseAction.RECALL, note="an error")
    assert district.told() == {("sanitation", "recall"): "quiet"}
    district.act("dispatcher", CaseAction.DISPATCH, department=department)
    district.act("sanitation", CaseAction.ASK_RETURN, note="not ours")
    district.told()
    district.act("dispatcher", CaseAction.ALLOW_RETURN)
    assert district.told() == {("sanitation", "allow_return"): "ring"}


def test_the_department_before_hears_that_another_one_was_sent(district: District) -> None:
    water = departments.add(district.conn, code="water", name="Water", now=district.now)
    district.receive(incident())
    district.act("worker", CaseAction.CONFIRM)
    department = departments.by_code(district.conn, "sanitation")
    district.act("dispatcher", CaseAction.DISPATCH, department=department)
    district.told()
    district.act("dispatcher", CaseAction.DISPATCH, department=water)
    assert district.told()["sanitation", "taken_away"] == "quiet"


def test_a_summary_waits_for_the_end_of_quiet_hours_that_began_meanwhile(district: District) -> None:
    district.rows(
        "insert into notice_preference values (%s, '22:00', '06:00', 30, 'zh', now()) returning account_id",
        district.people["near"],
    )
    district.now = datetime(2026, 3, 17, 13, 45, tzinfo=UTC)  # 21:45 there
    district.receive(incident(1, severity=Severity.LOW))
    assert district.told()["near", "opened"] == "gathered"
    assert ("near", "summary") not in district.told(timedelta(minutes=31))
    assert ("near", "summary") not in district.told(timedelta(hours=3))
    assert district.told(timedelta(hours=5))["near", "summary"] == "ring"


@pytest.mark.parametrize("breaks_through", ["severity", "duty"])
def test_a_summary_breaks_through_quiet_hours_as_its_cases_would(district: District, breaks_through: str) -> None:
    district.rows(
        "insert into notice_preference values (%s, '22:00', '06:00', 30, 'zh', now()) returning account_id",
        district.people["near"],
    )
    district.now = datetime(2026, 3, 17, 13, 45, tzinfo=UTC)
    district.receive(incident(1, severity=Severity.LOW))
    district.told()
    if breaks_through == "severity":
        district.rows("update grid_case set severity = 'critical' returning id")
    else:
        district.on_duty = {district.people["near"]}
    assert district.told(timedelta(minutes=31))["near", "summary"] == "ring"


def test_without_a_dispatcher_the_chief_hears_of_what_is_to_be_dispatched(district: District) -> None:
    district.run("update account set disabled_at = now() where role = 'dispatcher'")
    district.receive(incident())
    district.told()
    district.act("worker", CaseAction.CONFIRM)
    assert district.told() == {("near", "confirm"): "ring"}


def test_what_reaches_nobody_is_counted(district: District) -> None:
    def unheard() -> float:
        return REGISTRY.get_sample_value("gridward_notices_unheard_total", {"word": "opened"}) or 0.0

    before = unheard()
    district.run("update account set disabled_at = now()")
    district.receive(incident())
    assert district.told() == {}
    assert unheard() == before + 1


def test_a_second_stage_that_is_late_rings_again(district: District) -> None:
    district.receive(incident())
    district.told()
    for stage, manner in (("verifying", "ring"), ("verifying", "quiet"), ("handling", "ring")):
        district.rows(
            "insert into case_event (case_id, at, action, reason) values (1, now(), 'deadline_red', %s) returning id",
            stage,
        )
        assert district.told()["near", "deadline_red"] == manner


def test_late_history_opens_a_case_and_wakes_nobody(district: District) -> None:
    ended = incident(state=IncidentState.ENDED)
    district.receive(ended, historical=True, received_at=district.now + timedelta(days=3))
    assert district.rows("select late from grid_case")[0].late
    assert district.told() == {}


def test_low_ones_are_told_together_while_they_wait(district: District) -> None:
    for number in range(1, 4):
        district.receive(incident(number, device=f"cam-{number}", severity=Severity.LOW))
    assert set(district.told().values()) == {"gathered"}
    assert district.told(timedelta(minutes=29)) == {}
    assert district.told(timedelta(minutes=2)) == {("near", "summary"): "ring", ("worker", "summary"): "ring"}
    (summary,) = district.rows(
        "select * from notice where word = 'summary' and account_id = %s", district.people["near"]
    )
    assert (summary.cases, summary.severity, summary.case_id) == (3, "low", None)
    assert district.told(timedelta(hours=1)) == {}


def test_a_summary_speaks_of_what_is_real_where_something_is(district: District) -> None:
    for number in (1, 2):
        district.receive(incident(number, device=f"cam-{number}", severity=Severity.LOW))
    assert set(district.told().values()) == {"gathered"}
    district.run("update grid_case set simulated = true, severity = 'high' where device = 'cam-1'")
    assert ("near", "summary") in district.told(timedelta(minutes=31))
    for summary in district.rows("select * from notice where word = 'summary'"):
        assert (summary.cases, summary.severity, summary.simulated) == (2, "low", False)


def test_a_summary_of_cases_that_are_over_or_were_seen_is_not_sent(district: District) -> None:
    district.receive(incident(1, severity=Severity.LOW))
    district.told()
    district.act("worker", CaseAction.CONFIRM)
    district.rows("update notice set seen_at = now() where account_id = %s returning id", district.people["worker"])
    district.rows("update grid_case set status = 'voided', ended_at = now() returning id")
    assert ("near", "summary") not in district.told(timedelta(hours=1))
    waiting = district.rows(
        "select * from notice where manner = 'gathered' and gathered_into is null and account_id <> 0"
    )
    assert waiting == []


def test_a_storm_is_summed_up_and_hides_nothing_worse(district: District) -> None:
    for number in range(1, 9):
        district.receive(incident(number, device=f"cam-{number}"))
    district.told()
    near = district.rows("select manner from notice where account_id = %s order by id", district.people["near"])
    assert [row.manner for row in near] == ["ring"] * 4 + ["gathered"] * 4
    district.receive(incident(90, device="cam-90", severity=Severity.HIGH))
    assert district.told()["near", "opened"] == "ring"
    assert district.told(timedelta(minutes=31))["near", "summary"] == "ring"


def test_what_is_planned_after_a_standstill_and_over_by_then_rings_no_more(district: District) -> None:
    district.receive(incident())
    district.rows("update grid_case set status = 'rejected', ended_at = now() returning id")
    assert set(district.told(timedelta(hours=5)).values()) == {"quiet"}


def test_a_row_that_can_not_be_planned_waits_and_holds_up_no_other(district: District) -> None:
    district.receive(incident(1), incident(2, device="cam-2"))
    district.rows("update grid_case set status = 'reported', kind = 'x' where id = 1 returning id")
    district.run(
        "create function refuse() returns trigger language plpgsql as $$ begin"
        " if new.kind = 'x' then raise exception 'no' using errcode = 'check_violation'; end if; return new; end $$;"
        " create trigger refuse before insert on notice for each row execute function refuse()"
    )
    assert ("near", "opened") in district.told()
    (kept,) = district.rows("select * from notice_due")
    assert kept.attempts == 1
    district.run("drop trigger refuse on notice")
    assert district.told() == {}
    assert ("near", "opened") in district.told(timedelta(minutes=2))


def test_a_trial_does_not_keep_anybody_from_being_told(district: District) -> None:
    near = district.principal("near")
    wish = Wish.gateway(Gateway("https://sms.example.org", "1"), label="SMS", place=1)
    made = channels.add(district.conn, Vault(bytes(32)), near, near.user_id, wish, now=district.now)
    channels.test(district.conn, near, made.id, now=district.now)
    district.receive(incident())
    assert district.told()["near", "opened"] == "ring"


def test_whoever_has_to_know_that_nobody_will_be_on_duty_is_told_once(district: District) -> None:
    for kind in ("nobody_on_duty", "calendar_ends"):
        district.rows(
            "insert into duty_warning (kind, area_code, area_path, from_at, until, told_account_id, raised_at, seen_at)"
            " values (%s, %s, %s, now(), now() + interval '1 day', %s, now(), now()) returning id",
            kind,
            *("110105001001", "110105/110105001/110105001001/"),
            district.people["near"],
        )
    assert district.told() == {("near", "nobody_on_duty"): "ring", ("near", "calendar_ends"): "quiet"}
    assert district.told() == {}
    (told,) = district.rows("select * from notice where word = 'nobody_on_duty'")
    assert (told.case_id, told.area_code) == (None, "110105001001")


def warn(district: District, *names: str, kind: str = "nobody_on_duty") -> None:
    for name in names:
        district.rows(
            "insert into duty_warning (kind, area_code, area_path, from_at, told_account_id, raised_at, seen_at)"
            " values (%s, %s, %s, now(), %s, now(), now()) returning id",
            *(kind, name, f"110105/110105001/{name}/", district.people["near"]),
        )


def notices(district: District) -> list[tuple[str, str, int]]:
    rows = district.rows("select word, manner, cases from notice where case_id is null order by id")
    return [(row.word, row.manner, row.cases) for row in rows]


def test_many_warnings_are_one_message_with_their_count_and_each_is_in_the_page(district: District) -> None:
    warn(district, *(f"1101050010{number:02}" for number in range(40)))
    district.told()
    found = notices(district)
    assert found[:40] == [("nobody_on_duty", "gathered", 0)] * 40
    assert found[40:] == [("warnings", "ring", 40)]
    near = district.principal("near")
    threads = inbox.threads(district.conn, near, before=2**62, count=100)
    assert len([each for each in threads if each.word == "nobody_on_duty"]) == 40
    assert district.told(timedelta(hours=2)) == {}


def test_a_person_is_rung_for_warnings_once_in_a_window_and_not_for_what_is_over(district: District) -> None:
    warn(district, "110105001001")
    assert district.told() == {("near", "nobody_on_duty"): "ring"}
    warn(district, "110105001002", "110105001003", "110105001004")
    assert district.told(timedelta(minutes=5)) == {("near", "nobody_on_duty"): "gathered"}
    district.rows("update duty_warning set over_at = now() where area_code = '110105001004' returning id")
    assert district.told(timedelta(minutes=24)) == {}
    assert district.told(timedelta(minutes=1)) == {("near", "warnings"): "ring"}
    assert notices(district)[-1] == ("warnings", "ring", 2)


def test_a_warning_in_quiet_hours_rings_when_they_are_over(district: District) -> None:
    district.rows(
        "insert into notice_preference values (%s, '22:00', '06:00', 30, 'zh', now()) returning account_id",
        district.people["near"],
    )
    district.now = datetime(2026, 3, 17, 15, 0, tzinfo=UTC)
    warn(district, "110105001001", kind="no_channel")
    assert district.told() == {("near", "no_channel"): "gathered"}
    assert district.told(timedelta(hours=6, minutes=59)) == {}
    assert district.told(timedelta(minutes=1)) == {("near", "no_channel"): "ring"}


def test_who_is_on_duty_is_told_before_who_is_not(district: District) -> None:
    district.on_duty = {district.people["worker"]}
    district.rows(
        "insert into notice_preference values (%s, '00:00', '23:59', 30, 'zh', now()) returning account_id",
        district.people["worker"],
    )
    district.rows(
        "insert into notice_preference values (%s, '00:00', '23:59', 30, 'zh', now()) returning account_id",
        district.people["near"],
    )
    district.receive(incident())
    assert district.told() == {("near", "opened"): "gathered", ("worker", "opened"): "ring"}
