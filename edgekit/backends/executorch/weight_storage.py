"""Storage of weights in XNNPACK's part of a .pte: float16, or int8 with a scale for each channel.

XNNPACK multiplies float32 activations by either: weights of float16 are expanded once, as the file is loaded
(`xnn_create_convolution2d_nhwc_f32_f16`, and its kin for transposed convolutions and linear layers), those of int8 in
the kernels of linear layers (`xnn_create_fully_connected_nc_f32_qc8w`). No CPU needs arithmetic in float16 for it.
executorch 1.5.1 asks for neither: its serializer writes the weights of a float layer in float32.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any
from unittest.mock import patch

import executorch.backends.xnnpack.operators  # noqa: F401  # registers the serializers
import torch
from executorch.backends.xnnpack.operators import node_visitor
from executorch.backends.xnnpack.operators.quant_params import QuantParams
from executorch.backends.xnnpack.serialization.xnnpack_graph_schema import XNNDatatype
from torch import Tensor
from torch.fx import Node

from edgekit.backends.executorch.delegable_forms import CONSTANT
from edgekit.errors import LoweringError
from edgekit.passes.module_patterns import is_skipped, module_path
from edgekit.passes.quantization.embedding_tables import rounded_rows
from edgekit.specs.compression import Quantize

WEIGHT, BIAS = 1, 2
"""Indices of weight and bias among the arguments of a convolution and of a linear layer."""
CONVOLUTION, LINEAR = "aten.convolution.default", "aten.linear.default"
"""Names of the operators that have weights."""


@contextlib.contextmanager
def weight_storage(recipe: Quantize | None) -> Iterator[None]:
    """Let XNNPACK's serializer write weights as `recipe` says while the context is open; None changes nothing.

    recipe: one of precision float16 or weight-int8. A weight stays in float32 if [quantize] skip names its module, if
    an operator other than such a layer reads it, or if it is a convolution's, in int8.
    """
    if recipe is None:
        yield
        return
    half = recipe.mode == "float16"
    names, kind = ((CONVOLUTION, LINEAR), _Half) if half else ((LINEAR,), _Integer)
    known = node_visitor._node_visitor_dict
    serializers = {name: partial(type(kind.__name__, (kind, known[name]), {}), recipe.kept) for name in names}
    with patch.dict(known, serializers):
        yield


class _StoredLayer:
    """Serializer of a layer whose weight is stored in another number format, beside one of executorch's."""

    def __init__(self, kept: Sequence[str], *args: Any) -> None:
        super().__init__(*args)
        self.kept = kept
        self.weight: Node | None = None

    def define_node(self, node: Node, *args: Any) -> None:
        """Serialize a layer. `weight` is that of the layer meanwhile, if its format is to change."""
        weight = node.args[WEIGHT]
        self.weight = weight if isinstance(weight, Node) and self._is_stored(node, weight) else None
        super().define_node(node, *args)  # type: ignore[misc]  # of the serializer beside
        self.weight = None

    def _is_stored(self, layer: Node, weight: Node) -> bool:
        program = self.exported_program  # type: ignore[attr-defined]
        if not node_visitor.is_param_node(program, weight) or weight.meta["val"].dtype is not torch.float32:
            return False
        signature = program.graph_signature
        names = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
        if names.get(weight.name, "").startswith(CONSTANT):  # the 1/n of an average, say
            return False
        # One constant has one format: all that read it must be layers whose weight it is.
        return all(
            _name(user) == _name(layer) and user.args[WEIGHT] is weight and not is_skipped(user, self.kept)
            for user in weight.users
        )


class _Half(_StoredLayer):
    """Serializer that writes the weight in float16."""

    def get_serialized_dtype(self, params: Any, node: Node, force_fp32: bool = False) -> XNNDatatype:
        if node is self.weight:
            return XNNDatatype.xnn_datatype_fp16
        return super().get_serialized_dtype(params, node, force_fp32)  # type: ignore[misc]

    def get_serialized_buffer_index(self, tensor: Node, *args: Any) -> int:
        """Write the data of a tensor, and return its number."""
        if tensor is not self.weight:
            return int(super().get_serialized_buffer_index(tensor, *args))  # type: ignore[misc]
        graph, numbers, channels_last, swapped, params, _, groups = args
        with patch.object(node_visitor, "get_param_tensor", _half):
            return int(
                super().get_serialized_buffer_index(  # type: ignore[misc]
                    tensor, graph, numbers, channels_last, swapped, params, False, groups
                )
            )


class _Integer(_StoredLayer):
    """Serializer that writes the weight in int8, with a scale for each output, and the bias in these scales."""

    def define_tensor(self, tensor: Node, *args: Any, **options: Any) -> None:
        """Serialize a tensor of the layer."""
        if tensor is self.weight:
            options["quant_params"] = _by_channel(tensor, self._scales())
        super().define_tensor(tensor, *args, **options)  # type: ignore[misc]

    def get_serialized_buffer_index(self, tensor: Node, *args: Any) -> int:
        """Write the data of a tensor, and return its number.

        XNNPACK adds the products of a channel to its bias, and multiplies the sum by the channel's scale.
        """
        if self.weight is None or _bias(next(iter(self.weight.users))) is not tensor:
            return int(super().get_serialized_buffer_index(tensor, *args))  # type: ignore[misc]
        scales = self._scales()
        with patch.object(node_visitor, "get_param_tensor", lambda *place: _FULL(*place).float() / scales):
            return int(super().get_serialized_buffer_index(tensor, *args))  # type: ignore[misc]

    def _is_stored(self, layer: Node, weight: Node) -> bool:
        # A bias that another weight's layer reads, too, would be needed in the scales of both.
        bias = _bias(layer)
        if bias is not None and not node_visitor.is_param_node(self.exported_program, bias):  # type: ignore[attr-defined]
            return False
        readers = () if bias is None else bias.users
        return super()._is_stored(layer, weight) and all(
            _bias(user) is bias and user.args[WEIGHT] is weight for user in {*weight.users, *readers}
        )

    def _scales(self) -> Tensor:
        """Scale of each output, float32 [outputs]."""
        values = node_visitor.get_param_tensor(self.exported_program, self.weight)  # type: ignore[attr-defined]
        return rounded_rows(values)[1].squeeze(-1)


def _bias(layer: Node) -> Node | None:
    """Bias of a layer; None if it has none."""
    bias = layer.args[BIAS] if len(layer.args) > BIAS else None
    return bias if isinstance(bias, Node) else None


def _name(node: Node) -> str:
    return str(getattr(node.target, "__name__", node.target))


def _half(program: Any, node: Node) -> Tensor:
    """Values of a constant in float16. Raises LoweringError for those that float16 does not hold."""
    values: Tensor = _FULL(program, node).half()
    if not values.isfinite().all():
        module = next((path for user in node.users if (path := module_path(user))), "")
        raise LoweringError(
            f"the weights of '{module}' hold numbers beyond 65504, which half precision lacks",
            hint=f"add '{module}' to [quantize] skip",
        )
    return values


_FULL = node_visitor.get_param_tensor


def _by_channel(weight: Node, scales: Tensor) -> QuantParams:
    """Parameters of a weight, float32 [outputs, inputs], as symmetric int8. scales: float32 [outputs]."""
    zero = torch.zeros_like(scales, dtype=torch.int32)
    return QuantParams(True, weight, scales.contiguous(), zero, 0, torch.int8, 127, -127, False, False)
