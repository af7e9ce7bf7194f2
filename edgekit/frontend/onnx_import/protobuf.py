"""Attributes and tensors of ONNX's protobuf messages as Python and torch have them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def attributes_of(node: Any) -> dict[str, Any]:
    """Attributes of a NodeProto: numbers, bytes, lists, tensors of torch, and GraphProto for subgraphs."""
    import onnx

    values = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    return {name: tensor_of(value) if isinstance(value, onnx.TensorProto) else value for name, value in values.items()}


def tensor_of(proto: Any) -> Tensor:
    """Tensor of a TensorProto, in memory of its own. Raises ValueError for text and types that torch lacks."""
    from onnx import numpy_helper

    array = numpy_helper.to_array(proto)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"tensor '{proto.name}' has type {array.dtype}")
    return torch.from_numpy(array.copy())


def tensors_of(graph: Any) -> dict[str, Tensor]:
    """Initializers of a GraphProto by name."""
    return {proto.name: tensor_of(proto) for proto in graph.initializer}
