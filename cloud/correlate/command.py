"""`gridward-cloud admission`."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Annotated, Any

import typer
from psycopg import Connection

from cloud.access import accounts, areas
from cloud.access.model import Principal, Role
from cloud.correlate import admission_rules, admission_trial
from cloud.correlate.admission import AdmissionRule, AdmissionWish
from cloud.correlate.admission_trial import AdmissionTrial
from cloud.errors import Forbidden, Invalid, NotFound
from cloud.logs import escaped
from cloud.terminal import AsJson, now, tell, transaction
from edge.contract.incident import Severity

admission_app = typer.Typer(no_args_is_help=True, help="What may become a case.")

_By = Annotated[str, typer.Option(help="The account of whoever does it: an administrator.")]
_Area = Annotated[str | None, typer.Option(help="Code of an area of any level; everywhere without one.")]
_Level = Annotated[str | None, typer.Option(help="Level of the area where an incident lies.")]
_Category = Annotated[str | None, typer.Option(help="Only of this category.")]
_Kind = Annotated[str | None, typer.Option(help="Only of this kind.")]
_From = Annotated[Severity, typer.Option("--from", help="From which severity on; what is critical always is.")]
_ADDRESS = "command line"


@admission_app.command("list")
def admission_list(
    area: _Area = None,
    ended: Annotated[bool, typer.Option("--ended", help="Those that have ended too.")] = False,
    as_json: AsJson = False,
) -> None:
    """The rules, the newest first, each with how many incidents became no case by it."""
    with transaction() as conn:
        rules = [rule for rule in admission_rules.of_scope(conn, _scope(conn, area)) if ended or rule.ended_at is None]
    tell({"items": [_told(rule) for rule in rules]}, as_json=as_json, text="\n".join(map(_line, rules)) or "nothing")


@admission_app.command("set")
def admission_set(
    *,
    by: _By,
    admitted_from: _From,
    area: _Area = None,
    level: _Level = None,
    category: _Category = None,
    kind: _Kind = None,
    note: Annotated[str, typer.Option(help="Why.")] = "",
    as_json: AsJson = False,
) -> None:
    """Make a rule; it holds from now on. `try` says beforehand what it would do."""
    wish = AdmissionWish(
        area_code=area, level=level, category=category, kind=kind, admitted_from=admitted_from, note=note
    )
    with transaction() as conn:
        made = admission_rules.add(conn, _administrator(conn, by), wish, now=now(), address=_ADDRESS)
    tell(_told(made), as_json=as_json, text=f"made {_line(made)}")


@admission_app.command("end")
def admission_end(
    rule: Annotated[int, typer.Argument(min=1, help="Its number.")], by: _By, as_json: AsJson = False
) -> None:
    """End a rule. What became no case by it stays none, unless its node tells more of it."""
    with transaction() as conn:
        admission_rules.end(conn, _administrator(conn, by), rule, now=now(), address=_ADDRESS)
    tell({"rule_id": rule, "ended": True}, as_json=as_json, text=f"ended rule {rule}")


@admission_app.command("try")
def admission_try(
    *,
    by: _By,
    admitted_from: Annotated[
        Severity | None, typer.Option("--from", help="Of a rule more: from which severity on.")
    ] = None,
    area: _Area = None,
    level: _Level = None,
    category: _Category = None,
    kind: _Kind = None,
    without: Annotated[int | None, typer.Option(min=1, help="Of a rule less: its number.")] = None,
    days: Annotated[int, typer.Option(min=1, max=admission_trial.DAYS_MOST, help="On what was found so lately.")] = 7,
    as_json: AsJson = False,
) -> None:
    """What a rule more, or one less, would have let in of what was found lately. Nothing is changed."""
    if admitted_from is None and without is None:
        raise Invalid("say --from for a rule more, or --without for one less")
    wish = None
    if admitted_from is not None:
        wish = AdmissionWish(
            area_code=area, level=level, category=category, kind=kind, admitted_from=admitted_from, note=""
        )
    with transaction() as conn:
        user = _administrator(conn, by)
        found = admission_trial.try_out(conn, user, wish=wish, ends=without, days=days, now=now())
    tell(asdict(found), as_json=as_json, text="\n".join(_lines(found)))


def _administrator(conn: Connection[Any], name: str) -> Principal:
    user = accounts.in_use(conn, name)
    if user is None:
        raise NotFound(f"there is no account {name!r} in use")
    if user.role is not Role.ADMINISTRATOR:
        raise Forbidden(f"{name} is no administrator")
    return user


def _scope(conn: Connection[Any], area: str | None) -> str:
    if area is None:
        return ""
    found = areas.find(conn, area)
    if found is None:
        raise NotFound(f"there is no area {area!r}")
    return found.path


def _told(rule: AdmissionRule) -> dict[str, Any]:
    return {name: value for name, value in asdict(rule).items() if name != "area_path"}


def _line(rule: AdmissionRule) -> str:
    subject = " ".join(word for word in (rule.level, rule.category, rule.kind) if word is not None) or "anything"
    ended = f", ended {rule.ended_at:%Y-%m-%d}" if rule.ended_at is not None else ""
    return (
        f"{rule.rule_id:>5} {rule.area_code or 'everywhere':16} {subject:32} from {rule.admitted_from.value:8} "
        f"{rule.incidents:>6} no case{ended}  {escaped(rule.note)}"
    ).rstrip()


def _lines(found: AdmissionTrial) -> Iterable[str]:
    yield f"{found.incidents}{'+' if found.more else ''} incidents since {found.since:%Y-%m-%d %H:%M}"
    yield f"admitted {found.admitted}, would be {found.would_be_admitted}"
    yield f"cases {found.cases}, would be {found.would_be_cases}"
    for line in found.lines:
        yield (
            f"{line.kind:24} {line.category:16} {line.severity.value:8} {line.incidents:>6} "
            f"{line.admitted:>6} → {line.would_be_admitted}"
        )
