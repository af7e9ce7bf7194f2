"""Placement of an ONNX file on TensorRT, by its documented rules: a claim, for TensorRT cannot run on a build machine.

[1] TensorRT, "Explicit Quantization":
    https://docs.nvidia.com/deeplearning/tensorrt/latest/inference-library/quantized-types-explicit-quantization.html
[2] ONNX-TensorRT, "Supported ONNX Operators" (TensorRT 10.15):
    https://github.com/onnx/onnx-tensorrt/blob/main/docs/operators.md
[3] TensorRT, "IDequantizeLayer Class Reference":
    https://docs.nvidia.com/deeplearning/tensorrt/api/c_api/classnvinfer1_1_1_i_dequantize_layer.html
[4] onnxruntime issue 14229, "only activation types allowed as input to this layer":
    https://github.com/microsoft/onnxruntime/issues/14229
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgekit.backends.onnx.macs import macs
from edgekit.backends.onnx.placement import bytes_moved
from edgekit.backends.onnx.qdq import CLAMPS, DEQUANTIZE, MOVES, QUANTIZE, QdqGraph, attribute
from edgekit.ir.artifact import Operator, Placement

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

NAME = "tensorrt"
BASIS = "by TensorRT's Q/DQ rules: built, not run on TensorRT"

WEIGHTED = {"Conv", "ConvTranspose", "Gemm", "MatMul"}
"""Operators that run in int8 if their inputs are dequantized, whether or not their output is quantized [1]."""
QUANTIZABLE = {"Add", "AveragePool", "GlobalAveragePool"}
"""Operators without weights that run in int8 only if their output is quantized too [1]."""
POOLS = {"AveragePool", "LpPool", "MaxPool"}
"""Pooling operators, imported in two and three dimensions only [2]."""
IMPORTED = frozenset(
    """
    Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh Attention AveragePool BatchNormalization BlackmanWindow
    Cast CastLike Ceil Celu Clip Concat Constant ConstantOfShape Conv ConvTranspose Cos Cosh CumSum DeformConv
    DepthToSpace DequantizeLinear Div Dropout Einsum Elu Equal Erf Exp Expand EyeLike Flatten Floor GRU Gather
    GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalLpPool GlobalMaxPool Greater GreaterOrEqual GridSample
    GroupNormalization HammingWindow HannWindow HardSigmoid HardSwish Hardmax Identity If InstanceNormalization IsInf
    IsNaN LRN LSTM LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax Loop LpNormalization LpPool MatMul Max
    MaxPool Mean MeanVarianceNormalization Min Mish Mod Mul Neg NonMaxSuppression NonZero Not OneHot Or PRelu Pad Pow
    QuantizeLinear RMSNormalization RNN RandomNormal RandomNormalLike RandomUniform RandomUniformLike Range Reciprocal
    ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare
    Relu Reshape Resize ReverseSequence RoiAlign RotaryEmbedding Round STFT Scan ScatterElements ScatterND Selu Shape
    Shrink Sigmoid Sign Sin Sinh Size Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum Tan Tanh
    TensorScatter ThresholdedRelu Tile TopK Transpose Trilu Unsqueeze Upsample Where Xor
    """.split()  # noqa: SIM905  a list would be 20 times as long
)
"""ONNX's own operators that TensorRT imports [2]."""


def placement(model: ModelProto) -> Placement:
    """Placement of the operators of an exported `model`, in execution order, by the rules.

    Q and DQ that TensorRT fuses into their neighbours are left out [1]. Operators that it does not import count as
    fallback, to the CUDA or the CPU provider.
    """
    graph = QdqGraph(model)
    return Placement(tuple(_operator(node, graph) for node in model.graph.node if not graph.is_folded(node)))


def _operator(node: NodeProto, graph: QdqGraph) -> Operator:
    imported = _is_imported(node, graph)
    elements = sum(graph.tensors[name].size for name in node.output if name)
    integer = imported and _is_integer(node, graph)
    moved = bytes_moved(node, graph.tensors)
    return Operator(node.op_type, NAME if imported else None, macs(node, graph.shapes), elements, integer, moved)


def _is_imported(node: NodeProto, graph: QdqGraph) -> bool:
    if node.domain not in ("", "ai.onnx") or node.op_type not in IMPORTED:
        return False
    if node.op_type in (QUANTIZE, DEQUANTIZE):
        return graph.is_folded(node)
    if node.op_type in POOLS and len(graph.shapes[node.input[0]]) not in (4, 5):
        return False
    # "UINT8 is only supported as network input or output tensor types" [2]: Cast takes it from there.
    edges = (name for name in (*node.input, *node.output) if name)
    return node.op_type == "Cast" or not any(graph.tensors[name].dtype.name == "uint8" for name in edges)


def _is_integer(node: NodeProto, graph: QdqGraph) -> bool:
    if node.op_type in WEIGHTED:
        return _is_integer_product(node, graph)
    if node.op_type in QUANTIZABLE:
        return all(_is_small(name, graph) for name in node.input) and graph.is_quantized(node.output[0])
    if node.op_type in CLAMPS:
        return _is_small(node.input[0], graph) and graph.is_quantized(node.output[0])
    return node.op_type in MOVES and graph.is_dequantized(node.input[0])


def _is_integer_product(node: NodeProto, graph: QdqGraph) -> bool:
    """True for per-tensor int8 activations, per-tensor or per-channel int8 weights, float bias, and a fusable ReLU."""
    source, weight, *bias = node.input
    if not (graph.is_dequantized(source) and graph.is_dequantized(weight)) or graph.scale_axis(source) is not None:
        return False
    # A bias in int32 comes from a DequantizeLinear that TensorRT refuses [4].
    if not graph.constants.issuperset(bias):
        return False
    return graph.scale_axis(weight) in (None, _output_axis(node, graph)) and not _is_cut(node, graph)


def _output_axis(node: NodeProto, graph: QdqGraph) -> int:
    """Axis of the output channels in the weight of `node`, that of per-channel scales ([1] says so of Gemm)."""
    if node.op_type == "MatMul":
        return len(graph.shapes[node.input[1]]) - 1
    if node.op_type == "Gemm":
        return 0 if attribute(node, "transB", 0) else 1
    return 1 if node.op_type == "ConvTranspose" else 0


def _is_cut(node: NodeProto, graph: QdqGraph) -> bool:
    """True if Q and DQ between `node` and a clamp prevent their fusion.

    TensorRT may run both in int8 all the same. Its rules [1] say to keep Q and DQ out, so edgekit does not claim it.
    """
    reader = graph.sole_reader(node.output[0])
    for kind in (QUANTIZE, DEQUANTIZE):
        if reader is None or reader.op_type != kind:
            return False
        reader = graph.sole_reader(reader.output[0])
    return reader is not None and reader.op_type in CLAMPS


def _is_small(name: str, graph: QdqGraph) -> bool:
    """True if a tensor reaches its reader in int8: dequantized, or the result of an int8 kernel fused with it."""
    if graph.is_dequantized(name):
        return True
    maker = graph.makers.get(name)
    if maker is None or graph.sole_reader(name) is None or maker.op_type in MOVES:
        return False
    return _is_integer(maker, graph)
