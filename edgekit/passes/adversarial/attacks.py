"""Attacks within an L-infinity ball, by the gradient of the float network: FGSM and PGD.

Fast gradient sign method: Goodfellow et al. 2015. Projected gradient descent with a random start: Madry et al. 2018.
They measure sensitivity to the least favourable small change, not security: no attacker is modelled, and an attack that
knows the artifact would do better.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from edgekit.passes.adversarial.white_box import InputRange, WhiteBox

SEED = 20260105
BATCH = 64


@dataclass(frozen=True)
class Attack:
    """An attack. epsilon: largest change of a value, in the units of the raw input; steps: 1 is FGSM."""

    epsilon: float
    steps: int = 1

    @property
    def name(self) -> str:
        return "FGSM" if self.steps == 1 else f"PGD-{self.steps}"

    @property
    def step(self) -> float:
        """Size of a step: of PGD 2.5 times the way to the edge, divided by the steps, so that all can be reached."""
        return self.epsilon if self.steps == 1 else 2.5 * self.epsilon / self.steps


def attacked(network: WhiteBox, values: Tensor, labels: Tensor, attack: Attack, bounds: InputRange) -> Tensor:
    """Inputs float32 [N, …] that `attack` makes of `values`, against the classes `labels`, int64 [N].

    Within `bounds`, and whole where the input takes whole numbers. Raises PassError as `WhiteBox` does.
    """
    random = torch.Generator().manual_seed(SEED)
    parts = []
    for begin in range(0, len(values), BATCH):
        clean, right = values[begin : begin + BATCH], labels[begin : begin + BATCH]
        start = torch.rand(clean.shape, generator=random) * 2 - 1 if attack.steps > 1 else torch.zeros_like(clean)
        changed = (clean + attack.epsilon * start).clamp(bounds.low, bounds.high)
        for _ in range(attack.steps):
            changed = changed.detach().requires_grad_()
            [slope] = network.gradient(cross_entropy(network.scores(changed), right), [changed])
            moved = changed.detach() + attack.step * slope.sign()
            changed = _projected(moved, clean, attack.epsilon).clamp(bounds.low, bounds.high)
        parts.append(changed.round() if network.whole_numbers else changed)
    return torch.cat(parts)


def _projected(values: Tensor, clean: Tensor, epsilon: float) -> Tensor:
    """Nearest inputs of which no value differs from the clean one by more than `epsilon`."""
    return torch.minimum(torch.maximum(values, clean - epsilon), clean + epsilon)
