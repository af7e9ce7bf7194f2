"""Precision of convolutions in one dimension, which executorch's pass takes from their neighbours.

XNNPACK convolves in two dimensions, so executorch 1.5.1 gives these convolutions a second one. Its pass takes one for
quantized if its input was rounded, or if all that read it round: a float convolution beside integers was refused
("Weight and Input should both be quantized"), or made a file that does not load ("Failed to create convolution node").
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

if TYPE_CHECKING:
    from torch.fx import Graph, Node


@contextlib.contextmanager
def conv1d_precision_by_weights() -> Iterator[None]:
    """Let the pass round around a convolution in one dimension only if its weights are integers."""
    from executorch.backends.xnnpack._passes.conv1d_unsqueeze_pass import Conv1dUnsqueezePass
    from executorch.backends.xnnpack.utils.quant_utils import is_dequant

    insert = Conv1dUnsqueezePass.insert_q_dq_pair

    def insert_q_dq_pair(self: Any, graph: Graph, anchor: Node, q_params: tuple[Any, ...]) -> None:
        # The anchor is the convolution, or the operator that gives its input the second dimension.
        layer = anchor if "convolution" in str(anchor.target) else next(iter(anchor.users))
        if is_dequant(layer.args[1]):
            insert(self, graph, anchor, q_params)

    with patch.object(Conv1dUnsqueezePass, "insert_q_dq_pair", insert_q_dq_pair):
        yield
