"""Post-training static quantization, as PT2E does it: prepare, calibrate, convert."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torchao.quantization.pt2e.quantizer import Quantizer


@dataclass(frozen=True)
class Quantization:
    """What a backend asks of the pass."""

    quantizer: Quantizer
    fold_weights: bool
    """True stores integer weights (ExecuTorch); False leaves q(w) for the converter (LiteRT)."""
