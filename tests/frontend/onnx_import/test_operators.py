"""Each operator of the importer computes what ONNX Runtime does, on data that the import did not see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import TensorProto

from edgekit.errors import UnsupportedModelFile
from edgekit.frontend.onnx_import import model_file
from edgekit.frontend.onnx_import.control_flow import CONTROL_FLOW
from edgekit.frontend.onnx_import.operator import MAKERS
from edgekit.ir.sqnr import sqnr_db
from edgekit.specs.inputs import Input
from edgekit.specs.onnx_inputs import read_header
from edgekit.specs.onnx_operators import OPERATORS
from tests.frontend.onnx_import.graphs import floats, integers, of_one, save

IMAGE, ROWS = (1, 4, 9, 7), (1, 6, 5)
POSITIVE = {"Log", "Sqrt", "Pow"}
BOOLS, INTS = {"dtype": TensorProto.BOOL}, {"dtype": TensorProto.INT64}


def case(kind: str, shapes: Any, constants: Any = (), **options: Any) -> Any:
    words = "-".join(f"{key}={value}" for key, value in options.items())
    return pytest.param(kind, shapes, constants, options, id=f"{kind}-{words}"[:70])


UNARY = [
    "Abs", "Ceil", "Cos", "Cosh", "Erf", "Exp", "Floor", "HardSwish", "IsNaN", "Log", "Neg", "Reciprocal", "Relu",
    "Round", "Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Tan", "Tanh", "Atan", "Elu",
    "LeakyRelu", "Celu", "Selu", "HardSigmoid", "ThresholdedRelu", "Shrink", "Identity", "Dropout", "IsInf", "Mish",
]  # fmt: skip
BINARY = [
    "Add", "Sub", "Mul", "Div", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal", "Max", "Min", "Sum",
    "Mean",
]  # fmt: skip
LSTM = [floats(2, 12, 5), floats(2, 12, 3), floats(2, 24)]
GRU = [floats(1, 9, 5), floats(1, 9, 3), floats(1, 18)]
SCALES = np.array([1, 1, 2, 3], np.float32)

CASES = [
    *(case(kind, [ROWS]) for kind in UNARY),
    *(case(kind, [ROWS, ROWS]) for kind in BINARY),
    *(case(kind, [ROWS], [floats(5)]) for kind in BINARY),
    case("Acos", [ROWS], [], scaled=0.1), case("Asin", [ROWS], [], scaled=0.1),
    *(case(kind, [ROWS, ROWS], **BOOLS) for kind in ("And", "Or", "Xor")), case("Not", [ROWS], **BOOLS),
    case("BitwiseAnd", [ROWS], [integers(3)], **INTS), case("BitwiseOr", [ROWS], [integers(3)], **INTS),
    case("Div", [ROWS], [integers(3)], **INTS), case("Mod", [ROWS], [integers(3)], **INTS),
    case("Mod", [ROWS], [np.array([0.7], np.float32)], fmod=1),
    case("Pow", [ROWS], [np.array(2, np.float32)]), case("Pow", [ROWS], [floats(5)]),
    case("Clip", [ROWS], [np.array(-0.5, np.float32), np.array(0.5, np.float32)]),
    case("Clip", [ROWS], [np.array(0, np.float32), np.array(6, np.float32)]),
    case("Clip", [ROWS], [None, np.array(0.5, np.float32)]), case("Clip", [ROWS], opset=10, min=-0.1, max=0.2),
    case("HardSigmoid", [ROWS], alpha=1 / 6, beta=0.5), case("Gelu", [ROWS], opset=20),
    case("Gelu", [ROWS], opset=20, approximate="tanh"),
    case("PRelu", [IMAGE], [floats(4, 1, 1)]), case("PRelu", [IMAGE], [floats(1)]), case("PRelu", [IMAGE], [floats(7)]),
    case("Where", [ROWS], [floats(5), floats(1)], **BOOLS),
    case("Cast", [ROWS], to=TensorProto.INT32), case("Cast", [ROWS], to=TensorProto.BOOL),
    case("CastLike", [ROWS], [integers(1)]),
    *(case(kind, [IMAGE], axis=axis, opset=opset)
      for kind in ("Softmax", "LogSoftmax") for axis, opset in ((1, 13), (-1, 13), (1, 11), (3, 11))),
    # Layers
    case("Conv", [IMAGE], [floats(6, 4, 3, 3), floats(6)], pads=[1, 1, 1, 1]),
    case("Conv", [IMAGE], [floats(6, 4, 3, 3)], pads=[0, 1, 2, 1], strides=[2, 1]),
    case("Conv", [IMAGE], [floats(4, 1, 3, 3)], group=4, dilations=[2, 1]),
    case("Conv", [IMAGE], [floats(6, 4, 3, 2)], auto_pad="SAME_UPPER", strides=[2, 2]),
    case("Conv", [IMAGE], [floats(6, 4, 3, 2)], auto_pad="SAME_LOWER"),
    case("Conv", [IMAGE], [floats(6, 4, 3, 2)], auto_pad="VALID"), case("Conv", [IMAGE, (6, 4, 3, 3)], [floats(6)]),
    case("Conv", [ROWS], [floats(3, 6, 3)]), case("Conv", [(1, 2, 4, 5, 6)], [floats(3, 2, 2, 2, 2)]),
    case("ConvTranspose", [IMAGE], [floats(4, 3, 2, 2), floats(3)], strides=[2, 2], group=1),
    case("ConvTranspose", [IMAGE], [floats(4, 3, 3, 3)], strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1]),
    case("Gemm", [(1, 5)], [floats(5, 3), floats(3)]), case("Gemm", [(1, 5)], [floats(3, 5)], transB=1),
    case("Gemm", [(1, 5)], [floats(3, 5), floats(1, 3)], transB=1, alpha=0.5, beta=2.0), case("Gemm", [(1, 5), (5, 2)]),
    case("MatMul", [ROWS], [floats(5, 3)]), case("MatMul", [ROWS, (1, 5, 4)]),
    case("MatMul", [ROWS], [floats(1, 5, 3)]),
    case("BatchNormalization", [IMAGE], [floats(4), floats(4, seed=1), floats(4, seed=2), abs(floats(4)) + 0.1]),
    case("BatchNormalization", [(1, 4)], [*[floats(4)] * 3, abs(floats(4)) + 0.1], epsilon=0.1),
    case("LayerNormalization", [ROWS], [floats(5), floats(5, seed=1)]),
    case("LayerNormalization", [ROWS], [floats(6, 5)], axis=1),
    case("InstanceNormalization", [IMAGE], [floats(4), floats(4)]),
    case("RMSNormalization", [ROWS], [floats(5)], opset=23),
    case("GroupNormalization", [IMAGE], [floats(4), floats(4)], opset=21, num_groups=2),
    case("LpNormalization", [ROWS], axis=1, p=1), case("LRN", [IMAGE], size=3),
    case("LSTM", [(4, 1, 5)], LSTM, hidden_size=3, direction="bidirectional", outputs=3),
    case("LSTM", [(4, 1, 5)], [*LSTM, None, floats(2, 1, 3), floats(2, 1, 3, seed=3)], hidden_size=3,
         direction="bidirectional", outputs=3),
    case("GRU", [(4, 1, 5)], GRU, hidden_size=3, linear_before_reset=1, outputs=2),
    case("RNN", [(4, 1, 5)], [floats(1, 3, 5), floats(1, 3, 3)], hidden_size=3, outputs=2),
    # Pooling and reductions
    case("MaxPool", [IMAGE], kernel_shape=[3, 2], strides=[2, 2], pads=[1, 1, 1, 1]),
    case("MaxPool", [IMAGE], kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1]),
    case("MaxPool", [IMAGE], kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
    case("MaxPool", [IMAGE], kernel_shape=[2, 2], auto_pad="SAME_UPPER", strides=[2, 2]),
    case("AveragePool", [IMAGE], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    case("AveragePool", [IMAGE], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], count_include_pad=1),
    case("AveragePool", [IMAGE], kernel_shape=[2, 2], auto_pad="SAME_UPPER", strides=[2, 2]),
    case("AveragePool", [IMAGE], kernel_shape=[2, 2], pads=[0, 0, 1, 1], count_include_pad=1),
    case("GlobalAveragePool", [IMAGE]), case("GlobalMaxPool", [IMAGE]),
    *(case(kind, [IMAGE], axes=[2, -1], opset=12) for kind in ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceL2")),
    *(case(kind, [IMAGE], [integers(1, 2)], keepdims=0)
      for kind in ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare",
                   "ReduceLogSumExp")),
    case("ReduceLogSum", [IMAGE], [integers(1)], scaled=0.0), case("ReduceSum", [IMAGE]),
    case("ArgMax", [IMAGE], axis=1), case("ArgMin", [IMAGE], axis=2, keepdims=0),
    case("TopK", [ROWS], [integers(3)], outputs=2), case("TopK", [ROWS], [integers(2)], outputs=2, axis=1, largest=0),
    # Shapes
    case("Reshape", [ROWS], [integers(1, -1)]), case("Reshape", [ROWS], [integers(0, 0, 5, 1)]),
    case("Reshape", [ROWS], [integers(5, 6)]), case("Flatten", [IMAGE]), case("Flatten", [IMAGE], axis=0),
    case("Flatten", [IMAGE], axis=2), case("Transpose", [IMAGE], perm=[0, 2, 3, 1]), case("Transpose", [ROWS]),
    case("Squeeze", [(1, 1, 3, 1)], [integers(1, -1)]), case("Squeeze", [(1, 1, 3)], opset=11, axes=[1]),
    case("Unsqueeze", [ROWS], [integers(0, -1)]), case("Unsqueeze", [ROWS], opset=11, axes=[2]),
    case("Concat", [ROWS, ROWS], [floats(1, 6, 5)], axis=1), case("Split", [ROWS], [integers(2, 4)], axis=1, outputs=2),
    case("Split", [ROWS], axis=1, outputs=3, num_outputs=3), case("Split", [ROWS], axis=1, outputs=2, opset=11),
    case("Slice", [IMAGE], [integers(1, -4), integers(8, 1 << 40), integers(2, 3), integers(2, 1)]),
    case("Slice", [IMAGE], [integers(-1), integers(-(1 << 40)), integers(2), integers(-2)]),
    case("Slice", [IMAGE], opset=9, starts=[1], ends=[3], axes=[1]),
    case("Gather", [ROWS], [np.int64(-2)], axis=1), case("Gather", [ROWS], [integers(3, 0)], axis=1),
    case("Gather", [ROWS], [np.array([[0, 1], [2, -1]])], axis=2),
    case("GatherElements", [ROWS], [np.zeros((1, 2, 5), np.int64)], axis=1),
    case("GatherND", [ROWS], [np.array([[0, 1], [0, 3]])]),
    case("ScatterND", [ROWS], [np.array([[0, 1], [0, 3]]), floats(2, 5)]),
    case("ScatterElements", [ROWS], [np.zeros((1, 1, 5), np.int64), floats(1, 1, 5)], axis=1),
    case("Expand", [(1, 1, 5)], [integers(1, 6, 1)]), case("Tile", [ROWS], [integers(1, 2, 3)]),
    case("Shape", [ROWS]), case("Shape", [ROWS], start=1), case("Size", [ROWS]),
    case("OneHot", [ROWS], [np.int64(4), np.array([0, 2], np.float32)], **INTS), case("CumSum", [ROWS], [np.int64(1)]),
    case("Trilu", [ROWS]), case("Trilu", [ROWS], [np.int64(-1)], upper=0), case("EyeLike", [(4, 5)]),
    case("Einsum", [ROWS, (1, 5, 3)], equation="bij,bjk->bik"),
    case("DepthToSpace", [IMAGE], blocksize=2), case("DepthToSpace", [IMAGE], blocksize=2, mode="CRD"),
    case("SpaceToDepth", [(1, 2, 4, 6)], blocksize=2),
    case("Pad", [IMAGE], [integers(0, 0, 1, 2, 0, 0, 0, 1), np.array(3, np.float32)]),
    case("Pad", [IMAGE], [integers(0, 0, 1, 2, 0, 0, 0, 1)], mode="reflect"),
    case("Pad", [IMAGE], [integers(0, 0, 1, 2, 0, 0, 0, 1)], mode="edge"),
    case("Pad", [ROWS], opset=9, pads=[0, 1, 0, 0, 0, 1]),
    # Resampling
    *(case("Resize", [IMAGE], [None, SCALES], mode=mode, coordinate_transformation_mode=place, **options)
      for mode, place, options in (
          ("nearest", "asymmetric", {"nearest_mode": "floor"}), ("nearest", "half_pixel", {}),
          ("nearest", "half_pixel", {"nearest_mode": "ceil"}), ("nearest", "align_corners", {}),
          ("linear", "half_pixel", {}), ("linear", "align_corners", {}), ("linear", "pytorch_half_pixel", {}),
          ("cubic", "half_pixel", {}), ("cubic", "align_corners", {}))),
    case("Resize", [IMAGE], [None, None, integers(1, 4, 5, 11)], mode="linear"),
    case("Resize", [IMAGE], [None, None, integers(1, 4, 5, 11)], mode="nearest"),
    case("Resize", [IMAGE], [None, np.array([0.6, 1.3], np.float32)], mode="linear", axes=[2, 3]),
    case("Resize", [ROWS], [None, np.array([1, 1, 2], np.float32)], mode="linear"),
    case("Upsample", [IMAGE], [SCALES], opset=9, mode="nearest"),
    case("GridSample", [IMAGE, (1, 3, 2, 2)], opset=16),
    case("GridSample", [IMAGE, (1, 3, 2, 2)], opset=20, align_corners=1),
]  # fmt: skip


def sample(shape: list[int], dtype: str, seed: int, scale: float) -> np.ndarray[Any, Any]:
    random = np.random.default_rng(seed)
    if dtype == "bool":
        return random.random(shape) < 0.5
    if dtype == "int64":
        return random.integers(0, 4, shape)
    values: np.ndarray[Any, Any] = random.normal(size=shape).astype(np.float32)
    return values if scale == 1 else np.abs(values) * np.array(scale, np.float32) + np.array(0.01, np.float32)


@pytest.mark.parametrize(("kind", "shapes", "constants", "options"), CASES)
def test_an_operator_computes_what_onnx_runtime_does(
    tmp_path: Path, kind: str, shapes: Any, constants: Any, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    scale = options.pop("scaled", 0.3 if kind in POSITIVE else 1)
    proto = of_one(kind, shapes, constants, **options)
    options["scaled"] = scale
    path = save(proto, tmp_path / "net.onnx")
    # Batch 1 is for projects: weights and matrices of the cases are inputs, too.
    stated = {f"x{i}": Input(shape=tuple(shape[1:]), dtype="float32") for i, shape in enumerate(shapes)}
    dtypes = {int(TensorProto.BOOL): "bool", int(TensorProto.INT64): "int64"}
    dtype = dtypes.get(options.get("dtype", 0), "float32")
    examples = [
        tuple(torch.from_numpy(sample(list(shape), dtype, seed, scale)) for shape in shapes) for seed in (0, 1, 2)
    ]
    monkeypatch.setattr(model_file, "network_examples", lambda inputs, seed: examples[seed])
    network = model_file.read_onnx(path, "net.onnx", stated)
    read_header(path, "net.onnx")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    expected = session.run(None, {f"x{i}": value.numpy() for i, value in enumerate(examples[2])})
    with torch.no_grad():
        answers = network(*examples[2])
    answers = {name: value.detach() for name, value in answers.items()}
    assert len(expected) == len(answers)
    for one, other in zip(expected, answers.values(), strict=True):
        assert one.shape == tuple(other.shape)
        assert one.dtype == other.numpy().dtype
        if one.dtype.kind in "bi":
            np.testing.assert_array_equal(one, other.numpy())
        elif one.size:
            assert sqnr_db(one.astype(np.float64), other.double().numpy()) > 100


def test_every_operator_that_the_header_lets_pass_can_be_made_and_is_tried() -> None:
    assert {*MAKERS, *CONTROL_FLOW} == OPERATORS
    tried = {str(one.values[0]) for one in CASES}
    # Those are made of constants alone, and tried in whole graphs.
    assert OPERATORS - tried == {"Constant", "ConstantOfShape", "Range", *CONTROL_FLOW}


@pytest.mark.parametrize(
    ("kind", "shapes", "constants", "options", "words"),
    [
        ("GRU", [(4, 1, 5)], GRU, {"hidden_size": 3}, "resets before the linear layer"),
        ("LSTM", [(4, 1, 5)], [part[:1] for part in LSTM], {"hidden_size": 3, "direction": "reverse"}, "backwards"),
        (
            "Resize",
            [IMAGE],
            [None, SCALES],
            {"mode": "linear", "coordinate_transformation_mode": "asymmetric"},
            "lacks",
        ),
        ("ArgMax", [IMAGE], [], {"select_last_index": 1}, "last of equal"),
    ],
)
def test_a_variant_that_torch_lacks_is_refused_by_the_name_of_its_node(
    tmp_path: Path,
    kind: str,
    shapes: Any,
    constants: Any,
    options: dict[str, Any],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = save(of_one(kind, shapes, constants, **options), tmp_path / "net.onnx")
    stated = {f"x{i}": Input(shape=tuple(shape[1:])) for i, shape in enumerate(shapes)}
    examples = tuple(torch.rand(*shape) for shape in shapes)
    monkeypatch.setattr(model_file, "network_examples", lambda inputs, seed: examples)
    with pytest.raises(UnsupportedModelFile, match=rf"node 'the_{kind}' \({kind}, opset 18\) .*{words}") as caught:
        model_file.read_onnx(path, "net.onnx", stated)
    assert caught.value.hint
