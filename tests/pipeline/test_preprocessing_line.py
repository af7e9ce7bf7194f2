"""A function, recordings and texts through the whole line: the device proves all three, others are refused."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from tests.command_line import LENIENT, QUICK, edgekit_here
from tests.datasets.test_tokenizer import WORDPIECE
from tests.datasets.test_tokenizer import write as write_tokenizer

pytestmark = pytest.mark.builds

MODEL = """
import numpy as np
import torch
from torch import nn

LEVEL = 100.0


def darkness(picture):
    grey = picture.mean(axis=-1) / LEVEL
    rows = np.arange(4) * (grey.shape[0] // 4)
    return np.clip(1 - grey[rows][:, :4], -1, 1).astype(np.float32)


class Three(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(6, 8)
        self.dark = nn.Linear(16, 8)
        self.loud = nn.Linear(80, 8)
        self.head = nn.Linear(8, 2)

    def forward(self, tokens, picture, sound):
        pooled = self.table(tokens).mean(1) + self.dark(picture.flatten(1)) + self.loud(sound.abs())
        return self.head(pooled)


def net():
    torch.manual_seed(0)
    three = Three().eval()
    with torch.no_grad():
        for weight in (three.table.weight, three.dark.weight, three.loud.weight, three.head.weight):
            weight.zero_()
        three.table.weight[3, 0], three.table.weight[4, 1] = 4, 4
        three.dark.weight[1] = 0.2
        three.loud.weight[0] = 0.2
        three.head.weight[0, 0], three.head.weight[1, 1] = 1, 1
    return three


class Data:
    labels = np.arange(16) % 2

    def __len__(self):
        return 16

    def __getitem__(self, i):
        random, label = np.random.default_rng(i), int(self.labels[i])
        level = 40 if label else 160
        picture = random.integers(level - 9, level + 9, (20 + i, 7, 3)).astype(np.uint8)
        wave = np.sin(np.arange(441) / 9) * (300 if label else 20000)
        sound = np.stack([wave, wave], 1).astype(np.int16)
        return {"tokens": "hello" if not label else "hellos", "picture": picture, "sound": sound}, label
"""
TOML = """
[gates]
calibration_overlap = {{ max = 1 }}

[model]
factory = "model.py:net"
classes = ["loud", "dark"]

[inputs.tokens]
shape = [4]
dtype = "int64"
pad = 0
tokenizer = {{ file = "tokenizer.json", sha256 = "{sha256}", golden = {{ "Hellos" = [1, 3, 4, 2] }} }}

[inputs.picture]
shape = [4, 4]
preprocess = "model.py:darkness"

[inputs.sound]
shape = [80]
audio = {{ rate = 8000, from = 44100 }}

[data]
calibration = {{ loader = "model.py:Data", licence = "none", source = "made up" }}
evaluation = {{ loader = "model.py:Data", licence = "none", source = "made up" }}
"""


def project(folder: Path) -> Path:
    folder.mkdir()
    (folder / "model.py").write_text(MODEL)
    (folder / "edgekit.toml").write_text(TOML.format(sha256=write_tokenizer(folder)))
    return folder


def test_a_function_recordings_and_texts_go_through_the_whole_line(tmp_path: Path, places: dict[str, str]) -> None:
    root = project(tmp_path / "project")
    options = ("--project", root, "--target", "host", "--backend", "onnx", "--profile", "float32", *LENIENT)
    device = f"local://{tmp_path / 'device'}"
    ended = edgekit_here("run", *options, *QUICK, "--device", device, "--out", tmp_path / "out", "--json", env=places)
    assert ended.code == 0, ended.err + ended.out
    (report,) = json.loads(ended.out)["reports"]
    assert report["reference"]["metric"]["value"] == report["candidate"]["metric"]["value"] == 1
    with zipfile.ZipFile(next((tmp_path / "out").glob("*.edgekit"))) as bundle:
        manifest = json.loads(bundle.read("manifest.json"))
        assert json.loads(bundle.read("tokenizer/tokens.json")) == WORDPIECE
        raw = [name for name in bundle.namelist() if name.startswith("golden/raw/")]
    golden = {"Hellos": [1, 3, 4, 2]}
    assert manifest["tokenizers"] == {"tokens": {"path": "tokenizer/tokens.json", "size": 6, "golden": golden}}
    stated = manifest["processing"]
    assert sorted(stated) == ["picture", "sound"]
    assert stated["picture"]["function"].splitlines()[:2] == ["def darkness(picture):", "    LEVEL = 100.0"]
    assert sorted(stated["picture"]["raw"]) == sorted(raw)
    assert len(raw) == 2
    assert (stated["sound"]["audio"]["from"], stated["sound"]["audio"]["samples"]) == (44100, 80)
    write_tokenizer(root, {**WORDPIECE, "added_tokens": []})
    ended = edgekit_here("build", *options, "--out", tmp_path / "other", env=places)
    assert ended.code == 2
    assert "EK119" in ended.err
    assert not list((tmp_path / "other").glob("*.edgekit"))
    (root / "model.py").write_text(MODEL.replace("picture.mean(axis=-1)", "np.load('x')"))
    ended = edgekit_here("build", *options, "--out", tmp_path / "other", env=places)
    assert ended.code == 2
    assert "EK122" in ended.err
    assert "model.py:10" in ended.err
