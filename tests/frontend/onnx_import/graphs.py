"""Small ONNX models that the tests of the importer share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgekit.ir.measurement import Array

Constants = Mapping[str, Array]


def model(
    nodes: Sequence[Any],
    inputs: Mapping[str, tuple[Any, int]],
    outputs: Sequence[str],
    constants: Constants = {},  # noqa: B006
    opset: int = 18,
    domains: Sequence[str] = (),
) -> Any:
    """A model. inputs: shape and type of each. constants: its initializers."""
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info(name, kind, shape) for name, (shape, kind) in inputs.items()],
        [onnx.ValueInfoProto(name=name) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    whole = onnx.shape_inference.infer_shapes(helper.make_model(graph, opset_imports=imports, ir_version=10))
    for output in whole.graph.output:
        if not output.type.tensor_type.elem_type:  # not all operators have an inference of shapes
            output.type.tensor_type.CopyFrom(whole.graph.input[0].type.tensor_type)
    return whole


def of_one(
    kind: str,
    shapes: Sequence[Sequence[int]],
    constants: Sequence[Array | None] = (),
    opset: int = 18,
    outputs: int = 1,
    dtype: int = TensorProto.FLOAT,
    **attributes: Any,
) -> Any:
    """A model of one operator. constants: its inputs behind those of the graph; None for one that is left out."""
    inputs = {f"x{i}": (list(shape), dtype) for i, shape in enumerate(shapes)}
    named = {f"c{i}": value for i, value in enumerate(constants) if value is not None}
    behind = ["" if value is None else f"c{i}" for i, value in enumerate(constants)]
    names = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(kind, [*inputs, *behind], names, name=f"the_{kind}", **attributes)
    return model([node], inputs, names, named, opset)


def save(proto: Any, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(proto.SerializeToString())
    return path


def floats(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def integers(*numbers: int) -> Array:
    return np.array(numbers, np.int64)
