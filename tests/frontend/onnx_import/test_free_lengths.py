"""Free lengths of ONNX files stay free: shapes that the graph computes become sizes that torch.export follows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn

from edgekit.errors import SpecError, UnsupportedModelFile
from edgekit.frontend.capture import capture
from edgekit.frontend.load import load
from edgekit.ir.sqnr import sqnr_db
from edgekit.specs.project import Project
from tests.frontend.onnx_import.graphs import model
from tests.frontend.onnx_import.test_networks import BARE, exported, exporters, project
from tests.networks import substitute

FLOAT = TensorProto.FLOAT


class Attention(nn.Module):
    """Self-attention over tokens of any number, with a mask and a mean over what the mask lets through."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(50, 16)
        self.places = nn.Parameter(torch.randn(1, 64, 16))
        self.query, self.key, self.value = (nn.Linear(16, 16) for _ in range(3))

    def forward(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        count, time = tokens.shape
        x = self.words(tokens) + self.places[:, :time]
        layers = (self.query, self.key, self.value)
        query, key, value = (layer(x).view(count, time, 2, 8).transpose(1, 2) for layer in layers)
        scores = query @ key.transpose(2, 3) / 8**0.5 + (1 - mask[:, None, None].float()) * -1e4
        x = x + (scores.softmax(-1) @ value).transpose(1, 2).reshape(count, time, 16)
        weight = mask[..., None].float()
        return (x * weight).sum(1) / weight.sum(1).clamp(min=1), x


class Segmenter(nn.Module):
    """Fully convolutional network that is upsampled to a shape and by scales."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.up = nn.Conv2d(3, 8, 3, 2, 1), nn.ConvTranspose2d(8, 8, 2, 2)
        self.head = nn.Conv2d(8, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        stem = torch.relu(self.stem(x))
        y = nn.functional.interpolate(nn.functional.max_pool2d(stem, 4), scale_factor=2.0)
        y = nn.functional.interpolate(y, size=stem.shape[2:], mode="bilinear", align_corners=False)
        head: Tensor = self.head(self.up(y))
        return head


TOKENS = "".join(f'[inputs.{name}]\nshape = ["t:4..64"]\ndtype = "int64"\n' for name in ("tokens", "mask"))
IMAGE = '[inputs.image]\nshape = [3, "h:32..96:32", "w:64..128:32"]\n'


def ranges(network: nn.Module, args: tuple[Tensor, ...], axes: dict[str, dict[int, str]], dynamo: bool) -> Any:
    """ONNX of a network whose axes are free, by either exporter."""
    options: dict[str, Any] = {"input_names": list(axes), "dynamic_axes": axes}
    if dynamo:
        free = tuple(dict.fromkeys(each, torch.export.Dim.AUTO) for each in axes.values())
        options = {"input_names": list(axes), "dynamic_shapes": free}
    return exported(network.eval(), args, dynamo, **options)


def worst_db(stated: Project, proto: Any) -> float:
    """Least SQNR of the captured program against ONNX Runtime at four lengths, at some of which it was not imported."""
    program = capture(load(stated))
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    worst = float("inf")
    for step in range(4):
        sizes = {length.name: length.all[step * (len(length.all) - 1) // 3] for length in stated.lengths}
        values = {}
        for name, spec in stated.inputs.items():
            shape = [1, *(sizes[size.length.name] if hasattr(size, "length") else size for size in spec.shape)]
            random = np.random.default_rng(step)
            whole = spec.dtype == "int64"
            values[name] = random.integers(0, 2, shape) if whole else random.random(shape, np.float32)
        with torch.no_grad():
            answers = program.exported.module()(*map(torch.from_numpy, values.values()))
        for expected, answer in zip(session.run(None, values), answers.values(), strict=True):
            assert expected.shape == tuple(answer.shape)
            worst = min(worst, sqnr_db(expected, answer.numpy()))
    return worst


@pytest.mark.lowers
@exporters
def test_an_encoder_of_free_time_is_kept_free(tmp_path: Path, dynamo: bool) -> None:
    torch.manual_seed(0)
    args = (torch.ones(1, 12, dtype=torch.int64), torch.ones(1, 12, dtype=torch.int64))
    proto = ranges(Attention(), args, {"tokens": {1: "t"}, "mask": {1: "t"}}, dynamo)
    assert worst_db(project(tmp_path, proto, substitute("[data]", f"{TOKENS}[data]", BARE)), proto) > 110


@pytest.mark.lowers
@exporters
def test_a_picture_of_free_size_is_kept_free(tmp_path: Path, dynamo: bool) -> None:
    torch.manual_seed(0)
    proto = ranges(Segmenter(), (torch.rand(1, 3, 64, 96),), {"image": {2: "h", 3: "w"}}, dynamo)
    assert worst_db(project(tmp_path, proto, substitute("[data]", f"{IMAGE}[data]", BARE)), proto) > 110


def test_shapes_and_ranges_are_computed_from_the_length_that_comes(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "one"], ["time"]),
        helper.make_node("Range", ["zero", "time", "one"], ["places"]),
        helper.make_node("Cast", ["places"], ["numbers"], to=FLOAT),
        helper.make_node("Cast", ["time"], ["length"], to=FLOAT),
        helper.make_node("Div", ["numbers", "length"], ["shares"]),
        helper.make_node("Unsqueeze", ["time", "axis"], ["last"]),
        helper.make_node("Concat", ["minus", "last"], ["wanted"], axis=0),
        helper.make_node("Equal", ["wanted", "minus"], ["open"]),
        helper.make_node("Where", ["open", "one", "wanted"], ["sizes"]),
        helper.make_node("Expand", ["shares", "sizes"], ["wide"]),
        helper.make_node("Add", ["x", "wide"], ["y"]),
    ]
    constants = {name: np.array(i, np.int64) for i, name in ((0, "zero"), (1, "one"))}
    constants |= {"axis": np.array([0]), "minus": np.array([-1])}
    proto = model(nodes, {"x": ([1, "t"], FLOAT)}, ["y"], constants)
    stated = project(tmp_path, proto, substitute("[data]", '[inputs.x]\nshape = ["t:2..9"]\n[data]', BARE))
    assert worst_db(stated, proto) > 110


def test_a_graph_that_fixes_a_length_is_refused_by_its_node(tmp_path: Path) -> None:
    nodes = [helper.make_node("Reshape", ["x", "sizes"], ["y"], name="fold")]
    proto = model(nodes, {"x": ([1, "t"], FLOAT)}, ["y"], {"sizes": np.array([1, 2, 8])})
    stated = project(tmp_path, proto, substitute("[data]", '[inputs.x]\nshape = ["t:4..16:4"]\n[data]', BARE))
    with pytest.raises(
        UnsupportedModelFile, match=r"node 'fold' .* fixes a length that the project has free"
    ) as caught:
        load(stated)
    assert "dynamic_axes" in str(caught.value.hint)


def test_an_axis_that_the_file_fixes_cannot_be_free(tmp_path: Path) -> None:
    proto = model([onnx.helper.make_node("Relu", ["x"], ["y"])], {"x": ([1, 16], FLOAT)}, ["y"])
    with pytest.raises(SpecError, match=r"axis 1 of 'net\.onnx' has 16 elements") as caught:
        project(tmp_path, proto, substitute("[data]", '[inputs.x]\nshape = ["t:4..16"]\n[data]', BARE))
    assert "dynamic_axes" in str(caught.value.hint)
