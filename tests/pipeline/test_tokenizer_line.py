"""Token ids through the whole line: the bundle carries the tokenizer, and another one is refused before a build."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.command_line import LENIENT, edgekit
from tests.datasets.test_tokenizer import WORDPIECE
from tests.datasets.test_tokenizer import write as write_tokenizer

pytestmark = pytest.mark.builds

MODEL = """
import torch
from torch import nn


class Bag(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(6, 8)
        self.head = nn.Linear(8, 2)

    def forward(self, tokens):
        return self.head(self.table(tokens).mean(1))


def net():
    torch.manual_seed(0)
    bag = Bag().eval()
    with torch.no_grad():
        bag.table.weight.zero_()
        bag.table.weight[3, 0], bag.table.weight[4, 1] = 4, 4
        bag.head.weight.zero_()
        bag.head.weight[0, 0], bag.head.weight[1, 1] = 1, 1
        bag.head.bias.zero_()
    return bag
"""
TOML = """
[model]
factory = "model.py:net"
classes = ["hello", "s"]

[inputs.tokens]
shape = [4]
dtype = "int64"
tokenizer = {{ file = "tokenizer.json", sha256 = "{sha256}", golden = {{ "Hellos" = [1, 3, 4, 2] }} }}

[data]
calibration = {{ path = "data.npz", licence = "none", source = "made up" }}
evaluation = {{ path = "data.npz", licence = "none", source = "made up" }}
"""


def project(folder: Path) -> Path:
    folder.mkdir()
    (folder / "model.py").write_text(MODEL)
    (folder / "edgekit.toml").write_text(TOML.format(sha256=write_tokenizer(folder)))
    labels = np.arange(16) % 2
    tokens = np.full((16, 4), 1)
    tokens[np.arange(16), np.arange(16) % 3 + 1] = labels + 3
    np.savez(folder / "data.npz", tokens=tokens.astype(np.int64), labels=labels)
    return folder


def test_the_bundle_carries_the_tokenizer_and_another_one_is_refused(tmp_path: Path, places: dict[str, str]) -> None:
    root = project(tmp_path / "project")
    options = ("--project", root, "--target", "host", "--backend", "onnx", "--profile", "float32", *LENIENT)
    ended = edgekit("build", *options, "--out", tmp_path / "out", env=places)
    assert ended.code == 0, ended.err + ended.out
    with zipfile.ZipFile(next((tmp_path / "out").glob("*.edgekit"))) as bundle:
        manifest = json.loads(bundle.read("manifest.json"))
        assert json.loads(bundle.read("tokenizer/tokens.json")) == WORDPIECE
    golden = {"Hellos": [1, 3, 4, 2]}
    assert manifest["tokenizers"] == {"tokens": {"path": "tokenizer/tokens.json", "size": 6, "golden": golden}}
    write_tokenizer(root, {**WORDPIECE, "added_tokens": []})
    ended = edgekit("build", *options, "--out", tmp_path / "other", env=places)
    assert ended.code == 2
    assert "EK119" in ended.err
    assert not list((tmp_path / "other").glob("*.edgekit"))
