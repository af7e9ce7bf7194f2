"""Batch-norm folding (Conv-BN fusion): batch norms are merged into the convolution or linear layer before them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from edgekit.passes.base import Pass

if TYPE_CHECKING:
    from torch.export import ExportedProgram


@dataclass(frozen=True)
class FoldBatchNorm(Pass):
    """Fold every batch norm into the layer before it, by torchao: its weights are then those that are quantized."""

    name: ClassVar[str] = "fold-batch-norm"

    def rewrite(self, exported: ExportedProgram) -> ExportedProgram:
        from torchao.quantization.pt2e.utils import _fuse_conv_bn_, _fuse_linear_bn_

        from edgekit.frontend.canonical import drop_unused, exported_again

        module = exported.module()
        _fuse_conv_bn_(module)
        _fuse_linear_bn_(module)
        drop_unused(module)
        return exported_again(module, exported)
