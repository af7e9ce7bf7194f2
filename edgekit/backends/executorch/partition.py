"""What XNNPACK is given: what its own partitioner takes and can lay out, and hard-swish on integers."""

from __future__ import annotations

from executorch.backends.xnnpack.partition.config import ALL_PARTITIONER_CONFIGS
from executorch.backends.xnnpack.partition.config.generic_node_configs import HardswishConfig
from executorch.backends.xnnpack.partition.config.node_configs import PreluConfig
from executorch.backends.xnnpack.partition.config.xnnpack_config import ConfigPrecisionType
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from torch.export import ExportedProgram
from torch.fx import Node


class IntegerHardswish(HardswishConfig):  # type: ignore[misc]  # executorch has no types
    """Takes it between quantized tensors too: XNNPACK then looks every value up in a table (its `x8-lut` kernels)."""

    def supported_precision_types(self) -> list[ConfigPrecisionType]:
        return [ConfigPrecisionType.FP32, ConfigPrecisionType.STATIC_QUANT]


class PicturePrelu(PreluConfig):  # type: ignore[misc]
    """Takes it on pictures only: executorch 1.5.1 turns the inputs of every PReLU to channels last, and fails on those
    that have no four axes, as behind a linear layer."""

    def check_constraints(self, node: Node, ep: ExportedProgram) -> bool:
        return node.meta["val"].dim() == 4 and bool(super().check_constraints(node, ep))


def partitioner() -> XnnpackPartitioner:
    ours = {HardswishConfig: IntegerHardswish, PreluConfig: PicturePrelu}
    return XnnpackPartitioner(configs=[ours.get(config, config) for config in ALL_PARTITIONER_CONFIGS])
