"""Importance of the units of a pruning group: magnitude, Taylor importance, batch-norm scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils import _pytree as pytree

from edgekit.errors import PassError
from edgekit.passes.pruning.groups import PruningGroup

if TYPE_CHECKING:
    from edgekit.frontend.load import Model
    from edgekit.samples import Samples

LIMIT = 512
"""Largest number of samples on which gradients are computed."""
BATCH = 16
"""Samples in a batch of gradients: small, because gradients of a trained network cancel out over many samples."""


def importance(
    groups: Sequence[PruningGroup], kind: str, model: Model, samples: Samples | None
) -> Mapping[str, Tensor]:
    """Importance of every unit, [size] by group name, at least 0. Comparable within a group, not between groups.

    kind: `magnitude`, squares of weights over the whole group (Fang et al. 2023, eq. 4); `taylor`, |weight times
    gradient| of the loss on `samples` (Molchanov et al. 2019); `bn-scale`, the factors of batch norms (Liu et al.
    2017), and magnitude for a group without any. The groups' network is left as it was. Raises PassError if taylor has
    no samples.
    """
    import torch_pruning as tp

    if kind == "magnitude":
        return {group.name: group.magnitude() for group in groups}
    if kind == "bn-scale":
        scale = tp.importance.BNScaleImportance(normalizer=None)
        scales = {group.name: group.scores(scale) for group in groups}
        return {group.name: _or_magnitude(scales[group.name], group) for group in groups}
    if samples is None or not len(samples):
        raise PassError(
            "importance 'taylor' needs samples to take gradients on",
            hint='state [data] training in edgekit.toml, or importance = "magnitude" in the profile',
        )
    return _taylor(groups, model, samples)


def _or_magnitude(scores: Tensor | None, group: PruningGroup) -> Tensor:
    return group.magnitude() if scores is None else scores


def _taylor(groups: Sequence[PruningGroup], model: Model, samples: Samples) -> Mapping[str, Tensor]:
    import torch_pruning as tp

    scale = tp.importance.GroupTaylorImportance(normalizer=None)
    total = {group.name: torch.zeros(group.size) for group in groups}
    chosen = samples.take(range(0, len(samples), max(1, len(samples) // LIMIT)))
    columns = [torch.from_numpy(chosen.inputs[name]) for name in model.project.inputs]
    labels = torch.from_numpy(chosen.labels)
    for start in range(0, len(chosen), BATCH):
        batch = slice(start, start + BATCH)
        model.module.zero_grad(set_to_none=True)
        with torch.enable_grad():
            outputs = model.module(*(column[batch] for column in columns))
            torch.autograd.backward(loss(pytree.tree_leaves(outputs), labels[batch]))
        for group in groups:
            total[group.name] += _or_magnitude(group.scores(scale), group)
    model.module.zero_grad(set_to_none=True)
    return total


def loss(outputs: Sequence[Tensor], labels: Tensor) -> Tensor:
    """Cross-entropy if the labels are classes and the output is [N, classes]; else the mean square of the outputs."""
    first = outputs[0]
    if not labels.is_floating_point() and labels.ndim == 1 and first.ndim == 2:
        return F.cross_entropy(first, labels)
    return torch.stack([output.square().mean() for output in outputs if output.is_floating_point()]).sum()
