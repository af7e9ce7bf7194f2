"""Noise of each rounding in the answers of a quantized program, measured by gradients.

One backward pass tells how every rounding moves the answers: to first order by the product of their Jacobian with the
rounding error. Its square is estimated by random projections of the answers (Hutchinson 1990), so that the cost does
not grow with the number of roundings. The sum over all is the noise of the answers as far as the roundings are
independent of each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.fx import Interpreter, Node
from torch.utils import _pytree as pytree

from edgekit.passes.quantization.simulate import fake_quantization, observers, unguarded

if TYPE_CHECKING:
    from torch.fx import GraphModule

    from edgekit.passes.base import Sample

PROBES = 4
"""Random projections for each sample."""


def noise_shares(prepared: GraphModule, samples: Sequence[Sample]) -> dict[str, float]:
    """Noise that each observer's rounding makes in the answers, by the observer's node, as a share of their power.

    The answers' power is that of each output on all samples; outputs count alike. Ten times the negative logarithm of
    the sum of all shares is about the SQNR of the answers. prepared: a calibrated program, which is not changed. Empty
    if the answers do not depend on real values, or an operator has no derivative.
    """
    program = unguarded(prepared)
    roundings = {node.name: fake_quantization(observer) for node, observer in observers(program)}
    random = torch.Generator().manual_seed(0)
    shares = dict.fromkeys(roundings, 0.0)
    for sample in samples:
        run = _Rounding(program, roundings)
        try:
            with torch.enable_grad():
                answers = [value for value in pytree.tree_leaves(run.run(*sample)) if _is_differentiable(value)]
                for _ in range(PROBES if answers else 0):
                    _add_projection(shares, run, answers, random, len(samples) * PROBES)
        except RuntimeError:  # no derivative
            return {}
    return shares if any(shares.values()) else {}


class _Rounding(Interpreter):
    """Interpreter that rounds where the program observes, and keeps each error and the place where it is added."""

    def __init__(self, program: GraphModule, roundings: dict[str, nn.Module]) -> None:
        super().__init__(program)
        self.roundings = roundings
        self.errors: dict[str, Tensor] = {}
        self.places: dict[str, Tensor] = {}

    def run_node(self, node: Node) -> Any:
        rounding = self.roundings.get(node.name)
        if rounding is None:
            return super().run_node(node)
        source = node.args[0]
        assert isinstance(source, Node)
        value = self.env[source]
        with torch.no_grad():
            self.errors[node.name] = rounding(value) - value
        self.places[node.name] = torch.zeros_like(value, requires_grad=True)
        # The derivative of rounding is that of the identity, as in fake quantization.
        return value.detach() + self.errors[node.name] + self.places[node.name] + (value - value.detach())


def _is_differentiable(value: object) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point() and value.requires_grad


def _add_projection(
    shares: dict[str, float], run: _Rounding, answers: Sequence[Tensor], random: torch.Generator, count: int
) -> None:
    """Add the square of one random projection of each rounding's effect on the answers to `shares`."""
    projection = torch.zeros(())
    for answer in answers:
        power = float(answer.detach().square().sum())
        signs = torch.randint(0, 2, answer.shape, generator=random) * 2 - 1
        projection = projection + (answer * signs).sum() / max(power * len(answers), 1e-30) ** 0.5
    gradients = torch.autograd.grad(projection, list(run.places.values()), retain_graph=True, allow_unused=True)
    for name, gradient in zip(run.places, gradients, strict=True):
        if gradient is not None:
            shares[name] += float((gradient * run.errors[name]).sum()) ** 2 / count
