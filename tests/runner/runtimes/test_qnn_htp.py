"""ONNX models on Qualcomm's emulated Hexagon NPU, and on stand-ins for it that lie."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from edgekit.backends.onnx.external_weights import write_with_weights
from edgekit.ir.sqnr import sqnr_db
from edgekit.runner.errors import RunnerError
from edgekit.runner.files.onnx_graph import read_onnx_graph
from edgekit.runner.machine.hang_watch import overseen
from edgekit.runner.machine.runtime_versions import version_of
from edgekit.runner.model import npu_contexts
from edgekit.runner.model.accelerator import QNN_HTP
from edgekit.runner.model.hexagon_formats import inputs_of_two_formats
from edgekit.runner.model.manifest import ModelTensor
from edgekit.runner.runtimes import qnn_htp, qnn_library, select_runtime
from edgekit.runner.runtimes.base import load
from edgekit.runner.runtimes.model import LoadedModel
from edgekit.runner.runtimes.qnn_context import compile_context
from edgekit.runner.runtimes.qnn_errors import qnn_error
from edgekit.runner.runtimes.qnn_htp import QnnHtp
from tests.runner.runtimes.hexagon_models import SHAPE, around, convolution, manifest, save

emulator = pytest.mark.skipif(version_of(qnn_library.DISTRIBUTION) is None, reason="onnxruntime-qnn is not installed")
SAMPLE = np.random.default_rng(1).standard_normal(SHAPE).astype(np.float32)


def on_cpu(model: Path, sample: np.ndarray = SAMPLE) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    answer: np.ndarray = session.run(None, {"x": sample})[0]
    return answer


def refused(kind: str, model: Path, **options: str) -> str:
    with pytest.raises(RunnerError) as told:
        load(QnnHtp("onnxruntime"), manifest(model, options=options), 1)([SAMPLE])
    assert told.value.kind == kind, told.value
    return str(told.value)


@emulator
def test_a_quantized_model_answers_as_on_the_cpu_and_the_session_tells_what_was_taken(tmp_path: Path) -> None:
    model, runtime = convolution(tmp_path / "model.onnx", np.uint8(128)), QnnHtp("onnxruntime")
    answers = load(runtime, manifest(model), 1)([SAMPLE])[0]
    assert np.abs(answers - on_cpu(model)).max() <= 4 / 128 + 1e-6
    facts = runtime.accelerator
    assert facts
    assert facts.device == "Hexagon v75 (SM8650), emulated"
    assert facts.software
    assert facts.precision == "uint8"
    assert facts.taken
    assert facts.taken + sum(count for _, count in facts.left) == facts.operators
    assert dict(facts.left).keys() <= {"QuantizeLinear", "DequantizeLinear"}
    assert facts.note == "1 QNN graph"


@emulator
def test_activations_of_16_bits_are_taken_from_v73_on(tmp_path: Path) -> None:
    model = convolution(tmp_path / "model.onnx", np.uint16(32768), "com.microsoft")
    assert np.abs(load(QnnHtp("onnxruntime"), manifest(model), 1)([SAMPLE])[0] - on_cpu(model)).max() < 4e-3
    message = refused("formats", model, soc="QCM6490")
    assert "HTP v68 does not run" in message
    assert "whose activations are uint16" in message


@emulator
def test_a_model_in_float_runs_from_v73_on_and_its_formats_are_told_before(tmp_path: Path) -> None:
    weights = np.random.default_rng(0).standard_normal((4, 3, 3, 3)).astype(np.float32)
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"]), helper.make_node("Relu", ["c"], ["y"])]
    model, runtime = save(tmp_path / "model.onnx", nodes, {"w": weights}), QnnHtp("onnxruntime")
    assert np.abs(load(runtime, manifest(model), 1)([SAMPLE])[0] - on_cpu(model)).max() < 0.05
    assert runtime.accelerator
    assert runtime.accelerator.precision == "float16"
    assert "whose activations are float: it takes uint8" in refused("formats", model, soc="QCM6490")


@emulator
def test_signed_activations_are_told_with_cause_and_remedy(tmp_path: Path) -> None:
    model, runtime = convolution(tmp_path / "model.onnx", np.int8(0)), QnnHtp("onnxruntime")
    load(runtime, manifest(model), 1)
    assert runtime.accelerator
    assert "signed int8 activations: HTP takes uint8 or uint16" in runtime.accelerator.note
    assert "edgekit build --target snapdragon-8-gen-3 --backend onnx" in runtime.accelerator.note


@emulator
def test_a_cast_of_pixels_is_told_as_it_is_answered_wrongly(tmp_path: Path) -> None:
    nodes = [helper.make_node("Cast", ["x"], ["c"], to=1), helper.make_node("Mul", ["c", "k"], ["y"])]
    model = save(tmp_path / "model.onnx", nodes, {"k": np.float32(0.5).reshape(())}, pixels=True)
    pixels = np.random.default_rng(0).integers(2, 255, (1, 8, 8, 3)).astype(np.uint8)
    runtime = QnnHtp("onnxruntime")
    answers = load(runtime, manifest(model, pixels=True), 1)([pixels])[0]
    assert runtime.accelerator
    assert "Cast of uint8 to float ('x')" in runtime.accelerator.note
    # Once this fails, QNN answers rightly, and the warning can go.
    assert np.abs(answers - on_cpu(model, pixels)).max() > 1


@emulator
def test_operators_of_too_many_axes_are_named(tmp_path: Path) -> None:
    nodes = [
        *around("x", "a"),
        helper.make_node("Transpose", ["a"], ["b"], "swap", perm=[0, 5, 1, 3, 2, 4]),
        *around("b", "y"),
    ]
    constants = {"scale": np.asarray(np.float32(4 / 128)), "zero": np.asarray(np.uint8(128))}
    message = refused("operators", save(tmp_path / "model.onnx", nodes, constants, shape=(1, 2, 2, 2, 2, 3)))
    assert "it leaves 1 Transpose (too many axes: Transpose 'swap', 6 axes)" in message


@emulator
def test_a_model_of_which_the_cpu_runs_a_part_is_refused_if_the_npu_has_to_run_all(tmp_path: Path) -> None:
    nodes = [helper.make_node("Erf", ["x"], ["y"])]
    message = refused("operators", save(tmp_path / "model.onnx", nodes, {}))
    assert message == "HTP takes none of the operators of 'model.onnx', it leaves 1 Erf"


def with_context(folder: Path) -> Path:
    """Model of a slot with its context binary for SM8650."""
    model = convolution(folder / "model.onnx", np.uint8(128))
    entry = compile_context(model, folder / "npu", "SM8650", ())
    (folder / "npu.json").write_text(json.dumps({"schema": 1, "contexts": [entry]}))
    return model


@emulator
def test_a_context_binary_is_used_on_the_chip_that_it_was_compiled_for_only(tmp_path: Path) -> None:
    model = with_context(tmp_path)
    for soc, compiled in (("SM8650", True), ("SM8550", False)):
        runtime = QnnHtp("onnxruntime")
        answers = load(runtime, manifest(model, options={"soc": soc}), 1)([SAMPLE])[0]
        assert np.abs(answers - on_cpu(model)).max() <= 4 / 128 + 1e-6
        assert runtime.accelerator
        assert runtime.accelerator.cached is compiled
        assert ("compiled ahead by QNN 2." in runtime.accelerator.note) is compiled
        assert runtime.accelerator.taken
        assert runtime.accelerator.taken > 5
    portable = QnnHtp("onnxruntime")
    load(portable, manifest(model, options={"context": "false"}), 1)
    assert portable.accelerator
    assert portable.accelerator.cached is False


@emulator
@pytest.mark.parametrize("soc", ["SM8650", "QCM6490"])
def test_an_input_that_is_read_in_float_and_in_integers_is_rounded_on_the_npu(tmp_path: Path, soc: str) -> None:
    # As super-resolution adds details to the picture that it computed them of.
    doubled = helper.make_node("Add", ["a", "a"], ["b"])
    nodes = [*around("x", "a"), doubled, *around("b", "c"), helper.make_node("Add", ["x", "c"], ["y"])]
    constants = {"scale": np.float32(8 / 128), "zero": np.uint8(128)}
    model = save(tmp_path / "model.onnx", nodes, constants)
    assert inputs_of_two_formats(read_onnx_graph(model)) == ("x",)
    assert inputs_of_two_formats(read_onnx_graph(convolution(tmp_path / "one.onnx", np.uint8(128)))) == ()
    assert compile_context(model, tmp_path / "npu", soc, ())["taken"]
    request = manifest(model, options={"soc": soc})._replace(outputs=(ModelTensor("y", "float32", SHAPE, None, 0),))
    answers = load(QnnHtp("onnxruntime"), request, 1)([SAMPLE])[0]
    assert sqnr_db(on_cpu(model), answers) > 30


@emulator
def test_a_model_with_weights_in_a_file_of_their_own_is_compiled_ahead_with_them(tmp_path: Path) -> None:
    weight = np.random.default_rng(0).standard_normal((8, 64)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "weight"], ["a"]),
        helper.make_node("Erf", ["a"], ["b"]),
        helper.make_node("Mul", ["b", "factor"], ["c"]),
        helper.make_node("Erf", ["c"], ["y"]),
    ]
    constants = {"weight": weight, "factor": weight[None, None, :, :]}
    model = save(tmp_path / "whole.onnx", nodes, constants)
    expected = on_cpu(model)
    files = write_with_weights(onnx.load(model), tmp_path / "model.onnx")
    entry = compile_context(files[0], tmp_path / "npu", "SM8650", ())
    assert entry["left"] == [("Erf", 2)]
    (tmp_path / "npu.json").write_text(json.dumps({"schema": 1, "contexts": [entry]}))
    files[1].unlink()  # the binary has the weights that the NPU reads
    runtime = QnnHtp("onnxruntime")
    request = manifest(files[0])._replace(outputs=(ModelTensor("y", "float32", (1, 3, 8, 64), None, 0),))
    assert sqnr_db(expected, load(runtime, request, 1)([SAMPLE])[0]) > 40
    assert runtime.accelerator
    assert runtime.accelerator.cached


@emulator
def test_context_binaries_of_another_chip_or_sdk_and_damaged_ones_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = with_context(tmp_path)
    context = tmp_path / "npu" / "SM8650.onnx"
    whole = context.read_bytes()
    context.write_bytes(whole.replace(b":75:57:", b":73:43:"))
    assert "is a context binary for chip 43 of QNN, this NPU is of 57" in refused("context", model)
    context.write_bytes(whole)
    monkeypatch.setattr(qnn_htp, "sdk_version", lambda folder: "2.40.0")
    assert "was made by QNN 2." in refused("context", model)
    monkeypatch.undo()
    damaged = onnx.load_from_string(whole)
    node = next(node for node in damaged.graph.node if node.op_type == "EPContext")
    binary = next(each for each in node.attribute if each.name == "ep_cache_context")
    binary.s = binary.s[: len(binary.s) // 2]
    context.write_bytes(damaged.SerializeToString())
    assert "does not take a context binary" in refused("context", model)
    context.write_bytes(b"nonsense")
    assert "is no context binary of QNN" in refused("context", model)


def test_a_list_of_context_binaries_that_leaves_the_slot_is_refused(tmp_path: Path) -> None:
    (tmp_path / "npu.json").write_text('{"contexts": [{"file": "../a/b.onnx", "soc": "SM8650", "arch": 75}]}')
    with pytest.raises(RunnerError, match="is no file in a folder of the slot"):
        npu_contexts.read_contexts(tmp_path)


def test_a_missing_package_and_a_missing_library_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named '{name}'")

    monkeypatch.setattr(qnn_library, "import_module", missing)
    with pytest.raises(RunnerError, match="'onnxruntime-qnn' is not installed") as told:
        QnnHtp("onnxruntime")
    assert told.value.kind == "package"
    monkeypatch.setattr(qnn_library, "import_module", lambda name: SimpleNamespace(LIB_DIR_FULL_PATH=str(tmp_path)))
    with pytest.raises(RunnerError, match=r"has no libonnxruntime_providers_qnn\.so and no libQnnHtp\.so") as told:
        QnnHtp("onnxruntime")
    assert told.value.kind == "library"


class Session:
    """Stand-in for a session whose NPU took a convolution; `answer` is what an inference gives."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def get_provider_graph_assignment_info(self) -> list[Any]:
        node = SimpleNamespace(op_type="Conv", name="conv")
        return [SimpleNamespace(ep_name="qnn", get_nodes=lambda: [node])]

    def run(self, names: list[str], feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        answer: np.ndarray = self._answer() if callable(self._answer) else self._answer
        return [answer]


def stand_in(monkeypatch: pytest.MonkeyPatch, session: Any) -> QnnHtp:
    """The runtime with a stand-in for QNN: `session` makes what a session is, or raises."""
    folder = Path(qnn_library.__file__).parent
    monkeypatch.setattr(qnn_htp, "qnn_folder", lambda: folder)
    runtime = QnnHtp("onnxruntime")
    monkeypatch.setattr(runtime, "_session", lambda *arguments: session())
    return runtime


def test_an_npu_that_answers_nan_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = convolution(tmp_path / "model.onnx", np.uint8(128))
    runtime = stand_in(monkeypatch, lambda: Session(np.full((1, 4, 6, 6), np.nan, np.float32)))
    monkeypatch.setitem(select_runtime.ACCELERATED, QNN_HTP, lambda distribution: runtime)
    with pytest.raises(RunnerError, match="'qnn-htp' answers NaN or infinity in 'y'") as told:
        LoadedModel.load(manifest(model), 1, [SAMPLE])
    assert told.value.kind == "nan"


def test_an_npu_that_fails_as_it_runs_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Any:
        raise RuntimeError("ORT Tensor data size does not match\nQNN tensor data size.")

    model = convolution(tmp_path / "model.onnx", np.uint8(128))
    runtime = stand_in(monkeypatch, lambda: Session(fail))
    with pytest.raises(RunnerError, match=r"HTP fails as it runs 'model\.onnx': .* match QNN tensor") as told:
        load(runtime, manifest(model), 1)([SAMPLE])
    assert told.value.kind == "run"


def test_an_npu_that_hangs_as_it_loads_or_runs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = convolution(tmp_path / "model.onnx", np.uint8(128))
    runtime = stand_in(monkeypatch, lambda: time.sleep(5))
    with monkeypatch.context() as short:
        short.setattr(qnn_htp, "LOAD_S", 0.2)
        with pytest.raises(RunnerError, match=r"loading 'model.onnx' on HTP took longer than 0\.2 s") as told:
            overseen(lambda: load(runtime, manifest(model), 1))
    assert told.value.kind == "hung"
    monkeypatch.setattr(qnn_htp, "INFERENCE_S", 0.2)
    runtime = stand_in(monkeypatch, lambda: Session(lambda: time.sleep(5)))
    with pytest.raises(RunnerError, match=r"an inference on HTP took longer than 0\.2 s") as told:
        overseen(lambda: load(runtime, manifest(model), 1)([SAMPLE]))
    assert told.value.kind == "hung"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (
            "Failed to finalize QNN graph. Error: QNN_COMMON_ERROR_MEM_ALLOC: Memory allocation related error.",
            "formats",
        ),
        ("libQnnHtpV75Stub.so: cannot open shared object file", "library"),
        ("Failed to create device. Error: QNN_DEVICE_ERROR_INVALID_CONFIG", "driver"),
        ("Failed to load from EpContext model. Failed to get context binary info.", "context"),
        ("something new", "load"),
    ],
)
def test_failures_of_qnn_are_told_by_kind(text: str, kind: str, tmp_path: Path) -> None:
    from edgekit.runner.files.onnx_graph import read_onnx_graph

    model = save(tmp_path / "model.onnx", [helper.make_node("Relu", ["x"], ["y"])], {})
    assert qnn_error(RuntimeError(text), "model.onnx", read_onnx_graph(model), 68).kind == kind


def test_a_library_that_is_none_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def register(name: str, path: str) -> None:
        raise RuntimeError(f"Failed to load library {path}")

    runtime = SimpleNamespace(get_ep_devices=list, register_execution_provider_library=register)
    with pytest.raises(RunnerError, match="cannot be loaded") as told:
        qnn_library.htp_devices(runtime, tmp_path)
    assert told.value.kind == "library"
    runtime.register_execution_provider_library = lambda name, path: None
    with pytest.raises(RunnerError, match="offers no device") as told:
        qnn_library.htp_devices(runtime, tmp_path)
    assert told.value.kind == "adapter"
