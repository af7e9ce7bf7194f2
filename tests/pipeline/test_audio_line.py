"""Raw audio through the whole line: int16 samples travel to the device, and int8 passes the gates on integers."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.command_line import LENIENT, PLAIN, QUICK, edgekit_here

pytestmark = pytest.mark.builds

MODEL = """
import torch
from torch import nn


class Tones(nn.Module):
    def __init__(self):
        super().__init__()
        self.smooth = nn.Conv2d(1, 16, (1, 3), padding=(0, 1))
        self.mix = nn.Conv2d(16, 16, 1)
        self.head = nn.Linear(16 * 12, 2)

    def forward(self, x):
        x = torch.relu(self.mix(torch.relu(self.smooth(x))))
        return self.head(x.mean(3).flatten(1))


def net():
    torch.manual_seed(0)
    tones = Tones().eval()
    with torch.no_grad():
        tones.smooth.weight.abs_()
        tones.mix.weight.abs_()
        low = (torch.arange(12) < 6).float().repeat(16)
        tones.head.weight.copy_(torch.stack([low, 1 - low]) / 16)
        tones.head.bias.zero_()
    return tones
"""
TOML = """
[gates]
calibration_overlap = { max = 1 }

[model]
factory = "model.py:net"
classes = ["low", "high"]

[inputs.audio]
shape = [1, 12, 20]
log_mel = { from = "int16 PCM", rate = 8000, frame = 64, hop = 32, mels = 12, mean = -8.0, std = 3.0 }

[data]
calibration = { path = "data.npz", licence = "none", source = "made up" }
evaluation = { path = "data.npz", licence = "none", source = "made up" }
"""


def project(folder: Path) -> Path:
    folder.mkdir()
    (folder / "model.py").write_text(MODEL)
    (folder / "edgekit.toml").write_text(TOML)
    random, labels = np.random.default_rng(0), np.arange(32) % 2
    time = np.arange(64 + 32 * 19) / 8000
    hertz = random.uniform(0.9, 1.1, 32) * np.where(labels, 2800, 450)
    waves = 0.3 * np.sin(2 * np.pi * hertz[:, None] * time) + 0.01 * random.standard_normal((32, len(time)))
    np.savez(folder / "data.npz", audio=np.round(waves * 32767).astype(np.int16), labels=labels)
    return folder


@pytest.mark.parametrize("backend", ["onnx", "tflite"])
def test_raw_audio_goes_through_the_whole_line(backend: str, tmp_path: Path, places: dict[str, str]) -> None:
    """Answers and integer shares of all three backends: tests/backends/test_log_mel."""
    options = ("--project", project(tmp_path / "project"), "--target", "host", "--backend", backend, *LENIENT, *PLAIN)
    device = f"local://{tmp_path / 'device'}"
    ended = edgekit_here("run", *options, *QUICK, "--device", device, "--out", tmp_path / "out", "--json", env=places)
    assert ended.code == 0, ended.err + ended.out
    (report,) = json.loads(ended.out)["reports"]
    gates = {gate["name"]: gate for gate in report["gates"]}
    for name in ("integer_share", "integer_macs_share"):
        assert gates[name]["outcome"] == "passed", gates[name]
        assert gates[name]["value"] > 0.95
    assert report["reference"]["metric"]["value"] > 0.9
    assert report["candidate"]["metric"]["value"] > 0.9
    with zipfile.ZipFile(next((tmp_path / "out").glob("*.edgekit"))) as bundle:
        manifest = json.loads(bundle.read("manifest.json"))
    assert [spec["dtype"] for spec in manifest["signature"]["inputs"]] == ["int16"]
