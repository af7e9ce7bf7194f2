"""Networks of free lengths as projects with ragged samples: sentence encoder, fully convolutional net, tagger."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from edgekit.runner.model.tensors import Array
from edgekit.specs.project import Project
from tests.backends.signature_networks import signature_project


class FreeNetwork(NamedTuple):
    """A network, its tables of inputs, and a function that makes samples: lengths by name to arrays without batch."""

    model: str
    inputs: str
    lengths: tuple[dict[str, int], ...]
    """Lengths of its samples: the least, the greatest, and some between."""


ENCODER = FreeNetwork(
    """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.table, self.place = nn.Embedding(100, 32), nn.Parameter(0.1 * torch.randn(64, 32))
        layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, dropout=0.0)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.head = nn.Linear(32, 5)
    def forward(self, tokens, mask):
        x = self.table(tokens) + self.place[: tokens.shape[1]]
        x = self.encoder(x, src_key_padding_mask=mask == 0)
        m = mask.unsqueeze(-1).float()
        return {'sentence': self.head((x * m).sum(1) / m.sum(1)), 'words': x}
""",
    """
[inputs.tokens]
shape = ["t:2..64"]
dtype = "int64"
mask = "mask"
vocabulary = 100
buckets = [16, 64]
[inputs.mask]
shape = ["t:2..64"]
dtype = "int64"
""",
    ({"t": 2}, {"t": 21}, {"t": 64}, {"t": 40}),
)
CONVOLUTIONAL = FreeNetwork(
    """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU(),
            nn.Conv2d(16, 16, 3, 1, 1), nn.ReLU(), nn.Conv2d(16, 4, 1))
    def forward(self, image):
        return self.body(image)
""",
    """
[inputs.image]
shape = [3, "h:32..64:32", "w:32..96:64"]
preprocess = { from = "uint8 NHWC", scale = 0.00392156862745098, mean = [0.5], std = [0.25] }
""",
    ({"h": 32, "w": 32}, {"h": 64, "w": 96}, {"h": 64, "w": 32}, {"h": 32, "w": 96}),
)
TAGGER = FreeNetwork(
    """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.table, self.gru, self.head = nn.Embedding(50, 16), nn.GRU(16, 24, batch_first=True), nn.Linear(24, 7)
    def forward(self, tokens):
        return self.head(self.gru(self.table(tokens))[0])
""",
    """
[inputs.tokens]
shape = ["t:4..32"]
dtype = "int64"
vocabulary = 50
buckets = [8, 16, 32]
""",
    ({"t": 4}, {"t": 11}, {"t": 32}, {"t": 20}),
)
NETWORKS = {"encoder": ENCODER, "convolutional": CONVOLUTIONAL, "tagger": TAGGER}


def free_project(folder: Path, name: str) -> Project:
    """The project of a network of free lengths, with a loader of ragged samples: 24 of all its lengths."""
    network = NETWORKS[name]
    project = signature_project(folder, network.model, network.inputs)
    toml = (folder / "edgekit.toml").read_text().replace('path = "data.npz"', 'loader = "data.py:Data"')
    calibration = toml[toml.index("evaluation") :].replace("evaluation", "calibration")
    (folder / "edgekit.toml").write_text("[gates]\ncalibration_overlap = { max = 1 }\n" + toml + calibration)
    (folder / "data.py").write_text(LOADER.format(lengths=network.lengths, samples=SAMPLES[name]))
    return Project.read(project.root)


LOADER = """
import numpy as np

LENGTHS = {lengths}
random = np.random.default_rng(1)


def sample(n):
    {samples}


class Data:
    def __init__(self):
        self.samples = [sample(LENGTHS[i % len(LENGTHS)]) for i in range(24)]

    def __len__(self):
        return 24

    def __getitem__(self, i):
        return self.samples[i], 0
"""
SAMPLES = {
    "encoder": "return {'tokens': random.integers(0, 100, n['t'])}",
    "convolutional": "return random.integers(0, 256, (n['h'], n['w'], 3)).astype(np.uint8)",
    "tagger": "return random.integers(0, 50, n['t'])",
}


def padded(arrays: list[Array], shape: tuple[int, ...]) -> Array:
    """Arrays [1, …], filled up with 0 to `shape`, as one [N, …]."""
    joined = np.zeros((len(arrays), *shape), arrays[0].dtype)
    for row, array in zip(joined, arrays, strict=True):
        row[tuple(map(slice, array.shape[1:]))] = array[0]
    return joined
