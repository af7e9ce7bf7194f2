"""A quantized file is held against float too: noise that its program has is no fault of a converter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgekit.backends import verify as verification
from edgekit.backends.float_yardstick import Losses
from edgekit.errors import Disagreement
from edgekit.ir.artifact import Artifact, Placement
from edgekit.ir.program import PassRecord, Program
from edgekit.ir.signature import Signature, TensorSpec
from edgekit.pipeline.stages.loss_remark import loss_remark

X = np.linspace(-1, 1, 24, dtype=np.float32).reshape(4, 6)
SIGNATURE = Signature((TensorSpec("x", "float32", (1, 6)),), (TensorSpec("y", "float32", (1, 6)),))


class Scaled(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


def scaled(factor: float) -> Program:
    """Program that is -20 log10 |1 - factor| dB from the float one, whose factor is 1."""
    record = PassRecord("quantize", (), 0.0, 0.0)
    return Program(torch.export.export(Scaled(factor), (torch.zeros(1, 6),)), SIGNATURE, (record,))


def verified(program: float, file: float, folder: Path, monkeypatch: pytest.MonkeyPatch, with_float: bool) -> float:
    np.save(folder / "x.npy", X)
    monkeypatch.setattr(verification, "file_outputs", lambda artifact, columns: [X * file])
    artifact = Artifact((folder / "model.onnx",), "onnx", SIGNATURE, Placement(()), 1.0)
    floating = (lambda: scaled(1.0)) if with_float else None
    return verification.verify(artifact, scaled(program), folder, folder / "golden", None, floating)


def test_a_file_as_near_to_float_as_its_program_is_not_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert verified(0.84, 1.15, tmp_path, monkeypatch, with_float=True) < verification.INTEGER_DB
    with pytest.raises(Disagreement):
        verified(0.84, 1.15, tmp_path, monkeypatch, with_float=False)


def test_a_failed_gate_says_whose_loss_it_is() -> None:
    assert loss_remark(Losses(14.9, 13.5)).endswith("14.9 dB from float, the file is 13.5; that is all of it.")
    assert loss_remark(Losses(24.9, 13.5)).endswith("the file is 13.5; the converter or its runtime loses the rest.")


@pytest.mark.parametrize(
    ("program", "file", "words"),
    [
        (0.84, 1.6, r"15\.9 dB from float, the file is 4\.4; the converter or its runtime loses it"),
        (0.4, 1.0, "the loss is quantization's, not the converter's"),
    ],
)
def test_a_refusal_says_whose_loss_it_is(
    program: float, file: float, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Disagreement, match=words):
        verified(program, file, tmp_path, monkeypatch, with_float=True)
