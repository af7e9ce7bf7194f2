"""Plan of a structured pruning: groups of a model, importance of their units, and widths that meet the budget."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from torch import Tensor, nn

from edgekit.errors import PassError
from edgekit.frontend.load import Model
from edgekit.frontend.preprocess import Deployed
from edgekit.passes.pruning import compute_cost
from edgekit.passes.pruning.groups import PruningGroup
from edgekit.passes.pruning.importance import importance
from edgekit.passes.pruning.prunable_groups import ProtectedChannels, candidate_groups, prunable_groups
from edgekit.passes.pruning.widths import Widths, by_ratio, path
from edgekit.samples import Samples
from edgekit.specs.compression import Prune


@dataclass(frozen=True)
class PruningPlan:
    """Structured pruning of one model by one recipe. The model itself is never changed."""

    model: Model
    recipe: Prune
    samples: Samples | None
    bounds: ProtectedChannels

    @cached_property
    def module(self) -> Deployed:
        """Copy of the network on which groups and scores are computed."""
        return _trainable(self.model.module)

    @cached_property
    def groups(self) -> Sequence[PruningGroup]:
        return prunable_groups(self.module, self.model.examples, self.bounds)

    @cached_property
    def scores(self) -> Mapping[str, Tensor]:
        return importance(self.groups, self.recipe.importance, replace(self.model, module=self.module), self.samples)

    def solved(self) -> tuple[Deployed, Widths]:
        """Prune a copy of the network.

        Returns it, with the width of every group. Raises PassError if the budget is not met.
        """
        if self.recipe.ratio is not None:
            widths = by_ratio(self.groups, self.recipe.ratio)
            return self._cut(widths), widths
        if self.recipe.macs is not None:
            return self._within_macs(self.recipe.macs)
        assert self.recipe.latency is not None  # as the recipe was checked
        return self._within_latency(self.recipe.latency)

    def _within_macs(self, share: float) -> tuple[Deployed, Widths]:
        """First network along the path whose multiply-accumulates, counted, are at most `share` of the original's."""
        whole = compute_cost.macs(self.model.module, self.model.examples)[""]
        reached = whole
        for widths, predicted in self._path():
            if whole - self._full + predicted > share * whole * 1.02:
                continue  # the prediction is near enough not to count every network
            module = self._cut(widths)
            reached = compute_cost.macs(module, self.model.examples)[""]
            if reached <= share * whole:
                return module, widths
        raise self._unreachable("macs", share, "of the multiply-accumulates stay at least", self._least(whole, reached))

    def _least(self, whole: float, reached: float) -> float:
        if reached < whole:
            return reached / whole
        *_, (widths, _) = self._path()
        return compute_cost.macs(self._cut(widths), self.model.examples)[""] / whole

    def _within_latency(self, share: float) -> tuple[Deployed, Widths]:
        """Widest network along the path that takes at most `share` of the original's time, found by bisection."""
        steps = [widths for widths, _ in self._path()]
        low, high = 0, len(steps) - 1
        least = self._time(self._cut(steps[high]))
        if least > share:
            raise self._unreachable("latency", share, "of the time stays at least", least)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._time(self._cut(steps[middle])) <= share else (middle, high)
        return self._cut(steps[high]), steps[high]

    def _time(self, module: nn.Module) -> float:
        """Time of `module` as a share of the original network's."""
        before, after = compute_cost.seconds([self.model.module, module], self.model.examples)
        return after / before

    def _unreachable(self, budget: str, share: float, what: str, least: float) -> PassError:
        return PassError(
            f"[prune] {budget} {share:g} cannot be reached: {least:.2f} {what}",
            hint=f"{budget} = {least + 0.01:.2f}, a smaller round_to, or fewer modules in skip",
        )

    def _path(self) -> list[tuple[Widths, float]]:
        return list(path(self.groups, self.scores, self._macs))

    @cached_property
    def _macs(self) -> Mapping[str, float]:
        reached = {part.layer for group in self.groups for part in group.parts}
        return {
            name: count
            for name, count in compute_cost.own_macs(self.model.module, self.model.examples).items()
            if name in reached
        }

    @property
    def _full(self) -> float:
        return sum(self._macs.values())

    def _cut(self, widths: Widths) -> Deployed:
        """Copy of the network with the most important units of each group. Raises PassError if it cannot be traced."""
        module = _trainable(self.model.module)
        for group in candidate_groups(module, self.model.examples, self.bounds):
            if widths.get(group.name, group.size) < group.size:
                order = self.scores[group.name].argsort(stable=True)
                group.remove(order[: group.size - widths[group.name]].tolist())
        trained = {name for name, parameter in self.model.module.named_parameters() if parameter.requires_grad}
        for name, parameter in module.named_parameters():
            parameter.requires_grad_(name in trained)
            parameter.grad = None
        return module.eval()


def _trainable(module: Deployed) -> Deployed:
    """Copy that torch-pruning can trace: it follows gradients, so every parameter requires one."""
    copied = copy.deepcopy(module)
    for parameter in copied.parameters():
        parameter.requires_grad_(parameter.is_floating_point())
    return copied
