"""ONNX files of a project: refused by their header where edgekit cannot take them, and the inputs that they state."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit.errors import ModelFileError, SpecError, UnsupportedModelFile
from edgekit.untrusted.onnx_header import MAX_BYTES, OnnxHeader, OnnxInput, read_onnx_header

OPSETS = range(7, 27)
"""Opsets of ONNX that edgekit reads."""
DTYPES = {1: "float32", 2: "uint8", 6: "int32", 7: "int64", 9: "bool"}
"""Types of inputs by the numbers of TensorProto.DataType."""
PREPROCESSING = {"preprocess", "log_mel"}
"""Keys of an input whose tables say how it is made; its type then is float32."""
QUANTIZED = re.compile(r"QLinear|uantizeLinear|Integer$|QAttention|QGemm")
OPERATORS: frozenset[str] = frozenset(
    """
    Abs Acos Add And ArgMax ArgMin Asin Atan AveragePool BatchNormalization BitwiseAnd BitwiseOr Cast CastLike Ceil
    Celu Clip Concat Constant ConstantOfShape Conv ConvTranspose Cos Cosh CumSum DepthToSpace Div Dropout Einsum Elu
    Equal Erf Exp Expand EyeLike Flatten Floor GRU Gather GatherElements GatherND Gelu Gemm GlobalAveragePool
    GlobalMaxPool Greater GreaterOrEqual GridSample GroupNormalization HardSigmoid HardSwish Identity If
    InstanceNormalization IsInf IsNaN LRN LSTM LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax
    LpNormalization MatMul Max MaxPool Mean Min Mish Mod Mul Neg Not OneHot Or PRelu Pad Pow RMSNormalization RNN
    Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd
    ReduceSum ReduceSumSquare Relu Reshape Resize Round ScatterElements ScatterND Selu Shape Shrink Sigmoid Sign Sin
    Sinh Size Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum Tan Tanh ThresholdedRelu Tile
    TopK Transpose Trilu Unsqueeze Upsample Where Xor
    """.split()  # noqa: SIM905  # a hundred names read better so
)
"""Operators that `frontend/onnx_import` makes of torch."""


def edge_name(name: str) -> str:
    """Name of a tensor as edgekit may have it: `images_0` for `images:0`."""
    edge = re.sub(r"[^\w.-]", "_", name, flags=re.ASCII)
    return edge if re.match(r"[A-Za-z_]", edge) else f"_{edge}"


def read_header(path: Path, stated: str) -> OnnxHeader:
    """Read the header of a project's file, and refuse what edgekit cannot take.

    Raises SpecError if there is no such file, ModelFileError if it is damaged or its weights are not there,
    UnsupportedModelFile for opsets, domains and operators that edgekit lacks.
    """
    if not path.is_file():
        raise SpecError(
            f"[model] file: there is no file '{stated}' in '{path.parent}'",
            hint="paths in edgekit.toml are relative to its folder",
        )
    if path.stat().st_size > MAX_BYTES:
        raise ModelFileError(
            f"'{stated}' has {path.stat().st_size:,} bytes: a protobuf has at most 2 GB",
            hint="keep the weights beside it: onnx.save(model, FILE, save_as_external_data=True)",
        )
    try:
        header = read_onnx_header(path)
    except (ValueError, OSError) as error:
        raise ModelFileError(f"'{stated}' cannot be read: {error}", hint="copy or export it again") from error
    _check_operators(header, stated)
    for data in header.external:
        _check_external(path.parent, data.location, data.name, data.offset + (data.length or 0), stated)
    return header


def with_onnx_inputs(values: dict[str, Any], root: Path) -> dict[str, Any]:
    """Tables of a project, with the `[inputs]` that its ONNX file states and the project does not.

    Raises what `read_header` raises, and SpecError that names an axis which has no length.
    """
    model = values.get("model")
    file = model.get("file") if isinstance(model, Mapping) else None
    stated = values.get("inputs", {})
    if not isinstance(file, str) or not file.lower().endswith(".onnx") or not isinstance(stated, Mapping):
        return values
    header = read_header(root / file, file)
    names = [edge_name(each.name) for each in header.inputs]
    unknown = [name for name in stated if name not in names]
    if unknown:
        raise SpecError(
            f"[inputs.{unknown[0]}]: '{file}' has no such input", hint=f"it takes: {', '.join(names) or 'nothing'}"
        )
    tables = {}
    for name, each in zip(names, header.inputs, strict=True):
        tables[name] = _merged(stated.get(name, {}), each, name, file)
    return {**values, "inputs": tables}


def _merged(table: Any, onnx: OnnxInput, name: str, file: str) -> Any:
    """Table of one input: what the project states, and the shape and type of the file for what it does not."""
    if not isinstance(table, Mapping):
        return table
    kind = DTYPES.get(onnx.type_number)
    if kind is None:
        raise UnsupportedModelFile(
            f"input '{name}' of '{file}' has type {onnx.type_number} of TensorProto",
            hint="export it with inputs of float32, int32, int64, uint8 or bool",
        )
    if not onnx.sizes:
        raise UnsupportedModelFile(
            f"input '{name}' of '{file}' has no batch axis, or states no shape", hint="export it with a batch axis"
        )
    if isinstance(onnx.sizes[0], int) and onnx.sizes[0] != 1:
        raise UnsupportedModelFile(
            f"input '{name}' of '{file}' has a batch of {onnx.sizes[0]}, edgekit's is 1",
            hint="export it again with an example of batch 1, or with a dynamic batch axis",
        )
    prepared = any(not isinstance(table[key], str) for key in PREPROCESSING & table.keys())
    if table.get("dtype", "float32" if prepared else kind) != kind:
        raise SpecError(f"[inputs.{name}] dtype: '{file}' takes {kind}", hint=f'dtype = "{kind}"')
    return {
        **({} if prepared else {"dtype": kind}),
        **table,
        "shape": _shape(table, onnx, name, file),
    }


def _shape(table: Mapping[str, Any], onnx: OnnxInput, name: str, file: str) -> Any:
    shape = table.get("shape")
    if shape is None:
        free = [(axis, size) for axis, size in enumerate(onnx.sizes) if axis and not isinstance(size, int)]
        if free:
            words = ", ".join(str(size) if isinstance(size, int) else _letters(size) for size in onnx.sizes[1:])
            axis, size = free[0]
            raise SpecError(
                f"input '{name}' of '{file}': axis {axis}{f', {size!r},' if size else ''} has no length",
                hint=f"state it, without the batch axis: [inputs.{name}] shape = [{words}]",
            )
        return list(onnx.sizes[1:])
    if isinstance(shape, list) and len(shape) == len(onnx.sizes) - 1:
        pairs = zip(onnx.sizes[1:], shape, strict=True)
        if all(old == new for old, new in pairs if isinstance(old, int) and isinstance(new, int)):
            return shape
    sizes = [size if isinstance(size, int) else f"{size or 'free'}" for size in onnx.sizes[1:]]
    message = f"[inputs.{name}] shape = {shape}: '{file}' takes {sizes}, without the batch axis"
    raise SpecError(message, hint="leave it out, or state the axes that are free")


def _letters(size: int | str | None) -> str:
    return re.sub(r"\W+", "_", str(size or "N")).upper() or "N"


def _check_operators(header: OnnxHeader, stated: str) -> None:
    opset = max((number for domain, number in header.opsets.items() if domain in ("", "ai.onnx")), default=0)
    if opset not in OPSETS:
        raise UnsupportedModelFile(
            f"'{stated}' is of opset {opset}, edgekit reads {OPSETS.start} to {OPSETS.stop - 1}",
            hint="export it with opset 17 or 18: torch.onnx.export(…, opset_version=18)",
        )
    for (domain, kind), name in header.operators.items():
        if (domain, kind) in header.functions:
            continue
        if QUANTIZED.search(kind):
            raise UnsupportedModelFile(
                f"'{stated}' is quantized already: node '{name}' is {kind}",
                hint="give the float model: edgekit quantizes",
            )
        if domain not in ("", "ai.onnx"):
            raise UnsupportedModelFile(
                f"node '{name}' of '{stated}' is {domain}.{kind}: edgekit reads ONNX's own operators only",
                hint="export it without fused or custom operators, or write that part with ONNX's",
            )
        if kind not in OPERATORS:
            raise UnsupportedModelFile(
                f"node '{name}' of '{stated}' is {kind}, which edgekit's importer lacks",
                hint="cut the graph before it with onnx.utils.extract_model, and do the rest outside of the network",
            )


def _check_external(folder: Path, location: str, name: str, end: int, stated: str) -> None:
    path = folder / location
    inside = path.resolve().is_relative_to(folder.resolve()) and not Path(location).is_absolute()
    if not inside:
        raise ModelFileError(
            f"weight '{name}' of '{stated}' lies in '{location}', outside of the model's folder",
            hint="onnx.save(onnx.load(FILE), NEW, save_as_external_data=True) gathers it",
        )
    if not path.is_file():
        raise ModelFileError(
            f"weight '{name}' of '{stated}' lies in '{location}', which is not there", hint="copy it beside the model"
        )
    if path.stat().st_size < end:
        raise ModelFileError(
            f"'{location}' ends before the weight '{name}' of '{stated}'", hint="copy it again: it is cut short"
        )
