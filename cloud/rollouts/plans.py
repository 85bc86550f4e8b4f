"""Plans that come with this program (`firmware_configs/rings/*.yaml`): how carefully something new goes out."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import msgspec
import yaml
from msgspec import Meta, Struct

import firmware_configs
from cloud.errors import ConfigurationError
from cloud.rollouts.model import Plan, Ring, Stage
from cloud.rollouts.policy import wrong_with

FOLDER = Path(firmware_configs.__file__).parent / "rings"

Percent = Annotated[float, Meta(ge=0, le=100)]


class StageText(Struct, frozen=True, forbid_unknown_fields=True):
    """A stage as it is written."""

    name: str
    percent: Percent
    ring: Ring = Ring.BROAD
    soak_minutes: Annotated[float, Meta(ge=0)] = 30
    success_percent: Percent = 95
    error_percent: Percent = 5
    approval: bool = False


class PlanText(Struct, frozen=True, forbid_unknown_fields=True):
    """A file of the folder."""

    title: str
    title_zh: str
    stages: tuple[StageText, ...]
    patience_minutes: Annotated[float, Meta(gt=0)] = 30
    at_once: Annotated[int, Meta(ge=1)] = 50


@dataclass(frozen=True, slots=True)
class NamedPlan:
    """A plan with its name and what people call it."""

    name: str
    title: str
    title_zh: str
    plan: Plan


def read_plans(folder: Path = FOLDER) -> list[NamedPlan]:
    """All plans of the folder, by name. Raises ConfigurationError, which names the file."""
    return [_read(file) for file in sorted(folder.glob("*.yaml"))]


def _read(file: Path) -> NamedPlan:
    try:
        told = msgspec.convert(yaml.safe_load(file.read_text(encoding="utf-8")), PlanText)
    except (OSError, ValueError, yaml.YAMLError, msgspec.ValidationError) as error:
        raise ConfigurationError(f"the plan {file.name} can't be used: {error}") from error
    plan = Plan(
        stages=tuple(
            Stage(
                name=stage.name,
                percent=stage.percent,
                ring=stage.ring,
                soak=timedelta(minutes=stage.soak_minutes),
                success_percent=stage.success_percent,
                error_percent=stage.error_percent,
                approval=stage.approval,
            )
            for stage in told.stages
        ),
        patience=timedelta(minutes=told.patience_minutes),
        at_once=told.at_once,
    )
    problem = wrong_with(plan)
    if problem is not None:
        raise ConfigurationError(f"the plan {file.name} can't be used: {problem}")
    return NamedPlan(file.stem, told.title, told.title_zh, plan)
