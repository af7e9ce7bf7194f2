"""Number formats that Qualcomm's Hexagon NPU (HTP) computes, and what in a graph it answers wrongly or not at all.

[1] onnxruntime, "QNN Execution Provider", quantization: https://onnxruntime.ai/docs/execution-providers/QNN-ExecutionProvider.html
[2] Seen by edgekit in onnxruntime-qnn 2.7.0 (QNN 2.51), HTP emulated on x86: scripts of docs/accelerators.md
"""

from __future__ import annotations

from collections.abc import Container

from ..files.onnx_graph import FLOAT, FLOAT16, INT8, INT16, UINT8, UINT16, GraphOutline, OutlineNode

RANK_LIMIT = 5
"""Most axes of a tensor that its operators take [1]: a sixth sends them to the CPU."""
FLOAT_FROM = 73
"""First architecture that computes in float16 [1]; it has no float32 at all."""
QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"
SIGNED = {INT8: "int8", INT16: "int16"}
UNSIGNED = {UINT8: "uint8", UINT16: "uint16"}


def activation_formats(graph: GraphOutline) -> dict[str, int]:
    """Number formats of quantized activations, with the number of tensors that each QuantizeLinear makes."""
    names = {**SIGNED, **UNSIGNED}
    counts: dict[str, int] = {}
    for node in graph.nodes:
        if node.kind == QUANTIZE and node.inputs and node.inputs[0] not in graph.constants:
            name = names.get(_stored_type(node, graph), "another")
            counts[name] = counts.get(name, 0) + 1
    return counts


def precision_of(graph: GraphOutline) -> str:
    """Number format of the arithmetic: that of most activations, float16 where none is quantized."""
    counts = activation_formats(graph)
    return max(counts, key=lambda name: counts[name]) if counts else "float16"


def warnings(graph: GraphOutline) -> tuple[str, ...]:
    """Sentences on what HTP is known to answer wrongly in silence, each with its cause and its remedy."""
    counts = activation_formats(graph)
    signed = counts.keys() & set(SIGNED.values())
    told = []
    if signed:
        told.append(
            "signed int8 activations: HTP takes uint8 or uint16, and answers others wrongly in silence; "
            "edgekit build --target snapdragon-8-gen-3 --backend onnx, or onnxruntime's activation_type=QUInt8"
        )
    casts = [node for node in graph.nodes if _is_uint8_cast(node, graph)]
    if casts:
        told.append(
            f"Cast of uint8 to float ('{casts[0].inputs[0]}'): HTP from v73 on makes 1.0 of every number but 0; write "
            "DequantizeLinear with scale 1 and zero point 0 in its place"
        )
    return tuple(told)


def inputs_of_two_formats(graph: GraphOutline) -> tuple[str, ...]:
    """Names of the model's inputs that a QuantizeLinear reads, and another operator as they are.

    As the picture that super-resolution enlarges, and adds what it computed of it to.
    """
    made = {name for node in graph.nodes for name in node.outputs}
    quantized, plain = set[str](), set[str]()
    for node in graph.nodes:
        (quantized if node.kind == QUANTIZE else plain).update(node.inputs)
    return tuple(sorted((quantized & plain) - made - graph.constants.keys()))


def above_rank_limit(graph: GraphOutline, left: Container[str]) -> tuple[str, ...]:
    """Operators of the kinds `left` to the CPU that touch a tensor of more axes than HTP takes.

    Each as `Transpose 'blocks.0/swap', 6 axes`. QNN takes some of them, by merging axes.
    """
    named = []
    for node in graph.nodes:
        rank = max((graph.ranks.get(name, 0) for name in (*node.inputs, *node.outputs)), default=0)
        if rank > RANK_LIMIT and node.kind in left and node.kind not in (QUANTIZE, DEQUANTIZE):
            named.append(f"{node.kind} '{node.name or node.outputs[0]}', {rank} axes")
    return tuple(named)


def _stored_type(node: OutlineNode, graph: GraphOutline) -> int:
    """Type number that a QuantizeLinear makes: that of its zero point, else of `output_dtype`, else uint8."""
    if len(node.inputs) > 2 and node.inputs[2]:
        return graph.constants.get(node.inputs[2], 0)
    return node.integers.get("output_dtype") or UINT8


def _is_uint8_cast(node: OutlineNode, graph: GraphOutline) -> bool:
    if node.kind != "Cast" or node.integers.get("to") not in (FLOAT, FLOAT16):
        return False
    return graph.types.get(node.inputs[0]) == UINT8
