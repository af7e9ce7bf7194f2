"""Work that falls back to ExecuTorch's portable kernels is counted, too."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from edgekit.backends.executorch import ExecuTorch
from edgekit.ir.artifact import Artifact
from edgekit.ir.signature import TensorSpec
from edgekit.specs.profile import Quantize
from tests.backends.executorch_examples import RUNTIME, TARGET, capture, quantize


class Strided(nn.Module):
    """XNNPACK takes no strided slice."""

    def forward(self, x):
        return x[:, :, ::2]
