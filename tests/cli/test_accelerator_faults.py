"""Faults of a GPU as the command line tells them: each by an error of its own, with nothing left on the device."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from edgekit.devices import process
from edgekit.devices.local import Local
from edgekit.devices.transport import Completed
from edgekit.runner import errors
from edgekit.runner.machine.runtime_versions import version_of
from edgekit.runner.machine.vulkan import LOADERS
from edgekit.runner.runtimes.qnn_library import DISTRIBUTION
from tests.command_line import edgekit_here
from tests.runner.gpu_standin import StandIn, stand_in
from tests.runner.runtimes.hexagon_models import around, save

CORPUS = Path(__file__).parents[1] / "corpus" / "model-in-tflite" / "honest.tflite"


@pytest.fixture(scope="module")
def gpu(tmp_path_factory: pytest.TempPathFactory) -> StandIn:
    return stand_in(Path(errors.__file__).parent, tmp_path_factory.mktemp("standin"))


@pytest.mark.parametrize(
    ("mode", "code", "words"),
    [
        ("loader", "EK416", "there is no Vulkan loader: "),
        ("small", "EK418", "Stand-in GPU has 0 MiB, the model is larger"),
        ("memory", "EK418", "the memory of Stand-in GPU does not hold the model"),
        ("refused", "EK419", "Stand-in GPU does not run the model alone: it refuses CUMSUM (Op is not supported;"),
        ("crash", "EK430", "the runner was ended by signal 11"),
    ],
)
def test_a_fault_of_a_gpu_is_an_error_of_its_own_and_leaves_nothing_on_the_device(
    gpu: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, code: str, words: str
) -> None:
    environment = {"STANDIN": mode, "PYTHONPATH": str(gpu.folder), "LD_LIBRARY_PATH": str(gpu.vulkan)}
    if mode == "loader":  # also where this machine has one
        environment["LD_LIBRARY_PATH"] = str(tmp_path)
        for name in LOADERS:
            (tmp_path / name).touch()

    def run(local: Local, argv: Sequence[str], *, timeout: float) -> Completed:
        return process.run(argv, timeout=timeout, env=environment if "--accelerator" in argv else None)

    monkeypatch.setattr(Local, "run", run)
    np.savez(tmp_path / "inputs.npz", image=np.zeros((2, 8, 8, 3), np.uint8))
    device = tmp_path / "device"
    argv = ("probe", CORPUS, "--device", f"local://{device}", "--inputs", tmp_path / "inputs.npz")
    told = edgekit_here(*argv, "--accelerator", "gpu", "--processes", 1).refused(code, 3)
    assert words in " ".join(told.split())
    assert list((device / "probe").iterdir()) == []
    assert not (device / "current").exists()


@pytest.mark.skipif(version_of(DISTRIBUTION) is None, reason="onnxruntime-qnn is not installed")
def test_an_operator_above_the_rank_limit_is_named_where_the_npu_was_to_run_alone(tmp_path: Path) -> None:
    swap = helper.make_node("Transpose", ["a"], ["b"], "swap", perm=[0, 5, 1, 3, 2, 4])
    constants = {"scale": np.float32(4 / 128), "zero": np.uint8(128)}
    shape = (1, 2, 2, 2, 2, 3)
    model = save(tmp_path / "model.onnx", [*around("x", "a"), swap, *around("b", "y")], constants, shape=shape)
    np.savez(tmp_path / "inputs.npz", x=np.zeros((2, *shape[1:]), np.float32))
    device = tmp_path / "device"
    argv = ("probe", model, "--device", f"local://{device}", "--inputs", tmp_path / "inputs.npz", "--processes", 1)
    told = edgekit_here(*argv, "--accelerator", "npu", "--accelerator-option", "cpu=false").refused("EK419", 3)
    assert "it leaves 1 Transpose (too many axes: Transpose 'swap', 6 axes)" in " ".join(told.split())
    assert list((device / "probe").iterdir()) == []
