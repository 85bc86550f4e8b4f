"""What was found out about a model, for people and for programs."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from edge.adoption.examination import Examined
from edge.perception.detector import watched_labels

_SHOWN = 0.25


def as_table(examined: Examined) -> str:
    """What, and how it is known."""
    manifest, because = examined.manifest, examined.because
    given = manifest.input
    rows = [
        ("id", manifest.id, ""),
        ("file", f"{manifest.bytes} bytes, SHA-256 {manifest.sha256[:16]}…", ""),
        ("licence", manifest.licence, manifest.licence_note),
        ("head", manifest.decoder, because["head"]),
        ("outputs", ", ".join(manifest.outputs), ""),
        ("input", f"{given.width}×{given.height}, {given.layout}", ""),
        ("preparation", str(examined.chosen.preparation), because["preparation"]),
        ("labels", f"{len(manifest.labels)}, looked for: {', '.join(watched_labels(manifest))}", because["labels"]),
        ("inference", f"{manifest.figures['inference_ms']} ms", "middle of ten, one thread"),
        ("sample", examined.sample, ""),
    ]
    rows += [("tried", str(trial.preparation), f"finds {trial.strength:.2f}") for trial in examined.trials]
    rows += [("found", text, "") for text in _sights(examined)] or [("found", "nothing", "")]
    width = max(len(value) for _, value, _ in rows)
    return "\n".join(f"{name:12} {value:{width}}  {known}".rstrip() for name, value, known in rows)


def as_plain(examined: Examined, written: Path | None) -> dict[str, Any]:
    """The same for JSON; `manifest` is the path of what was written."""
    manifest = examined.manifest
    return {
        "id": manifest.id,
        "written": written is not None,
        "manifest": None if written is None else str(written),
        "sha256": manifest.sha256,
        "bytes": manifest.bytes,
        "licence": manifest.licence,
        "licence_note": manifest.licence_note,
        "head": manifest.decoder,
        "outputs": list(manifest.outputs),
        "input": asdict(manifest.input),
        "labels": list(manifest.labels),
        "because": examined.because,
        "warnings": list(examined.warnings),
        "figures": dict(manifest.figures),
        "sample": examined.sample,
        "tried": [
            {"preparation": str(trial.preparation), "strength": round(trial.strength, 3)} for trial in examined.trials
        ],
        "found": [
            {"label": label, "score": round(float(score), 3), "box": [round(float(edge), 4) for edge in box]}
            for box, score, label in _found(examined)
        ],
    }


def _sights(examined: Examined) -> list[str]:
    return [
        f"{label} {float(score):.2f} at {', '.join(f'{float(edge):.2f}' for edge in box)}"
        for box, score, label in _found(examined)
    ]


def _found(examined: Examined) -> list[tuple[Any, Any, str]]:
    found = examined.chosen.found
    rows = zip(found.boxes, found.scores, found.labels, strict=True)
    return [(box, score, label) for box, score, label in rows if score >= _SHOWN]
