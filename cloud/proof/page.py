"""The page of an export that people read: no scripts, nothing from elsewhere, every foreign word escaped. Pure."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any

from cloud.proof.chain import FactKind, Said
from cloud.proof.manifest import Absence, ProvenCase, ProvenFile, incident_bytes

_STYLE = (
    "body{font:15px/1.5 system-ui,'Noto Sans CJK SC',sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#1c2733}"
    "table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}th,td{border-bottom:1px solid #d5dde5;padding:.3rem .6rem;"
    "text-align:left;vertical-align:top}th{font-weight:600}code{font-size:12px;overflow-wrap:anywhere}"
    "img{max-width:20rem;border:1px solid #d5dde5}figure{display:inline-block;margin:0 1rem 1rem 0}figcaption{max-width:20rem}"
)
_POLICY = "default-src 'none'; img-src 'self' file:; media-src 'self' file:; style-src 'unsafe-inline'"
_ABSENT = {
    Absence.DELETED: "deleted 已删除",
    Absence.NEVER_SENT: "never sent by its node 未上传",
    Absence.SEALED: "sealed original 封存原件",
    Absence.LEFT: "of an incident that is no part of the case any more 已移出本案",
    Absence.LOST: "lost or damaged in the store 丢失或损坏",
}


_HOW = (
    "<p>This page proves nothing by itself. The whole file is verified without a network with "
    "<code>gridward-cloud evidence verify FILE --trust FINGERPRINT</code>, with the fingerprint of the key as the command centre "
    "tells it in another way than with this file. 本页本身不构成证明，请用上述命令离线验证整个文件；密钥指纹须经其他途径向指挥中心核对。</p>"
)


@dataclass(frozen=True, slots=True)
class Cover:
    """Who exported it, what for, when, and the fingerprint of the key that signs."""

    by: str
    purpose: str
    at: datetime
    key: str


def render(
    case: ProvenCase,
    told: Iterable[Said],
    revisions: Mapping[tuple[str, Any, int], bytes],
    files: Sequence[ProvenFile],
    cover: Cover,
) -> bytes:
    """The page as bytes."""
    marks = "".join(
        f" · {mark}" for mark, is_so in (("DRILL 演练", case.drill), ("SIMULATED 模拟", case.simulated)) if is_so
    )
    facts = (
        ("Kind 类型", f"{case.kind} ({case.category})"),
        ("Severity 级别", case.severity),
        ("Status 状态", case.status),
        ("Opened 立案时间", _time(case.opened_at)),
        ("Exported 导出", f"{_time(cover.at)}, {cover.by}"),
        ("Purpose 用途", cover.purpose),
        ("Signed by the key 签名密钥", cover.key),
    )
    events = [said for said in told if said.kind is FactKind.EVENT]
    parts = [
        f'<!doctype html><html lang="zh"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        f"<title>{escape(case.number)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(case.number)}{marks}</h1>",
        _table((), facts),
        "<h2>History 案件经过</h2>",
        _table(("Time 时间", "Who 人员", "What 事项", "From 原状态", "To 状态", "Remark 备注"), map(_event, events)),
        "<h2>Incidents 事件</h2>",
        _table(
            ("Node 节点", "Incident 事件", "Device 设备", "Kind 类型", "Time 时间", "Rule 规则", "Model 模型"),
            _incidents(revisions),
        ),
        "<h2>Pictures and films 证据文件</h2>",
        *map(_file, files),
        "<h2>How to verify 如何验证</h2>",
        _HOW,
        "</body></html>",
    ]
    return "\n".join(parts).encode()


def _time(at: datetime | str) -> str:
    return (at if isinstance(at, datetime) else datetime.fromisoformat(at)).strftime("%Y-%m-%d %H:%M:%S %Z")


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    body = "".join("<tr>" + "".join(f"<td>{_cell(each)}</td>" for each in row) + "</tr>" for row in rows)
    return f"<table>{f'<tr>{head}</tr>' if heads else ''}{body}</table>"


def _cell(value: object) -> str:
    return "" if value is None else escape(str(value))


def _event(said: Said) -> tuple[object, ...]:
    fact = said.fact
    remarks = (fact.get(name) for name in ("reason", "note", "person", "department", "other_case", "until", "rating"))
    return (
        _time(fact["at"]),
        fact.get("actor"),
        fact["action"],
        fact.get("from"),
        fact.get("to"),
        " · ".join(str(each) for each in remarks if each is not None),
    )


def _incidents(revisions: Mapping[tuple[str, Any, int], bytes]) -> list[tuple[object, ...]]:
    """Each incident in its highest revision."""
    newest: dict[tuple[str, str], tuple[int, bytes]] = {}
    for (node, incident, revision), raw in revisions.items():
        if revision > newest.get((node, str(incident)), (-1, b""))[0]:
            newest[node, str(incident)] = revision, raw
    rows: list[tuple[object, ...]] = []
    for (node, incident), (revision, raw) in newest.items():
        told = json.loads(incident_bytes(raw))
        rows.append(
            (
                node,
                f"{incident} r{revision}",
                told["device"],
                told["kind"],
                f"{told['started_at']} – {told.get('ended_at') or ''}",
                _reference(told.get("rule")),
                _reference(told.get("model")),
            )
        )
    return rows


def _reference(told: Mapping[str, Any] | None) -> str:
    return "" if told is None else f"{told['id']} {told['version']} ({told['sha256'][:16]}…)"


def _file(file: ProvenFile) -> str:
    words = f"{escape(file.kind)} · {escape(file.captured_at)} · {file.size_bytes} bytes<br><code>{file.sha256}</code>"
    if file.absence is not None:
        when = (
            f" {_time(file.deleted_at)} ({escape(file.deletion_reason or 'age')})"
            if file.deleted_at is not None
            else ""
        )
        return f"<figure><figcaption>{words}<br>{_ABSENT[file.absence]}{when}</figcaption></figure>"
    shown = (
        f'<img src="{file.member}" alt="">'
        if file.mime.startswith("image/")
        else f'<a href="{file.member}">{file.member}</a>'
    )
    return f"<figure>{shown}<figcaption>{words}</figcaption></figure>"
