"""Who may call what: a table over every route, by role, and for what a route names inside and outside of a person's scope.

A route that is not in the table fails the test, and so does one whose path names something that `things.py` does not know.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import httpx
import psycopg
import pytest

from cloud.access import departments
from cloud.access.model import Role
from cloud.api.app import openapi
from tests.cloud.api.conftest import Cloud
from tests.cloud.api.things import ELSEWHERE, NOW, NOWHERE, Things, add_people
from tests.cloud.samples import GRID

EVERYONE = frozenset(Role)
INSIDERS = EVERYONE - {Role.DEPARTMENT}
"""Who works for the district itself."""
STEWARDS = frozenset({Role.MAINTAINER, Role.ADMINISTRATOR})
DECIDERS = frozenset({Role.DUTY_CHIEF, Role.GRID_WORKER, Role.GRID_LEAD, Role.ADMINISTRATOR})

OPEN = {
    ("post", "/api/v1/session"),
    ("get", "/healthz"),
    ("get", "/readyz"),
    ("get", "/metrics"),
    ("post", "/api/v1/enrolment/challenge"),
    ("post", "/api/v1/enrolment"),
    ("post", "/api/v1/enrolment/renewal"),
    ("get", "/api/v1/public/{token}"),
    ("get", "/api/v1/public/requests/{link}"),
    ("post", "/api/v1/public/requests/{link}/rating"),
}
FOR_BROKERS = {("post", "/api/v1/broker/auth"), ("post", "/api/v1/broker/acl")}
FOR_MACHINES = {
    ("get", "/api/v1/api-key"),
    ("get", "/api/v1/intake/services"),
    ("post", "/api/v1/intake/reports"),
    ("get", "/api/v1/intake/reports/{report_id}"),
}
FOR_NODES = {
    ("put", "/api/v1/evidence/{sha256}"),
    ("head", "/api/v1/evidence/{sha256}"),
    ("get", "/api/v1/artifacts/{sha256}"),
    ("put", "/api/v1/wall/{camera}"),
    ("put", "/api/v1/wall/{camera}/absence"),
    ("get", "/api/v1/enrolment/standing"),
}
ADMINISTRATORS = frozenset({Role.ADMINISTRATOR})
IN_CHARGE = frozenset({Role.DUTY_CHIEF, Role.ADMINISTRATOR})
OVERSEERS_OF_ADMISSION = frozenset({Role.DUTY_CHIEF, Role.AUDITOR, Role.ADMINISTRATOR})
AUDITORS = ADMINISTRATORS | {Role.AUDITOR}
OVERSEERS = frozenset({Role.DUTY_CHIEF, Role.DISPATCHER, Role.AUDITOR, Role.ADMINISTRATOR})
BLOWERS = frozenset({Role.GRID_LEAD, Role.DISPATCHER, Role.DUTY_CHIEF, Role.ADMINISTRATOR})
PLANNERS = frozenset({Role.GRID_LEAD, Role.ADMINISTRATOR})
REPORTERS = DECIDERS | {Role.INTAKE_CLERK, Role.DISPATCHER}
FOR_PEOPLE = {
    ("get", "/api/v1/audit"): AUDITORS,
    ("get", "/api/v1/audit/chain"): AUDITORS,
    ("get", "/api/v1/audit/export"): AUDITORS,
    ("get", "/api/v1/categories"): EVERYONE,
    ("get", "/api/v1/departments"): EVERYONE,
    ("get", "/api/v1/people"): INSIDERS,
    ("post", "/api/v1/reports"): REPORTERS,
    ("put", "/api/v1/reports/{report_id}/pictures/{sha256}"): REPORTERS,
    ("get", "/api/v1/cases/{case_id}/near"): EVERYONE,
    ("get", "/api/v1/cases/{case_id}/pictures/{sha256}"): EVERYONE,
    ("get", "/api/v1/accounts"): ADMINISTRATORS,
    ("post", "/api/v1/accounts"): ADMINISTRATORS,
    ("get", "/api/v1/accounts/{account_id}"): ADMINISTRATORS,
    ("put", "/api/v1/accounts/{account_id}"): ADMINISTRATORS,
    ("post", "/api/v1/accounts/{account_id}/actions"): ADMINISTRATORS,
    ("get", "/api/v1/accounts/{account_id}/sessions"): ADMINISTRATORS,
    ("delete", "/api/v1/accounts/{account_id}/sessions"): ADMINISTRATORS,
    ("get", "/api/v1/session/all"): EVERYONE,
    ("delete", "/api/v1/session/all/{session_id}"): EVERYONE,
    ("post", "/api/v1/session/password"): EVERYONE,
    ("get", "/api/v1/areas/{code}/team"): INSIDERS,
    ("get", "/api/v1/areas/{code}/versions"): EVERYONE,
    ("get", "/api/v1/sites"): INSIDERS,
    ("get", "/api/v1/estates"): INSIDERS,
    ("get", "/api/v1/buildings"): INSIDERS,
    ("get", "/api/v1/organisation/tables/{kind}"): ADMINISTRATORS,
    ("post", "/api/v1/organisation/tables/{kind}"): ADMINISTRATORS,
    ("get", "/api/v1/duty/now"): INSIDERS,
    ("get", "/api/v1/duty/gaps"): INSIDERS,
    ("get", "/api/v1/duty/shifts"): INSIDERS,
    ("post", "/api/v1/duty/shifts"): PLANNERS,
    ("delete", "/api/v1/duty/shifts/{shift_id}"): PLANNERS,
    ("get", "/api/v1/duty/patterns"): INSIDERS,
    ("post", "/api/v1/duty/patterns"): PLANNERS,
    ("delete", "/api/v1/duty/patterns/{pattern_id}"): PLANNERS,
    ("get", "/api/v1/duty/covers"): INSIDERS,
    ("put", "/api/v1/duty/covers"): PLANNERS,
    ("delete", "/api/v1/duty/covers/{cover_id}"): PLANNERS,
    ("get", "/api/v1/duty/swaps"): INSIDERS,
    ("post", "/api/v1/duty/shifts/{shift_id}/swaps"): INSIDERS,
    ("post", "/api/v1/duty/swaps/{swap_id}/actions"): INSIDERS,
    ("get", "/api/v1/duty/handovers"): INSIDERS,
    ("post", "/api/v1/duty/shifts/{shift_id}/handover"): INSIDERS,
    ("post", "/api/v1/duty/handovers/{handover_id}/taken"): INSIDERS,
    ("get", "/api/v1/duty/records"): INSIDERS,
    ("get", "/api/v1/duty/records/{record_id}"): INSIDERS,
    ("post", "/api/v1/duty/records/{record_id}/given"): INSIDERS,
    ("post", "/api/v1/duty/records/{record_id}/taken"): INSIDERS,
    ("post", "/api/v1/duty/records/{record_id}/remarks"): INSIDERS,
    ("get", "/api/v1/drills"): INSIDERS,
    ("get", "/api/v1/drills/current"): EVERYONE,
    ("post", "/api/v1/drills"): IN_CHARGE,
    ("post", "/api/v1/drills/{drill_id}/prolong"): IN_CHARGE,
    ("post", "/api/v1/drills/{drill_id}/end"): IN_CHARGE,
    ("get", "/api/v1/drills/{drill_id}/report"): IN_CHARGE | {Role.GRID_LEAD, Role.AUDITOR},
    ("post", "/api/v1/cases/{case_id}/real"): EVERYONE - {Role.AUDITOR, Role.MAINTAINER},
    ("post", "/api/v1/me/position"): EVERYONE,
    ("delete", "/api/v1/me/position"): EVERYONE,
    ("get", "/api/v1/cases/{case_id}/nearest-workers"): BLOWERS,
    ("get", "/api/v1/camera-access"): ADMINISTRATORS,
    ("put", "/api/v1/camera-access"): ADMINISTRATORS,
    ("delete", "/api/v1/camera-access/{rule_id}"): ADMINISTRATORS,
    ("get", "/api/v1/api-keys"): ADMINISTRATORS,
    ("post", "/api/v1/api-keys"): ADMINISTRATORS,
    ("delete", "/api/v1/api-keys/{key_id}"): ADMINISTRATORS,
    ("get", "/api/v1/session"): EVERYONE,
    ("delete", "/api/v1/session"): EVERYONE,
    ("get", "/api/v1/cases"): EVERYONE,
    ("get", "/api/v1/cases/{case_id}"): EVERYONE,
    ("get", "/api/v1/cases/{case_id}/surroundings"): EVERYONE,
    ("post", "/api/v1/cases/{case_id}/actions"): DECIDERS,
    ("get", "/api/v1/cases/{case_id}/clock"): EVERYONE,
    ("get", "/api/v1/cases/{case_id}/folding"): EVERYONE,
    ("get", "/api/v1/admission-rules"): OVERSEERS_OF_ADMISSION,
    ("post", "/api/v1/admission-rules"): ADMINISTRATORS,
    ("delete", "/api/v1/admission-rules/{admission_id}"): ADMINISTRATORS,
    ("post", "/api/v1/admission-rules/try"): OVERSEERS_OF_ADMISSION,
    ("get", "/api/v1/unadmitted-incidents"): OVERSEERS_OF_ADMISSION,
    ("get", "/api/v1/cases/{case_id}/whistles"): EVERYONE,
    ("post", "/api/v1/cases/{case_id}/whistles"): BLOWERS,
    ("post", "/api/v1/cases/{case_id}/whistles/{whistle_id}/end"): BLOWERS,
    ("post", "/api/v1/cases/{case_id}/whistles/{whistle_id}/calls/{call_id}/arrival"): EVERYONE,
    ("get", "/api/v1/clocks"): EVERYONE,
    ("get", "/api/v1/duty-warnings"): INSIDERS,
    ("get", "/api/v1/deadline-rules"): EVERYONE,
    ("post", "/api/v1/deadline-rules"): ADMINISTRATORS,
    ("post", "/api/v1/deadline-rules/try"): ADMINISTRATORS,
    ("put", "/api/v1/deadline-ladders"): ADMINISTRATORS,
    ("put", "/api/v1/work-calendars"): ADMINISTRATORS,
    ("post", "/api/v1/work-calendars/try"): ADMINISTRATORS,
    ("put", "/api/v1/special-days"): ADMINISTRATORS,
    ("post", "/api/v1/special-days/try"): ADMINISTRATORS,
    ("get", "/api/v1/deadline-preview"): EVERYONE,
    ("get", "/api/v1/case-model"): EVERYONE,
    ("get", "/api/v1/areas"): EVERYONE,
    ("get", "/api/v1/areas/{code}/geometry"): EVERYONE,
    ("get", "/api/v1/figures"): EVERYONE,
    ("get", "/api/v1/figures/definitions"): EVERYONE,
    ("get", "/api/v1/figures/report"): INSIDERS,
    ("get", "/api/v1/figures/series"): INSIDERS,
    ("get", "/api/v1/figures/ranking"): INSIDERS,
    ("get", "/api/v1/figures/heat"): INSIDERS,
    ("get", "/api/v1/figures/days-without"): INSIDERS,
    ("get", "/api/v1/figures/popularity"): INSIDERS,
    ("get", "/api/v1/figures/weights"): INSIDERS,
    ("put", "/api/v1/figures/weights"): ADMINISTRATORS,
    ("get", "/api/v1/devices"): EVERYONE,
    ("get", "/api/v1/devices/{device_id}"): EVERYONE,
    ("get", "/api/v1/devices/{device_id}/points/{point}/series"): EVERYONE,
    ("get", "/api/v1/nodes"): INSIDERS,
    ("get", "/api/v1/nodes/{node}"): INSIDERS,
    ("get", "/api/v1/devices/{device_id}/gaps"): EVERYONE,
    ("post", "/api/v1/nodes/{node}/accept"): STEWARDS,
    ("get", "/api/v1/nodes/{node}/identity"): STEWARDS,
    ("get", "/api/v1/nodes/{node}/waiting-devices"): STEWARDS,
    ("post", "/api/v1/nodes/{node}/waiting-devices"): STEWARDS,
    ("post", "/api/v1/nodes/{node}/rotate"): STEWARDS,
    ("get", "/api/v1/nodes/{node}/held-messages"): STEWARDS,
    ("post", "/api/v1/nodes/{node}/held-messages/vouch"): STEWARDS,
    ("get", "/api/v1/command-keys"): STEWARDS,
    ("delete", "/api/v1/command-keys/{key}"): STEWARDS,
    ("get", "/api/v1/claims"): STEWARDS,
    ("post", "/api/v1/claims"): STEWARDS,
    ("delete", "/api/v1/claims/{claim_id}"): STEWARDS,
    ("post", "/api/v1/nodes/{node}/log-tail"): STEWARDS,
    ("get", "/api/v1/nodes/{node}/commands"): STEWARDS,
    ("get", "/api/v1/commands/{command_id}"): STEWARDS | {Role.DUTY_CHIEF},
    ("post", "/api/v1/devices/{device_id}/actions"): STEWARDS | {Role.DUTY_CHIEF},
    ("post", "/api/v1/devices/{device_id}/rules-try"): STEWARDS,
    ("get", "/api/v1/refusals"): STEWARDS,
    ("get", "/api/v1/evidence/{sha256}"): EVERYONE,
    ("post", "/api/v1/cases/{case_id}/export"): IN_CHARGE | {Role.AUDITOR},
    ("get", "/api/v1/proof-keys"): IN_CHARGE | {Role.AUDITOR},
    ("get", "/api/v1/cases/{case_id}/holds"): IN_CHARGE | {Role.AUDITOR},
    ("post", "/api/v1/cases/{case_id}/holds"): IN_CHARGE,
    ("post", "/api/v1/holds/{hold_id}/end"): IN_CHARGE,
    ("get", "/api/v1/cases/{case_id}/originals"): IN_CHARGE | {Role.GRID_LEAD, Role.AUDITOR},
    ("post", "/api/v1/cases/{case_id}/originals"): frozenset({Role.DUTY_CHIEF, Role.GRID_LEAD}),
    ("get", "/api/v1/unsealings"): IN_CHARGE | {Role.GRID_LEAD, Role.AUDITOR},
    ("post", "/api/v1/unsealings/{request_id}/decision"): IN_CHARGE,
    ("post", "/api/v1/unsealings/{request_id}/handover"): frozenset({Role.DUTY_CHIEF, Role.GRID_LEAD}),
    ("get", "/api/v1/wall"): EVERYONE,
    ("post", "/api/v1/wall/leases"): EVERYONE,
    ("delete", "/api/v1/wall/leases"): EVERYONE,
    ("get", "/api/v1/wall/{device_id}/picture"): EVERYONE,
    ("get", "/api/v1/live"): EVERYONE,
    ("get", "/api/v1/notices"): EVERYONE,
    ("post", "/api/v1/notices/seen"): EVERYONE,
    ("get", "/api/v1/notice-preference"): EVERYONE,
    ("put", "/api/v1/notice-preference"): EVERYONE,
    ("get", "/api/v1/notice-channels"): EVERYONE,
    ("post", "/api/v1/notice-channels"): ADMINISTRATORS,
    ("delete", "/api/v1/notice-channels/{channel_id}"): EVERYONE,
    ("post", "/api/v1/notice-channels/{channel_id}/test"): EVERYONE,
    ("get", "/api/v1/web-push"): EVERYONE,
    ("post", "/api/v1/web-push"): EVERYONE,
    ("get", "/api/v1/cases/{case_id}/notices"): OVERSEERS,
    ("get", "/api/v1/cases/{case_id}/would-be-told"): ADMINISTRATORS,
    ("get", "/api/v1/artifacts"): STEWARDS,
    ("post", "/api/v1/artifacts"): STEWARDS,
    ("put", "/api/v1/artifacts/{sha256}"): STEWARDS,
    ("get", "/api/v1/rollout-plans"): STEWARDS,
    ("get", "/api/v1/rollouts"): STEWARDS,
    ("post", "/api/v1/rollouts"): STEWARDS,
    ("get", "/api/v1/rollouts/{rollout_id}"): STEWARDS,
    ("post", "/api/v1/rollouts/{rollout_id}/actions"): STEWARDS,
    ("get", "/api/v1/rollouts/{rollout_id}/steps"): STEWARDS,
    ("get", "/api/v1/rollouts/{rollout_id}/events"): STEWARDS,
    ("put", "/api/v1/nodes/{node}/ring"): STEWARDS,
    ("get", "/api/v1/versions"): STEWARDS,
    ("get", "/api/v1/versions/nodes"): STEWARDS,
    ("get", "/api/v1/work-orders"): INSIDERS,
    ("get", "/api/v1/work-orders/{order_id}"): INSIDERS,
    ("post", "/api/v1/work-orders/{order_id}/actions"): STEWARDS,
    ("get", "/api/v1/work-order-model"): EVERYONE,
    ("get", "/api/v1/maintenance/figures"): INSIDERS,
    ("get", "/api/v1/devices/{device_id}/label"): INSIDERS,
    ("post", "/api/v1/devices/{device_id}/label"): STEWARDS,
    ("delete", "/api/v1/devices/{device_id}/label"): STEWARDS,
    ("get", "/api/v1/devices/{device_id}/label.svg"): INSIDERS,
    ("get", "/api/v1/areas/{code}/label"): INSIDERS,
    ("get", "/api/v1/areas/{code}/labels"): INSIDERS,
    ("post", "/api/v1/areas/{code}/label"): STEWARDS,
    ("delete", "/api/v1/areas/{code}/label"): STEWARDS,
    ("get", "/api/v1/areas/{code}/label.svg"): INSIDERS,
    ("get", "/api/v1/verdicts"): STEWARDS | {Role.DUTY_CHIEF, Role.AUDITOR},
    ("get", "/api/v1/verdicts/advice"): STEWARDS | {Role.DUTY_CHIEF, Role.AUDITOR},
    ("post", "/api/v1/verdicts/export"): STEWARDS,
    ("get", "/api/v1/rule-proposals"): STEWARDS | {Role.DUTY_CHIEF, Role.AUDITOR},
    ("post", "/api/v1/rule-proposals"): STEWARDS | {Role.DUTY_CHIEF},
    ("post", "/api/v1/rule-proposals/{proposal_id}/answer"): STEWARDS | {Role.DUTY_CHIEF},
}
PLACELESS = {
    # parameters that name nothing that lies in an area, or (artifacts) something that is everybody's
    ("put", "/api/v1/artifacts/{sha256}"),
    ("delete", "/api/v1/camera-access/{rule_id}"),
    ("delete", "/api/v1/command-keys/{key}"),
    # one's own
    ("delete", "/api/v1/session/all/{session_id}"),
    ("get", "/api/v1/organisation/tables/{kind}"),
    ("post", "/api/v1/organisation/tables/{kind}"),
}
"""Everything else that a path names lies somewhere, and is not there for those who are elsewhere."""

MORE_THAN_SCOPE = {
    # a picture is there while one looks at the camera, and one sent it: test_wall.py
    ("get", "/api/v1/wall/{device_id}/picture"),
    # claims and such of a node that came with a key: test_enrolment.py
    ("get", "/api/v1/nodes/{node}/identity"),
    # the file that `sha256` names came from a node: test_reports.py
    ("get", "/api/v1/cases/{case_id}/pictures/{sha256}"),
}
"""Things that are not simply there for everybody inside."""

OF_A_TOLD_CASE = {
    "/api/v1/cases/{case_id}",
    "/api/v1/cases/{case_id}/clock",
    "/api/v1/cases/{case_id}/near",
    "/api/v1/cases/{case_id}/folding",
    "/api/v1/cases/{case_id}/whistles",
    "/api/v1/cases/{case_id}/surroundings",
    "/api/v1/evidence/{sha256}",
    "/api/v1/areas/{code}/geometry",
}
"""What a department reads once a case was dispatched to it."""

QUERIES = {"/api/v1/evidence/{sha256}": {"purpose": "to see who may"}}
"""What else a route asks for, of some."""

PARAMETER = re.compile(r"\{(\w+)\}")

BODIES: dict[str, object] = {
    "/api/v1/reports": {"origin": "patrol", "category": "E0101", "title": "x", "area": GRID},
    "/api/v1/intake/reports": {"service_code": "E0101", "address_id": GRID},
    "/api/v1/notices/seen": {"upto": 1},
    "/api/v1/notice-preference": {"digest_min": 10},
    "/api/v1/notice-channels": {"account_id": 9999, "kind": "chat", "label": "Robot", "url": "wecombot://" + "a" * 36},
    "/api/v1/web-push": {"label": "Phone", "endpoint": "http://x", "p256dh": "a" * 87, "auth": "a" * 22},
    "/api/v1/rule-proposals": {"node": "node-1", "device": "gate-mark", "rule": "loitering-floor", "threshold": 9},
    "/api/v1/rule-proposals/{proposal_id}/answer": {"state": "withdrawn"},
    "/api/v1/verdicts/export": {"purpose": "training"},
    "/api/v1/accounts": {"name": "new", "display_name": "New", "role": "grid_worker", "area_code": ELSEWHERE},
    "/api/v1/accounts/{account_id}": {"display_name": "New", "role": "grid_worker", "area_code": ELSEWHERE},
    "/api/v1/accounts/{account_id}/actions": {"action": "close"},
    "/api/v1/session/password": {"current": "x", "password": "y"},
    "/api/v1/organisation/tables/{kind}": {"csv": "code,kind,name,area\n"},
    "/api/v1/duty/shifts": {
        "account_id": 9999,
        "area_code": GRID,
        "kind": "grid_worker",
        "from_at": "2026-03-17T08:00:00Z",
        "until_at": "2026-03-17T16:00:00Z",
    },
    "/api/v1/duty/patterns": {
        "account_id": 9999,
        "area_code": GRID,
        "kind": "grid_worker",
        "weekdays": [1],
        "begins_at": "08:00",
        "lasts_min": 480,
        "first_day": "2026-03-17",
    },
    "/api/v1/duty/covers": {"area_code": "110105999", "level": "grid", "kind": "site_keeper", "hours": "24/7"},
    "/api/v1/duty/shifts/{shift_id}/swaps": {"asked_of": 9999},
    "/api/v1/duty/swaps/{swap_id}/actions": {"action": "accept"},
    "/api/v1/duty/shifts/{shift_id}/handover": {"handed_to": 9999, "note": "x"},
    "/api/v1/drills": {
        "name": "x",
        "purpose": "x",
        "area_code": "110105999",
        "planned_end_at": "2026-03-17T08:00:00Z",
        "reports": True,
    },
    "/api/v1/duty/records/{record_id}/given": {"words": "all quiet"},
    "/api/v1/duty/records/{record_id}/taken": {"sha256": "0" * 64},
    "/api/v1/duty/records/{record_id}/remarks": {"note": "x"},
    "/api/v1/drills/{drill_id}/prolong": {"until": "2026-03-17T08:00:00Z"},
    "/api/v1/cases/{case_id}/real": {"note": "smoke"},
    "/api/v1/me/position": {"longitude": 116.4, "latitude": 39.9, "measured_at": "2026-03-17T08:00:00Z"},
    "/api/v1/camera-access": {"owner": "traffic", "allowed": True, "role": "auditor"},
    "/api/v1/api-keys": {"name": "hotline", "scopes": ["intake"]},
    "/api/v1/cases/{case_id}/actions": {"action": "confirm", "version": 1},
    "/api/v1/cases/{case_id}/whistles": {"level": "grid", "departments": [1]},
    "/api/v1/cases/{case_id}/whistles/{whistle_id}/end": {"note": "enough"},
    "/api/v1/cases/{case_id}/whistles/{whistle_id}/calls/{call_id}/arrival": {"note": "here"},
    "/api/v1/admission-rules": {"kind": "loitering", "admitted_from": "high"},
    "/api/v1/admission-rules/try": {"rule": {"kind": "loitering", "admitted_from": "high"}, "days": 7},
    "/api/v1/figures/weights": {"weights": {"closed": 1.0}},
    "/api/v1/deadline-rules": {"stage": "handling", "amount": 60, "unit": "minutes"},
    "/api/v1/deadline-rules/try": {"stage": "handling", "amount": 60, "unit": "minutes"},
    "/api/v1/deadline-ladders": {
        "severity": "low",
        "rungs": [{"level": "district", "amount": 1, "unit": "working_days"}],
    },
    "/api/v1/work-calendars": {
        "effective_from": "2026-01-01",
        "hours": [*(["08:30-12:00 14:00-17:30"] * 5), "", ""],
        "makeup": "09:00-12:00",
    },
    "/api/v1/work-calendars/try": {
        "effective_from": "2026-01-01",
        "hours": [*(["08:30-12:00 14:00-17:30"] * 5), "", ""],
        "makeup": "09:00-12:00",
    },
    "/api/v1/special-days/try": {"day": NOW.date().isoformat(), "worked": True, "name": "exercise"},
    "/api/v1/special-days": {"day": NOW.date().isoformat(), "worked": True, "name": "exercise"},
    "/api/v1/work-orders/{order_id}/actions": {"action": "assign", "version": 1},
    "/api/v1/cases/{case_id}/export": {"purpose": "for the court"},
    "/api/v1/cases/{case_id}/holds": {"reason": "for the court"},
    "/api/v1/holds/{hold_id}/end": {"note": "the court is done"},
    "/api/v1/cases/{case_id}/originals": {"sha256": "0" * 64, "purpose": "for the court"},
    "/api/v1/unsealings/{request_id}/decision": {"allowed": True},
    "/api/v1/wall/leases": {"cameras": [], "purpose": "rounds"},
    "/api/v1/nodes/{node}/accept": {"area_code": GRID},
    "/api/v1/nodes/{node}/log-tail": {"lines": 10},
    "/api/v1/artifacts": {
        "artifact": "profile",
        "name": "ocpp16_pile",
        "version": "1.0.0",
        "sha256": "0" * 64,
        "size_bytes": 1,
        "signed_at": "2026-03-01T08:00:00Z",
        "key": "0" * 64,
        "sig": "",
    },
    "/api/v1/rollouts": {"title": "x", "artifact_id": 1, "plan": {"stages": [{"name": "all", "percent": 100}]}},
    "/api/v1/rollouts/{rollout_id}/actions": {"action": "start"},
    "/api/v1/nodes/{node}/ring": {"ring": "early"},
    "/api/v1/nodes/{node}/rotate": {"at_once": False},
    "/api/v1/nodes/{node}/waiting-devices": {"decision": "accept"},
    "/api/v1/nodes/{node}/held-messages/vouch": {"upto": 1},
    "/api/v1/claims": {"node": "node-8", "area_code": GRID},
    "/api/v1/broker/auth": {"username": "node-1", "password": "x"},
    "/api/v1/broker/acl": {"username": "node-1", "topic": "gw/1/110105/node-1/up/birth", "action": "publish"},
    "/api/v1/devices/{device_id}/rules-try": {"since": "1d"},
    "/api/v1/devices/{device_id}/actions": {"action": "stop_charge"},
}


OVER = {
    "a closed account": "update account set disabled_at = now() where name = %s",
    "a revoked session": "update session set revoked_at = now() where account_id = (select id from account where name = %s)",
    "a session that is over": "update session set expires_at = now() where account_id = (select id from account where name = %s)",
}
ROUTES = sorted(FOR_PEOPLE)
OWN_TEST = {("get", "/api/v1/live"), ("delete", "/api/v1/session"), ("post", "/api/v1/session/password")}
"""A stream has no end, who signs out is signed out, and a wrong password is forbidden: test_live.py and test_session.py have them."""


@dataclass(frozen=True)
class District:
    """A cloud with one of everything in a grid, and people of each role inside and outside of it."""

    client: httpx.Client
    things: Things
    tokens: dict[str, str]
    nothing: dict[tuple[str, str], tuple[int, str]]
    """What each route answers for a thing that there is not: the same to everybody who may ask."""

    def ask(
        self, who: str, method: str, path: str, names: Mapping[str, str], query: Mapping[str, str] | None = None
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.tokens[who]}"}
        return self.client.request(
            method,
            path.format(**names),
            json=BODIES.get(path),
            params={**QUERIES.get(path, {}), **(query or {})},
            headers=headers,
        )


@pytest.fixture(scope="module")
def district(shared_cloud: Cloud) -> Iterator[District]:
    things = Things(shared_cloud)
    with psycopg.connect(shared_cloud.database_url) as conn:
        departments.add(conn, code="water", name="Water", now=NOW)
        add_people(conn, "inside", GRID)
        add_people(conn, "outside", ELSEWHERE)
        add_people(conn, "everywhere", None)
        add_people(conn, "never-told", GRID, department="water")
        things.tell_department(conn, "sanitation")
    names = [f"{where}-{role.value}" for where in ("inside", "outside", "everywhere", "never-told") for role in Role]
    with shared_cloud.anyone() as client:
        yield District(client, things, {name: shared_cloud.session(name) for name in names}, {})


def placed(method: str, path: str) -> bool:
    """Whether a route names something that lies in an area."""
    return "{" in path and (method, path) not in PLACELESS


def told(answer: httpx.Response, names: Mapping[str, str]) -> tuple[int, str]:
    """What an answer says, without the names that were asked for."""
    text = answer.text
    for name in sorted(names.values(), key=len, reverse=True):
        text = text.replace(name, "*")
    return answer.status_code, text


def test_every_route_stands_in_the_table() -> None:
    routes = {(method, path) for path, methods in openapi()["paths"].items() for method in methods}
    assert routes == OPEN | FOR_NODES | FOR_BROKERS | FOR_MACHINES | FOR_PEOPLE.keys()


def test_everything_that_a_path_names_is_there_to_be_tried(district: District) -> None:
    named = {name for method, path in ROUTES if placed(method, path) for name in PARAMETER.findall(path)}
    assert named <= NOWHERE.keys() & district.things.by_parameter.keys(), "see tests/cloud/api/things.py"


def test_nothing_answers_a_stranger(cloud: Cloud) -> None:
    with cloud.anyone() as client:
        for method, path in sorted(FOR_NODES | FOR_BROKERS | FOR_MACHINES | FOR_PEOPLE.keys()):
            for headers in (
                {},
                {"Authorization": "Bearer x"},
                {"Authorization": "Basic eDp4"},
                {"Cookie": "gridward_session=x"},
            ):
                answer = client.request(method, path.format(**NOWHERE), json=BODIES.get(path), headers=headers)
                assert answer.status_code == httpx.codes.UNAUTHORIZED, (method, path, headers)


@pytest.mark.parametrize("how", OVER)
def test_nothing_answers_one_who_was_somebody(shared_cloud: Cloud, district: District, how: str) -> None:
    name = f"was-{how.rsplit(maxsplit=1)[-1]}"
    with psycopg.connect(shared_cloud.database_url) as conn:
        conn.execute(
            "insert into account (name, display_name, role, password_hash, created_at, password_changed_at)"
            " values (%s, 'Was', 'administrator', '-', now(), now())",
            [name],
        )
    token = shared_cloud.session(name)
    with shared_cloud.anyone() as client:
        client.headers["Authorization"] = f"Bearer {token}"
        assert client.get("/api/v1/session").status_code == httpx.codes.OK
        with psycopg.connect(shared_cloud.database_url) as conn:
            conn.execute(OVER[how].encode(), [name])
        for method, path in ROUTES:
            answer = client.request(
                method, path.format(**NOWHERE | district.things.by_parameter), json=BODIES.get(path)
            )
            assert answer.status_code == httpx.codes.UNAUTHORIZED, (method, path)


def test_a_node_is_no_person_and_a_person_no_node(cloud: Cloud) -> None:
    with cloud.node() as node:
        for method, path in sorted(FOR_BROKERS | FOR_MACHINES | FOR_PEOPLE.keys()):
            answer = node.request(method, path.format(**NOWHERE), json=BODIES.get(path))
            assert answer.status_code == httpx.codes.UNAUTHORIZED, (method, path)
    with cloud.client("admin") as person:
        for method, path in sorted(FOR_NODES | FOR_BROKERS | FOR_MACHINES):
            answer = person.request(method, path.format(**NOWHERE), json=BODIES.get(path))
            assert answer.status_code == httpx.codes.UNAUTHORIZED, (method, path)


@pytest.mark.parametrize("role", Role)
def test_each_role_may_do_what_the_table_says(district: District, role: Role) -> None:
    for method, path in ROUTES:
        if (method, path) in OWN_TEST:
            continue
        answer = district.ask(f"everywhere-{role.value}", method, path, NOWHERE)
        forbidden = answer.status_code == httpx.codes.FORBIDDEN
        assert forbidden == (role not in FOR_PEOPLE[method, path]), (method, path, role, answer.text)
        assert answer.status_code not in {401, 500}, (method, path, role)


@pytest.mark.parametrize("role", Role)
def test_who_is_inside_finds_what_there_is(district: District, role: Role) -> None:
    """Otherwise the next test would prove nothing. What changes something is tried by the tests of what it changes."""
    for method, path in ROUTES:
        if method != "get" or not placed(method, path) or (method, path) in MORE_THAN_SCOPE:
            continue
        if role not in FOR_PEOPLE[method, path] or (role is Role.DEPARTMENT and path not in OF_A_TOLD_CASE):
            continue
        answer = district.ask(f"inside-{role.value}", method, path, district.things.by_parameter)
        assert answer.status_code == httpx.codes.OK, (method, path, role, answer.text)


@pytest.mark.parametrize("role", Role)
def test_who_is_outside_learns_nothing_of_it(district: District, role: Role) -> None:
    """The same answer as for a thing that there is not, whatever he wants to do with it."""
    for method, path in ROUTES:
        if placed(method, path) and role in FOR_PEOPLE[method, path]:
            answers_nothing(district, f"outside-{role.value}", method, path)


def test_a_department_that_was_never_told_learns_nothing_of_a_case(district: District) -> None:
    for method, path in ROUTES:
        if placed(method, path) and "{code}" not in path and Role.DEPARTMENT in FOR_PEOPLE[method, path]:
            answers_nothing(district, "never-told-department", method, path)


def answers_nothing(district: District, who: str, method: str, path: str) -> None:
    real, unreal = district.things.by_parameter, NOWHERE
    answer = district.ask(who, method, path, real)
    assert answer.status_code == httpx.codes.NOT_FOUND, (method, path, who, answer.text)
    if (method, path) not in district.nothing:
        district.nothing[method, path] = told(district.ask(who, method, path, unreal), unreal)
    assert told(answer, real) == district.nothing[method, path], (method, path, who)


@pytest.mark.parametrize("who", [*(f"outside-{role.value}" for role in Role), "never-told-department"])
def test_no_list_tells_of_what_lies_outside(district: District, who: str) -> None:
    document = openapi()["paths"]
    marks = [mark for mark in district.things.marks if mark != GRID or who.startswith("outside")]
    for method, path in ROUTES:
        if method != "get" or (method, path) in OWN_TEST or "{" in path:
            continue
        answer = district.ask(who, method, path, {})
        found = [mark for mark in marks if mark in answer.text]
        assert not found, (path, who, found)
        parameters = {parameter["name"] for parameter in document[path][method].get("parameters", [])}
        if "area" in parameters and who.startswith("outside"):
            inside, nowhere = (
                district.ask(who, method, path, {}, {"area": names["code"]})
                for names in (district.things.by_parameter, NOWHERE)
            )
            assert inside.status_code in {403, 404}, (path, who, inside.text)
            assert inside.text == nowhere.text, (path, who)


def test_what_lies_inside_is_in_the_lists_of_those_who_are_there(district: District) -> None:
    """Otherwise the test before would prove nothing."""
    seen = "".join(
        district.ask("inside-administrator", method, path, {}).text
        for method, path in ROUTES
        if method == "get" and (method, path) not in OWN_TEST and "{" not in path
    )
    assert [mark for mark in district.things.marks if mark not in seen] == []
