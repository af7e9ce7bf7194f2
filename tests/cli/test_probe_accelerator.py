"""`edgekit probe FILE.tflite --accelerator gpu` on this machine, by SwiftShader, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.cache import Cache
from edgekit.devices import debian
from edgekit.devices.swiftshader import swiftshader
from edgekit.errors import ToolsMissing
from tests.command_line import edgekit_here
from tests.devices.debian_programs import unavailable

CORPUS = Path(__file__).parents[1] / "corpus" / "model-in-tflite" / "honest.tflite"
SOFTWARE = ("--accelerator-option", "vulkan=swiftshader")
QUICK = ("--processes", "1", "--min-count", "2", "--min-duration", "0")


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), np.uint8)
    np.savez(tmp_path / "inputs.npz", image=images)
    return tmp_path / "inputs.npz"


@pytest.fixture
def driver() -> None:
    try:
        swiftshader(debian.host(), Cache.of_downloads())
    except ToolsMissing as error:
        unavailable(f"no SwiftShader: {error}")


@pytest.mark.usefixtures("driver")
def test_a_gpu_in_software_is_told_beside_the_cpu_and_its_time_is_no_latency(tmp_path: Path, inputs: Path) -> None:
    device = f"local://{tmp_path / 'device'}"
    argv = ("probe", CORPUS, "--device", device, "--inputs", inputs, "--accelerator", "gpu", *SOFTWARE, *QUICK)
    measured = edgekit_here(*argv, "--json").document["measurement"]
    accelerator = measured["accelerator"]
    assert accelerator["software"]
    assert (accelerator["operators"], accelerator["taken"], accelerator["fully"]) == (10, 10, True)
    assert measured["valid"] is False
    assert "SwiftShader" in measured["reason"]
    beside = accelerator["against_cpu"]
    assert beside["samples"] == 6
    assert 0 <= beside["agreement"] <= 1
    assert list((tmp_path / "device" / "probe").iterdir()) == []
    shown = edgekit_here(*argv)
    assert "SOFTWARE" in shown.out
    assert "beside the CPU" in shown.out


def test_an_accelerator_that_a_format_has_not_is_refused_before_anything_is_sent(tmp_path: Path, inputs: Path) -> None:
    device = tmp_path / "device"
    argv = ("probe", CORPUS, "--device", f"local://{device}", "--inputs", inputs, "--accelerator", "npu")
    ended = edgekit_here(*argv)
    assert "runs .tflite on 'npu', which runs .onnx" in ended.refused("EK414", 3)
    assert "--accelerator auto|cpu|gpu" in ended.err
    assert not device.exists()


def test_an_option_that_no_accelerator_knows_is_a_usage_error(tmp_path: Path, inputs: Path) -> None:
    argv = ("probe", CORPUS, "--device", f"local://{tmp_path}", "--inputs", inputs, "--accelerator", "gpu")
    assert "no option 'enforce'" in edgekit_here(*argv, "--accelerator-option", "enforce=true").refused("EK104", 2)
