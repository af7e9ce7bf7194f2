"""Who runs what, read off the bytes of a .pte: its instructions, and the graphs inside its delegates."""

from __future__ import annotations

from collections.abc import Iterator

from executorch.exir._serialize._program import deserialize_pte_binary
from executorch.exir.schema import BackendDelegateInlineData, DelegateCall, ExecutionPlan, KernelCall

from edgekit.backends.executorch import xnnpack
from edgekit.backends.executorch.facts import Facts, integer_share
from edgekit.backends.executorch.portable import Kernel, dequantized
from edgekit.errors import LoweringError
from edgekit.ir.artifact import Placement

XNNPACK = "XnnpackBackend"

Step = Kernel | xnnpack.Node


def read(data: bytes) -> Facts:
    """Placement and integer share of a .pte. Raises LoweringError if it calls a delegate that is not XNNPACK."""
    program = deserialize_pte_binary(data).program
    steps = [step for plan in program.execution_plan for step in _steps(plan, program.backend_delegate_data)]
    return Facts(
        Placement(tuple(step.operator for step in steps)),
        integer_share(weight for step in steps for weight in step.weights),
    )


def _steps(plan: ExecutionPlan, blobs: list[BackendDelegateInlineData]) -> Iterator[Step]:
    """Everything that the plan runs, in order."""
    origins = dequantized(plan)
    for call in (instruction.instr_args for chain in plan.chains for instruction in chain.instructions):
        if isinstance(call, KernelCall):
            yield Kernel(plan, call, origins)
        if isinstance(call, DelegateCall):
            delegate = plan.delegates[call.delegate_index]
            if delegate.id != XNNPACK:
                raise LoweringError(f"the file calls delegate '{delegate.id}', whose graph cannot be read")
            yield from xnnpack.nodes(blobs[delegate.processed.index].data)
