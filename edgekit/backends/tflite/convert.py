"""Conversion of a program to the bytes of a .tflite file. Only the lowering worker imports this."""

from __future__ import annotations

import contextlib
import gc
import re
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from edgekit.backends.failed_node import failed_node
from edgekit.backends.tflite import flatbuffer_names
from edgekit.backends.tflite.channels_last import average_channels_last
from edgekit.backends.tflite.constant_references import ConstantReferences, constant_references
from edgekit.backends.tflite.delegable_forms import with_delegable_forms
from edgekit.backends.tflite.dynamic_layers import real_weights, with_dynamic_layers
from edgekit.backends.tflite.embedding_lookup import fused_lookups, with_integer_tables
from edgekit.backends.tflite.float_activations import with_float_activations
from edgekit.backends.tflite.output_padding import with_cropped_outputs
from edgekit.backends.tflite.source_location import line_origin, location, origin
from edgekit.backends.tflite.weight_compression import compress_weights
from edgekit.backends.tflite.weight_matching import kept_weights
from edgekit.errors import LoweringError, UnsupportedOperator
from edgekit.frontend.allocator import page_out
from edgekit.ir.program import Program
from edgekit.passes.squeeze_excite import drop_saturated
from edgekit.specs.compression import Quantize
from edgekit.specs.factory import in_a_line

MISSING = re.compile(r"Lowering not found: (\S+)")
"""Pattern of the converter's message that it lacks an operator."""
DIAGNOSTIC = re.compile(r"<eval_with_key>\.\d+:(?P<line>\d+):\d+: error: (?P<message>.+)")
"""Pattern of MLIR's diagnostics: a line of the program's generated code, and the message."""
GENERATED = re.compile(r'File "<eval_with_key>\.\d+", line (\d+)')
"""Pattern of the frame of a node of the converter's: the line of the program's generated code that it came of."""
ILLEGAL = re.compile(r"failed to legalize operation '(?P<name>[\w.]+)'.*? : (?P<types>\(.*)$")
"""Pattern of the diagnostic that an operator has no form in TFLite, at least not with these types."""
SELECTED = re.compile(r"TF Select ops: .*?\n.*?tf\.(?P<name>\w+)(?P<types>\(.*)", re.DOTALL)
"""Pattern of the exporter's message that only TensorFlow's own kernels, which no device has, run an operator."""
REWRITE = "rewrite that part with other operators, or choose another backend"


class Flat(nn.Module):
    """Program with its outputs as a tuple, so that the converter numbers them in the signature's order."""

    def __init__(self, program: Program) -> None:
        super().__init__()
        module: Any = with_cropped_outputs(program.exported.module())
        self.tables = tuple(fused_lookups(module))
        self.dynamic = tuple(real_weights(module))
        self.program = drop_saturated(average_channels_last(with_delegable_forms(module)))
        self.training = False  # an exported module refuses eval(); the converter warns about one that trains

    def forward(self, *inputs: Tensor) -> tuple[Any, ...]:
        return tuple(pytree.tree_leaves(self.program(*inputs)))


def flatbuffer(program: Program, recipe: Quantize | None = None, folder: Path | None = None) -> memoryview:
    """Convert the program to the bytes of a file, with the signature's names and no others.

    recipe: the compression of a float program's weights; None leaves them as they are. folder: where temporary files of
    a large program may lie; None for the system's. The same program gives the same bytes. Raises UnsupportedOperator,
    which names the operator, its module and its line; LoweringError for other refusals.
    """
    flat = Flat(program)
    with constant_references(program, folder) as references:
        try:
            converted = _converted(program, flat, references)
        except Exception as error:
            raise _explained(error, program, flat) from error
        if references:
            gc.collect()  # the converter's graphs hold each other in circles
            page_out(program.exported)
        if recipe:  # the vendor's tool rounds tables by row to the same, and warns of a file that has integers already
            kept = tuple(kept_weights(program.exported, recipe.kept))
            compressed = compress_weights(converted, recipe, kept, references)
            if references:
                page_out(program.exported)
            return flatbuffer_names.with_names(compressed, program.signature)
        stored = with_integer_tables(converted, flat.tables, references)
        converted = with_float_activations(with_dynamic_layers(stored, flat.dynamic, references))
        return flatbuffer_names.with_names(converted, program.signature, references)


def _converted(program: Program, flat: Flat | None = None, references: ConstantReferences | None = None) -> bytes:
    # The converter's output belongs on stderr; its warnings are about its own dependencies.
    with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import litert_torch

        from edgekit.backends.tflite.converter_options import conversion

        examples = tuple(torch.zeros(spec.shape, dtype=getattr(torch, spec.dtype)) for spec in program.signature.inputs)
        # Edges of 64 bits would be narrowed to 32: the file must take what the project's samples are.
        wide = any(spec.dtype == "int64" for spec in (*program.signature.inputs, *program.signature.outputs))
        with conversion(references):
            model = litert_torch.convert(
                flat or Flat(program),
                examples,
                quant_config=_mode(program),
                enable_x64=wide,
                **({"lightweight_conversion": True} if references else {}),  # without it every constant is copied
            )
            content: bytes = model.model_content()
    return content


def _mode(program: Program) -> Any:
    """Configuration with which the converter fuses quantize and dequantize into integer kernels; None for float."""
    if not any("quantized_decomposed" in str(node.target) for node in program.exported.graph.nodes):
        return None
    from litert_torch.quantize.pt2e_quantizer import PT2EQuantizer, get_symmetric_quantization_config
    from litert_torch.quantize.quant_config import QuantConfig

    return QuantConfig(pt2e_quantizer=PT2EQuantizer().set_global(get_symmetric_quantization_config()))


def _explained(error: Exception, program: Program, flat: Flat) -> LoweringError:
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip()
    missing = MISSING.search(text)
    if missing:
        operator = missing.group(1)
        return UnsupportedOperator(
            f"LiteRT's converter has no '{operator}'{origin(operator, program.exported)}",
            hint=REWRITE,
        )
    diagnostic = DIAGNOSTIC.search(text)
    if diagnostic:
        return _diagnosed(diagnostic["message"], line_origin(int(diagnostic["line"]), flat.program))
    selected = SELECTED.search(text)
    if selected:
        operator = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", selected["name"]).lower()
        return UnsupportedOperator(
            f"LiteRT has no '{selected['name']}'{origin(operator, program.exported)}, only TensorFlow has: "
            f"{selected['types'].splitlines()[0][:200]}",
            hint=REWRITE,
        )
    node = failed_node(error)
    if node is None:
        return LoweringError(f"LiteRT's converter failed: {in_a_line(error)}", hint=REWRITE)
    lines = GENERATED.findall(node.meta.get("stack_trace") or "")
    place = line_origin(int(lines[-1]), flat.program) if lines else location(node)
    return LoweringError(f"LiteRT's converter failed at '{node.target}'{place}: {in_a_line(error)}", hint=REWRITE)


def _diagnosed(message: str, place: str) -> LoweringError:
    """Error for a diagnostic of MLIR. place: of the operator that the message is about."""
    illegal = ILLEGAL.search(message)
    if illegal:
        return UnsupportedOperator(
            f"LiteRT's converter failed to legalize operation '{illegal['name']}'{place}: it has no form for "
            f"{illegal['types'][:200]}",
            hint=REWRITE,
        )
    return LoweringError(
        f"LiteRT's converter failed{f' at what it made{place}' if place else ''}: {message[:400]}", hint=REWRITE
    )
