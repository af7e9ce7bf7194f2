"""Signatures of every kind through all three backends: what goes in, in which order, and on which axis."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from edgekit.frontend.load import load
from edgekit.ir.sqnr import sqnr_db
from tests.backends.signature_networks import eager_outputs, lowered, random_inputs, signature_project

pytestmark = pytest.mark.lowers

BACKENDS = ("executorch", "onnx", "tflite")


class Kind(NamedTuple):
    """A network, its inputs, and the signature that its artifacts must have."""

    model: str
    inputs: str
    takes: tuple[str, ...]
    gives: tuple[str, ...]


NAMED = Kind(
    """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.table, self.linear = nn.Embedding(8, 6), nn.Linear(6, 5)
    def forward(self, tokens, *, image, keep):
        x = self.table(tokens) + image
        x = self.linear(torch.where(keep.unsqueeze(-1), x, torch.zeros_like(x)))
        return {'scores': {'left': x[..., :2], 'right': x[..., 2:]}, 'best': x.argmax(-1), 'more': (x.mean(1), x > 0)}
""",
    """
[inputs.image]
shape = [4, 6]
[inputs.keep]
shape = [4]
dtype = "bool"
[inputs.tokens]
shape = [4]
dtype = "int64"
""",
    ("image: float32[1, 4, 6]", "keep: bool[1, 4]", "tokens: int64[1, 4]"),
    (
        "scores.left: float32[1, 4, 2]",
        "scores.right: float32[1, 4, 3]",
        "best: int64[1, 4]",
        "more.0: float32[1, 5]",
        "more.1: bool[1, 4, 5]",
    ),
)
TABLE = Kind(
    """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(6, 5)
    def forward(self, batch):
        return self.linear(batch['second']['b'].float()) * batch['first'].float().mean(1, keepdim=True)
""",
    """
[inputs."batch.first"]
shape = [3]
dtype = "int32"
[inputs."batch.second.b"]
shape = [6]
dtype = "float16"
""",
    ("batch.first: int32[1, 3]", "batch.second.b: float16[1, 6]"),
    ("output: float32[1, 5]",),
)
TIME_FIRST = Kind(
    """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.gru, self.head = nn.GRU(6, 8), nn.Linear(8, 3)
    def forward(self, frames):
        x, last = self.gru(frames)
        return self.head(x), last.squeeze(0), frames.mean()
""",
    "[inputs.frames]\nshape = [5, 6]\nbatch_axis = 1\n",
    ("frames: float32[1, 5, 6]",),
    ("output_0: float32[1, 5, 3]", "output_1: float32[1, 8]", "output_2: float32[1]"),
)
WHOLE = Kind(
    """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv1d(1, 4, 3)
    def forward(self, wave):
        assert wave.ndim == 1
        x = self.conv(wave[None, None])
        return x[0].abs().mean(1), wave.abs().max(), x[0, :1, 0]
""",
    '[inputs.wave]\nshape = [16]\nbatch_axis = "none"\n',
    ("wave: float32[1, 16]",),
    ("output_0: float32[1, 4]", "output_1: float32[1]", "output_2: float32[1, 1]"),
)
KINDS = {"named": NAMED, "table": TABLE, "time first": TIME_FIRST, "whole": WHOLE}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", KINDS)
def test_an_artifact_takes_and_gives_what_the_network_does(tmp_path: Path, backend: str, kind: str) -> None:
    case = KINDS[kind]
    project = signature_project(tmp_path / "project", case.model, case.inputs)
    inputs = random_inputs(project)
    artifact, quality = lowered(project, backend, inputs, tmp_path / "out")
    assert tuple(map(str, artifact.signature.inputs)) == case.takes
    assert tuple(map(str, artifact.signature.outputs)) == case.gives
    assert quality > 100
    for spec, expected in zip(artifact.signature.outputs, eager_outputs(load(project), inputs), strict=True):
        stored = np.load(tmp_path / "out/golden/outputs" / f"{spec.name}.npy")
        assert stored.shape == expected.shape
        assert stored.dtype == expected.dtype
        assert sqnr_db(expected.astype(np.float64), stored.astype(np.float64)) > 100
