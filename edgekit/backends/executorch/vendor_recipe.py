"""ExecuTorch's own recipes for int8: XNNPACK's quantizer, symmetric and per channel, and XNNPACK's partitioner."""

from __future__ import annotations

from collections.abc import Sequence

from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import XNNPACKQuantizer, get_symmetric_quantization_config
from executorch.exir import to_edge_transform_and_lower
from torch import Tensor
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

from edgekit.frontend.dynamic_shapes import exported_like
from edgekit.ir.program import Program
from edgekit.ir.signature import Signature


def vendor_file(
    program: Program, samples: Sequence[tuple[Tensor, ...]], dynamic: bool = False
) -> tuple[bytes, Signature]:
    """Quantize a float program as ExecuTorch's documentation does, and lower it.

    dynamic: activations are rounded as they come. Returns the file and its signature. Raises whatever its tools raise.
    """
    config = get_symmetric_quantization_config(is_per_channel=True, is_dynamic=dynamic)
    prepared = prepare_pt2e(program.exported.module(), XNNPACKQuantizer().set_global(config))
    for sample in samples[:1] if dynamic else samples:
        prepared(*sample)
    quantized = exported_like(convert_pt2e(prepared), program.exported, samples[0])
    edge = to_edge_transform_and_lower(quantized, partitioner=[XnnpackPartitioner()])
    return bytes(edge.to_executorch().buffer), program.signature.without_buckets()
