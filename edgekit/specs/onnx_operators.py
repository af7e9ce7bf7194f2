"""Operators of ONNX files: those that edgekit reads, and the tensors before which a network ends where it lacks one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from edgekit.errors import SpecError, UnsupportedModelFile, suggest
from edgekit.untrusted.onnx_header import OnnxHeader, OnnxNode, Operator

OPSETS = range(7, 27)
"""Opsets of ONNX that edgekit reads."""
QUANTIZED = re.compile(r"QLinear|uantizeLinear|Integer$|QAttention|QGemm")
OWN = ("", "ai.onnx")
"""Domains of ONNX's own operators."""
CLASSIC = "ai.onnx.ml"
"""Domain of trees, linear models and encoders, as scikit-learn's converter writes them."""
MOST_TENSORS = 8
"""Limit of the tensors that a hint names."""
SIZES = {"Shape", "Size"}
"""Operators whose outputs are of an input's shape, not of its values."""
OPERATORS: frozenset[str] = frozenset(
    """
    Abs Acos Add And ArgMax ArgMin Asin Atan AveragePool BatchNormalization BitwiseAnd BitwiseOr Cast CastLike Ceil
    Celu Clip Concat Constant ConstantOfShape Conv ConvTranspose Cos Cosh CumSum DepthToSpace Div Dropout Einsum Elu
    Equal Erf Exp Expand EyeLike Flatten Floor GRU Gather GatherElements GatherND Gelu Gemm GlobalAveragePool
    GlobalMaxPool Greater GreaterOrEqual GridSample GroupNormalization HardSigmoid HardSwish Identity If
    InstanceNormalization IsInf IsNaN LRN LSTM LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax
    Loop LpNormalization MatMul Max MaxPool Mean Min Mish Mod Mul Neg Not OneHot Or PRelu Pad Pow RMSNormalization RNN
    Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd
    ReduceSum ReduceSumSquare Relu Reshape Resize Round Scan ScatterElements ScatterND Selu Shape Shrink Sigmoid Sign
    Sin Sinh Size Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum Tan Tanh ThresholdedRelu Tile
    TopK Transpose Trilu Unsqueeze Upsample Where Xor
    """.split()  # noqa: SIM905  # a hundred names read better so
)
"""Operators that `frontend/onnx_import` makes of torch."""


def edge_name(name: str) -> str:
    """Name of a tensor as edgekit may have it: `images_0` for `images:0`."""
    edge = re.sub(r"[^\w.-]", "_", name, flags=re.ASCII)
    return edge if re.match(r"[A-Za-z_]", edge) else f"_{edge}"


def graph_outputs(tensors: Iterable[str], outputs: Sequence[str], stated: Sequence[str], file: str) -> list[str]:
    """Tensors with which the network ends: those that `[model] outputs` names, else the file's outputs.

    tensors: names of all that nodes give. outputs: the file's. stated: `[model] outputs`, which may also be new names
    for the file's outputs, in order. Raises SpecError if it is neither.
    """
    known = {edge_name(name): name for name in tensors if name}
    lacking = [name for name in stated if edge_name(name) not in known]
    inner = {edge_name(name) for name in stated} & known.keys() - set(map(edge_name, outputs))
    if not stated or (lacking and not inner and len(stated) == len(outputs)):
        return list(outputs)
    if lacking:
        count = f"{len(outputs)} output{'s' * (len(outputs) != 1)}"
        raise SpecError(
            f"[model] outputs: '{file}' has no tensor '{lacking[0]}'",
            hint=suggest(lacking[0], list(known), f"name tensors of the graph, or give new names to its {count}"),
        )
    return [known[edge_name(name)] for name in stated]


def nodes_before(nodes: Sequence[OnnxNode], outputs: Iterable[str]) -> tuple[list[OnnxNode], set[str]]:
    """Nodes of which some outputs depend, in order, and the names of all that these take."""
    wanted = set(outputs)
    needed = []
    for node in reversed(nodes):
        if not wanted.isdisjoint(node.outputs):
            needed.append(node)
            wanted.update(node.inputs)
    return needed[::-1], wanted


def check_operators(header: OnnxHeader, nodes: Sequence[OnnxNode], stated: str) -> None:
    """Raise UnsupportedModelFile unless edgekit reads the opset and the operators of these nodes."""
    opset = max((number for domain, number in header.opsets.items() if domain in OWN), default=0)
    if opset not in OPSETS and not (opset == 0 and CLASSIC in header.opsets):
        raise UnsupportedModelFile(
            f"'{stated}' is of opset {opset}, edgekit reads {OPSETS.start} to {OPSETS.stop - 1}",
            hint="export it with opset 17 or 18: torch.onnx.export(…, opset_version=18)",
        )
    for node in nodes:
        for operator, name in _operators(node, header).items():
            if _refused(operator, header):
                raise _refusal(operator, name, header, nodes, stated)


def cut_tensors(header: OnnxHeader, nodes: Sequence[OnnxNode]) -> list[str]:
    """Names of the tensors that depend on inputs, and on no operator that edgekit lacks, and are used behind those.

    A network that ends with them has all that edgekit can read. Empty if they are inputs.
    """
    sources = {each.name for each in header.inputs}
    data, beyond = set(sources), set[str]()
    cut: dict[str, None] = {}
    for node in nodes:
        lacks = any(_refused(operator, header) for operator in _operators(node, header))
        if lacks or not beyond.isdisjoint(node.inputs):
            beyond.update(node.outputs)
            cut.update(dict.fromkeys(name for name in node.inputs if name in data))
        elif not data.isdisjoint(node.inputs) and node.operator[1] not in SIZES:
            data.update(node.outputs)
    cut.update(dict.fromkeys(name for name in header.outputs if name in data))
    return [] if sources & cut.keys() else list(cut)


def _operators(node: OnnxNode, header: OnnxHeader) -> dict[Operator, str]:
    """Operators of a node, its subgraphs, and the functions of the model that it calls."""
    operators, calls = dict(node.operators), list(node.operators)
    while calls:
        for operator, name in header.functions.get(calls.pop(), {}).items():
            if operator not in operators:
                operators[operator] = name
                calls.append(operator)
    return operators


def _refused(operator: Operator, header: OnnxHeader) -> bool:
    domain, kind = operator
    return operator not in header.functions and (domain not in OWN or kind not in OPERATORS)


def _refusal(
    operator: Operator, name: str, header: OnnxHeader, nodes: Sequence[OnnxNode], stated: str
) -> UnsupportedModelFile:
    domain, kind = operator
    if QUANTIZED.search(kind):
        return UnsupportedModelFile(
            f"'{stated}' is quantized already: node '{name}' is {kind}", hint="give the float model: edgekit quantizes"
        )
    if domain == CLASSIC:
        return UnsupportedModelFile(
            f"node '{name}' of '{stated}' is {domain}.{kind}: no network, but a model of scikit-learn's kind",
            hint="edgekit compiles neural networks: run it with onnxruntime as it is, or write it in torch",
        )
    place = _ending(header, nodes)
    if kind == "NonMaxSuppression" and place:
        place += ", and state task = 'detection' and [task] decoder, which suppresses boxes (docs/tasks.md)"
    if domain not in OWN:
        return UnsupportedModelFile(
            f"node '{name}' of '{stated}' is {domain}.{kind}: edgekit reads ONNX's own operators only",
            hint=place or "export it without fused or custom operators, or write that part with ONNX's",
        )
    return UnsupportedModelFile(
        f"node '{name}' of '{stated}' is {kind}, which edgekit's importer lacks",
        hint=place or "write that part with other operators, or have the application do it before the network",
    )


def _ending(header: OnnxHeader, nodes: Sequence[OnnxNode]) -> str:
    """Hint that names the tensors with which the network can end; "" if there are none, or too many."""
    cut = cut_tensors(header, nodes)
    if not 0 < len(cut) <= MOST_TENSORS:
        return ""
    names = ", ".join(f'"{edge_name(name)}"' for name in cut)
    return f"end the network before it: outputs = [{names}] in [model]"
