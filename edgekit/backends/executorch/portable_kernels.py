"""Portable kernels, ExecuTorch's fallback: their calls as a .pte stores them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from executorch.exir.scalar_type import ScalarType
from executorch.exir.schema import ExecutionPlan, KernelCall, Tensor, TensorList

from edgekit.backends.executorch.pte_facts import PteWeight, Ref
from edgekit.ir.artifact import Operator

OUTSIDE = -1
"""Delegate call, in a `Ref`, of values outside of all delegates."""
CONVOLUTION = "aten::convolution"
FACTORS = {CONVOLUTION: (0, 1), "aten::mm": (0, 1), "aten::bmm": (0, 1), "aten::linear": (0, 1), "aten::addmm": (1, 2)}
"""Kernels that multiply and accumulate, with the indices of their two factors among the arguments."""
TRANSPOSED = 6
"""Index of the flag for a transposed convolution among the arguments."""
VIEWS = "executorch_prim::"
"""Prefix of views and arithmetic on sizes, which write no elements."""
INTEGER = (ScalarType.CHAR, ScalarType.BYTE)


@dataclass(frozen=True)
class Kernel:
    """Kernel call. Its arguments are indices into the plan's values: the inputs, then the output, named twice."""

    plan: ExecutionPlan
    call: KernelCall

    @property
    def operator(self) -> Operator:
        stored = self.plan.operators[self.call.op_index]
        name = f"{stored.name}.{stored.overload}" if stored.overload else stored.name
        return Operator(name, None, self._macs, self._elements, self._integer)

    @property
    def constants(self) -> Mapping[Ref, PteWeight]:
        stored = {ref: self._value(ref[1]) for ref in self.reads}
        return {
            ref: PteWeight(f"buffer {tensor.data_buffer_idx}", math.prod(tensor.sizes), tensor.scalar_type in INTEGER)
            for ref, tensor in stored.items()
            if tensor.data_buffer_idx and tensor.allocation_info is None
        }

    @property
    def reads(self) -> tuple[Ref, ...]:
        indices = (index for index in self.call.args if isinstance(self._value(index), Tensor))
        return tuple(ref for ref in ((OUTSIDE, index) for index in indices) if ref not in self.writes)

    @property
    def writes(self) -> tuple[Ref, ...]:
        last = self.call.args[-1]
        output = self._value(last)
        return tuple((OUTSIDE, index) for index in (output.items if isinstance(output, TensorList) else (last,)))

    @property
    def factors(self) -> tuple[Ref, ...]:
        return tuple((OUTSIDE, self.call.args[position]) for position in FACTORS.get(self._name, ()))

    @property
    def _name(self) -> str:
        return str(self.plan.operators[self.call.op_index].name)

    @property
    def _macs(self) -> int:
        if not self.factors:
            return 0
        left, right = (self._value(index) for _, index in self.factors)
        if self._name != CONVOLUTION:
            return self._elements * int(left.sizes[-1])
        # A transposed convolution spreads every input over the window; a plain one gathers every output from it.
        transposed = self._value(self.call.args[TRANSPOSED]).bool_val
        return int(math.prod(left.sizes) if transposed else self._elements) * int(math.prod(right.sizes[1:]))

    @property
    def _elements(self) -> int:
        if self._name.startswith(VIEWS):
            return 0
        written = (self._value(index) for _, index in self.writes)
        return sum(math.prod(tensor.sizes) for tensor in written if isinstance(tensor, Tensor))

    @property
    def _integer(self) -> bool:
        values = (self._value(index) for _, index in self.factors or (*self.reads, *self.writes))
        return all(isinstance(value, Tensor) and value.scalar_type in INTEGER for value in values)

    def _value(self, index: int) -> Any:
        return self.plan.values[index].val
