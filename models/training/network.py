"""The network: a small one-stage detector without anchors, from random weights.

A backbone of partial residual stages (Wang et al., "CSPNet", 2020), a neck that passes features down and up again (Liu et al.,
"Path Aggregation Network", 2018), and per stride one head that gives four numbers of a box and a score per class. Dense 3×3
convolutions with few channels instead of depthwise ones: on processors they learn and run faster for the same time.
"""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

STRIDES: Final = (8, 16, 32)
BOX_NUMBERS: Final = 4
NORM_EPSILON: Final = 1e-3
_INPUT_SCALE: Final = 1 / 128
"""Pixels of 0 to 255 become numbers about 1; a part of the graph's first convolution once exported."""
_RARE_SCORE: Final = -4.6
"""The logit of about one in a hundred: what a class score begins with, so that the many cells without a thing don't drown the few."""
_LARGEST_LOG_SIZE: Final = 6.0


@dataclass(frozen=True, slots=True)
class Shape:
    """Channels of the stem and the four stages, residual blocks of each stage, channels of neck and heads, and how wide the heads look.

    A head that looks 5 wide takes a fifth more time to train: depthwise convolutions are slow backwards.
    """

    widths: tuple[int, int, int, int, int] = (16, 32, 64, 128, 192)
    blocks: tuple[int, int, int, int] = (1, 1, 2, 1)
    neck: int = 64
    head: int = 3


class Detector(nn.Module):
    """Pictures (n, 3, h, w), BGR, 0 to 255, sides divisible by 32, to raw rows (n, cells, 4 + labels), cells of stride 8 first."""

    def __init__(self, labels: int, shape: Shape) -> None:
        super().__init__()
        widths, neck = shape.widths, shape.neck
        self.stem = _convolution(3, widths[0], stride=2)
        self.stages = nn.ModuleList(
            nn.Sequential(_convolution(before, after, stride=2), _Partial(after, after, blocks))
            for before, after, blocks in zip(widths[:-1], widths[1:], shape.blocks, strict=True)
        )
        self.context = _Context(widths[-1])
        self.lateral = nn.ModuleList(_convolution(width, neck, size=1) for width in widths[2:])
        self.down = nn.ModuleList(_Partial(2 * neck, neck, 1) for _ in range(2))
        self.shrink = nn.ModuleList(_separable(neck, stride=2) for _ in range(2))
        self.up = nn.ModuleList(_Partial(2 * neck, neck, 1) for _ in range(2))
        self.heads = nn.ModuleList(
            nn.Sequential(
                _separable(neck, size=shape.head),
                _separable(neck, size=shape.head),
                nn.Conv2d(neck, BOX_NUMBERS + labels, 1),
            )
            for _ in STRIDES
        )
        self.numbers = BOX_NUMBERS + labels
        self.input_scale = _INPUT_SCALE
        self._begin()

    def forward(self, pictures: Tensor) -> Tensor:
        """Raw rows: per cell the centre's offset and the log of the size, both in cells, then a logit per label."""
        features = []
        flowing = self.stem(pictures if self.input_scale == 1 else pictures * self.input_scale)
        for depth, stage in enumerate(self.stages):
            flowing = stage(flowing)
            if depth > 0:
                features.append(flowing)
        features[-1] = self.context(features[-1])
        fine, middle, coarse = (lateral(feature) for lateral, feature in zip(self.lateral, features, strict=True))
        middle = self.down[0](torch.cat([middle, _doubled(coarse)], 1))
        fine = self.down[1](torch.cat([fine, _doubled(middle)], 1))
        middle = self.up[0](torch.cat([self.shrink[0](fine), middle], 1))
        coarse = self.up[1](torch.cat([self.shrink[1](middle), coarse], 1))
        rows = [
            head(feature).reshape(feature.shape[0], self.numbers, -1)
            for head, feature in zip(self.heads, (fine, middle, coarse), strict=True)
        ]
        return torch.cat(rows, 2).transpose(1, 2)

    def _begin(self) -> None:
        for head in self.heads:
            last = head[-1]
            assert isinstance(last, nn.Conv2d)  # noqa: S101 - for the type checker
            assert last.bias is not None  # noqa: S101
            nn.init.normal_(last.weight, std=0.01)
            nn.init.zeros_(last.bias)
            with torch.no_grad():
                last.bias[:2] = 0.5
                last.bias[2:BOX_NUMBERS] = 1.0
                last.bias[BOX_NUMBERS:] = _RARE_SCORE


def cells(height: int, width: int, device: torch.device | None = None) -> tuple[Tensor, Tensor]:
    """The corners (cells, 2) of all cells, in cells of their stride, and the strides (cells, 1)."""
    corners, strides = [], []
    for stride in STRIDES:
        down, across = (torch.arange(side // stride, device=device) for side in (height, width))
        rows, columns = torch.meshgrid(down, across, indexing="ij")
        corners.append(torch.stack([columns, rows], -1).reshape(-1, 2).float())
        strides.append(torch.full((rows.numel(), 1), float(stride), device=device))
    return torch.cat(corners), torch.cat(strides)


def boxes_of(rows: Tensor, corners: Tensor, strides: Tensor) -> Tensor:
    """Boxes (..., cells, 4) left, top, right, bottom in pixels, from raw rows (..., cells, 4 + labels)."""
    centres = (rows[..., :2] + corners) * strides
    halves = rows[..., 2:BOX_NUMBERS].clamp(max=_LARGEST_LOG_SIZE).exp() * strides / 2
    return torch.cat([centres - halves, centres + halves], -1)


def parameters_in(network: nn.Module) -> int:
    """How many numbers are learnt."""
    return sum(parameter.numel() for parameter in network.parameters())


def fold_input_scale(network: Detector) -> None:
    """Make the scale of the input a part of the first convolution, for a network that is exported."""
    first = network.stem[0]
    assert isinstance(first, nn.Conv2d)  # noqa: S101 - for the type checker
    with torch.no_grad():
        first.weight *= network.input_scale
    network.input_scale = 1.0


def _doubled(feature: Tensor) -> Tensor:
    return nn.functional.interpolate(feature, scale_factor=2.0, mode="nearest")


def _convolution(
    before: int, after: int, *, size: int = 3, stride: int = 1, groups: int = 1, act: bool = True
) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv2d(before, after, size, stride, size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(after, eps=NORM_EPSILON, momentum=0.03),
    ]
    return nn.Sequential(*layers, *([nn.ReLU(inplace=True)] if act else []))


def _separable(channels: int, *, stride: int = 1, size: int = 3) -> nn.Sequential:
    """Each channel by itself over a wide view, then all of them at each place."""
    return nn.Sequential(
        _convolution(channels, channels, size=size, stride=stride, groups=channels),
        _convolution(channels, channels, size=1),
    )


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _convolution(channels, channels)
        self.second = _convolution(channels, channels, act=False)
        self.act = nn.ReLU(inplace=True)

    def forward(self, features: Tensor) -> Tensor:
        changed: Tensor = self.act(features + self.second(self.first(features)))
        return changed


class _Partial(nn.Module):
    """Half of the channels go through the blocks; what each block gave is looked at together."""

    def __init__(self, before: int, after: int, blocks: int) -> None:
        super().__init__()
        self.half = after // 2
        self.first = _convolution(before, 2 * self.half, size=1)
        self.blocks = nn.ModuleList(_Residual(self.half) for _ in range(blocks))
        self.last = _convolution((2 + blocks) * self.half, after, size=1)

    def forward(self, features: Tensor) -> Tensor:
        parts = list(self.first(features).split(self.half, 1))
        for block in self.blocks:
            parts.append(block(parts[-1]))
        joined: Tensor = self.last(torch.cat(parts, 1))
        return joined


class _Context(nn.Module):
    """What lies around: the largest values of ever wider windows (He et al., "Spatial Pyramid Pooling", 2014)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _convolution(channels, channels // 2, size=1)
        self.pool = nn.MaxPool2d(5, 1, 2)
        self.last = _convolution(channels * 2, channels, size=1)

    def forward(self, features: Tensor) -> Tensor:
        near = self.first(features)
        wide = self.pool(near)
        wider = self.pool(wide)
        joined: Tensor = self.last(torch.cat([near, wide, wider, self.pool(wider)], 1))
        return joined
