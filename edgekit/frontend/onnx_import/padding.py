"""Padding of ONNX: of convolutions and pooling, and the operator of its own."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from edgekit.frontend.onnx_import.operator import OnnxOperator, Step, makes

MODES = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}
Sides = tuple[int, ...]


class Padded(nn.Module):
    """Layer behind a padding whose two sides differ, as those of TensorFlow do."""

    def __init__(self, layer: nn.Module, before: Sides, after: Sides, value: float = 0.0) -> None:
        super().__init__()
        self.layer = layer
        self.sizes, self.value = flat(before, after), value

    def forward(self, x: Tensor) -> Tensor:
        padded: Tensor = self.layer(F.pad(x, self.sizes, value=self.value))
        return padded


def flat(before: Sides, after: Sides) -> list[int]:
    """Sizes as torch's `pad` takes them: the last axis first."""
    return [size for pair in reversed(list(zip(before, after, strict=True))) for size in pair]


def sides(op: OnnxOperator, kernel: Sides, stride: Sides, dilation: Sides) -> tuple[Sides, Sides]:
    """Padding before and after each spatial axis, by `pads` or by `auto_pad`."""
    axes = len(kernel)
    kind = op.attribute("auto_pad", "NOTSET")
    kind = kind.decode() if isinstance(kind, bytes) else kind
    if kind in ("NOTSET", ""):
        pads = op.attribute("pads", [0] * 2 * axes)
        return tuple(pads[:axes]), tuple(pads[axes:])
    if kind == "VALID":
        return (0,) * axes, (0,) * axes
    sizes = op.example(0).shape[2:]
    totals = [
        max(0, (-(-size // step) - 1) * step + (width - 1) * spread + 1 - size)
        for size, width, step, spread in zip(sizes, kernel, stride, dilation, strict=True)
    ]
    small, large = tuple(total // 2 for total in totals), tuple(total - total // 2 for total in totals)
    return (small, large) if kind == "SAME_UPPER" else (large, small)


@makes("Pad")
def _pad(op: OnnxOperator) -> Step:
    mode = op.attribute("mode", "constant")
    mode = mode.decode() if isinstance(mode, bytes) else mode
    pads, value, axes = op.numbers(1, "pads"), op.numbers(2, "value"), op.numbers(3)
    rank = op.rank()
    if pads is None or mode not in MODES:
        raise op.refused(f"pads in mode '{mode}', which torch lacks")
    chosen = [int(axis) % rank for axis in axes] if axes is not None else list(range(rank))
    before, after = [0] * rank, [0] * rank
    for i, axis in enumerate(chosen):
        before[axis], after[axis] = int(pads[i]), int(pads[i + len(chosen)])
    sizes = flat(tuple(before), tuple(after))
    while len(sizes) > 2 and sizes[-2:] == [0, 0]:
        sizes = sizes[:-2]
    if mode == "constant":
        fill = value[0] if value else 0.0
        return op.call(lambda x: F.pad(x, sizes, value=fill), 0)
    return op.call(lambda x: F.pad(x, sizes, mode=MODES[mode]), 0)
