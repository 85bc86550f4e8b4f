"""Where a network is trained: on a GPU where there is one that PyTorch knows, else on processors."""

import os
from enum import StrEnum

import torch

from models.datasets.pictures import DataProblem


class Device(StrEnum):
    """As it stands on the command line."""

    AUTO = "auto"
    """A GPU where there is one."""
    CPU = "cpu"
    CUDA = "cuda"


def found(wanted: Device) -> torch.device:
    """The device to train on. Raises DataProblem where there is none of that kind."""
    there = torch.cuda.is_available()
    if wanted is Device.CUDA and not there:
        raise DataProblem(
            "PyTorch sees no GPU here; train on processors with --device cpu, or install a PyTorch for CUDA "
            "(`make environment-training` says how)"
        )
    return torch.device("cuda" if there and wanted is not Device.CPU else "cpu")


def deterministic(device: torch.device) -> None:
    """Have PyTorch do the same sums in the same order. On a GPU a few of its kernels can't, and warn: there the same seed gives much the
    same weights, not the same hash.
    """
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when the first sum is done there
    torch.use_deterministic_algorithms(True, warn_only=device.type == "cuda")
    torch.utils.deterministic.fill_uninitialized_memory = (
        False  # a fifth of the time, and nothing here reads such memory
    )
