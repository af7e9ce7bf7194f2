"""Elementwise operators and activations of ONNX."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, reduce

import torch
import torch.nn.functional as F
from torch import Tensor

from edgekit.frontend.onnx_import.operator import DTYPES, MAKERS, Maker, OnnxOperator, Step, makes

UNARY: dict[str, Callable[[Tensor], Tensor]] = {
    "Abs": torch.abs, "Acos": torch.acos, "Asin": torch.asin, "Atan": torch.atan, "Ceil": torch.ceil, "Cos": torch.cos,
    "Cosh": torch.cosh, "Erf": torch.erf, "Exp": torch.exp, "Floor": torch.floor, "HardSwish": F.hardswish,
    "IsNaN": torch.isnan, "Log": torch.log, "Mish": F.mish, "Neg": torch.neg, "Not": torch.logical_not,
    "Reciprocal": torch.reciprocal, "Relu": torch.relu, "Round": torch.round, "Sigmoid": torch.sigmoid,
    "Sign": torch.sign, "Sin": torch.sin, "Sinh": torch.sinh, "Softplus": F.softplus, "Softsign": F.softsign,
    "Sqrt": torch.sqrt, "Tan": torch.tan, "Tanh": torch.tanh,
}  # fmt: skip
BINARY: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "Add": torch.add, "And": torch.logical_and, "BitwiseAnd": torch.bitwise_and, "BitwiseOr": torch.bitwise_or,
    "Equal": torch.eq, "Greater": torch.gt, "GreaterOrEqual": torch.ge, "Less": torch.lt, "LessOrEqual": torch.le,
    "Mul": torch.mul, "Or": torch.logical_or, "Sub": torch.sub, "Xor": torch.logical_xor,
}  # fmt: skip
MANY: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "Max": torch.maximum, "Min": torch.minimum, "Sum": torch.add,
}  # fmt: skip


def _simple(function: Callable[..., Tensor], operands: int) -> Maker:
    return lambda op: op.call(function, *range(operands))


MAKERS.update({kind: _simple(function, 1) for kind, function in UNARY.items()})
MAKERS.update({kind: _simple(function, 2) for kind, function in BINARY.items()})


@makes(*MANY, "Mean")
def _many(op: OnnxOperator) -> Step:
    count = len(op.inputs)
    function = MANY.get(op.kind, torch.add)
    share = 1 / count if op.kind == "Mean" else None

    def fold(*values: Tensor) -> Tensor:
        total = reduce(function, values)
        return total if share is None else total * share

    return op.call(fold, *range(count))


@makes("Div")
def _division(op: OnnxOperator) -> Step:
    rounding = None if op.example(0).is_floating_point() else "trunc"
    return op.call(partial(torch.div, rounding_mode=rounding), 0, 1)


@makes("Mod")
def _remainder(op: OnnxOperator) -> Step:
    return op.call(torch.fmod if op.attribute("fmod", 0) else torch.remainder, 0, 1)


@makes("Pow")
def _power(op: OnnxOperator) -> Step:
    dtype = op.example(0).dtype
    if op.is_constant(1) and op.example(1).numel() == 1:
        exponent = op.example(1).item()
        return op.call(lambda base: torch.pow(base, exponent).to(dtype), 0)
    return op.call(lambda base, exponent: torch.pow(base, exponent).to(dtype), 0, 1)


@makes("Clip")
def _clip(op: OnnxOperator) -> Step:
    low, high = op.numbers(1, "min"), op.numbers(2, "max")
    if (low, high) == ([0.0], [6.0]):
        return op.call(F.relu6, 0)
    return op.call(partial(torch.clamp, min=low[0] if low else None, max=high[0] if high else None), 0)


@makes("Elu", "LeakyRelu", "Celu", "Selu", "HardSigmoid", "ThresholdedRelu", "Shrink")
def _activation(op: OnnxOperator) -> Step:
    alpha = op.attribute("alpha")
    if op.kind == "LeakyRelu":
        return op.call(partial(F.leaky_relu, negative_slope=0.01 if alpha is None else alpha), 0)
    if op.kind == "HardSigmoid":
        slope, offset = 0.2 if alpha is None else alpha, op.attribute("beta", 0.5)
        if abs(slope - 1 / 6) < 1e-6 and offset == 0.5:
            return op.call(F.hardsigmoid, 0)
        return op.call(lambda x: torch.clamp(x * slope + offset, 0, 1), 0)
    if op.kind in ("Elu", "Celu"):
        return op.call(partial(F.elu if op.kind == "Elu" else F.celu, alpha=1.0 if alpha is None else alpha), 0)
    if op.kind == "ThresholdedRelu":
        return op.call(lambda x: F.threshold(x, 1.0 if alpha is None else alpha, 0.0), 0)
    if op.kind == "Shrink":
        limit, bias = op.attribute("lambd", 0.5), op.attribute("bias", 0.0)
        return op.call(lambda x: torch.where(x < -limit, x + bias, torch.where(x > limit, x - bias, 0.0 * x)), 0)
    scale, inner = op.attribute("gamma", 1.0507009873554805), 1.6732632423543772 if alpha is None else alpha
    return op.call(lambda x: scale * F.elu(x, inner), 0)


@makes("Gelu")
def _gelu(op: OnnxOperator) -> Step:
    text = op.attribute("approximate", "none")
    return op.call(partial(F.gelu, approximate=text.decode() if isinstance(text, bytes) else text), 0)


@makes("PRelu")
def _prelu(op: OnnxOperator) -> Step:
    rank, slope = op.rank(), op.example(1)
    channels = op.example(0).shape[1] if rank > 1 else 1
    shape = [1] * (rank - slope.dim()) + list(slope.shape)
    by_channel = slope.numel() == 1 or (slope.numel() == channels and rank > 1 and shape[1] == channels)
    if by_channel and rank > 1:
        return op.call(lambda x, values: F.prelu(x, values.reshape(-1)), 0, 1)
    return op.call(lambda x, values: torch.where(x < 0, x * values, x), 0, 1)


@makes("Where")
def _where(op: OnnxOperator) -> Step:
    return op.call(torch.where, 0, 1, 2)


@makes("IsInf")
def _is_infinite(op: OnnxOperator) -> Step:
    return op.call(torch.isinf, 0)


@makes("Identity", "Dropout")
def _identity(op: OnnxOperator) -> Step:
    if op.kind == "Dropout" and len(op.outputs) > 1 and op.outputs[1]:
        return op.call(lambda x: (x, torch.ones_like(x, dtype=torch.bool)), 0)
    return op.call(_same, 0)


def _same(x: Tensor) -> Tensor:
    return x


@makes("Cast", "CastLike")
def _cast(op: OnnxOperator) -> Step:
    dtype = op.example(1).dtype if op.kind == "CastLike" else DTYPES.get(op.attribute("to"))
    if dtype is None:
        raise op.refused(f"casts to type {op.attribute('to')} of TensorProto, which edgekit lacks")
    return op.call(lambda x: x.to(dtype), 0)


@makes("Softmax", "LogSoftmax")
def _softmax(op: OnnxOperator) -> Step:
    function = F.softmax if op.kind == "Softmax" else F.log_softmax
    if op.opset >= 13:
        return op.call(partial(function, dim=op.attribute("axis", -1)), 0)
    axis = op.attribute("axis", 1) % max(op.rank(), 1)
    if axis == op.rank() - 1:
        return op.call(partial(function, dim=axis), 0)
    # Before opset 13 all axes from `axis` on are one.
    return op.call(lambda x: function(x.flatten(axis), dim=axis).reshape(x.shape), 0)
