"""Batch-norm folding: batch normalization fused into the convolution or linear layer before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from edgekit.passes.base import Pass

if TYPE_CHECKING:
    from torch.export import ExportedProgram


@dataclass(frozen=True)
class FoldBatchNorm(Pass):
    """Fold every batch norm into the layer before it, so that the weights are those that are quantized.

    torchao computes it.
    """

    name: ClassVar[str] = "fold-batch-norm"

    def rewrite(self, exported: ExportedProgram) -> ExportedProgram:
        from torchao.quantization.pt2e.utils import _fuse_conv_bn_, _fuse_linear_bn_

        from edgekit.frontend.canonical import drop_unused, exported_again

        module = exported.module()
        _fuse_conv_bn_(module)
        _fuse_linear_bn_(module)
        drop_unused(module)
        return exported_again(module, exported)
