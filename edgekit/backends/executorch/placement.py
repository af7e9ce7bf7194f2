"""Placement of operators, read off the bytes of a .pte: its instructions, and the graphs inside its delegates."""

from __future__ import annotations

from collections.abc import Iterator

from executorch.exir._serialize._program import deserialize_pte_binary
from executorch.exir.schema import BackendDelegateInlineData, DelegateCall, ExecutionPlan, KernelCall

from edgekit.backends.executorch import xnnpack_blob
from edgekit.backends.executorch.portable_kernels import OUTSIDE, Kernel, constant_key
from edgekit.backends.executorch.pte_facts import PteFacts, PteOperator, facts
from edgekit.errors import LoweringError

XNNPACK = "XnnpackBackend"


def read(data: bytes) -> PteFacts:
    """Read placement and integer share off the method `forward` of a .pte.

    Raises LoweringError if a delegate in it is not XNNPACK.
    """
    program = deserialize_pte_binary(data).program
    (plan,) = (plan for plan in program.execution_plan if plan.name == "forward")
    return facts(_steps(plan, program.backend_delegate_data))


def _steps(plan: ExecutionPlan, blobs: list[BackendDelegateInlineData]) -> Iterator[PteOperator]:
    calls = (instruction.instr_args for chain in plan.chains for instruction in chain.instructions)
    for number, call in enumerate(calls):
        if isinstance(call, KernelCall):
            yield Kernel(plan, call)
        if isinstance(call, DelegateCall):
            delegate = plan.delegates[call.delegate_index]
            if delegate.id != XNNPACK:
                raise LoweringError(f"the file calls delegate '{delegate.id}', whose graph cannot be read")
            outside = tuple((OUTSIDE, index) for index in call.args)
            stored = {ref: constant_key(plan.values[ref[1]].val) for ref in outside}
            yield from xnnpack_blob.nodes(blobs[delegate.processed.index].data, number, outside, stored)
