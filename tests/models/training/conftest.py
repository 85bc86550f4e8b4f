"""PyTorch has an environment of its own: without it these tests are not collected."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("torch") else ["test_*.py"]

if find_spec("torch"):
    import torch

    torch.set_num_threads(
        1
    )  # what is computed here is small: threads that wait for each other cost more than they bring
