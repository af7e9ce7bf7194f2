"""Weight rounding for int4 in groups: the error of a layer's outputs is minimized, by GPTQ or AdaRound.

The float program gets the weights that int4 kernels will compute with. As it lowers, a backend searches scales anew,
and finds those of weights that lie on a grid already (`passes/quantization/group_scales`): so every backend stores
them, and none is told more than the program.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor
from torch.fx import GraphModule

from edgekit.errors import PassError
from edgekit.frontend.canonical import exported_again
from edgekit.passes.base import Pass, Rewritten
from edgekit.passes.module_patterns import is_skipped
from edgekit.passes.quantization.group_scales import HIGH, LOW, grouped_weight
from edgekit.passes.quantization.rounding import layer_shares, second_moments
from edgekit.passes.quantization.rounding_solvers import Grid, adaround, gptq, squared
from edgekit.passes.quantization.simulate import batch_of, stacked, unguarded
from edgekit.passes.quantization.weighted_layers import WeightedLayer, layers, replace, value
from edgekit.specs.compression import Quantize

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from edgekit.passes.base import Sample

SOLVERS = {"gptq": gptq, "adaround": adaround}


@dataclass(frozen=True)
class GroupRounding(Pass):
    """Put the weights of linear layers on the grids of int4 groups, so that the outputs of layers change least.

    A weight that several operators read, such as that of a tied output layer, stays as it is.
    """

    name: ClassVar[str] = "round-groups"

    recipe: Quantize
    samples: Sequence[Sample]
    short_groups: bool
    """True if the backend's kernels take a shorter last group; else layers that groups do not fill stay as they are."""

    def requires(self, exported: ExportedProgram) -> None:
        if not self.samples:
            raise PassError(
                f"weights.rounding = '{self.recipe.weights.rounding}' needs a calibration set",
                hint="state [data] calibration in edgekit.toml",
            )

    def options(self) -> tuple[tuple[str, str], ...]:
        return (("rounding", self.recipe.weights.rounding), ("samples", str(len(self.samples))))

    def rewrite(self, exported: ExportedProgram) -> Rewritten:
        module = exported.module()
        chosen = [layer for layer in layers(module) if self._is_rounded(module, layer)]
        free = unguarded(module)
        batches = stacked(self.samples, batch_of(free, self.samples))
        nearest = remaining = 0.0
        for share in layer_shares(module, chosen):
            moments = second_moments(module, share, batches)
            for layer in share:
                weight, moment = value(module, layer.weight), moments[layer.node]
                rounded = [grouped_weight(weight, self._group(weight)).real, self._solved(weight, moment)]
                errors = [squared((weight - each)[None], moment)[0] for each in rounded]
                # Output by output, as in `rounding`; each row is a grid of its own.
                best = torch.where((errors[1] < errors[0])[:, None], rounded[1], rounded[0])
                nearest, remaining = nearest + float(errors[0].sum()), remaining + float(torch.minimum(*errors).sum())
                replace(module, layer.weight, best)
        finding = f"{remaining / nearest if nearest else 1.0:.0%} of nearest rounding's, {len(chosen)} layers"
        return Rewritten(exported_again(module, exported), (("rounding error", finding),))

    def _is_rounded(self, module: GraphModule, layer: WeightedLayer) -> bool:
        if not layer.is_linear or is_skipped(layer.node, self.recipe.kept):
            return False
        weight = value(module, layer.weight)
        return weight.dtype is torch.float32 and (self.short_groups or weight.shape[1] % self._group(weight) == 0)

    def _group(self, weight: Tensor) -> int:
        grouped = self.recipe.weights.granularity == "per-group"
        return self.recipe.weights.group if grouped else weight.shape[1]

    def _solved(self, weight: Tensor, moment: Tensor) -> Tensor:
        """Weight by the recipe's solver, on grids whose scales are best for inputs as large as these."""
        scales = grouped_weight(weight, self._group(weight), moment[0].diagonal()).scale_of_each
        grid = Grid(scales[None], torch.tensor(float(LOW)), torch.tensor(float(HIGH)))
        return grid.near(SOLVERS[self.recipe.weights.rounding](weight[None], moment, grid))[0]


def with_weights(exported: ExportedProgram, weights: Mapping[str, Tensor]) -> ExportedProgram:
    """Program with other weights, by their names in it; names that it lacks are passed over."""
    module = exported.module()
    for constant in _constants(module):
        if str(constant.target) in weights:
            replace(module, constant, weights[str(constant.target)])
    return exported_again(module, exported)


def changed_weights(before: ExportedProgram, after: ExportedProgram) -> dict[str, Tensor]:
    """Weights of `after` that `before` has with other values, by their names in both."""
    modules = [each.module() for each in (before, after)]
    old, new = ({str(node.target): value(module, node) for node in _constants(module)} for module in modules)
    return {name: tensor for name, tensor in new.items() if name in old and not torch.equal(old[name], tensor)}


def _constants(module: GraphModule) -> Iterator[torch.fx.Node]:
    return (node for node in module.graph.nodes if node.op == "get_attr")
