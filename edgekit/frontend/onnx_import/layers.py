"""Layers of ONNX with weights: convolutions, products, norms, embeddings."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgekit.frontend.onnx_import.operator import OnnxOperator, Step, makes, parameter
from edgekit.frontend.onnx_import.padding import Padded, sides

Layers = dict[int, Callable[..., nn.Module]]
CONVOLUTIONS: Layers = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED: Layers = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
FUNCTIONS: dict[int, Callable[..., Tensor]] = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
NORMS = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}


@makes("Conv")
def _convolution(op: OnnxOperator) -> Step:
    weight, axes = op.example(1), op.rank(1) - 2
    kernel = tuple(weight.shape[2:])
    stride = tuple(op.attribute("strides", [1] * axes))
    dilation = tuple(op.attribute("dilations", [1] * axes))
    groups = op.attribute("group", 1)
    if axes not in CONVOLUTIONS:
        raise op.refused(f"has {axes} spatial axes: torch has up to 3")
    before, after = sides(op, kernel, stride, dilation)
    same = before == after
    if not op.is_constant(1) or (op.has(2) and not op.is_constant(2)):
        if not same:
            raise op.refused("computes its weight, and pads its sides differently")
        function = FUNCTIONS[axes]
        indices = (0, 1, 2) if op.has(2) else (0, 1)
        options = {"stride": stride, "padding": before, "dilation": dilation, "groups": groups}
        return op.call(lambda *values: function(*values, **options), *indices)
    layer = CONVOLUTIONS[axes](
        weight.shape[1] * groups, weight.shape[0], kernel, stride, before if same else 0, dilation, groups, op.has(2),
        device="meta",
    )  # fmt: skip
    _fill(layer, op)
    return op.layer(layer if same else Padded(layer, before, after), 1)


@makes("ConvTranspose")
def _transposed(op: OnnxOperator) -> Step:
    weight, axes = op.example(1), op.rank(1) - 2
    stride = tuple(op.attribute("strides", [1] * axes))
    dilation = tuple(op.attribute("dilations", [1] * axes))
    pads = op.attribute("pads", [0] * 2 * axes)
    if pads[:axes] != pads[axes:] or axes not in CONVOLUTIONS or not op.is_constant(1):
        raise op.refused("computes its weight, or pads its sides differently")
    if op.attribute("output_shape") is not None or _text(op.attribute("auto_pad", "NOTSET")) not in ("NOTSET", "VALID"):
        raise op.refused("states the shape of its output instead of its padding")
    groups = op.attribute("group", 1)
    layer = TRANSPOSED[axes](
        weight.shape[0], weight.shape[1] * groups, tuple(weight.shape[2:]), stride, tuple(pads[:axes]),
        tuple(op.attribute("output_padding", [0] * axes)), groups, op.has(2), dilation, device="meta",
    )  # fmt: skip
    _fill(layer, op)
    return op.layer(layer, 1)


@makes("Gemm")
def _gemm(op: OnnxOperator) -> Step:
    alpha, beta = op.attribute("alpha", 1.0), op.attribute("beta", 1.0)
    first, second = op.attribute("transA", 0), op.attribute("transB", 0)
    plain_bias = not op.has(2) or (op.is_constant(2) and op.example(2).dim() == 1 and beta == 1)
    if op.is_constant(1) and not first and alpha == 1 and plain_bias and op.rank() == 2:
        weight = op.example(1) if second else op.example(1).T
        bias = op.example(2) if op.has(2) else None
        if bias is None or bias.shape[0] == weight.shape[0]:
            return op.layer(linear(weight, bias), 1)

    def product(a: Tensor, b: Tensor, *c: Tensor) -> Tensor:
        result: Tensor = alpha * torch.matmul(a.T if first else a, b.T if second else b)
        return result + beta * c[0] if c else result

    return op.call(product, *((0, 1, 2) if op.has(2) else (0, 1)))


@makes("MatMul")
def _product(op: OnnxOperator) -> Step:
    if op.is_constant(1) and op.rank(1) == 2 and not op.is_constant(0):
        return op.layer(linear(op.example(1).T, None), 1)
    return op.call(torch.matmul, 0, 1)


def linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    """Linear layer with a weight of [outputs, inputs]."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias is not None, device="meta")
    layer.weight = parameter(weight)
    if bias is not None:
        layer.bias = parameter(bias)
    return layer


@makes("BatchNormalization")
def _batch_norm(op: OnnxOperator) -> Step:
    if op.attribute("training_mode", 0) or (op.opset < 7 and not op.attribute("is_test", 0)):
        raise op.refused("is in training mode", hint="export the network in evaluation mode: network.eval()")
    if not all(op.is_constant(index) for index in (1, 2, 3, 4)) or op.rank() not in NORMS:
        raise op.refused("computes its statistics from the data")
    layer = NORMS[op.rank()](len(op.example(1)), op.attribute("epsilon", 1e-5), 1 - op.attribute("momentum", 0.9))
    layer.weight, layer.bias = parameter(op.example(1)), parameter(op.example(2))
    layer.register_buffer("running_mean", op.example(3).clone())
    layer.register_buffer("running_var", op.example(4).clone())
    return op.layer(layer, 1)


@makes("LayerNormalization", "RMSNormalization")
def _layer_norm(op: OnnxOperator) -> Step:
    if any(op.outputs[1:]):
        raise op.refused("gives its mean, too")
    axis, epsilon = op.attribute("axis", -1) % op.rank(), op.attribute("epsilon", 1e-5)
    shape = list(op.example(0).shape[axis:])
    if list(op.example(1).shape) != shape or not op.is_constant(1):
        raise op.refused("has a scale of another shape than what it normalizes")
    if op.kind == "RMSNormalization":
        return op.call(lambda x, scale: F.rms_norm(x, shape, scale, epsilon), 0, 1)
    layer = nn.LayerNorm(shape, epsilon, bias=op.has(2), device="meta")
    layer.weight = parameter(op.example(1))
    if op.has(2):
        layer.bias = parameter(op.example(2))
    return op.layer(layer, 1)


@makes("InstanceNormalization")
def _instance_norm(op: OnnxOperator) -> Step:
    epsilon = op.attribute("epsilon", 1e-5)
    return op.call(lambda x, scale, bias: F.instance_norm(x, weight=scale, bias=bias, eps=epsilon), 0, 1, 2)


@makes("GroupNormalization")
def _group_norm(op: OnnxOperator) -> Step:
    groups, epsilon, channels = op.attribute("num_groups"), op.attribute("epsilon", 1e-5), op.example(0).shape[1]

    def normalize(x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
        # Before opset 21 scale and bias are one for a group.
        each = channels // len(scale)
        return F.group_norm(x, groups, scale.repeat_interleave(each), bias.repeat_interleave(each), epsilon)

    return op.call(normalize, 0, 1, 2)


@makes("LpNormalization")
def _lp_norm(op: OnnxOperator) -> Step:
    axis, order = op.attribute("axis", -1), op.attribute("p", 2)
    return op.call(lambda x: x / torch.linalg.vector_norm(x, order, dim=axis, keepdim=True), 0)


@makes("LRN")
def _local_response(op: OnnxOperator) -> Step:
    size, alpha, beta = op.attribute("size"), op.attribute("alpha", 1e-4), op.attribute("beta", 0.75)
    return op.call(lambda x: F.local_response_norm(x, size, alpha, beta, op.attribute("bias", 1.0)), 0)


def embedding(op: OnnxOperator) -> Step:
    """Step of a `Gather` of rows of a constant table."""
    table = op.example(0)
    layer = nn.Embedding(*table.shape, _weight=parameter(table))  # type: ignore[misc]
    return op.layer(layer, 0, 1)


def _fill(layer: nn.Module, op: OnnxOperator) -> None:
    layer.weight = parameter(op.example(1))
    if op.has(2):
        layer.bias = parameter(op.example(2))


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
