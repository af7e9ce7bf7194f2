"""int4 weights in ai-edge-quantizer by edgekit's own scales.

Its recipes name an algorithm, and take no other name than those of its own. So its `MSE`, which knows no groups and
which nothing here uses, is replaced for fully connected layers.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from edgekit.passes.quantization.group_scales import grouped_weight

if TYPE_CHECKING:
    from ai_edge_quantizer.qtyping import OpInfo, TensorQuantizationConfig, UniformQuantParams

    from edgekit.ir.measurement import Array

BITS = 4


@functools.cache
def algorithm() -> str:
    """Name of the algorithm for the vendor's recipes of fully connected layers; registers it once a process."""
    from ai_edge_quantizer import algorithm_manager
    from ai_edge_quantizer.algorithms.uniform_quantize import common_quantize, naive_min_max_quantize
    from ai_edge_quantizer.qtyping import TFLOperationName

    name: str = algorithm_manager.AlgorithmName.MSE
    algorithm_manager.register_quantized_op(
        name,
        TFLOperationName.FULLY_CONNECTED,
        naive_min_max_quantize.init_qsvs,
        calibration_func=naive_min_max_quantize.min_max_calibrate,
        materialize_func=functools.partial(common_quantize.materialize_fc_conv, _parameters),
    )
    return name


def _parameters(
    op_info: OpInfo,
    config: TensorQuantizationConfig,
    content: Array | None = None,
    observed: dict[str, Any] | None = None,
) -> UniformQuantParams:
    """Scales and integers of a tensor, in the vendor's form.

    content: weight, float32 [outputs, inputs]; None for activations.
    """
    from ai_edge_quantizer.algorithms.uniform_quantize import naive_min_max_quantize, uniform_quantize_tensor
    from ai_edge_quantizer.algorithms.utils import common_utils
    from ai_edge_quantizer.qtyping import UniformQuantParams

    if content is None or config.num_bits != BITS:
        parameters: UniformQuantParams = naive_min_max_quantize.get_tensor_quant_params(
            op_info, config, content, observed
        )
        return parameters
    group = uniform_quantize_tensor.extract_block_size_from_granularity(config.granularity)
    rounded = grouped_weight(torch.from_numpy(np.array(content)), group or content.shape[1])
    scales = rounded.scales.numpy()
    return UniformQuantParams(
        scale=scales,
        zero_point=np.zeros(scales.shape, np.int32),
        num_bits=BITS,
        symmetric=True,
        quantized_dimension=common_utils.get_weight_quantized_dim(op_info, content, config.granularity),
        block_size=group,
        quantized_data=rounded.integers.numpy(),
    )
