"""ONNX files of a project: refused by their header where edgekit cannot take them, and the inputs that they state."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekit.errors import ModelFileError, SpecError, UnsupportedModelFile
from edgekit.specs.file_access import reading, require_file
from edgekit.specs.onnx_operators import check_operators, edge_name, graph_outputs, nodes_before
from edgekit.untrusted.onnx_header import MAX_BYTES, OnnxHeader, OnnxInput, read_onnx_header

DTYPES = {1: "float32", 2: "uint8", 6: "int32", 7: "int64", 9: "bool", 10: "float32", 16: "float32"}
"""Types of inputs by the numbers of TensorProto.DataType; the importer makes float32 of half precision."""
PREPROCESSING = {"preprocess", "log_mel"}
"""Keys of an input whose tables say how it is made; its type then is float32."""


def read_header(path: Path, stated: str, outputs: Sequence[str] = ()) -> OnnxHeader:
    """Read the header of a project's file, and refuse what edgekit cannot take.

    outputs: `[model] outputs`. The header has the nodes of which they depend, and the inputs that these take. Raises
    SpecError if there is no such file or output, ModelFileError if the file is damaged or its weights are not there,
    UnsupportedModelFile for opsets, domains and operators that edgekit lacks.
    """
    require_file(path, stated, "file")
    if path.stat().st_size > MAX_BYTES:
        raise ModelFileError(
            f"'{stated}' has {path.stat().st_size:,} bytes: a protobuf has at most 2 GB",
            hint="keep the weights beside it: onnx.save(model, FILE, save_as_external_data=True)",
        )
    with reading(stated, "copy or export it again"):
        header = read_onnx_header(path)
    tensors = (name for node in header.nodes for name in node.outputs)
    ends = graph_outputs(tensors, header.outputs, outputs, stated)
    nodes, names = nodes_before(header.nodes, ends)
    check_operators(header, nodes, stated)
    for data in header.external:
        _check_external(path.parent, data.location, data.name, data.offset + (data.length or 0), stated)
    if ends == header.outputs:
        return header
    return replace(header, nodes=nodes, outputs=ends, inputs=[each for each in header.inputs if each.name in names])


def with_onnx_inputs(values: dict[str, Any], root: Path) -> dict[str, Any]:
    """Tables of a project, with the `[inputs]` that its ONNX file states and the project does not.

    Names of `[model] outputs` become such as edgekit may have.

    Raises what `read_header` raises, and SpecError that names an axis which has no length.
    """
    model = values.get("model")
    model = model if isinstance(model, Mapping) else {}
    file = model.get("file")
    stated = values.get("inputs", {})
    if not isinstance(file, str) or not file.lower().endswith(".onnx") or not isinstance(stated, Mapping):
        return values
    outputs = model.get("outputs", ())
    texts = isinstance(outputs, list) and all(isinstance(name, str) for name in outputs)
    header = read_header(root / file, file, outputs if texts else ())
    names = [edge_name(each.name) for each in header.inputs]
    unknown = [name for name in stated if name not in names]
    if unknown:
        raise SpecError(
            f"[inputs.{unknown[0]}]: '{file}' has no such input", hint=f"it takes: {', '.join(names) or 'nothing'}"
        )
    tables = {}
    for name, each in zip(names, header.inputs, strict=True):
        tables[name] = _merged(stated.get(name, {}), each, name, file)
    ends = [edge_name(name) for name in header.outputs]
    if texts and outputs and ends == [edge_name(name) for name in outputs]:
        values = {**values, "model": {**model, "outputs": ends}}
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
                hint=f"state it, without the batch axis: [inputs.{name}] shape = [{words}]; a range keeps it free: "
                f'"{_letters(size).lower()}:8..64"',
            )
        return list(onnx.sizes[1:])
    if isinstance(shape, list) and len(shape) == len(onnx.sizes) - 1:
        pairs = list(zip(onnx.sizes[1:], shape, strict=True))
        ranges = [(axis, old) for axis, (old, new) in enumerate(pairs, 1) if isinstance(new, str)]
        fixed = [(axis, old) for axis, old in ranges if isinstance(old, int)]
        if fixed:
            raise SpecError(
                f"[inputs.{name}] shape = {shape}: axis {fixed[0][0]} of '{file}' has {fixed[0][1]} elements",
                hint="export it with that axis free: torch.onnx.export(…, dynamic_axes or dynamic_shapes)",
            )
        if all(old == new for old, new in pairs if isinstance(old, int)):
            return shape
    sizes = [size if isinstance(size, int) else f"{size or 'free'}" for size in onnx.sizes[1:]]
    message = f"[inputs.{name}] shape = {shape}: '{file}' takes {sizes}, without the batch axis"
    raise SpecError(message, hint="leave it out, or state the axes that are free")


def _letters(size: int | str | None) -> str:
    return re.sub(r"\W+", "_", str(size or "N")).upper() or "N"


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
