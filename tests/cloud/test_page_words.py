"""Every closed set that the page shows has words in both languages: whoever adds a member in Python is told here which are missing."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

import cloud
from cloud.access.model import Role
from cloud.cases.model import CaseAction, CaseOrigin, CaseStatus, DismissalReason, HistoryAction, Stage
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
from cloud.organisation.model import DutyKind, MemberKind, SiteKind
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


def test_categories_are_found() -> None:
    assert {"fire_safety", "environment", "service"} <= set(SHOWN["category"])
