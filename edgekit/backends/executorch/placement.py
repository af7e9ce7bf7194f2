"""Placement of operators, read off the bytes of a .pte: its instructions, and the graphs inside its delegates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from executorch.exir._serialize._program import deserialize_pte_binary
from executorch.exir.schema import BackendDelegateInlineData, DelegateCall, ExecutionPlan, KernelCall

from edgekit.backends.executorch import xnnpack_blob
from edgekit.backends.executorch.portable_kernels import OUTSIDE, VIEWS, Kernel, constant_key, tensor_bytes
from edgekit.backends.executorch.pte_facts import PteFacts, PteOperator, facts
from edgekit.errors import LoweringError
from edgekit.ir.artifact import Fragments

XNNPACK = "XnnpackBackend"


def read(data: bytes, modules: Mapping[int, str] = MappingProxyType({})) -> PteFacts:
    """Read placement and integer share off the method `forward` of a .pte.

    modules: module of each instruction, which the file does not tell. Raises LoweringError if a delegate in it
    is not XNNPACK.
    """
    program = deserialize_pte_binary(data).program
    (plan,) = (plan for plan in program.execution_plan if plan.name == "forward")
    return replace(facts(_steps(plan, program.backend_delegate_data, modules)), fragments=_fragments(plan))


def _fragments(plan: ExecutionPlan) -> Fragments:
    calls = [instruction.instr_args for chain in plan.chains for instruction in chain.instructions]
    delegates = [call for call in calls if isinstance(call, DelegateCall)]
    kernels = [call for call in calls if isinstance(call, KernelCall)]
    crossing = [plan.values[index].val for call in delegates for index in call.args]
    return Fragments(
        delegates=len(delegates),
        kernels=sum(not plan.operators[call.op_index].name.startswith(VIEWS) for call in kernels),
        boundary_bytes=sum(tensor_bytes(value) for value in crossing if not constant_key(value)),
    )


def _steps(
    plan: ExecutionPlan, blobs: list[BackendDelegateInlineData], modules: Mapping[int, str]
) -> Iterator[PteOperator]:
    calls = (instruction.instr_args for chain in plan.chains for instruction in chain.instructions)
    for number, call in enumerate(calls):
        if isinstance(call, KernelCall):
            yield Kernel(plan, call, modules.get(number, ""))
        if isinstance(call, DelegateCall):
            delegate = plan.delegates[call.delegate_index]
            if delegate.id != XNNPACK:
                raise LoweringError(f"the file calls delegate '{delegate.id}', whose graph cannot be read")
            outside = tuple((OUTSIDE, index) for index in call.args)
            stored = {ref: constant_key(plan.values[ref[1]].val) for ref in outside}
            yield from xnnpack_blob.nodes(blobs[delegate.processed.index].data, number, outside, stored)
