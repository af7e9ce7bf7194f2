"""Network in float and with fake quantization, run side by side, operator by operator.

Fake quantization (Jacob et al. 2018) simulates integer kernels: each tensor is rounded to its scale and back, as a PT2E
program states it in its quantize and dequantize operators.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from edgekit.errors import PassError
from edgekit.passes.quantization.dynamic_rounding import DynamicFakeQuantized, DynamicObserver
from edgekit.passes.sensitivity.grouping import LayerGroup, groups, is_observer
from edgekit.specs.compression import Quantize

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

    from edgekit.ir.program import Program
    from edgekit.passes.base import Sample
    from edgekit.passes.quantization.quantize import Quantization

BATCH = 8
"""Samples in a batch: few enough that the activations of a layer stay in the processor's caches."""

Values = dict["Node", Any]
"""Values of the nodes computed so far."""
Visit = Callable[[LayerGroup, Values, Values], None]
"""Callback at the end of a layer, with values in float and of the quantized network (empty if that is not run)."""


@dataclass(frozen=True)
class AffineRounding:
    """Affine fake quantization: rounding to a scale and back, per-channel along an axis or per-tensor."""

    scale: Tensor
    zero_point: Tensor
    low: int
    high: int

    @property
    def bounds(self) -> tuple[float, float]:
        """Range of real values that are rounded to the nearest step, not clipped; of the widest channel."""
        low, high = (((end - self.zero_point) * self.scale) for end in (self.low - 0.5, self.high + 0.5))
        return float(low.min()), float(high.max())

    @property
    def ends(self) -> tuple[float, float]:
        """Smallest and largest real value of the result; of the widest channel."""
        low, high = (((end - self.zero_point) * self.scale) for end in (self.low, self.high))
        return float(low.min()), float(high.max())

    def __call__(self, x: Tensor) -> Tensor:
        if self.scale.numel() == 1 and self.high <= 255:  # one pass over the values where this takes five
            zero_point = self.zero_point.to(torch.int32)
            return torch.fake_quantize_per_tensor_affine(x, self.scale, zero_point, self.low, self.high)
        steps = torch.clamp(torch.round(x / self.scale) + self.zero_point, self.low, self.high)
        return (steps - self.zero_point) * self.scale


Rounding = AffineRounding | DynamicFakeQuantized
"""Rounding to a range of calibration, or to that of each input."""


@dataclass(frozen=True)
class FakeQuantPair:
    """Calibrated graph, with the rounding of each of its observers."""

    graph: GraphModule
    roundings: Mapping[Node, Rounding]
    groups: tuple[LayerGroup, ...]
    batch: int

    def run(self, sample: Sample, visit: Visit, quantized: bool) -> tuple[list[Tensor], list[Tensor]]:
        """Run one batch.

        Returns outputs in float and, if `quantized`, of the quantized network; `visit` is called by layer.
        """
        floats: Values = {}
        rounded: Values = {}
        ends = {group.last: group for group in self.groups}
        arguments = iter(sample)
        for node, done in self._order:
            if node.op == "placeholder":
                floats[node] = rounded[node] = next(arguments)
            elif node.op == "output":
                return _tensors(node, floats), _tensors(node, rounded) if quantized else []
            else:
                floats[node] = self._value(node, floats)
                if quantized:
                    rounded[node] = self.round(node, self._value(node, rounded))
            if node in ends:
                visit(ends[node], floats, rounded)
            for other in done:
                floats.pop(other, None)
                rounded.pop(other, None)
        raise AssertionError("a graph ends with its output")

    def alone(self, group: LayerGroup, floats: Values, inputs: bool, weights: bool, output: bool) -> Tensor:
        """Output of one layer on exact inputs, with rounding of its inputs, weights and output as the flags say."""
        inside: Values = {}

        def enter(node: Node) -> Any:
            source = node.all_input_nodes[0] if is_observer(node) else node
            value = inside[source] if source in inside else floats[source]
            wanted = weights if node is group.weight or source.op == "get_attr" else inputs
            return self.round(node, value) if wanted else value

        for node in group.nodes:
            arguments = {arg: enter(arg) for arg in node.all_input_nodes}
            inside[node] = self._value(node, arguments)
        result: Tensor = inside[group.last]
        return self.round(group.output, result) if output and group.output is not None else result

    def round(self, node: Node, value: Any) -> Any:
        """Round `value` as the observer `node` does; unchanged if `node` is no observer."""
        rounding = self.roundings.get(node)
        if node in self._rounded:
            return self._rounded[node]
        rounded: Tensor = rounding(value) if rounding is not None else value
        return rounded

    def batches(self, samples: Sequence[Sample]) -> Iterator[Sample]:
        """Samples in batches, of one each if the network's batch is fixed."""
        for start in range(0, len(samples), self.batch):
            yield _joined(samples[start : start + self.batch])

    def constant(self, node: Node) -> Tensor:
        """Weight, or another tensor that the graph holds."""
        value: Tensor = _attribute(self.graph, str(node.target))
        return value

    def _value(self, node: Node, values: Values) -> Any:
        if node.op == "get_attr":
            return self.constant(node)
        args = pytree.tree_map_only(torch.fx.Node, values.__getitem__, (node.args, node.kwargs))
        if node.op == "call_module":  # an observer, which lets values through, or a guard of the batch, which has none
            return args[0][0] if is_observer(node) else None
        return _out_of_place(node.target)(*args[0], **args[1])

    @cached_property
    def _rounded(self) -> dict[Node, Tensor]:
        """Rounded weights, by observer."""
        sources = {node: node.all_input_nodes[0] for node in self.roundings}
        constants = {node: source for node, source in sources.items() if source.op == "get_attr"}
        return {node: self.roundings[node](self.constant(source)) for node, source in constants.items()}

    @cached_property
    def _order(self) -> list[tuple[Node, list[Node]]]:
        """Nodes in execution order, each with the nodes whose values are no longer needed after it."""
        nodes = [node for node in self.graph.graph.nodes if node.users or node.op in ("placeholder", "output")]
        last = {node: node for node in nodes}
        ends = {node: group.last for group in self.groups for node in group.nodes}
        place = {node: i for i, node in enumerate(nodes)}
        for node in nodes:
            for arg in node.all_input_nodes:
                inner = arg.all_input_nodes if is_observer(arg) else []
                for source in (arg, *inner):  # a layer is run again, alone, as it ends
                    last[source] = max(last[source], ends.get(node, node), key=place.__getitem__)
        done: dict[Node, list[Node]] = {}
        for node, end in last.items():
            done.setdefault(end, []).append(node)
        return [(node, done.get(node, [])) for node in nodes]


def calibrated_pair(
    program: Program, recipe: Quantize, quantization: Callable[[Quantize], Quantization], samples: Sequence[Sample]
) -> FakeQuantPair:
    """Prepare the program with the backend's quantizer, and calibrate it on `samples`, each of batch 1.

    Raises PassError without samples, for a recipe that is not static, and if a layer's output is not finite.
    """
    if not samples:
        raise PassError("nothing can be calibrated without samples", hint="state [data] calibration in edgekit.toml")
    if recipe.mode != "static":
        raise PassError(
            f"a recipe of mode '{recipe.mode}' has no ranges to look into", hint="--set profile.quantize.mode=static"
        )
    from torchao.quantization.pt2e.quantize_pt2e import prepare_pt2e

    from edgekit.passes.quantization.quantize import QuantizePass, with_equalized_ranges

    program = with_equalized_ranges(program, recipe, samples, samples[:1])
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # torchao warns of its own deprecated observer attributes
        prepared = prepare_pt2e(program.exported.module(), quantization(recipe).quantizer)
        names = [spec.name for spec in program.signature.inputs]
        plain = FakeQuantPair(prepared, {}, groups(prepared, names, recipe.kept), 1)
        outputs = (
            leaf for sample in samples for leaf in pytree.tree_leaves(plain.run(sample, lambda *_: None, False)[0])
        )
        if not all(bool(torch.isfinite(output).all()) for output in outputs):
            raise _not_finite(plain, samples)
        # Not corrected biases and rounded weights: the float side of the pair has the trained ones.
        tuple(QuantizePass(recipe, quantization, samples).calibrated(prepared, program.exported))
        roundings = _roundings(prepared)
        return FakeQuantPair(prepared, roundings, plain.groups, _batch(plain, samples))


def _not_finite(plain: FakeQuantPair, samples: Sequence[Sample]) -> PassError:
    """Error that names the first layer whose output is not finite, on the first such sample."""
    faulty: list[LayerGroup] = []

    def look(group: LayerGroup, floats: Values, _: Values) -> None:
        value = floats[group.last]
        if isinstance(value, Tensor) and not torch.isfinite(value).all():
            faulty.append(group)

    index = -1
    while not faulty and index + 1 < len(samples):
        index += 1
        plain.run(samples[index], look, quantized=False)
    layer = faulty[0] if faulty else None
    where = f"'{layer.name or layer.root.name}' ({layer.kind}) gives" if layer else "the program's outputs are"
    return PassError(
        f"{where} values that are not finite on calibration sample {index}",
        hint="look at that sample and at the weights of that layer: no scale holds NaN or infinity",
    )


def _roundings(prepared: GraphModule) -> dict[Node, Rounding]:
    observers = filter(is_observer, prepared.graph.nodes)
    return {node: _rounding(prepared.get_submodule(str(node.target)), node) for node in observers}


def _rounding(observer: Any, node: Node) -> Rounding:
    if isinstance(observer, DynamicObserver):
        return DynamicFakeQuantized(observer)
    scale, zero_point = observer.calculate_qparams()
    axis, value = getattr(observer, "ch_axis", 0), node.all_input_nodes[0].meta.get("val")
    if scale.numel() > 1 and value is not None:
        shape = [-1 if i == axis else 1 for i in range(value.dim())]
        scale, zero_point = scale.reshape(shape), zero_point.reshape(shape)
    return AffineRounding(scale.float(), zero_point.float(), observer.quant_min, observer.quant_max)


def _batch(plain: FakeQuantPair, samples: Sequence[Sample]) -> int:
    """Batch size: `BATCH`, or 1 if two samples at once give other outputs than alone, for the export's batch is 1."""
    if len(samples) < 2:
        return 1
    try:
        both, _ = plain.run(_joined(samples[:2]), lambda *_: None, quantized=False)
    except (RuntimeError, ValueError, IndexError):
        return 1
    apart = [plain.run(sample, lambda *_: None, quantized=False)[0] for sample in samples[:2]]
    expected = [torch.cat(parts) for parts in zip(*apart, strict=True)]
    alike = all(
        one.shape == two.shape and torch.allclose(one, two, rtol=1e-3, atol=1e-4)
        for one, two in zip(both, expected, strict=True)
    )
    return BATCH if alike else 1


def _joined(samples: Sequence[Sample]) -> Sample:
    return tuple(torch.cat(column) for column in zip(*samples, strict=True))


def _attribute(module: Any, path: str) -> Any:
    for name in path.split("."):
        module = getattr(module, name)
    return module


def _tensors(node: Node, values: Values) -> list[Tensor]:
    leaves: Iterable[Any] = pytree.tree_leaves(node.args)
    return [values[leaf] for leaf in leaves if isinstance(leaf, torch.fx.Node)]


def _out_of_place(target: Any) -> Any:
    """Operator without an in-place write: the float and the quantized side may share the argument."""
    packet = getattr(target, "overloadpacket", None)
    name = getattr(packet, "__name__", "")
    if packet is None or not name.endswith("_") or name.endswith("__"):
        return target
    plain = getattr(torch.ops.aten, name.removesuffix("_"), None)
    return getattr(plain, target._overloadname, target)
