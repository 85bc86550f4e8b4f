"""One training run: epoch after epoch, resumable at each, with a log of all that happened."""

import copy
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from models.datasets.labels import LABELS, Label
from models.datasets.pictures import DataProblem, LabelledPicture
from models.training import checkpoint
from models.training.batches import Batch, batch_count, batches
from models.training.checkpoint import CHECKPOINT
from models.training.device import deterministic
from models.training.loss import losses
from models.training.network import Detector
from models.training.recipe import Precision, Recipe
from models.training.samples import Sample
from models.training.validation import average_precisions

LOG: Final = "log.jsonl"
CPU: Final = torch.device("cpu")
_STEEPEST: Final = 10.0
_AVERAGE_FROM: Final = 2000.0
"""The average follows the weights closely at first: after n steps its share is average · (1 - exp(-n / this))."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Told after each batch: epoch and batch from 1, of how many, and the loss."""

    epoch: int
    epochs: int
    batch: int
    batches: int
    loss: float


class Run:
    """A run in a folder: its checkpoint, its log, the averaged network at the end."""

    def __init__(
        self, folder: Path, recipe: Recipe, start: Mapping[str, Tensor] | None = None, device: torch.device = CPU
    ) -> None:
        """Begin, or go on where the folder's checkpoint is. Raises DataProblem when that one is of another recipe.

        With the weights `start` what they know is the beginning; their norms stay as they are, since few pictures tell little of how
        features are spread.
        """
        torch.manual_seed(recipe.seed)
        torch.set_num_threads(recipe.threads)
        deterministic(device)
        self._folder, self._recipe, self._device = folder, recipe, device
        self.network = Detector(len(LABELS), recipe.shape).to(device, memory_format=torch.channels_last)
        self._keeps_norms = start is not None
        if start is not None:
            self.network.load_state_dict(start)
        self.averaged = copy.deepcopy(self.network)
        self._optimizer = torch.optim.AdamW(_groups(self.network, recipe.decay), lr=recipe.rate)
        self.epoch = 0
        self._steps = 0
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / CHECKPOINT).exists():
            self._resume()

    def train(
        self,
        samples: Sequence[Sample],
        validation: Sequence[LabelledPicture],
        *,
        workers: int = 1,
        every: int = 5,
        progress: Callable[[Progress], None] = lambda _progress: None,
    ) -> None:
        """All epochs that are left; validation after each `every` epochs and at the end. Raises DataProblem."""
        if len(samples) < self._recipe.batch:
            raise DataProblem(
                f"{len(samples)} pictures to learn from, {self._recipe.batch} are the least: that is one batch"
            )
        expected = batch_count(samples, self._recipe)
        while self.epoch < self._recipe.epochs:
            began = time.perf_counter()
            stage = self._recipe.stage_at(self.epoch)
            sums = torch.zeros(2)
            number = 0
            for number, batch in enumerate(batches(samples, self._recipe, self.epoch, workers=workers), start=1):
                parts = self._step(batch, stage.size, (self.epoch + (number - 1) / expected) / self._recipe.epochs)
                sums += parts.cpu()
                progress(Progress(self.epoch + 1, self._recipe.epochs, number, expected, float(parts.sum())))
            self.epoch += 1
            line: dict[str, Any] = {
                "epoch": self.epoch,
                "size": stage.size,
                "box_loss": round(float(sums[0]) / max(number, 1), 4),
                "class_loss": round(float(sums[1]) / max(number, 1), 4),
                "seconds": round(time.perf_counter() - began, 1),
            }
            if validation and (self.epoch % every == 0 or self.epoch == self._recipe.epochs):
                line["ap50"] = self.validate(validation, max(stage.size, 320))
            self.note(line)
            self._save()

    def validate(self, pictures: Sequence[LabelledPicture], size: int) -> dict[Label, float]:
        """AP50 per class of the averaged network."""
        return {label: round(value, 4) for label, value in average_precisions(self.averaged, pictures, size).items()}

    def _step(self, batch: Batch, size: int, way: float) -> Tensor:
        """One step; the parts of the loss (2,)."""
        self.network.train()
        if self._keeps_norms:
            _keep_norms(self.network)
        for group in self._optimizer.param_groups:
            group["lr"] = _rate(self._recipe, way)
        pictures = batch.pictures.to(self._device).float().contiguous(memory_format=torch.channels_last)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._recipe.precision is Precision.BFLOAT16):
            rows = self.network(pictures)
        found = losses(rows.float(), batch.truth.to(self._device), size, size)
        self._optimizer.zero_grad(set_to_none=True)
        found.total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), _STEEPEST)
        self._optimizer.step()
        self._steps += 1
        _average(self.averaged, self.network, self._recipe.average * (1 - math.exp(-self._steps / _AVERAGE_FROM)))
        return torch.stack([found.box.detach(), found.classes.detach()])

    def note(self, line: dict[str, Any]) -> None:
        """Write a line of the log."""
        note(self._folder, line)

    def _save(self) -> None:
        checkpoint.write(
            self._folder / CHECKPOINT,
            {
                "recipe": self._recipe.as_json(),
                "epoch": self.epoch,
                "steps": self._steps,
                "network": self.network.state_dict(),
                "averaged": self.averaged.state_dict(),
                "optimizer": self._optimizer.state_dict(),
            },
        )

    def _resume(self) -> None:
        held = checkpoint.read(self._folder / CHECKPOINT, checkpoint.ALL)
        if held["recipe"] != self._recipe.as_json():
            raise DataProblem(
                f"{self._folder} holds a run of another recipe; go on with that one, or name another folder with --run"
            )
        self.network.load_state_dict(held["network"])
        self.averaged.load_state_dict(held["averaged"])
        self._optimizer.load_state_dict(held["optimizer"])
        self.epoch, self._steps = held["epoch"], held["steps"]


def note(folder: Path, line: dict[str, Any]) -> None:
    """Write a line of a run's log."""
    with (folder / LOG).open("a", encoding="utf-8") as log:
        log.write(json.dumps(line) + "\n")


def _groups(network: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Weights of convolutions shrink, biases and norms don't."""
    matrices = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    vectors = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
    return [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]


def _keep_norms(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def _rate(recipe: Recipe, way: float) -> float:
    if way < recipe.warm_up:
        return recipe.rate * max(way / recipe.warm_up, 1e-3)
    fallen = (1 + math.cos(math.pi * min((way - recipe.warm_up) / (1 - recipe.warm_up), 1.0))) / 2
    return recipe.rate * (recipe.last_rate + (1 - recipe.last_rate) * fallen)


@torch.no_grad()
def _average(averaged: nn.Module, network: nn.Module, share: float) -> None:
    for slow, fast in zip(averaged.state_dict().values(), network.state_dict().values(), strict=True):
        if slow.dtype.is_floating_point:
            slow.lerp_(fast, 1 - share)
        else:
            slow.copy_(fast)
