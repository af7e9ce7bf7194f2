"""Bare model files, probed with the real runner and real runtimes on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import requires
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from edgekit.devices import runner_install
from edgekit.devices.local import Local
from edgekit.devices.protocol import Info
from edgekit.devices.runner_client import Runner
from edgekit.devices.transport import Completed
from edgekit.errors import EdgekitError, ModelFileError, RuntimeMissing
from edgekit.errors.extras import extra_hint
from edgekit.measure.device import model_file
from edgekit.measure.device.installed_bundle import Installed, unpacked
from edgekit.measure.device.model_file import open_model_file
from edgekit.measure.device.scratch_install import scratch_install
from edgekit.measure.user_inputs import samples_for
from edgekit.samples import Samples
from tests.runner import slot
from tests.runner.verbs.test_describe import graph

SAMPLES = Samples(slot.inputs(6), np.zeros(6, np.int64))


def _file(folder: Path, format: str) -> Path:
    file = folder / f"a model.{format}"
    file.write_bytes(slot.model(format))
    return file


@pytest.mark.parametrize("format", slot.FORMATS)
def test_a_bare_file_answers_as_a_bundle_does(tmp_path: Path, format: str) -> None:
    with open_model_file(_file(tmp_path, format)) as model, unpacked(model.folder) as endpoint:
        assert model.format == format
        measured = endpoint.measure(samples_for(model.signature, SAMPLES), None)
    scores, steps = measured.outputs.values()
    wanted = slot.expected(dict(SAMPLES.inputs))
    np.testing.assert_allclose(scores, wanted["scores"], rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(steps, wanted["steps"])
    assert [path.name for path in tmp_path.iterdir()] == [f"a model.{format}"]


def test_a_bare_file_is_probed_on_a_device_and_removed_again(tmp_path: Path, device: Local) -> None:
    with (
        open_model_file(_file(tmp_path, "tflite")) as model,
        scratch_install(model.folder, model.format, device, "system") as installation,
    ):
        assert installation.slot.is_relative_to(device.root)
        measured = Installed(installation).measure(samples_for(model.signature, SAMPLES), None)
    assert len(measured) == 6
    assert not list((Path(device.root) / "probe").iterdir())


@pytest.mark.parametrize("weights", ["weights.bin", "data/weights.bin", "data/all/weights.bin"])
def test_files_that_belong_to_it_go_along(tmp_path: Path, weights: str) -> None:
    (tmp_path / weights).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / weights).write_bytes(np.full(1, 3, np.float32).tobytes())
    (tmp_path / "big.onnx").write_bytes(graph([("in/x:0", ["batch", 4])], ["batch", 4], weights))
    samples = Samples({"in/x:0": np.ones((2, 4), np.float32)}, np.zeros(2, np.int64))
    with open_model_file(tmp_path / "big.onnx") as model, unpacked(model.folder) as endpoint:
        measured = endpoint.measure(samples_for(model.signature, samples), None)
    np.testing.assert_array_equal(measured.outputs["sum"], np.full((2, 4), 4))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("model.txt", b"text", "is no model by its name"),
        ("model.onnx", b"", "is empty"),
        ("model.pte", slot.model("onnx"), "does not begin as a .pte does"),
        ("model.onnx", b"\x10\0\0\0TFL3 and more", "is a .tflite by its first bytes"),
        ("model.onnx", b"no model at all", "it is no ONNX model"),
        ("model.tflite", b"\x10\0\0\0TFL3 and then no model", "cannot be used"),
        ("model.onnx", graph([], [1]), "it takes nothing"),
        ("model.onnx", graph([("x", [1, 4])], [1, 4], "../weights.bin"), "outside of its folder"),
        ("model.onnx", graph([("x", [1, 4])], [1, 4], "model.onnx"), "is there twice"),
    ],
)
def test_what_is_no_such_model_is_said(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelFileError, match=said) as raised, open_model_file(tmp_path / name):
        pass
    assert str(tmp_path / name) in str(raised.value)
    assert "Traceback" not in str(raised.value)


def test_what_is_not_there_or_too_large_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelFileError, match="cannot be read: No such file"), open_model_file(tmp_path / "none.onnx"):
        pass
    monkeypatch.setattr(model_file, "LIMIT_BYTES", 100)
    with pytest.raises(ModelFileError, match="more than"), open_model_file(_file(tmp_path, "onnx")):
        pass


def test_without_a_runtime_the_hint_says_what_brings_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def put(transport: Local, interpreter: tuple[str, ...]) -> tuple[Runner, Info]:
        # As the runner says it where the standard library is all there is.
        return real(transport, (*interpreter, "-S"))

    real = runner_install.put_runner
    monkeypatch.setattr(model_file, "put_runner", put)
    with (
        pytest.raises(RuntimeMissing, match="nothing on this machine runs") as raised,
        open_model_file(_file(tmp_path, "tflite")),
    ):
        pass
    assert raised.value.hint == extra_hint("tflite")


class Dying(Local):
    """A runtime that dies of the file, as ExecuTorch's does of some."""

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        if "describe" in argv:
            argv = [self.python, "-c", "import os; print('noise'); os.kill(os.getpid(), 11)"]
        return super().run(argv, timeout=timeout)


def test_a_runtime_that_dies_of_a_file_takes_nobody_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_file, "Local", Dying)
    with (
        pytest.raises(ModelFileError, match="its runtime died of it") as raised,
        open_model_file(_file(tmp_path, "onnx")),
    ):
        pass
    assert "noise" not in str(raised.value)


@pytest.mark.parametrize("format", slot.FORMATS)
@settings(max_examples=6, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_damaged_file_is_an_error_here_whatever_it_does_there(
    tmp_path_factory: pytest.TempPathFactory, format: str, data: st.DataObject
) -> None:
    content = bytearray(slot.model(format))
    cut = data.draw(st.integers(9, len(content)))
    for at, byte in data.draw(st.lists(st.tuples(st.integers(8, len(content) - 1), st.integers(0, 255)), max_size=20)):
        content[at] = byte
    file = tmp_path_factory.mktemp("damaged") / f"model.{format}"
    file.write_bytes(content[:cut])
    try:
        with open_model_file(file) as model:
            assert model.signature.inputs
    except EdgekitError as error:
        assert isinstance(error, ModelFileError), error  # noqa: PT017 some damage is none


@pytest.mark.parametrize(
    ("format", "distribution"), [("onnx", "onnxruntime"), ("tflite", "ai-edge-litert"), ("pte", "executorch")]
)
def test_the_extra_that_is_named_brings_what_runs_the_format(format: str, distribution: str) -> None:
    brought = [line for line in requires("edgekit") or () if line.startswith(f"{distribution}==")]
    assert any(f"extra == '{model_file.EXTRAS[format]}'" in line for line in brought), brought  # type: ignore[index]


def _free_onnx(path: Path) -> Path:
    """An .onnx with a free batch, and a free length beside it: y = 2 * x, of float32 [batch, time, 3]."""
    two = helper.make_tensor("two", TensorProto.FLOAT, [], [2.0])
    drawn = helper.make_graph(
        [helper.make_node("Mul", ["x", "two"], ["y"])],
        "free",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "time", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", "time", 3])],
        [two],
    )
    onnx.save(helper.make_model(drawn, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


def test_a_free_axis_gets_its_length_from_a_shape(tmp_path: Path) -> None:
    file = _free_onnx(tmp_path / "free.onnx")
    shapes = {"x": (1, 5, 3), "another": (1, 2)}
    with open_model_file(file, shapes) as model, unpacked(model.folder) as endpoint:
        assert str(model.signature.inputs[0]) == "x: float32[1, 5, 3]"
        x = np.arange(30, dtype=np.float32).reshape(2, 5, 3)
        measured = endpoint.measure(Samples({"x": x}, np.zeros(2, np.int64)), None)
    np.testing.assert_array_equal(measured.outputs["y"], 2 * x)


def test_a_free_axis_without_a_length_says_what_to_type(tmp_path: Path) -> None:
    file = _free_onnx(tmp_path / "free.onnx")
    with pytest.raises(ModelFileError, match="axis 1 of input 'x' has no length") as raised, open_model_file(file):
        pass
    assert raised.value.hint == "say how long: --shape x=1,64,3, or --inputs FILE.npz with samples of that shape"


def test_a_shape_that_the_input_cannot_have_is_refused(tmp_path: Path) -> None:
    file = _free_onnx(tmp_path / "free.onnx")
    words = r"'x' is float32\['\?', '\?', 3\], and cannot have the shape \[1, 5, 4\]"
    with pytest.raises(ModelFileError, match=words), open_model_file(file, {"x": (1, 5, 4)}):
        pass
