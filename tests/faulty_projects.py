"""The digits example, made ill in one way each: projects that int8 breaks for a known reason."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from edgekit import examples
from edgekit.specs.compression import Quantize
from edgekit.specs.project import Project
from edgekit.specs.target import RuntimeSpec

PROJECT = Project.read(examples.folder("digits"))
RUNTIME = RuntimeSpec(backend="onnx", delegates=("cpu",), activations="uint8")

RESCALED = """
import torch
from edgekit.examples.digits.model import digits


def net():
    \"\"\"The same function: channels between two convolutions scaled up in one, down in the other.\"\"\"
    model = digits()
    pairs = [(model.bn1, model.conv2), (model.block.bn1, model.block.conv2)]
    with torch.no_grad():
        for norm, following in pairs:
            channels = len(norm.weight)
            factors = torch.logspace(-2, 2, channels)[torch.randperm(channels, generator=torch.manual_seed(0))]
            norm.weight.mul_(factors)
            norm.bias.mul_(factors)
            following.weight.div_(factors[:, None, None])
    return model
"""

SPIKED = """
import torch
from torch import nn
from torch.nn.functional import relu
from edgekit.examples.digits.model import Digits, digits


class Spiked(nn.Module):
    \"\"\"The same function: every stem channel twice, and in one of the copies, which nobody reads, a huge value.\"\"\"

    def __init__(self, model):
        super().__init__()
        self.model = Digits(stem=32)
        state = model.state_dict()
        for key in list(state):
            if key.startswith(("conv1.", "bn1.")) and state[key].dim():
                state[key] = torch.cat([state[key], state[key]])
        state["conv2.weight"] = torch.cat([state["conv2.weight"] * 0, state["conv2.weight"]], dim=1)
        self.model.load_state_dict(state)
        spike = torch.zeros(1, 32, 8, 8)
        spike[0, 0, 0, 0] = 3000.0
        self.register_buffer("spike", spike)

    def forward(self, x):
        m = self.model
        x = relu(m.bn1(m.conv1(x))) + self.spike
        x = relu(m.bn2(m.conv2(x)))
        return m.linear(m.block(x).mean((2, 3)))


def net():
    return Spiked(digits()).eval()
"""

SOUND = "from edgekit.examples.digits.model import digits as net\n"

NOT_FINITE = """
import torch
from edgekit.examples.digits.model import digits


def net():
    model = digits()
    model.block.conv1.weight.data[0] = torch.nan
    return model
"""

DATA = """
from edgekit.examples.digits.data import Scans, calibration, evaluation, training


def dark():
    scans = Scans(calibration().indices)
    scans.images = scans.images // 4
    return scans
"""


def ailing(folder: Path, model: str, calibration: str = "calibration") -> Path:
    """A project on the digits' data, with `model` as its code and one of the loaders in DATA to calibrate with."""
    folder.mkdir(parents=True)
    toml = (examples.folder("digits") / "edgekit.toml").read_text()
    toml = toml.replace("model.py:digits", "model.py:net").replace("model.py:CLASSES", "data.py:CLASSES")
    toml = toml.replace("data.py:calibration", f"data.py:{calibration}")
    (folder / "edgekit.toml").write_text(toml)
    (folder / "model.py").write_text(textwrap.dedent(model))
    (folder / "data.py").write_text(DATA + 'CLASSES = tuple("0123456789")\n')
    return folder


def asked(recipe: Quantize) -> Any:
    """The quantization for the onnx backend, the quickest to import."""
    from edgekit.backends.onnx import Onnx

    return Onnx().quantization(recipe, RUNTIME)


def samples(role: str, count: int) -> list[Any]:
    """Samples of the digits, each with batch 1."""
    from edgekit.frontend.load import batches
    from edgekit.samples import load_samples

    return batches(load_samples(PROJECT, role, count), PROJECT)
