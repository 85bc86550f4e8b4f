"""What the runs came to, as JSON and as tables: every row is made from a run. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.system.chaos.campaign import Outcome, Recovery

RECOVERY_BOUND_S = 15.0


def recovery_row(broker: str, found: Recovery) -> dict[str, Any]:
    """One single fault."""
    return {
        "broker": broker,
        "fault": found.fault.value,
        "lasted_s": found.lasted_s,
        "lost": found.verdict.lost,
        "twice": found.verdict.twice,
        "wrong": found.verdict.wrong,
        "reading_again_s": found.reading_s,
        "incident_again_s": found.incident_s,
        "picture_again_s": found.picture_s,
        "recovery_s": found.recovery_s,
        "findings": found.verdict.words,
    }


def seed_row(broker: str, seed: int, outcome: Outcome) -> dict[str, Any]:
    """One long run."""
    return {
        "broker": broker,
        "seed": seed,
        "faults": [
            {"fault": episode.fault.value, "begin_s": episode.begin_s, "lasts_s": episode.lasts_s}
            for episode in outcome.episodes
        ],
        "readings": outcome.readings,
        "incidents": outcome.incidents,
        "declared": outcome.declared,
        "pictures": outcome.pictures,
        "lost": outcome.verdict.lost,
        "twice": outcome.verdict.twice,
        "wrong": outcome.verdict.wrong,
        "drained_s": outcome.drained_s,
        "findings": outcome.verdict.words,
    }


def defect_row(name: str, outcome: Outcome) -> dict[str, Any]:
    """One run with a deliberate defect, or the same without."""
    return {
        "defect": name,
        "lost": outcome.verdict.lost,
        "twice": outcome.verdict.twice,
        "wrong": outcome.verdict.wrong,
        "caught": not outcome.verdict.good,
        "findings": outcome.verdict.words,
    }


def good(report: Mapping[str, Any]) -> bool:
    """Whether nothing is lost, twice or wrong, every single fault is over in time, and every defect is caught."""
    sound = all(not (row["lost"] or row["twice"] or row["wrong"]) for row in [*report["single"], *report["seeds"]])
    in_time = all(row["recovery_s"] is not None and row["recovery_s"] <= RECOVERY_BOUND_S for row in report["single"])
    drained = all(row["drained_s"] is not None for row in report["seeds"])
    caught = all(row["caught"] is (row["defect"] != "none") for row in report["defects"])
    return sound and in_time and drained and caught


def markdown(report: Mapping[str, Any]) -> str:
    """The tables for people."""
    circumstances = [f"- {name.replace('_', ' ')}: {value}" for name, value in report["circumstances"].items()]
    commit = str(report["circumstances"]["commit"]).removesuffix("-dirty")
    origin = "Every row is made by a run of `tests/benches/chaos.py`, none by hand. Where a report was resumed, rows may be of later commits."
    again = (
        f"To repeat: `git checkout {commit}`, `make environment-dev`, `.venv/bin/python -m tests.benches.chaos --report "
        "tests/benches/reports`. One fault: `--faults kill_database --seeds 0`; one defect: `--defect delete_before_ack`."
    )
    parts = ["# Chaos", origin, "\n".join(circumstances), again]
    if report["single"]:
        parts.append(
            "## Single faults\n\nSeconds from the end of the cause until the API tells a fresh reading, incident and picture."
        )
        parts.append(_fault_table(report["single"]))
    if report["seeds"]:
        parts.append("## Runs from a seed\n\nMany faults, also at the same time; everything is lifted in the end.")
        columns = (
            "broker",
            "seed",
            "faults",
            "readings",
            "incidents",
            "declared",
            "pictures",
            "lost",
            "twice",
            "wrong",
            "drained_s",
        )
        parts.append(_table(columns, [{**row, "faults": len(row["faults"])} for row in report["seeds"]]))
    if report["defects"]:
        parts.append("## Deliberate defects\n\nThe same schedule each time; what the judge finds shows that it can.")
        parts.append(_table(("defect", "caught", "lost", "twice", "wrong"), report["defects"]))
    return "\n\n".join(parts) + "\n"


def _fault_table(rows: Sequence[Mapping[str, Any]]) -> str:
    brokers = sorted({row["broker"] for row in rows}, reverse=True)
    by_fault: dict[str, dict[str, Any]] = {}
    for row in rows:
        merged = by_fault.setdefault(row["fault"], {"fault": row["fault"], "lasted_s": row["lasted_s"]})
        for name in ("lost", "twice", "recovery_s"):
            merged[f"{row['broker']}: {name}"] = row[name]
    columns = [f"{broker}: {name}" for broker in brokers for name in ("lost", "twice", "recovery_s")]
    return _table(("fault", "lasted_s", *columns), list(by_fault.values()))


def _table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(_cell(row.get(column)) for column in columns) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
