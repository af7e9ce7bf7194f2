"""Batch normalization folded into the convolution or linear layer before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from edgekit.passes.base import Pass

if TYPE_CHECKING:
    from torch import nn
    from torch.export import ExportedProgram
    from torch.fx import GraphModule


@dataclass(frozen=True)
class FoldBatchNorm(Pass):
    """The same function with fewer operators, and with weights as quantization will see them. torchao does the sums."""

    name: ClassVar[str] = "fold-batch-norm"

    def rewrite(self, exported: ExportedProgram) -> ExportedProgram:
        from torchao.quantization.pt2e.utils import _fuse_conv_bn_, _fuse_linear_bn_

        from edgekit.passes.quantization.layers import exported_again

        module = exported.module()
        _fuse_conv_bn_(module)
        _fuse_linear_bn_(module)
        _drop_unused(module)
        return exported_again(module, exported)


def _drop_unused(module: GraphModule) -> None:
    """Without the statistics that no node reads any more."""
    read = {str(node.target) for node in module.graph.nodes if node.op == "get_attr"}
    for path, child in module.named_modules():
        for held in (child._parameters, child._buffers):
            for name in _unread(held, path, read):
                delattr(child, name)


def _unread(held: dict[str, nn.Parameter | None], path: str, read: set[str]) -> list[str]:
    return [name for name in held if (f"{path}.{name}" if path else name) not in read]
