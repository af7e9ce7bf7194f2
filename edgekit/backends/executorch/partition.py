"""What XNNPACK is given: what its own partitioner takes, and hard-swish on integers."""

from __future__ import annotations

from executorch.backends.xnnpack.partition.config import ALL_PARTITIONER_CONFIGS
from executorch.backends.xnnpack.partition.config.generic_node_configs import HardswishConfig
from executorch.backends.xnnpack.partition.config.xnnpack_config import ConfigPrecisionType
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner


class IntegerHardswish(HardswishConfig):  # type: ignore[misc]  # executorch has no types
    """Takes it between quantized tensors too: XNNPACK then looks every value up in a table (its `x8-lut` kernels)."""

    def supported_precision_types(self) -> list[ConfigPrecisionType]:
        return [ConfigPrecisionType.FP32, ConfigPrecisionType.STATIC_QUANT]


def partitioner() -> XnnpackPartitioner:
    others = [config for config in ALL_PARTITIONER_CONFIGS if config is not HardswishConfig]
    return XnnpackPartitioner(configs=[*others, IntegerHardswish])
