"""Preprocessing as a part of the network, so that host and device share one implementation."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from edgekit.frontend.call_convention import CallConvention, batch_first
from edgekit.frontend.log_mel import LogMelStage
from edgekit.specs.inputs import Input
from edgekit.specs.preprocess import Preprocess


class Pixels(nn.Module):
    """Normalization of pixels: uint8 NHWC to the float32 NCHW of training, `(pixel * scale - mean) / std`."""

    def __init__(self, preprocess: Preprocess) -> None:
        super().__init__()
        mean, std = (torch.tensor(values, dtype=torch.float64) for values in (preprocess.mean, preprocess.std))
        # One multiplication and one addition a pixel, worked out in double precision.
        self.gain: Tensor
        self.offset: Tensor
        self.register_buffer("gain", (preprocess.scale / std).float().reshape(1, -1, 1, 1))
        self.register_buffer("offset", (-mean / std).float().reshape(1, -1, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        # Cast first: delegates transpose floats, and few of them bytes.
        return pixels.float().permute(0, 3, 1, 2) * self.gain + self.offset


class Copy(nn.Module):
    """Copy of a raw input, for a network that writes into it."""

    def forward(self, raw: Tensor) -> Tensor:
        return raw.clone()


class Deployed(nn.Module):
    """Deployed form of the user's network: it takes raw inputs, with the preprocessing inside.

    written: names of inputs that the network changes in place; they are copied first. output_axes: batch axis of every
    output, None where it has none; empty where each has it first, as what this gives always has. state: names of the
    inputs that come after the others, with the state, as the network takes them. temperature: number that the first
    output, which holds logits, is divided by; None for none.
    """

    def __init__(
        self,
        model: nn.Module,
        inputs: dict[str, Input],
        written: Collection[str] = (),
        output_axes: tuple[int | None, ...] = (),
        state: Collection[str] = (),
        temperature: float | None = None,
    ) -> None:
        super().__init__()
        self.preprocess = nn.ModuleList(_stage(spec, copied=name in written) for name, spec in inputs.items())
        self.preprocess.extend(Copy() if name in written else nn.Identity() for name in state)
        self.model = model
        self.convention = CallConvention(model, inputs, tuple(state))
        self.output_axes = output_axes
        self.temperature = temperature

    def forward(self, *raw: Tensor) -> object:
        staged = tuple(stage(value) for stage, value in zip(self.preprocess, raw, strict=True))
        results = self.convention.call(self.model, staged)
        results = batch_first(results, self.output_axes) if self.output_axes else results
        return results if self.temperature is None else _divided(results, self.temperature)


def _divided(results: object, temperature: float) -> object:
    """Results with the first output divided by a temperature."""
    leaves, structure = pytree.tree_flatten(results)
    return pytree.tree_unflatten([leaves[0] / temperature, *leaves[1:]], structure)


def _stage(spec: Input, copied: bool) -> nn.Module:
    if spec.log_mel:
        return LogMelStage(spec.log_mel, len(spec.shape))
    if spec.preprocess:
        return Pixels(spec.preprocess)
    return Copy() if copied else nn.Identity()
