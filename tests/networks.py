"""Small networks and projects that the tests share."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np

MODEL = '''
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(8)

    def forward(self, x):
        return torch.relu(x + self.bn(self.conv(x)))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU())
        self.block = Block()
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        return self.head(self.block(self.stem(x)).mean((2, 3)))


COLOURS = [[200, 60, 60], [60, 200, 60], [60, 60, 200], [200, 200, 60]]


def net():
    """Tells four colours apart, by a head that was fitted to them by least squares."""
    torch.manual_seed(0)
    found = Net().eval()
    pixels = (torch.tensor(COLOURS) / 255 - torch.tensor([0.5, 0.4, 0.3])) / torch.tensor([0.2, 0.3, 0.4])
    with torch.no_grad():
        features = found.block(found.stem(pixels.reshape(4, 3, 1, 1).expand(4, 3, 8, 8))).mean((2, 3))
        found.head.weight.copy_((torch.linalg.pinv(features) @ (4 * torch.eye(4))).T)
        found.head.bias.zero_()
    return found
'''

COLOURS = [[200, 60, 60], [60, 200, 60], [60, 60, 200], [200, 200, 60]]
"""RGB of the four classes."""

TOML = """
[gates]
calibration_overlap = { max = 1 }

[model]
factory = "model.py:net"
classes = ["a", "b", "c", "d"]

[inputs.image]
shape = [3, 8, 8]
preprocess = { from = "uint8 NHWC", scale = 0.00392156862745098, mean = [0.5, 0.4, 0.3], std = [0.2, 0.3, 0.4] }

[data]
calibration = { path = "data.npz", licence = "made here", source = "random numbers" }
evaluation = { path = "data.npz", licence = "made here", source = "random numbers" }
"""


def substitute(old: str, new: str, text: str = MODEL) -> str:
    """`text` with `new` for `old`, which must be in it: else the test that asks would run on `text` as it is."""
    assert old in text, f"{old!r} is no longer in the text"
    return text.replace(old, new)


def write_project(folder: Path, model: str = MODEL, toml: str = TOML, samples: int = 16) -> Path:
    """A project of a small residual network on noisy pictures of four colours, in a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.py").write_text(textwrap.dedent(model))
    (folder / "edgekit.toml").write_text(textwrap.dedent(toml))
    random = np.random.default_rng(0)
    labels = np.arange(samples) % 4
    images = np.array(COLOURS)[labels][:, None, None] + random.integers(-16, 17, (samples, 8, 8, 3))
    np.savez(folder / "data.npz", image=images.astype(np.uint8), labels=labels)
    return folder
