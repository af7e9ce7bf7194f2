"""onnxruntime's WebGPU plug-in where Vulkan has no device, a small one, or the plug-in is not whole."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgekit.runner.errors import ErrorKind, RunnerError
from edgekit.runner.machine import vulkan
from edgekit.runner.machine.vulkan import VulkanDevice
from edgekit.runner.model.accelerator import Accelerator
from edgekit.runner.runtimes import onnx_provider
from edgekit.runner.runtimes.onnx_provider import OnnxProvider, Provider, failure
from edgekit.runner.runtimes.webgpu import WebGpu
from tests.runner.runtimes.hexagon_models import manifest

GPU = VulkanDevice("Small GPU", "a driver 1.2", software=False, float16=True, memory_bytes=16)


class Plugin:
    """Stand-in for onnxruntime with a plug-in that offers `devices`, once it is registered."""

    def __init__(self, *devices: str, broken: bool = False) -> None:
        self._devices, self._broken, self._registered = devices, broken, False
        self.__version__ = "1.31.1"
        self.GraphOptimizationLevel = SimpleNamespace(ORT_ENABLE_ALL=99)

    def get_library_path(self) -> str:
        return "/packages/libplugin.so"

    def register_execution_provider_library(self, name: str, path: str) -> None:
        if self._broken:
            raise RuntimeError(f"cannot open {path}")
        self._registered = True

    def get_ep_devices(self) -> list[Any]:
        return [SimpleNamespace(ep_name=name) for name in self._devices] if self._registered else []

    def SessionOptions(self) -> Any:
        return SimpleNamespace(
            add_session_config_entry=lambda key, value: None, add_provider_for_devices=lambda devices, options: None
        )


def told(monkeypatch: pytest.MonkeyPatch, model: Path, plugin: Plugin, *devices: VulkanDevice) -> RunnerError:
    """Error of loading `model` on a GPU, with a stand-in for the plug-in and for Vulkan."""
    monkeypatch.setattr(onnx_provider, "import_module", lambda name: plugin)
    monkeypatch.setattr(vulkan, "open_loader", lambda folder: None)
    monkeypatch.setattr(vulkan, "devices", lambda loader: list(devices))
    with pytest.raises(RunnerError) as error:
        WebGpu().load(manifest(model)._replace(accelerator=Accelerator("webgpu")), 1)
    return error.value


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(bytes(64))
    return path


def test_a_gpu_whose_memory_is_too_small_is_told_before_anything_is_compiled(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = told(monkeypatch, model, Plugin("WebGpuExecutionProvider"), GPU)
    assert (error.kind, str(error)) == ("vram", "Small GPU has 0 MiB, the model is larger")


@pytest.mark.parametrize(
    ("plugin", "kind", "words"),
    [
        (Plugin(broken=True), "library", "'libplugin.so' cannot be loaded: cannot open"),
        (Plugin("CPUExecutionProvider"), "adapter", "WebGpuExecutionProvider was loaded and offers no device"),
    ],
)
def test_a_plug_in_that_does_not_load_or_offers_nothing_is_told(
    model: Path, monkeypatch: pytest.MonkeyPatch, plugin: Plugin, kind: ErrorKind, words: str
) -> None:
    error = told(monkeypatch, model, plugin, GPU._replace(memory_bytes=1 << 30))
    assert error.kind == kind
    assert words in str(error)


def test_without_a_vulkan_loader_there_is_no_driver(model: Path, tmp_path: Path) -> None:
    request = Accelerator("webgpu", (("vulkan", str(tmp_path)),))
    pytest.importorskip("onnxruntime_ep_webgpu")
    with pytest.raises(RunnerError, match="has no manifest of a Vulkan driver") as error:
        WebGpu().load(manifest(model)._replace(accelerator=request), 1)
    assert error.value.kind == "driver"


def test_a_package_that_is_not_there_is_told() -> None:
    with pytest.raises(RunnerError, match="'onnxruntime-none' is not installed: No module named 'no_such'") as error:
        OnnxProvider(Provider("NoneExecutionProvider", "onnxruntime-none", "no_such"))
    assert error.value.kind == "package"


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("Failed to get a WebGPU adapter: No supported adapters", "adapter"),
        ("Buffer size (5 GB) exceeds the maxBufferSize limit", "vram"),
        ("something new", "load"),
    ],
)
def test_words_of_a_provider_tell_the_kind_of_failure(words: str, kind: ErrorKind) -> None:
    assert failure("load", "'webgpu' does not load", RuntimeError(words)).kind == kind
