"""Whole ONNX models as the model of a project: exported by torch's two exporters, folded, named, pruned, refused."""

from __future__ import annotations

import contextlib
import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from edgekit.errors import EdgekitError, ModelFileError, SpecError, UnsupportedModelFile
from edgekit.file_trace import traced
from edgekit.frontend.capture import capture
from edgekit.frontend.load import load, load_twice
from edgekit.frontend.onnx_import.network import OnnxNetwork
from edgekit.ir.sqnr import sqnr_db
from edgekit.passes.pruning.prune import prune
from edgekit.specs.compression import Prune
from edgekit.specs.project import Project
from tests.frontend.onnx_import.graphs import floats, model, of_one, save
from tests.networks import TOML, substitute, write_project

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
FILE = substitute('factory = "model.py:net"', 'file = "net.onnx"', TOML)
BARE = FILE.partition("[inputs")[0] + "[data]" + FILE.partition("[data]")[2]
"""A project that states no inputs."""


def project(folder: Path, proto: Any, toml: str = BARE) -> Project:
    save(proto, folder / "net.onnx")
    return Project.read(write_project(folder, "", toml, samples=4))


class Classifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.block = nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.ReLU6())
        self.head = nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem(x))
        x = x + self.block(x)
        x = nn.functional.interpolate(x, scale_factor=2.0)
        pooled = nn.functional.adaptive_avg_pool2d(x, 1)
        head: Tensor = self.head(pooled.reshape(x.shape[0], -1))
        return head


class Encoder(nn.Module):
    """A transformer with tokens and a mask, as sentence encoders are."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(50, 16)
        self.places = nn.Parameter(torch.randn(1, 12, 16))
        self.query, self.key, self.value, self.out = (nn.Linear(16, 16) for _ in range(4))
        self.norm = nn.LayerNorm(16)
        self.lstm = nn.LSTM(16, 8, batch_first=True, bidirectional=True)

    def forward(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        x = self.words(tokens) + self.places
        parts = (layer(x).view(1, 12, 2, 8).transpose(1, 2) for layer in (self.query, self.key, self.value))
        query, key, value = parts
        scores = query @ key.transpose(2, 3) / 8**0.5 + (1 - mask[:, None, None].float()) * -1e4
        x = self.norm(x + self.out((scores.softmax(-1) @ value).transpose(1, 2).reshape(1, 12, 16)))
        sequence, _ = self.lstm(x)
        weight = mask[..., None].float()
        return (x * weight).sum(1) / weight.sum(1).clamp(min=1), sequence


def exported(network: nn.Module, args: tuple[Tensor, ...], dynamo: bool, **options: Any) -> Any:
    buffer = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), contextlib.redirect_stdout(io.StringIO()):
        if dynamo:
            program = torch.onnx.export(network, args, dynamo=True, verbose=False, **options)
            assert program is not None
            return program.model_proto
        torch.onnx.export(network, args, buffer, dynamo=False, opset_version=15, **options)  # type: ignore[arg-type]
    return onnx.load_from_string(buffer.getvalue())


exporters = pytest.mark.parametrize("dynamo", [True, False], ids=["dynamo", "script"])


@pytest.mark.lowers
@exporters
def test_a_classifier_is_the_network_that_was_exported(tmp_path: Path, dynamo: bool) -> None:
    torch.manual_seed(0)
    network = Classifier().eval()
    names: dict[str, Any] = {"input_names": ["image"], "output_names": ["logits"]}
    stated = project(tmp_path, exported(network, (torch.rand(1, 3, 8, 8),), dynamo, **names), FILE)
    loaded, _ = load_twice(stated)
    program = capture(loaded)
    assert [str(spec) for spec in program.signature.outputs] == ["logits: float32[1, 4]"]
    pixels = torch.randint(0, 256, (1, 8, 8, 3), dtype=torch.uint8)
    with torch.no_grad():
        expected = network(loaded.module.preprocess[0](pixels))
        answer = program.exported.module()(pixels)["logits"]
        batch = loaded.module.model(loaded.module.preprocess[0](pixels.repeat(3, 1, 1, 1)))["logits"]  # as in training
    assert sqnr_db(expected.numpy(), answer.numpy()) > 110
    assert batch.shape == (3, 4)
    layers = {name: type(layer).__name__ for name, layer in loaded.module.model.named_modules()}
    assert [layers[name] for name in ("stem", "block.0", "head")] == ["Conv2d", "Conv2d", "Linear"]
    pruned = prune(loaded, Prune(pattern="structured", ratio=0.5, importance="magnitude", round_to=4), None)
    assert pruned.module.model.state_dict()["stem.weight"].shape[0] == 8


@pytest.mark.lowers
@pytest.mark.filterwarnings("ignore:The tensor attributes:UserWarning")  # of torch.export, for every LSTM
@exporters
def test_an_encoder_with_tokens_and_a_mask_takes_its_inputs_from_the_file(tmp_path: Path, dynamo: bool) -> None:
    torch.manual_seed(0)
    network = Encoder().eval()
    tokens, mask = torch.randint(0, 50, (1, 12)), torch.tensor([[1] * 8 + [0] * 4])
    names: dict[str, Any] = {"input_names": ["tokens", "mask"], "output_names": ["sentence", "sequence"]}
    stated = project(tmp_path, exported(network, (tokens, mask), dynamo, **names))
    assert {name: (spec.shape, spec.dtype) for name, spec in stated.inputs.items()} == {
        "tokens": ((12,), "int64"),
        "mask": ((12,), "int64"),
    }
    program = capture(load(stated))
    with torch.no_grad():
        answers = program.exported.module()(tokens, mask)
        for name, expected in zip(("sentence", "sequence"), network(tokens, mask), strict=True):
            assert sqnr_db(expected.numpy(), answers[name].numpy()) > 110
    layers = [type(layer).__name__ for layer in load(stated).module.model.modules()]
    assert layers.count("Linear") == 4
    assert all(layer.bias is not None for layer in load(stated).module.model.modules() if isinstance(layer, nn.Linear))
    assert {"Embedding", "LSTM"} <= set(layers)


RELU = helper.make_node("Relu", ["x"], ["y"], name="first")


def free(*shape: Any, kind: int = FLOAT) -> Any:
    return model([RELU], {"x": (shape, kind)}, ["y"])


def test_axes_without_a_length_are_asked_for_by_their_names(tmp_path: Path) -> None:
    proto = free("batch", 3, "height", "width")
    with pytest.raises(SpecError, match=r"input 'x' of 'net\.onnx': axis 2, 'height', has no length") as caught:
        project(tmp_path, proto)
    hint = "state it, without the batch axis: [inputs.x] shape = [3, HEIGHT, WIDTH]"
    assert caught.value.hint == f'{hint}; a range keeps it free: "height:8..64"'
    stated = substitute("[data]", "[inputs.x]\nshape = [3, 6, 4]\n[data]", BARE)
    assert project(tmp_path, proto, stated).inputs["x"].shape == (3, 6, 4)


def test_inputs_that_the_project_states_in_part_are_completed(tmp_path: Path) -> None:
    nodes = [helper.make_node("Add", ["a", "b:0"], ["y"])]
    proto = model(nodes, {"a": ([1, 4], FLOAT), "b:0": ([1, 4], FLOAT)}, ["y"])
    pixels = "[inputs.b_0]\nshape = [4]\n[data]"
    stated = project(tmp_path, proto, substitute("[data]", pixels, BARE))
    assert list(stated.inputs) == ["a", "b_0"]
    assert [str(spec) for spec in capture(load(stated)).signature.inputs] == ["a: float32[1, 4]", "b_0: float32[1, 4]"]


def test_an_input_may_state_its_preprocessing_alone(tmp_path: Path) -> None:
    lines = '[inputs.x]\npreprocess = { from = "uint8 NHWC", scale = 0.5 }\n[data]'
    stated = project(tmp_path, free("batch", 3, 8, 6), substitute("[data]", lines, BARE))
    assert (stated.inputs["x"].shape, stated.inputs["x"].raw_dtype) == ((3, 8, 6), "uint8")
    assert str(capture(load(stated)).signature.inputs[0]) == "x: uint8[1, 8, 6, 3]"


def test_a_branch_on_a_constant_and_shapes_are_folded(tmp_path: Path) -> None:
    then = helper.make_graph([helper.make_node("Neg", ["x"], ["n"])], "then", [], [onnx.ValueInfoProto(name="n")])
    other = helper.make_graph([helper.make_node("Abs", ["x"], ["a"])], "other", [], [onnx.ValueInfoProto(name="a")])
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "last"], ["length"]),
        helper.make_node("Greater", ["length", "three"], ["long"]),
        helper.make_node("If", ["long"], ["branch"], then_branch=then, else_branch=other),
        helper.make_node("Range", ["zero", "length", "one"], ["numbers"]),
        helper.make_node("Cast", ["numbers"], ["floats"], to=FLOAT),
        helper.make_node(
            "ConstantOfShape", ["shape"], ["zeros"], value=numpy_helper.from_array(np.array([2], np.float32))
        ),
        helper.make_node("Constant", [], ["half"], value_float=0.5),
        helper.make_node("Sum", ["branch", "floats", "zeros", "half"], ["y"]),
    ]
    constants = {name: np.array(i, np.int64) for i, name in ((1, "last"), (3, "three"), (0, "zero"), (1, "one"))}
    loaded = load(project(tmp_path, model(nodes, {"x": ([1, 4], FLOAT)}, ["y"], constants)))
    x = torch.tensor([[1.0, 2, 3, 4]])
    with torch.no_grad():
        torch.testing.assert_close(loaded.module.model(x)["y"], -x + torch.arange(4) + 2.5)
    network = loaded.module.model
    assert isinstance(network, OnnxNetwork)
    assert [call.outputs for call in network.calls] == [("If_3/n",), ("y",)]


def external(folder: Path, location: str, **entries: int) -> Any:
    """A model whose bias lies in another file."""
    proto = model([helper.make_node("Add", ["x", "bias"], ["y"])], {"x": ([1, 4], FLOAT)}, ["y"], {"bias": floats(4)})
    tensor = proto.graph.initializer[0]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "weights.bin").write_bytes(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=str(value))
    return proto


def test_weights_in_another_file_are_read_and_are_a_part_of_the_cache_key(tmp_path: Path) -> None:
    stated = project(tmp_path, external(tmp_path, "weights.bin"))
    x = torch.zeros(1, 4)
    loaded, trace = traced(lambda: load(stated), stated.root, tmp_path / "cache")
    np.testing.assert_array_equal(loaded.module.model(x)["y"].detach()[0], floats(4))
    (tmp_path / "weights.bin").write_bytes(floats(4, seed=1).tobytes())
    assert traced(lambda: load(stated), stated.root, tmp_path / "cache")[1].digest != trace.digest


@pytest.mark.parametrize(
    ("location", "entries", "words"),
    [
        ("gone.bin", {}, "which is not there"),
        ("../weights.bin", {}, "outside of the model's folder"),
        ("/etc/passwd", {}, "outside of the model's folder"),
        ("weights.bin", {"offset": 8, "length": 16}, "ends before the weight 'bias'"),
        ("weights.bin", {"offset": -8}, "the weight 'bias' lies at '-8'"),
    ],
)
def test_weights_that_are_elsewhere_are_refused(
    tmp_path: Path, location: str, entries: dict[str, int], words: str
) -> None:
    with pytest.raises(ModelFileError, match=words) as caught:
        project(tmp_path / "project", external(tmp_path / "project", location, **entries))
    assert caught.value.hint


CUSTOM = helper.make_node("Attention", ["x"], ["y"], name="fused", domain="com.microsoft")
QUANTIZED = helper.make_node("DequantizeLinear", ["x", "s"], ["y"], name="dq")
LOOP = helper.make_node("NonZero", ["x"], ["y"], name="cells")


@pytest.mark.parametrize(
    ("proto", "kind", "words"),
    [
        (model([RELU], {"x": ([1, 4], FLOAT)}, ["y"], opset=5), UnsupportedModelFile, "opset 5, edgekit reads 7 to"),
        (model([CUSTOM], {"x": ([1, 4], FLOAT)}, ["y"], domains=["com.microsoft"]), UnsupportedModelFile,
         r"node 'fused' of 'net\.onnx' is com\.microsoft\.Attention"),
        (model([QUANTIZED], {"x": ([1, 4], FLOAT)}, ["y"], {"s": floats(1)}), UnsupportedModelFile,
         "quantized already"),
        (model([LOOP], {"x": ([1, 4], FLOAT)}, ["y"]), UnsupportedModelFile, "node 'cells' .* is NonZero, which"),
        (free(4, 3), UnsupportedModelFile, "batch of 4, edgekit's is 1"),
        (free(1, 3, kind=TensorProto.DOUBLE), UnsupportedModelFile, "has type 11"),
        (free(), UnsupportedModelFile, "no batch axis"),
    ],
)  # fmt: skip
def test_a_file_that_edgekit_cannot_take_is_refused_by_its_header(
    tmp_path: Path, proto: Any, kind: type[EdgekitError], words: str
) -> None:
    with pytest.raises(kind, match=words) as caught:
        project(tmp_path, proto)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("[inputs.image]\nshape = [4]", r"\[inputs\.image\]: 'net\.onnx' has no such input"),
        ("[inputs.x]\nshape = [5]", r"shape = \[5\]: 'net\.onnx' takes \[4\]"),
        ('[inputs.x]\nshape = [4]\ndtype = "int64"', r"dtype: 'net\.onnx' takes float32"),
    ],
)
def test_inputs_that_are_not_the_files_are_refused(tmp_path: Path, lines: str, words: str) -> None:
    with pytest.raises(SpecError, match=words) as caught:
        project(tmp_path, free(1, 4), substitute("[data]", f"{lines}\n[data]", BARE))
    assert caught.value.hint


def halved(proto: Any) -> Any:
    """The model with weights, inputs and outputs of float16."""
    for tensor in proto.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name))
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
    del proto.graph.value_info[:]
    return proto


def test_half_precision_becomes_float32(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], name="conv", pads=[1, 1, 1, 1]),
        helper.make_node("Cast", ["c"], ["d"], to=TensorProto.DOUBLE),
        helper.make_node("Constant", [], ["half"], value=numpy_helper.from_array(np.array(0.5))),
        helper.make_node("Mul", ["d", "half"], ["e"]),
        helper.make_node("Cast", ["e"], ["f"], to=TensorProto.FLOAT16),
        helper.make_node("Constant", [], ["two"], value=numpy_helper.from_array(np.array([2], np.float16))),
        helper.make_node("Mul", ["f", "two"], ["y"]),
    ]
    weights = {"w": floats(8, 3, 3, 3), "b": floats(8)}
    proto = halved(model(nodes, {"x": ([1, 3, 8, 8], FLOAT)}, ["y"], weights))
    stated = project(tmp_path, proto)
    assert stated.inputs["x"].dtype == "float32"
    network = load(stated).module.model
    assert {value.dtype for value in network.state_dict().values()} == {torch.float32}
    x = floats(1, 3, 8, 8, seed=3).astype(np.float16)
    (expected,) = onnxruntime.InferenceSession(proto.SerializeToString()).run(None, {"x": x})
    with torch.no_grad():
        answer = network(torch.from_numpy(x.astype(np.float32)))["y"].numpy()
    assert 50 < sqnr_db(answer, expected.astype(np.float32)) < 100  # what the file rounds, and the network does not


def test_random_numbers_are_refused(tmp_path: Path) -> None:
    node = helper.make_node("Dropout", ["x"], ["y"])  # in evaluation it is nothing
    load(project(tmp_path / "one", model([node], {"x": ([1, 4], FLOAT)}, ["y"])))
    batch = of_one("BatchNormalization", [(1, 4)], [floats(4)] * 4, opset=15, training_mode=1, outputs=3)
    with pytest.raises(UnsupportedModelFile, match="training mode"):
        load(project(tmp_path / "two", batch))


@pytest.mark.parametrize(
    "content", [b"", b"\x08", b"<html>not found</html>", b"\x0a\xff\xff\xff\xff\x0f", b"version https://git-lfs"]
)
def test_a_file_that_is_no_onnx_model_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "net.onnx").write_bytes(content)
    with pytest.raises(ModelFileError, match=r"'net\.onnx' cannot be read"):
        Project.read(write_project(tmp_path, "", BARE, samples=4))


def test_a_file_of_two_gigabytes_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "net.onnx").open("wb") as file:
        file.truncate(1 << 31)  # sparse: it takes no room
    with pytest.raises(ModelFileError, match="at most 2 GB") as caught:
        Project.read(write_project(tmp_path, "", BARE, samples=4))
    assert "save_as_external_data" in str(caught.value.hint)


def test_a_free_index_is_no_reason_to_guess(tmp_path: Path) -> None:
    nodes = [helper.make_node("Reshape", ["x", "n"], ["y"], name="cut")]
    proto = model(nodes, {"x": ([1, 4], FLOAT), "n": ([1, 2], INT64)}, ["y"])
    with pytest.raises(UnsupportedModelFile, match=r"node 'cut' \(Reshape, opset 18\) takes 'shape' from the data"):
        load(project(tmp_path, proto))
