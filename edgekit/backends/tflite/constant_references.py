"""Large constants of a conversion by reference: the file is made without their values, which are put in afterwards.

LiteRT's converter refers to the constants of a large program where they lie, but as it writes the file it holds them
three times. So it is given none as it writes, and a name for each, by which its place in the file is found.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from torch import Tensor

from edgekit.backends.tflite.appended_buffers import write_appended
from edgekit.frontend.allocator import is_large
from edgekit.ir.measurement import Array
from edgekit.ir.program import Program

NAME = "edgekit-constant-{};"
"""Name of a constant among MLIR's resources, and of its tensor in a file."""
RESOURCE = re.compile('dense_resource<"?' + NAME.format(r"(\d+)"))
"""Start of MLIR's text of a constant whose values lie outside of its graph."""
TENSOR = re.compile(NAME.format(r"(\d+)").encode())
"""Start of a tensor's name; the converter may append to it."""
LEAST_BYTES = 1 << 16


@dataclass
class ConstantReferences:
    """Large constants of a conversion, by number."""

    folder: Path
    """Folder for files that are there only as long as these are."""
    constants: list[Array] = field(default_factory=list)

    def attribute(self, buffer: memoryview, name: str, type: Any) -> Any:
        """MLIR's attribute of a constant that lies in `buffer`; its name becomes that of its number."""
        from litert_converter.mlir import ir

        if buffer.nbytes >= LEAST_BYTES:
            name = NAME.format(len(self.constants))
            self.constants.append(np.frombuffer(buffer, np.uint8))
        return ir.DenseResourceElementsAttr.get_from_buffer(buffer, name, type)

    def take(self, module: Any) -> None:
        """Take the values out of the large constants of `module` (MLIR's operation), and name each, in place."""
        from litert_converter.mlir import ir

        for operation in list(_operations(module)):
            try:
                values = ir.DenseResourceElementsAttr(operation.attributes["value"])
            except (KeyError, ValueError):  # no constant, or one with its values in the graph
                continue
            match = RESOURCE.match(str(values))
            if match is None:
                continue
            name = NAME.format(match[1])
            with operation.context:
                empty = ir.DenseResourceElementsAttr.get_from_buffer(memoryview(bytes(1)), name, values.type)
                operation.attributes["value"] = empty
                operation.location = ir.Location.name(name)

    def restore(self, model: Any) -> None:
        """Put the constants into a file's model (ModelT) in their places, without copies, and rename their tensors."""
        for graph in model.subgraphs:
            for tensor in graph.tensors:
                match = TENSOR.match(tensor.name or b"")
                if match:
                    tensor.name = tensor.name.removeprefix(b"edgekit-")
                    model.buffers[tensor.buffer].data = self.constants[int(match[1])]

    def fold(self, content: bytes) -> list[Array]:
        """Compute the outputs of a file without inputs, `output_0` first. Large ones are mapped files."""
        model = schema.ModelT.InitFromPackedBuf(content, 0)
        self.restore(model)
        path = self.folder / "folded.tflite"
        write_appended(model, path)
        interpreter = Interpreter(model_path=str(path), num_threads=1)
        interpreter.allocate_tensors()
        interpreter.invoke()
        (key,) = interpreter.get_signature_list()
        details = interpreter.get_signature_runner(key).get_output_details()
        indices = [details[f"output_{number}"]["index"] for number in range(len(details))]
        return [self._stored(interpreter.get_tensor(index), number) for number, index in enumerate(indices)]

    def _stored(self, values: Array, number: int) -> Array:
        if values.nbytes < LEAST_BYTES:
            return values
        path = self.folder / f"folded-{len(self.constants)}-{number}.bin"
        values.tofile(path)
        return np.memmap(path, values.dtype, "c", shape=values.shape)


def _operations(operation: Any) -> Iterator[Any]:
    """Operations inside of one of MLIR's, at any depth."""
    for region in operation.regions:
        for block in region.blocks:
            for each in block.operations:
                yield each.operation
                yield from _operations(each.operation)


def writer(write: Callable[[Any], bytes], references: ConstantReferences) -> Callable[[Any], bytes]:
    """Function that writes a module as `write` does, without its large constants."""

    def write_without(module: Any) -> bytes:
        references.take(module)
        return write(module)

    return write_without


@contextlib.contextmanager
def constant_references(program: Program, folder: Path | None) -> Iterator[ConstantReferences | None]:
    """Yield the references for a large program, None for others. folder: where temporary files may lie."""
    if not is_large(program):
        yield None
        return
    with tempfile.TemporaryDirectory(dir=folder) as name:
        yield ConstantReferences(Path(name))


def finite(tensor: Tensor) -> Tensor:
    """Tensor whose infinities are the largest numbers: itself if it has none, else a copy.

    The converter's own writes into the tensor, which copies every page of a mapped program.
    """
    if not tensor.is_floating_point() or not tensor.numel():
        return tensor
    if all(bool(torch.isfinite(bound)) for bound in torch.aminmax(tensor)):
        return tensor
    limits = torch.finfo(tensor.dtype)
    return tensor.clamp(limits.min, limits.max)
