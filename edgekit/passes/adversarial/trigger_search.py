"""Search for a small patch that makes the float network answer one class, whatever else is in the picture.

After Neural Cleanse (Wang et al. 2019): for each class a mask and a pattern are optimised on a few samples so that all
of them are answered by that class, and the mask is as small as that allows. A network with a backdoor needs far less of
the picture for the class that the backdoor leads to than for the others (`parity/poisoning/patch_sizes`).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from edgekit.ir.measurement import Array
from edgekit.passes.adversarial.white_box import InputRange, WhiteBox

STEPS = 150
RATE = 0.2
"""Learning rate of Adam, in the units of the arguments of the sigmoid."""
EVERY = 5
"""Steps after which the weight of the mask's size is looked at."""
GROWTH = 1.5
FLIPPED = 0.95
"""Share of the samples that must be answered by the class before the mask is made smaller."""
SEED = 20260106


@dataclass(frozen=True)
class Triggers:
    """Smallest patch found for each class of `classes`."""

    classes: tuple[int, ...]
    masks: Array
    """float32 [classes, height, width]: share of the pattern in each pixel, in [0, 1]."""
    patterns: Array
    """float32 [classes, *raw shape]: in the units of the raw input."""
    sizes: tuple[float, ...]
    """Pixels that each mask covers: the sum of its shares; the whole picture where nothing flipped enough samples."""


def find_triggers(
    network: WhiteBox, values: Tensor, classes: tuple[int, ...], bounds: InputRange, steps: int = STEPS
) -> Triggers:
    """Search a patch for each of the classes, on `values`, raw inputs float32 [N, …] of pictures.

    Raises PassError as `WhiteBox` does.
    """
    search = _TriggerSearch(network, values, classes, bounds)
    for number in range(steps):
        search.step(adapt=number % EVERY == EVERY - 1)
    return search.triggers()


class _TriggerSearch:
    """State of the optimisation, of all classes side by side."""

    def __init__(self, network: WhiteBox, values: Tensor, classes: tuple[int, ...], bounds: InputRange) -> None:
        self.network, self.values, self.classes, self.bounds = network, values, classes, bounds
        count, shape = len(classes), values.shape[1:]
        mask_shape = (*shape[:2], 1) if network.spec.preprocess else (1, *shape[1:])
        random = torch.Generator().manual_seed(SEED)
        self.mask_roots = 0.1 * torch.randn((count, *mask_shape), generator=random)
        self.pattern_roots = torch.randn((count, *shape), generator=random)
        self.area = float(self.mask_roots[0].numel())
        self.weights = torch.full((count,), 1e-2)
        self.targets = torch.tensor(classes).repeat_interleave(len(values))
        self.best_masks, self.best_patterns = torch.ones_like(self.mask_roots), torch.zeros_like(self.pattern_roots)
        self.best_sizes = torch.full((count,), self.area)
        for roots in (self.mask_roots, self.pattern_roots):
            roots.requires_grad_()
        self.adam = torch.optim.Adam([self.mask_roots, self.pattern_roots], lr=RATE, betas=(0.5, 0.9))

    def step(self, adapt: bool) -> None:
        """Take one step; with `adapt`, weigh the size more for classes that enough samples flip to, else less."""
        masks = torch.sigmoid(self.mask_roots)
        patterns = self.bounds.low + self.bounds.width * torch.sigmoid(self.pattern_roots)
        stamped = stamp(self.values, masks, patterns)
        scores = self.network.scores(stamped.flatten(0, 1))
        sizes = masks.flatten(1).sum(1)
        self._keep((scores.argmax(1) == self.targets).view(len(self.classes), -1).float().mean(1), sizes, adapt)
        loss = len(self.classes) * cross_entropy(scores, self.targets) + (self.weights * sizes).sum()
        slopes = self.network.gradient(loss, [self.mask_roots, self.pattern_roots])
        self.mask_roots.grad, self.pattern_roots.grad = slopes
        self.adam.step()

    def _keep(self, flipped: Tensor, sizes: Tensor, adapt: bool) -> None:
        enough = flipped >= FLIPPED
        better = enough & (sizes.detach() < self.best_sizes)
        self.best_sizes[better] = sizes.detach()[better]
        self.best_masks[better] = torch.sigmoid(self.mask_roots.detach()[better])
        self.best_patterns[better] = self.pattern_roots.detach()[better]
        if adapt:
            self.weights = torch.where(enough, self.weights * GROWTH, self.weights / GROWTH)

    def triggers(self) -> Triggers:
        patterns = self.bounds.low + self.bounds.width * torch.sigmoid(self.best_patterns)
        channel = -1 if self.network.spec.preprocess else 1
        return Triggers(
            self.classes,
            self.best_masks.squeeze(channel).numpy(),
            patterns.numpy(),
            tuple(self.best_sizes.tolist()),
        )


def stamp(values: Tensor, masks: Tensor, patterns: Tensor) -> Tensor:
    """Put each of K patches onto each of N pictures: float32 [K, N, …]."""
    masks, patterns = masks[:, None], patterns[:, None]
    return (1 - masks) * values[None] + masks * patterns
