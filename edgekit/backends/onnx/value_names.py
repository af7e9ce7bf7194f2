"""Names for the values of an exported graph, after the user's modules: `layer1.0/Relu`, `layer1.0.conv1.weight`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx_ir import Graph, Node, Value

    from edgekit.ir.signature import Signature

SCOPES = "pkg.torch.onnx.name_scopes"
PARAMETERS = {
    ("Conv", 1): "weight",
    ("Conv", 2): "bias",
    ("ConvTranspose", 1): "weight",
    ("ConvTranspose", 2): "bias",
    ("Gemm", 1): "weight",
    ("Gemm", 2): "bias",
    ("MatMul", 1): "weight",
}
AFFINE = {1: "scale", 2: "zero_point"}


def rename(graph: Graph, signature: Signature) -> None:
    """Name inputs and outputs by the signature, constants and results by module and operator.

    Reads the exporter's metadata on scopes, so it runs before they are cleared. Nodes lose their names, which repeat
    those of their results and cost bytes.
    """
    names = _Names([spec.name for spec in (*signature.inputs, *signature.outputs)], graph)
    for value, spec in zip((*graph.inputs, *graph.outputs), (*signature.inputs, *signature.outputs), strict=True):
        names.fixed(value, spec.name)
    for node in graph:
        for index, value in enumerate(node.inputs):
            if value is not None and value.is_initializer():
                names.add(value, names.constant(node, index))
        for index, value in enumerate(node.outputs):
            names.add(value, names.result(node) + (f".{index}" if index else ""))
        node.name = None
    names.apply()


class _Names:
    """Names chosen so far, each unique."""

    def __init__(self, fixed: list[str], graph: Graph) -> None:
        inner = (value for node in graph.all_nodes() if node.graph is not graph for value in node.outputs)
        self._used = {*fixed, *(value.name for value in inner)}
        self._chosen: dict[Value, str] = {}

    def fixed(self, value: Value, name: str) -> None:
        self._chosen[value] = name

    def add(self, value: Value, wanted: str) -> None:
        if value in self._chosen:
            return
        name, count = wanted, 1
        while name in self._used:
            count += 1
            name = f"{wanted}-{count}"
        self._used.add(name)
        self._chosen[value] = name

    def result(self, node: Node) -> str:
        """Name of a result, `module/Operator`; a quantized or dequantized value keeps its name, with `.q` or `.dq`."""
        suffix = {"QuantizeLinear": ".q", "DequantizeLinear": ".dq"}.get(node.op_type)
        if suffix is None:
            return "/".join(filter(None, (_module(node), node.op_type)))
        return self._real(node) + suffix

    def constant(self, node: Node, index: int) -> str:
        """Name of a constant: `module.weight`, `module.bias`, `….scale`, `….zero_point`, or the result's with a
        number.
        """
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
            parameter = PARAMETERS.get((node.op_type, index))
            return ".".join(filter(None, (_module(node), parameter))) if parameter else f"{self.result(node)}.{index}"
        if index:
            return f"{self._real(node)}.{AFFINE[index]}"
        use = node.outputs[0].uses()[0]
        return self.constant(use.node, use.idx)

    def _real(self, node: Node) -> str:
        """Name of the tensor that `node` quantizes or dequantizes."""
        source = node.inputs[0]
        assert source is not None
        return self._chosen[source].removesuffix(".q")

    def apply(self) -> None:
        # Twice, since no initializer may take a name that another still has.
        for count, value in enumerate(self._chosen):
            value.name = f"\0{count}"
        for value, name in self._chosen.items():
            value.name = name


def _module(node: Node) -> str:
    """User's name of the module of `node`; empty if the exporter noted none."""
    scopes: list[str] = ast.literal_eval(node.metadata_props.get(SCOPES, "['']"))
    path = scopes[-2] if len(scopes) > 1 else ""
    return path.removeprefix("model").removeprefix(".")
