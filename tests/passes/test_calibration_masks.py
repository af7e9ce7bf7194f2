"""Calibration runs on the project's own samples, all of their inputs: padding masks are those of the data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchao.quantization.pt2e import MinMaxObserver
from torchao.quantization.pt2e.quantize_pt2e import prepare_pt2e

from edgekit.backends.onnx.quantizer import OnnxQuantizer
from edgekit.frontend.sequences import program_arguments
from edgekit.ir.program import Program
from edgekit.ir.signature import Signature, TensorSpec
from edgekit.passes.quantization.calibrate import calibrate
from edgekit.passes.quantization.simulate import observers
from edgekit.samples import Samples
from edgekit.specs.compression import Quantize

LENGTH, WIDTH = 6, 8


class Padded(nn.Module):
    """Transformer's layer over x [N, T, 8]; mask int64 [N, T] is 0 at padding."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(WIDTH, 2, 16, 0.0, batch_first=True), 1, enable_nested_tensor=False
        )

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        output: Tensor = self.encoder(x, src_key_padding_mask=mask == 0)[:, 0]
        return output


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
def test_the_padding_mask_of_the_data_reaches_calibration(tmp_path: Path) -> None:
    torch.manual_seed(0)
    lengths = np.array([2, 4, 6])
    x = np.random.default_rng(0).normal(size=(3, LENGTH, WIDTH)).astype(np.float32)
    saved = Samples({"x": x, "mask": (np.arange(LENGTH) < lengths[:, None]).astype(np.int64)}, np.zeros(3))
    saved.save(tmp_path)
    samples = Samples.read(tmp_path, mapped=True)
    first = tuple(torch.from_numpy(samples.inputs[name][:1]) for name in ("x", "mask"))
    edges = Signature(
        (TensorSpec("x", "float32", (1, LENGTH, WIDTH)), TensorSpec("mask", "int64", (1, LENGTH))),
        (TensorSpec("output", "float32", (1, WIDTH)),),
    )
    program = Program(torch.export.export(Padded().eval(), first), edges)
    arguments = program_arguments(program, samples)
    assert [int(mask.sum()) for _, mask in arguments] == list(lengths)

    def ranges(calls: list[Any]) -> list[tuple[float, float]]:
        """Range of each activation that is observed."""
        quantizer = OnnxQuantizer(Quantize(), "uint8", integer_bias=True)
        prepared = prepare_pt2e(program.exported.module(), quantizer)
        calibrate(prepared, calls, range(3))
        observed = [observer for _, observer in observers(prepared) if isinstance(observer, MinMaxObserver)]
        return [(float(one.min_val), float(one.max_val)) for one in observed if one.min_val.numel() == 1]

    whole = [(data, torch.ones_like(mask)) for data, mask in arguments]
    assert np.isfinite(ranges(arguments)).all()
    assert ranges(arguments) == ranges(arguments) != ranges(whole)
