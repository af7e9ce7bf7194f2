"""Forms of a graph for Hexagon NPUs, and the check of a lowered file on one."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import onnx
import pytest
from onnx import helper

from edgekit.backends import npu_check
from edgekit.backends.npu_check import check_on_npu
from edgekit.backends.onnx.hexagon import VENDOR, name_sixteen_bits, rewrite
from edgekit.errors import AcceleratorDisagreement
from edgekit.ir.artifact import Artifact, Placement
from edgekit.ir.program import REMARK, WARNING, PassRecord
from edgekit.ir.signature import Signature, TensorSpec
from edgekit.runner.errors import RunnerError
from edgekit.runner.machine.runtime_versions import version_of
from edgekit.runner.model.accelerator import AcceleratorFacts
from edgekit.runner.runtimes.model import LoadedModel
from edgekit.runner.runtimes.qnn_library import DISTRIBUTION
from edgekit.specs.catalog import Catalog
from edgekit.specs.target import Target
from tests.runner.runtimes.hexagon_models import SHAPE, convolution, save

emulator = pytest.mark.skipif(version_of(DISTRIBUTION) is None, reason="onnxruntime-qnn is not installed")
TARGET = Catalog.default().target("snapdragon-8-gen-3")


def on_cpu(model: bytes, sample: np.ndarray) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    answer: np.ndarray = session.run(None, {"x": sample})[0]
    return answer


def test_a_cast_of_pixels_becomes_a_dequantization_with_the_same_numbers(tmp_path: Path) -> None:
    nodes = [helper.make_node("Cast", ["x"], ["c"], to=1), helper.make_node("Mul", ["c", "k"], ["y"])]
    model = onnx.load(save(tmp_path / "model.onnx", nodes, {"k": np.float32(0.5)}, pixels=True))
    pixels = np.arange(192, dtype=np.uint8).reshape(1, 8, 8, 3)
    expected = on_cpu(model.SerializeToString(), pixels)
    rewrite(model)
    onnx.checker.check_model(model)
    assert [node.op_type for node in model.graph.node] == ["DequantizeLinear", "Mul"]
    assert (on_cpu(model.SerializeToString(), pixels) == expected).all()


def test_rounding_to_16_bits_is_written_as_onnxruntime_has_it(tmp_path: Path) -> None:
    model = onnx.load(convolution(tmp_path / "model.onnx", np.uint16(32768)))
    name_sixteen_bits(model)
    domains = Counter(node.domain for node in model.graph.node if node.op_type.endswith("Linear"))
    # The weights, which are int8, stay with ONNX's own operator.
    assert domains == {VENDOR: 4, "": 1}
    assert on_cpu(model.SerializeToString(), np.ones(SHAPE, np.float32)).shape == (1, 4, 6, 6)


def lowered(folder: Path) -> tuple[Artifact, Path]:
    """A file as lowering leaves it, with its golden vectors, and the folder of its samples."""
    model = convolution(folder / "model.onnx", np.uint8(128))
    samples = np.random.default_rng(2).standard_normal((3, *SHAPE[1:])).astype(np.float32)
    answers = np.concatenate([on_cpu(model.read_bytes(), each[None]) for each in samples])
    for name, array in (("checks/x", samples), ("golden/outputs/y", answers)):
        path = folder / f"{name}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, array)
    signature = Signature((TensorSpec("x", "float32", SHAPE),), (TensorSpec("y", "float32", (1, 4, 6, 6)),))
    return Artifact((model,), "onnx", signature, Placement(()), 1.0), folder / "checks"


def checked(folder: Path, monkeypatch: pytest.MonkeyPatch, target: Target = TARGET, noise: float = 0.0) -> PassRecord:
    """Check of that file where the float network answers as it does on the CPU, but for `noise`."""
    artifact, checks = lowered(folder)
    truth = np.load(folder / "golden" / "outputs" / "y.npy")
    near = truth + noise * np.random.default_rng(3).standard_normal(truth.shape).astype(np.float32)
    monkeypatch.setattr(npu_check, "program_outputs", lambda program, columns: [near])
    return check_on_npu(artifact, target, checks, folder, lambda: cast(Any, None))


@emulator
def test_a_file_that_answers_alike_is_recorded_with_its_context_binary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = checked(tmp_path, monkeypatch, noise=0.02)
    assert record.sqnr_db > 30
    remark = dict(record.options)[REMARK]
    assert remark.startswith("Hexagon v75 (SM8650), emulated: ")
    assert "dB from the CPU's answers" in remark
    assert (tmp_path / "npu" / "SM8650.onnx").stat().st_size > 10_000
    assert (tmp_path / "npu.json").is_file()


@emulator
def test_a_file_that_answers_otherwise_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = LoadedModel.load

    def lying(*arguments: Any) -> Any:
        model = real(*arguments)
        answers = [np.zeros((3, 4, 6, 6), np.float32)]
        return SimpleNamespace(loaded=model.loaded, outputs=lambda columns: answers)

    monkeypatch.setattr(LoadedModel, "load", lying)
    with pytest.raises(AcceleratorDisagreement, match=r"Hexagon v75 of SM8650.* 0\.0 dB from the float .* are lost"):
        checked(tmp_path, monkeypatch, noise=0.02)


def test_a_file_that_the_npu_does_not_run_is_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any) -> Any:
        raise RunnerError("operators", "HTP v75 does not take Conv 'conv' of 'model.onnx'")

    monkeypatch.setattr(npu_check, "compile_context", refuse)
    with pytest.raises(AcceleratorDisagreement, match="does not take Conv 'conv'"):
        checked(tmp_path, monkeypatch)


@emulator
def test_a_file_that_the_emulator_is_too_slow_for_is_built_without_a_binary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(*arguments: Any) -> Any:
        raise RunnerError("hung", "an inference on HTP took longer than 60 s")

    monkeypatch.setattr(LoadedModel, "load", hang)
    assert "took longer than 60 s" in dict(checked(tmp_path, monkeypatch).options)[WARNING]
    assert not (tmp_path / "npu.json").exists()


def test_without_the_package_the_build_goes_on_and_says_that_nothing_was_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*arguments: Any) -> Any:
        raise RunnerError("package", "'onnxruntime-qnn' is not installed")

    monkeypatch.setattr(npu_check, "compile_context", missing)
    warning = dict(checked(tmp_path, monkeypatch).options)[WARNING]
    assert "answers on the NPU of SM8650 were not checked" in warning
    assert "[npu]', under a licence of Qualcomm's" in warning
    assert not (tmp_path / "npu.json").exists()


def test_hand_overs_between_npu_and_cpu_are_told_with_the_operators_that_cause_them() -> None:
    left = (("DequantizeLinear", 31), ("Clip", 15), ("Mul", 15))
    facts = AcceleratorFacts("qnn-htp", "Hexagon", None, True, "uint8", 372, 311, left)
    words = npu_check._parts(facts, 16)
    assert words == " in 16 graphs, with 15 Clip, 15 Mul on the CPU between them"
    assert npu_check._parts(facts, 1) == ""
