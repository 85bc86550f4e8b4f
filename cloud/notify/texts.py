"""What a notice says outside of the page. Pure.

A channel is read on locked screens, by robots in groups, by gateways of others. So a text is built from `Wording` alone, whose fields are numbers
and words of closed sets; of a person, a note, a title or a picture it knows nothing. What is not of its set becomes a word that says nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from cloud.cases.model import STAGE_OF, CaseAction, CaseStatus, HistoryAction, Stage
from cloud.notify.policy import DRILL_ENDED, SUMMARY, WARNINGS
from edge.contract.incident import Severity

TEST = "test"
"""The word of a notice that only tries a channel."""

_NUMBER = re.compile(r"[0-9]{6}-[0-9]{8}-[0-9]{4,9}")
_AREA_LIMIT = 40
_UNFIT = re.compile(r"[^\w\s()（）·-]|[\r\n\t]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """All that a text can be made of. `count` is how many cases a summary stands for, the others are then those of the worst."""

    word: str
    number: str | None = None
    category: str | None = None
    severity: Severity | None = None
    area_name: str | None = None
    status: CaseStatus | None = None
    count: int = 1
    drill: bool = False
    simulated: bool = False
    language: str = "zh"


@dataclass(frozen=True, slots=True)
class Text:
    """A notice as it is read: a line, and one below it."""

    title: str
    body: str


@dataclass(frozen=True, slots=True)
class _Words:
    product: str
    drill: str
    simulated: str
    other: str
    waiting: str
    warnings: str
    made: str
    worst: str
    severities: Mapping[Severity, str]
    categories: Mapping[str, str]
    stages: Mapping[Stage | None, str]
    facts: Mapping[str, str]
    separator: str


_ZH = _Words(
    product="网格",
    drill="【演练】",
    simulated="【模拟】",
    other="其他",
    waiting="{count} 件案件待处理",
    warnings="{count} 项值班隐患待处理",
    made="共 {count} 件案件",
    worst="最严重",
    separator=" · ",
    severities={
        Severity.LOW: "提示",
        Severity.MEDIUM: "一般",
        Severity.HIGH: "重要",
        Severity.CRITICAL: "紧急",
    },
    categories={
        "public_order": "治安秩序",
        "public_security": "治安",
        "public_safety": "公共安全",
        "security": "治安",
        "safety": "安全",
        "fire_safety": "消防",
        "fire": "消防",
        "environment": "环境",
        "traffic": "交通",
        "maintenance": "运维",
        "health": "健康",
    },
    stages={
        Stage.VERIFYING: "待核实",
        Stage.DISPATCHING: "待派遣",
        Stage.RECEIPT: "待接单",
        Stage.HANDLING: "处置中",
        Stage.SUSPENSION: "挂账",
        Stage.CHECKING: "待核查",
        None: "已办结",
    },
    facts={
        SUMMARY: "多案汇总",
        WARNINGS: "值班隐患汇总",
        TEST: "渠道测试",
        HistoryAction.OPENED: "新案件",
        HistoryAction.SEVERITY_RAISED: "级别上调",
        HistoryAction.REOPENED: "重新立案",
        HistoryAction.RESUMED: "挂账到期",
        "came_again": "再次发生",
        "rang": "新情况",
        "false_alarm_again": "曾判误报，再次出现",
        CaseAction.VERIFY: "请核实",
        CaseAction.CONFIRM: "已立案，请派遣",
        CaseAction.INCONCLUSIVE: "未能核实",
        CaseAction.DISPATCH: "派遣，请接单",
        CaseAction.RECALL: "派遣已撤回",
        "taken_away": "已改派其他部门",
        CaseAction.RESOLVE: "处置完毕，请核查",
        CaseAction.ASK_RETURN: "申请退单",
        CaseAction.ASK_SUSPENSION: "申请挂账",
        CaseAction.ASK_EXTENSION: "申请延时",
        CaseAction.ALLOW_RETURN: "退单已同意",
        CaseAction.REFUSE_RETURN: "退单未同意",
        CaseAction.ALLOW_SUSPENSION: "挂账已同意",
        CaseAction.REFUSE_SUSPENSION: "挂账未同意",
        CaseAction.ALLOW_EXTENSION: "延时已同意",
        CaseAction.REFUSE_EXTENSION: "延时未同意",
        CaseAction.RESUME: "恢复处置",
        CaseAction.CHECK: "请核查",
        CaseAction.REWORK: "返工",
        CaseAction.REOPEN: "重新打开",
        CaseAction.MERGE: "已并案",
        CaseAction.UNMERGE: "并案已撤销",
        CaseAction.VOID: "已作废",
        CaseAction.URGE: "督办",
        "publish": "点单，可接单",
        CaseAction.COMMENT: "有新留言",
        "request_rated": "居民已评价",
        "deadline_amber": "即将超时",
        "deadline_red": "已超时",
        "escalated": "逐级上报",
        "escalated_again": "再次上报，请报到",
        "whistle": "吹哨，请报到",
        "whistle_answered": "已报到",
        "whistle_overdue": "吹哨未报到",
        "whistle_ended": "吹哨结束",
        "unseal_asked": "申请解封原件",
        "unseal_allowed": "解封申请已批准",
        "made_real": "演练转为实战，确有险情",
        "unseal_refused": "解封申请被拒绝",
        "unseal_ready": "原件已取回，可以查看",
        "unseal_gone": "前端已无该原件",
        "unseal_unserved": "原件未能取回",
        "hold_unkept": "有原件未能保全",
        "nobody_on_duty": "无人值班",
        "no_channel": "有人无法通知",
        "calendar_ends": "工作日历即将用尽",
        "handover_unconfirmed": "交接班记录未按时确认",
        DRILL_ENDED: "演练已结束，恢复实战",
    },
)

_EN = _Words(
    product="Gridward",
    drill="[DRILL] ",
    simulated="[SIMULATED] ",
    other="other",
    waiting="{count} cases wait",
    warnings="{count} warnings about duty",
    made="cases: {count}",
    worst="the worst",
    separator=" · ",
    severities={
        Severity.LOW: "low",
        Severity.MEDIUM: "medium",
        Severity.HIGH: "high",
        Severity.CRITICAL: "critical",
    },
    categories={
        "public_order": "public order",
        "public_security": "public security",
        "public_safety": "public safety",
        "security": "security",
        "safety": "safety",
        "fire_safety": "fire safety",
        "fire": "fire",
        "environment": "environment",
        "traffic": "traffic",
        "maintenance": "maintenance",
        "health": "health",
    },
    stages={
        Stage.VERIFYING: "to be verified",
        Stage.DISPATCHING: "to be dispatched",
        Stage.RECEIPT: "to be accepted",
        Stage.HANDLING: "being handled",
        Stage.SUSPENSION: "suspended",
        Stage.CHECKING: "to be checked",
        None: "ended",
    },
    facts={
        SUMMARY: "several cases",
        WARNINGS: "several warnings about duty",
        TEST: "a test of this channel",
        HistoryAction.OPENED: "new case",
        HistoryAction.SEVERITY_RAISED: "severity raised",
        HistoryAction.REOPENED: "opened again",
        HistoryAction.RESUMED: "suspension is over",
        "came_again": "came again",
        "rang": "news",
        "false_alarm_again": "judged a false alarm before, again",
        CaseAction.VERIFY: "please verify",
        CaseAction.CONFIRM: "filed, please dispatch",
        CaseAction.INCONCLUSIVE: "could not be verified",
        CaseAction.DISPATCH: "dispatched, please accept",
        CaseAction.RECALL: "recalled",
        "taken_away": "given to another department",
        CaseAction.RESOLVE: "resolved, please check",
        CaseAction.ASK_RETURN: "return asked for",
        CaseAction.ASK_SUSPENSION: "suspension asked for",
        CaseAction.ASK_EXTENSION: "extension asked for",
        CaseAction.ALLOW_RETURN: "return allowed",
        CaseAction.REFUSE_RETURN: "return refused",
        CaseAction.ALLOW_SUSPENSION: "suspension allowed",
        CaseAction.REFUSE_SUSPENSION: "suspension refused",
        CaseAction.ALLOW_EXTENSION: "extension allowed",
        CaseAction.REFUSE_EXTENSION: "extension refused",
        CaseAction.RESUME: "goes on",
        CaseAction.CHECK: "please check",
        CaseAction.REWORK: "to be done again",
        CaseAction.REOPEN: "opened again",
        CaseAction.MERGE: "merged",
        CaseAction.UNMERGE: "taken apart",
        CaseAction.VOID: "voided",
        CaseAction.URGE: "urged",
        "publish": "a request to claim",
        CaseAction.COMMENT: "a comment",
        "request_rated": "rated by the requester",
        "deadline_amber": "deadline is near",
        "deadline_red": "deadline has passed",
        "escalated": "passed up",
        "escalated_again": "passed up again",
        "whistle": "whistle: please report",
        "whistle_answered": "reported",
        "whistle_overdue": "nobody reported",
        "whistle_ended": "whistle is over",
        "unseal_asked": "a sealed original is asked for",
        "unseal_allowed": "a sealed original may be opened",
        "made_real": "this is no drill: declared real",
        "unseal_refused": "a sealed original stays sealed",
        "unseal_ready": "a sealed original is here",
        "unseal_gone": "a sealed original is gone at its node",
        "unseal_unserved": "a sealed original could not be fetched",
        "hold_unkept": "an original of a held case can't be kept",
        "nobody_on_duty": "nobody on duty",
        "no_channel": "somebody can't be reached",
        "calendar_ends": "the calendar runs out",
        "handover_unconfirmed": "a change of shift was not confirmed in time",
        DRILL_ENDED: "the drill is over, all is real again",
    },
)
LANGUAGES: Mapping[str, _Words] = {"zh": _ZH, "en": _EN}


def text(wording: Wording) -> Text:
    """A notice in words."""
    words = LANGUAGES.get(wording.language, _ZH)
    marks = words.drill * wording.drill + words.simulated * wording.simulated
    if wording.word == SUMMARY:
        title = f"{marks}{words.waiting.format(count=max(0, int(wording.count)))}"
        return Text(title, f"{words.worst}{words.separator}{_case(wording, words)}")
    if wording.word == WARNINGS:
        return Text(f"{marks}{words.warnings.format(count=max(0, int(wording.count)))}", _case(wording, words))
    fact = words.facts.get(wording.word, words.product)
    if wording.word == TEST:
        return Text(f"{words.product}{words.separator}{fact}", words.product)
    if wording.word == DRILL_ENDED:
        made = words.made.format(count=max(0, int(wording.count)))
        return Text(f"{marks}{fact}", words.separator.join(part for part in (made, _area(wording.area_name)) if part))
    severity = words.severities.get(wording.severity, "") if wording.severity is not None else ""
    title = words.separator.join(part for part in (severity, fact) if part)
    return Text(f"{marks}{title}", _case(wording, words))


def short(wording: Wording) -> dict[str, str | int | bool]:
    """What a browser's push service carries: number and severity, the page's own words are in the browser."""
    known = LANGUAGES["zh"].facts
    return {
        "word": wording.word if wording.word in known else "",
        "number": _number(wording.number),
        "severity": wording.severity.value if wording.severity is not None else "",
        "count": max(0, int(wording.count)),
        "drill": wording.drill,
        "simulated": wording.simulated,
        "title": text(wording).title,
    }


def _case(wording: Wording, words: _Words) -> str:
    severity = words.severities.get(wording.severity, "") if wording.word == SUMMARY and wording.severity else ""
    category = words.categories.get(wording.category or "", words.other) if wording.number else ""
    stage = words.stages[STAGE_OF[wording.status]] if wording.status is not None else ""
    parts = (severity, category, _area(wording.area_name), stage, _number(wording.number))
    return words.separator.join(part for part in parts if part)


def _number(number: str | None) -> str:
    return number if number is not None and _NUMBER.fullmatch(number) else ""


def _area(name: str | None) -> str:
    """The official name of an area, as one line without signs that robots take for markup."""
    return _UNFIT.sub(" ", name or "").strip()[:_AREA_LIMIT]
