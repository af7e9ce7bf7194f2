"""Pruning of a model before capture: structured (channels, heads), 2:4, or unstructured."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from edgekit.errors import PassError, UnknownName, suggest
from edgekit.frontend.load import Model
from edgekit.frontend.preprocess import Deployed
from edgekit.frontend.reparametrization import remove_reparametrizations
from edgekit.ir.measurement import Array
from edgekit.ir.program import PassRecord
from edgekit.ir.sqnr import sqnr_db
from edgekit.passes.module_patterns import covers
from edgekit.passes.pruning import compute_cost, sparsity
from edgekit.passes.pruning.plan import PruningPlan
from edgekit.passes.pruning.prunable_groups import ProtectedChannels
from edgekit.samples import Samples
from edgekit.specs.compression import Prune

LEAF = "model."
"""Prefix of the user's modules inside the deployed module."""


def prune(model: Model, recipe: Prune, samples: Samples | None) -> Model:
    """Remove the least important channels, heads or weights from a copy of `model`, as the recipe says.

    The result is not trained again; `recover` does that. samples: data for gradients, used if the importance is
    `taylor`. Channels whose number the network's own code fixes are left alone, and so is the output layer. A weight
    that torch.nn.utils computes (weight norm …) becomes a parameter. Raises UnknownName if a pattern of `skip` fits no
    module, PassError if the network cannot be pruned as far as the recipe asks.
    """
    started = time.perf_counter()
    whole, model = model, replace(model, module=copy.deepcopy(model.module))
    remove_reparametrizations(model.module)
    kept = _kept(model.module.model, recipe.skip)
    if recipe.pattern == "structured":
        module, details = _structured(model, recipe, samples, kept)
    else:
        module, details = _sparse(model, recipe, kept)
    module.eval()
    quality = sqnr_db(outputs(whole.module, model.examples), outputs(module, model.examples))
    if math.isnan(quality):
        raise PassError("pass 'prune' made outputs that are not finite", hint="check the weights of the network")
    options = (("pattern", recipe.pattern), *details, ("skip", " ".join(recipe.skip)))
    record = PassRecord("prune", options, time.perf_counter() - started, round(quality, 2))
    return replace(model, module=module, history=(*model.history, record))


def _kept(network: nn.Module, skip: Sequence[str]) -> frozenset[str]:
    """Names, inside the deployed module, of all modules that the patterns of `skip` cover."""
    names = [name for name, _ in network.named_modules() if name]
    for pattern in skip:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise UnknownName(
                f"[prune] skip: no module of the network is named '{pattern}'",
                hint=suggest(pattern, names, "names are those of torch's named_modules()"),
            )
    return frozenset(LEAF + name for name in names if covers(name, skip))


def _sparse(model: Model, recipe: Prune, kept: frozenset[str]) -> tuple[Deployed, tuple[tuple[str, str], ...]]:
    module = copy.deepcopy(model.module)
    layers = sparsity.prunable(module, model.examples, kept)
    if not layers:
        raise PassError(
            f"no layer takes pattern '{recipe.pattern}'", hint="inputs must come in fours; check [prune] skip"
        )
    lost = sparsity.dense(module, model.examples, layers)
    weights = {name: weight for name, weight in layers.items() if name not in lost}
    if not weights:
        raise PassError(
            f"the network computes the weights it multiplies with from '{lost[0].removeprefix(LEAF)}'"
            f"{f' and {len(lost) - 1} more' if lost[1:] else ''}, and zeros in there are none in those",
            hint="leave [prune] out of the profile, or prune channels: pattern = 'structured' and macs = 0.5",
        )
    if recipe.ratio is not None:
        masks = sparsity.smallest(weights, recipe.ratio)
    else:
        masks = {name: sparsity.two_of_four(weight) for name, weight in weights.items()}
    sparsity.apply(module, masks)
    zeros = sum(int((~mask).sum()) for mask in masks.values())
    dense = (("left dense", " ".join(name.removeprefix(LEAF) for name in lost)),) if lost else ()
    return module, (("layers", str(len(masks))), ("zeros", str(zeros)), *dense)


def _structured(
    model: Model, recipe: Prune, samples: Samples | None, kept: frozenset[str]
) -> tuple[Deployed, tuple[tuple[str, str], ...]]:
    plan = PruningPlan(model, recipe, samples, ProtectedChannels(kept, recipe.round_to))
    if not plan.groups:
        raise PassError(
            "nothing can be pruned: no channels or heads can go without something else changing",
            hint="leave [prune] out of the profile, or fewer modules in its skip",
        )
    module, widths = plan.solved()
    before, after = (compute_cost.macs(one, model.examples)[""] for one in (model.module, module))
    cut = [f"{g.name.removeprefix(LEAF)} {g.size}>{widths[g.name]}" for g in plan.groups if widths[g.name] < g.size]
    budget = next(name for name in ("ratio", "macs", "latency") if getattr(recipe, name) is not None)
    return module, (
        (budget, f"{getattr(recipe, budget):g}"),
        ("importance", recipe.importance),
        ("round_to", str(recipe.round_to)),
        ("macs before", f"{before:.0f}"),
        ("macs after", f"{after:.0f}"),
        ("cut", " ".join(cut)),
    )


def outputs(module: nn.Module, examples: tuple[Tensor, ...]) -> Array:
    """Outputs of `module` for one call's inputs, flattened into one array."""
    with torch.no_grad():
        leaves = pytree.tree_leaves(module(*examples))
    return np.concatenate([leaf.numpy().ravel() for leaf in leaves])
