"""Whether everything that is bounded by design stays flat over hours: memory, threads, files, store, logs.

`python -m tests.benches.flat [--hours 1] [--speed 20] [--situation normal|cloud-away|camera-away|all] [--plot FILE] [--json]
[--report DIRECTORY]`

Real parts throughout; our own processes live `speed` times as fast (`tests.system.endurance.tempo`), cameras, sensors and the
database's housekeeping too, so that an hour takes three minutes. The rule stands in `tests.system.endurance.series`.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.system.endurance.measurement import Measurement, Outcome
from tests.system.endurance.picture import draw
from tests.system.endurance.series import TOLERANCE, WINDOW_S
from tests.system.endurance.situations import SCRIPTS, Situation

RULE = (
    "reference: the highest value of the first ten minutes of load, warming up included; the level of each later ten "
    "minutes (their median; of what rises and falls by itself the value that nine tenths do not pass, or the peak) is at most 5 % above "
    "it, and the level of the last ten at most 5 % above that of the second ten; a difference below the series' own step is none"
)
NOT_HASTENED = (
    "work itself; the time-outs of sockets and locks; joining of threads; broker; PostgreSQL but for its periods"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench; the exit status is 0 when everything stays flat."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--plot", type=Path, help="a picture: FILE.svg or FILE.png")
    parser.add_argument(
        "--report", type=Path, metavar="DIRECTORY", help="keep flat.json (no samples) and flat.png there"
    )
    parser.add_argument("--hours", type=float, default=1.0, help="of load")
    parser.add_argument("--speed", type=float, default=20.0)
    parser.add_argument("--situation", choices=["all", *Situation], default="all")
    options = parser.parse_args(arguments)
    chosen = list(Situation) if options.situation == "all" else [Situation(options.situation)]
    outcomes = [
        Measurement(situation, hours=options.hours, speed=options.speed, say=_say).run() for situation in chosen
    ]
    if options.plot is not None:
        draw(outcomes, options.plot)
    report = {
        "rule": RULE,
        "window_s": WINDOW_S,
        "tolerance": TOLERANCE,
        "hours": options.hours,
        "speed": options.speed,
        "not_hastened": NOT_HASTENED,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "load_average": os.getloadavg(),
        "passed": all(outcome.passed for outcome in outcomes),
        "situations": {outcome.situation.value: _outcome(outcome) for outcome in outcomes},
    }
    if options.report is not None:
        _keep(options.report, report, outcomes)
    print(json.dumps(report, indent=2, ensure_ascii=False) if options.json else _table(outcomes))
    return 0 if report["passed"] else 1


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _keep(directory: Path, report: dict[str, Any], outcomes: Sequence[Outcome]) -> None:
    """The verdicts and the picture; the samples would be most of the file, and the picture shows them."""
    directory.mkdir(parents=True, exist_ok=True)
    draw(outcomes, directory / "flat.png")
    short = json.loads(json.dumps(report))
    for situation in short["situations"].values():
        for series in situation["series"].values():
            del series["at_s"], series["values"]
    text = json.dumps(short, indent=2, ensure_ascii=False) + "\n"
    (directory / "flat.json").write_text(text, encoding="utf-8")


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "what": SCRIPTS[outcome.situation].text,
        "passed": outcome.passed,
        "happened": outcome.happened,
        "series": {
            name: {
                "unit": series.kind.unit,
                "bound": series.kind.bound,
                "judged": series.kind.judgement.value,
                "level": series.kind.level.value,
                "step": series.kind.step,
                "settled_s": series.kind.settled_s,
                **outcome.verdicts[name].to_json(),
                "at_s": series.at_s,
                "values": series.values,
            }
            for name, series in sorted(outcome.series.items())
        },
    }


def _table(outcomes: Sequence[Outcome]) -> str:
    lines = []
    for outcome in outcomes:
        lines.append(f"{outcome.situation}: {'flat' if outcome.passed else 'NOT FLAT'}")
        for name, verdict in sorted(outcome.verdicts.items()):
            mark = " " if verdict.passed else "!"
            lines.append(f" {mark} {name:<26}{verdict.highest:>16,.0f}  {verdict.reason}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
