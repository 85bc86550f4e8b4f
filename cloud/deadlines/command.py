"""`gridward-cloud deadlines`."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer
from psycopg import Connection

from cloud.access import accounts
from cloud.access.model import Principal, Role
from cloud.deadlines import administration, rulebook, trial
from cloud.deadlines.administration import RuleWish
from cloud.deadlines.clock import WHOLE
from cloud.deadlines.holidays import covered_until
from cloud.deadlines.rules import ARRIVAL, DeadlineRule, Limit, Unit
from cloud.deadlines.trial import Trial
from cloud.errors import Forbidden, Invalid, NotFound
from cloud.terminal import AsJson, now, read_settings, tell, transaction
from edge.contract.incident import Severity

deadlines_app = typer.Typer(no_args_is_help=True, help="How long the stages of a case may take.")

STAGES = ("verifying", "dispatching", "receipt", "handling", "checking", "suspension", ARRIVAL, WHOLE)
"""The stages of cases, which lie above this package, the call of a whistle, and the whole case."""
_Area = Annotated[str | None, typer.Option(help="Code of an area of any level; everywhere without one.")]


@deadlines_app.command("rules")
def deadlines_rules(as_json: AsJson = False) -> None:
    """All limits, the oldest first: of those about the same the newest that has begun holds. And until when holidays are known."""
    with transaction() as conn:
        rules = rulebook.read(conn).rules
    told = {"items": [_told(rule) for rule in rules], "known_until": covered_until()}
    lines = [*map(_line, rules), f"holidays are known until {covered_until()}"]
    tell(told, as_json=as_json, text="\n".join(lines))


@deadlines_app.command("set")
def deadlines_set(
    *,
    stage: Annotated[
        str, typer.Argument(help="verifying, dispatching, receipt, handling, checking, suspension, arrival, whole.")
    ],
    amount: Annotated[int, typer.Argument(min=1, help="How much time.")],
    unit: Annotated[Unit, typer.Argument(help="Counted in what.")],
    by: Annotated[str, typer.Option(help="The account of whoever does it: an administrator.")],
    area: _Area = None,
    category: Annotated[str | None, typer.Option(help="Only of this category.")] = None,
    severity: Annotated[Severity | None, typer.Option(help="Only of this severity.")] = None,
    amber_percent: Annotated[int, typer.Option(min=1, max=100, help="At what share it is amber.")] = 80,
    since: Annotated[
        datetime | None, typer.Option(help="For what began since then, local time; from now on without.")
    ] = None,
    only_try: Annotated[bool, typer.Option("--try", help="Only say what it would do to the clocks that run.")] = False,
    as_json: AsJson = False,
) -> None:
    """Set a limit, or with `--try` only say what it would do."""
    if stage not in STAGES:
        raise Invalid(f"there is no stage {stage[:50]!r}; {', '.join(STAGES)}")
    at = now()
    wish = RuleWish(
        area_code=area,
        category=category,
        severity=severity.value if severity is not None else None,
        stage=stage,
        limit=Limit(amount, unit),
        amber_percent=amber_percent,
        effective_from=at if since is None else since.replace(tzinfo=read_settings().zone),
    )
    with transaction() as conn:
        user = _administrator(conn, by)
        found = trial.try_rule(conn, user, wish, now=at)
        rule_id = None if only_try else administration.add_rule(conn, user, wish, now=at, address="command line")
    told = {"rule_id": rule_id, "trial": _trial(found)}
    tell(told, as_json=as_json, text="\n".join(_lines(found, rule_id)))


def _administrator(conn: Connection[Any], name: str) -> Principal:
    user = accounts.in_use(conn, name)
    if user is None:
        raise NotFound(f"there is no account {name!r} in use")
    if user.role is not Role.ADMINISTRATOR:
        raise Forbidden(f"{name} is no administrator")
    return user


def _told(rule: DeadlineRule) -> dict[str, Any]:
    told = {name: value for name, value in asdict(rule).items() if name != "limit"}
    return told | {"amount": rule.limit.amount, "unit": rule.limit.unit.value}


def _line(rule: DeadlineRule) -> str:
    subject = " ".join(word for word in (rule.category, rule.severity) if word is not None) or "anything"
    return (
        f"{rule.id:>5} {rule.stage:12} {rule.area_code or 'everywhere':16} {subject:24} "
        f"{rule.limit.amount} {rule.limit.unit.value.replace('_', ' ')}, from {rule.effective_from:%Y-%m-%d %H:%M}"
    )


def _trial(found: Trial) -> dict[str, Any]:
    return {
        "examined": found.examined,
        "more": found.more,
        "later": found.later,
        "sooner": found.sooner,
        "overdue": found.overdue,
        "relieved": found.relieved,
        "moved": [
            {"number": each.number, "due_at": each.kept.clock.due_at, "would_be_due_at": each.would_be_due_at}
            for each in found.moved
        ],
    }


def _lines(found: Trial, rule_id: int | None) -> Iterable[str]:
    yield f"set rule {rule_id}" if rule_id is not None else "nothing is changed"
    yield (
        f"{found.examined}{'+' if found.more else ''} running clocks within reach: {found.sooner} due sooner, {found.later} later, "
        f"{found.overdue} late at once, {found.relieved} no longer late"
    )
