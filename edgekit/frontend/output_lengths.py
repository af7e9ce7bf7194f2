"""Lengths of outputs: the rule (scale * n + offset) // divisor for each axis that follows a free length n."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from edgekit.errors import CaptureError
from edgekit.ir.signature import FreeAxis, FreeLength, TensorSpec

DIVISORS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64, 80, 96, 128, 160, 256, 320, 512)
"""Divisors that are tried: products of the usual strides of convolutions, poolings and frames."""
AxisFunctions = Mapping[int, tuple[tuple[str, ...], Callable[[Mapping[str, int]], int]]]
"""For an axis of an output the lengths that it depends on, and its length as a function of all lengths by name."""


def with_free_axes(spec: TensorSpec, functions: AxisFunctions, lengths: Sequence[FreeLength]) -> TensorSpec:
    """Add the free axes to an output's specification, whose shape is that at the greatest lengths.

    Raises CaptureError if an axis follows several lengths at once, or one by no such rule.
    """
    known = {length.name: length for length in lengths}
    most = {length.name: length.most for length in lengths}
    axes = []
    for axis, (names, function) in sorted(functions.items()):
        rule = _rule(axis, known[names[0]], function, most) if len(names) == 1 else None
        if rule is None:
            raise CaptureError(
                f"axis {axis} of output '{spec.name}' has a length that follows from {' and '.join(names)} by no rule "
                "such as n, 2 * n + 1 or n // 4",
                hint="return that output in a shape that keeps the free axes apart, or of one length",
            )
        axes.append(rule)
    return replace(spec, free=tuple(axes))


def _rule(
    axis: int, length: FreeLength, function: Callable[[Mapping[str, int]], int], most: Mapping[str, int]
) -> FreeAxis | None:
    """Smallest divisor with which a rule gives the function's value at every admissible length; None without one."""
    values = {n: function({**most, length.name: n}) for n in length.all}
    first, last = length.least, length.most
    slope = (values[last] - values[first]) / (last - first) if last > first else 0.0
    for divisor in DIVISORS:
        scale = round(slope * divisor)
        low = max(value * divisor - scale * n for n, value in values.items())
        high = min((value + 1) * divisor - 1 - scale * n for n, value in values.items())
        if low <= high:
            return FreeAxis(axis, length.name, scale, low, divisor)
    return None
