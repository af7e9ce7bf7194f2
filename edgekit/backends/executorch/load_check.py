"""Load check of a .pte file in ExecuTorch's own runtime: it must load, with a kernel for every operator, and run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from executorch.exir.scalar_type import ScalarType
from executorch.runtime import Runtime

from edgekit.backends.executorch.convert import HINT, Conversion, place
from edgekit.backends.executorch.runtime_log import failed_instruction, refusal, runtime_log
from edgekit.backends.free_axes import with_free_axes
from edgekit.errors import LoweringError, UnsupportedOperator
from edgekit.ir.artifact import Placement
from edgekit.ir.program import Program
from edgekit.ir.signature import Signature, TensorSpec

METHOD = "forward"
NOWHERE = Conversion(b"", {}, {})
DTYPES = {
    ScalarType.BYTE: "uint8",
    ScalarType.CHAR: "int8",
    ScalarType.SHORT: "int16",
    ScalarType.INT: "int32",
    ScalarType.LONG: "int64",
    ScalarType.HALF: "float16",
    ScalarType.FLOAT: "float32",
    ScalarType.DOUBLE: "float64",
    ScalarType.BOOL: "bool",
}


def load_signature(path: Path, program: Program, placement: Placement, converted: Conversion = NOWHERE) -> Signature:
    """Load the file and return its signature, with the program's names, for the format has none.

    converted: the places in the model, to name what fails. Raises UnsupportedOperator if the runtime lacks a kernel,
    LoweringError if the file does not load, or fails on the program's example inputs.
    """
    _check_kernels(program, placement)
    with runtime_log() as log:
        try:
            method = Runtime.get().load_program(path).load_method(METHOD)
            meta = method.metadata
        except RuntimeError as error:
            reason = refusal(log(), path.read_bytes(), converted.places)
            told = f"XNNPACK refuses it. {reason}" if reason else str(error)
            raise LoweringError(f"'{path.name}' was built but does not load: {told}", hint=HINT) from error
    _check_run(path, method, program, converted)
    inputs = [meta.input_tensor_meta(index) for index in range(meta.num_inputs())]
    outputs = [meta.output_tensor_meta(index) for index in range(meta.num_outputs())]
    if (len(inputs), len(outputs)) != (len(program.signature.inputs), len(program.signature.outputs)):
        raise LoweringError(f"'{path.name}' takes {len(inputs)} and gives {len(outputs)} tensors, unlike its program")
    loaded = Signature(_specs(program.signature.inputs, inputs), _specs(program.signature.outputs, outputs))
    return with_free_axes(loaded, program.signature)


def _check_run(path: Path, method: Any, program: Program, converted: Conversion) -> None:
    """Run the method once on the example inputs. Raises LoweringError, which names the operators that failed."""
    examples = program.exported.example_inputs
    if examples is None:
        return
    with runtime_log() as log:
        try:
            method.execute(list(examples[0]))
        except RuntimeError as error:
            reason = failed_instruction(log(), path.read_bytes(), converted) or str(error)
            raise LoweringError(f"'{path.name}' was built but does not run: {reason}", hint=HINT) from error


def _check_kernels(program: Program, placement: Placement) -> None:
    known = Runtime.get().operator_registry.operator_names
    for operator in placement.operators:
        if operator.delegate is None and operator.name not in known:
            name = ".".join(operator.name.replace("::", ".").split(".")[:2])
            raise UnsupportedOperator(
                f"executorch's runtime has no kernel for '{operator.name}'{place(name, program.exported)}", hint=HINT
            )


def _specs(named: Sequence[TensorSpec], loaded: Sequence[Any]) -> tuple[TensorSpec, ...]:
    pairs = zip(named, loaded, strict=True)
    return tuple(TensorSpec(spec.name, DTYPES[ScalarType(info.dtype())], tuple(info.sizes())) for spec, info in pairs)
