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
QUANTIZED = "quantized_decomposed::"
"""Prefix of kernels whose first argument alone is a weight: scales and zero points follow."""
TABLES = ("aten::embedding", "aten::index_select", "aten::gather", "aten::index", f"{QUANTIZED}embedding_byte")
"""Kernels that look up rows of their first argument."""
PARTS = ("aten::slice_copy", "aten::select_copy", "aten::split_copy", "aten::split_with_sizes_copy")
"""Kernels that read a part of their first argument, as large as what they write."""
TRANSPOSED = 6
"""Index of the flag for a transposed convolution among the arguments."""
VIEWS = "executorch_prim::"
"""Prefix of views and arithmetic on sizes, which write no elements."""
INTEGER = (ScalarType.CHAR, ScalarType.BYTE)
DTYPES = {
    ScalarType.BYTE: "uint8",
    ScalarType.CHAR: "int8",
    ScalarType.HALF: "float16",
    ScalarType.BFLOAT16: "bfloat16",
    ScalarType.FLOAT: "float32",
    ScalarType.DOUBLE: "float64",
}
"""Names of the data types that a weight may have."""
SIZES = {
    ScalarType.BOOL: 1,
    ScalarType.BYTE: 1,
    ScalarType.CHAR: 1,
    ScalarType.SHORT: 2,
    ScalarType.HALF: 2,
    ScalarType.BFLOAT16: 2,
    ScalarType.INT: 4,
    ScalarType.FLOAT: 4,
    ScalarType.LONG: 8,
    ScalarType.DOUBLE: 8,
}
"""Bytes of an element."""


@dataclass(frozen=True)
class Kernel:
    """Kernel call. Its arguments are indices into the plan's values: the inputs, then the output, named twice."""

    plan: ExecutionPlan
    call: KernelCall
    module: str = ""
    """Module of the model that it was lowered from; empty if it is not known."""

    @property
    def operator(self) -> Operator:
        stored = self.plan.operators[self.call.op_index]
        name = f"{stored.name}.{stored.overload}" if stored.overload else stored.name
        return Operator(name, None, self._macs, self._elements, self._integer, self._bytes, self.module)

    @property
    def constants(self) -> Mapping[Ref, PteWeight]:
        refs = self.reads[:1] if self._name.startswith(QUANTIZED) else self.reads
        stored = {ref: self._value(ref[1]) for ref in refs}
        return {
            ref: PteWeight(constant_key(tensor), tuple(tensor.sizes), DTYPES.get(tensor.scalar_type, ""))
            for ref, tensor in stored.items()
            if constant_key(tensor)
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
        if self._name not in FACTORS:
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
    def _bytes(self) -> int:
        if self._name.startswith(VIEWS):
            return 0
        written = sum(tensor_bytes(self._value(index)) for _, index in self.writes)
        read = [tensor_bytes(self._value(index)) for _, index in self.reads]
        if read and self._name in (*TABLES, *PARTS):
            read[0] = min(read[0], written)
        return sum(read) + written

    @property
    def _integer(self) -> bool:
        factors = self.factors if self._name in FACTORS else ()
        values = (self._value(index) for _, index in factors or (*self.reads, *self.writes))
        return all(isinstance(value, Tensor) and value.scalar_type in INTEGER for value in values)

    def _value(self, index: int) -> Any:
        return self.plan.values[index].val


def constant_key(value: Any) -> str:
    """Location of a constant's data in the file; empty for a value that is computed."""
    is_constant = isinstance(value, Tensor) and value.data_buffer_idx and value.allocation_info is None
    return f"buffer {value.data_buffer_idx}" if is_constant else ""


def tensor_bytes(value: Any) -> int:
    """Bytes of a tensor; 0 for anything else."""
    return int(math.prod(value.sizes) * SIZES.get(value.scalar_type, 4)) if isinstance(value, Tensor) else 0
