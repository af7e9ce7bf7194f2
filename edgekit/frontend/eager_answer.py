"""One answer of a network in eager torch: what it gives, before anything is captured."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from edgekit.frontend.capture import output_names
from edgekit.frontend.load import Model
from edgekit.ir.measurement import Array


def answer(model: Model) -> dict[str, Array]:
    """Zeros of the shape and kind of every output, by name, for a batch of 1: float32, int64 or bool.

    Empty if it gives anything but tensors, which the capture then refuses with its reason.
    """
    with torch.no_grad():
        results = model.module(*(example.clone() for example in model.examples))
    leaves = pytree.tree_leaves(results)
    if not leaves or not all(isinstance(leaf, Tensor) for leaf in leaves):
        return {}
    names = output_names(model.project, results, len(leaves))
    return {name: np.zeros(tuple(leaf.shape), _kind(leaf)) for name, leaf in zip(names, leaves, strict=True)}


def _kind(leaf: Tensor) -> type[np.generic]:
    if leaf.dtype == torch.bool:
        return np.bool_
    return np.float32 if leaf.is_floating_point() else np.int64
