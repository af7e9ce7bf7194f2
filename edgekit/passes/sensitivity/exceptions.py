"""Operators to leave in float: the fewest whose roundings make most of the noise of the answers.

A value stays unrounded only if the operator that computes it and all that read it are in float. So roundings are taken
together that fall with the same operators, and the operators are named as `[quantize.overrides]` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from edgekit.passes.module_patterns import OPERATOR, module_path, operator
from edgekit.passes.sensitivity.grouping import MOVES, WEIGHTED, is_observer

if TYPE_CHECKING:
    from torch import Tensor
    from torch.fx import GraphModule, Node

WORK = 100.0
"""Weight of all multiply-accumulates and weights in a search: a hundredth counts as much as one more operator."""
OVERHEAD = 0.0025
"""Price of one operator in float, as a share of all work: what it reads and writes is converted."""
RANGE_SEARCH = 0.0005
"""Price of one operator that rounds its inputs at run time: it finds their ranges first, and multiplies integers."""
DYNAMIC = {*("bmm", "linear", "matmul", "scaled_dot_product_attention")}
"""Operators that a backend may have with inputs that are rounded at run time."""


class WorkShare(NamedTuple):
    """Shares of the multiply-accumulates and of the weights of all operators with weights, each in [0, 1]."""

    macs: float
    weights: float


@dataclass(frozen=True)
class JointRounding:
    """Roundings of one value and its moves, or of one weight, with the operators that must be in float without them."""

    noise: float
    """Noise in the answers, as a share of their power."""
    operators: frozenset[str]
    """Names of the operators, as patterns of `[quantize.overrides]`."""
    value: str
    """Name of what is rounded, for people: `weights of 'stem.0' (conv2d)`."""


@dataclass(frozen=True)
class ExceptionStep:
    """Operators in float, and the share of the noise that is left, in [0, 1], to first order."""

    operators: tuple[str, ...]
    noise_left: float


def joint_roundings(prepared: GraphModule, shares: Mapping[str, float]) -> list[JointRounding]:
    """Roundings of a prepared program that fall together, the noisiest first. shares: noise by observer."""
    places = _names(prepared)
    members: dict[tuple[Node, bool], list[Node]] = {}
    for node in prepared.graph.nodes:
        if node.name in shares:
            members.setdefault((_origin(node), is_dynamic_observer(prepared, node)), []).append(node)
    joint = []
    for (origin, by_reader), observers in members.items():
        noise = sum(shares[observer.name] for observer in observers)
        involved = {origin, *(reader for observer in observers for reader in _readers(observer))}
        if by_reader:
            involved.discard(origin)  # whatever computes it
        operators = frozenset(places[node] for node in involved if node in places)
        if noise > 0 and operators and all(operators):
            joint.append(JointRounding(noise, operators, _described(origin, observers[0], places)))
    return sorted(joint, key=lambda each: -each.noise)


def exception_path(roundings: Sequence[JointRounding], work: Mapping[str, float]) -> list[ExceptionStep]:
    """Growing sets of operators in float, each with the noise that is left, by a greedy search.

    work: share of the multiply-accumulates and weights of an operator, in [0, 1], by its name. Each step takes the
    rounding whose operators take most noise away for their price. The path ends where a hundredth of the noise is left.
    """
    total = _noise(roundings, frozenset())
    path: list[ExceptionStep] = []
    chosen: frozenset[str] = frozenset()
    while (before := _noise(roundings, chosen)) > total / 100:
        steps = [each.operators - chosen for each in roundings if not each.operators <= chosen]
        gains = [(before - _noise(roundings, chosen | step)) / _price(step, work) for step in steps]
        chosen |= steps[gains.index(max(gains))]
        path.append(ExceptionStep(tuple(sorted(chosen)), _noise(roundings, chosen) / total))
    return path


def dynamic_order(floating: GraphModule, prepared: GraphModule, roundings: Sequence[JointRounding]) -> tuple[str, ...]:
    """Names of the operators that may round their inputs at run time, those first by which most noise comes.

    floating: the program before it is prepared, which has attention as one operator. prepared: the calibrated program
    that `roundings` are of.
    """
    noise: dict[str, float] = {}
    for each in roundings:
        for name in each.operators:
            noise[name] = noise.get(name, 0.0) + each.noise
    names = {name: node for node, name in _names(floating).items() if operator(node) in DYNAMIC and name}
    return tuple(sorted(names, key=lambda name: -noise.get(name, 0.0)))


def dynamic_names(prepared: GraphModule) -> frozenset[str]:
    """Names of the operators of a prepared program that round an input at run time."""
    names = _names(prepared)
    return frozenset(
        names[reader]
        for node in prepared.graph.nodes
        if is_observer(node) and is_dynamic_observer(prepared, node)
        for reader in node.users
        if reader in names
    )


def is_dynamic_observer(prepared: GraphModule, node: Node) -> bool:
    """True if an observer stands for a rounding by the range at run time."""
    from edgekit.passes.quantization.dynamic_rounding import DynamicObserver

    return isinstance(prepared.get_submodule(str(node.target)), DynamicObserver)


def pruning_order(roundings: Sequence[JointRounding], work: Mapping[str, float], chosen: Sequence[str]) -> list[str]:
    """Operators in float in the order in which they may return to integers: those first whose return adds the least
    noise for the price that it saves, to first order and beside those before it."""
    remaining, order = frozenset(chosen), []
    while remaining:
        before = _noise(roundings, remaining)
        added = {name: _noise(roundings, remaining - {name}) - before for name in sorted(remaining)}
        order.append(min(added, key=lambda name: (added[name] / price([name], work), name)))
        remaining -= {order[-1]}
    return order


def price(names: Sequence[str], work: Mapping[str, float]) -> float:
    """Price of operators in float, as a share of that of all work: work lost, and little for each operator."""
    return sum(OVERHEAD + work.get(name, 0.0) for name in names)


def work_shares(prepared: GraphModule) -> dict[str, float]:
    """Share of each operator with weights in the multiply-accumulates or the weights of all, whichever is more."""
    return {name: max(share) for name, share in work_of(prepared).items()}


def work_of(prepared: GraphModule) -> dict[str, WorkShare]:
    """Share of each operator with weights in the work of all, by its name."""
    macs: dict[str, float] = {}
    weights: dict[str, float] = {}
    for node, name in _names(prepared).items():
        if operator(node) not in WEIGHTED or len(node.all_input_nodes) < 2:
            continue
        value, weight = node.meta["val"], _value_of(node.all_input_nodes[1])
        if weight is None:
            continue
        each = weight.numel() // max(weight.shape[1 if "transpose" in operator(node) else 0], 1)
        macs[name] = macs.get(name, 0.0) + float(value.numel() * each)
        weights[name] = weights.get(name, 0.0) + float(weight.numel())
    totals = sum(macs.values()) or 1.0, sum(weights.values()) or 1.0
    return {name: WorkShare(macs[name] / totals[0], weights[name] / totals[1]) for name in macs}


def _noise(roundings: Sequence[JointRounding], chosen: frozenset[str]) -> float:
    return sum(each.noise for each in roundings if not each.operators <= chosen)


def _price(names: frozenset[str], work: Mapping[str, float]) -> float:
    return sum(1.0 + WORK * work.get(name, 0.0) for name in names)


def _origin(observer: Node) -> Node:
    """Node that computed what an observer rounds: before moves, clamps and other roundings of the same value."""
    node = observer
    while is_observer(node) or (node.op == "call_function" and operator(node) in MOVES and node.all_input_nodes):
        node = node.all_input_nodes[0]
    return node


def _readers(node: Node) -> Iterator[Node]:
    """Operators that read a rounded value, behind moves and further roundings."""
    for user in node.users:
        if is_observer(user) or (user.op == "call_function" and operator(user) in MOVES):
            yield from _readers(user)
        elif user.op == "call_function":
            yield user


def _names(prepared: GraphModule) -> dict[Node, str]:
    """Name of each operator as a pattern: its module where that is a leaf, else module and operator; empty if it has no
    module."""
    nodes = [node for node in prepared.graph.nodes if node.op == "call_function" and operator(node) not in MOVES]
    paths = {module_path(node) for node in nodes}
    return {node: _name(node, module_path(node), paths) for node in nodes}


def _name(node: Node, path: str, paths: set[str]) -> str:
    if not path:
        return f"{OPERATOR}{operator(node)}"
    stack = list(node.meta["nn_module_stack"].values())
    is_leaf = str(stack[-1][1]).startswith("torch.nn.modules.") and not any(p.startswith(f"{path}.") for p in paths)
    return path if is_leaf else f"{path}{OPERATOR}{operator(node)}"


def _described(origin: Node, observer: Node, places: Mapping[Node, str]) -> str:
    reader = next(iter(_readers(observer)), None)
    if origin.op == "get_attr" and reader is not None:
        return f"the weights of '{places[reader]}'"
    if origin.op == "placeholder":
        return f"the input '{origin.name}'"
    return f"the output of '{places.get(origin, origin.name)}'"


def _value_of(node: Node) -> Tensor | None:
    source = node.all_input_nodes[0] if is_observer(node) and node.all_input_nodes else node
    value: Tensor | None = source.meta.get("val") if source.op == "get_attr" else None
    return value
