"""Division of a prepared graph into layers, as an engineer would name them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgekit.passes.module_patterns import is_skipped, module_path, operator

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

PREPROCESSING = ("edgekit.frontend.preprocess.Pixels", "edgekit.frontend.log_mel.")
KINDS = {
    "conv1d": "conv",
    "conv2d": "conv",
    "conv3d": "conv",
    "conv_transpose1d": "transposed conv",
    "conv_transpose2d": "transposed conv",
    "bmm": "matmul",
    "addmm": "linear",
    "adaptive_avg_pool1d": "average pool",
    "adaptive_avg_pool2d": "average pool",
    "avg_pool1d": "average pool",
    "avg_pool2d": "average pool",
    "scaled_dot_product_attention": "attention",
}
# Values pass through unchanged: no layer of its own.
MOVES = {
    *("_assert_tensor_metadata", "_to_copy", "alias", "chunk", "clone", "constant_pad_nd", "contiguous", "detach"),
    *("dropout", "expand", "flatten", "getitem", "index_select", "max_pool1d", "max_pool2d", "pad", "permute"),
    *("repeat", "reshape", "select", "slice", "split", "squeeze", "t", "to", "transpose", "unflatten", "unsqueeze"),
    *("upsample_nearest2d", "view"),
}
CLAMPS = {"clamp", "hardtanh", "relu", "relu6"}
"""Operators fused into the kernel before them, if nothing is rounded in between."""
WEIGHTED = {"conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "linear"}

TABLE = "its table is stored in int8, and rows are dequantized as they are looked up"
"""Reason of embeddings: their results are float, and their weights are not."""


@dataclass(frozen=True)
class LayerGroup:
    """One layer of a prepared graph: its operators in execution order, such as a convolution and its ReLU."""

    name: str
    kind: str
    nodes: tuple[Node, ...]
    sources: tuple[str, ...]
    """Names of the first nodes of the groups whose outputs it reads."""
    weight: Node | None
    """Node of its weights: their observer if they are rounded, else the constant."""
    output: Node | None
    """Observer of its output, if that is rounded."""
    quantized: bool
    reason: str
    """Reason why it stays in float; empty if it is quantized."""

    @property
    def shares_scale(self) -> bool:
        """True if one observer rounds both its output and its input."""
        observers = {arg.target for arg in self.root.all_input_nodes if is_observer(arg)}
        return self.output is not None and self.output.target in observers

    @property
    def root(self) -> Node:
        return self.nodes[0]

    @property
    def last(self) -> Node:
        return self.nodes[-1]


def groups(prepared: GraphModule, names: Sequence[str], kept: Sequence[str]) -> tuple[LayerGroup, ...]:
    """Layers of a graph that `prepare_pt2e` made, in execution order. Inputs that are rounded count as layers too.

    names: the program's inputs, in order. kept: the recipe's patterns of modules that stay in float.
    """
    runs = _runs(prepared)
    owner = {node: run[0] for run in runs for node in run}
    return tuple(_group(run, owner, _input_name(run[0], prepared, names), kept) for run in runs)


def is_observer(node: Node) -> bool:
    return node.op == "call_module" and "activation_post_process" in str(node.target)


def observer_of(node: Node) -> Node | None:
    """Observer of a node's result; None if it has none."""
    return next((user for user in node.users if is_observer(user)), None)


def _runs(prepared: GraphModule) -> list[list[Node]]:
    """Runs of operators that are one layer: a clamp joins the operator before it; a torch.nn module stays whole."""
    runs: list[list[Node]] = []
    open_at: dict[Node, list[Node]] = {}
    constants: set[Node] = set()
    for node in prepared.graph.nodes:
        if node.op == "get_attr" or (node.all_input_nodes and constants.issuperset(node.all_input_nodes)):
            constants.add(node)
        elif is_observer(node) and _is_program_input(node.all_input_nodes[0]):
            runs.append([node.all_input_nodes[0]])
        elif node.op == "call_function" and node.users and not _is_program_input(node) and operator(node) not in MOVES:
            run = _joined(node, open_at) or _begun(runs)
            run.append(node)
            open_at[node] = run
    return runs


def _begun(runs: list[list[Node]]) -> list[Node]:
    runs.append([])
    return runs[-1]


def _joined(node: Node, open_at: Mapping[Node, list[Node]]) -> list[Node] | None:
    """Run that the node continues; None if it begins one."""
    before = node.all_input_nodes[0] if node.all_input_nodes else None
    if before is not None and before in open_at and operator(node) in CLAMPS and len(before.users) == 1:
        return open_at[before]
    if not _is_leaf(node):
        return None
    inner = [(arg.all_input_nodes[0] if is_observer(arg) else arg) for arg in node.all_input_nodes]
    return next((open_at[arg] for arg in inner if arg in open_at and _same_call(arg, node)), None)


def _same_call(one: Node, other: Node) -> bool:
    return module_path(one) == module_path(other) and _module_type(one) == _module_type(other)


def _module_type(node: Node) -> str:
    stack = node.meta.get("nn_module_stack") or {}
    return str(list(stack.values())[-1][1]) if stack else ""


def _is_leaf(node: Node) -> bool:
    kind = _module_type(node)
    return kind.startswith("torch.nn.modules.") and ".container." not in kind


def _is_program_input(node: Node) -> bool:
    """True for an input of the program, and for preprocessing, which stays in float."""
    stack = node.meta.get("nn_module_stack") or {}
    return node.op == "placeholder" or any(str(kind).startswith(PREPROCESSING) for _, kind in stack.values())


def _group(run: Sequence[Node], owner: Mapping[Node, Node], input_name: str | None, kept: Sequence[str]) -> LayerGroup:
    root, last = run[0], run[-1]
    if input_name is not None:
        return LayerGroup(input_name, "input", tuple(run), (), None, observer_of(last), True, "")
    weight = root.all_input_nodes[1] if operator(root) in WEIGHTED and len(root.all_input_nodes) > 1 else None
    # A layer in float may still read what the layer before it has rounded.
    rounded = is_observer(weight) if weight is not None else any(map(_is_annotated, run))
    reason = "" if rounded else _reason(root, kept)
    sources = tuple(dict.fromkeys(_sources(run, owner)))
    return LayerGroup(module_path(root), _kind(run), tuple(run), sources, weight, observer_of(last), rounded, reason)


def _is_annotated(node: Node) -> bool:
    """True if the backend's quantizer annotated the node's inputs."""
    annotation = node.meta.get("quantization_annotation")
    return bool(annotation and annotation.input_qspec_map) and any(map(is_observer, node.all_input_nodes))


def _reason(node: Node, kept: Sequence[str]) -> str:
    if is_skipped(node, kept):
        return "kept in float by the profile"
    from edgekit.passes.quantization.embedding_tables import reads_integer_table

    return TABLE if reads_integer_table(node) else "the backend quantizes no such operator here"


def _sources(run: Sequence[Node], owner: Mapping[Node, Node]) -> Iterable[str]:
    inside, seen = set(run), set()
    pending = [arg for node in reversed(run) for arg in reversed(node.all_input_nodes)]
    while pending:
        node = pending.pop()
        if node in inside or node in seen:
            continue
        seen.add(node)
        if node in owner:
            yield owner[node].name
        else:
            pending.extend(reversed(node.all_input_nodes))


def _kind(run: Sequence[Node]) -> str:
    root = run[0]
    name = operator(root)
    if len({operator(node) for node in run} - CLAMPS) > 1 and _is_leaf(root):
        return _module_type(root).rpartition(".")[2].lower()
    if name.startswith("conv") and len(root.args) > 6 and root.args[6] != 1:
        return "depthwise conv"
    return KINDS.get(name, name.replace("_", " "))


def _input_name(node: Node, prepared: GraphModule, names: Sequence[str]) -> str | None:
    if not _is_program_input(node):
        return None
    while node.op != "placeholder":
        node = next(arg for arg in node.all_input_nodes if arg.op != "get_attr")
    placeholders = [other for other in prepared.graph.nodes if other.op == "placeholder"]
    return names[placeholders.index(node)]
