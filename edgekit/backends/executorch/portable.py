"""What fell back: one call of a portable kernel, as a .pte stores it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from executorch.exir.scalar_type import ScalarType
from executorch.exir.schema import EValue, ExecutionPlan, KernelCall, Tensor, TensorList

from edgekit.backends.executorch.facts import Weight
from edgekit.ir.artifact import Operator

CONVOLUTION = "aten::convolution"
FACTORS = {CONVOLUTION: (0, 1), "aten::mm": (0, 1), "aten::bmm": (0, 1), "aten::linear": (0, 1), "aten::addmm": (1, 2)}
"""Kernels that multiply and accumulate: where their two factors stand among the arguments."""
VIEWS = "executorch_prim::"
"""Views and arithmetic on sizes: they write no elements."""
INTEGER = (ScalarType.CHAR, ScalarType.BYTE)


def dequantized(plan: ExecutionPlan) -> dict[int, int]:
    """Which value each dequantized value was made from."""
    calls = (instruction.instr_args for chain in plan.chains for instruction in chain.instructions)
    kernels = (call for call in calls if isinstance(call, KernelCall))
    return {
        call.args[-1]: call.args[0]
        for call in kernels
        if plan.operators[call.op_index].name.startswith("quantized_decomposed::dequantize")
    }


@dataclass(frozen=True)
class Kernel:
    """A kernel call. `arguments` are indices into the plan's values: the inputs, then the output, named twice."""

    plan: ExecutionPlan
    call: KernelCall
    origins: Mapping[int, int]
    """What `dequantized` says: constants that are stored as integers reach their kernel as floats."""

    @property
    def operator(self) -> Operator:
        stored = self.plan.operators[self.call.op_index]
        name = f"{stored.name}.{stored.overload}" if stored.overload else stored.name
        return Operator(name, None, self.macs, self._elements, self._integer)

    @property
    def weights(self) -> tuple[Weight, ...]:
        """The constants among its factors, as they are stored."""
        stored = (self._value(self.origins.get(index, index)) for index in self._factors)
        return tuple(
            Weight(f"buffer {tensor.data_buffer_idx}", math.prod(tensor.sizes), tensor.scalar_type in INTEGER)
            for tensor in stored
            if isinstance(tensor, Tensor) and tensor.data_buffer_idx and tensor.allocation_info is None
        )

    @property
    def macs(self) -> int:
        """Multiply-accumulates, from the shapes of its tensors."""
        if not self._factors:
            return 0
        left, right = (self._value(index) for index in self._factors)
        if self._name != CONVOLUTION:
            return self._elements * int(left.sizes[-1])
        # A transposed convolution spreads every input over the window; a plain one gathers every output from it.
        transposed = self._value(self.call.args[6]).bool_val
        spread = math.prod(left.sizes) if transposed else self._elements
        return spread * int(math.prod(right.sizes[1:]))

    @property
    def _name(self) -> str:
        return str(self.plan.operators[self.call.op_index].name)

    @property
    def _factors(self) -> tuple[int, ...]:
        return tuple(self.call.args[position] for position in FACTORS.get(self._name, ()))

    @property
    def _elements(self) -> int:
        output = self._value(self.call.args[-1])
        if self._name.startswith(VIEWS):
            return 0
        if isinstance(output, TensorList):
            return sum(math.prod(self._value(index).sizes) for index in output.items)
        return math.prod(output.sizes) if isinstance(output, Tensor) else 0

    @property
    def _integer(self) -> bool:
        values = map(self._value, self._factors or self.call.args)
        types = [value.scalar_type for value in values if isinstance(value, Tensor)]
        return bool(types) and all(kind in INTEGER for kind in types)

    def _value(self, index: int) -> EValue:
        return self.plan.values[index].val
