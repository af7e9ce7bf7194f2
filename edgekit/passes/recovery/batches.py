"""Check that a network can be trained in batches: one that was exported may have its batch of 1 in its shapes."""

from __future__ import annotations

import torch
from torch.utils import _pytree as pytree

from edgekit.errors import PassError
from edgekit.frontend.load import Model
from edgekit.specs.factory import RAISED, in_a_line

ONE = "the network takes one sample at a time, training takes batches"
HINT = (
    "leave training out of the profile, or export the network with a free batch axis: torch.export.export(network, "
    "example_inputs, dynamic_shapes=({0: torch.export.Dim('batch', min=1)}, …))"
)


def check_batches(model: Model) -> None:
    """Raise PassError if the network does not answer two samples at once with twice the outputs of one."""
    pair = tuple(torch.cat([example, example]) for example in model.examples)
    try:
        with torch.no_grad():
            one, two = (pytree.tree_leaves(model.module(*inputs)) for inputs in (model.examples, pair))
    except RAISED as error:
        raise PassError(f"{ONE}: {in_a_line(error)}", hint=HINT) from error
    sizes = [(before.shape[:1], after.shape[:1]) for before, after in zip(one, two, strict=True)]
    if not any(before and after and after[0] == 2 * before[0] for before, after in sizes):
        raise PassError(f"{ONE}: it mixes two into one", hint=HINT)
