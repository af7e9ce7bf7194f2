"""Weight compression of a converted .tflite by ai-edge-quantizer: float16, int8 or int4 weights.

LiteRT has int4 weights by group with dynamic quantization only: the runtime rounds each activation to int8. Weight-only
int4 would be unpacked at every inference, 4.4 times slower than float.
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

from edgekit.backends.tflite.appended_buffers import mapped, write_appended
from edgekit.backends.tflite.constant_references import ConstantReferences
from edgekit.backends.tflite.int4_weights import algorithm
from edgekit.backends.tflite.weight_matching import ModuleWeight, holds
from edgekit.errors import LoweringError
from edgekit.specs.compression import Quantize

if TYPE_CHECKING:
    from ai_edge_quantizer.recipe_manager import RecipeManager

HYBRID = {"CONV_2D", "EMBEDDING_LOOKUP", "FULLY_CONNECTED"}
"""Operators whose hybrid kernel (float activations, int8 weights) is faster than float.

That of depthwise convolutions is 2.3 times slower on mobilenet.
"""
WEIGHTS = {
    "CONV_2D": 1,
    "DEPTHWISE_CONV_2D": 1,
    "EMBEDDING_LOOKUP": 1,
    "FULLY_CONNECTED": 1,
    "TRANSPOSE_CONV": 1,
}
"""Operators whose weights are compressed, with the index of the weight among their inputs."""
VENDOR = {"TRANSPOSE_CONV": "CONV_2D_TRANSPOSE"}
"""Names of operators in ai-edge-quantizer, if they differ from LiteRT's."""
NAMES = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}


def compress_weights(
    content: bytes | memoryview,
    recipe: Quantize,
    kept: Sequence[ModuleWeight],
    references: ConstantReferences | None = None,
) -> bytes | memoryview:
    """Compress the weights of a file as `recipe` says.

    kept: weights that stay in float. references: constants whose marks are in `content`; the vendor's tool then maps a
    file in their folder, and the result is mapped too.

    Raises LoweringError if one of `kept` is not in the file, or if there is no weight to compress.
    """
    from ai_edge_quantizer import quantizer, recipe_manager

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    if references:
        references.restore(model)
    weighted = dict(_weighted(model))
    for weight in kept:
        matches = [index for index, (_, values) in weighted.items() if holds(values, weight)]
        if not matches:
            raise LoweringError(
                f"the weights of '{weight.module}' are not in the converted file: it cannot be kept in float",
                hint="take it out of [quantize] skip, or choose another backend",
            )
        for index in matches:
            del weighted[index]
    if not weighted:
        raise LoweringError("no weight is left to make smaller", hint="check the patterns of [quantize] skip")
    manager = recipe_manager.RecipeManager()
    with _quiet():
        for index, (name, values) in weighted.items():
            _add(manager, index, name, values.shape, recipe)
        _number(model)
        if references:
            source, result = (references.folder / f"{name}.tflite" for name in ("float", "compressed"))
            write_appended(model, source)
            tool = quantizer.Quantizer(source, manager.get_quantization_recipe())
            tool.quantize(serialize_to_path=result, enable_progress_bar=False, enable_progress_report=False)
            return mapped(result)
        tool = quantizer.Quantizer(_packed(model, len(content)), manager.get_quantization_recipe())
        return bytes(tool.quantize(enable_progress_bar=False, enable_progress_report=False).quantized_model)


def _weighted(model: Any) -> Iterator[tuple[int, tuple[str, Any]]]:
    """Index, name and weights of every operator with float32 weights in the file."""
    graph = model.subgraphs[0]
    for index, operator in enumerate(graph.operators):
        name = NAMES[model.operatorCodes[operator.opcodeIndex].builtinCode]
        if name not in WEIGHTS:
            continue
        tensor = graph.tensors[operator.inputs[WEIGHTS[name]]]
        data = model.buffers[tensor.buffer].data
        if data is not None and len(data) and tensor.type == schema.TensorType.FLOAT32:
            yield index, (name, data.view("<f4").reshape(tensor.shape))


def _add(manager: RecipeManager, index: int, name: str, shape: tuple[int, ...], recipe: Quantize) -> None:
    """Add one operator to the vendor's recipe."""
    from ai_edge_quantizer.algorithm_manager import AlgorithmName
    from ai_edge_quantizer.qtyping import QuantGranularity, TFLOperationName

    place = rf"\b{_name(index)};"
    operator = TFLOperationName(VENDOR.get(name, name))
    channel = QuantGranularity.CHANNELWISE
    whole = QuantGranularity.TENSORWISE if recipe.weights.granularity == "per-tensor" else channel
    if recipe.mode == "float16":
        manager.add_weight_only_config(place, operator, 16, whole, AlgorithmName.FLOAT_CASTING)
    elif recipe.precision == "weight-int4" and name == "FULLY_CONNECTED":
        group = recipe.weights.group
        if recipe.weights.granularity == "per-tensor":
            manager.add_dynamic_config(place, operator, 4, whole)
        elif recipe.weights.granularity == "per-channel":
            manager.add_dynamic_config(place, operator, 4, channel, algorithm())
        elif shape[-1] % group == 0:
            manager.add_dynamic_config(place, operator, 4, QuantGranularity(f"BLOCKWISE_{group}"), algorithm())
        else:  # a row that groups do not fill
            manager.add_weight_only_config(place, operator, 8, channel)
    elif name in HYBRID and (recipe.mode == "dynamic" or name == "EMBEDDING_LOOKUP"):
        manager.add_dynamic_config(place, operator, 8, whole)
    else:
        manager.add_weight_only_config(place, operator, 8, whole)


def _number(model: Any) -> None:
    """Name the results of all operators by number, by which the vendor's recipes select operators, in place."""
    graph = model.subgraphs[0]
    for index, operator in enumerate(graph.operators):
        for count, output in enumerate(operator.outputs):
            graph.tensors[output].name = _name(index) if count == 0 else f"{_name(index)}.{count}"


def _packed(model: Any, size: int) -> bytearray:
    """Pack a model into the bytes of a file. size: of the file in bytes, about."""
    builder = flatbuffers.Builder(size)  # else it doubles, and copies what it has
    builder.Finish(model.Pack(builder), b"TFL3")
    content: bytearray = builder.Output()
    return content


def _name(index: int) -> str:
    return f"operator-{index}"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the vendor's progress on standard output and its log of every recipe."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
