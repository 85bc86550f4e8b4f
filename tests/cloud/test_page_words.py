"""Every closed set that the page shows has words in both languages: whoever adds a member in Python is told here which are missing."""

import ast
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

import cloud
from cloud.access.model import Role
from cloud.cases.model import OWN_MOVES, CaseAction, CaseOrigin, CaseStatus, DismissalReason, HistoryAction, Stage
from cloud.deadlines.clock import WHOLE, Light
from cloud.deadlines.rules import ARRIVAL
from cloud.escalation.lookahead import WarningKind
from cloud.figures.definitions import FIGURES
from cloud.figures.popularity import Unranked
from cloud.fleet.model import Presence
from cloud.ingest.model import Reason
from cloud.intake.model import Progress
from cloud.maintenance.labels import PublicState
from cloud.maintenance.model import OrderAction, OrderHistory, OrderStatus
from cloud.notify.model import ChannelKind, Failure
from cloud.notify.policy import DRILL_ENDED, SUMMARY
from cloud.notify.rules import RULES
from cloud.notify.texts import TEST
from cloud.organisation.model import DutyKind, MemberKind, SiteKind, SwapStatus
from cloud.proof.originals import RequestState
from cloud.rollouts.model import Ring, RolloutAction, RolloutCause, RolloutState, StepReason, StepState
from cloud.verdicts.advice import HintCode, Outcome
from cloud.verdicts.proposals import ProposalState
from cloud.wall.model import TileState
from edge.contract.answer import Refusal
from edge.contract.birth import DeviceKind
from edge.contract.device_command import DeviceAction, Trigger
from edge.contract.health import Level
from edge.contract.incident import CameraTrouble, IncidentKind, Severity
from edge.contract.log_tail import LogLevel
from edge.contract.safety import SafetyFault
from edge.contract.telemetry import GapReason
from edge.contract.view import ViewAbsence

CLOUD = Path(cloud.__file__).parent
LOCALES = CLOUD / "web" / "src" / "locale"
CLOCKS = {*Stage, ARRIVAL, WHOLE}
"""What a clock of a case counts."""


def _categories() -> set[str]:
    """What a category of cases belongs to, as the migrations have it."""
    files = sorted((CLOUD / "db" / "migrations").glob("*.sql"))
    row = re.compile(r"\('[A-Z]\d+', '[^']*', '[^']*', '(\w+)'")
    return {kind for file in files for kind in row.findall(file.read_text(encoding="utf-8"))}


SHOWN: Mapping[str, Iterable[str]] = {
    "absence": ViewAbsence,
    "action": {*CaseAction, *HistoryAction},
    "answer": Refusal,
    "category": _categories(),
    "channelFailure": Failure,
    "deviceAction": DeviceAction,
    "deviceKind": DeviceKind,
    "deviceTrigger": Trigger,
    "dutyKind": DutyKind,
    "fault": SafetyFault,
    "figure": {figure.name for figure in FIGURES},
    "gapReason": GapReason,
    "kind": {*IncidentKind, "report"},
    "light": Light,
    "logLevel": LogLevel,
    "memberKind": MemberKind,
    "noticeWord": {*RULES, *WarningKind, DRILL_ENDED, TEST},
    "orderAction": {*OrderAction, *OrderHistory},
    "orderStatus": OrderStatus,
    "origin": CaseOrigin,
    "presence": Presence,
    "progress": Progress,
    "proof.says": RequestState,
    "proof.state": RequestState,
    "proposal": ProposalState,
    "publicState": PublicState,
    "queue.level": Level,
    "reason": {*DismissalReason, *CLOCKS},
    "refusal": Reason,
    "ring": Ring,
    "role": Role,
    "rolloutAction": RolloutAction,
    "rolloutCause": set(RolloutCause) - {RolloutCause.PERSON},  # a person's cause is in words of his own
    "rolloutState": RolloutState,
    "settings.notice.kinds": ChannelKind,
    "severity": Severity,
    "siteKind": SiteKind,
    "stage": CLOCKS,
    "statistics.why": Unranked,
    "status": CaseStatus,
    "stepReason": StepReason,
    "stepState": StepState,
    "trouble": CameraTrouble,
    "verdicts.hint": HintCode,
    "verdicts.outcome": Outcome,
    "wallState": TileState,
}
"""Groups of words of the page, and what the service may send to be shown with them."""


def _keys(language: str) -> set[str]:
    """The dotted keys of all words of a language; the files are object literals of quoted words, and nothing else."""
    text = (LOCALES / f"{language}.ts").read_text(encoding="utf-8").partition("= {")[2]
    tokens = re.finditer(
        r"//[^\n]*|(?P<key>\w+|'[^'\n]+'):\s*(?P<opens>\{)?|(?P<word>'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\")|(?P<closes>\})",
        text,
    )
    keys: set[str] = set()
    path: list[str] = []
    for token in tokens:
        if token["key"]:
            keys.add(".".join([*path, key := token["key"].strip("'")]))
            if token["opens"]:
                path.append(key)
        elif token["closes"]:
            if not path:
                break
            path.pop()
    return keys


HISTORIES = {"case": "action", "order": "orderAction", "rollout": "rolloutAction"}
"""What the audit log has of it, is in the words of its own history."""


def _audited() -> set[str]:
    """The codes of the audit log: those that are written out where it is written, and those that are made of closed sets."""
    made = {
        *(f"case.{each}" for each in (*CaseAction, *OWN_MOVES)),
        *(f"order.{each}" for each in OrderAction),
        *(f"rollout.{each}" for each in RolloutAction),
        *(f"rule.{each}" for each in set(ProposalState) - {ProposalState.OPEN}),
        *(f"swap.{each}" for each in SwapStatus),
        *(f"evidence.{each}" for each in HistoryAction if each.value.startswith(("unseal", "hold_un"))),
        *(f"shift_record.{each}" for each in ("given", "taken", "remarked")),
    }
    return made.union(*(_written_out(file) for file in sorted(CLOUD.rglob("*.py")) if "node_modules" not in file.parts))


def _written_out(file: Path) -> set[str]:
    text = file.read_text(encoding="utf-8")
    if "audit" not in text:
        return set()
    calls = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))
    writes = (call for call in calls if ast.unparse(call.func) in {"audit.write", "_note", "_audit"})
    words = (word for call in writes for given in call.args[1:4] for word in ast.walk(given))
    codes = (word.value for word in words if isinstance(word, ast.Constant) and isinstance(word.value, str))
    return {code for code in codes if re.fullmatch(r"[a-z_]+\.[a-z_]+", code)}


AUDITED = _audited()
KEYS = {language: _keys(language) for language in ("zh", "en")}


@pytest.mark.parametrize("group", SHOWN)
@pytest.mark.parametrize("language", KEYS)
def test_what_the_service_sends_has_words(language: str, group: str) -> None:
    missing = {f"{group}.{word}" for word in SHOWN[group]} - KEYS[language]
    assert not missing


@pytest.mark.parametrize("language", KEYS)
def test_the_words_are_read_to_their_end(language: str) -> None:
    assert {"product", "problem.unexpected", "loading"} <= KEYS[language]


@pytest.mark.parametrize("language", KEYS)
def test_what_is_gathered_has_words(language: str) -> None:
    assert {f"notices.{SUMMARY}", "notices.warnings"} <= KEYS[language]


@pytest.mark.parametrize("language", KEYS)
def test_each_code_of_the_audit_log_has_words(language: str) -> None:
    parts = [code.split(".") for code in AUDITED]
    assert not {f"auditThing.{thing}" for thing, _ in parts} - KEYS[language]
    assert not {
        f"{thing}.{deed}"
        for thing, deed in parts
        if not {f"auditDeed.{deed}", f"{HISTORIES.get(thing, 'auditDeed')}.{deed}"} & KEYS[language]
    }


def test_codes_of_the_audit_log_are_found() -> None:
    assert {"drill.started", "session.refused", "account.unlocked", "verdicts.exported", "label.made"} <= AUDITED


def test_categories_are_found() -> None:
    assert {"fire_safety", "environment", "service"} <= set(SHOWN["category"])
