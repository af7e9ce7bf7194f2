"""Loading: what the user's factory may do wrong, and what preprocessing in the graph computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from edgekit.errors import CaptureError, ForwardError, LoadError, SpecError
from edgekit.frontend.capture import capture
from edgekit.frontend.load import load
from edgekit.frontend.preprocess import Pixels
from edgekit.frontend.store import load_program, save_program
from edgekit.ir.program import PassRecord
from edgekit.ir.text import text
from edgekit.specs.preprocess import Preprocess
from edgekit.specs.project import Project
from tests.networks import MODEL, TOML, substitute, write_project

GOLDEN = Path(__file__).parents[1] / "golden"


def project(folder: Path, model: str = MODEL, toml: str = TOML) -> Project:
    return Project.read(write_project(folder, model, toml))


def test_preprocessing_is_the_users_formula() -> None:
    stage = Pixels(
        Preprocess.model_validate({"from": "uint8 NHWC", "scale": 1 / 255, "mean": [0.5, 0.4], "std": [0.2, 0.3]})
    )
    pixels = torch.randint(0, 256, (2, 3, 5, 2), dtype=torch.uint8)
    expected = (pixels.double() / 255 - torch.tensor([0.5, 0.4])) / torch.tensor([0.2, 0.3])
    torch.testing.assert_close(stage(pixels).double(), expected.permute(0, 3, 1, 2), rtol=1e-5, atol=1e-5)


def test_the_captured_program_takes_raw_pixels(tmp_path: Path) -> None:
    model = load(project(tmp_path))
    program = capture(model)
    assert str(program.signature.inputs[0]) == "image: uint8[1, 8, 8, 3]"
    assert str(program.signature.outputs[0]) == "output: float32[1, 4]"
    with torch.no_grad():
        torch.testing.assert_close(program.exported.module()(*model.examples), model.module(*model.examples))


def test_the_captured_program_reads_as_it_did(tmp_path: Path) -> None:
    assert text(capture(load(project(tmp_path)))) == (GOLDEN / "captured.txt").read_text()


def test_a_program_survives_the_disk(tmp_path: Path) -> None:
    model = load(project(tmp_path / "project"))
    record = PassRecord("nothing", (("option", "value"),), 0.5, float("inf"))
    program = capture(model)
    program = program.then(program.exported, record)
    save_program(program, tmp_path)
    again = load_program(tmp_path)
    assert again.signature == program.signature
    assert again.history == (record,)
    assert text(again) == text(program)


RETURNS_DICT = """
import torch


class Net(torch.nn.Module):
    def forward(self, x):
        return {'a': x + 1, 'b': x * 2}


def net():
    return Net()
"""


def test_outputs_are_named_by_the_project_by_the_dict_or_by_number(tmp_path: Path) -> None:
    named = capture(load(project(tmp_path / "dict", RETURNS_DICT)))
    assert [spec.name for spec in named.signature.outputs] == ["a", "b"]
    stated = substitute("[inputs", 'outputs = ["left", "right"]\n\n[inputs', TOML)
    stated_ = capture(load(project(tmp_path / "stated", RETURNS_DICT, stated)))
    assert [spec.name for spec in stated_.signature.outputs] == ["left", "right"]
    pair = substitute("{'a': x + 1, 'b': x * 2}", "x + 1, x * 2", RETURNS_DICT)
    numbered = capture(load(project(tmp_path / "pair", pair)))
    assert [spec.name for spec in numbered.signature.outputs] == ["output_0", "output_1"]
    too_few = substitute("[inputs", 'outputs = ["left"]\n\n[inputs', TOML)
    with pytest.raises(SpecError, match="names 1, the model returns 2"):
        capture(load(project(tmp_path / "few", pair, too_few)))


@pytest.mark.parametrize(
    ("model", "kind", "message"),
    [
        ("def net():\n    raise ValueError('no weights')\n", LoadError, r"model\.py:2 in net: ValueError: no weights"),
        ("def net():\n    return 3\n", LoadError, r"returned int, not a torch\.nn\.Module"),
        ("net = 'text'\n", LoadError, r"returned str"),
        ("import nowhere\n\ndef net():\n    pass\n", LoadError, r"model\.py' could not be imported.*'nowhere'"),
        ("def nett():\n    pass\n", SpecError, r"'model\.py' has no 'net'"),
        (
            "import torch\n\ndef net():\n    return torch.nn.Conv2d(5, 8, 3)\n",
            ForwardError,
            r"forward failed on image \[3, 8, 8\]: RuntimeError",
        ),
    ],
    ids=["raises", "no module", "text", "import", "name", "shape"],
)  # fmt: skip
def test_a_factory_that_fails_says_where(tmp_path: Path, model: str, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message) as caught:
        load(project(tmp_path, model))
    assert caught.value.hint or kind is LoadError  # type: ignore[attr-defined]


def test_what_cannot_be_traced_names_module_and_line(tmp_path: Path) -> None:
    model = substitute("return torch.relu(x + ", "return (x if x.sum() > 0 else -x) + torch.relu(", MODEL)
    with pytest.raises(CaptureError, match=r"module 'block' \(Block\) at model\.py:13 in forward") as caught:
        capture(load(project(tmp_path, model)))
    assert "torch.cond" in str(caught.value.hint)


def test_several_inputs_keep_their_order(tmp_path: Path) -> None:
    model = """
    import torch

    class Net(torch.nn.Module):
        def forward(self, left, right):
            return left - right.float().sum()

    def net():
        return Net()
    """
    toml = TOML.partition("[inputs")[0] + "[inputs.left]\nshape = [4]\n[inputs.right]\nshape = [2]\ndtype = 'int64'\n"
    toml += "[data]\nevaluation = { path = 'data.npz', licence = '', source = '' }\n"
    program = capture(load(project(tmp_path, model, toml)))
    assert [str(spec) for spec in program.signature.inputs] == ["left: float32[1, 4]", "right: int64[1, 2]"]
    left, right = torch.rand(1, 4), torch.tensor([[1, 2]])
    np.testing.assert_allclose(program.exported.module()(left, right), left - 3, rtol=1e-6)


MASKED = """
import numpy as np
import torch
from torch import nn


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(9, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.blocks = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)

    def forward(self, ids, attention_mask):
        return self.blocks(self.table(ids), src_key_padding_mask=attention_mask == 0).mean(1)


class Texts:
    def __len__(self):
        return 3

    def __getitem__(self, i):
        return {"ids": np.full(6, i + 1, np.int64), "attention_mask": np.array([1, 1, 1, 1, 0, 0], np.int64)}, 0
"""
MASKED_TOML = """
[model]
factory = "model.py:Encoder"
task = "regression"

[inputs.ids]
shape = [6]
dtype = "int64"

[inputs.attention_mask]
shape = [6]
dtype = "int64"

[data]
calibration = { loader = "model.py:Texts", licence = "own", source = "drawn" }
evaluation = { loader = "model.py:Texts", licence = "own", source = "drawn" }
"""


def test_a_network_that_takes_no_zeros_is_traced_with_a_calibration_sample(tmp_path: Path) -> None:
    model = load(project(tmp_path, MASKED, MASKED_TOML))
    assert [example.tolist() for example in model.examples] == [[[2] * 6], [[1, 1, 1, 1, 0, 0]]]
    with torch.no_grad():
        assert torch.isfinite(capture(model).exported.module()(*model.examples)).all()


def test_a_calibration_sample_that_fails_is_the_forwards_failure(tmp_path: Path) -> None:
    broken = MASKED.replace("nn.Embedding(9, 8)", "nn.Embedding(1, 8)").replace(
        "return self.blocks", "assert attention_mask.any()\n        return self.blocks"
    )
    with pytest.raises(ForwardError, match="index out of range"):
        load(project(tmp_path, broken, MASKED_TOML))
