"""Partition for the XNNPACK delegate: its own partitioner's, with hard-swish on integers, and PReLU on images only."""

from __future__ import annotations

from executorch.backends.xnnpack.partition.config import ALL_PARTITIONER_CONFIGS
from executorch.backends.xnnpack.partition.config.generic_node_configs import HardswishConfig
from executorch.backends.xnnpack.partition.config.node_configs import PreluConfig
from executorch.backends.xnnpack.partition.config.xnnpack_config import ConfigPrecisionType
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from torch.export import ExportedProgram
from torch.fx import Node


class IntegerHardswish(HardswishConfig):  # type: ignore[misc]  # executorch has no types
    """Delegation of hard-swish between quantized tensors too: XNNPACK has table lookups for it, `x8-lut`."""

    def supported_precision_types(self) -> list[ConfigPrecisionType]:
        return [ConfigPrecisionType.FP32, ConfigPrecisionType.STATIC_QUANT]


class PicturePrelu(PreluConfig):  # type: ignore[misc]
    """Delegation of PReLU on tensors of four axes only.

    executorch 1.5.1 transposes the inputs of every PReLU to channels last, and fails on others.
    """

    def check_constraints(self, node: Node, ep: ExportedProgram) -> bool:
        return node.meta["val"].dim() == 4 and bool(super().check_constraints(node, ep))


def partitioner() -> XnnpackPartitioner:
    """XNNPACK's partitioner with the configurations above in the place of its own."""
    ours = {HardswishConfig: IntegerHardswish, PreluConfig: PicturePrelu}
    return XnnpackPartitioner(configs=[ours.get(config, config) for config in ALL_PARTITIONER_CONFIGS])
