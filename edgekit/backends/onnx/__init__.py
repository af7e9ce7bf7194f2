"""ONNX for onnxruntime, and for TensorRT through it: Q/DQ form, int8 weights in the file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from edgekit.errors import LoweringError
from edgekit.ir.artifact import Artifact, Format
from edgekit.specs.profile import Quantize
from edgekit.specs.target import Runtime, Target

if TYPE_CHECKING:
    from onnx import GraphProto

    from edgekit.ir.program import Program
    from edgekit.passes.quantize import Quantization

FILE = "model.onnx"


@dataclass(frozen=True)
class Onnx:
    """The backend of Jetson, and the second or third choice elsewhere."""

    name: ClassVar[str] = "onnx"
    format: ClassVar[Format] = "onnx"
    packages: ClassVar[tuple[str, ...]] = ("torch", "torchao", "onnx", "onnx-ir", "onnxscript", "onnxruntime")
    preload: ClassVar[tuple[str, ...]] = ("torch.onnx", "onnxscript", "onnx", "onnxruntime")

    def quantization(self, recipe: Quantize, runtime: Runtime) -> Quantization:
        """Activations of the type that `runtime` names; weights folded, so that the file holds integers."""
        from edgekit.backends.onnx.quantizer import OnnxQuantizer
        from edgekit.passes.quantize import Quantization

        return Quantization(OnnxQuantizer(recipe, runtime.activations), fold_weights=True)

    def lower(self, program: Program, target: Target, runtime: Runtime, out: Path) -> Artifact:
        """Write `model.onnx` into `out`, load it with onnxruntime, and read its facts off the optimized graph.

        The same program gives the same bytes. The host's CPU stands in for every execution provider of the target:
        operators count as delegated if `cpu` is one of them. Raises UnsupportedOperator or LoweringError.
        """
        import onnx

        from edgekit.backends.onnx.export import to_onnx
        from edgekit.backends.onnx.placement import read
        from edgekit.backends.onnx.weights import integer_share

        path = out / FILE
        data = to_onnx(program)
        path.write_bytes(data)
        graph = onnx.load_from_string(data).graph
        options = _session_options(graph, target, runtime)
        signature, placement = read(path, options, "cpu" if "cpu" in runtime.delegates else None)
        if signature != program.signature:
            raise LoweringError(f"the file takes and gives {signature}, the program {program.signature}")
        return Artifact((path,), "onnx", signature, placement, integer_share(graph), options)


def _session_options(graph: GraphProto, target: Target, runtime: Runtime) -> tuple[tuple[str, str], ...]:
    """What makes this host's onnxruntime choose the kernels of the target's.

    On Arm it fuses int8 activations by itself; on x86 only uint8 ones, unless told to
    (`qdqisint8allowed` in onnxruntime_session_options_config_keys.h).
    """
    quantized = any(node.op_type == "DequantizeLinear" for node in graph.node)
    if quantized and target.cpu.arch == "aarch64" and runtime.activations == "int8":
        return (("session.qdqisint8allowed", "1"),)
    return ()
