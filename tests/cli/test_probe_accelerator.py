"""`edgekit probe FILE.tflite --accelerator gpu` on this machine, by SwiftShader, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from edgekit.cache import Cache
from edgekit.devices import debian
from edgekit.devices.swiftshader import swiftshader
from edgekit.errors import ToolsMissing
from edgekit.runner.machine.runtime_versions import version_of
from edgekit.runner.runtimes.webgpu import PROVIDER
from tests.command_line import Ended, edgekit_here
from tests.devices.debian_programs import unavailable

CORPUS = Path(__file__).parents[1] / "corpus" / "model-in-tflite" / "honest.tflite"
IN_ONNX = Path(__file__).parents[1] / "corpus" / "model-in-onnx" / "honest.onnx"
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
    assert "Qualcomm QNN on the Hexagon NPU: the compiler plug-in of ai-edge-litert 2.3.0 needs" in " ".join(
        ended.err.split()
    )
    assert "--accelerator auto|cpu|gpu" in ended.err
    assert not device.exists()


def test_an_option_that_no_accelerator_knows_is_a_usage_error(tmp_path: Path, inputs: Path) -> None:
    argv = ("probe", CORPUS, "--device", f"local://{tmp_path}", "--inputs", inputs, "--accelerator", "gpu")
    assert "no option 'enforce'" in edgekit_here(*argv, "--accelerator-option", "enforce=true").refused("EK104", 2)


# Two providers that every onnxruntime has: one that takes all operators, and one that takes none.
KIND = """
schema = 1
title = "A provider of onnxruntime's own"
unit = "gpu"
sources = ["[1] made up"]
evidence = "claimed"
dynamic_shapes = true
load = "kernels"
kept = "nowhere"

[provider]
name = "{name}"
package = "onnxruntime"
options = {{ device_type = ["CPU"] }}
cpu = ["device_type=CPU"]
"""


def probed(folder: Path, inputs: Path, provider: str, *more: object) -> Ended:
    """Probe of the corpus's .onnx on a kind of accelerator that the project in `folder` states."""
    (folder / "accelerators").mkdir(exist_ok=True)
    (folder / "accelerators" / "mine.toml").write_text(KIND.format(name=provider))
    argv = ("probe", IN_ONNX, "--device", f"local://{folder / 'device'}", "--inputs", inputs, *QUICK)
    return edgekit_here(*argv, "--accelerator", "gpu", "--accelerator-option", "kind=mine", *more)


def test_an_execution_provider_is_added_by_a_file_alone(
    tmp_path: Path, inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = probed(tmp_path, inputs, "CPUExecutionProvider", "--json")
    assert ended.code == 0, ended.err
    measured = ended.document["measurement"]
    use = measured["accelerator"]
    assert (use["kind"], use["device"]) == ("mine", "CPUExecutionProvider, device_type CPU")
    assert use["taken"] == use["operators"] > 20
    assert use["against_cpu"]["sqnr_db"] == {"output": None}
    assert (use["software"], measured["valid"]) == (True, False)


@pytest.mark.parametrize(
    ("provider", "options", "code", "words"),
    [
        ("AzureExecutionProvider", (), "EK419", "'mine' takes none of the operators of 'model.onnx'"),
        ("DmlExecutionProvider", (), "EK415", "this onnxruntime has no DmlExecutionProvider, it has"),
        ("CPUExecutionProvider", ("packages=/nowhere",), "EK425", "there is no onnxruntime in the folder '/nowhere'"),
    ],
)
def test_a_provider_that_is_not_there_or_takes_nothing_is_an_error_with_what_to_install(
    tmp_path: Path,
    inputs: Path,
    monkeypatch: pytest.MonkeyPatch,
    provider: str,
    options: tuple[str, ...],
    code: str,
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    more = [word for option in options for word in ("--accelerator-option", option)]
    told = probed(tmp_path, inputs, provider, *more).refused(code, 3)
    assert words in " ".join(told.split())
    assert code == "EK419" or "hint: pip install --no-deps --target" in told
    assert list((tmp_path / "device" / "probe").iterdir()) == []


def test_openvino_runs_from_a_folder_of_its_own(tmp_path: Path, inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = os.environ.get("EDGEKIT_OPENVINO")
    if not folder:
        pytest.skip("pip install --no-deps --target FOLDER onnxruntime-openvino, and EDGEKIT_OPENVINO=FOLDER")
    catalog = Path(__file__).parents[1] / "plugin" / "edgekit_plain" / "catalog"
    monkeypatch.chdir(catalog)
    argv = ("probe", IN_ONNX, "--device", f"local://{tmp_path / 'device'}", "--inputs", inputs, *QUICK, "--json")
    options = ("kind=openvino", f"packages={folder}", "device_type=CPU")
    words = [word for option in options for word in ("--accelerator-option", option)]
    measured = edgekit_here(*argv, "--accelerator", "gpu", *words).document["measurement"]
    assert measured["accelerator"]["taken"] == measured["accelerator"]["operators"]
    assert measured["accelerator"]["driver"].startswith("onnxruntime-openvino 1.")
    absent = edgekit_here(*argv, "--accelerator", "gpu", *words[:-1], "device_type=GPU").refused("EK417", 3)
    assert "Device GPU is not available" in " ".join(absent.split())


@pytest.mark.usefixtures("driver")
def test_an_onnx_file_runs_on_a_gpu_in_software(tmp_path: Path, inputs: Path) -> None:
    if version_of(PROVIDER.package) is None:
        pytest.skip(f"{PROVIDER.package} is not installed")
    argv = ("probe", IN_ONNX, "--device", f"local://{tmp_path / 'device'}", "--inputs", inputs, *QUICK)
    ended = edgekit_here(*argv, "--accelerator", "gpu", *SOFTWARE, "--json")
    assert ended.code == 0, ended.err
    use = ended.document["measurement"]["accelerator"]
    assert (use["kind"], use["software"], use["precision"]) == ("webgpu", True, "float32")
    assert (use["taken"], use["left"]) == (22, [["QuantizeLinear", 5]])
    assert min(use["against_cpu"]["sqnr_db"].values()) > 100
    alone = edgekit_here(*argv, "--accelerator", "gpu", *SOFTWARE, "--accelerator-option", "cpu=false")
    assert "takes not all operators of 'model.onnx', it leaves 5 QuantizeLinear" in " ".join(
        alone.refused("EK419", 3).split()
    )
